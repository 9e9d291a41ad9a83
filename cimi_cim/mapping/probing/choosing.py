"""Which shipped mapping fits a server: what it recognises counts first, then what it serves."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import Refusal, ServerFacts

BASE = "base"


def recognised(
    asker: Asker, facts: ServerFacts, shipped: Mapping[str, CompiledMapping]
) -> list[str]:
    """Return the names of the mappings whose `recognise` fits this server."""

    def has(classname: str, namespace: str) -> bool:
        answer = asker.instances(classname, namespace or facts.implementation)
        return not isinstance(answer, Refusal) and bool(answer)

    found = []
    for name, mapping in shipped.items():
        if mapping.recognise is None:
            continue
        classname, namespace = mapping.recognise
        if has(classname, namespace) and not any(has(other, namespace) for other in mapping.unfit):
            found.append(name)
    return found
