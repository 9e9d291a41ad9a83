"""Finds the normative sentences in the text of DSP0263 2.0.0, clause by clause.

A sentence is normative if it says shall, must, required, should or recommended. Its id is
its clause and its number among the normative sentences of that clause: `4.1.6.2-3`. The
sentences themselves never leave the text: the table of rules names them by id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tests.standard_tables import standard_text

_HEADING = re.compile(r" {0,2}(\d(?:\.\d+)*) +[A-Za-z\u201c\"].{0,52}\Z")
_ANNEX = re.compile(r" +ANNEX ([A-C])\Z")
_PAGE = re.compile(
    r"\s*(\d* +Published +Version|Version 2\.0\.0 +Published|Published +Version|DSP0263 +Cloud"
    r"|Cloud Infrastructure Management Interface \(CIMI\) Model and RESTful HTTP-based Protocol +D)"
)
_STRAY_NUMBER = re.compile(r"\s*\d{3,4}\Z")
_FIRST_HEADING = "  1 Scope"
_PARAGRAPH = "\u00b6"
# Behind a full stop or a colon, at a bullet, a dash or a numbered point a sentence begins.
_BOUNDARY = re.compile(
    r"(?<=[.:;])[\"\u201d)]?\s+(?=[A-Z\"\u201c(<$])|[.]\"\s|[\u00b6\uf0b7]|\s\u2013\s|\s\d\)\s|\s[a-c]\)\s"
)
_SHALL = re.compile(r"\b(shall|must|required)\b", re.IGNORECASE)
_SHOULD = re.compile(r"\b(should|recommended)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A normative sentence: where it stands, how strong it is, what it says."""

    id: str
    strength: str
    text: str


@lru_cache(maxsize=1)
def normative_sentences() -> dict[str, Sentence]:
    """Return every normative sentence of the text by id, in the order of the text."""
    found = {}
    for clause, text in _clauses(standard_text()):
        number = 0
        for part in _BOUNDARY.split(text):
            strength = "shall" if _SHALL.search(part) else "should" if _SHOULD.search(part) else ""
            if strength:
                number += 1
                sentence = Sentence(f"{clause}-{number}", strength, " ".join(part.split()))
                assert sentence.id not in found, sentence
                found[sentence.id] = sentence
    return found


def _clauses(text: str) -> list[tuple[str, str]]:
    """Return (clause, its words in one line) in order, without what each page repeats."""
    found: list[tuple[str, list[str]]] = []
    lines = text.replace("\f", "\n").splitlines()
    is_turning = False  # between two pages, where an empty line ends nothing
    for line in lines[lines.index(_FIRST_HEADING) :]:
        heading = _HEADING.match(line) or _ANNEX.match(line)
        if _PAGE.match(line) or _STRAY_NUMBER.match(line):
            is_turning = True
            if found and found[-1][1][-1:] == [_PARAGRAPH]:
                found[-1][1].pop()
        elif heading is not None and _follows(heading[1], found):
            found.append((heading[1], []))
        elif line.strip():
            is_turning = False
            found[-1][1].append(line.strip())
        elif found and not is_turning and found[-1][1][-1:] != [_PARAGRAPH]:
            found[-1][1].append(_PARAGRAPH)
    return [(clause, " ".join(words)) for clause, words in found]


def _follows(clause: str, found: list[tuple[str, list[str]]]) -> bool:
    """A number that begins a line is a heading only where such a clause can come next."""
    if clause.isalpha() or not found:
        return True
    last = found[-1][0]
    if last.isalpha():
        return False
    return _key(clause) > _key(last) and clause not in (entry for entry, _ in found)


def _key(clause: str) -> tuple[int, ...]:
    return tuple(int(part) for part in clause.split("."))
