"""All targets as one: reads that go to each of them, and which of them a resource is on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cimi_cim.errors import NotFound, ProviderError, ProviderTimeout, ProviderUnavailable
from cimi_cim.mapping.choosing import Placement, Rule
from cimi_cim.mapping.compiled import CompiledMapping, ResourceMapping
from cimi_cim.mapping.execution import Execution
from cimi_cim.mapping.identity import IdentityMap, rebuilt_path
from cimi_cim.mapping.items import ItemMaker
from cimi_cim.mapping.looks import Looks, Recent
from cimi_cim.mapping.plan import plan_read
from cimi_cim.mapping.results import CollectionRead
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Crew
from cimi_cim.mapping.watch import Watch
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import InstancePath

log = logging.getLogger(__name__)

ID_ONLY: frozenset[str] = frozenset({"id"})
READS_AT_ONCE = 16
"""Of one target; each has its operations wait for the target's own limit."""
PLACEMENTS_AT_ONCE = 64
MOST_SAID = 3
"""So many targets are told one by one where it cannot be told whether something is there."""
STAYED_S = 30.0
"""How long what was not found anywhere but on a target that is down is not looked for again."""
KEPT, MOST_KEPT_S = 0.1, 2.0
"""The part of a request's time that is kept for making an answer of what several targets have."""
GRACE_S = 0.2
"""How long after the deadline targets may take to say that they are too late."""
RUNNING = frozenset(
    ["STARTING", "STARTED", "STOPPING", "PAUSING", "PAUSED", "RESUMING", "SUSPENDING", "RESTARTING"]
)
"""The states of Machines that are somewhere: what two targets have is where it is running."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one target has: token and path of the top-level resource, and the item read."""

    token: str
    path: InstancePath
    item: Resource | None


Shares = Mapping[str, Sequence[Claim]]
"""What the targets have that could be asked, by alias."""


