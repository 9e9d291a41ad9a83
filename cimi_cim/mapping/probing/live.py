"""Holds a target's configuration and mapping against its real server, before a restart.

Nothing but declarations, names and the instances of services is read. What the server does
not tell is no mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from cimi_cim.config import TargetConfig
from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.compiled import (
    DERIVED,
    Choice,
    CompiledMapping,
    Reading,
    Relation,
    ResourceMapping,
    Way,
)
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.expressions import Property
from cimi_cim.mapping.open import check_namespaces, connection_of
from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import NamespaceFacts, Refusal
from cimi_cim.mapping.probing.places import relations_of
from cimi_cim.mapping.probing.probe import asked
from cimi_cim.mapping.problems import MappingError, Problems
from cimi_cim.mapping.scope import child
from cimi_cim.mapping.source import find_mapping, read_source
from cimi_cim.mapping.target import Target
from cimi_cim.model.types import Model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.yaml_source import Node

_AT_ONCE = 16  # servers that are asked at the same time


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the server does not have. `is_fatal` unless the mapping can do without."""

    where: str
    message: str
    is_fatal: bool = True

    def __str__(self) -> str:
        note = "" if self.is_fatal else "note: "
        return f"{self.where}: {note}{self.message}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled mapping, and the tree that it came from, for the places in it."""

    mapping: CompiledMapping
    root: Node | None


def check_targets(configs: Sequence[TargetConfig], model: Model) -> list[Finding]:
    """Return all that is wrong with some targets, in their order; empty if all can be served.

    They are asked at the same time; each mapping is compiled once.
    """
    known: dict[object, Loaded | list[Finding]] = {}
    for config in configs:
        if _key(config) not in known:
            known[_key(config)] = _load(config, model)
    with ThreadPoolExecutor(max(1, min(_AT_ONCE, len(configs)))) as pool:
        found = list(pool.map(lambda each: _check_target(each, known[_key(each)]), configs))
    return list(dict.fromkeys(finding for each in found for finding in each))


def _key(config: TargetConfig) -> object:
    return config.mapping, config.beside, str(sorted(config.settings.items()))


def _load(config: TargetConfig, model: Model) -> Loaded | list[Finding]:
    """Compile the mapping of a target; its mistakes name their places themselves."""
    try:
        mapping = load_mapping(
            config.mapping, model, beside=config.beside, settings=config.settings
        )
        source = read_source(find_mapping(config.mapping, config.beside), Problems())
    except MappingError as exc:
        return [Finding(str(each.where), each.message) for each in exc.problems]
    except CimiCimError as exc:
        return [Finding(_at(config), line) for line in exc.message.splitlines()]
    return Loaded(mapping, source.root if source is not None else None)


def _check_target(config: TargetConfig, loaded: Loaded | list[Finding]) -> list[Finding]:
    if isinstance(loaded, list):
        return loaded
    try:
        check_namespaces(config, loaded.mapping)
        namespaces = _namespaces(config, loaded.mapping)
        with asked(config, lambda what: None, config.deadline_s) as asker:
            return list(_Check(asker, config.alias, loaded, namespaces).findings())
    except CimiCimError as exc:
        return [Finding(_at(config), line) for line in exc.message.splitlines()]


def _at(config: TargetConfig) -> str:
    return f"target {config.alias} ({config.url})"


def _namespaces(config: TargetConfig, mapping: CompiledMapping) -> dict[str, str]:
    """Greet the server as the bridge does at its start; returns the namespaces that it uses."""
    relations = [r for each in mapping.resources.values() for r in each.relations.values()]
    used = {"impl", *(relation.namespace for relation in relations)}
    used |= {service.namespace for service in mapping.services.values()}
    gateway = WbemClient(connection_of(config), load_dialect(config.server, config.beside))
    target = Target(config.alias, gateway, mapping, namespaces=config.namespaces)
    with closing(target):
        deadline = Deadline.after(config.deadline_s)
        target.greet(deadline)
        return {name: target.namespace(name, deadline) for name in sorted(used)}


