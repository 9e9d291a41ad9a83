"""Which server dialect fits: by what the server says of itself, held against what was tried."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import AbilityFacts, NamespaceFacts, Refusal, SoftwareFacts
from cimi_cim.mapping.probing.words import words
from cimi_cim.wbem.dialect import Dialect, load_dialect, shipped_dialects

FALLBACK = "generic"


def recognise_software(
    asker: Asker, interop: NamespaceFacts, abilities: AbilityFacts
) -> SoftwareFacts:
    """Return the dialect that fits, `generic` where none says that it does."""
    says = tuple(_says(asker, interop))
    known = {name: load_dialect(name) for name in shipped_dialects()}
    for where, text in says:
        for name, dialect in known.items():
            if dialect.recognise and re.search(dialect.recognise, text, re.IGNORECASE):
                return _held(name, dialect, f"{where} says {text!r}", abilities)
    heard = "; ".join(f"{where} says {text!r}" for where, text in says)
    fallback = known[FALLBACK]
    certainty = "a guess: no shipped dialect knows this server"
    if contradicts(fallback, abilities):
        certainty += f", and {contradicts(fallback, abilities)}"
    return SoftwareFacts(FALLBACK, certainty, heard or "it says nothing of itself")


def _held(name: str, dialect: Dialect, evidence: str, abilities: AbilityFacts) -> SoftwareFacts:
    wrong = contradicts(dialect, abilities)
    sure = "recognised, and what was tried fits" if not wrong else f"recognised, but {wrong}"
    if "unknown" in (abilities.pulls, abilities.property_lists):
        sure = "recognised; not all could be tried"
    return SoftwareFacts(name, sure, evidence)


def contradicts(dialect: Dialect, abilities: AbilityFacts) -> str:
    """Return what the dialect relies on and the server does not do; empty if nothing."""
    if _fails_to_pull(dialect, abilities):
        return f"pull operations are {abilities.pulls}"
    if dialect.property_list and abilities.property_lists in ("ignored", "refused"):
        return f"property lists are {abilities.property_lists}"
    return ""


def own_dialect(software: SoftwareFacts, abilities: AbilityFacts, name: str) -> str | None:
    """Return a dialect of the server's own, where the one that fits best would fail; else None.

    Property lists that are ignored do no harm.
    """
    known = load_dialect(software.dialect)
    refuses_lists = known.property_list and abilities.property_lists == "refused"
    if not refuses_lists and not _fails_to_pull(known, abilities):
        return None
    wrong = contradicts(known, abilities)
    lines = [
        f"# Drafted by `cimi-cim probe`: as {software.dialect}, but {wrong}.",
        f"name: {name}",
        f"embed: {known.embed}  # not tried: only a write could tell",
        f"pull: {_word(known.pull and abilities.pulls == 'works')}",
        f"property_list: {_word(abilities.property_lists in ('honoured', 'ignored'))}",
    ]
    return "\n".join(lines) + "\n"


def _fails_to_pull(dialect: Dialect, abilities: AbilityFacts) -> bool:
    return dialect.pull and abilities.pulls not in ("works", "unknown")


def _word(value: bool) -> str:
    return "true" if value else "false"


def _says(asker: Asker, interop: NamespaceFacts) -> Iterator[tuple[str, str]]:
    """Who says what: the object manager first, then HTTP, then vendors' classes."""
    managers = words()["managers"] if interop.name else ()
    for classname in [name for each in managers for name in interop.named(each)]:
        found = asker.instances(classname, interop.name)
        for _, instance in [] if isinstance(found, Refusal) else found:
            texts = [instance.values.get(word) for word in words()["manager_words"]]
            yield f"its {instance.classname}", " ".join(t for t in texts if isinstance(t, str))
    if asker.software:
        yield "its HTTP server", asker.software
    yield from _prefixes(interop.classes)


def _prefixes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen = sorted({name.partition("_")[0] for name in names if "_" in name})
    if seen:
        yield "the interop namespace by its classes", " ".join(f"{prefix}_" for prefix in seen)


def embed_of(software: SoftwareFacts) -> str:
    """Return how the dialect sends embedded instances; only a write could tell whether rightly."""
    return load_dialect(software.dialect).embed
