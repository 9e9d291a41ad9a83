"""Acting: start, stop and the other operations of a resource beyond update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cimi_cim.errors import BadRequest, NotFound
from cimi_cim.mapping.results import Engine
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Action, ActionParameter, CimiVersion, Kind
from cimi_cim.service.catalog import JOB, SYSTEM
from cimi_cim.service.events import tell_state
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.provision.provisioner import Provisioner
from cimi_cim.service.recursion import bring_along
from cimi_cim.service.repeats import Repeats
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from cimi_cim.service.write import Writer
from cimi_cim.wbem.deadline import Deadline

_FITS: dict[Kind, Callable[[Value], bool]] = {
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.REF: lambda value: isinstance(value, Ref),
    Kind.ANY: lambda value: True,
}


class Actor:
    """Acts for a client; one per bridge."""

    def __init__(
        self,
        holdings: Holdings,
        engine: Engine,
        store: Store,
        writer: Writer,
        provisioner: Provisioner | None,
        repeats: Repeats,
        *,
        deadline_s: float = 30,
    ) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._engine = engine
        self._store = store
        self._writer = writer
        self._provisioner = provisioner
        self._repeats = repeats
        self._deadline_s = deadline_s

    def act(
        self,
        location: Location,
        version: CimiVersion,
        name: str,
        parameters: Mapping[str, Value],
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Carry out an action within the deadline (DSP0263 4.2.1.5).

        Raises `NotFound` for an action that is not offered, `BadRequest` for parameters that
        it does not have or take, what `check` raises, and what `ActEngine.act` raises.
        """
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        return self._act(location, version, name, parameters, check, request)

    def _act(
        self,
        location: Location,
        version: CimiVersion,
        name: str,
        parameters: Mapping[str, Value],
        check: Check,
        request: Request,
    ) -> Written:
        offered = {action.name: action for action in self._catalog.actions(location.type, version)}
        if name not in offered:
            raise NotFound(
                f"no {location.type} offers {name[:40]} here; read its operations for those it has",
                reason="action-not-offered",
            )
        check_parameters(offered[name], parameters)
        if self._provisioner is not None and location.type == JOB:
            return self._provisioner.jobs.stop(location, check, version, request)
        if self._provisioner is not None and location.type == SYSTEM:
            check(self._holdings.resource(location, version, None, self._deadline()))
            machines = self._holdings.machines_of(location.path, self._deadline())
            return self._provisioner.systems.act(location, machines, name, parameters, request)
        if self._provisioner is not None and self._engine.maps_action(location.type, name):
            return self._provisioner.act(location, version, name, parameters, check, request)
        if not self._engine.maps_action(location.type, name):
            return self._writer.change_state(location, version, name, check, request)
        if check is not no_check:
            check(self._holdings.resource(location, version, None, self._deadline()))
        outcome = self._engine.act(location, name, parameters, self._deadline())
        if not outcome.is_done:
            return Written("", is_done=False)
        state = offered[name].target_state

        def change(writing: Writing) -> Written:
            if state is not None:
                tell_state(writing, location.path, location.type, state)
                bring_along(writing, self._catalog, location, name)
            return Written(record(writing, Work(name, location.path)), location.path)

        with self._store.writing() as writing:
            return self._repeats.once(request, change)(writing)

    def _deadline(self) -> Deadline:
        return Deadline.after(self._deadline_s)


def check_parameters(action: Action, parameters: Mapping[str, Value]) -> None:
    """Hold parameters against the table of the action. Raises `BadRequest`."""
    known = {parameter.name: parameter for parameter in action.parameters}
    for name, value in parameters.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadRequest(
                f"{action.name} has no parameter {name[:40]!r}; {has}", reason="unknown-parameter"
            )
        if not _fits(known[name], value):
            raise BadRequest(f"{name} must be a {known[name].kind.value}", reason="bad-parameter")
    for parameter in action.parameters:
        if parameter.is_required and parameter.name not in parameters:
            raise BadRequest(
                f"{action.name} needs the parameter {parameter.name}", reason="missing-parameter"
            )


def _fits(parameter: ActionParameter, value: Value) -> bool:
    return _FITS.get(parameter.kind, lambda text: isinstance(text, str))(value)