class _Check:
    def __init__(
        self, asker: Asker, alias: str, loaded: Loaded, namespaces: dict[str, str]
    ) -> None:  # fmt: skip
        self._asker = asker
        self._alias = alias
        self._mapping = loaded.mapping
        self._root = loaded.root
        self._namespaces = namespaces
        self._homes: dict[str, NamespaceFacts] = {}

    def findings(self) -> Iterator[Finding]:
        """Yield what is missing, in the order of the mapping."""
        for name, namespace in self._namespaces.items():
            if self._asker.lacks_namespace(namespace):
                text = f"the server has no namespace {namespace}"
                yield self._finding(self._node("namespaces", name), text)
        for alias, service in self._mapping.services.items():
            node = self._node("services", alias)
            namespace = self._namespaces[service.namespace]
            if self._lacks(service.classname, namespace):
                text = f"{namespace} has no class {service.classname}"
                yield self._finding(node, text, is_fatal=not service.is_optional)
                continue
            found = self._asker.instances(service.classname, namespace)
            if not isinstance(found, Refusal) and not found:
                text = f"{service.classname} has no instance in {namespace}"
                yield self._finding(node, text, is_fatal=not service.is_optional)
        for resource in self._mapping.resources.values():
            yield from self._relations(resource)
            yield from self._attributes(resource)
            yield from self._operations(resource)

    def _relations(self, resource: ResourceMapping) -> Iterator[Finding]:
        for relation in resource.relations.values():
            if relation.way in DERIVED:
                continue
            join = self._node("resources", resource.type, "join", relation.alias)
            node = self._node("resources", resource.type, "anchor") if join is None else join
            namespace = self._namespaces[relation.namespace]
            named = [(relation.classname, "class")]
            named += [(relation.association, "via")] if relation.way is Way.VIA else []
            for name, key in named:
                if self._lacks(name, namespace):
                    what = "association" if key == "via" else "class"
                    text = f"{resource.type}: {namespace} has no {what} {name}"
                    place = child(node, key) or node
                    yield self._finding(place, text, is_fatal=not relation.is_optional)

    def _attributes(self, resource: ResourceMapping) -> Iterator[Finding]:
        for name, attribute in resource.attributes.items():
            node = self._node("resources", resource.type, "attributes", name)
            if attribute.reading is not None:
                yield from self._reading(
                    resource, f"{resource.type}.{name}", [attribute.reading], node
                )
        keys = [key.reading for key in resource.natural]
        node = self._node("resources", resource.type, "id")
        yield from self._reading(resource, f"{resource.type}.id", keys, node)

    def _reading(
        self, resource: ResourceMapping, what: str, readings: Iterable[Reading], node: Node | None
    ) -> Iterator[Finding]:
        """Properties that are not there: a mistake where nothing else is left to read."""
        needs = sorted({need for each in readings for need in each.needs}, key=str)
        missing = [text for need in needs if (text := self._no_property(resource, need))]
        for text in missing:
            yield self._finding(node, f"{what}: {text}", is_fatal=len(missing) == len(needs))

    def _no_property(self, resource: ResourceMapping, need: Property) -> str:
        """Why a property cannot be read; empty where it can, or where that is not known."""
        known = relations_of(self._mapping, resource)
        relation = known.get(need.alias)
        if relation is None:
            return ""
        namespace = self._namespace(relation, known)
        if self._lacks(relation.classname, namespace):
            return ""  # that is said where the relation stands
        classes = [relation.classname, *self._also(resource, relation.alias)]
        for name in classes:
            declared = self._asker.declaration(name, namespace)
            if isinstance(declared, Refusal):
                return ""
            if any(p.name.lower() == need.name.lower() for p in declared.properties):
                return ""
        return f"{relation.classname} has no property {need.name}"

    def _also(self, resource: ResourceMapping, alias: str) -> list[str]:
        """The subclasses whose properties may be named, too, of a relation and its views."""
        found: list[str] = []
        for kind in (resource.type, resource.parent or ""):
            join = self._node("resources", kind, "join")
            for name, node in join.items() if join is not None else ():
                also = child(node, "also")
                base = child(node, "of")
                if also is not None and alias in (name, base.value if base is not None else ""):
                    found.append(str(also.value))
        return found

    def _namespace(self, relation: Relation, known: dict[str, Relation]) -> str:
        while relation.way in DERIVED and relation.source in known:
            relation = known[relation.source]
        return self._namespaces[relation.namespace]

    def _operations(self, resource: ResourceMapping) -> Iterator[Finding]:
        for name, operation in resource.operations.items():
            node = self._node("resources", resource.type, "operations", name)
            for choice in (*operation.before, *operation.choices):
                text = self._no_method(resource, choice)
                if text:
                    yield self._finding(node, f"{resource.type}.{name}: {text}")

    def _no_method(self, resource: ResourceMapping, choice: Choice) -> str:
        service = self._mapping.services.get(choice.use.alias)
        known = relations_of(self._mapping, resource)
        relation = known.get(choice.use.alias)
        if service is not None:
            classname, namespace = service.classname, self._namespaces[service.namespace]
            found = self._asker.instances(classname, namespace)
            classname = (
                classname if isinstance(found, Refusal) or not found else found[0][0].classname
            )
        elif relation is not None:
            classname, namespace = relation.classname, self._namespace(relation, known)
        else:
            return ""
        declared = self._asker.declaration(classname, namespace)
        name = choice.use.method.name
        if isinstance(declared, Refusal):
            return ""
        if any(method.name.lower() == name.lower() for method in declared.methods):
            return ""
        return f"{classname} has no method {name}"

    def _lacks(self, classname: str, namespace: str) -> bool:
        """Whether a namespace surely has no such class."""
        home = self._homes.get(namespace)
        if home is None:
            names = self._asker.class_names(namespace)
            listed = () if isinstance(names, Refusal) else tuple(names)
            home = self._homes[namespace] = NamespaceFacts(namespace, listed)
        return bool(home.classes) and not home.has(classname)

    def _node(self, *path: str) -> Node | None:
        node = self._root
        for key in path:
            node = child(node, key)
        return node

    def _finding(self, node: Node | None, text: str, *, is_fatal: bool = True) -> Finding:
        where = str(node.where) if node is not None else f"mapping {self._mapping.name}"
        return Finding(where, f"{text} (target {self._alias})", is_fatal)
