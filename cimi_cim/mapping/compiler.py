"""Turns a merged mapping into a `CompiledMapping`, or into all its mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cimi_cim.errors import ConfigError
from cimi_cim.mapping.compile_attributes import AttributeCompiler
from cimi_cim.mapping.compile_identity import IdentityCompiler
from cimi_cim.mapping.compile_jobs import compile_jobs
from cimi_cim.mapping.compile_operations import OperationCompiler
from cimi_cim.mapping.compile_pools import compile_pool, compile_room, compile_takes
from cimi_cim.mapping.compile_relations import RelationCompiler, declare_aliases
from cimi_cim.mapping.compiled import (
    CompiledMapping,
    Discovery,
    OperationMapping,
    Pool,
    Relation,
    ResourceMapping,
    Service,
    Way,
)
from cimi_cim.mapping.problems import Problems
from cimi_cim.mapping.scope import UNKNOWN, AliasInfo, Scope, child, entries, place_of
from cimi_cim.mapping.source import Source, find_mapping, read_source
from cimi_cim.model.types import CimiVersion, Kind, Model
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.declarations import Schema
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.yaml_source import Node, Place, nearest

# DSP1033 discovery, as `discover: profile` stands for it.
_PROFILE_DISCOVERY: dict[str, Any] = {
    "profiles": ["System Virtualization", "Virtual System Profile", "Virtual System"],
    "class": "CIM_RegisteredProfile",
    "via": "CIM_ElementConformsToProfile",
    "role": "ConformantStandard",
    "result": "ManagedElement",
}


def load_mapping(
    name: str,
    model: Model,
    *,
    beside: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> CompiledMapping:
    """Read, check and compile a mapping, by shipped name or by path.

    `settings` are the target's own, over the defaults the mapping declares. Raises
    `MappingError` with every mistake, `ConfigError` when there is no such mapping.
    """
    problems = Problems()
    source = read_source(find_mapping(name, beside), problems)
    compiled = None
    if source is not None:
        compiled = compile_source(source, model, problems, settings or {})
    problems.raise_if_any()
    if compiled is None:
        raise ConfigError(f"the mapping {name!r} cannot be read")
    return compiled


def check_file(path: Path, model: Model) -> tuple[str, ...]:
    """Return every mistake of a mapping file, a line each; empty if there is none."""
    problems = Problems()
    declarations: list[str] = []
    try:
        source = read_source(path, problems)
        if source is not None:
            compile_source(source, model, problems, {})
    except ConfigError as exc:  # class declarations that cannot be compiled
        declarations = exc.message.splitlines()
    return (*(str(problem) for problem in problems.in_order()), *declarations)


def compile_source(
    source: Source, model: Model, problems: Problems, settings: Mapping[str, Any]
) -> CompiledMapping:
    """Compile a merged mapping; mistakes go to `problems`."""
    return _Compiler(source, load_schema(source.mof_folders), model, problems, settings).compile()


class _Compiler:
    def __init__(
        self,
        source: Source,
        schema: Schema,
        model: Model,
        problems: Problems,
        settings: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._root = source.root
        self._model = model
        self._problems = problems
        self._schema = schema
        self._scope = self._new_scope(settings)
        self._services: dict[str, Service] = {}
        self._pools: dict[str, Pool] = {}
        self._resources: dict[str, ResourceMapping] = {}
        self._aliases: dict[str, dict[str, AliasInfo]] = {}
        self._said: frozenset[str] = frozenset()

    def _new_scope(self, settings: Mapping[str, Any]) -> Scope:
        declared = {key: node.value for key, node, _ in entries(child(self._root, "settings"))}
        for name in settings:
            if name not in declared:
                raise ConfigError(
                    f"the mapping {self._source.name} has no setting {name!r}"
                    f"{nearest(name, list(declared))}"
                )
        names = [key for key, _, _ in entries(child(self._root, "namespaces"))]
        return Scope(
            self._schema,
            self._problems,
            {key: str(node.value) for key, node, _ in entries(child(self._root, "classes"))},
            {**declared, **settings},
            {key: node for key, node, _ in entries(child(self._root, "rules"))},
            {key: node for key, node, _ in entries(child(self._root, "maps"))},
            frozenset({"impl", *names}),
            self._source.is_complete,
            self._units(),
        )

    def _units(self) -> dict[str, str]:
        """The words for units, by the programmatic unit as it may stand in a call."""
        found = {}
        for unit, word, place in entries(child(self._root, "units")):
            found[unit] = str(word.value)
            try:
                parse_unit(unit)
            except UnitError as exc:
                self._problems.add(place, str(exc))
        return found

    def compile(self) -> CompiledMapping:
        for alias, node, place in entries(child(self._root, "services")):
            self._service(alias, node, place)
        for alias, node, place in entries(child(self._root, "pools")):
            pool = compile_pool(self._scope, alias, node, place)
            if pool is not None:
                self._pools[alias] = pool
        waiting = {name: (node, place) for name, node, place
                   in entries(child(self._root, "resources"))}  # fmt: skip
        self._said = frozenset(waiting)
        # Parents first: a child sees its parent's relations.
        for name in sorted(waiting, key=lambda n: self._depth(n, waiting)):
            self._resource(name, *waiting[name])
        associations = child(self._root, "associations")
        return CompiledMapping(
            self._source.name,
            self._schema,
            self._namespaces(),
            self._services,
            self._resources,
            compile_jobs(child(self._root, "jobs"), self._scope, self._services),
            associations is not None and associations.value == "enumerable",
            self._recognise(),
            self._scope.constants,
            tuple(file.stem for file in self._source.files),
            self._pools,
            self._unfit(),
        )

    def _depth(self, name: str, waiting: Mapping[str, tuple[Node, Place]]) -> int:
        depth, seen = 0, {name}
        node = child(waiting[name][0], "parent")
        while node is not None:
            parent = child(node, "resource")
            up = str(parent.value) if parent is not None else ""
            if up not in waiting or up in seen:
                break
            seen.add(up)
            depth += 1
            node = child(waiting[up][0], "parent")
        return depth

    def _service(self, alias: str, node: Node, place: Place) -> None:
        classname = child(node, "class")
        if classname is None:
            self._problems.add(place, f"the service {alias!r} names no `class`")
            return
        name = self._scope.classname(classname)
        namespace = self._scope.namespace(child(node, "ns"), place)
        optional = child(node, "optional")
        is_optional = optional is not None and optional.value is True
        self._services[alias] = Service(alias, name or UNKNOWN, namespace, is_optional)

    def _namespaces(self) -> dict[str, Discovery]:
        found = {"impl": Discovery(())}
        for name, node, _ in entries(child(self._root, "namespaces")):
            if isinstance(node.value, str):
                found[name] = Discovery((node.value,))
                continue
            plain = node.plain()
            rule = plain.get("discover")
            if rule is None:
                found[name] = Discovery(tuple(plain.get("try", ())))
                continue
            said = _PROFILE_DISCOVERY | (rule if isinstance(rule, dict) else {})
            found[name] = Discovery(
                tuple(plain.get("try", ())), tuple(said["profiles"]), said["class"],
                said["via"], said["role"], said["result"],
            )  # fmt: skip
        return found

    def _recognise(self) -> tuple[str, str] | None:
        node = child(self._root, "recognise")
        if node is None:
            return None
        classname, namespace = child(node, "class"), child(node, "ns")
        name = self._scope.classname(classname) if classname is not None else None
        return None if name is None else (name, str(namespace.value) if namespace else "")

    def _unfit(self) -> tuple[str, ...]:
        said = child(child(self._root, "recognise"), "unless")
        items = said.value if said is not None and isinstance(said.value, list) else []
        return tuple(name for name in map(self._scope.classname, items) if name is not None)

    def _resource(self, name: str, node: Node, place: Place) -> None:
        if name not in self._model.types:
            known = list(self._model.types)
            self._problems.add(place, f"CIMI has no resource {name!r}{nearest(name, known)}")
            return
        parent, anchor = self._anchor(node, place)
        if anchor is None:
            return
        scope = self._scope.for_resource({})
        declare_aliases(scope, child(node, "join"), self._inherited(parent, anchor))
        self._aliases[name] = dict(scope.aliases)
        relations = self._relations(scope, node, parent, anchor)
        each = self._each(scope, child(node, "each"), parent)
        cimi = self._model[name]
        reader = AttributeCompiler(scope, cimi.attributes, self._model.types)
        attributes = {}
        for key, value, where in entries(child(node, "attributes")):
            attribute = reader.attribute(key, value, where)
            if attribute is not None:
                attributes[key] = replace(attribute, where=place_of(where))
        pools = {alias: AliasInfo(pool.classname) for alias, pool in self._pools.items()}
        owner = self._model[parent] if parent is not None else None
        acting = scope.for_resource({**pools, **scope.aliases})
        doer = OperationCompiler(acting, self._services, cimi, owner)
        operations = {}
        for key, value, where in entries(child(node, "operations")):
            operation = doer.operation(key, value, where)
            if operation is not None:
                operations[key] = operation
        self._check_advertised(child(node, "advertise"), child(node, "operations"), operations)
        said = {key: value for key, value, _ in entries(child(node, "writers"))}
        made = {key: doer.writer(key, value) for key, value in said.items()}
        writers = {key: writer for key, writer in made.items() if writer is not None}
        reader.check_writers(child(node, "attributes"), said)
        identity = child(node, "id")
        teller = IdentityCompiler(scope)
        natural = teller.natural_keys(identity)
        if child(identity, "natural") is None and "natural" not in self._problems.broken:
            self._problems.add(place, f"{name} has no natural key: say id: {{natural: [...]}}")
        self._resources[name] = ResourceMapping(
            name,
            self._collection(name, parent, node, place),
            each or anchor.alias,
            relations,
            reader.where(child(node, "where")),
            natural,
            teller.rebuild(identity, anchor.classname, anchor.namespace),
            attributes,
            operations,
            teller.advertisement(child(node, "advertise")),
            (*doer.faults(child(node, "faults")), *doer.faults(child(self._root, "faults"))),
            parent,
            writers,
            is_each=each is not None,
            room=compile_room(scope, child(node, "room"), self._pools),
            takes=compile_takes(scope, child(node, "takes"), self._pools, cimi, self._model),
        )

    def _each(self, scope: Scope, node: Node | None, parent: str | None) -> str | None:
        """The relation whose rows are the resources; from here on it stands for one of them."""
        if node is None:
            return None
        if parent is not None:
            return self._problems.add(node.where, "`each` of a part stands in its `parent`")
        alias = str(node.value)
        info = scope.alias(alias, node.where)
        if info is None:
            return None
        scope.aliases[alias] = AliasInfo(info.classname, info.also, False)
        return alias

    def _check_advertised(
        self,
        advertise: Node | None,
        said: Node | None,
        operations: Mapping[str, OperationMapping],
    ) -> None:
        """The parameter that is advertised must be one that an operation sends."""
        parameter = child(advertise, "parameter")
        choices = [c for o in operations.values() for c in (*o.before, *o.choices)]
        sent = sorted({name for choice in choices for name in choice.use.arguments})
        is_whole = len(operations) == len(list(entries(said)))
        if parameter is not None and sent and is_whole and parameter.value not in sent:
            name = str(parameter.value)
            self._problems.add(
                parameter.where, f"no operation sends a parameter {name!r}{nearest(name, sent)}"
            )

    def _collection(self, name: str, parent: str | None, node: Node, place: Place) -> str:
        """Return the name of the collection, which is the standard's."""
        said = child(node, "collection")
        known = [
            row.name
            for row in self._model[parent or "CloudEntryPoint"].attributes.values()
            if row.kind is Kind.COLLECTION
            and name in {row.target, *(row.target_in(version) for version in CimiVersion)}
        ]
        value = str(said.value) if said is not None else known[0] if len(known) == 1 else ""
        if value not in known:
            where = place if said is None else said.where
            home = f"; it is {' or '.join(known)}" if known else ""
            self._problems.add(
                where,
                f"no collection {value!r} of {name} is in a {parent or 'CloudEntryPoint'}{home}",
            )
        return value

    def _anchor(self, node: Node, place: Place) -> tuple[str | None, Relation | None]:
        """Return the parent's name, if any, and the anchor as a relation."""
        parent = child(node, "parent")
        if parent is not None:
            return self._child_anchor(parent)
        anchor = child(node, "anchor")
        alias, classname = child(anchor, "as"), child(anchor, "class")
        if alias is None or classname is None:
            return None, self._problems.add(
                place, "a resource says what it is: anchor: {as: ..., class: ...}, or parent"
            )
        name = self._scope.classname(classname) or UNKNOWN
        namespace = self._scope.namespace(child(anchor, "ns"), place)
        return None, Relation(str(alias.value), Way.ANCHOR, name, namespace)

    def _child_anchor(self, parent: Node) -> tuple[str | None, Relation | None]:
        resource, each = child(parent, "resource"), child(parent, "each")
        name = str(resource.value) if resource is not None else ""
        alias = str(each.value) if each is not None else ""
        if name not in self._said and name not in self._problems.broken:
            where = resource.where if resource is not None else parent.where
            known = sorted(self._said)
            self._problems.add(where, f"no resource {name!r} is mapped{nearest(name, known)}")
        owner, aliases = self._resources.get(name), self._aliases.get(name)
        if owner is None or aliases is None:
            return None, None
        info = aliases.get(alias)
        if info is None and alias not in self._problems.broken:
            where = each.where if each is not None else parent.where
            known = list(aliases)
            self._problems.add(where, f"{name} has no relation {alias!r}{nearest(alias, known)}")
        if info is None:
            return None, None
        # A relation that is there but did not compile: the child's own mistakes still count.
        broken = Relation(alias, Way.VIEW, info.classname, "impl")
        return name, owner.relations.get(alias, broken)

    def _inherited(self, parent: str | None, anchor: Relation) -> dict[str, AliasInfo]:
        if parent is None:
            return {anchor.alias: AliasInfo(anchor.classname)}
        inherited = dict(self._aliases[parent])
        inherited[anchor.alias] = replace(inherited[anchor.alias], is_many=False)
        return inherited

    def _relations(
        self, scope: Scope, node: Node, parent: str | None, anchor: Relation
    ) -> dict[str, Relation]:
        own = RelationCompiler(scope, anchor.alias, anchor.namespace).compile(child(node, "join"))
        return own if parent is not None else {anchor.alias: anchor, **own}
