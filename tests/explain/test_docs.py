"""docs/explain.md shows what the command prints."""

from __future__ import annotations

import re

from tests.explain.examples import PAGE, examples, shown, steady


def test_the_examples_are_what_the_command_prints() -> None:
    """`python -m tests.explain.examples` writes them anew."""
    made = examples()
    found = shown(PAGE.read_text(encoding="utf-8"))
    assert found.keys() == made.keys()
    for name, text in made.items():
        assert steady(found[name]) == steady(text), name


def test_no_example_names_an_address() -> None:
    for text in shown(PAGE.read_text(encoding="utf-8")).values():
        assert set(re.findall(r"https?://([^/\s]+)", text)) <= {
            "127.0.0.1:8080",
            "schemas.dmtf.org",
        }
