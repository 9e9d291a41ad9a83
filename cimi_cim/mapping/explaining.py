"""Tells a story: which plans were run and why so, what was asked, where each value comes from.

Values are explained by the code that serves them, on the rows that were served: rows that
note what is read of them, and evaluators that tell their steps (`computing`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cimi_cim.mapping.compiled import AttributeMapping, Relation, Way
from cimi_cim.mapping.computing import Constant, steps_of
from cimi_cim.mapping.execution import MutableBinding, rows_of
from cimi_cim.mapping.expressions import Binding
from cimi_cim.mapping.identity import natural_of, token_of
from cimi_cim.mapping.items import (
    CRUD,
    ItemMaker,
    advertised,
    allowed_values,
    is_allowed,
    state_of,
)
from cimi_cim.mapping.story import MadeItem, RunOfPlan, Story
from cimi_cim.mapping.wbem_uri import uri_of
from cimi_cim.model.explanations import (
    ExplainedAttribute,
    ExplainedOperation,
    ExplainedPlan,
    ExplainedRead,
    ExplainedRelation,
    ExplainedResource,
    ExplainedStep,
)
from cimi_cim.wbem.tracing import TracedOperation
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath, Row

HIDDEN = "(hidden)"
_SECRET = re.compile(r"pass(word|wd|phrase)|secret|credential|privatekey|userdata", re.IGNORECASE)


def plans_of(story: Story) -> list[ExplainedPlan]:
    """Tell the plans that were run, each once however often it was."""
    found: dict[tuple[Any, ...], ExplainedPlan] = {}
    for run in story.runs:
        told = _plan(run, sum(item.plan is run.plan for item in story.items.values()))
        read = tuple((r.alias, tuple(r.properties)) for r in told.relations)
        found[told.server, told.type, told.start, read] = told
    return list(found.values())


def _plan(run: RunOfPlan, made: int) -> ExplainedPlan:
    plan, mapping = run.plan, run.target.mapping
    relations = []
    for relation in (*plan.outer, *plan.inner):
        way, why = _way(relation, run)
        why += f"; {relation.said}" if relation.said else ""
        properties = plan.properties.get(relation.alias, ())
        relations.append(
            ExplainedRelation(relation.alias, relation.classname, properties, way, why)
        )
    return ExplainedPlan(
        run.target.alias, mapping.name, mapping.files, plan.resource.type,
        "batch" if run.start is None else "single",
        "" if run.start is None else uri_of(run.start), relations, run.rows, made,
    )  # fmt: skip


def _way(relation: Relation, run: RunOfPlan) -> tuple[str, str]:
    """How the rows of a relation are found, and why so."""
    if relation.way is Way.VIEW:
        return "view", f"rows of {relation.source} that pass the filter"
    return _batch(relation, run) if run.start is None else _single(relation, run)


def _batch(relation: Relation, run: RunOfPlan) -> tuple[str, str]:
    """How the rows of all resources are found."""
    if relation.way is Way.ANCHOR:
        return "enumerate", "the resources are its instances"
    if relation.way is Way.AT:
        return "enumerate, look up", "a property holds the path"
    if relation.way is Way.MATCH:
        return "enumerate, join", "by equal keys"
    ends = f"{relation.association} ({relation.role} to {relation.result})"
    if relation.association in run.walked:
        if not run.target.mapping.are_associations_enumerable:
            return "walk", f"{ends}, as the mapping says associations: walk-only"
        return "walk", f"{ends}, as it was found before to enumerate to nothing on this server"
    if run.target.is_walked(relation.association):
        return "walk", f"{ends}, as it enumerated to nothing, and a few walks found instances"
    return "enumerate, join", f"by {ends}, which is enumerated, too"


def _single(relation: Relation, run: RunOfPlan) -> tuple[str, str]:
    """How the rows of one resource are found."""
    if relation.way is Way.ANCHOR:
        return "get", "its path is known"
    if relation.way is Way.AT:
        return "get", "a property holds the path"
    if relation.way is Way.MATCH and relation.keys:
        return "get", "all its keys are known"
    if relation.way is Way.MATCH:
        return "enumerate, join", "by equal keys, as not all keys of one instance are known"
    ends = f"{relation.association} ({relation.role} to {relation.result})"
    if relation.link is not None and relation.link in run.plan.properties:
        return "walk, get", f"{ends}, as something of the association itself is wanted, too"
    return "walk", f"{ends}, from {relation.source}"


def operations_of(story: Story) -> list[ExplainedOperation]:
    """Tell the operations, in the order in which they began."""
    starts: dict[tuple[str, InstancePath], str] = {}
    relations: dict[str, dict[int, Relation]] = {}  # by server, each relation once
    for run in story.runs:
        if run.start is not None:
            starts[run.target.alias, run.start] = run.plan.outer[0].alias
        known = relations.setdefault(run.target.alias, {})
        known.update((id(r), r) for r in (*run.plan.outer, *run.plan.inner))
    found = []
    for told in story.trace.operations:
        reads = [r.alias for r in relations.get(told.server, {}).values() if _reads(told, r)]
        if told.name == "GetInstance" and isinstance(told.on, InstancePath):
            anchor = starts.get((told.server, told.on))
            reads += [] if anchor is None else [anchor]
        found.append(_operation(told, tuple(dict.fromkeys(reads))))
    return found


def _reads(told: TracedOperation, relation: Relation) -> bool:
    """Whether an operation asks for the very class, or association, of a relation."""
    if relation.way is Way.VIEW:
        return False
    if told.name == "EnumerateInstances":
        classname = str(told.on).rpartition(":")[2]
        return classname in (relation.classname, relation.association)
    if relation.way is not Way.VIA:
        return False
    via, result = told.filters.get("AssocClass"), told.filters.get("ResultClass")
    if told.name == "References":
        return result == relation.association
    return via == relation.association and result in (None, relation.classname)


def _operation(told: TracedOperation, reads: tuple[str, ...]) -> ExplainedOperation:
    returned = told.returned
    answer = None if returned is None else {
        "ReturnValue": returned.return_value,
        **{name: plain(value, name) for name, value in returned.out.items()},
    }  # fmt: skip
    return ExplainedOperation(
        told.server,
        told.name,
        told.on if isinstance(told.on, str) else uri_of(told.on),
        round(told.began_s * 1000, 2),
        round(told.elapsed_s * 1000, 2),
        Counter(told.messages),
        told.sent_bytes,
        told.received_bytes,
        told.properties,
        told.filters,
        told.rows,
        None if told.error is None else f"{told.error.message} ({told.error.reason})",
        told.is_sent,
        {name: plain(value.value, name) for name, value in told.parameters.items()},
        answer,
        reads,
    )


def resource_of(item: MadeItem) -> ExplainedResource:
    """Tell where the attributes of a resource come from, as its server has it."""
    maker = ItemMaker(item.plan, item.mapping, item.server)
    told = {"id": _id(item)}
    for attribute in item.plan.attributes:
        told[attribute.name] = _attribute(attribute, item, maker)
    if "parent" in item.resource.values:
        value = item.resource.values["parent"]
        told["parent"] = ExplainedAttribute("parent", "computed", value)
    actions = dict(_operations(item)) if item.plan.with_operations else {}
    absent = {
        attribute.name: "a Collection leaves it out unless it is selected"
        for attribute in item.plan.resource.attributes.values()
        if attribute.name not in told and attribute.is_lazy
    }
    return ExplainedResource(
        item.resource.type, item.resource.path, item.server, told, actions, absent
    )


def _operations(item: MadeItem) -> Iterator[tuple[str, str]]:
    """Why each action is offered, or not, as things stand on the server."""
    resource = item.plan.resource
    binding: MutableBinding = dict(item.binding)
    state = state_of(resource, binding)
    for name, operation in resource.operations.items():
        if name in CRUD:
            continue
        if not is_allowed(operation, state):
            states = ", ".join(sorted(operation.states or ()))
            yield name, f"not offered: possible in {states}, and the state is {state}"
        elif not advertised(resource, operation, binding):
            parameter = resource.advertise.parameter if resource.advertise is not None else ""
            allowed = plain(tuple(allowed_values(resource, binding) or ()))
            yield name, f"not offered: the server takes {parameter} of {allowed} now"
        else:
            methods = dict.fromkeys(c.use.method.name for c in operation.choices)
            yield name, f"offered: calls {', '.join(methods)}"


def _attribute(attribute: AttributeMapping, item: MadeItem, maker: ItemMaker) -> ExplainedAttribute:
    noted = _Noted(item.binding)
    value = maker.value(attribute, noted.binding, item.resource.path)
    steps = []
    if attribute.reading is not None:
        steps = steps_of(attribute.reading.evaluate, attribute.reading.said, item.binding)
    return ExplainedAttribute(
        attribute.name,
        _source(attribute),
        None if value == "" else value,
        attribute.where,
        noted.reads,
        [ExplainedStep(s.kind, s.said, plain(s.value, s.said)) for s in steps],
    )


def _source(attribute: AttributeMapping) -> str:
    if attribute.children is not None:
        return "child"
    if attribute.reference is not None:
        return "reference"
    if attribute.reading is None:
        return "store"
    return "const" if isinstance(attribute.reading.evaluate, Constant) else "server"


def _id(item: MadeItem) -> ExplainedAttribute:
    """The id: its last token is made of the first natural key that has a value."""
    resource = item.plan.resource
    noted = _Noted(item.binding)
    found = natural_of(resource, noted.binding)
    rows = rows_of(noted.binding, resource.anchor)
    steps = []
    if found is not None and rows:
        natural, key = found
        token = token_of(resource, item.binding, rows[0].path, item.server)
        steps = [
            ExplainedStep("read", natural.reading.said, plain(key)),
            ExplainedStep("id", f"{natural.scope} key", token),
        ]
    return ExplainedAttribute("id", "server", item.resource.path, "", noted.reads, steps)


class _Noted:
    """A copy of a binding that notes which properties are read, each once."""

    def __init__(self, binding: Binding) -> None:
        self._reads: dict[tuple[str, InstancePath, str], ExplainedRead] = {}
        self.binding: MutableBinding = {
            alias: tuple(self._row(alias, row) for row in bound)
            if isinstance(bound, tuple)
            else self._row(alias, bound)
            if isinstance(bound, Row)
            else bound
            for alias, bound in binding.items()
        }

    @property
    def reads(self) -> list[ExplainedRead]:
        """What was read so far, in order."""
        return list(self._reads.values())

    def _row(self, alias: str, row: Row) -> Row:
        return Row(row.path, _NotedValues(row, alias, self._note))

    def _note(self, alias: str, path: InstancePath, name: str, value: CimValue) -> None:
        read = ExplainedRead(f"{alias}.{name}", uri_of(path), plain(value, name))
        self._reads.setdefault((alias, path, name), read)


class _NotedValues(dict[str, CimValue]):
    def __init__(self, row: Row, alias: str, note: Any) -> None:
        super().__init__(row.values)
        self._path, self._alias, self._note = row.path, alias, note

    def get(self, name: str, default: Any = None) -> Any:
        value = super().get(name, default)
        self._note(self._alias, self._path, name, value)
        return value


def plain(value: Any, name: str = "") -> Any:
    """Return a CIM value as JSON may have it; one whose name tells a secret is hidden."""
    if value is not None and _SECRET.search(name):
        return HIDDEN
    if isinstance(value, InstancePath):
        return uri_of(value)
    if isinstance(value, CimDateTime):
        return value.text
    if isinstance(value, EmbeddedInstance):
        return {"class": value.classname, **_all_plain(value.values)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _all_plain(values: Mapping[str, CimValue]) -> dict[str, Any]:
    return {name: plain(value, name) for name, value in values.items()}
