"""The intrinsic operations (DSP0200 5.3) over the repository and the schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from pywbem import (
    CIM_ERR_CONTINUATION_ON_ERROR_NOT_SUPPORTED,
    CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED,
    CIM_ERR_INVALID_CLASS,
    CIM_ERR_INVALID_NAMESPACE,
    CIM_ERR_INVALID_PARAMETER,
    CIM_ERR_NOT_FOUND,
    CIM_ERR_NOT_SUPPORTED,
)

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.instances import Instance, InstanceClass
from cimi_cim.lab.pulls import OpenEnumerations
from cimi_cim.lab.repository import Repository
from cimi_cim.wbem.values import InstancePath

Form: TypeAlias = Callable[[Instance], bytes]
_Handler: TypeAlias = Callable[[IntrinsicCall], Reply]


class ClassElements(Protocol):
    """The class declarations, rendered."""

    def class_element(
        self,
        name: str,
        *,
        local_only: bool,
        qualifiers: bool,
        class_origin: bool,
        properties: frozenset[str] | None,
    ) -> bytes:
        """Return the CLASS element of a class that is declared."""

    def qualifier(self, name: str) -> bytes | None:
        """Return a QUALIFIER.DECLARATION element, None if there is none of the name."""

    def qualifiers(self) -> Sequence[bytes]:
        """Return all QUALIFIER.DECLARATION elements."""


class Operations:
    """Answers every intrinsic operation a client expects; what is not here is not supported."""

    def __init__(
        self,
        repository: Repository,
        elements: ClassElements,
        namespaces: Sequence[str],
        host: str,
        clock: Callable[[], float],
    ) -> None:
        self._repository = repository
        self._elements = elements
        self._namespaces = {namespace.lower() for namespace in namespaces}
        self._host = host
        self._pulls = OpenEnumerations(clock)
        self._handlers: dict[str, _Handler] = {
            "EnumerateInstances": lambda c: Reply(_each(self._enumerated(c), self._named(c))),
            "EnumerateInstanceNames": lambda c: Reply(
                _each(self._enumerated(c), Instance.name_xml)
            ),
            "GetInstance": self._get_instance,
            "Associators": lambda c: Reply(_each(self._associated(c), self._object(c))),
            "AssociatorNames": lambda c: Reply(_each(self._associated(c), self._object_path)),
            "References": lambda c: Reply(_each(self._referring(c), self._object(c))),
            "ReferenceNames": lambda c: Reply(_each(self._referring(c), self._object_path)),
            "OpenEnumerateInstances": self._open(self._enumerated, paths_only=False),
            "OpenEnumerateInstancePaths": self._open(self._enumerated, paths_only=True),
            "OpenAssociatorInstances": self._open(self._associated, paths_only=False),
            "OpenAssociatorInstancePaths": self._open(self._associated, paths_only=True),
            "OpenReferenceInstances": self._open(self._referring, paths_only=False),
            "OpenReferenceInstancePaths": self._open(self._referring, paths_only=True),
            "PullInstancesWithPath": self._pull,
            "PullInstancePaths": self._pull,
            "CloseEnumeration": lambda c: self._pulls.close(_text(c, "EnumerationContext")),
            "EnumerateClassNames": self._class_names,
            "EnumerateClasses": self._classes,
            "GetClass": self._get_class,
            "GetQualifier": lambda c: Reply([self._qualifier(_text(c, "QualifierName"))]),
            "EnumerateQualifiers": lambda c: Reply(list(self._elements.qualifiers())),
        }

    def answer(self, call: IntrinsicCall) -> Reply:
        """Return the reply to an operation. Raises `CimError`."""
        if call.namespace.lower() not in self._namespaces:
            raise CimError(CIM_ERR_INVALID_NAMESPACE, f"no namespace {call.namespace}")
        handler = self._handlers.get(call.operation)
        if handler is None:
            raise CimError(CIM_ERR_NOT_SUPPORTED, f"{call.operation} is not supported")
        return handler(call)

    def _enumerated(self, call: IntrinsicCall) -> list[Instance]:
        cls = self._class(_text(call, "ClassName"), CIM_ERR_INVALID_CLASS)
        return self._repository.of_class(call.namespace, cls.name)

    def _associated(self, call: IntrinsicCall) -> list[Instance]:
        return self._repository.linked(
            self._source(call),
            association=self._filter_class(call, "AssocClass"),
            result=self._filter_class(call, "ResultClass"),
            role=call.parameters.get("Role"),
            result_role=call.parameters.get("ResultRole"),
        )

    def _referring(self, call: IntrinsicCall) -> list[Instance]:
        return self._repository.links(
            self._source(call),
            association=self._filter_class(call, "ResultClass"),
            role=call.parameters.get("Role"),
        )

    def _source(self, call: IntrinsicCall) -> InstancePath:
        source = call.parameters.get("ObjectName", call.parameters.get("InstanceName"))
        if not isinstance(source, InstancePath):
            raise CimError(
                CIM_ERR_NOT_SUPPORTED,
                f"{call.operation} of a class is not supported; name an instance",
            )
        if self._repository.get(source) is None:
            raise CimError(CIM_ERR_NOT_FOUND, f"no instance {source.canonical}")
        return source

    def _get_instance(self, call: IntrinsicCall) -> Reply:
        path = call.parameters.get("InstanceName")
        if not isinstance(path, InstancePath):
            raise CimError(CIM_ERR_INVALID_PARAMETER, "GetInstance needs an InstanceName")
        self._class(path.classname, CIM_ERR_INVALID_CLASS)
        found = self._repository.get(path)
        if found is None:
            raise CimError(CIM_ERR_NOT_FOUND, f"no instance {path.canonical}")
        return Reply([found.xml(_property_list(call))])

    def _named(self, call: IntrinsicCall) -> Form:
        wanted = self._enumerated_properties(call)
        return lambda found: (
            b"<VALUE.NAMEDINSTANCE>" + found.name_xml() + found.xml(wanted)
            + b"</VALUE.NAMEDINSTANCE>"
        )  # fmt: skip

    def _object(self, call: IntrinsicCall) -> Form:
        wanted = _property_list(call)
        return lambda found: (
            b"<VALUE.OBJECTWITHPATH>" + found.full_path_xml(self._host) + found.xml(wanted)
            + b"</VALUE.OBJECTWITHPATH>"
        )  # fmt: skip

    def _object_path(self, found: Instance) -> bytes:
        return b"<OBJECTPATH>" + found.full_path_xml(self._host) + b"</OBJECTPATH>"

    def _open(
        self, results: Callable[[IntrinsicCall], list[Instance]], *, paths_only: bool
    ) -> _Handler:
        def handler(call: IntrinsicCall) -> Reply:
            if call.parameters.get("FilterQuery") or call.parameters.get("FilterQueryLanguage"):
                raise CimError(CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED, "no filter queries")
            if str(call.parameters.get("ContinueOnError", "")).lower() == "true":
                raise CimError(CIM_ERR_CONTINUATION_ON_ERROR_NOT_SUPPORTED, "not supported")
            found = results(call)
            if paths_only:
                fragments = [instance.full_path_xml(self._host) for instance in found]
            else:
                is_enumeration = "ClassName" in call.parameters
                wanted = (
                    self._enumerated_properties(call) if is_enumeration else _property_list(call)
                )
                fragments = [
                    b"<VALUE.INSTANCEWITHPATH>" + i.full_path_xml(self._host) + i.xml(wanted)
                    + b"</VALUE.INSTANCEWITHPATH>"
                    for i in found
                ]  # fmt: skip
            pull = "PullInstancePaths" if paths_only else "PullInstancesWithPath"
            return self._pulls.open(
                pull,
                fragments,
                call.parameters.get("OperationTimeout"),
                call.parameters.get("MaxObjectCount"),
            )

        return handler

    def _pull(self, call: IntrinsicCall) -> Reply:
        return self._pulls.pull(
            call.operation,
            _text(call, "EnumerationContext"),
            call.parameters.get("MaxObjectCount", ""),
        )

    def _enumerated_properties(self, call: IntrinsicCall) -> frozenset[str] | None:
        """The property list; without deep inheritance none but the named class's properties."""
        wanted = _property_list(call)
        if call.parameters.get("DeepInheritance", True) is True:
            return wanted
        cls = self._class(_text(call, "ClassName"), CIM_ERR_INVALID_CLASS)
        known = frozenset(cls.properties)
        return known if wanted is None else wanted & known

    def _class(self, name: str, code: int) -> InstanceClass:
        found = self._repository.classes.find(name)
        if found is None:
            raise CimError(code, f"no class {name}")
        return found

    def _filter_class(self, call: IntrinsicCall, parameter: str) -> str | None:
        name = call.parameters.get(parameter)
        return None if name is None else self._class(str(name), CIM_ERR_INVALID_PARAMETER).name

    def _get_class(self, call: IntrinsicCall) -> Reply:
        cls = self._class(_text(call, "ClassName"), CIM_ERR_NOT_FOUND)
        return Reply([self._element(call, cls.name)])

    def _classes(self, call: IntrinsicCall) -> Reply:
        return Reply([self._element(call, name) for name in self._names(call)])

    def _class_names(self, call: IntrinsicCall) -> Reply:
        return Reply([f'<CLASSNAME NAME="{name}"/>'.encode() for name in self._names(call)])

    def _names(self, call: IntrinsicCall) -> list[str]:
        """Names below a class, or all; one level of them without deep inheritance."""
        schema = self._repository.classes.schema
        below = call.parameters.get("ClassName")
        start = None if below is None else self._class(str(below), CIM_ERR_INVALID_CLASS).name
        is_deep = call.parameters.get("DeepInheritance", False) is True
        if is_deep and start is not None:
            return [cls.name for cls in schema.subclasses(start) if cls.name != start]
        if is_deep:
            return list(schema.classes)
        return [cls.name for cls in schema.classes.values() if cls.superclass == start]

    def _element(self, call: IntrinsicCall, name: str) -> bytes:
        return self._elements.class_element(
            name,
            local_only=call.parameters.get("LocalOnly", True) is True,
            qualifiers=call.parameters.get("IncludeQualifiers", True) is True,
            class_origin=call.parameters.get("IncludeClassOrigin", False) is True,
            properties=_property_list(call),
        )

    def _qualifier(self, name: str) -> bytes:
        found = self._elements.qualifier(name)
        if found is None:
            raise CimError(CIM_ERR_NOT_FOUND, f"no qualifier {name}")
        return found


def _each(found: list[Instance], form: Form) -> list[bytes]:
    return [form(instance) for instance in found]


def _text(call: IntrinsicCall, name: str) -> str:
    value: Any = call.parameters.get(name)
    if not isinstance(value, str) or not value:
        raise CimError(CIM_ERR_INVALID_PARAMETER, f"{call.operation} needs {name}")
    return value


def _property_list(call: IntrinsicCall) -> frozenset[str] | None:
    """The wanted properties in lower case; None for all. An empty list wants none."""
    sent = call.parameters.get("PropertyList")
    return None if sent is None else frozenset(str(name).lower() for name in sent)
