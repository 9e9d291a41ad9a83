"""What a mapping serves from this very server: a line per attribute and operation, with why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimi_cim.config import TargetConfig
from cimi_cim.mapping.compiled import (
    AttributeMapping,
    Choice,
    CompiledMapping,
    OperationMapping,
    ResourceMapping,
)
from cimi_cim.mapping.expressions import Property
from cimi_cim.mapping.items import is_served
from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import Refusal, ServerFacts
from cimi_cim.mapping.probing.places import class_at, namespace_at
from cimi_cim.mapping.probing.reading import Reading, read_everything
from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import Model

# What the bridge itself knows of every resource.
_OWN = frozenset({"id", "parent", "updated", "properties", "resourceMetadata"})
_CRUD = ("add", "delete")
_ELSEWHERE = frozenset({"connectvolume"})  # done by adding to another Collection


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `kind` is resource, attribute or operation.

    Args:
        source: Where it comes from: `class.property, ...`, `class.method`, or words.
        sample: A value as clients see it; for an operation and a resource a number, or
            words; None where there is none.
        why: Why it is not served, or what remains unsure; may be empty.
        trouble: What the server said when it refused to give it; empty where it did not.
    """

    resource: str
    kind: str
    name: str
    served: bool
    source: str = ""
    sample: Any = None
    why: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """All lines under one mapping; `items` counts the resources that were read, by type."""

    mapping: CompiledMapping
    lines: tuple[Line, ...]
    items: Mapping[str, int]

    @property
    def score(self) -> tuple[int, int]:
        """How much of the server is served: types with resources, attributes with values."""
        valued = [x for x in self.lines if x.kind == "attribute" and x.sample is not None]
        return sum(count > 0 for count in self.items.values()), len(valued)


@dataclass(frozen=True, slots=True)
class Standard:
    """What a mapping is held against: the model of CIMI, and all that the base mapping maps."""

    model: Model
    base: CompiledMapping


def cover(
    asker: Asker,
    facts: ServerFacts,
    config: TargetConfig,
    mapping: CompiledMapping,
    standard: Standard,
    seconds: float,
) -> Coverage:
    """Return the table of a target's mapping; `mapping` is what its configuration names."""
    model, base = standard.model, standard.base
    read = read_everything(config, mapping, model, seconds)
    explainer = _Explainer(asker, facts, mapping, base)
    lines: list[Line] = []
    for resource in _families(mapping):
        reading = read[resource.type]
        lines.append(explainer.resource(resource, reading))
        lines += explainer.attributes(resource, reading, model)
        lines += explainer.operations(resource, reading, model)
    for name in [name for name in base.resources if name not in mapping.resources]:
        why = f"the mapping {mapping.name} leaves it out"
        lines.append(Line(name, "resource", name, False, why=why))
    return Coverage(mapping, tuple(lines), {name: len(r.items) for name, r in read.items()})


def _families(mapping: CompiledMapping) -> list[ResourceMapping]:
    """The resources, each with its children behind it."""
    every = list(mapping.resources.values())
    return [
        each
        for top in every
        if top.parent is None
        for each in (top, *(child for child in every if child.parent == top.type))
    ]


