"""What can be seen of the provider's jobs without starting one."""

from __future__ import annotations

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import JobFacts, NamespaceFacts, Refusal
from cimi_cim.mapping.probing.words import words


def find_jobs(asker: Asker, namespace: NamespaceFacts) -> JobFacts | None:
    """Return what its jobs look like; None where the server has no such class."""
    rule = words()["jobs"]
    name = next(iter(namespace.named(rule["class"])), rule["class"])
    found = asker.instances(name, namespace.name)
    if isinstance(found, Refusal):
        return None
    values = [instance.values for _, instance in found]
    states = {state for each in values if isinstance(state := each.get(rule["state"]), int)}
    return JobFacts(
        found[0][0].classname if found else name,
        len(found),
        tuple(sorted(states)),
        any(each.get(rule["progress"]) is not None for each in values),
        any(each.get(rule["error"]) is not None for each in values),
    )
