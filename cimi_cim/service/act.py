"""Acting: start, stop and the other operations of a resource beyond update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cimi_cim.errors import BadRequest, NotFound
from cimi_cim.mapping.results import ActEngine, ActionOutcome
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Action, ActionParameter, Kind, Model
from cimi_cim.wbem.deadline import Deadline

_FITS: dict[Kind, Callable[[Value], bool]] = {
    Kind.BOOLEAN: lambda value: isinstance(value, bool),
    Kind.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.REF: lambda value: isinstance(value, Ref),
    Kind.ANY: lambda value: True,
}


class Actor:
    """Acts for a client; one per bridge."""

    def __init__(self, model: Model, engine: ActEngine, *, deadline_s: float = 30) -> None:
        self._model = model
        self._engine = engine
        self._deadline_s = deadline_s

    def find(self, location: Location, name: str) -> Action:
        """Return an action of the resource at a location.

        Raises `NotFound` if CIMI has none of that name, or no server is mapped to do it: what
        is not offered has no address either (DSP0263 5.5.11).
        """
        action = self._model[location.type].actions.get(name)
        if action is None or not self._engine.maps_action(location.type, name):
            raise NotFound(
                f"no {location.type} offers {name[:40]} here; read its operations for those it has",
                reason="action-not-offered",
            )
        return action

    def act(self, location: Location, name: str, parameters: Mapping[str, Value]) -> ActionOutcome:
        """Carry out an action within the deadline (DSP0263 4.2.1.5).

        Raises `BadRequest` for parameters that the action does not have or take, and what
        `ActEngine.act` raises.
        """
        check_parameters(self.find(location, name), parameters)
        return self._engine.act(location, name, parameters, Deadline.after(self._deadline_s))


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