class _Explainer:
    def __init__(
        self, asker: Asker, facts: ServerFacts, mapping: CompiledMapping, base: CompiledMapping
    ) -> None:
        self._base = base
        self._asker = asker
        self._facts = facts
        self._mapping = mapping

    def resource(self, resource: ResourceMapping, reading: Reading) -> Line:
        """Whether there are any resources of the type."""
        classname, namespace = self._at(resource, resource.anchor)
        if reading.items:
            count = len(reading.items)
            return Line(resource.type, "resource", resource.type, True, classname, count)
        why = reading.troubles.get("") or self._no_rows(classname, namespace)
        if not why and resource.parent is not None:
            why = f"no {resource.parent} that was read has one"
        why = why or f"no instance of {classname} is one, by the mapping's `where` and relations"
        trouble = reading.troubles.get("", "")
        return Line(resource.type, "resource", resource.type, False, classname, None, why, trouble)

    def attributes(
        self, resource: ResourceMapping, reading: Reading, model: Model
    ) -> Iterator[Line]:
        """A line per attribute of the standard."""
        for name in model[resource.type].attributes:
            mapped = resource.attributes.get(name)
            if name in _OWN and mapped is None:
                continue
            if mapped is None:
                known = self._known(resource)
                why = self._left_out(known is not None and name in known.attributes)
                yield Line(resource.type, "attribute", name, False, why=why)
            else:
                yield self._attribute(resource, mapped, reading)

    def _known(self, resource: ResourceMapping) -> ResourceMapping | None:
        return self._base.resources.get(resource.type)

    def _left_out(self, is_known: bool) -> str:
        """Why the mapping has no line: on purpose, or because nobody ever wrote one."""
        if is_known:
            return f"the mapping {self._mapping.name} leaves it out"
        return "no shipped mapping says where it would come from"

    def _attribute(
        self, resource: ResourceMapping, mapped: AttributeMapping, reading: Reading
    ) -> Line:
        name, source = mapped.name, self._source(resource, mapped)
        values = [i.values[name] for i in reading.items if i.values.get(name) not in (None, "")]
        if values:
            sample = _plain(values[0])
            return Line(resource.type, "attribute", name, True, source, sample)
        why = self._why_not(resource, mapped, reading)
        kept = mapped.is_stored and bool(reading.items)
        if kept and not reading.troubles.get(name):
            why = f"{why}; the bridge keeps what clients say" if why else "the bridge keeps it"
        trouble = reading.troubles.get(name, "") if reading.items else ""
        return Line(resource.type, "attribute", name, kept, source, None, why, trouble)

    def _source(self, resource: ResourceMapping, mapped: AttributeMapping) -> str:
        if mapped.children is not None:
            return f"the collection of {mapped.children}"
        if mapped.reference is not None:
            return f"a reference to {mapped.reference[0]}"
        if mapped.reading is None:
            return "the bridge's store"
        needs = sorted(self._named(resource, need) for need in mapped.reading.needs)
        return ", ".join(dict.fromkeys(needs)) or "a constant of the mapping"

    def _named(self, resource: ResourceMapping, need: Property) -> str:
        return f"{self._at(resource, need.alias)[0]}.{need.name}"

    def _why_not(
        self, resource: ResourceMapping, mapped: AttributeMapping, reading: Reading
    ) -> str:
        trouble = reading.troubles.get(mapped.name)
        if trouble:
            return trouble
        if not is_served(mapped, self._mapping):
            return "" if mapped.is_stored else "what it leads to is not mapped"
        if not reading.items:
            return f"there is no {resource.type} to read it from"
        if mapped.reference is not None:
            names = dict.fromkeys(self._at(resource, alias)[0] for alias in mapped.reference[1])
            return f"no {' or '.join(names)} is found for any {resource.type}"
        needs = mapped.reading.needs if mapped.reading is not None else frozenset()
        said = [self._no_value(resource, need) for need in sorted(needs, key=str)]
        return "; ".join(dict.fromkeys(said)) or "it has no value"

    def _no_value(self, resource: ResourceMapping, need: Property) -> str:
        classname, namespace = self._at(resource, need.alias)
        missing = self._no_rows(classname, namespace)
        if missing:
            return missing
        declared = self._asker.declaration(classname, namespace)
        has = (
            None if isinstance(declared, Refusal) else {p.name.lower() for p in declared.properties}
        )
        found = self._asker.instances(classname, namespace)
        values = [] if isinstance(found, Refusal) else [dict_of(i.values) for _, i in found]
        lowered = need.name.lower()
        if any(each.get(lowered) not in (None, "", ()) for each in values):
            return f"{classname}.{need.name} has values, but none for a {resource.type}"
        if not any(lowered in each for each in values) and has is not None and lowered not in has:
            return f"{classname} has no property {need.name}"
        return f"{classname}.{need.name} is always NULL"

    def _no_rows(self, classname: str, namespace: str) -> str:
        """Why a class has no instance; empty where it has some."""
        found = self._asker.instances(classname, namespace)
        home = self._facts.classes(namespace)
        if isinstance(found, Refusal):
            if home.classes and not home.has(classname):
                return f"{namespace} has no class {classname}"
            return f"{classname} cannot be enumerated: {found.text}"
        return "" if found else f"{classname} has no instance"

    def operations(
        self, resource: ResourceMapping, reading: Reading, model: Model
    ) -> Iterator[Line]:
        """A line per operation of the standard."""
        cimi = model[resource.type]
        crud = [name for name in _CRUD if name == "delete" or cimi.collection_operations]
        actions = [name for name in cimi.actions if name not in _ELSEWHERE]
        for name in dict.fromkeys([*crud, *actions, *resource.operations]):
            mapped = resource.operations.get(name)
            if mapped is None:
                known = self._known(resource)
                why = self._left_out(known is not None and name in known.operations)
                yield Line(resource.type, "operation", name, False, why=why)
            else:
                yield self._operation(resource, mapped, reading.items)

    def _operation(
        self, resource: ResourceMapping, mapped: OperationMapping, items: Iterable[Resource]
    ) -> Line:
        calls = (*mapped.before, *mapped.choices)
        source = ", ".join(
            dict.fromkeys(f"{self._owner(resource, c)[0]}.{c.use.method.name}" for c in calls)
        )
        troubles = [self._no_method(resource, call) for call in calls]
        wrong = [why for is_fatal, why in troubles if is_fatal]
        unsure = [why for _, why in troubles if why]
        if wrong:
            why = "; ".join(dict.fromkeys(wrong))
            return Line(resource.type, "operation", mapped.name, False, source, None, why)
        why = "; ".join(dict.fromkeys(unsure))
        total = [item.operations for item in items]
        if not total and mapped.name != "add":
            why = f"there is no {resource.type} to do it to"
            return Line(resource.type, "operation", mapped.name, False, source, None, why)
        offering = sum(any(offer.name == mapped.name for offer in each) for each in total)
        sample = None if mapped.name in _CRUD else f"{offering} of {len(total)} offer it now"
        return Line(resource.type, "operation", mapped.name, True, source, sample, why)

    def _owner(self, resource: ResourceMapping, call: Choice) -> tuple[str, str]:
        service = self._mapping.services.get(call.use.alias)
        if service is None:
            return self._at(resource, call.use.alias)
        return service.classname, namespace_at(self._mapping, service.namespace, self._facts)

    def _no_method(self, resource: ResourceMapping, call: Choice) -> tuple[bool, str]:
        """Why a method cannot be called, and whether that is sure; empty where it can."""
        classname, namespace = self._owner(resource, call)
        missing = self._no_rows(classname, namespace)
        if missing:
            return True, missing
        found = self._asker.instances(classname, namespace)
        actual = classname if isinstance(found, Refusal) else found[0][0].classname
        name = call.use.method.name
        unsure = ""
        for asked in dict.fromkeys((actual, classname)):
            declared = self._asker.declaration(asked, namespace)
            if isinstance(declared, Refusal):
                unsure = f"whether {asked} has {name} is not known"
            elif any(m.name.lower() == name.lower() for m in declared.methods):
                return False, ""
            else:
                return True, f"{asked} has no method {name}"
        return False, unsure

    def _at(self, resource: ResourceMapping, alias: str) -> tuple[str, str]:
        return class_at(self._mapping, resource, alias, self._facts)


def dict_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties by their names in lower case."""
    return {name.lower(): value for name, value in values.items()}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Ref):
        return value.path or value.url
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
