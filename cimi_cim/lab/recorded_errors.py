"""What a recorded server says about what it does not have, from its recorded errors.

An error that was recorded for one unknown class holds for every other, with the name
changed in the server's own words. That something is not there must be established by
what was recorded (the names of all classes, an enumeration); only the words come from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cimi_cim.lab.backend import CimError
from cimi_cim.lab.recording import READS, WALKS, Recording
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import Failure, Question

CIM_ERR_INVALID_NAMESPACE, CIM_ERR_INVALID_PARAMETER = 3, 4
CIM_ERR_INVALID_CLASS, CIM_ERR_NOT_FOUND, CIM_ERR_NOT_SUPPORTED = 5, 6, 7


class RecordedErrors:
    """The recorded errors, by what was not there."""

    def __init__(self, recording: Recording) -> None:
        self._words: dict[tuple[str, str], tuple[str, Failure]] = {}
        self._refused: dict[tuple[str, str], Failure] = {}
        self._missing: dict[str, tuple[TapePath, Failure]] = {}
        namespaces = {name.lower() for name in recording.header.namespaces}
        for asked, failure in recording.failures():
            if asked.namespace.lower() not in namespaces:
                self._words.setdefault(("", "namespace"), (asked.namespace, failure))
            elif failure.code == CIM_ERR_NOT_SUPPORTED:
                self._refused.setdefault((asked.operation, _class_of(asked)), failure)
            else:
                self._sort_in(recording, asked, failure)

    def _sort_in(self, recording: Recording, asked: Question, failure: Failure) -> None:
        subject, association = asked.subject, asked.association
        if association and recording.classes.is_known(asked.namespace, association) is False:
            self._words.setdefault(("walk", "class"), (association, failure))
        elif isinstance(subject, str):
            kind = "EnumerateInstances" if asked.operation in READS else asked.operation
            self._words.setdefault((kind, "class"), (subject, failure))
        elif failure.code == CIM_ERR_NOT_FOUND and recording.instance(asked.about) is None:
            values = [value for _, value in subject.keys if isinstance(value, str)]
            if any(piece in failure.text for value in values for piece in _pieces(value)):
                self._missing.setdefault(subject.classname.lower(), (subject, failure))

    def refused(self, question: Question) -> CimError | None:
        """Return the error of an operation that the server does not support on a class."""
        failure = self._refused.get((question.operation, _class_of(question)))
        return None if failure is None else CimError(failure.code, failure.text)

    def no_namespace(self, namespace: str) -> CimError:
        """Return the error for a namespace that the server does not have."""
        return self._say("", "namespace", namespace, CIM_ERR_INVALID_NAMESPACE)

    def no_class(self, operation: str, name: str) -> CimError:
        """Return the error for a class that is not in the namespace."""
        if operation in WALKS:
            return self._say("walk", "class", name, CIM_ERR_INVALID_PARAMETER)
        if operation == "GetClass":
            return self._say(operation, "class", name, CIM_ERR_NOT_FOUND)
        return self._say("EnumerateInstances", "class", name, CIM_ERR_INVALID_CLASS)

    def no_qualifier(self, name: str) -> CimError | None:
        """Return the error for a qualifier that is not declared, if one was recorded."""
        is_recorded = ("GetQualifier", "class") in self._words
        return self._say("GetQualifier", "class", name, CIM_ERR_NOT_FOUND) if is_recorded else None

    def no_instance(self, path: TapePath) -> CimError:
        """Return the error for an instance that is not there."""
        known = self._missing.get(path.classname.lower())
        if known is not None:
            example, failure = known
            text = _reworded(failure.text, _values(example), _values(path))
            if text is not None:
                return CimError(failure.code, text)
        return CimError(CIM_ERR_NOT_FOUND, "no such instance")

    def _say(self, operation: str, what: str, name: str, code: int) -> CimError:
        known = self._words.get((operation, what))
        if known is None:
            return CimError(code, f"no {what} {name}")
        example, failure = known
        return CimError(failure.code, failure.text.replace(example, name))


def _class_of(question: Question) -> str:
    """The class an operation is about; queries are about none."""
    if isinstance(question.subject, TapePath):
        return question.subject.classname.lower()
    is_query = "Query" in question.operation
    return "" if is_query else question.subject.lower()


def _values(path: TapePath) -> dict[str, str]:
    return {name.lower(): value for name, value in path.keys if isinstance(value, str)}


def _pieces(value: str) -> list[str]:
    return re.split(r"[:/]", value)


def _reworded(text: str, example: dict[str, str], values: dict[str, str]) -> str | None:
    """The words with the pieces of one path's keys changed to another's; None if unlike."""
    if example.keys() != values.keys():
        return None
    changes: dict[str, str] = {}
    for name, value in example.items():
        old, new = _pieces(value), _pieces(values[name])
        if len(old) != len(new):
            return None
        changes |= zip(old, new, strict=True)
    return _replaced(text, changes)


def _replaced(text: str, changes: dict[str, str]) -> str:
    longest: Iterable[str] = sorted((old for old in changes if old), key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(old)}(?!\w)" for old in longest)
    return re.sub(pattern, lambda match: changes[match.group()], text) if pattern else text
