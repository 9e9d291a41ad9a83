"""Asks a server one question at a time; what it refuses is an answer, too."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar

from cimi_cim.errors import ProviderError
from cimi_cim.mapping.probing.facts import Refusal, TimingFacts
from cimi_cim.schema.declarations import ClassDeclaration
from cimi_cim.schema.served import declared_class, seen_class
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemStatus
from cimi_cim.wbem.gateway import Gateway
from cimi_cim.wbem.inquiry import Inquiry, Pulls
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath

T = TypeVar("T")
_INVALID_NAMESPACE = 3  # CIM_ERR_INVALID_NAMESPACE (DSP0200)
_CLASS = re.compile(r"\w{1,255}", re.ASCII)
Found: TypeAlias = "list[tuple[InstancePath, EmbeddedInstance]]"
Tell: TypeAlias = "Callable[[str], None]"


class Asker:
    """Every question is asked once and its answer kept.

    `seconds` bounds each question; `tell` hears what is being asked. Once a server has
    answered in CIM-XML, whatever it refuses is a `Refusal` and no error.
    """

    def __init__(self, inquiry: Inquiry, gateway: Gateway, seconds: float, tell: Tell) -> None:
        self._inquiry = inquiry
        self._gateway = gateway
        self._seconds = seconds
        self._tell = tell
        self._known: dict[Hashable, Any] = {}
        self.timings: list[TimingFacts] = []

    @property
    def software(self) -> str:
        """What the HTTP side of the server calls itself."""
        return self._inquiry.software

    def close(self) -> None:
        """Give back every connection."""
        self._inquiry.close()
        self._gateway.close()

    def greet(self, namespaces: Sequence[str]) -> None:
        """Find out whether a WBEM server answers at all.

        Any answer in CIM-XML will do, a refusal too. Raises what is wrong with the
        connection, with the account, or with what answers.
        """
        self._tell("whether a WBEM server answers")
        try:
            self._inquiry.class_names(namespaces[0], deadline=self._deadline())
        except WbemStatus:
            return

    def class_names(self, namespace: str) -> list[str] | Refusal:
        """All classes of a namespace."""
        return self._ask(
            ("classes", namespace.lower()),
            f"the classes of {namespace}",
            lambda deadline: [
                name
                for name in self._inquiry.class_names(namespace, deadline=deadline)
                if _CLASS.fullmatch(name)
            ],
        )

    def lacks_namespace(self, namespace: str) -> bool:
        """Whether the server says that it has no such namespace."""
        names = self.class_names(namespace)
        return isinstance(names, Refusal) and names.code == _INVALID_NAMESPACE

    def instances(self, classname: str, namespace: str) -> Found | Refusal:
        """All instances of a class, whole; how long that took is noted down."""

        def ask(deadline: Deadline) -> Found:
            begun = time.perf_counter()
            found = self._inquiry.instances(classname, namespace, deadline=deadline)
            seconds = time.perf_counter() - begun
            self._note(classname, len(found), seconds)
            return found

        key = ("instances", namespace.lower(), classname.lower())
        return self._ask(key, f"the instances of {classname}", ask)

    def listed(self, classname: str, namespace: str, properties: list[str]) -> Found | Refusal:
        """All instances of a class with a property list."""
        return self._ask(
            ("listed", namespace.lower(), classname.lower(), tuple(properties)),
            f"some properties of {classname}",
            lambda deadline: self._inquiry.instances(
                classname, namespace, properties, deadline=deadline
            ),
        )

    def element(self, classname: str, namespace: str) -> bytes | Refusal:
        """The CLASS element of a declaration."""
        return self._ask(
            ("class", namespace.lower(), classname.lower()),
            f"the declaration of {classname}",
            lambda deadline: self._inquiry.declaration(classname, namespace, deadline=deadline),
        )

    def seen(self, classname: str, namespace: str) -> bytes | None:
        """A CLASS element with what an instance shows, where the class has one of its own."""
        found = self.instances(classname, namespace)
        for path, instance in [] if isinstance(found, Refusal) else found:
            if instance.classname.lower() == classname.lower():
                paths = {n: v for n, v in instance.values.items() if isinstance(v, InstancePath)}
                ends = {name: end.classname for name, end in paths.items()}
                keys = [key for key, _ in path.keys]
                return seen_class(instance.classname, instance.types, keys, ends)
        return None

    def declaration(self, classname: str, namespace: str) -> ClassDeclaration | Refusal:
        """A declaration with all that the class inherits."""
        element = self.element(classname, namespace)
        if isinstance(element, Refusal):
            return element
        found = declared_class(element)
        return Refusal("its declaration cannot be read") if found is None else found

    def walk(
        self, path: InstancePath, association: str, role: str | None, result: str | None
    ) -> list[InstancePath] | Refusal:
        """The other ends of an association."""
        return self._ask(
            ("walk", path, association.lower(), role, result),
            f"{association} from an instance of {path.classname}",
            lambda deadline: self._gateway.associator_names(
                path, assoc_class=association, role=role, result_role=result, deadline=deadline
            ),
        )

    def whole(self, path: InstancePath) -> EmbeddedInstance | Refusal:
        """One instance."""
        return self._ask(
            ("whole", path),
            f"an instance of {path.classname}",
            lambda deadline: self._gateway.get_whole(path, deadline=deadline),
        )

    def pulls(self, classname: str, namespace: str) -> Pulls | Refusal:
        """Whether pull operations work."""
        return self._ask(
            ("pulls", namespace.lower(), classname.lower()),
            "whether it knows pull operations",
            lambda deadline: self._inquiry.pulls(classname, namespace, deadline=deadline),
        )

    def _ask(self, key: Hashable, what: str, question: Callable[[Deadline], T]) -> T | Refusal:
        if key not in self._known:
            self._tell(what)
            try:
                self._known[key] = question(self._deadline())
            except WbemStatus as exc:
                self._known[key] = Refusal(f"CIM error {exc.code}: {exc.description}", exc.code)
            except ProviderError as exc:
                self._known[key] = Refusal(exc.message)
        answer: T | Refusal = self._known[key]
        return answer

    def _note(self, classname: str, rows: int, seconds: float) -> None:
        throughput = rows / seconds if seconds > 0 else 0.0
        self.timings.append(
            TimingFacts(classname, rows, round(seconds * 1000, 1), round(throughput))
        )

    def _deadline(self) -> Deadline:
        return Deadline.after(self._seconds)
