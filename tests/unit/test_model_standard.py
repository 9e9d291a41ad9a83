"""The tables of the model against the tables of DSP0263 2.0.0, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cimi_cim.model.load import load_model
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, ResourceType
from tests.shared_files import needs_shared
from tests.standard_tables import HEADING, SCALARS, Row, standard_tables, standard_text

pytestmark = needs_shared

MODEL = load_model()
V2 = CimiVersion.V2
TYPES = [t for t in MODEL.types.values() if t.form(V2) is not None]
COMMON = {row.name: row for row in MODEL["Machine"].attributes.values() if row.clause == "5.7.1"}

# What the model has beyond the tables, and why.
BEYOND_THE_TABLES = {
    "Disk": {"format"},  # filtered by in 4.1.6.1, taken on creation (5.14.5)
    "locatedVolume": {"volume"},  # the reference itself, as insert names it (5.5.12.2)
    "RecoverableMachine": {"machine"},  # likewise
    "CredentialTemplate": {"userName", "password", "key"},  # as in Tables 23 and 24
}
# Table 52 begins these with a capital; everything else in the standard does not.
CAPITALIZED = {"Events": "events", "Persistence": "persistence", "Summary": "summary"}
# References whose type the description does not spell.
TARGETS_SAID_OTHERWISE = {
    "latestSnapshot": "SNAPSHOT",
    "interface": "Interface",
    "parentJob": "Job",
}
# Values of the type duration, and the words that the standard has for them.
DURATIONS = {"PT1H": "hourly", "P1D": "daily", "P7D": "weekly", "P1M": "monthly", "P1Y": "yearly"}
UNIT_WORDS = {
    "kibibytes": "kibibyte",
    "kilobytes": "kilobyte",
    "megahertz": "megahertz",
    "bits per second": "bit per second",
    "in bytes": "byte",
    "in seconds": "second",
    "millisecs": "millisecond",
    "in minutes": "minute",
}


def rows_of(resource: ResourceType) -> dict[str, Row]:
    """The rows of all tables of a type; the first to have one decides, the others add text."""
    found: dict[str, Row] = {}
    for number in resource.tables:
        for row in standard_tables()[number].rows:
            name = CAPITALIZED.get(row.name, row.name)
            first = found.get(name, row)
            found[name] = first if first is row else replace(first, text=first.text + row.text)
    return found


def pairs() -> Iterator[tuple[str, Attribute, Row]]:
    """Every attribute with the row of the standard, those of structures and maps too."""
    for row in standard_tables()[5].rows:
        yield f"common.{row.name}", COMMON[row.name], row
    for resource in TYPES:
        for name, row in rows_of(resource).items():
            attribute = resource.attributes[name]
            yield f"{resource.name}.{name}", attribute, row
            for inside in row.inside:
                fields = {field.name: field for field in attribute.fields}
                if inside.name in fields:
                    yield f"{resource.name}.{name}.{inside.name}", fields[inside.name], inside


def is_type(said: str, attribute: Attribute) -> bool:
    """Whether the printed type is the one of the row."""
    is_array, name = said.endswith("[]"), said.removesuffix("[]")
    if is_array and name.lower() == "byte":
        return attribute.kind is Kind.BYTES and not attribute.is_array
    if is_array != attribute.is_array:
        return False
    if name.lower() in SCALARS:
        return attribute.kind is SCALARS[name.lower()]
    if name.lower() == "ref":
        return attribute.kind in (Kind.REF, Kind.REF_OR_VALUE)
    if name == "<unnamedstructure>" or name in MODEL.structures:
        return attribute.kind is Kind.STRUCT and name in ("<unnamedstructure>", item(attribute))
    collection = re.match(r"[Cc]ollection\[(\w+)\]\Z", name)
    wanted = Kind.COLLECTION if collection else None
    target = collection[1] if collection else name[0].upper() + name[1:]
    is_link = attribute.kind is wanted or (
        wanted is None and attribute.kind in (Kind.REF, Kind.REF_OR_VALUE)
    )
    # Several types are printed in the plural: MeterTemplates[].
    return is_link and attribute.target in (target, target.removesuffix("s"))


def item(attribute: Attribute) -> str:
    return attribute.structure.name if attribute.structure is not None else ""


def test_the_parser_reads_every_table_that_a_type_names() -> None:
    named = {number for resource in TYPES for number in resource.tables}
    assert named <= standard_tables().keys()
    # 2 is an example; 15, 33 to 35 and 38 to 40 are keys of maps.
    assert standard_tables().keys() - named == {2, 5, 15, 33, 34, 35, 38, 39, 40}


def test_a_type_uri_of_the_standard_is_that_of_its_form() -> None:
    for resource in TYPES:
        form = resource.form(V2)
        assert form is not None
        for number in resource.tables:
            # Table 8 prints another host (www.dmf.org); every example has this one.
            said = standard_tables()[number].type_uri.replace("www.dmf.org", "schemas.dmtf.org")
            assert said in ("", form.type_uri(V2)), resource.name


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_a_type_has_the_rows_of_its_tables_in_their_order(resource: ResourceType) -> None:
    own = [
        row.name
        for row in resource.attributes.values()
        if row.form(V2) is not None and row.clause != "5.7.1"
    ]
    beyond = BEYOND_THE_TABLES.get(resource.name, set())
    assert beyond <= set(own)
    said = list(rows_of(resource))
    assert [name for name in own if name not in beyond] == said


def test_the_common_rows_are_those_of_table_5() -> None:
    assert list(COMMON) == [row.name for row in standard_tables()[5].rows]


def test_every_attribute_has_the_type_of_its_row() -> None:
    checked = 0
    for name, attribute, row in pairs():
        if attribute.name == "machines" and row.type == "Collection[RecoverableMachine]":
            continue  # Table 11 narrows what Table 10 says
        assert is_type(row.type, attribute), (name, row.type, attribute.kind, attribute.target)
        checked += 1
    assert checked > 250


def test_structures_have_the_rows_of_the_tables_inside_standard_tables() -> None:
    held = set()
    for resource in TYPES:
        for name, row in rows_of(resource).items():
            attribute = resource.attributes[name]
            if attribute.structure is None or attribute.kind is not Kind.STRUCT:
                continue
            ours = [f.name for f in attribute.fields if f.form(V2) is not None]
            said = [inside.name for inside in row.inside]
            if attribute.structure.name == "componentDescriptor":
                # The row whose name follows its type stands for a choice of rows.
                choice = [f.name for f in attribute.fields if f.choice == "component"]
                at = said.index("<componentResource>")
                said[at : at + 1] = [n for n in ours if n in choice]
            assert ours == said, name
            held.add(attribute.structure.name)
    in_2_0 = {
        s.name for s in MODEL.structures.values() if any(r.form(V2) is not None for r in s.rows)
    }
    assert held == in_2_0 - {"scope"}  # 5.5.14 describes scopes without a table


def test_a_component_is_any_template_or_an_existing_resource() -> None:
    choice = {f.name: f for f in MODEL.structures["componentDescriptor"].rows if f.choice}
    for name, row in choice.items():
        assert row.target == name[0].upper() + name[1:]
        assert (row.kind is Kind.REF_OR_VALUE) is name.endswith("Template")
    templates = {t.create_template_attribute for t in TYPES if t.create_template_attribute}
    assert templates == {
        n for n, row in choice.items() if n.endswith("Template") and row.form(V2) is not None
    }


def test_constraints_are_those_that_the_standard_states() -> None:
    stated = 0
    for name, attribute, row in pairs():
        for constraint, value in row.constraints.items():
            stated += 1
            assert constraint_of(attribute, constraint) is value, (name, constraint)
    assert stated >= 4 * 15


def constraint_of(attribute: Attribute, name: str) -> bool:
    return {
        "providerMandatory": attribute.is_provider_mandatory,
        "consumerMandatory": attribute.is_consumer_mandatory,
        "mutable": attribute.is_mutable,
        "consumerWritable": attribute.is_consumer_writable,
    }[name]


def test_constraints_inside_structures_are_those_that_the_standard_states() -> None:
    for row in standard_tables()[6].rows:
        fields = {f.name: f for f in MODEL["ResourceMetadata"].attributes[row.name].fields}
        for inside in row.inside:
            for constraint, value in (row.constraints_of_inside | inside.constraints).items():
                said = constraint_of(fields[inside.name], constraint)
                assert said is value, (row.name, inside.name, constraint)


def test_the_constraints_of_the_cloud_entry_point_are_those_below_its_table() -> None:
    said = re.search(
        r"attribute of the CloudEntryPoint Resource has the following.*?\n((?:.*\n){8})",
        standard_text(),
    )
    assert said is not None
    default = dict(re.findall(r"(\w+): (true|false)", said[1]))
    assert len(default) == 4
    for name in rows_of(MODEL["CloudEntryPoint"]):
        if name != "baseURI":
            row = MODEL["CloudEntryPoint"].attributes[name]
            for constraint, value in default.items():
                assert constraint_of(row, constraint) is (value == "true"), (name, constraint)


def test_immutable_means_not_writable() -> None:
    """DSP0263 5.3."""
    for resource in TYPES:
        for row in resource.attributes.values():
            assert row.is_mutable or not row.is_consumer_writable, (resource.name, row.name)


def test_latest_snapshot_is_optional_and_read_only() -> None:
    """The one row of Machine with constraints states them in other words (Table 16)."""
    said = rows_of(MODEL["Machine"])["latestSnapshot"].text
    assert "support optional; mutable" in said
    assert "support optional; read-only" in said
    row = MODEL["Machine"].attributes["latestSnapshot"]
    assert not row.is_provider_mandatory
    assert row.is_mutable
    assert row.access is Access.READ_ONLY


def test_enumerations_are_those_of_the_descriptions() -> None:
    checked = 0
    for name, attribute, row in pairs():
        said = re.sub(r"-\s", "-", row.text)
        words = [DURATIONS.get(v, v).removeprefix("http://schemas.dmtf.org/cimi/2/")
                 for v in attribute.values]  # fmt: skip
        if attribute.name == "aspect" or name == "Event.type":
            continue  # the values are those of Tables 51 and 55, held below
        if "initialState" in name or "described in" in said or "those specified" in said:
            continue  # the values are those of another table, held below
        for word in words:
            assert word in said, (name, word)
            checked += 1
        listed = re.search(r"\[ ?([^\]|]+(?:\|[^\]|]+)+)\]", said)
        if listed is not None:
            assert [w.strip() for w in listed[1].split("|")] == words, name
        if attribute.name in ("state", "type") and attribute.kind is Kind.STRING:
            states = {
                word
                for words_said in re.findall(r"\b([A-Z_]{5,}(?:/ ?[A-Z_]{5,})*):", said)
                for word in words_said.replace(" ", "").split("/")
            }
            assert states <= set(words), name
    assert checked > 100


def test_an_initial_state_is_a_state_that_lasts() -> None:
    """Tables 19, 31, 36, 41, 43 and 45: the nontransient values of state."""
    for resource in TYPES:
        initial = resource.attributes.get("initialState")
        if initial is None:
            continue
        made = MODEL[resource.name.removesuffix("Template")]
        states = made.attributes["state"].values
        assert set(initial.values) < set(states)
        assert not any(v.endswith("ING") or v in ("ERROR", "FAILED") for v in initial.values)


def test_units_are_those_of_the_descriptions() -> None:
    checked = 0
    for name, attribute, row in pairs():
        if attribute.kind is not Kind.INTEGER:
            continue
        said = {unit for word, unit in UNIT_WORDS.items() if word in row.text.lower()}
        if said:
            assert said == {attribute.unit}, name
            checked += 1
    assert checked >= 12


def test_references_lead_to_the_type_that_the_description_names() -> None:
    for name, attribute, row in pairs():
        if attribute.kind not in (Kind.REF, Kind.REF_OR_VALUE) or row.type != "ref":
            continue
        said = re.sub(r"\s+", "", row.text)
        if attribute.target:
            wanted = TARGETS_SAID_OTHERWISE.get(attribute.name, attribute.target)
            assert wanted.replace(" ", "") in said, name
        else:
            assert "Resource" in said, name


def test_what_may_be_given_by_value_is_marked_so() -> None:
    """`Note that the attributes of X may be specified rather than a reference`."""
    for name, attribute, row in pairs():
        if re.search(r"attributes (of|may be explicitly)[^.]*(specified|given|listed)", row.text):
            assert attribute.kind is Kind.REF_OR_VALUE, name
        elif attribute.kind is Kind.REF_OR_VALUE:
            # Said by a capability (Table 7), or by the pattern of templates in templates.
            by_value = f"{attribute.target}ByValue"
            assert by_value in standard_text() or str(attribute.target).endswith("Template"), name


@pytest.mark.parametrize(
    ("owner", "attribute", "key", "number"),
    [
        ("ProtocolSegment", "parameters", "IPv6", 33),
        ("ProtocolSegment", "parameters", "IPv4", 34),
        ("ProtocolSegment", "parameters", "Ethernet", 35),
        ("ProtocolEndpoint", "parameters", "IPv6", 38),
        ("ProtocolEndpoint", "parameters", "IPv4", 39),
        ("ProtocolEndpoint", "parameters", "Ethernet", 40),
    ],
)
def test_keys_of_protocols_are_those_of_their_tables(
    owner: str, attribute: str, key: str, number: int
) -> None:
    for name in (owner, f"{owner}Template"):
        keys = MODEL[name].attributes[attribute].keys[key]
        said = standard_tables()[number].rows
        assert [row.name for row in keys] == [row.name for row in said]
        assert all(is_type(s.type, row) for s, row in zip(said, keys, strict=True))


def test_keys_of_system_services_are_those_of_their_standard_tables() -> None:
    service = MODEL["SystemService"].attributes["parameters"].keys
    descriptor = next(
        f for f in MODEL.structures["serviceDescriptor"].rows if f.name == "parameters"
    ).keys
    for keys, said in (
        (service["highreliability"], standard_tables()[11].rows[-1].inside),
        (service["disasterrecovery"], standard_tables()[13].rows[-1].inside),
        (descriptor["highreliability"], standard_tables()[15].rows),
    ):
        assert [row.name for row in keys] == [row.name for row in said]
        assert all(is_type(s.type, row) for s, row in zip(said, keys, strict=True))


def test_content_of_events_is_that_of_table_55() -> None:
    body = standard_text().rpartition("Table 55 \u2013 type URIs")[2].partition("5.18")[0]
    for kind, keys in MODEL["Event"].attributes["content"].keys.items():
        assert re.search(rf"^ {{4,}}{kind} ", body, re.MULTILINE), kind
        for row in keys:
            # The table prints restype once.
            said = re.findall(
                rf"^ +{row.name} +(string|ref|URI) ", body, re.MULTILINE | re.IGNORECASE
            )
            assert said, row.name
            assert is_type(said[0], row), row.name


def test_every_clause_that_the_tables_name_is_a_heading() -> None:
    headings = {match[1] for line in standard_text().splitlines() if (match := HEADING.match(line))}
    headings |= set(re.findall(r"^ {2}(5\.\d+(?:\.\d+)*) +\S", standard_text(), re.MULTILINE))
    named = {row.clause for t in TYPES for row in t.attributes.values() if row.form(V2)}
    named |= {s.clause for s in MODEL.structures.values()} - {"1.x"}
    named |= {t.clause for t in TYPES}
    assert named <= headings


def test_the_cloud_entry_point_leads_to_every_type_with_a_collection_there() -> None:
    rows = rows_of(MODEL["CloudEntryPoint"])
    for resource in TYPES:
        form = resource.form(V2)
        assert form is not None
        if form.cep_attribute is not None:
            row = MODEL["CloudEntryPoint"].attributes[form.cep_attribute]
            assert row.target == resource.name
            assert form.cep_attribute in rows
    led_to = {r.target for r in MODEL["CloudEntryPoint"].attributes.values()
              if r.kind is Kind.COLLECTION and r.form(V2) is not None}  # fmt: skip
    held = {t.name for t in TYPES if (f := t.form(V2)) is not None and f.cep_attribute}
    assert led_to == held
