"""One configured WBEM server with its mapping: namespaces, services, what was learned of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from cimi_cim.errors import ProviderFailed
from cimi_cim.mapping.compiled import CompiledMapping, Discovery
from cimi_cim.mapping.execution import Execution
from cimi_cim.mapping.plan import Plan
from cimi_cim.mapping.threads import Crew
from cimi_cim.wbem.breaker import Breaker, BreakerSettings, Health
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemInvalidClass, WbemInvalidNamespace, WbemServerDown, WbemStatus
from cimi_cim.wbem.gateway import Gateway
from cimi_cim.wbem.values import InstancePath

T = TypeVar("T")

PROBE_S = 10.0
"""Longest wait for the answer to a probe."""
RELEARN_S = 60.0
"""How long what was found out anew is not doubted again."""
_STALE = (WbemInvalidNamespace, WbemInvalidClass)


class Target:
    """Implements what `Execution` needs; safe to use from several threads.

    What is found out about the server (namespaces, singleton services, which associations do
    not enumerate) is kept until it proves wrong, or until the server was down: it may be
    another one afterwards.

    Args:
        gateway: To the server; a `Breaker` is put in front of it.
        max_concurrency: How many threads work on its reads at the same time.
        deadline_s: Longest time its operations of one request may take, None for as long as
            the request has.
        crew: Threads that it shares with other targets, None for some of its own.
        labels: The operator's words about it.
    """

    def __init__(
        self,
        alias: str,
        gateway: Gateway,
        mapping: CompiledMapping,
        *,
        namespaces: Mapping[str, str] | None = None,
        max_concurrency: int = 8,
        action_wait_s: float = 0.5,
        deadline_s: float | None = None,
        crew: Crew | None = None,
        breaker: BreakerSettings | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.alias = alias
        self.action_wait_s = action_wait_s
        self._breaker = Breaker(gateway, breaker, on_change=self._changed)
        self.gateway: Gateway = self._breaker
        self.mapping = mapping
        self.labels = dict(labels or {})
        self._deadline_s = deadline_s
        self._own_crew = Crew(f"wbem-{alias}") if crew is None else None
        self.pool = (crew or self._own_crew or Crew("")).lane(max_concurrency)
        self._listener: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._configured = dict(namespaces or {})
        self._namespaces = dict(self._configured)
        self._services: dict[str, InstancePath] = {}
        self._walked: set[str] = set()
        self._subclasses: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
        self._doubted_at = -math.inf

    def close(self) -> None:
        """Give back threads and connections."""
        if self._own_crew is not None:
            self._own_crew.close()
        self.gateway.close()

    @property
    def health(self) -> Health:
        """Whether the server is taken to be down, and why."""
        return self._breaker.health

    @property
    def is_down(self) -> bool:
        """Whether the server is taken to be down."""
        return self._breaker.health.cause is not None

    def must_be_up(self) -> None:
        """Raise `ProviderUnavailable` with `retry_after_s` if the server is down."""
        try:
            self._breaker.must_be_up()
        except WbemServerDown as exc:
            exc.message = f"target {self.alias} is down: {exc.message}"
            raise

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a listener called after each change of the health."""
        self._listener = listener

    def probe(self) -> None:
        """Ask the server whether it is there again."""
        self._breaker.probe(self.within(Deadline.after(PROBE_S)))

    def within(self, deadline: Deadline) -> Deadline:
        """Return a request's deadline, or the end of the target's own share if that is sooner."""
        if self._deadline_s is None:
            return deadline
        return replace(deadline, at=min(deadline.at, deadline.clock() + self._deadline_s))

    def run(self, plan: Plan, deadline: Deadline, how: Callable[[Execution], T]) -> T:
        """Run a plan; once more where what was found out about the server proves wrong."""
        deadline = self.within(deadline)
        try:
            return how(Execution(plan, self, deadline))
        except _STALE:
            if time.monotonic() < self._doubted_at + RELEARN_S or not self.forget():
                raise
            self._doubted_at = time.monotonic()
            return how(Execution(plan, self, deadline))

    def forget(self) -> bool:
        """Forget what was found out about the server; returns whether there was anything."""
        with self._lock:
            found = (self._namespaces != self._configured, self._services, self._subclasses)
            self._namespaces = dict(self._configured)
            self._services, self._walked, self._subclasses = {}, set(), {}
            return any(found)

    def doubt(self, path: InstancePath) -> None:
        """Forget a service, if that is what is not at a path any more."""
        with self._lock:
            self._services = {a: known for a, known in self._services.items() if known != path}

    def _changed(self) -> None:
        if not self.is_down:
            self.forget()
        self._listener()

    def greet(self, deadline: Deadline) -> None:
        """Find out whether the server answers, and whether the mapping is one for it.

        Raises the errors of the gateway, and `ProviderFailed` where the class by which the
        mapping recognises its provider has no instance.
        """
        namespace = self.namespace("impl", deadline)
        if self.mapping.recognise is None:
            self.gateway.class_names(None, namespace, deadline=deadline)
            return
        classname, said = self.mapping.recognise
        try:
            found = self.gateway.enumerate_instances(
                classname, said or namespace, (), deadline=deadline
            )
        except (WbemInvalidClass, WbemInvalidNamespace):
            found = []
        if not found:
            raise ProviderFailed(
                f"the WBEM server has no instance of {classname}, by which the mapping"
                f" {self.mapping.name} knows its provider; check the target's `mapping`",
                reason="mapping-does-not-fit",
            )

    def namespace(self, logical: str, deadline: Deadline) -> str:
        """Return the real namespace behind a logical name, found once."""
        found = self._namespaces.get(logical)
        if found is None:
            rule = self.mapping.namespaces.get(logical, Discovery(()))
            found = self._discover(logical, rule, deadline)
            self._namespaces[logical] = found
        return found

    def _discover(self, logical: str, rule: Discovery, deadline: Deadline) -> str:
        found = self._through_profiles(rule, deadline) if rule.profiles else None
        if found is not None and found != self._namespaces.get("interop"):
            return found
        if len(rule.candidates) == 1:
            return rule.candidates[0]
        for candidate in rule.candidates:
            if self._exists(candidate, deadline):
                return candidate
        if found is not None:  # where the profiles are: or paths come without their namespace
            return found
        raise ProviderFailed(
            f"no namespace {logical!r} was found on the WBEM server; say which with"
            f" `namespaces: {{{logical}: ...}}` of the target",
            reason="namespace-not-found",
        )

    def _exists(self, namespace: str, deadline: Deadline) -> bool:
        try:
            return bool(self.gateway.class_names(None, namespace, deadline=deadline))
        except WbemStatus:
            return False

    def _through_profiles(self, rule: Discovery, deadline: Deadline) -> str | None:
        """The namespace of the central instances of a registered profile (DSP1033)."""
        try:
            interop = self.namespace("interop", deadline)
            profiles = self.gateway.enumerate_instances(
                rule.profile_class, interop, ("RegisteredName",), deadline=deadline
            )
            for name in rule.profiles:
                for profile in profiles:
                    if profile.get("RegisteredName") != name:
                        continue
                    central = self.gateway.associator_names(
                        profile.path, assoc_class=rule.association, role=rule.role,
                        result_role=rule.result, deadline=deadline,
                    )  # fmt: skip
                    if central:
                        return central[0].namespace
        except WbemStatus:
            return None
        return None

    def is_walked(self, association: str) -> bool:
        """Whether an association class cannot be trusted to enumerate."""
        return not self.mapping.are_associations_enumerable or association in self._walked

    def distrust(self, association: str) -> None:
        """Remember that an association enumerates to nothing though it has instances."""
        with self._lock:
            self._walked.add(association)

    def is_subclass(
        self, classname: str, ancestor: str, namespace: str, deadline: Deadline
    ) -> bool:
        """Whether a class derives from `ancestor`, by our declarations or by the server's word."""
        schema = self.mapping.schema
        if schema.find(classname) is not None:
            return schema.is_subclass(classname, ancestor)
        name, key = classname.lower(), (namespace, ancestor)
        known, strangers = self._subclasses.get(key, (frozenset(), frozenset()))
        if name in known or name in strangers:
            return name in known
        # Asked once for each class that shows up: a server can get new ones while it runs.
        try:
            names = self.gateway.class_names(ancestor, namespace, deadline=deadline)
        except (WbemInvalidClass, WbemInvalidNamespace):
            names = []  # without the class there are no subclasses
        known = frozenset(each.lower() for each in (ancestor, *names))
        self._subclasses[key] = (known, strangers | ({name} - known))
        return name in known

    def service(self, alias: str, deadline: Deadline) -> InstancePath | None:
        """Return the path of a singleton service, None if the server has none."""
        known = self._services.get(alias)
        if known is None:
            service = self.mapping.services[alias]
            namespace = self.namespace(service.namespace, deadline)
            try:
                rows = self.gateway.enumerate_instances(
                    service.classname, namespace, (), deadline=deadline
                )
            except WbemStatus:
                if not service.is_optional:
                    raise
                rows = []
            if not rows:
                return None
            known = self._services[alias] = rows[0].path
        return known
