"""From a binding to a CIMI resource: id, attributes, operations on offer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from cimi_cim.mapping.compiled import (
    AttributeMapping,
    CompiledMapping,
    MethodUse,
    OperationMapping,
    ResourceMapping,
)
from cimi_cim.mapping.execution import MutableBinding, rows_of
from cimi_cim.mapping.identity import token_of
from cimi_cim.mapping.plan import Plan
from cimi_cim.mapping.results import is_wanted
from cimi_cim.mapping.story import MadeItem, current_story
from cimi_cim.mapping.templates import Plain
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value

# What is no action: a resource is made, deleted and changed by other requests.
CRUD = frozenset({"add", "delete"})
# Actions of a resource that make a part of it (5.14.1.2).
_ACTIONS_ON_PARTS = {"locatedVolume": "connectvolume"}


class ItemMaker:
    """Makes the resources of one plan on one target; bindings that are none give None."""

    def __init__(self, plan: Plan, mapping: CompiledMapping, target: str) -> None:
        self._plan = plan
        self._mapping = mapping
        self._target = target
        self._resource = plan.resource
        self._parent = mapping.resources.get(self._resource.parent or "")

    def top(self, binding: MutableBinding) -> tuple[str, Any] | None:
        """Return token and path of the top-level resource a binding belongs to."""
        resource = self._parent or self._resource
        rows = rows_of(binding, resource.anchor)
        if not rows or not _holds(resource, binding):
            return None
        token = token_of(resource, binding, rows[0].path, self._target)
        return None if token is None else (token, rows[0].path)

    def make(
        self, binding: MutableBinding, top_token: str, wanted: frozenset[str] | None
    ) -> Resource | None:
        """Return the resource of a binding; None if the mapping's `where` leaves it out."""
        collection, path = self._resource.collection, f"{self._resource.collection}/{top_token}"
        if self._parent is not None:
            if not _holds(self._resource, binding):
                return None
            row = rows_of(binding, self._resource.anchor)[0]
            token = token_of(self._resource, binding, row.path, self._target)
            if token is None:
                return None
            collection = f"{self._parent.collection}/{top_token}/{self._resource.collection}"
            path = f"{collection}/{token}"
        if any(self._lacks(alias, binding) for alias in self._required()):
            return None
        values: dict[str, Value] = {}
        for attribute in self._plan.attributes:
            value = self.value(attribute, binding, path)
            if value is not None and value != "":
                values[attribute.name] = value
        if is_wanted("parent", wanted):
            values["parent"] = Ref(collection)
        offers = self._offers(binding, path) if self._plan.with_operations else ()
        made = Resource(self._resource.type, path, values, offers)
        story = current_story()
        if story is not None:
            story.made(MadeItem(self._plan, self._mapping, self._target, binding, made))
        return made

    def _required(self) -> list[str]:
        relations = (*self._plan.outer[1:], *self._plan.inner)
        own = self._resource.anchor
        return [
            r.alias
            for r in relations
            if not (r.is_many or r.is_optional) and r.source == own != r.alias
        ]

    def _lacks(self, alias: str, binding: MutableBinding) -> bool:
        """A required relation that is missing: half a resource is not served."""
        return binding.get(alias) is None

    def value(self, attribute: AttributeMapping, binding: MutableBinding, path: str) -> Value:
        """Return the value of one attribute of the resource at a path, None for none."""
        if attribute.children is not None:
            is_mapped = attribute.children in self._mapping.resources
            return Ref(f"{path}/{attribute.name}") if is_mapped else None
        if attribute.reference is not None:
            return self._reference(*attribute.reference, binding)
        return None if attribute.reading is None else attribute.reading.evaluate(binding)

    def _reference(
        self, type_name: str, aliases: tuple[str, ...], binding: MutableBinding
    ) -> Ref | None:
        referred = self._mapping.resources.get(type_name)
        rows = next((rows for alias in aliases if (rows := rows_of(binding, alias))), ())
        if referred is None or not rows or referred.parent is not None:
            return None
        token = token_of(referred, {referred.anchor: rows[0]}, rows[0].path, self._target)
        return None if token is None else Ref(f"{referred.collection}/{token}")

    def _offers(self, binding: MutableBinding, path: str) -> tuple[OperationOffer, ...]:
        state = state_of(self._resource, binding)
        offers = (
            OperationOffer(name, f"{path}/{name}")
            for name, operation in self._resource.operations.items()
            if name not in CRUD
            and is_allowed(operation, state)
            and _is_there(operation, binding)
            and advertised(self._resource, operation, binding)
        )
        return (*offers, *self._closed(state, path))

    def _closed(self, state: str | None, path: str) -> Iterator[OperationOffer]:
        """What every resource of the type has, and the state forbids now (`available`)."""
        delete = self._resource.operations.get("delete")
        if delete is not None and not is_allowed(delete, state):
            yield OperationOffer("delete", path, available=False)
        for child, action in _ACTIONS_ON_PARTS.items():
            part = self._mapping.resources.get(child)
            add = part.operations.get("add") if part is not None else None
            if part is None or add is None or part.parent != self._resource.type:
                continue
            if add.owner_states is not None and state not in add.owner_states:
                yield OperationOffer(action, f"{path}/{action}", available=False)


def is_served(attribute: AttributeMapping, mapping: CompiledMapping) -> bool:
    """Whether a mapping can give an attribute a value: what it needs is mapped, too."""
    if attribute.children is not None:
        return attribute.children in mapping.resources
    if attribute.reference is not None:
        referred = mapping.resources.get(attribute.reference[0])
        return referred is not None and referred.parent is None
    return attribute.reading is not None


def _holds(resource: ResourceMapping, binding: MutableBinding) -> bool:
    return resource.where is None or bool(resource.where.evaluate(binding))


def state_of(resource: ResourceMapping, binding: MutableBinding) -> str | None:
    """Return the CIMI state of a resource."""
    attribute = resource.attributes.get("state")
    if attribute is None or attribute.reading is None:
        return None
    value = attribute.reading.evaluate(binding)
    return None if value is None else str(value)


def is_allowed(operation: OperationMapping, state: str | None) -> bool:
    """Whether the state allows the operation."""
    return operation.states is None or state in operation.states


def _is_there(operation: OperationMapping, binding: MutableBinding) -> bool:
    """Whether there is, as far as was read, what the operation calls: a stopped machine's port."""
    aliases = (choice.use.alias for choice in operation.choices)
    return all(alias not in binding or rows_of(binding, alias) for alias in aliases)


def advertised(
    resource: ResourceMapping, operation: OperationMapping, binding: MutableBinding
) -> bool:
    """Whether the provider says, of some way to do the operation, that it can do it now."""
    rule, allowed = resource.advertise, allowed_values(resource, binding)
    if rule is None or allowed is None:
        return True
    sent = [sent_value(choice.use, rule.parameter) for choice in operation.choices]
    return any(value is None or value in allowed for value in sent)


def allowed_values(resource: ResourceMapping, binding: MutableBinding) -> Collection[Any] | None:
    """Return the argument values that the provider says it takes now, None if it does not say."""
    rule = resource.advertise
    if rule is None:
        return None
    allowed = rule.constant if rule.reading is None else rule.reading.evaluate(binding)
    return allowed if isinstance(allowed, Collection) else None


def sent_value(use: MethodUse, parameter: str) -> Any:
    """Return what a call sends as `parameter`, None if that is not known beforehand."""
    argument = use.arguments.get(parameter)
    template = argument.template if argument is not None else None
    is_number = isinstance(template, Plain) and type(template.value) is int
    return template.value if is_number and isinstance(template, Plain) else None
