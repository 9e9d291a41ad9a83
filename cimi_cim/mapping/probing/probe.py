"""Probing from end to end: the facts, the mapping that fits, and what it serves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cimi_cim.config import TargetConfig
from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.open import connection_of
from cimi_cim.mapping.probing.asking import Asker, Tell
from cimi_cim.mapping.probing.choosing import BASE, recognised
from cimi_cim.mapping.probing.coverage import Coverage, Standard, cover
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.facts import ServerFacts
from cimi_cim.mapping.probing.software import own_dialect
from cimi_cim.mapping.probing.survey import interest_of, survey
from cimi_cim.mapping.probing.trying import drafted, overlay_name, thin_draft, unfound
from cimi_cim.mapping.source import shipped_mappings
from cimi_cim.model.types import Model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.inquiry import Inquiry

_ESSENTIAL = frozenset({"name", "state", "cpu", "memory"})


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it.

    Args:
        facts: What the server is like.
        config: The target as it should be configured.
        coverage: What its mapping serves.
        draft: The overlay to begin with: of what `config` names, or that itself.
        is_drafted: Whether no shipped mapping fits, so that `config` names the draft.
        dialect: A dialect of the server's own, where no shipped one works; else None.
    """

    facts: ServerFacts
    config: TargetConfig
    coverage: Coverage
    draft: Draft
    is_drafted: bool = False
    dialect: str | None = None

    @property
    def server(self) -> str:
        """The name of the dialect."""
        return f"{self.draft.name}-server" if self.dialect is not None else self.config.server


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
    name = overlay_name(facts, config)
    own = own_dialect(facts.software, facts.abilities, f"{name}-server")
    standard = Standard(model, shipped[BASE])
    with _dialect(own, facts.software.dialect) as server:
        target = replace(config, server=server)
        tried = _tried(asker, facts, target, shipped, standard, seconds)
    best = max(tried, key=lambda each: each.coverage.score)
    return replace(best, dialect=own)


@contextmanager
def _dialect(own: str | None, name: str) -> Iterator[str]:
    """Give a dialect as a target names it: a shipped one, or the path of a file."""
    if own is None:
        yield name
        return
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "server.yaml"
        file.write_text(own, encoding="utf-8")
        yield str(file)


def _tried(
    asker: Asker, facts: ServerFacts, config: TargetConfig,
    shipped: Mapping[str, CompiledMapping], standard: Standard, seconds: float,
) -> list[Probed]:  # fmt: skip
    """Read with the mappings that may fit: those that recognise the server, base, drafts."""
    tried = [
        _shipped(asker, facts, config, name, shipped[name], standard, seconds)
        for name in recognised(asker, facts, shipped)
    ]
    if not any(is_complete(each.coverage) for each in tried):
        tried.append(_shipped(asker, facts, config, BASE, shipped[BASE], standard, seconds))
    if not any(is_complete(each.coverage) for each in tried) and not _serves(tried[:-1]):
        tried += [
            Probed(facts, target, coverage, draft, is_drafted=True)
            for draft, target, coverage in drafted(asker, facts, config, standard, seconds)
        ]
    return tried


def _serves(recognised: Sequence[Probed]) -> bool:
    """Whether a mapping that is made for this server has something to serve."""
    return any(each.coverage.score[0] for each in recognised)


def _shipped(
    asker: Asker, facts: ServerFacts, config: TargetConfig, name: str, mapping: CompiledMapping,
    standard: Standard, seconds: float,
) -> Probed:  # fmt: skip
    target = fitted(config, facts, name, mapping)
    own = thin_draft(overlay_name(facts, config), name, facts, mapping)
    return Probed(facts, target, cover(asker, facts, target, mapping, standard, seconds), own)


def fitted(
    config: TargetConfig, facts: ServerFacts, name: str, mapping: CompiledMapping
) -> TargetConfig:
    """Return a target with a shipped mapping, and the namespaces that it cannot find."""
    namespaces = unfound(facts, mapping)
    return replace(config, mapping=name, namespaces=namespaces)


def is_complete(coverage: Coverage) -> bool:
    """Whether machines are served with all that makes them machines."""
    known = {
        line.name: line.sample
        for line in coverage.lines
        if (line.resource, line.kind) == ("Machine", "attribute") and line.sample is not None
    }
    return known.keys() >= _ESSENTIAL and known["state"] != "ERROR"
