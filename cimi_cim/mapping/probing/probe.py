"""Probing from end to end: the facts, the mapping that fits, and what it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cimi_cim.config import TargetConfig
from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.open import connection_of
from cimi_cim.mapping.probing.asking import Asker, Tell
from cimi_cim.mapping.probing.choosing import BASE, is_for_a_vendor, recognised
from cimi_cim.mapping.probing.coverage import Coverage, cover
from cimi_cim.mapping.probing.facts import ServerFacts
from cimi_cim.mapping.probing.survey import interest_of, survey
from cimi_cim.mapping.source import shipped_mappings
from cimi_cim.model.types import Model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.inquiry import Inquiry


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it. `config` is the target as it should be configured."""

    facts: ServerFacts
    config: TargetConfig
    coverage: Coverage


@contextmanager
def asked(config: TargetConfig, tell: Tell, seconds: float) -> Iterator[Asker]:
    """Give what asks a target's server, as long as the context lasts."""
    settings = connection_of(config)
    asker = Asker(Inquiry(settings), WbemClient(settings, Dialect("")), seconds, tell)
    try:
        yield asker
    finally:
        asker.close()


def probe(
    asker: Asker, config: TargetConfig, namespace: str | None, model: Model, seconds: float
) -> Probed:
    """Find out what a server is like, and choose a shipped mapping for it.

    `config` says how to reach it; `namespace` is the one of the managed objects, where the
    operator knows it. Raises what is wrong where no WBEM server can be asked at all.
    """
    shipped = {name: load_mapping(name, model) for name in shipped_mappings()}
    interest = interest_of(shipped.values())
    facts = survey(asker, config.url, interest, shipped[BASE].schema, namespace)
    tried: list[Probed] = []
    for name in (*recognised(asker, facts, shipped), BASE):
        if name == BASE and any(
            each.coverage.score[0] and is_for_a_vendor(shipped[each.config.mapping])
            for each in tried
        ):
            continue  # who made an overlay for this very server knows it better
        target = fitted(config, facts, name, shipped[name])
        tried.append(Probed(facts, target, cover(asker, facts, target, model, seconds)))
    return max(tried, key=lambda each: each.coverage.score)


def fitted(
    config: TargetConfig, facts: ServerFacts, name: str, mapping: CompiledMapping
) -> TargetConfig:
    """Return a target with a mapping, a dialect, and the namespaces that the mapping cannot find.

    A namespace that the mapping itself fixes, or tries first, is not said again.
    """
    found = {"impl": facts.implementation, "interop": facts.interop}
    namespaces = {
        logical: real
        for logical, real in found.items()
        if real and not _finds(mapping, logical, real)
    }
    return replace(config, mapping=name, server=facts.software.dialect, namespaces=namespaces)


def _finds(mapping: CompiledMapping, logical: str, real: str) -> bool:
    rule = mapping.namespaces.get(logical)
    return rule is not None and not rule.profiles and real in rule.candidates