class Fleet:
    """Any number of targets; `crew` are threads that they share and that end with the fleet."""

    def __init__(
        self, targets: Sequence[Target], crew: Crew | None = None, rule: Rule | None = None
    ) -> None:
        self.targets = {target.alias: target for target in targets}
        self.identities = IdentityMap()
        self._crew = crew
        self._reads = Crew("reads")
        self._lanes = {alias: self._reads.lane(READS_AT_ONCE) for alias in self.targets}
        self._looks: Looks[Mapping[str, ProviderError]] = Looks()
        self._stayed = Recent(STAYED_S)
        self._disputed: set[tuple[str, str]] = set()
        self.placement = Placement(rule or Rule(), self._reads.lane(PLACEMENTS_AT_ONCE))
        self.watch = Watch(targets, self._reads)

    def close(self) -> None:
        """Give back threads and connections."""
        self.watch.close()
        self._reads.close()
        if self._crew is not None:
            self._crew.close()
        for target in self.targets.values():
            target.close()

    def mappings_of(self, type_name: str) -> Iterator[tuple[CompiledMapping, ResourceMapping]]:
        """Yield how each target that maps a type does so."""
        for target in self.targets.values():
            resource = target.mapping.resources.get(type_name)
            if resource is not None:
                yield target.mapping, resource

    def owner(self, type_name: str) -> str:
        """Return the type that resources of a type are parts of, or the type itself."""
        for _, resource in self.mappings_of(type_name):
            return resource.parent or type_name
        return type_name

    def read_all(
        self, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Run the batch plan on every target that maps the type, all at the same time.

        A target that fails is left out; where all fail, the first one's error is raised.
        """
        targets = [t for t in self.targets.values() if type_name in t.mapping.resources]
        shares, failures = self._ask(targets, type_name, wanted, deadline)
        if failures and not shares:
            raise next(iter(failures.values()))
        items = self._settled(type_name, shares)
        return CollectionRead(items, {alias: exc.message for alias, exc in failures.items()})

    def locate(
        self, type_name: str, token: str, location: Location, deadline: Deadline
    ) -> tuple[str, InstancePath]:
        """Return target and path of a token: known, rebuilt from it, or after a look at all.

        What is on a target that is down may have moved to another one. Raises `NotFound`, and
        `ProviderUnavailable` where a server that may have it fails.
        """
        known = self.identities.find(type_name, token)
        if known is None:
            known = self._rebuilt(type_name, token, deadline)
        if known is not None and not self._may_have_moved(type_name, token, known[0]):
            return known
        failures = self._look(type_name, token, deadline)
        before, known = known, self.identities.find(type_name, token) or known
        if before is not None and known == before:
            self._stayed.add(type_name, token)
        if known is None and failures:
            raise _untold(location, failures)
        if known is None:
            raise NotFound(
                f"there is no {location.type} {location.path!r}; it may have been deleted"
            )
        return known

    def _may_have_moved(self, type_name: str, token: str, alias: str) -> bool:
        """Whether to look elsewhere for what is on a target that is down; not all the time."""
        is_global = "." not in token
        return is_global and self.targets[alias].is_down and not self._stayed.has(type_name, token)

    def _look(self, type_name: str, token: str, deadline: Deadline) -> Mapping[str, ProviderError]:
        """Learn what there is on the targets that may have a token; returns those that fail.

        A token that is unique on its target alone begins with the target's alias and a dot.
        """
        alias, dot, _ = token.partition(".")
        aliases = [alias] if dot else list(self.targets)
        targets = [
            self.targets[each]
            for each in aliases
            if each in self.targets and type_name in self.targets[each].mapping.resources
        ]
        if not targets:
            return {}

        def look() -> Mapping[str, ProviderError]:
            shares, failures = self._ask(targets, type_name, ID_ONLY, deadline)
            self._settled(type_name, shares)
            return failures

        return self._looks.look((type_name, alias if dot else None), deadline, look)

    def _rebuilt(
        self, type_name: str, token: str, deadline: Deadline
    ) -> tuple[str, InstancePath] | None:
        alias = token.partition(".")[0]
        target = self.targets.get(alias)
        resource = target.mapping.resources.get(type_name) if target is not None else None
        if target is None or resource is None or resource.rebuild is None:
            return None
        namespace = target.namespace(resource.rebuild.namespace, target.within(deadline))
        path = rebuilt_path(resource, token, alias, namespace)
        return None if path is None else (alias, path)

    def _ask(
        self,
        targets: Sequence[Target],
        type_name: str,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> tuple[dict[str, list[Claim]], dict[str, ProviderError]]:
        """Return what the targets have, and the errors of those that fail, by alias."""
        if len(targets) == 1:
            (target,) = targets
            return {target.alias: self._read(target, type_name, wanted, deadline)}, {}
        kept_s = min(MOST_KEPT_S, deadline.remaining_s() * KEPT)
        deadline = replace(deadline, at=deadline.at - kept_s)
        jobs = {
            target.alias: self._lanes[target.alias].submit(
                self._read, target, type_name, _with_state(target, type_name, wanted), deadline
            )
            for target in targets
        }
        wait(jobs.values(), timeout=deadline.remaining_s() + GRACE_S)
        shares: dict[str, list[Claim]] = {}
        failures: dict[str, ProviderError] = {}
        for alias, job in jobs.items():
            job.cancel()
            try:
                shares[alias] = job.result(timeout=0)
            except (TimeoutError, CancelledError):
                failures[alias] = ProviderTimeout("the WBEM server did not answer in time")
            except ProviderError as exc:
                failures[alias] = exc
        return shares, failures

    def _read(
        self, target: Target, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> list[Claim]:
        resource = target.mapping.resources[type_name]
        plan = plan_read(target.mapping, resource, wanted, is_collection=True)
        maker = ItemMaker(plan, target.mapping, target.alias)
        claims: list[Claim] = []
        with self.blaming(target.alias):
            bindings = target.run(plan, deadline, Execution.batch)
        for binding in bindings:
            top = maker.top(binding)
            if top is not None:
                token, path = top
                claims.append(Claim(token, path, maker.make(binding, token, wanted)))
        return claims

    @contextmanager
    def blaming(self, alias: str) -> Iterator[None]:
        """Have errors of a server say whose they are (`target`), if there are several."""
        try:
            yield
        except ProviderError as exc:
            if len(self.targets) > 1:
                exc.fields.setdefault("target", alias)
            raise

    def _settled(self, type_name: str, shares: Shares) -> list[Resource]:
        """Learn where everything is, each on one target, and return the items."""
        owner = self.owner(type_name)
        holders: dict[str, dict[str, list[Claim]]] = {}
        for alias, claims in shares.items():
            for claim in claims:
                holders.setdefault(claim.token, {}).setdefault(alias, []).append(claim)
        items: list[Resource] = []
        disputed: list[str] = []
        for token, claims_on in holders.items():
            alias = next(iter(claims_on))
            if len(claims_on) > 1:
                alias, is_disputed = self._winner(owner, token, claims_on)
                disputed += [token] if is_disputed else []
            claims = claims_on[alias]
            self.identities.learn(owner, token, alias, claims[0].path)
            items += [claim.item for claim in claims if claim.item is not None]
        self.identities.keep_only(
            owner, {alias: {claim.token for claim in claims} for alias, claims in shares.items()}
        )
        self._tell_disputes(owner, disputed, holders)
        return items

    def _winner(
        self, owner: str, token: str, claims_on: Mapping[str, Sequence[Claim]]
    ) -> tuple[str, bool]:
        """Where a resource is that several targets have, and whether several run it.

        It is where it is running (one that moved may leave its definition behind), else where
        it was, else on the target that is configured first.
        """
        running = [
            alias
            for alias, (claim, *_) in claims_on.items()
            if claim.item is not None and claim.item.values.get("state") in RUNNING
        ]
        among = running or list(claims_on)
        known = self.identities.find(owner, token)
        is_known = known is not None and known[0] in among
        return (known[0] if known is not None and is_known else among[0]), len(running) > 1

    def _tell_disputes(
        self, owner: str, disputed: Sequence[str], holders: Mapping[str, Collection[str]]
    ) -> None:
        """Log what runs on several targets, once."""
        new = [token for token in disputed if (owner, token) not in self._disputed]
        seen = {(owner, token) for token in holders}
        self._disputed = (self._disputed - seen) | {(owner, token) for token in disputed}
        if new:
            shown = ", ".join(new[:3])
            log.warning(
                "%d of type %s run on several targets (%s), such as %s; each is shown where it was"
                " first; two aliases may lead to the same server",
                len(new), owner, ", ".join(holders[new[0]]), shown,
            )  # fmt: skip


def _with_state(
    target: Target, type_name: str, wanted: frozenset[str] | None
) -> frozenset[str] | None:
    """What is wanted, and the state where it comes with it: it tells where a resource runs."""
    resource = target.mapping.resources[type_name]
    state = resource.attributes.get("state")
    if wanted is None or state is None or state.reading is None:
        return wanted
    if any(need.alias != resource.anchor for need in state.reading.needs):
        return wanted
    return wanted | {"state"}


def _untold(location: Location, failures: Mapping[str, ProviderError]) -> ProviderUnavailable:
    """The error where the servers that fail may have what is asked for."""
    said = [f"target {a} is left out: {e.message}" for a, e in failures.items()][:MOST_SAID]
    if len(failures) > MOST_SAID:
        said.append(f"{len(failures) - MOST_SAID} more targets are left out")
    left_out = "; ".join(said)
    waits = [e.fields["retry_after_s"] for e in failures.values() if "retry_after_s" in e.fields]
    return ProviderUnavailable(
        f"whether there is {location.path!r} cannot be told: {left_out}",
        retry_after_s=max(waits) if waits else None,
        target=next(iter(failures)),
    )
