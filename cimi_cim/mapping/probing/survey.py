"""Puts the questions together: everything that can be found out before a mapping is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cimi_cim.errors import ProviderFailed
from cimi_cim.mapping.compiled import CompiledMapping, Relation, ResourceMapping, Way
from cimi_cim.mapping.probing.abilities import try_abilities
from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.associations import Link, look_at_associations
from cimi_cim.mapping.probing.facts import NamespaceFacts, ProfileFacts, ServerFacts
from cimi_cim.mapping.probing.jobs import find_jobs
from cimi_cim.mapping.probing.namespaces import find_namespaces
from cimi_cim.mapping.probing.profiles import find_profiles
from cimi_cim.mapping.probing.services import find_services
from cimi_cim.mapping.probing.software import recognise_software
from cimi_cim.mapping.probing.units import find_units
from cimi_cim.mapping.probing.words import words
from cimi_cim.schema.declarations import Schema


@dataclass(frozen=True, slots=True)
class Interest:
    """The classes and associations that mappings want to know of, without prefix rules."""

    classes: tuple[str, ...]
    links: tuple[Link, ...]
    namespaces: tuple[str, ...]
    profiles: tuple[str, ...]


def interest_of(mappings: Iterable[CompiledMapping]) -> Interest:
    """Return what some mappings together ask a server for."""
    classes: dict[str, None] = {}
    links: dict[Link, None] = {}
    namespaces: dict[str, None] = {}
    profiles: dict[str, None] = {}
    for mapping in mappings:
        for resource in mapping.resources.values():
            for relation in resource.relations.values():
                classes[relation.classname] = None
                if relation.way is Way.VIA:
                    links[_link(relation, resource, mapping)] = None
        for rule in mapping.namespaces.values():
            namespaces.update(dict.fromkeys(rule.candidates))
            profiles.update(dict.fromkeys(rule.profiles))
    return Interest(tuple(classes), tuple(links), tuple(namespaces), tuple(profiles))


def _link(relation: Relation, resource: ResourceMapping, mapping: CompiledMapping) -> Link:
    owner = mapping.resources.get(resource.parent or "")
    known = {**(owner.relations if owner is not None else {}), **resource.relations}
    source = known.get(relation.source or "")
    name = source.classname if source is not None else ""
    return Link(relation.association, relation.role, relation.result, name)


def survey(
    asker: Asker, url: str, interest: Interest, declared: Schema, said: str | None
) -> ServerFacts:
    """Return all facts. `said` is the namespace that the operator names, if any.

    Raises what is wrong where no WBEM server can be asked at all.
    """
    asker.greet(words()["interop"])
    interop, namespaces = find_namespaces(asker, interest.namespaces, said)
    if said and asker.lacks_namespace(said.strip("/")):
        raise _no_such_namespace(said, namespaces)
    by_name = {each.name.lower(): each for each in namespaces}
    lobby = by_name.get(interop.lower(), NamespaceFacts(interop))
    profiles = find_profiles(asker, lobby)
    if not said and not any(each.classes for each in namespaces):
        raise ProviderFailed(
            "the WBEM server answers, but lists no namespace, and has none of the usual ones; say"
            " where its managed objects are with --namespace",
            reason="namespace-not-found",
        )
    where = said.strip("/") if said else _implementation(namespaces, profiles, interop, interest)
    home = by_name.get(where.lower(), NamespaceFacts(where))
    present = present_classes(interest.classes, home)
    subjects = [(name, where) for name in present]
    subjects += [(name, interop) for name in lobby.named(words()["profiles"]["class"]) if interop]
    abilities = try_abilities(asker, subjects)
    return ServerFacts(
        url,
        interop,
        namespaces,
        profiles,
        where,
        find_services(asker, home, declared),
        look_at_associations(asker, _present_links(interest.links, home), home),
        abilities,
        recognise_software(asker, lobby, abilities),
        find_jobs(asker, home),
        find_units(asker, present, where),
        tuple(asker.timings),
    )


def _no_such_namespace(said: str, namespaces: Sequence[NamespaceFacts]) -> ProviderFailed:
    there = ", ".join(each.name for each in namespaces if each.classes)
    known = f"it has {there}" if there else "say another one"
    return ProviderFailed(
        f"--namespace {said}: the WBEM server has no such namespace; {known}",
        reason="namespace-not-found",
    )


def present_classes(names: Iterable[str], home: NamespaceFacts) -> list[str]:
    """Return those of some classes that a namespace has, or a vendor's under the same name."""
    return list(dict.fromkeys(found for name in names for found in home.named(name)))


def _present_links(links: Sequence[Link], home: NamespaceFacts) -> list[Link]:
    """The associations under the names that the server has for them and their sources."""
    found: list[Link] = []
    for link in links:
        names = present_classes([link.association], home) or [link.association]
        sources = present_classes([link.source], home) if link.source else []
        found += [Link(name, link.role, link.result, s) for name in names for s in sources]
    return found


def _implementation(
    namespaces: Sequence[NamespaceFacts],
    profiles: Sequence[ProfileFacts],
    interop: str,
    interest: Interest,
) -> str:
    """The namespace of the managed objects: by the profiles, else by its classes."""
    wanted = [name for each in interest.profiles for name in _centres(each, profiles)]
    for name in wanted:
        if name.lower() != interop.lower():
            return name
    suffixes = {name.partition("_")[2].lower() for name in interest.classes}

    def fits(each: NamespaceFacts) -> tuple[bool, int, int]:
        shared = [n for n in each.classes if n.partition("_")[2].lower() in suffixes]
        own = [n for n in each.classes if not n.startswith(("CIM_", "__"))]
        return each.name.lower() != interop.lower(), len(shared), len(own)

    best = max(namespaces, key=fits, default=None)
    return best.name if best is not None else words()["namespaces"][0]


def _centres(name: str, profiles: Sequence[ProfileFacts]) -> list[str]:
    return [ns for each in profiles if each.name == name for ns in each.namespaces]
