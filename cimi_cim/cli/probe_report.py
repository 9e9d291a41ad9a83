"""What probing found out, as JSON for programs and as tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cimi_cim.mapping.probing.coverage import Line
from cimi_cim.mapping.probing.facts import ServerFacts
from cimi_cim.mapping.probing.probe import Probed
from cimi_cim.mapping.probing.software import embed_of
from cimi_cim.mapping.probing.writing import CONFIGURATION, stanza

_MOST = 60  # characters of a value that are shown
_SLOWEST = 8


def as_json(probed: Probed, written: dict[str, str] | None = None) -> dict[str, Any]:
    """Return all of it as plain data; `coverage` is a list of `coverage.Line`.

    `mapping` is the name of a shipped one, or that of the draft where `drafted` is true;
    `files` are those written, by path.
    """
    facts, config = probed.facts, probed.config
    return {
        "url": facts.url,
        "mapping": probed.draft.name if probed.is_drafted else config.mapping,
        "drafted": probed.is_drafted,
        "server": probed.server,
        "namespace": facts.implementation,
        "interop": facts.interop or None,
        "dialect": {**asdict(facts.software), "embed": embed_of(facts.software)},
        "abilities": asdict(facts.abilities),
        "namespaces": [
            {"name": each.name, "classes": len(each.classes), "refusal": each.refusal}
            for each in facts.namespaces
        ],
        "classes": list(facts.classes(facts.implementation).classes),
        "profiles": [asdict(each) for each in facts.profiles],
        "services": [_plain(asdict(each)) for each in facts.services],
        "associations": [asdict(each) for each in facts.associations],
        "jobs": None if facts.jobs is None else asdict(facts.jobs),
        "units": [asdict(each) for each in facts.units],
        "timings": [asdict(each) for each in facts.timings],
        "overlay": probed.draft.text(),
        "configuration": _stanza(probed),
        "files": written or {},
        "coverage": [asdict(line) for line in probed.coverage.lines],
    }


def _plain(value: Any) -> Any:
    """CIM values as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def print_report(probed: Probed, console: Console) -> None:
    """Print all of it."""
    facts = probed.facts
    _print_server(facts, console)
    _print_profiles(facts, console)
    _print_behaviour(facts, console)
    _print_choice(probed, console)
    print_coverage(probed.coverage.lines, console)


def print_files(probed: Probed, written: dict[str, str] | None, console: Console) -> None:
    """Print what was written, or else what to put into a configuration."""
    console.print()
    if written is None:
        console.print(Text(_stanza(probed), end=""))
        if probed.is_drafted:
            console.print("The draft is written with --out FOLDER.")
        return
    for path, what in written.items():
        console.print(Text(f"{what}: {path}"), soft_wrap=True)
    folder = next(iter(written)).rpartition("/")[0] or "."
    console.print(Text(f"cimi-cim serve --config {folder}/{CONFIGURATION}"), soft_wrap=True)


def _stanza(probed: Probed) -> str:
    server = f"{probed.server}.yaml" if probed.dialect is not None else probed.server
    return stanza(replace(probed.config, server=server), _mapping(probed))


def _mapping(probed: Probed) -> str:
    """What a configuration says: a shipped mapping, or the file of the draft."""
    return f"{probed.draft.name}.yaml" if probed.is_drafted else probed.config.mapping


def _print_choice(probed: Probed, console: Console) -> None:
    table = _table("target", probed.config.alias)
    how = "a draft: no shipped mapping fits" if probed.is_drafted else "shipped"
    _row(table, "mapping", f"{probed.config.mapping.removesuffix('.yaml')} ({how})")
    _row(table, "server", probed.server)
    _print(table, console)


def _print_server(facts: ServerFacts, console: Console) -> None:
    table = _table("server", facts.url)
    software = facts.software
    _row(table, "software", f"{software.evidence}")
    _row(table, "dialect", f"{software.dialect} ({software.certainty})")
    why = f" ({facts.abilities.why})" if facts.abilities.why else ""
    _row(table, "pull operations", facts.abilities.pulls + why)
    _row(table, "property lists", facts.abilities.property_lists)
    _row(
        table,
        "embedded instances",
        f"{embed_of(software)} (by the dialect: only a write could tell)",
    )
    _row(table, "interop namespace", facts.interop or "none found")
    _row(table, "managed objects in", facts.implementation)
    for each in facts.namespaces:
        _row(table, "namespace", f"{each.name}: {each.refusal or f'{len(each.classes)} classes'}")
    _print(table, console)


