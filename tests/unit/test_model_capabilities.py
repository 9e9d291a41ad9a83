"""The capabilities, aspects and kinds of events of the model against DSP0263 2.0.0."""

from __future__ import annotations

import re

from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion, Kind
from tests.shared_files import needs_shared
from tests.standard_tables import HEADING, standard_text

pytestmark = needs_shared

MODEL = load_model()
V2 = CimiVersion.V2
TYPES = [t for t in MODEL.types.values() if t.form(V2) is not None]


def lines_of_table(number: int) -> list[str]:
    """The lines below the caption of a table without attributes, to the next clause."""
    lines = standard_text().rpartition(f"Table {number} \u2013 ")[2].splitlines()
    end = next(i for i, line in enumerate(lines) if HEADING.match(line))
    return lines[1:end]


def test_aspects_and_kinds_of_events_are_those_of_their_tables() -> None:
    """Tables 51 and 55: the first column, below a base URI."""
    for attribute, number in ((MODEL["Meter"].attributes["aspect"], 51),
                              (MODEL["MeterConfiguration"].attributes["aspect"], 51),
                              (MODEL["Event"].attributes["type"], 55)):  # fmt: skip
        rows = [re.match(r" {7,10}([a-z]\w+) {3}", line) for line in lines_of_table(number)]
        ours = [v.rpartition("/")[2] for v in attribute.values if "/cimi/2/" in v]
        assert ours == [row[1] for row in rows if row is not None]
        assert (
            f"http://schemas.dmtf.org/cimi/2/{'event' if number == 55 else 'aspect'}/"
            in (attribute.values[0])
        )
    assert MODEL["Event"].attributes["type"].values[-1] in standard_text()


def capabilities_of_the_text() -> dict[tuple[str, str], str]:
    """What Table 7 says of each capability, by resource and name."""
    found: dict[tuple[str, str], str] = {}
    for line in lines_of_table(7):
        row = re.match(r" {0,7}([A-Z]\w+) {2,}([A-Z]\w+) {2,}(\S.*)", line)
        if row is not None:
            found[row[1], row[2]] = row[3]
        elif found and line.startswith(" " * 40):
            found[next(reversed(found))] += f" {line.strip()}"
    return found


def test_capabilities_are_those_of_table_7() -> None:
    said = capabilities_of_the_text()
    assert said.keys() == {(t.name, name) for t in TYPES for name in t.capabilities}
    for (resource, name), text in said.items():
        capability = MODEL[resource].capabilities[name]
        assert (capability.kind is Kind.BOOLEAN) is text.startswith("If true"), name
        assert capability.uri(V2) == f"http://schemas.dmtf.org/cimi/2/capability/{resource}/{name}"


def test_a_capability_implies_what_table_7_says_is_then_true_as_well() -> None:
    for (resource, name), text in capabilities_of_the_text().items():
        implied = re.search(r"the (\w+) (?:capability )?shall (?:also )?have the value", text)
        ours = MODEL[resource].capabilities[name].implies
        assert ours == (implied[1] if implied is not None else None), (resource, name)
        assert ours is None or ours in MODEL[resource].capabilities
