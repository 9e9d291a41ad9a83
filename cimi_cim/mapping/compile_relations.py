"""Compiles `anchor` and `join`: from YAML to `Relation`, checked against the declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cimi_cim.mapping.compiled import Naming, Relation, Way
from cimi_cim.mapping.conditions import Predicate
from cimi_cim.mapping.expressions import (
    LOCAL,
    Binding,
    Evaluator,
    Expression,
    ExpressionError,
    Property,
    parse_expression,
    properties_of,
)
from cimi_cim.mapping.joining import as_key
from cimi_cim.mapping.scope import UNKNOWN, AliasInfo, Scope, as_said, child, entries, required
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.schema.declarations import PropertyDeclaration
from cimi_cim.wbem.values import Row
from cimi_cim.yaml_source import Node, Place

_WAYS = ("via", "match", "at", "refers", "of")


def declare_aliases(scope: Scope, join: Node | None, inherited: Mapping[str, AliasInfo]) -> None:
    """Put every alias of `join` into the scope, views after what they are views of."""
    scope.aliases.update(inherited)
    waiting = {alias: node for alias, node, _ in entries(join)}
    while waiting:
        ready = [a for a, n in waiting.items() if _base(n) is None or _base(n) in scope.aliases]
        if not ready:
            _complain_of_views(scope, waiting)
            return
        for alias in ready:
            node = waiting.pop(alias)
            is_items = child(node, "items") is not None
            scope.aliases[alias] = _items_info(scope, node) if is_items else _info(scope, node)
            _declare_link(scope, node)


def _complain_of_views(scope: Scope, waiting: Mapping[str, Node]) -> None:
    """Tell which views are of nothing, or of one another; what is of them goes without a word."""
    lost = {alias: node for alias, node in waiting.items() if _base(node) not in waiting}
    for node in lost.values():
        scope.alias(str(_base(node)), required(node, "of").where)
    if not lost:
        place = next(iter(waiting.values())).where
        names = ", ".join(sorted(waiting))
        scope.problems.add(place, f"these relations are views of one another: {names}")
    scope.problems.broken |= waiting.keys()


def _base(node: Node) -> str | None:
    base = child(node, "of")
    return None if base is None else str(base.value)


def _declare_link(scope: Scope, node: Node) -> None:
    link, via, many = child(node, "link"), child(node, "via"), child(node, "card")
    if link is not None and via is not None:
        name = scope.classname(via, substitute=False) or UNKNOWN
        is_many = many is not None and many.value == "many"
        scope.aliases[str(link.value)] = AliasInfo(name, None, is_many)


def _info(scope: Scope, node: Node) -> AliasInfo:
    card, also, classname = child(node, "card"), child(node, "also"), child(node, "class")
    base = scope.aliases.get(_base(node) or "")
    wider = scope.classname(also) if also is not None else (base.also if base else None)
    if classname is None:
        if base is None:
            scope.problems.add(node.where, "a relation names its `class`, or is a view `of`")
            return AliasInfo(UNKNOWN)
        is_many = base.is_many if card is None else card.value == "many"
        return AliasInfo(base.classname, wider, is_many)
    name = scope.classname(classname) or UNKNOWN
    return AliasInfo(name, wider, card is not None and card.value == "many")


def _items_info(scope: Scope, node: Node) -> AliasInfo:
    """The properties of rows that are made of arrays, as far as the arrays are declared."""
    base = child(node, "of")
    if base is None:
        scope.problems.add(node.where, "`items` are of a relation: say it with `of`")
        return AliasInfo(UNKNOWN, is_many=True)
    if child(node, "class") is not None:
        scope.problems.add(node.where, "rows that are made of `items` have no `class`")
    declared = {"index": PropertyDeclaration("index", "uint32")}
    for name, value, _ in entries(child(node, "items")):
        declared[name] = _item(scope, name, str(value.value))
    return AliasInfo(UNKNOWN, is_many=True, items=declared)


def _item(scope: Scope, name: str, text: str) -> PropertyDeclaration:
    """What an item is declared to be: as the array that it is of, else a text."""
    try:
        expression = parse_expression(text)
    except ExpressionError:
        expression = None  # whoever compiles it complains
    info = scope.aliases.get(expression.alias) if isinstance(expression, Property) else None
    found = None
    if info is not None and isinstance(expression, Property):
        classes = [cls for cls in (info.classname, info.also) if cls]
        found = next(
            filter(None, (scope.schema.property(c, expression.name) for c in classes)), None
        )
    return (
        PropertyDeclaration(name, "string")
        if found is None
        else replace(found, name=name, is_array=False, is_key=False)
    )


class RelationCompiler:
    """Compiles the relations of one resource."""

    def __init__(self, scope: Scope, anchor: str, namespace: str) -> None:
        self._scope = scope
        self._anchor = anchor
        self._namespace = namespace

    def compile(self, join: Node | None) -> dict[str, Relation]:
        """Return the relations in an order in which sources come first."""
        found: dict[str, Relation] = {}
        for alias, node, place in entries(join):
            relation = self._relation(alias, node, place)
            if relation is not None:
                found[alias] = relation
        return self._ordered(found, join)

    def _relation(self, alias: str, node: Node, place: Place) -> Relation | None:
        info = self._scope.aliases.get(alias)
        if info is None:
            return None
        ways = [key for key in _WAYS if child(node, key) is not None]
        if len(ways) != 1:
            said = f"both {' and '.join(ways)}" if ways else "none of them"
            return self._scope.problems.add(
                place,
                f"relation {alias!r} is reached by one of {', '.join(_WAYS[:-1])} or {_WAYS[-1]};"
                f" not {said}",
            )
        accepts, needs = self._filter(alias, node)
        common = _Common(alias, info, self._source(node, place), accepts, needs)
        build = {
            "via": self._via, "match": self._match, "at": self._at, "refers": self._refers,
            "of": self._view if child(node, "items") is None else self._items,
        }  # fmt: skip
        relation = build[ways[0]](node, common)
        if relation is None:
            return None
        naming, more = self._naming(child(node, "named"), common)
        said = _said(node, ways[0])
        return replace(relation, said=said, naming=naming, needs=relation.needs | more)

    def _naming(
        self, node: Node | None, common: _Common
    ) -> tuple[Naming | None, frozenset[Property]]:
        """The path under which a row is known, and what forming it reads."""
        if node is None:
            return None, frozenset()
        classname = self._scope.classname(required(node, "class"))
        if classname is None:
            return None, frozenset()
        declared = {key.name.lower(): key.name for key in self._scope.schema.keys(classname)}
        inner = self._scope.for_resource(self._scope.aliases)
        inner.aliases[LOCAL] = common.info
        keys: list[tuple[str, Evaluator]] = []
        needs: set[Property] = set()
        for name, value, place in entries(required(node, "keys")):
            expression = inner.expression(value)
            if name.lower() not in declared:
                self._scope.problems.add(place, f"{classname} has no key {name!r}")
            elif expression is not None:
                keys.append((declared[name.lower()], self._scope.evaluator(expression)))
                needs |= _relocate(expression, common.alias)
        return Naming(classname, tuple(keys)), frozenset(needs)

    def _source(self, node: Node, place: Place) -> str:
        source = child(node, "from")
        name = self._anchor if source is None else str(source.value)
        self._scope.alias(name, source.where if source else place)
        return name

    def _filter(self, alias: str, node: Node) -> tuple[Predicate | None, frozenset[Property]]:
        where = child(node, "where")
        if where is None:
            return None, frozenset()
        reading = self._scope.tests(where, alias=alias)
        return (None, frozenset()) if reading is None else (reading.evaluate, reading.needs)

    def _flags(self, node: Node) -> tuple[str, bool, str | None]:
        namespace, optional = child(node, "ns"), child(node, "optional")
        excluded = child(node, "not")
        name = self._scope.namespace(namespace, node.where) if namespace else self._namespace
        return (
            name,
            optional is not None and optional.value is True,
            None if excluded is None else self._scope.classname(excluded),
        )

    def _view(self, node: Node, common: _Common) -> Relation:
        base = required(node, "of")
        namespace, optional, excluded = self._flags(node)
        return Relation(
            common.alias, Way.VIEW, common.info.classname, namespace, str(base.value),
            common.info.is_many, optional, common.needs, common.accepts, excluded,
        )  # fmt: skip

    def _items(self, node: Node, common: _Common) -> Relation:
        base = str(required(node, "of").value)
        needs, items = set(common.needs), []
        for name, value, _ in entries(required(node, "items")):
            reading = self._scope.reading(value)
            if reading is None:
                continue
            for need in reading.needs:
                if need.alias != base:
                    self._scope.problems.add(
                        value.where, f"`items` of {base} read {base}, not {need.alias}"
                    )
            needs |= reading.needs
            items.append((name, reading.evaluate))
        return Relation(
            common.alias, Way.ITEMS, UNKNOWN, self._namespace, base, is_many=True, is_optional=True,
            needs=frozenset(needs), accepts=common.accepts, items=tuple(items),
        )  # fmt: skip

    def _refers(self, node: Node, common: _Common) -> Relation | None:
        """As a match of paths: the one that a property holds, and that of a row of `from`."""
        refers = required(node, "refers")
        name = str(refers.value)
        if self._scope.property(common.alias, name, refers.where) is None:
            return None
        source = common.source

        def local(binding: Binding) -> Any:
            row = binding.get(LOCAL)
            value = row.get(name) if isinstance(row, Row) else None
            several = value if isinstance(value, tuple) else (value,)
            space = row.path.namespace if isinstance(row, Row) else ""
            return [as_path(one, space) for one in several]

        def remote(binding: Binding) -> Any:
            row = binding.get(source)
            return row.path if isinstance(row, Row) else None

        namespace, optional, excluded = self._flags(node)
        return Relation(
            common.alias, Way.MATCH, common.info.classname, namespace, source,
            common.info.is_many, optional, common.needs | {Property(common.alias, name)},
            common.accepts, excluded, local=(local,), remote=(remote,),
        )  # fmt: skip

    def _via(self, node: Node, common: _Common) -> Relation | None:
        via = required(node, "via")
        role, result, link = (child(node, key) for key in ("role", "result", "link"))
        association = self._scope.classname(via, substitute=False)
        namespace, optional, excluded = self._flags(node)
        ends = [self._end(association, end, via, what) for end, what in
                ((role, "role"), (result, "result"))]  # fmt: skip
        if association is None or ends[0] is None or ends[1] is None:
            return None
        return Relation(
            common.alias, Way.VIA, common.info.classname, namespace, common.source,
            common.info.is_many, optional, common.needs, common.accepts, excluded,
            association, ends[0], ends[1], None if link is None else str(link.value),
        )  # fmt: skip

    def _end(self, association: str | None, end: Node | None, via: Node, what: str) -> str | None:
        if association is None:
            return None
        if end is None:
            return self._scope.problems.add(via.where, f"`via` wants the `{what}` beside it")
        declared = self._scope.property_of(association, str(end.value), end.where)
        if declared is not None and declared.type != "reference":
            return self._scope.problems.add(
                end.where, f"{association}.{declared.name} is no reference"
            )
        return None if declared is None else declared.name

    def _at(self, node: Node, common: _Common) -> Relation | None:
        at = required(node, "at")
        reading = self._scope.reading(at)
        namespace, optional, excluded = self._flags(node)
        if reading is None:
            return None
        return Relation(
            common.alias, Way.AT, common.info.classname, namespace, common.source,
            common.info.is_many, optional, common.needs | reading.needs, common.accepts,
            excluded, at=reading.evaluate,
        )  # fmt: skip

    def _match(self, node: Node, common: _Common) -> Relation | None:
        match = required(node, "match")
        inner = self._scope.for_resource(self._scope.aliases)
        inner.aliases[LOCAL] = common.info
        local: list[Evaluator] = []
        remote: list[Evaluator] = []
        needs = set(common.needs)
        plain: dict[str, Evaluator] = {}
        for key, value, place in entries(match):
            left = inner.expression(Node(key, place))
            right = self._scope.expression(value)
            if left is None or right is None:
                continue
            needs.update(_relocate(left, common.alias))
            needs.update(properties_of(right))
            local.append(self._scope.evaluator(left))
            remote.append(self._scope.evaluator(right))
            if isinstance(left, Property):
                plain[left.name.lower()] = remote[-1]
        namespace, optional, excluded = self._flags(node)
        keys, key_needs = self._keys(node, common, plain)
        return Relation(
            common.alias, Way.MATCH, common.info.classname, namespace, common.source,
            common.info.is_many, optional, frozenset(needs | key_needs), common.accepts,
            excluded, local=tuple(local), remote=tuple(remote), keys=keys,
        )  # fmt: skip

    def _keys(
        self, node: Node, common: _Common, plain: Mapping[str, Evaluator]
    ) -> tuple[tuple[tuple[str, Evaluator], ...], set[Property]]:
        """The keys of the one instance: from `get`, or from a match that names them all."""
        declared = self._scope.schema.keys(common.info.classname)
        get = child(node, "get")
        if get is None:
            if declared and all(key.name.lower() in plain for key in declared):
                found = ((key, plain[key.name.lower()]) for key in declared)
                return tuple((k.name, as_key(found_by, k.type)) for k, found_by in found), set()
            return (), set()
        keys, needs, types = [], set[Property](), {k.name.lower(): k.type for k in declared}
        for name, value, place in entries(get):
            known = {key.name.lower(): key.name for key in declared}
            if name.lower() not in known and common.info.classname != UNKNOWN:
                self._scope.problems.add(
                    place,
                    f"{common.info.classname} has no key {name!r};"
                    f" its keys are {', '.join(known.values())}",
                )
            expression: Expression | None = self._scope.expression(value)
            if expression is not None:
                needs.update(properties_of(expression))
                evaluate = self._scope.evaluator(expression)
                keys.append((name, as_key(evaluate, types.get(name.lower(), ""))))
        return tuple(keys), needs

    def _ordered(self, found: dict[str, Relation], join: Node | None) -> dict[str, Relation]:
        ordered: dict[str, Relation] = {}
        waiting = dict(found)
        while waiting:
            ready = [a for a, r in waiting.items() if not _sources(r, waiting)]
            if not ready:
                place = join.where if join else Place("", 0, 0)
                names = ", ".join(sorted(waiting))
                self._scope.problems.add(place, f"these relations start from one another: {names}")
                return ordered
            for alias in ready:
                ordered[alias] = waiting.pop(alias)
        return ordered


@dataclass(frozen=True, slots=True)
class _Common:
    alias: str
    info: AliasInfo
    source: str
    accepts: Predicate | None
    needs: frozenset[Property]


def _said(node: Node, way: str) -> str:
    """What the mapping says of how the rows are found, beside classes, and which of them count."""
    ways = (way, "items") if way in ("match", "at") else ("items",)
    said = node.plain()
    keys = (*ways, "where", "not")
    return "; ".join(f"{key}: {as_said(said[key])}" for key in keys if key in said)


def _sources(relation: Relation, waiting: Mapping[str, Relation]) -> set[str]:
    """The relations that have to be there first, of those still waiting."""
    links = {r.link: alias for alias, r in waiting.items() if r.link}
    names = {need.alias for need in relation.needs} | {relation.source or ""}
    names = {links.get(name, name) for name in names}
    return {name for name in names if name in waiting and name != relation.alias}


def _relocate(expression: Expression, alias: str) -> set[Property]:
    """The properties of the joined row, under its alias instead of LOCAL."""
    return {Property(alias, part.name) for part in properties_of(expression)}
