"""Which namespaces are there, which of them is the interop namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import NamespaceFacts, Refusal
from cimi_cim.mapping.probing.words import words


def find_namespaces(
    asker: Asker, also: Iterable[str], said: str | None
) -> tuple[str, tuple[NamespaceFacts, ...]]:
    """Return the interop namespace ("" for none) and all namespaces that exist.

    `also` are namespaces that shipped mappings know; `said` is one that the operator
    names. Where the server lists its namespaces, only those and `said` are asked for.
    """
    known: dict[str, NamespaceFacts] = {}
    interop = ""
    listed: list[str] = []
    for candidate in words()["interop"]:
        facts = _look(asker, candidate)
        if facts is None:
            continue
        known[candidate.lower()] = facts
        found = list(_listed(asker, facts))
        if found or not interop:
            interop = candidate
        if found:
            listed = found
            break
    others = listed or [*also, *words()["namespaces"]]
    for name in ([said] if said else []) + others:
        plain = name.strip("/")
        if plain.lower() not in known:
            facts = _look(asker, plain, is_sure=bool(listed) or name == said)
            if facts is not None:
                known[plain.lower()] = facts
    return interop, tuple(known.values())


def _look(asker: Asker, name: str, *, is_sure: bool = False) -> NamespaceFacts | None:
    """A namespace with its classes; None if it is not there, or may as well not be."""
    names = asker.class_names(name)
    if isinstance(names, Refusal):
        return NamespaceFacts(name, (), names.text) if is_sure else None
    if not names and not is_sure:
        return None
    return NamespaceFacts(name, tuple(names))


def _listed(asker: Asker, interop: NamespaceFacts) -> Iterator[str]:
    """The namespaces that the interop namespace lists."""
    for listing in words()["listings"]:
        names: set[str] = set()
        for classname in interop.named(listing["class"]):
            found = asker.instances(classname, interop.name)
            values = [] if isinstance(found, Refusal) else [i.values for _, i in found]
            names |= {str(n).strip("/") for v in values if (n := v.get(listing["property"]))}
        if names:
            yield from sorted(names)
            return
