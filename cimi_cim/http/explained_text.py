"""An explanation as text for people."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH = 110
NUMBER_WIDTH = 7
LONGEST_VALUE = 60
_ABSENT = "absent"


def text_of(document: Mapping[str, Any]) -> str:
    """Return the document of an explanation as plain text."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False)
    console.print(rendered(document))
    file = console.file
    text = file.getvalue() if isinstance(file, io.StringIO) else ""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def rendered(document: Mapping[str, Any]) -> RenderableType:
    """Return the document of an explanation as a console shows it."""
    return Group(*_parts(document))


def _parts(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    request, answer = document["request"], document["answer"]
    yield Text(f"{request['method']} {request['uri']}", style="bold")
    yield Text(f"CIMI {request['version']}; leads to {request['leadsTo']}")
    said = f"{answer['status']}, in {document['elapsedMs']:.1f} ms"
    if "message" in answer:
        said += f": {answer['message']} ({answer['reason']})"
    yield Text(said, style="red" if "message" in answer else "green")
    yield from (Text(f"note: {note}") for note in document["notes"])
    for plan in document["plans"]:
        yield from _plan(plan)
    if document["operations"]:
        yield from _operations(document["operations"])
    if document["store"]:
        yield _title("Store, not changed:")
        yield from (_indented(change, 2) for change in document["store"])
    for job in document["jobs"]:
        yield from _job(job)
    for call in document["calls"]:
        yield from _call(call)
    for resource in document["resources"]:
        yield from _resource(resource)


def _title(text: str) -> RenderableType:
    return Text(f"\n{text}", style="bold")


def _plan(plan: Mapping[str, Any]) -> Iterator[RenderableType]:
    layers = " < ".join(plan["layers"])
    yield _title(f"Plan: {plan['type']} on {plan['server']}, {plan['mode']}; mapping {layers}")
    if "start" in plan:
        yield _indented(f"from {plan['start']}", 2)
    if "rows" in plan:
        made = f", of which {plan['resources']} are resources" if plan["mode"] == "batch" else ""
        yield _indented(f"{plan['rows']} found{made}", 2)
    lines = Table.grid(padding=(0, 2))
    for relation in plan["relations"]:
        said = Text(f"{relation['class']}: {relation['way']}, {relation['why']}")
        if relation["properties"]:
            said.append(f"\n{' '.join(relation['properties'])}", style="dim")
        lines.add_row(Text(relation["alias"], style="bold"), said)
    yield Padding(lines, (0, 0, 0, 2))


def _operations(operations: list[Mapping[str, Any]]) -> Iterator[RenderableType]:
    received = sum(one["receivedBytes"] for one in operations)
    yield _title(f"Operations: {len(operations)}, {received} bytes received")
    table = _table("at ms", "took ms", "bytes", "rows", "operation", right=4)
    for one in operations:
        said = Text(f"{one['operation']} {one['on']}", style="red" if "error" in one else "")
        if "reads" in one:
            said.append(f"\nfor {', '.join(one['reads'])}", style="bold")
        if one.get("filters"):
            said.append(f"\n{' '.join(f'{k}={v}' for k, v in one['filters'].items())}")
        if one.get("properties") is not None:
            said.append(f"\nPropertyList: {' '.join(one['properties']) or '(none: paths only)'}")
        if len(one["messages"]) > 1 or sum(one["messages"].values()) > 1:
            sent = (f"{number} {name}" for name, number in one["messages"].items())
            said.append(f"\nsent as {', '.join(sent)}")
        if "error" in one:
            said.append(f"\n{one['error']}")
        table.add_row(
            f"{one['beganMs']:.1f}",
            f"{one['elapsedMs']:.1f}",
            str(one["receivedBytes"]),
            str(one.get("rows", "-")),
            said,
        )
    yield Padding(table, (0, 0, 0, 2))


def _call(call: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield _title(f"Call, not sent: {call['method']} at {call['server']}")
    yield _indented(call["on"], 2)
    for name, value in call["parameters"].items():
        for line in _lines(name, value):
            deep = len(line) - len(line.lstrip())
            yield _indented(line.lstrip(), 2 + deep)


def _lines(name: str, value: Any) -> Iterator[str]:
    """A parameter with embedded instances, a property a line."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _lines(f"{name}[{number}]", item)
    elif isinstance(value, Mapping):
        yield f"{name}: {value.get('class', '')}"
        for key, inner in value.items():
            if key != "class":
                yield from (f"  {line}" for line in _lines(key, inner))
    else:
        yield f"{name} = {value if isinstance(value, str) else json.dumps(value)}"


def _job(job: Mapping[str, Any], deep: int = 0) -> Iterator[RenderableType]:
    yield Text("")
    yield _indented(f"Job, not begun: {job['action']} on {job['target']}", deep, "bold")
    for number, intent in enumerate(job["intents"], 1):
        yield _indented(f"{number}. {intent['method']} at {intent['server']}", deep + 2)
        yield _indented(intent["on"], deep + 5)
        if "token" in intent:
            yield _indented(f"what it makes carries the token {intent['token']}", deep + 5)
    for what in job.get("undo", ()):
        yield _indented(f"if it fails: {what}", deep + 2)
    for inner in job.get("nested", ()):
        yield from _job(inner, deep + 2)
    for what in job.get("then", ()):
        yield _indented(what, deep + 2)
    if "error" in job:
        yield _indented(f"it would fail: {job['error']}", deep + 2, "red")


def _indented(text: str, deep: int, style: str = "") -> RenderableType:
    """A text all of whose lines begin in the same column."""
    return Padding(Text(text, style=style, overflow="fold"), (0, 0, 0, deep))


def _resource(resource: Mapping[str, Any]) -> Iterator[RenderableType]:
    where = f", from {resource['server']}" if "server" in resource else ""
    yield _title(f"{resource['type']} {resource['id']}{where}")
    rows = _rows(resource)
    if rows:
        lines = Table.grid(padding=(0, 2))
        for instance, label in rows.items():
            lines.add_row(Text(label, style="cyan"), Text(instance, style="dim", overflow="fold"))
        yield Padding(lines, (0, 0, 0, 2))
    for name, told in resource["attributes"].items():
        yield Padding(_attribute(name, told, rows), (0, 0, 0, 2))
    reasons: dict[str, list[str]] = {}
    for name, why in resource.get("absent", {}).items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield _indented(f"not there, as {why}: {', '.join(names)}", 2)
    for name, why in resource.get("operations", {}).items():
        yield Padding(Text(name, style="bold").append(f": {why}", style="not bold"), (0, 0, 0, 2))


def _rows(resource: Mapping[str, Any]) -> dict[str, str]:
    """Short names of the instances that values were read from: their aliases, numbered."""
    reads = [read for told in resource["attributes"].values() for read in told.get("reads", ())]
    of_alias: dict[str, list[str]] = {}
    for read in reads:
        known = of_alias.setdefault(_alias(read), [])
        if read["instance"] not in known:
            known.append(read["instance"])
    names: dict[str, str] = {}
    for alias, instances in of_alias.items():
        for number, instance in enumerate(instances, 1):
            name = alias if len(instances) == 1 else f"{alias}[{number}]"
            names[instance] = f"{names[instance]}, {name}" if instance in names else name
    return names


def _alias(read: Mapping[str, Any]) -> str:
    return str(read["property"].partition(".")[0])


def _attribute(name: str, told: Mapping[str, Any], rows: Mapping[str, str]) -> RenderableType:
    """An attribute with its value, where that comes from, raw values and steps."""
    value = _shown(told["value"]) if "value" in told else _ABSENT
    where = f", {told['where']}" if "where" in told else ""
    said = Text(name, style="bold").append(f" = {value}", style="not bold")
    said.append(f"   {told['source']}{where}", style="not bold dim")
    reads, steps = told.get("reads", []), told.get("steps", [])
    lines = [Text(_read(read, rows), style="cyan") for read in reads]
    is_plain = len(reads) == 1 and [s["said"] for s in steps[:1]] == [reads[0]["property"]]
    for step in steps[1:] if is_plain else steps:
        result = _ABSENT if step["value"] is None else _shown(step["value"])
        lines.append(Text(f"{step['kind']} {step['said']} -> {result}"))
    return Group(said, *(Padding(line, (0, 0, 0, 4)) for line in lines))


def _read(read: Mapping[str, Any], rows: Mapping[str, str]) -> str:
    """A raw value; which of several rows of an alias it is of."""
    alias, _, name = read["property"].partition(".")
    labels = rows[read["instance"]].split(", ")
    label = next((one for one in labels if one.partition("[")[0] == alias), alias)
    value = _ABSENT if read["value"] is None else _shown(read["value"])
    return f"{label}.{name} = {value}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and list(value) == ["href"]:
        return str(value["href"])
    return _cut(value if isinstance(value, str) else json.dumps(value))


def _cut(text: str) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 3]}..."


def _table(*names: str, right: int = 0) -> Table:
    """A table without lines; the first `right` columns hold numbers, of a steady width."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    for number, name in enumerate(names):
        if number < right:
            table.add_column(name, justify="right", min_width=NUMBER_WIDTH)
        else:
            table.add_column(name, overflow="fold")
    return table
