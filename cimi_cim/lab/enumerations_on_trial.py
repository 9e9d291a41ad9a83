"""Whether association classes enumerate to all there are: held against walks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from cimi_cim.lab.backend import CimError
from cimi_cim.lab.recorded_walks import from_enumeration
from cimi_cim.lab.recording import LINKS, WALKS, Recording
from cimi_cim.wbem.tape.instances import TapeInstance
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import Answer, Failure, Tape

Walk: TypeAlias = "Callable[[TapePath, str, str], Answer | None]"
"""Walks from a path in a namespace by an association class, and gives what was found."""

_SAMPLES = 4  # objects of each class to walk from before an enumeration is believed


def enumerations(
    tape: Tape, walked: Collection[str], walk: Walk
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the association classes that enumerate to all there are, and those that hide all.

    Of an enumeration that is neither, nothing is said: it holds for itself alone.
    """
    recording = Recording(tape)
    by_association = _walks_by_association(tape.answers)
    lowered = {name.lower() for name in walked}
    full, hiding = set[str](), set[str]()
    for answer in tape.answers:
        asked = answer.question
        name = str(asked.subject)
        if asked.operation != "EnumerateInstances" or name.lower() not in lowered:
            continue
        if isinstance(answer.found, Failure):
            continue
        walks = by_association.get((asked.namespace.lower(), name.lower()), [])
        sources = _some_objects(recording, answer, tape.answers)
        made = (walk(path, asked.namespace, name) for path in sources)
        if all(_agrees(recording, each) for each in (*walks, *made) if each is not None):
            full.add(name)
        elif not answer.found:
            hiding.add(name)
    return tuple(sorted(full)), tuple(sorted(hiding))


def _walks_by_association(answers: Iterable[Answer]) -> dict[tuple[str, str], list[Answer]]:
    found: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        asked = answer.question
        if asked.operation in WALKS and asked.association is not None:
            key = (asked.namespace.lower(), asked.association.lower())
            found.setdefault(key, []).append(answer)
    return found


def _agrees(recording: Recording, walk: Answer) -> bool:
    """Whether a walk found what the enumeration of its association leads to."""
    if isinstance(walk.found, Failure):
        return True  # it says nothing about associations
    asked = walk.question
    names = "ReferenceNames" if asked.operation in LINKS else "AssociatorNames"
    try:
        led_to = from_enumeration(recording, replace(asked, operation=names))
    except CimError:
        return False
    found = {
        (item.path if isinstance(item, TapeInstance) else item)
        .name()
        .instance_path(item.namespace or asked.namespace)
        .canonical
        for item in walk.found
    }
    return {item.key for item in led_to} == found


def _some_objects(
    recording: Recording, enumeration: Answer, answers: Iterable[Answer]
) -> Iterator[TapePath]:
    """A few ends of the enumerated associations, and as many of their classes that are none."""
    namespace, name = enumeration.question.namespace, str(enumeration.question.subject)
    ends: dict[str, dict[str, TapePath]] = {}
    for link in recording.enumeration(namespace, name, names_only=True):
        for _, path in link.ends():
            at = path.instance_path(link.namespace)
            if at.namespace.lower() == namespace.lower():
                ends.setdefault(path.classname.lower(), {})[at.canonical] = path.name()
    others: dict[str, dict[str, TapePath]] = {}
    for item in _read_in(answers, namespace):
        classname = item.path.classname.lower()
        key = item.path.instance_path(item.namespace).canonical
        if key not in ends.get(classname, (key,)):
            others.setdefault(classname, {})[key] = item.path
    for of_class in (*ends.values(), *others.values()):
        yield from list(of_class.values())[:: max(1, -(-len(of_class) // _SAMPLES))]


def _read_in(answers: Iterable[Answer], namespace: str) -> Iterator[TapeInstance]:
    """The instances of a namespace that were read for themselves."""
    for answer in answers:
        if isinstance(answer.found, Failure) or answer.question.operation in WALKS:
            continue
        for item in answer.found:
            if isinstance(item, TapeInstance) and item.namespace.lower() == namespace.lower():
                yield item
