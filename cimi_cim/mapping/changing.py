"""Writes changed attributes back to one WBEM server, as the mapping says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cimi_cim.errors import ConflictError
from cimi_cim.mapping.acting import Subject
from cimi_cim.mapping.calling import Caller, CallPlan, never_sent_again
from cimi_cim.mapping.compiled import AttributeMapping, Write, Writer
from cimi_cim.mapping.execution import rows_of
from cimi_cim.mapping.items import state_of
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.mapping.meanings import Meaning, error_of
from cimi_cim.mapping.run import Run
from cimi_cim.mapping.templates import CallContext, Variables, arguments, typed
from cimi_cim.mapping.wbem_uri import uri_of
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row


@dataclass(frozen=True, slots=True)
class _Change:
    """A changed property of one row: its name there, its CIM type, its new value."""

    row: Row
    property: str
    type: str
    value: Any


class Changer:
    """Writes changed attributes back, each writer with one call, in the mapping's order."""

    def __init__(self, subject: Subject, values: Mapping[str, Any], run: Run) -> None:
        self._subject = subject
        self._target = subject.target
        self._values = values
        self._run = run
        self._caller = Caller(subject.target, subject.resource.faults, run)

    def run(self) -> list[str]:
        """Write what differs; returns the attributes that were written.

        Raises as `Action.run` does; what was written before stays, and is told by
        `fields["written"]` of the error.
        """
        written: list[str] = []
        for writer in self._subject.resource.writers.values():
            attributes = self._carried(writer)
            changes = {a.name: self._change(a) for a in attributes}
            meant = [a.name for a in attributes if changes[a.name] is not None or not _sets(a)]
            if not meant:
                continue
            self._must_be_possible(writer, meant)
            self._write(writer, [c for c in changes.values() if c is not None])
            written += meant
        return written

    def _must_be_possible(self, writer: Writer, names: Sequence[str]) -> None:
        state = state_of(self._subject.resource, self._subject.binding)
        if writer.states is not None and state not in writer.states:
            allowed = " or ".join(sorted(writer.states))
            raise ConflictError(
                f"{', '.join(names)} can be changed while the {self._subject.resource.type} is"
                f" {allowed}, and it is {state or 'in an unknown state'}",
                reason="state-forbids",
                state=state,
            )

    def _carried(self, writer: Writer) -> list[AttributeMapping]:
        return [
            attribute
            for attribute in self._subject.resource.attributes.values()
            if attribute.name in self._values
            and attribute.write is not None
            and attribute.write.writer == writer.name
            and self._is_other(attribute)
        ]

    def _is_other(self, attribute: AttributeMapping) -> bool:
        """Whether the value differs from what the server has, as CIMI shows it."""
        now = attribute.reading.evaluate(self._subject.binding) if attribute.reading else None
        return bool(now != self._values[attribute.name])

    def _change(self, attribute: AttributeMapping) -> _Change | None:
        write = attribute.write
        if write is None or write.alias is None or write.property is None:
            return None
        rows = rows_of(self._subject.binding, write.alias)
        if len(rows) != 1:
            raise error_of(
                Meaning.UNSUPPORTED,
                f"{attribute.name} is spread over {len(rows)} settings there", None,
            )  # fmt: skip
        value = write.convert(self._values[attribute.name], rows[0])
        if value is None:
            raise error_of(Meaning.BAD_REQUEST, f"{attribute.name} has no such value there", None)
        return _Change(rows[0], write.property, write.type, typed(value, write.type))

    def _write(self, writer: Writer, changes: Sequence[_Change]) -> None:
        key = f"write.{writer.name}"
        if writer.use is None:
            self._modify(key, changes)
            return
        use = writer.use
        context = CallContext(
            self._subject.binding,
            Variables({**self._target.mapping.constants, **self._values}),
            self._path_of,
            lambda alias: self._copies(alias, changes),
        )
        called = self._caller.call(
            CallPlan(
                key,
                use,
                self._path_of(use.alias),
                lambda: arguments(use.arguments, context),
                self._find_out(changes),
            )
        )
        self._caller.follow(called, self._run.waits(None))

    def _modify(self, key: str, changes: Sequence[_Change]) -> None:
        """ModifyInstance may be sent again: it says what the instance is to be."""
        self._run.secure()
        for change in changes:
            self._target.gateway.modify_instance(
                change.row.path,
                {change.property: TypedValue(change.type, change.value)},
                deadline=self._run.deadline(),
            )

    def _path_of(self, alias: str) -> InstancePath:
        return self._subject.path_of(alias, self._run)

    def _copies(
        self, alias: str | None, changes: Sequence[_Change]
    ) -> tuple[EmbeddedInstance, ...]:
        """Whole instances with their changes; the servers want no parts (2.6)."""
        rows = {uri_of(change.row.path): change.row for change in changes}
        if alias is not None:
            rows = {uri_of(row.path): row for row in rows_of(self._subject.binding, alias)[:1]}
        return tuple(self._copy(row, changes) for row in rows.values())

    def _copy(self, row: Row, changes: Sequence[_Change]) -> EmbeddedInstance:
        whole = self._target.gateway.get_whole(row.path, deadline=self._run.deadline())
        values = {name: value for name, value in whole.values.items() if value is not None}
        types = dict(whole.types)
        for change in changes:
            if change.row.path == row.path:
                values[change.property] = change.value
                types[change.property] = change.type
        return EmbeddedInstance(whole.classname, values, types)

    def _find_out(self, changes: Sequence[_Change]) -> Callable[[Intent], Outcome]:
        """A change that is there was made."""

        def find_out(intent: Intent) -> Outcome:
            for change in changes:
                now = self._target.gateway.get_instance(
                    change.row.path, (change.property,), deadline=self._run.deadline()
                )
                if now.get(change.property) != change.value:
                    return never_sent_again(intent)
            return Outcome(was_found_out=True) if changes else never_sent_again(intent)

        return find_out


def _sets(attribute: AttributeMapping) -> bool:
    write: Write | None = attribute.write
    return write is not None and write.alias is not None
