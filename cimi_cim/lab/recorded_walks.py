"""Associations of a recorded server, answered from the walks that were recorded.

A walk answers the question it was made for, and every narrower one: what it found is
narrowed by class, and what References found leads to the objects at the other ends
(DSP0200 5.3.2.13 to 5.3.2.16). A wider question than any that was recorded is not answered.
"""

from __future__ import annotations

from dataclasses import replace

from cimi_cim.lab.backend import CimError
from cimi_cim.lab.recording import LINKS, Found, Recorded, Recording, not_recorded
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import Failure, Question

_TWINS = {
    "Associators": "AssociatorNames",
    "AssociatorNames": "Associators",
    "References": "ReferenceNames",
    "ReferenceNames": "References",
}


def walk(recording: Recording, question: Question) -> list[Found]:
    """Return what a walk finds. Raises `CimError`, the recorded one or `not_recorded`."""
    twin = replace(question, operation=_TWINS[question.operation])
    for same in (question, twin):
        recorded = recording.recorded(same)
        if recorded is None:
            continue
        if isinstance(recorded.found, Failure):
            raise CimError(recorded.found.code, recorded.found.text)
        found = _as_asked(recording, question, recording.now(recorded.found))
        if found is not None:
            return found
    walks = recording.walks(question.about)
    for wider in sorted(walks, key=_is_of_links):  # what was found itself before what leads to it
        found = _narrowed(recording, question, wider)
        if found is not None:
            return found
    association = question.association
    if association is not None and recording.leads_to_all(association):
        found = from_enumeration(recording, question)
        if found or recording.instance(question.about) is not None:
            return found
    raise not_recorded(
        f"{question.operation} from {question.about} with AssocClass"
        f" {question.association or 'any'} and ResultClass {question.result or 'any'}"
    )


def from_enumeration(recording: Recording, question: Question) -> list[Found]:
    """Return what the enumeration of the question's association leads to.

    Raises `not_recorded`.
    """
    links = recording.links_at(question.namespace, str(question.association), question.about)
    asked = Question("References", question.namespace, question.subject, question.association)
    found = _narrowed(recording, question, Recorded(asked, tuple(links)))
    if found is None:
        raise not_recorded(f"all that {question.association} leads to from {question.about}")
    return found


def _is_of_links(recorded: Recorded) -> bool:
    return recorded.question.operation in LINKS


def _as_asked(recording: Recording, question: Question, found: list[Found]) -> list[Found] | None:
    """The objects whole where instances are asked for; None if one was never read."""
    if question.operation in ("AssociatorNames", "ReferenceNames"):
        return found
    whole = [recording.whole(item) for item in found]
    return None if None in whole else [item for item in whole if item is not None]


def _narrowed(recording: Recording, question: Question, wider: Recorded) -> list[Found] | None:
    """What a recorded walk says to the question; None if it does not cover it."""
    asked = wider.question
    if isinstance(wider.found, Failure) or not _covers(recording, asked, question):
        return None
    found = recording.now(wider.found)
    of_links = asked.operation in LINKS
    if of_links:
        if question.association is not None:
            found = recording.only(found, question.association)
        if question.operation in LINKS:
            found = [link for link in found if _starts(link, question)]
        else:
            found = _others(recording, found, question)
    elif question.operation in LINKS or not (
        _same_links(asked, question) or _has_no_other_role(recording, asked, question)
    ):
        return None  # what was found does not say by which association
    if question.result is not None:
        found = recording.only(found, question.result)
    return _as_asked(recording, question, found)


def _covers(recording: Recording, wider: Question, question: Question) -> bool:
    classes = ((wider.association, question.association), (wider.result, question.result))
    roles = ((wider.role, question.role), (wider.result_role, question.result_role))
    return all(
        wide is None or (narrow is not None and recording.classes.is_below(narrow, wide) is True)
        for wide, narrow in classes
    ) and all(wide is None or _same(wide, narrow) for wide, narrow in roles)


def _same_links(wider: Question, question: Question) -> bool:
    return (
        _same(wider.association, question.association)
        and _same(wider.role, question.role)
        and _same(wider.result_role, question.result_role)
    )


def _has_no_other_role(recording: Recording, wider: Question, question: Question) -> bool:
    """Whether the object can stand at no other end than the roles of the question say.

    Then a walk without roles found the same (DSP0200 5.3.2.13).
    """
    path = question.subject
    if wider.role or wider.result_role or not isinstance(path, TapePath):
        return False
    if not _same(wider.association, question.association) or question.association is None:
        return False
    ends = recording.classes.ends(question.association, path.classname)
    roles = {role.lower() for role, _ in ends or ()}
    others = {other.lower() for _, other in ends or ()}
    return (
        len(roles) == 1
        and (question.role is None or question.role.lower() in roles)
        and (question.result_role is None or question.result_role.lower() in others)
    )


def _same(one: str | None, other: str | None) -> bool:
    return one == other or (one is not None and other is not None and one.lower() == other.lower())


def _starts(link: Found, question: Question) -> bool:
    """Whether the object asked about is at the end that the question's Role names."""
    return any(
        path.instance_path(link.namespace).canonical == question.about
        and (question.role is None or role == question.role.lower())
        for role, path in link.ends()
    )


def _others(recording: Recording, links: list[Found], question: Question) -> list[Found]:
    """The objects at the other ends of links, each once."""
    found: dict[str, Found] = {}
    for link in links:
        ends = list(link.ends())
        for index, (role, path) in enumerate(ends):
            is_start = path.instance_path(link.namespace).canonical == question.about
            if not is_start or (question.role and role != question.role.lower()):
                continue
            for place, (other_role, other) in enumerate(ends):
                wanted = question.result_role
                if place != index and (wanted is None or other_role == wanted.lower()):
                    item = Found(other, link.namespace, recording.header.host)
                    found.setdefault(item.key, item)
    return recording.now(found.values())
