"""Which profiles the server says it follows, and what is central to them (DSP1033)."""

from __future__ import annotations

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import NamespaceFacts, ProfileFacts, Refusal
from cimi_cim.mapping.probing.words import words
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath


def find_profiles(asker: Asker, interop: NamespaceFacts) -> tuple[ProfileFacts, ...]:
    """Return the registered profiles, in the order of their names; none without interop."""
    rule = words()["profiles"]
    facts: dict[InstancePath, ProfileFacts] = {}
    via = next(iter(interop.named(rule["via"])), rule["via"])
    for classname in interop.named(rule["class"]) if interop.name else ():
        found = asker.instances(classname, interop.name)
        for path, instance in [] if isinstance(found, Refusal) else found:
            facts[path] = _profile(asker, path, instance, via)
    return tuple(sorted(facts.values(), key=lambda each: (each.name, each.version)))


def _profile(
    asker: Asker, path: InstancePath, instance: EmbeddedInstance, via: str
) -> ProfileFacts:
    rule = words()["profiles"]
    said = {name.lower(): value for name, value in instance.values.items()}
    organization = said.get("otherregisteredorganization") or said.get("registeredorganization")
    central = asker.walk(path, via, rule["role"], rule["result"])
    is_refused = isinstance(central, Refusal)
    ends = [] if isinstance(central, Refusal) else central
    return ProfileFacts(
        str(said.get("registeredname") or ""),
        str(said.get("registeredversion") or ""),
        str(organization or ""),
        tuple(sorted({end.classname for end in ends})),
        tuple(sorted({end.namespace for end in ends})),
        central.text if is_refused and isinstance(central, Refusal) else "",
    )
