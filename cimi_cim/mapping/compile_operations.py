"""Compiles `operations`, `writers` and `faults`: methods and parameters from the declarations."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cimi_cim.mapping.compile_templates import TemplateCompiler
from cimi_cim.mapping.compiled import (
    Choice,
    Fault,
    MethodUse,
    OperationMapping,
    Reading,
    Service,
    Writer,
)
from cimi_cim.mapping.scope import UNKNOWN, Scope, child, entries, required
from cimi_cim.mapping.templates import Argument
from cimi_cim.model.types import ResourceType
from cimi_cim.schema.declarations import MethodDeclaration, ParameterDeclaration
from cimi_cim.yaml_source import Node, Place, nearest

_STATE = re.compile(r"state\s*(==|!=)\s*([A-Z_]+)\Z")
_PARAMETER = re.compile(r"\$([A-Za-z][A-Za-z0-9]*)\Z")
# What is done to every resource and Collection, whatever its type (DSP0263 4.2).
_GENERAL = ("add", "edit", "delete", "insert", "remove")


class OperationCompiler:
    """Compiles what is done to one resource of a CIMI type; without one, calls alone."""

    def __init__(
        self,
        scope: Scope,
        services: Mapping[str, Service],
        cimi: ResourceType | None = None,
        owner: ResourceType | None = None,
    ) -> None:
        self._owner_state_names = _state_names(owner)
        self._scope = scope
        self._services = services
        self._templates = TemplateCompiler(scope, self._class_of)
        actions = () if cimi is None else (*cimi.actions, *cimi.collection_actions)
        self._known = (*actions, *_GENERAL)
        self._state_names = _state_names(cimi)

    def operation(self, name: str, node: Node, place: Place) -> OperationMapping | None:
        """Return one operation; None after a complaint."""
        if name not in self._known:
            hint = nearest(name, self._known) or f"; it has {', '.join(self._known)}"
            self._scope.problems.add(place, f"CIMI has no operation {name!r} here{hint}")
        when, during, before = (child(node, key) for key in ("when", "during", "before"))
        if during is not None:
            self._check_state(str(during.value), during.where)
        states = self._states(when)
        preparations = tuple(filter(None, (self._choice(c) for c in _items(before))))
        choices = self._choices(node)
        if not choices:
            return None
        return OperationMapping(
            name,
            states,
            str(during.value) if during is not None else None,
            preparations,
            choices,
            self._created(child(node, "created"), choices),
            *self._found_again(node),
            then=self._then(child(node, "then")),
            owner_states=self._owner_states(child(node, "while")),
            unless=self._aliases(child(node, "unless")),
            required=tuple(str(item.value) for item in _items(child(node, "require"))),
            is_verified=child(node, "verify") is not None,
        )

    def _owner_states(self, node: Node | None) -> frozenset[str] | None:
        """The states of the resource that this one is a part of."""
        for item in _items(node):
            if self._owner_state_names and item.value not in self._owner_state_names:
                name, known = str(item.value), self._owner_state_names
                hint = nearest(name, known) or f"; it has {', '.join(known)}"
                self._scope.problems.add(item.where, f"CIMI has no state {name!r}{hint}")
        return None if node is None else frozenset(node.plain())

    def _aliases(self, node: Node | None) -> tuple[str, ...]:
        """One relation, or several."""
        if node is None:
            return ()
        named = node.value if isinstance(node.value, list) else [node]
        known = [item for item in named if self._scope.alias(str(item.value), item.where)]
        return tuple(str(item.value) for item in known)

    def _created(self, node: Node | None, choices: tuple[Choice, ...]) -> str | None:
        if node is None:
            return None
        for choice in choices:
            parameter = choice.use.method.parameter(str(node.value))
            if parameter is None or not parameter.is_out:
                known = [p.name for p in choice.use.method.parameters if p.is_out]
                return self._scope.problems.add(
                    node.where,
                    f"{choice.use.method.name} has no out parameter {node.value!r}"
                    f"{nearest(str(node.value), known)}",
                )
        return str(node.value)

    def _found_again(self, node: Node) -> tuple[Reading | None, str]:
        """How to find out what became of a call: the property with the token, and the way."""
        correlate, reconcile = child(node, "correlate"), child(node, "reconcile")
        reading = self._scope.reading(correlate) if correlate is not None else None
        way = "correlate" if reading is not None else "state"
        if reading is None and child(node, "created") is not None:
            way = "names"
        return reading, way if reconcile is None else str(reconcile.value)

    def _then(self, node: Node | None) -> str | None:
        to = child(node, "to")
        return None if to is None else str(to.value).removeprefix("$")

    def _states(self, when: Node | None) -> frozenset[str] | None:
        if when is None or when.value == "any":
            return None
        for item in _items(when):
            self._check_state(str(item.value), item.where)
        return frozenset(when.plain())

    def _check_state(self, name: str, where: Place) -> None:
        if self._state_names and name not in self._state_names:
            hint = nearest(name, self._state_names) or f"; it has {', '.join(self._state_names)}"
            self._scope.problems.add(where, f"CIMI has no state {name!r}{hint}")

    def _choices(self, node: Node) -> tuple[Choice, ...]:
        choose = child(node, "choose")
        if choose is not None:
            return tuple(filter(None, (self._choice(item) for item in _items(choose))))
        if child(node, "call") is None:
            return (
                self._scope.problems.add(
                    node.where, "an operation says what it does: `call`, or `choose`"
                )
                or ()
            )
        use = self.method_use(node)
        return () if use is None else (Choice("always", "", use),)

    def _choice(self, node: Node) -> Choice | None:
        use = self.method_use(node)
        condition = child(node, "if")
        if use is None or condition is None:
            return None if use is None else Choice("always", "", use)
        text = str(condition.value)
        if match := _PARAMETER.match(text):
            return Choice("parameter", match[1], use)
        if match := _STATE.match(text):
            self._check_state(match[2], condition.where)
            return Choice("state-is" if match[1] == "==" else "state-not", match[2], use)
        return self._scope.problems.add(
            condition.where,
            f"{text!r} is no condition: write $parameter, 'state == X' or 'state != X'",
        )

    def method_use(self, node: Node) -> MethodUse | None:
        """Return the call a node describes with `call` and `in`; None after a complaint."""
        call = required(node, "call")
        alias, _, name = str(call.value).partition(".")
        classname = self._class_of(Node(alias, call.where))
        if classname is None or classname == UNKNOWN:
            return None
        method = self._scope.schema.method(classname, name)
        if method is None:
            known = [m.name for c in self._scope.schema.lineage(classname) for m in c.methods]
            return self._scope.problems.add(
                call.where, f"{classname} has no method {name!r}{nearest(name, known)}"
            )
        arguments: dict[str, Argument] = {}
        for key, value, place in entries(child(node, "in")):
            parameter = self._parameter(method, key, place)
            if parameter is not None:
                template = self._templates.template(value, parameter)
                arguments[parameter.name] = Argument(_type_of(parameter), template)
        return MethodUse(alias, method, arguments)

    def _class_of(self, node: Node) -> str | None:
        """Return the class of the alias or service at a node; None after a complaint."""
        alias = str(node.value)
        if alias in self._services:
            return self._services[alias].classname
        if alias in self._scope.aliases:
            return self._scope.aliases[alias].classname
        if alias in self._scope.problems.broken:
            return None
        known = [*self._services, *self._scope.aliases]
        return self._scope.problems.add(
            node.where, f"no service or relation is called {alias!r}{nearest(alias, known)}"
        )

    def _parameter(
        self, method: MethodDeclaration, name: str, place: Place
    ) -> ParameterDeclaration | None:
        parameter = method.parameter(name)
        if parameter is None:
            known = [p.name for p in method.parameters]
            return self._scope.problems.add(
                place, f"{method.name} has no parameter {name!r}{nearest(name, known)}"
            )
        if not parameter.is_in:
            return self._scope.problems.add(place, f"{parameter.name} is an out parameter")
        return parameter

    def writer(self, name: str, node: Node) -> Writer | None:
        """Return a writer: a call that carries changes, or ModifyInstance of a relation."""
        states = self._states(child(node, "when"))
        if child(node, "call") is not None:
            use = self.method_use(node)
            return None if use is None else Writer(name, use, states=states)
        of = child(node, "of")
        if of is None or child(node, "intrinsic") is None:
            return self._scope.problems.add(
                node.where, "a writer says its `call`, or {intrinsic: ModifyInstance, of: relation}"
            )
        known = self._class_of(of) is not None
        return Writer(name, modified=str(of.value), states=states) if known else None

    def faults(self, node: Node | None) -> tuple[Fault, ...]:
        """Return the meanings of this provider's unspecific errors."""
        found = []
        for item in _items(node):
            text, status, call, returns = (
                child(item, key) for key in ("text", "status", "call", "returns")
            )
            if call is not None:
                self._check_method(str(call.value), call.where)
            try:
                pattern = re.compile(str(text.value), re.IGNORECASE) if text is not None else None
            except re.error as exc:
                place = text.where if text is not None else item.where
                self._scope.problems.add(place, f"no regular expression: {exc}")
                continue
            found.append(
                Fault(
                    str(required(item, "is").value),
                    str(call.value) if call is not None else None,
                    status.value if status is not None and isinstance(status.value, int) else None,
                    pattern,
                    None if returns is None else str(returns.value).lower(),
                )
            )
        return tuple(found)

    def _check_method(self, name: str, where: Place) -> None:
        """Check `Method` or `alias.Method` of a fault, which may be anybody's."""
        method = name.rpartition(".")[2]
        known = {m.name for cls in self._scope.schema.classes.values() for m in cls.methods}
        if method not in known and self._scope.is_complete:
            self._scope.problems.add(
                where, f"no class has a method {method!r}{nearest(method, sorted(known))}"
            )


def _state_names(cimi: ResourceType | None) -> tuple[str, ...]:
    state = None if cimi is None else cimi.attributes.get("state")
    return tuple(state.values) if state is not None else ()


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _type_of(parameter: ParameterDeclaration) -> str:
    kind = "instance" if parameter.embedded is not None else parameter.type
    return kind + ("[]" if parameter.is_array else "")
