"""Runs a plan on one target and joins the rows in memory.

*Batch* reads whole classes: every class and every association once, whatever the number of
resources, all at the same time. *Single* starts from one path and follows the
relations, level by level. Both fill bindings: one dict per resource, rows by alias.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cimi_cim.mapping.compiled import DERIVED, Relation, Way
from cimi_cim.mapping.expressions import LOCAL
from cimi_cim.mapping.fetches import ClassKey, Fetch, Fetches, TargetView
from cimi_cim.mapping.joining import (
    Link,
    index_of,
    items_of,
    keys_of,
    matching,
    paths_at,
    some_of_each_class,
)
from cimi_cim.mapping.joining import (
    MutableBinding as MutableBinding,
)
from cimi_cim.mapping.left_out import noted
from cimi_cim.mapping.plan import Plan
from cimi_cim.mapping.story import current_story
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemFailed, WbemInvalidClass, WbemNotFound, WbemNotSupported
from cimi_cim.wbem.values import InstancePath, Row

_ABSENT = (WbemInvalidClass, WbemNotSupported)  # class absent = feature absent, on reads
_REFUSED = (*_ABSENT, WbemFailed)  # how providers say that they do not enumerate a class
_CIM_ERR_NOT_FOUND = 6


class Execution:
    """One run of one plan on one target under one deadline."""

    def __init__(self, plan: Plan, target: TargetView, deadline: Deadline) -> None:
        self._plan = plan
        self._target = target
        self._deadline = deadline

    def batch(self) -> list[MutableBinding]:
        """Return the bindings of all resources of the type on the target."""
        self._tell(None)
        fetched = self._fetch(Fetches(self._plan, self._target, self._deadline).wanted())
        anchor, *relations = self._plan.outer
        bindings: list[MutableBinding] = [
            {anchor.alias: row} for row in fetched.get(self._key(anchor), ())
        ]
        for relation in relations:
            self._attach_batch(relation, bindings, fetched)
        return self._told(self._children(bindings, fetched))

    def single(self, path: InstancePath) -> list[MutableBinding]:
        """Return the binding of the resource at `path`; of a child type, all its children.

        Raises `WbemNotFound` when it is gone.
        """
        if self._plan.resource.is_each:
            return self._among_all(path)
        self._tell(path)
        anchor, *relations = self._plan.outer
        gateway = self._target.gateway
        row = gateway.get_instance(path, self._properties(anchor.alias), deadline=self._deadline)
        bindings: list[MutableBinding] = [{anchor.alias: row}]
        self._levels(relations, bindings)
        return self._told(self._children(bindings, None))

    def _tell(self, start: InstancePath | None) -> None:
        story = current_story()
        if story is not None:
            story.ran(self._plan, self._target, start)

    def _told(self, bindings: list[MutableBinding]) -> list[MutableBinding]:
        story = current_story()
        if story is not None:
            story.got(self._plan, len(bindings))
        return bindings

    def _among_all(self, path: InstancePath) -> list[MutableBinding]:
        """The binding of a resource that cannot be read by its path."""
        alias = self._plan.resource.anchor
        found = [b for b in self.batch() if any(r.path == path for r in rows_of(b, alias))]
        if not found:
            raise WbemNotFound(_CIM_ERR_NOT_FOUND, f"none of all is {path.canonical}")
        return found[:1]

    def _children(
        self, bindings: list[MutableBinding], fetched: dict[Any, list[Row]] | None
    ) -> list[MutableBinding]:
        """One binding per row of the child's alias, with the child's own relations."""
        if self._plan.resource.parent is None and not self._plan.resource.is_each:
            return bindings
        alias = self._plan.resource.anchor
        expanded: list[MutableBinding] = [
            {**binding, alias: row} for binding in bindings for row in rows_of(binding, alias)
        ]
        if fetched is None:
            self._levels(self._plan.inner, expanded)
        else:
            for relation in self._plan.inner:
                self._attach_batch(relation, expanded, fetched)
        return expanded

    def _levels(self, relations: Sequence[Relation], bindings: list[MutableBinding]) -> None:
        """Read relations whose sources are there at the same time, then the next ones."""
        waiting = list(relations)
        while waiting:
            pending = {relation.alias for relation in waiting}
            ready = [r for r in waiting if not self._sources(r) & pending]
            views = [r for r in ready if r.way in DERIVED]
            reads = [r for r in ready if r.way not in DERIVED]
            jobs = [self._target.pool.submit(self._read, r, bindings) for r in reads]
            for relation, job in zip(reads, jobs, strict=True):
                for binding, links in zip(bindings, job.result(), strict=True):
                    self._bind(relation, binding, links)
            for relation in views:
                self._derive(relation, bindings)
            waiting = [r for r in waiting if r not in ready]

    def _sources(self, relation: Relation) -> set[str]:
        needs = {need.alias for need in relation.needs} | {relation.source or ""}
        return needs - {relation.alias}

    def _read(self, relation: Relation, bindings: list[MutableBinding]) -> list[list[Link]]:
        """Return, per binding, the rows of a relation, each read directly."""
        try:
            if relation.way is Way.VIA:
                return [self._walk(relation, b) for b in bindings]
            if relation.way is Way.AT:
                return [self._at(relation, b) for b in bindings]
            if relation.keys:
                return [self._get(relation, b) for b in bindings]
            rows = self._enumerate(relation)
        except _ABSENT:
            if relation.is_optional:
                return [[] for _ in bindings]
            raise
        index = index_of(rows, relation)
        return [matching(index, relation, b) for b in bindings]

    def _enumerate(self, relation: Relation) -> list[Row]:
        namespace = self._target.namespace(relation.namespace, self._deadline)
        return self._listed(relation.classname, namespace, self._properties(relation.alias))

    def _listed(self, classname: str, namespace: str, properties: tuple[str, ...]) -> list[Row]:
        rows = self._target.gateway.enumerate_instances(
            classname, namespace, properties, deadline=self._deadline
        )
        return noted(rows, classname, self._target.alias)

    def _walked(self, relation: Relation, binding: MutableBinding) -> list[Link]:
        try:
            return self._walk(relation, binding)
        except _ABSENT:
            if relation.is_optional:
                return []
            raise

    def _walk(self, relation: Relation, binding: MutableBinding) -> list[Link]:
        found: list[Link] = []
        for source in rows_of(binding, relation.source or ""):
            if relation.link is not None and relation.link in self._plan.properties:
                found += self._walk_links(relation, source.path)
            else:
                rows = self._target.gateway.associators(
                    source.path,
                    self._properties(relation.alias),
                    assoc_class=relation.association,
                    result_class=relation.classname,
                    role=relation.role,
                    result_role=relation.result,
                    deadline=self._deadline,
                )
                kept = noted(rows, relation.classname, self._target.alias)
                found += [(row, None) for row in kept]
        return found

    def _walk_links(self, relation: Relation, source: InstancePath) -> list[Link]:
        """Through the association instances, as their own properties are wanted."""
        wanted = (relation.role, relation.result, *self._properties(relation.link or ""))
        links = self._target.gateway.references(
            source, wanted, result_class=relation.association, role=relation.role,
            deadline=self._deadline,
        )  # fmt: skip
        found: list[Link] = []
        for link in noted(links, relation.association, self._target.alias):
            path = as_path(link.get(relation.result), source.namespace)
            if path is not None:
                found += [(row, link) for row in self._get_path(path, relation)]
        return found

    def _get(self, relation: Relation, binding: MutableBinding) -> list[Link]:
        names = [name for name, _ in relation.keys]
        namespace = self._target.namespace(relation.namespace, self._deadline)
        found: list[Link] = []
        for key in keys_of(relation, (evaluate for _, evaluate in relation.keys), binding):
            path = InstancePath(namespace, relation.classname, tuple(zip(names, key, strict=True)))
            found += [(row, None) for row in self._get_path(path, relation)]
        return found

    def _at(self, relation: Relation, binding: MutableBinding) -> list[Link]:
        namespace = self._target.namespace(relation.namespace, self._deadline)
        found: list[Link] = []
        for path in paths_at(relation, binding, namespace):
            found += [(row, None) for row in self._get_path(path, relation)]
        return found

    def _get_path(self, path: InstancePath, relation: Relation) -> list[Row]:
        properties = self._properties(relation.alias)
        try:
            return [self._target.gateway.get_instance(path, properties, deadline=self._deadline)]
        except WbemNotFound:
            return []

    def _fetch(self, wanted: Mapping[ClassKey, Fetch]) -> dict[ClassKey, list[Row]]:
        """Enumerate every wanted class, all at the same time.

        An association class that cannot be enumerated is left out: it will be walked.
        """
        relations = (*self._plan.outer, *self._plan.inner)
        associations = {r.association for r in relations if r.way is Way.VIA}
        jobs = {
            key: self._target.pool.submit(self._fetch_one, key, fetch, associations)
            for key, fetch in wanted.items()
        }
        fetched = {key: job.result() for key, job in jobs.items()}
        return {key: rows for key, rows in fetched.items() if rows is not None}

    def _fetch_one(self, key: ClassKey, fetch: Fetch, associations: set[str]) -> list[Row] | None:
        namespace, classname = key
        try:
            return self._listed(classname, namespace, tuple(sorted(fetch.properties)))
        except _REFUSED as exc:
            if fetch.is_optional and isinstance(exc, WbemInvalidClass):
                return []
            if classname in associations:
                self._target.distrust(classname)
                return None
            if fetch.is_optional and isinstance(exc, _ABSENT):
                return []
            raise

    def _key(self, relation: Relation) -> ClassKey:
        namespace = self._target.namespace(relation.namespace, self._deadline)
        return namespace, relation.classname

    def _attach_batch(
        self, relation: Relation, bindings: list[MutableBinding], fetched: dict[Any, list[Row]]
    ) -> None:
        if relation.way in DERIVED:
            self._derive(relation, bindings)
            return
        if relation.way is Way.VIA:
            found = self._joined(relation, bindings, fetched)
        elif relation.way is Way.AT:
            namespace = self._key(relation)[0]
            by_path = {row.path: row for row in fetched[self._key(relation)]}
            found = [
                [(by_path[p], None) for p in paths_at(relation, b, namespace) if p in by_path]
                for b in bindings
            ]
        else:
            index = index_of(fetched[self._key(relation)], relation)
            found = [matching(index, relation, b) for b in bindings]
        for binding, links in zip(bindings, found, strict=True):
            self._bind(relation, binding, links)

    def _joined(
        self, relation: Relation, bindings: list[MutableBinding], fetched: dict[Any, list[Row]]
    ) -> list[list[Link]]:
        """Join through the enumerated association, or walk where it cannot be enumerated."""
        namespace, _ = self._key(relation)
        links = fetched.get((namespace, relation.association))
        if links is None or (not links and self._hides(relation, bindings)):
            return list(self._target.pool.map(lambda b: self._walked(relation, b), bindings))
        targets = {row.path: row for row in fetched[self._key(relation)]}
        ends: dict[InstancePath, list[Link]] = {}
        for link in links:
            source = as_path(link.get(relation.role), namespace)
            target = as_path(link.get(relation.result), namespace)
            if source is not None and target is not None and target in targets:
                ends.setdefault(source, []).append((targets[target], link))
        return [
            [link for row in rows_of(b, relation.source or "") for link in ends.get(row.path, ())]
            for b in bindings
        ]

    def _hides(self, relation: Relation, bindings: list[MutableBinding]) -> bool:
        """Whether an association that enumerates to nothing has instances after all.

        libvirt-cim on SFCB and on OpenPegasus answers an empty list without an error for
        every association class, so an empty answer is held against a few walks: from
        sources of every class, as hosts, switches and machines are not associated alike.
        """
        sources = (row.path for b in bindings for row in rows_of(b, relation.source or ""))
        for source in some_of_each_class(sources):
            names = self._target.gateway.associator_names(
                source,
                assoc_class=relation.association,
                role=relation.role,
                result_role=relation.result,
                deadline=self._deadline,
            )
            if names:
                self._target.distrust(relation.association)
                return True
        return False

    def _derive(self, relation: Relation, bindings: list[MutableBinding]) -> None:
        """Bind rows that are those of another relation, or made of its arrays."""
        for binding in bindings:
            rows = rows_of(binding, relation.source or "")
            if relation.way is Way.ITEMS:
                rows = tuple(item for row in rows for item in items_of(relation, row))
            self._bind(relation, binding, [(row, None) for row in rows])

    def _bind(self, relation: Relation, binding: MutableBinding, links: Iterable[Link]) -> None:
        kept = [link for link in links if self._accepts(relation, link[0])]
        rows = tuple(_named(row, relation) for row, _ in kept)
        binding[relation.alias] = rows if relation.is_many else (rows[0] if rows else None)
        if relation.link is not None:
            through = tuple(link for _, link in kept if link is not None)
            first = through[0] if through else None
            binding[relation.link] = through if relation.is_many else first

    def _accepts(self, relation: Relation, row: Row) -> bool:
        if relation.accepts is not None and not relation.accepts({LOCAL: row}):
            return False
        return relation.excluded is None or not self._target.is_subclass(
            row.path.classname, relation.excluded, row.path.namespace, self._deadline
        )

    def _properties(self, alias: str) -> tuple[str, ...]:
        return self._plan.properties.get(alias, ())


def rows_of(binding: MutableBinding, alias: str) -> tuple[Row, ...]:
    """Return the rows of an alias, however many it may have."""
    bound = binding.get(alias)
    if bound is None:
        return ()
    return bound if isinstance(bound, tuple) else (bound,)


def _named(row: Row, relation: Relation) -> Row:
    """A row under the path by which it is known here."""
    if relation.naming is None:
        return row
    keys = tuple((name, evaluate({LOCAL: row})) for name, evaluate in relation.naming.keys)
    path = InstancePath(row.path.namespace, relation.naming.classname, keys)
    return Row(path, row.values)
