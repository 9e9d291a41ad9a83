"""One configured WBEM server with its mapping: namespaces, services, what was learned of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from cimi_cim.errors import ProviderFailed
from cimi_cim.mapping.compiled import CompiledMapping, Discovery
from cimi_cim.mapping.threads import ContextThreads
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemInvalidClass, WbemInvalidNamespace, WbemStatus
from cimi_cim.wbem.gateway import Gateway
from cimi_cim.wbem.values import InstancePath


class Target:
    """Implements what `Execution` needs; safe to use from several threads.

    What is found out about the server (namespaces, singleton services, which
    associations do not enumerate) is kept until the target is closed.
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
    ) -> None:
        self.alias = alias
        self.action_wait_s = action_wait_s
        self.gateway = gateway
        self.mapping = mapping
        self.pool = ContextThreads(max_concurrency, thread_name_prefix=f"wbem-{alias}")
        self._lock = threading.Lock()
        self._namespaces = dict(namespaces or {})
        self._services: dict[str, InstancePath] = {}
        self._walked: set[str] = set()
        self._subclasses: dict[tuple[str, str], frozenset[str]] = {}

    def close(self) -> None:
        """Give back threads and connections."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.gateway.close()

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
        if rule.profiles:
            found = self._through_profiles(rule, deadline)
            if found is not None:
                return found
        if len(rule.candidates) == 1:
            return rule.candidates[0]
        for candidate in rule.candidates:
            if self._exists(candidate, deadline):
                return candidate
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
        key = (namespace, ancestor)
        known = self._subclasses.get(key)
        if known is None:
            try:
                names = self.gateway.class_names(ancestor, namespace, deadline=deadline)
            except WbemStatus:
                names = []  # without the class there are no subclasses
            known = frozenset(name.lower() for name in (ancestor, *names))
            self._subclasses[key] = known
        return classname.lower() in known

    def service(self, alias: str, deadline: Deadline) -> InstancePath | None:
        """Return the path of a singleton service, None if the server has none."""
        if alias not in self._services:
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
            self._services[alias] = rows[0].path
        return self._services[alias]
