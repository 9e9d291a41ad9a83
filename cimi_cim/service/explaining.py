"""How a request is answered, told beside the answer; and what a change would do, undone.

The request goes through the use cases that serve it. What reads is carried out. What would
change something goes over a trial of the store, and Jobs are rehearsed (`rehearsal`): reads
that they need are sent, calls are told instead of sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from cimi_cim.mapping.explaining import operations_of, plans_of, resource_of
from cimi_cim.mapping.story import Story, told
from cimi_cim.model.explanations import ExplainedAttribute, ExplainedResource, Explanation
from cimi_cim.model.resources import Collection, Ref, Resource, Value
from cimi_cim.model.types import Access, CimiVersion
from cimi_cim.service.rehearsal import TrialJobs, rehearsed
from cimi_cim.service.service import Service, make_service
from cimi_cim.service.store.store import TrialStore

MOST_ITEMS = 3
"""So many items of a Collection are explained; the others come about in the same way."""


class Explained:
    """A request that is being explained; `service` is what is to answer it."""

    def __init__(self, service: Service, story: Story, trial: TrialJobs | None) -> None:
        self.service = service
        self._story = story
        self._trial = trial

    def explanation(self, shown: Resource | Collection | None, version: CimiVersion) -> Explanation:
        """Return the explanation of a request that was answered with `shown`, or failed."""
        jobs = []
        if self._trial is not None:
            parts = self.service.parts
            jobs = rehearsed(self._trial.submitted, parts.holdings, parts.engine, parts.deadline_s)
        elapsed_s = self._story.trace.elapsed_s
        resources = []
        if isinstance(shown, Collection):
            resources = [self._resource(item, version) for item in islice(shown.items, MOST_ITEMS)]
        elif shown is not None:
            resources = [self._resource(shown, version)]
        store = self.service.parts.store
        stored = store.changes if isinstance(store, TrialStore) else []
        return Explanation(
            plans_of(self._story), operations_of(self._story), resources, jobs, stored,
            round(elapsed_s * 1000, 2),
        )  # fmt: skip

    def _resource(self, shown: Resource, version: CimiVersion) -> ExplainedResource:
        """Tell where the attributes of a resource come from, as it is shown."""
        item = self._story.items.get(shown.path)
        of_server = None if item is None else resource_of(item)
        with self.service.parts.store.reading() as reading:
            stored = reading.find(shown.path)
            kept = stored.resource.values if stored is not None else reading.overlay(shown.path)
        found = dict(of_server.attributes) if of_server is not None else {}
        for name, value in shown.values.items():
            found[name] = _as_shown(name, value, found.get(name), kept, is_live=item is not None)
        found.setdefault("id", ExplainedAttribute("id", "computed", shown.path))
        if shown.selected is not None:
            found = {name: told for name, told in found.items() if name in shown.selected}
        if of_server is None:
            return ExplainedResource(shown.type, shown.path, "", found)
        actions = {}
        if shown.selected is None or "operations" in shown.selected:
            offered = {offer.name for offer in shown.operations}
            actions = {n: _as_offered(why, n in offered) for n, why in of_server.operations.items()}
        absent = {
            name: of_server.absent.get(name, "the mapping does not have it")
            for name in self._readable(shown, version)
            if name not in found
        }
        return ExplainedResource(shown.type, shown.path, of_server.server, found, actions, absent)

    def _readable(self, shown: Resource, version: CimiVersion) -> list[str]:
        """The attributes that a resource could show in a version."""
        form = self.service.model[shown.type].form(version)
        rows = [pair[0] for pair in form.rows if pair is not None] if form is not None else []
        return [
            row.name
            for row in rows
            if row.access is not Access.WRITE_ONLY
            and (shown.selected is None or row.name in shown.selected)
        ]


@contextmanager
def explaining(service: Service, *, is_change: bool) -> Iterator[Explained]:
    """Note what is done in this context to answer a request.

    A request that would change something `is_change`: then nothing is changed, neither on a
    server nor in the store.
    """
    with told(is_rehearsal=is_change) as story:
        if not is_change:
            yield Explained(service, story, None)
            return
        parts = service.parts
        trial = TrialJobs(parts.jobs)
        jobs = trial if parts.jobs is not None else None
        rehearsing = make_service(
            service.model, parts.engine, parts.store.trial(), jobs=jobs,
            deadline_s=parts.deadline_s,
        )  # fmt: skip
        yield Explained(rehearsing, story, trial)


def _as_offered(why: str, is_offered: bool) -> str:
    """Why an action is offered or not, where the bridge itself has a word in it."""
    if why.startswith("offered") and not is_offered:
        return "not offered: the server would do it, and a Job at work, or the version, forbids it"
    return why


def _as_shown(
    name: str,
    value: Value,
    own: ExplainedAttribute | None,
    kept: Mapping[str, Value],
    *,
    is_live: bool,
) -> ExplainedAttribute:
    """Where a value that is shown comes from: `own` is what the server has."""
    if own is not None and _is_same(own.value, value):
        return replace(own, value=value)
    source = "computed"
    if name in kept and _is_same(kept[name], value):
        source = "store"
    elif is_live and name == "state":
        source = "job"  # on its way: a Job is at work
    if own is None:
        return ExplainedAttribute(name, source, value)
    return replace(own, source=source, value=value)


def _is_same(before: Value, shown: Value) -> bool:
    """Whether a value is shown as it was; a reference may have been expanded."""
    if isinstance(before, Ref) and isinstance(shown, Resource | Collection):
        return before.path == shown.path
    return bool(before == shown)
