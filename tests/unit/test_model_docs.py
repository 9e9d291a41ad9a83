"""docs/model.md tells what the tables are: its examples are rows, its keys are all the keys."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cimi_cim.model import rows
from cimi_cim.model.load import FAMILIES, load_model
from cimi_cim.model.rows import Context, build_attribute
from cimi_cim.model.types import CimiVersion, XmlShape

PAGE = Path(__file__).parents[2] / "docs" / "model.md"
TEXT = PAGE.read_text(encoding="utf-8")


def first_column(heading: str) -> set[str]:
    """The words in the first column of the table below `heading`."""
    table = TEXT.partition(heading)[2].partition("\n\n")[0]
    return set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))))


def test_every_example_is_a_row_of_the_machine() -> None:
    machine = load_model()["Machine"]
    context = Context("Machine", machine.clause, frozenset(CimiVersion), {})
    examples = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    ]
    assert len(examples) == 2
    for example in examples:
        assert build_attribute(example, context) == machine.attributes[example["name"]]


def test_the_page_tells_every_key_of_a_row_and_of_a_form() -> None:
    assert first_column("| key | says | without it |") == rows.ROW_KEYS
    assert first_column("| key | says |\n") == rows.FORM_KEYS


def test_the_page_names_every_file_and_every_shape() -> None:
    for family in ("common", *FAMILIES):
        assert f"`{family}.yaml`" in TEXT
    for shape in set(XmlShape) - {XmlShape.ABSENT}:
        assert f"`{shape.value}`" in TEXT
