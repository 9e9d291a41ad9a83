"""Whether association classes enumerate, or can only be walked.

Some servers answer an empty list, without an error, for every association class: an empty
answer is held against walks from real instances before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import AssociationFacts, NamespaceFacts, Refusal
from cimi_cim.wbem.values import InstancePath

_SOURCES = 4  # of each class, to walk from


@dataclass(frozen=True, slots=True)
class Link:
    """An association as a mapping uses it: walked from instances of `source`."""

    association: str
    role: str
    result: str
    source: str


def look_at_associations(
    asker: Asker, links: Iterable[Link], namespace: NamespaceFacts
) -> tuple[AssociationFacts, ...]:
    """Return how each association class behaves, in the order in which they come."""
    by_class: dict[str, list[Link]] = {}
    for link in links:
        by_class.setdefault(link.association, []).append(link)
    return tuple(_look(asker, name, uses, namespace) for name, uses in by_class.items())


def _look(
    asker: Asker, name: str, uses: Sequence[Link], namespace: NamespaceFacts
) -> AssociationFacts:
    if namespace.classes and not namespace.has(name):
        return AssociationFacts(name, "absent", f"{namespace.name} has no such class")
    listed = asker.instances(name, namespace.name)
    if not isinstance(listed, Refusal) and listed:
        return AssociationFacts(name, "enumerable", f"{len(listed)} instances")
    why = listed.text if isinstance(listed, Refusal) else "it enumerates to nothing"
    refusals: list[str] = []
    has_walked = False
    for use in uses:
        for path in _sources(asker, use.source, namespace.name):
            ends = asker.walk(path, name, use.role, use.result)
            if isinstance(ends, Refusal):
                refusals.append(ends.text)
                continue
            has_walked = True
            if ends:
                return AssociationFacts(
                    name, "walk-only", f"{why}; a walk from {path.classname} finds {len(ends)}"
                )
    if has_walked and not isinstance(listed, Refusal):
        return AssociationFacts(name, "empty", "neither enumeration nor walks find anything")
    return AssociationFacts(name, "unknown", refusals[0] if refusals else why)


def _sources(asker: Asker, classname: str, namespace: str) -> list[InstancePath]:
    """Some instances of every class, from all over."""
    found = asker.instances(classname, namespace)
    by_class: dict[str, list[InstancePath]] = {}
    for path, _ in [] if isinstance(found, Refusal) else found:
        by_class.setdefault(path.classname, []).append(path)
    return [p for paths in by_class.values() for p in paths[:: -(-len(paths) // _SOURCES)]]
