"""docs/mappings.md is the language, no more and no less; the index has every page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.mapping.compiler import check_file
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.mapping.structure import language_schema
from cimi_cim.model.load import load_model

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "mappings.md").read_text(encoding="utf-8")


def tables() -> dict[str, dict[str, Any]]:
    """The tables of keys that the page has, by what stands before them."""
    schema = language_schema()
    defs = schema["$defs"]
    quantity = defs["convert"]["anyOf"][2]["properties"]["quantity"]
    return {
        "## The file": schema,
        "## A resource": defs["resource"],
        "## A relation": defs["join"],
        "## An attribute": defs["attribute"],
        "A `quantity` turns": quantity,
        "## An operation, a call, a writer": defs["operation"],
        "An entry of `before` or `choose`:": defs["choice"],
        "A writer:": defs["writer"],
        "## A pool": schema["properties"]["pools"]["additionalProperties"],
        "## Jobs and faults": defs["jobs"],
        "A fault; the first that fits decides:": defs["fault"],
    }


@pytest.mark.parametrize("title", tables())
def test_every_key_of_the_language_is_in_its_table(title: str) -> None:
    _, _, after = PAGE.partition(f"{title}")
    shown = after[after.index("|---|---|\n") + len("|---|---|\n") :].partition("\n\n")[0]
    keys = tables()[title]["properties"]
    assert shown.splitlines() == [
        f"| `{key}` | {value['description']} |" for key, value in keys.items()
    ]


def test_every_function_is_in_the_table() -> None:
    _, _, after = PAGE.partition("## Functions")
    rows = [line for line in after.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {function.doc} |" for name, function in FUNCTIONS.items()]


def test_the_example_is_a_mapping_without_mistakes(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(language: 1\n.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "acme.yaml"
    path.write_text(example, encoding="utf-8")
    assert check_file(path, load_model()) == ()


def test_the_index_has_every_page_and_every_link_leads_somewhere() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert set(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", index, re.MULTILINE)) == pages
    for page in DOCS.glob("*.md"):
        for link in re.findall(r"\]\((?!https:)([^)#:]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (DOCS / link).exists(), f"{page.name}: {link}"
