"""The table of rules: what DSP0263 2.0.0 asks of a provider, rule by rule, and what tests it.

`python -m tests.contract.table > docs/conformance.md` writes the page of it.

The table is in `rules/*.yaml`. A rule is known by its clause and the number of the sentence
among the normative ones of that clause (`sentences.py`): `4.1.6.2-3`. Rules that stand in
sentences without shall or should have a letter: `4.1.6.1-a`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from cimi_cim.yaml_source import load_file

RULES = Path(__file__).parent / "rules"
MET, PARTLY, NOT_APPLICABLE, LATER = VERDICTS = ("met", "partly", "not applicable", "later")
STRENGTHS = ("shall", "should", "may")
_KEYS = {"strength", "verdict", "rule", "reason", "tests", "not_binding"}
_ID = re.compile(r"([0-9AB](?:\.[0-9]+)*)-([0-9]+|[a-z])\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in our words, or a sentence that binds no provider.

    Args:
        id: Clause and number, or letter.
        text: The rule; "" where the sentence is not binding.
        strength: One of `STRENGTHS`.
        verdict: One of `VERDICTS`; "" where the sentence is not binding.
        reason: Why it is not simply met, or why the sentence is not binding.
        tests: Names of the test functions.
    """

    id: str
    text: str
    strength: str
    verdict: str
    reason: str
    tests: tuple[str, ...]

    @property
    def clause(self) -> str:
        return self.id.partition("-")[0]

    @property
    def is_binding(self) -> bool:
        return bool(self.verdict)


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """Return the table by id, in the order of the clauses. Raises ValueError."""
    found = {}
    for path in RULES.glob("*.yaml"):
        for id, node in load_file(path).items():
            if id in found:
                raise ValueError(f"{node.where}: {id} stands in two files")
            found[id] = _rule(id, node.plain(), str(node.where))
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _rule(id: str, row: Mapping[str, Any], where: str) -> Rule:
    if not _ID.match(id) or set(row) - _KEYS:
        raise ValueError(f"{where}: {id} is no id, or has unknown keys {set(row) - _KEYS}")
    reason = str(row.get("not_binding") or row.get("reason") or "")
    if "not_binding" in row:
        if set(row) != {"not_binding"}:
            raise ValueError(f"{where}: {id} is not binding and still has a verdict")
        return Rule(id, "", "", "", reason, ())
    rule = Rule(
        id, str(row["rule"]), str(row.get("strength", "shall")), str(row["verdict"]), reason,
        tuple(map(str, row.get("tests", ()))),
    )  # fmt: skip
    if rule.verdict not in VERDICTS or rule.strength not in STRENGTHS:
        raise ValueError(f"{where}: {id}: {rule.verdict} or {rule.strength} is unknown")
    return rule


def _place(id: str) -> tuple[Any, ...]:
    """Numbers before letters, the annexes last."""
    match = _ID.match(id)
    assert match is not None
    clause = tuple(int(n) if n.isdigit() else 90 + ord(n) for n in match[1].split("."))
    return (clause, not match[2].isdigit(), int(match[2]) if match[2].isdigit() else 0, match[2])


_HEAD = """\
# Conformance

What DSP0263 2.0.0 asks of a provider, rule by rule and in our words, what became of it here
and which test shows it. The tests are in `tests/contract/`; they run the whole bridge over a
simulated platform. A rule is named after its clause and the number of the sentence among
those of the clause that say shall, must, required, should or recommended; a letter stands for
a rule in other words. What is not done yet is *later*: it is not offered, or refused, and where
there is a test, it shows that. What cannot come up here is *not applicable*.

This page is made by `python -m tests.contract.table > docs/conformance.md`.
"""
_TITLES = {
    "4.1": "Protocol over HTTP", "4.2": "Protocol operations", "4.3": "Packages",
    "5.1": "Extensibility", "5.2": "Names", "5.3": "Constraints",
    "5.4": "Resources in JSON and XML",
    "5.5": "Data types", "5.7": "Common attributes", "5.8": "Operations and states",
    "5.10": "Relationships", "5.11": "ResourceMetadata", "5.12": "CloudEntryPoint",
    "5.13": "Systems", "5.14": "Machines", "5.15": "Volumes", "5.16": "Networks",
    "5.17": "Monitoring", "6": "Security and limits", "7.1": "Minimal conformance",
    "A": "Packages", "B": "Schema",
}  # fmt: skip


def page() -> str:
    """Return docs/conformance.md."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    binding = [rule for rule in rules().values() if rule.is_binding]
    yield _HEAD
    yield "| | " + " | ".join(VERDICTS) + " |"
    yield "|---" * (len(VERDICTS) + 1) + "|"
    for strength in STRENGTHS:
        counts = Counter(rule.verdict for rule in binding if rule.strength == strength)
        yield f"| {strength} | " + " | ".join(str(counts[verdict]) for verdict in VERDICTS) + " |"
    for section, group in groupby(binding, lambda rule: _section(rule.clause)):
        yield f"\n## {section} {_TITLES[section]}\n"
        yield "| rule | | what it asks | verdict | tests |"
        yield "|---|---|---|---|---|"
        yield from (_row(rule) for rule in group)
    yield "\n## Sentences that bind no provider\n"
    yield "| sentence | why |"
    yield "|---|---|"
    for rule in rules().values():
        if not rule.is_binding:
            yield f"| {rule.id} | {_cell(rule.reason)} |"
    yield ""


def _section(clause: str) -> str:
    return ".".join(clause.split(".")[:2])


def _row(rule: Rule) -> str:
    verdict = rule.verdict + (f": {rule.reason}" if rule.reason else "")
    tests = "<br>".join(f"`{name}`" for name in rule.tests)
    return f"| {rule.id} | {rule.strength} | {_cell(rule.text)} | {_cell(verdict)} | {tests} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
