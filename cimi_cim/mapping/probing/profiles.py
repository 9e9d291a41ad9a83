"""Which profiles the server says it follows, and what is central to them (DSP1033)."""

from __future__ import annotations

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import ProfileFacts, Refusal
from cimi_cim.mapping.probing.words import words
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath


def find_profiles(asker: Asker, interop: str) -> tuple[ProfileFacts, ...]:
    """Return the registered profiles, in the order of their names; none without interop."""
    if not interop:
        return ()
    found = asker.instances(words()["profiles"]["class"], interop)
    if isinstance(found, Refusal):
        return ()
    facts = [_profile(asker, path, instance) for path, instance in found]
    return tuple(sorted(facts, key=lambda each: (each.name, each.version)))


def _profile(asker: Asker, path: InstancePath, instance: EmbeddedInstance) -> ProfileFacts:
    rule = words()["profiles"]
    said = {name.lower(): value for name, value in instance.values.items()}
    organization = said.get("otherregisteredorganization") or said.get("registeredorganization")
    central = asker.walk(path, rule["via"], rule["role"], rule["result"])
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
