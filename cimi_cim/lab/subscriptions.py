"""Who wants which indications: listener destinations, filters and subscriptions (DSP1054).

They are instances of the interop namespace, made and deleted by clients like any client of a
WBEM server does it. A filter takes `SELECT * FROM CLASS [WHERE SourceInstance ISA CLASS]`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pywbem import (
    CIM_ERR_ALREADY_EXISTS,
    CIM_ERR_FAILED,
    CIM_ERR_INVALID_PARAMETER,
    CIM_ERR_INVALID_QUERY,
    CIM_ERR_NO_SUCH_PROPERTY,
    CIM_ERR_NOT_SUPPORTED,
    CIM_ERR_QUERY_LANGUAGE_NOT_SUPPORTED,
)

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.instances import Instance, InstanceClass
from cimi_cim.lab.platform import Platform
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

SERVICE, DESTINATION = "CIM_IndicationService", "CIM_ListenerDestinationCIMXML"
FILTER, COLLECTION, MEMBER = (
    "CIM_IndicationFilter",
    "CIM_FilterCollection",
    "CIM_MemberOfCollection",
)
SUBSCRIPTIONS = ("CIM_IndicationSubscription", "CIM_FilterCollectionSubscription")
LANGUAGES = ("DMTF:CQL", "WQL")
PREDEFINED = {
    "machines-created": (
        "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem"
    ),
    "machines-deleted": (
        "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_ComputerSystem"
    ),
    "machines-modified": (
        "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"
    ),
}
"""The filters that are there by themselves where clients may make none, all in one collection."""
_QUERY = re.compile(
    r"\s*SELECT\s+\*\s+FROM\s+(\w+)(?:\s+WHERE\s+(?:\w+\.)?SourceInstance\s+ISA\s+(\w+))?\s*\Z",
    re.IGNORECASE,
)
_ENABLED = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """One filter of one destination: what of whom is wanted, and where it is to be sent.

    `of` is the class of the instances that an indication is about, None for any.
    """

    url: str
    context: str
    filter: str
    indication: str
    of: str | None

    def takes(self, indication: InstanceClass, source: InstanceClass | None) -> bool:
        """Whether an indication of a class, about an instance of a class, is wanted."""
        if self.indication.lower() not in indication.lineage:
            return False
        return self.of is None or (source is not None and self.of.lower() in source.lineage)


class Subscriptions:
    """Makes and deletes what clients want to hear, and tells who wants what."""

    def __init__(self, platform: Platform, *, may_make_filters: bool) -> None:
        self._platform = platform
        self._repository = platform.repository
        self._interop = platform.personality.interop
        self._may_make_filters = may_make_filters
        self._numbers = itertools.count(1)
        self._wanted: list[Wanted] = []
        self._put(SERVICE, {
            "SystemCreationClassName": "CIM_ComputerSystem", "SystemName": self._host,
            "CreationClassName": SERVICE, "Name": f"{platform.personality.name}:indications",
            "ElementName": "Indications", "FilterCreationEnabled": may_make_filters,
            "DeliveryRetryAttempts": 3, "DeliveryRetryInterval": 1,
            "SubscriptionRemovalAction": 4, "EnabledState": 2, "OperationalStatus": (2,),
        })  # fmt: skip
        if not may_make_filters:
            self._predefine()

    @property
    def wanted(self) -> Sequence[Wanted]:
        """What is wanted now, by whom; read without the lock."""
        return self._wanted

    @property
    def _host(self) -> str:
        return self._platform.personality.host

    def _put(self, classname: str, values: dict[str, CimValue]) -> Instance:
        made = Instance(self._class(classname), self._interop, values)
        self._repository.put(made)
        return made

    def _class(self, name: str) -> InstanceClass:
        found = self._repository.classes.find(name)
        if found is None:
            raise LookupError(f"{name} is not declared")
        return found

    def _predefine(self) -> None:
        name = f"{self._platform.personality.name}:machines"
        whole = self._put(COLLECTION, {"InstanceID": name, "CollectionName": name})
        for each, query in PREDEFINED.items():
            made = self._put(FILTER, {
                "SystemCreationClassName": "CIM_ComputerSystem", "SystemName": self._host,
                "CreationClassName": FILTER, "Name": f"{self._platform.personality.name}:{each}",
                "Query": query, "QueryLanguage": "DMTF:CQL",
                "IndividualSubscriptionSupported": False,
                "SourceNamespaces": (self._platform.personality.implementation,),
            })  # fmt: skip
            self._put(MEMBER, {"Collection": whole.path, "Member": made.path})

    def knows(self, classname: str) -> bool:
        """Whether instances of a class are made and deleted here."""
        return classname in (DESTINATION, FILTER, *SUBSCRIPTIONS)

    def create(self, call: IntrinsicCall) -> Reply:
        """Answer CreateInstance."""
        sent = call.parameters.get("NewInstance")
        if not isinstance(sent, EmbeddedInstance):
            raise CimError(CIM_ERR_INVALID_PARAMETER, "CreateInstance needs a NewInstance")
        cls = self._repository.classes.find(sent.classname)
        if cls is None or not self.knows(cls.name) or call.namespace.lower() != self._interop:
            raise CimError(CIM_ERR_NOT_SUPPORTED, f"a {sent.classname} is not made like this")
        values = self._values(cls, sent)
        if cls.name == FILTER:
            self._check_filter(values)
        elif cls.name in SUBSCRIPTIONS:
            self._check_ends(values)
        made = Instance(cls, self._interop, values)
        if self._repository.get(made.path) is not None:
            raise CimError(CIM_ERR_ALREADY_EXISTS, f"there is {made.path.canonical}")
        self._repository.put(made)
        self._count()
        return Reply([made.name_xml()])

    def _values(self, cls: InstanceClass, sent: EmbeddedInstance) -> dict[str, CimValue]:
        values: dict[str, CimValue] = {}
        for name, value in sent.values.items():
            declared = cls.properties.get(name.lower())
            if declared is None:
                raise CimError(CIM_ERR_NO_SUCH_PROPERTY, f"{cls.name} has no {name}")
            if value is not None:
                values[declared.name] = value
        if cls.name in SUBSCRIPTIONS:
            return values | {"SubscriptionState": _ENABLED}
        return {
            "SystemCreationClassName": "CIM_ComputerSystem", "SystemName": self._host,
            "Name": f"{self._platform.personality.name}:{next(self._numbers)}",
            **values, "CreationClassName": cls.name,
        }  # fmt: skip

    def _check_filter(self, values: dict[str, CimValue]) -> None:
        if not self._may_make_filters:
            raise CimError(CIM_ERR_NOT_SUPPORTED, "filters are not made here; use those there are")
        if values.get("QueryLanguage") not in LANGUAGES:
            raise CimError(
                CIM_ERR_QUERY_LANGUAGE_NOT_SUPPORTED, f"known are {', '.join(LANGUAGES)}"
            )
        words = _words(values.get("Query"))
        if words is None or any(
            name is not None and self._repository.classes.find(name) is None for name in words
        ):
            raise CimError(CIM_ERR_INVALID_QUERY, f"{values.get('Query')!r} is no query of known"
                           " classes")  # fmt: skip

    def _check_ends(self, values: dict[str, CimValue]) -> None:
        for role in ("Filter", "Handler"):
            end = values.get(role)
            if not isinstance(end, InstancePath) or self._repository.get(end) is None:
                raise CimError(CIM_ERR_INVALID_PARAMETER, f"{role} is no instance that there is")

    def delete(self, found: Instance) -> Reply:
        """Delete one of them; what a subscription needs is kept."""
        if found.cls.name not in SUBSCRIPTIONS and self._repository.referring(found.path):
            raise CimError(CIM_ERR_FAILED, "In Use: a subscription refers to it")
        self._repository.remove(found.path)
        self._count()
        return Reply()

    def _count(self) -> None:
        self._wanted = [wanted for name in SUBSCRIPTIONS for each in
                        self._repository.of_class(self._interop, name)
                        for wanted in self._wanted_by(each)]  # fmt: skip

    def _wanted_by(self, subscription: Instance) -> Iterator[Wanted]:
        ends = dict(subscription.ends())
        handler = self._repository.get(ends["Handler"])
        for each in self._filters(ends["Filter"]):
            words = _words(each.values.get("Query"))
            if words is not None and handler is not None:
                name = str(each.values["Name"])
                url = str(handler.values["Destination"])
                yield Wanted(url, handler.path.canonical, name, *words)

    def _filters(self, path: InstancePath) -> list[Instance]:
        found: Any = self._repository.get(path)
        if found is None or found.cls.name == FILTER:
            return [found] if found is not None else []
        return self._repository.linked(path, association=MEMBER, result=FILTER)


def _words(query: CimValue) -> tuple[str, str | None] | None:
    """The class of indications and that of instances which a query names, None for no query."""
    found = _QUERY.match(query) if isinstance(query, str) else None
    return None if found is None else (found[1], found[2])
