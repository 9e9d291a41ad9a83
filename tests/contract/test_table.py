"""The table of rules is whole: every sentence, every test and every verdict is accounted for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.contract import table
from tests.contract.sentences import normative_sentences
from tests.shared_files import needs_shared
from tests.standard_tables import standard_text

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
_TEST = re.compile(r"test_((?:\d+_)+)")


def contract_tests() -> list[str]:
    """The names of all test functions in this folder, except those of this module."""
    names = [
        node.name
        for path in sorted(HERE.glob("test_*.py"))
        if path != Path(__file__)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert names
    return names


@needs_shared
def test_every_normative_sentence_is_a_rule_or_says_why_it_is_none() -> None:
    in_table = set(table.rules())
    in_text = set(normative_sentences())
    numbered = {id for id in in_table if id[-1].isdigit()}
    assert sorted(in_text - in_table) == []
    assert sorted(numbered - in_text) == []


@needs_shared
def test_every_clause_has_as_many_sentences_as_the_table_knows() -> None:
    """Shall, must and required are also counted without cutting the text into sentences."""
    sentences = normative_sentences().values()
    assert len(sentences) > 600
    words = re.compile(r"\b(?:shall|must)\b", re.IGNORECASE)
    found = sum(len(words.findall(sentence.text)) for sentence in sentences)
    body = standard_text().partition("\n  1 Scope\n")[2]
    assert found == len(words.findall(body))


@needs_shared
def test_a_rule_is_as_strong_as_its_sentence() -> None:
    sentences = normative_sentences()
    for rule in table.rules().values():
        if rule.is_binding and rule.id in sentences:
            assert rule.strength == sentences[rule.id].strength, rule.id


@needs_shared
def test_no_rule_is_copied_from_the_text() -> None:
    """No eight words in a row of ours stand in the standard."""
    text = " ".join(re.findall(r"\w+", " ".join(s.text for s in normative_sentences().values())))
    for rule in table.rules().values():
        words = re.findall(r"\w+", rule.text)
        for start in range(len(words) - 7):
            run = " ".join(words[start : start + 8])
            assert run.lower() not in text.lower(), (rule.id, run)


def test_every_verdict_has_its_tests_and_reasons() -> None:
    for rule in table.rules().values():
        if rule.is_binding:
            assert rule.text.endswith("."), rule.id
            assert rule.tests or rule.verdict not in (table.MET, table.PARTLY), rule.id
            assert bool(rule.reason) == (rule.verdict != table.MET), rule.id
        else:
            assert rule.reason, rule.id
            repeated = re.findall(r"\b\d[\d.]*-\d+", rule.reason)
            assert all(id in table.rules() for id in repeated), rule.id


def test_every_test_that_a_rule_names_exists() -> None:
    known = contract_tests()
    assert len(set(known)) == len(known)
    named = {name for rule in table.rules().values() for name in rule.tests}
    assert sorted(named - set(known)) == []


def test_every_test_is_named_by_a_rule_of_its_clause() -> None:
    for name in contract_tests():
        naming = [rule.clause for rule in table.rules().values() if name in rule.tests]
        assert naming, name
        match = _TEST.match(name)
        clause = match[1].rstrip("_").replace("_", ".") if match is not None else ""
        assert not clause or any(f"{found}.".startswith(f"{clause}.") for found in naming), (
            name,
            naming,
        )


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == table.page()