def _print_profiles(facts: ServerFacts, console: Console) -> None:
    if facts.profiles:
        table = _table("profile", "version", "central instances")
        for profile in facts.profiles:
            central = ", ".join(profile.central) or ("not told" if profile.refusal else "none")
            _row(table, profile.name, profile.version, central)
        _print(table, console)
    if facts.services:
        table = _table("service", "methods", "its capabilities say")
        for service in facts.services:
            said = [f"{n}={v}" for each in service.capabilities.values() for n, v in each.items()]
            methods = ", ".join(service.methods)
            _row(table, service.classname, f"{methods} (by {service.declared_by})", " ".join(said))
        _print(table, console)


def _print_behaviour(facts: ServerFacts, console: Console) -> None:
    if facts.associations:
        table = _table("association", "behaviour", "why")
        for link in facts.associations:
            _row(table, link.classname, link.behaviour, _short(link.why))
        _print(table, console)
    table = _table("seen", "what")
    jobs = facts.jobs
    if jobs is not None:
        states = ", ".join(str(state) for state in jobs.states) or "none"
        _row(table, "jobs", f"{jobs.count} of {jobs.classname}, in the states {states}")
    for unit in facts.units:
        note = "" if unit.is_read else " (the bridge cannot read it)"
        _row(table, "unit", f"{unit.classname}.{unit.property}: {unit.spelling}{note}")
    for time in sorted(facts.timings, key=lambda t: -t.milliseconds)[:_SLOWEST]:
        cost = f"{time.rows} in {time.milliseconds:g} ms, {time.rows_per_second:g} a second"
        _row(table, "time", f"{time.classname}: {cost}")
    _print(table, console)


def print_coverage(lines: Iterable[Line], console: Console) -> None:
    """A table of what is served and what is not; what nobody maps is one line per resource."""
    table = _table("resource", "", "served", "from", "value, or why not")
    unmapped: dict[str, list[str]] = {}
    for line in lines:
        if not line.served and not line.source and line.kind != "resource":
            unmapped.setdefault(f"{line.resource}: {line.why}", []).append(line.name)
            continue
        name = "" if line.kind == "resource" else line.name
        style = "" if line.served else "dim"
        _row(
            table, line.resource, name + ("()" if line.kind == "operation" else ""),
            "yes" if line.served else "no", _from(line.source), _said(line), style=style,
        )  # fmt: skip
    _print(table, console)
    for why, names in unmapped.items():
        resource, _, rest = why.partition(": ")
        console.print(Text(f"{resource} without {', '.join(names)}: {rest}"))


def _said(line: Line) -> str:
    if line.sample is None:
        return _short(line.why)
    value = line.sample if isinstance(line.sample, str) else json.dumps(line.sample)
    if line.kind == "resource":
        value = f"{value} found"
    return _short(value) + (f" ({_short(line.why)})" if line.why else "")


def _short(text: str) -> str:
    return text if len(text) <= _MOST * 2 else f"{text[: _MOST * 2 - 3]}..."


def _from(source: str) -> str:
    """Where a value comes from, each class named once."""
    by_class: dict[str, list[str]] = {}
    for part in source.split(", "):
        classname, _, name = part.partition(".")
        by_class.setdefault(classname, []).append(name)
    named = [f"{c}.{', '.join(n)}" if n[0] else c for c, n in by_class.items()]
    return _short("; ".join(named))


def _table(*heads: str) -> Table:
    table = Table(box=None, show_edge=False, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _row(table: Table, *cells: str, style: str = "") -> None:
    """Add a row; what a server says is text, and neither markup nor control of a terminal."""
    shown = ("".join(c if c.isprintable() or c == " " else "?" for c in cell) for cell in cells)
    table.add_row(*(Text(cell) for cell in shown), style=style)


def _print(table: Table, console: Console) -> None:
    console.print(table)
    console.print()
