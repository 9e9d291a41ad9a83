"""The operations of the model against the operations clauses of DSP0263 2.0.0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion, Kind
from tests.shared_files import needs_shared
from tests.standard_tables import HEADING, SCALARS, standard_text

pytestmark = needs_shared

MODEL = load_model()
V2 = CimiVersion.V2
TYPES = [t for t in MODEL.types.values() if t.form(V2) is not None]


def operations_of_the_text() -> Iterator[tuple[str, str, str]]:
    """Clause, name and description of every operation that the standard defines."""
    body = standard_text().partition("\n  5 Model\n")[2]
    clause, name, lines = "", "", list[str]()
    for line in body.splitlines():
        heading = HEADING.match(line) if "...." not in line else None
        link = re.match(r"\s*/link@rel: ?http://schemas.dmtf.org/cimi/2/action/(\w+)", line)
        if (heading or link) and name:
            yield clause, name, " ".join(lines)
            name, lines = "", []
        if heading:
            clause = heading[1]
        elif link:
            name = link[1]
        elif name and line.strip():
            lines.append(line.strip())


def operations() -> dict[tuple[str, str], str]:
    """The operations of the text, the five of a System one by one."""
    found: dict[tuple[str, str], str] = {}
    for clause, name, said in operations_of_the_text():
        names = ("start", "stop", "restart", "pause", "suspend") if name == "xxx" else (name,)
        found |= {(clause, each): said for each in names}
    return found


def test_operations_are_those_of_the_operations_clauses() -> None:
    ours = {
        (action.clause, action.name)
        for resource in TYPES
        for action in (*resource.actions.values(), *resource.collection_actions.values())
        if V2 in action.versions
    }
    # A DisasterRecovery service has two of the operations of a HighReliability one.
    again = {("5.13.3.2.1", "addRM"), ("5.13.3.2.1", "removeRM")}
    assert ours == operations().keys() - again


def test_an_operation_has_the_parameters_of_its_clause() -> None:
    held = operations()
    for resource in TYPES:
        for action in (*resource.actions.values(), *resource.collection_actions.values()):
            if (action.clause, action.name) not in held:
                continue
            said = held[action.clause, action.name]
            listed = re.findall(
                r'["“](\w+)["”] ?(?:\([^)]*\))? ?-? ?type: (\w+) ?[-\u2013] ?(optional|mandatory)',
                said,
            )
            ours = {p.name: (p.kind, p.is_required) for p in action.parameters}
            where = (resource.name, action.name)
            for name, kind, support in listed:
                expected = SCALARS.get(kind.lower(), Kind.REF)
                if where == ("Machine", "restore"):
                    expected = Kind.REF  # typed URI, shown as {"href": string}
                assert ours.pop(name) == (expected, support == "mandatory"), where
            if action.body != "Action" or where == ("Machine", "connectvolume"):
                continue  # a creation, or parameters in prose
            # Nothing is listed for the five of a System, which go on to its Machines.
            assert ours.keys() <= ({"force"} if resource.name == "System" else set()), where


def test_connectvolume_has_the_parameters_of_its_example() -> None:
    said = operations()["5.14.1.2", "connectvolume"]
    names = [p.name for p in MODEL["Machine"].actions["connectvolume"].parameters]
    assert re.findall(r"“(\w+)”: (?:\{|string)", said) == names


def test_an_operation_passes_through_the_states_of_its_clause() -> None:
    checked = 0
    for (clause, name), said in operations().items():
        for resource in TYPES:
            action = resource.actions.get(name)
            if action is None or action.clause != clause:
                continue
            during = re.search(r'shall be in the ["“]([A-Z]+)["”] (?:state|or)', said)
            # During comes first, and only where the text says During.
            if "During the processing" in said and during is not None:
                assert action.transient_state == during[1], (resource.name, name)
                checked += 1
            after = re.search(r'completion of this operation, .*?["“]([A-Z]+)["”]', said)
            if after is not None and clause != "5.13.1.2":
                assert action.target_state == after[1], (resource.name, name)
                checked += 1
    assert checked >= 20


# ResourceMetadata shows edit and delete in its serialization; of the others the text says
# nothing. What refers to another resource is an item, and has that one's operations.
WITHOUT_AN_OPERATIONS_CLAUSE = {
    "Disk",
    "EventLogTemplate",
    "MeterTemplate",
    "ResourceMetadata",
    "Sample",
}


def test_a_resource_supports_what_its_operations_clause_says() -> None:
    body = re.sub(r"\s+", " ", standard_text().partition("\n  5 Model\n")[2])
    for resource in TYPES:
        if resource.name in WITHOUT_AN_OPERATIONS_CLAUSE or resource.refers_to is not None:
            continue
        clauses = [f"{resource.clause}.{n}" for n in (1, 2, 3)]
        if resource.name == "EventLog":
            clauses = ["5.17.9.3"]  # its clauses are numbered as if they were of 5.17.9
        if resource.name == "SystemService":
            clauses = ["5.13.3.2.1"]
        said = [
            match[1]
            for clause in clauses
            for match in re.finditer(
                rf" {re.escape(clause)} (?:Operations|Operations Resource) (.{{0,400}})", body
            )
        ]
        assert said, resource.name
        verbs = re.search(r"supports? the ([A-Z][\w, ]+?) operations", said[0])
        assert verbs is not None, resource.name
        listed = {v.lower() for v in re.findall(r"Read|Update|Delete", verbs[1])}
        assert listed == resource.crud, resource.name


def test_what_is_made_from_a_template_says_so() -> None:
    """The notes on add, and the prose of 5.16: `X creation process`."""
    needed = set(
        re.findall(r'"add" operation requires that an? (\w+)Template be used', standard_text())
    )
    made = {t.name for t in TYPES if t.create_template_attribute is not None}
    assert needed <= made
    for resource in TYPES:
        template = resource.create_template_type
        if template is not None:
            assert template == f"{resource.name}Template"
            assert template in MODEL.types


def test_collections_have_the_names_that_the_standard_writes_out() -> None:
    for name in ("ResourceMetadata", "NetworkService"):
        said = re.search(
            rf'"[^"]+/{name}Collection",\s+"id": string,\s+"count": number,\s+"(\w+)": \[',
            standard_text(),
        )
        form = MODEL[name].form(V2)
        assert said is not None
        assert form is not None
        assert form.json_array == form.xml_wrapper == said[1]
