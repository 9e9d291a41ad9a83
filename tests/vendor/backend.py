"""Plain pywbem_mock as what stands behind our CIM-XML front.

It adds two habits of servers in the field: some names in another case than declared, and
association classes that are not enumerated. There are no pull operations.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pywbem
from pywbem_mock import FakedWBEMConnection

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply, Unanswered
from cimi_cim.lab.instance_xml import parameter_xml
from cimi_cim.wbem.values import InstancePath

_HOST = "hv.example"


class MockBackend:
    """Implements the lab's `Backend` over a FakedWBEMConnection, one call at a time.

    `hidden` are association classes that are not enumerated; `shouted` are classes whose
    names, and those of their properties, are answered in capitals. `before` is called with
    every call, before it is answered.
    """

    def __init__(
        self,
        connection: FakedWBEMConnection,
        hidden: frozenset[str],
        shouted: frozenset[str],
        before: Callable[[IntrinsicCall | MethodCall], None],
    ) -> None:
        self._connection = connection
        self._hidden = hidden
        self._shouted = shouted
        self._before = before
        self._lock = threading.Lock()
        self.lost: set[str] = set()  # methods that are carried out, and never answered
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""
        handler = getattr(self, f"_{call.operation}", None)
        if handler is None:
            raise CimError(pywbem.CIM_ERR_NOT_SUPPORTED, f"no {call.operation} here")
        with self._lock:
            self._before(call)
            try:
                return Reply([item.encode() for item in handler(call)])
            except pywbem.CIMError as exc:
                raise CimError(exc.status_code, exc.status_description) from exc

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call."""
        with self._lock:
            self._before(call)
            self.calls.append((call.method, dict(call.parameters)))
            try:
                reply = self._invoke(call)
            except pywbem.CIMError as exc:
                raise CimError(exc.status_code, exc.status_description) from exc
        if call.method in self.lost:
            raise Unanswered(is_cut=True)
        return reply

    def _invoke(self, call: MethodCall) -> Reply:
        path = self._path(call.path)
        cls = self._connection.GetClass(path.classname, path.namespace, LocalOnly=False)
        method = cls.methods[call.method]
        sent = [
            pywbem.CIMParameter(name, method.parameters[name].type, value=value)
            for name, value in call.parameters.items()
        ]
        returned, out = self._connection.InvokeMethod(call.method, path, sent)
        rendered = tuple(
            parameter_xml(name, method.parameters[name].type, value) for name, value in out.items()
        )
        value = f"<VALUE>{escape(str(returned))}</VALUE>".encode()
        return Reply([value], rendered, method.return_type)

    def _path(self, path: InstancePath) -> Any:
        cls = self._connection.GetClass(path.classname, path.namespace, LocalOnly=False)
        keys = {
            name: self._path(value)
            if isinstance(value, InstancePath)
            else pywbem.cimvalue(value, cls.properties[name].type)
            for name, value in path.keys
        }
        return pywbem.CIMInstanceName(cls.classname, keys, namespace=path.namespace)

    def _EnumerateInstances(self, call: IntrinsicCall) -> list[str]:  # noqa: N802 - DSP0200's
        name = str(call.parameters["ClassName"])
        if name in self._hidden:
            raise pywbem.CIMError(pywbem.CIM_ERR_NOT_SUPPORTED, f"{name} is not enumerated")
        found = self._connection.EnumerateInstances(
            name, call.namespace, DeepInheritance=True, PropertyList=_properties(call)
        )
        return [
            f"<VALUE.NAMEDINSTANCE>{self._name(i.path)}{self._instance(i)}</VALUE.NAMEDINSTANCE>"
            for i in found
        ]

    def _GetInstance(self, call: IntrinsicCall) -> list[str]:  # noqa: N802
        path = self._path(call.parameters["InstanceName"])
        return [self._instance(self._connection.GetInstance(path, PropertyList=_properties(call)))]

    def _ModifyInstance(self, call: IntrinsicCall) -> list[str]:  # noqa: N802
        raise pywbem.CIMError(pywbem.CIM_ERR_NOT_SUPPORTED, "instances are changed by methods")

    def _Associators(self, call: IntrinsicCall) -> list[str]:  # noqa: N802
        found = self._connection.Associators(
            self._path(call.parameters["ObjectName"]), PropertyList=_properties(call),
            **_filters(call),
        )  # fmt: skip
        return [
            f"<VALUE.OBJECTWITHPATH>{self._full(i.path)}{self._instance(i)}</VALUE.OBJECTWITHPATH>"
            for i in found
        ]

    def _AssociatorNames(self, call: IntrinsicCall) -> list[str]:  # noqa: N802
        source = self._path(call.parameters["ObjectName"])
        found = self._connection.AssociatorNames(source, **_filters(call))
        return [f"<OBJECTPATH>{self._full(path)}</OBJECTPATH>" for path in found]

    def _EnumerateClassNames(self, call: IntrinsicCall) -> list[str]:  # noqa: N802
        found = self._connection.EnumerateClassNames(
            call.namespace, call.parameters.get("ClassName"), DeepInheritance=True
        )
        return [f'<CLASSNAME NAME="{name}"/>' for name in found]

    def _instance(self, instance: Any) -> str:
        if instance.classname in self._shouted:
            properties = [
                pywbem.CIMProperty(each.name.upper(), each.value, each.type)
                for each in instance.properties.values()
            ]
            instance = pywbem.CIMInstance(instance.classname.upper(), properties)
        return str(instance.tocimxml(ignore_path=True).toxml())

    def _name(self, path: Any) -> str:
        bare = path.copy()
        bare.namespace = bare.host = None
        if bare.classname in self._shouted:
            keys = {name.upper(): value for name, value in bare.keybindings.items()}
            bare = pywbem.CIMInstanceName(bare.classname.upper(), keys)
        return str(bare.tocimxml().toxml())

    def _full(self, path: Any) -> str:
        parts = "".join(f'<NAMESPACE NAME="{part}"/>' for part in path.namespace.split("/"))
        return (
            f"<INSTANCEPATH><NAMESPACEPATH><HOST>{_HOST}</HOST><LOCALNAMESPACEPATH>{parts}"
            f"</LOCALNAMESPACEPATH></NAMESPACEPATH>{self._name(path)}</INSTANCEPATH>"
        )


def _properties(call: IntrinsicCall) -> list[str] | None:
    found = call.parameters.get("PropertyList")
    return None if found is None else list(found)


def _filters(call: IntrinsicCall) -> dict[str, Any]:
    names = ("AssocClass", "ResultClass", "Role", "ResultRole")
    return {name: call.parameters.get(name) for name in names}
