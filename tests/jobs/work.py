"""Bodies for tests: what they do is done by a recorder, outside of the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimi_cim.errors import ConflictError
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.service.jobs.bodies import Child, JobContext, Kinds
from cimi_cim.service.jobs.records import Work
from tests.jobs.recorder import ask

TARGET = "machines/lab:1"


def call(context: JobContext, port: int, line: str) -> Outcome:
    """Have the recorder do something, once."""
    name = line[1:]

    def find_out(_: Intent) -> Outcome | None:
        standing = ask(port, f"?{name}") != "0"
        is_done = standing if line.startswith("+") else not standing
        return Outcome(0, was_found_out=True) if is_done else None

    return context.journal.call(
        lambda: Intent(line, "recorder", "Recorder.Do", name),
        line,
        lambda: Outcome(0, out={"said": ask(port, line)}),
        find_out,
    )


def calls(context: JobContext, arguments: Mapping[str, Any]) -> None:
    """Do several things; with `undo` each is undone on failure, with `fail` it fails at the end."""
    port, names = arguments["port"], arguments["names"]
    for number, name in enumerate(names):
        if arguments.get("undo"):
            context.undo(name, "uncall", {"port": port, "name": name}, f"undo {name}")
        call(context, port, f"+{name}")
        context.progress(100 * (number + 1) // len(names), f"did {name}")
        if arguments.get("pause"):
            context.sleep(arguments["pause"])
    if arguments.get("fail"):
        raise ConflictError(arguments["fail"], reason="made-to-fail")


def uncall(context: JobContext, arguments: Mapping[str, Any]) -> None:
    """Undo something, if it was done."""
    if ask(arguments["port"], f"?{arguments['name']}") != "0":
        call(context, arguments["port"], f"-{arguments['name']}")


def nest(context: JobContext, arguments: Mapping[str, Any]) -> None:
    """Have nested Jobs do things: `children` are arguments of each, by its name."""
    context.nested(
        [
            Child(name, inner.get("kind", "calls"), Work("start", TARGET), inner)
            for name, inner in arguments["children"].items()
        ]
    )
    if arguments.get("fail"):
        raise ConflictError(arguments["fail"], reason="made-to-fail")


def make_kinds() -> Kinds:
    """Return the bodies of this module by kind."""
    kinds = Kinds()
    kinds.register("calls", calls)
    kinds.register("unstoppable", calls, can_stop=False)
    kinds.register("uncall", uncall, can_stop=False)
    kinds.register("nest", nest)
    return kinds
