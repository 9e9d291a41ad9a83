"""Tries drafts on the server that they were made for, and leaves out what it does not bear."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cimi_cim.config import TargetConfig
from cimi_cim.errors import ConfigError
from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.choosing import BASE
from cimi_cim.mapping.probing.coverage import Coverage, Standard, cover
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.drafting import Drafter
from cimi_cim.mapping.probing.facts import ServerFacts
from cimi_cim.mapping.probing.repairing import repair
from cimi_cim.mapping.probing.resolving import vendor_prefix
from cimi_cim.mapping.probing.writing import NAME, files_of, write_files
from cimi_cim.mapping.problems import Problems
from cimi_cim.mapping.source import find_mapping, read_source, shipped_mappings

_ROUNDS = 4


def drafted(
    asker: Asker, facts: ServerFacts, config: TargetConfig, standard: Standard, seconds: float
) -> Iterator[tuple[Draft, TargetConfig, Coverage]]:
    """Yield drafts with what each serves: DMTF's classes first, then a vendor's first."""
    source = read_source(find_mapping(BASE), Problems())
    if source is None:
        raise ConfigError("the base mapping cannot be read; install the program again")
    seen: set[str] = set()
    for vendor_first in (False, True):
        drafter = Drafter(asker, facts, source.root, vendor_first=vendor_first)
        draft = drafter.draft(overlay_name(facts, config), BASE)
        if draft.text() in seen:
            continue
        seen.add(draft.text())
        found = _tried(asker, facts, config, draft, standard, seconds)
        if found is not None:
            yield found


def _tried(
    asker: Asker, facts: ServerFacts, config: TargetConfig, draft: Draft, standard: Standard,
    seconds: float,
) -> tuple[Draft, TargetConfig, Coverage] | None:  # fmt: skip
    """Read with a draft, and drop what cannot be read, until all of it can."""
    with _folder(draft) as folder:
        file = folder / f"{draft.name}.yaml"
        target = replace(config, mapping=file.name, beside=folder, namespaces={})
        for _ in range(_ROUNDS):
            mapping = repair(draft, file, standard.model)
            if mapping is None:
                return None
            coverage = cover(asker, facts, target, mapping, standard, seconds)
            if not _drop_unreadable(draft, coverage):
                return draft, replace(target, beside=config.beside), coverage
    return None


@contextmanager
def _folder(draft: Draft) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        write_files(Path(scratch), files_of(draft), force=True)
        yield Path(scratch)


def _drop_unreadable(draft: Draft, coverage: Coverage) -> bool:
    """Drop what the server refuses to give, with what it said; False if there is nothing."""
    found = False
    for line in coverage.lines:
        if not line.trouble:
            continue
        here = ("resources", line.resource)
        path = here if line.kind == "resource" else (*here, f"{line.kind}s", line.name)
        draft.put(path, {"drop": True}, line.trouble)
        found = True
    return found


def thin_draft(name: str, extends: str, facts: ServerFacts, mapping: CompiledMapping) -> Draft:
    """Return an overlay of a shipped mapping that fits: only what differs on this server."""
    draft = Draft(name, {"language": 1, "name": name, "extends": extends})
    draft.notes.append(
        f"Drafted by `cimi-cim probe`: an overlay of {extends}, for what you want otherwise."
    )
    namespaces = unfound(facts, mapping)
    if namespaces:
        draft.put(("namespaces",), namespaces)
    walked = [a.classname for a in facts.associations if a.behaviour == "walk-only"]
    if walked and mapping.are_associations_enumerable:
        draft.put(("associations",), "walk-only", "they enumerate to nothing")
    return draft


def unfound(facts: ServerFacts, mapping: CompiledMapping) -> dict[str, str]:
    """Return the real namespaces by logical name, but those that the mapping itself fixes."""
    found = {"impl": facts.implementation, "interop": facts.interop}
    return {name: real for name, real in found.items() if real and not _fixes(mapping, name, real)}


def _fixes(mapping: CompiledMapping, logical: str, real: str) -> bool:
    rule = mapping.namespaces.get(logical)
    return rule is not None and not rule.profiles and real in rule.candidates


def overlay_name(facts: ServerFacts, config: TargetConfig) -> str:
    """Return a name for an overlay: the vendor's, by its classes, else the target's."""
    vendor = vendor_prefix(facts).removesuffix("_").lower()
    common = next((each for each in (vendor, config.alias) if NAME.fullmatch(each)), "server")
    return common if common not in shipped_mappings() else f"{common}-own"
