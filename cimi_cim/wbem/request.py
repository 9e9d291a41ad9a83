"""Builds CIM-XML requests (DSP0200, DSP0201) with pywbem's element classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pywbem import _cim_xml as xml

from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.values import CimDateTime, EmbeddedInstance, InstancePath


def intrinsic_request(operation: str, namespace: str, parameters: Mapping[str, Any]) -> bytes:
    """Return the body of an intrinsic operation.

    Parameters by value: InstancePath an INSTANCENAME, a list a property list, bool a
    boolean; names that end in `ClassName`, `ResultClass` or `AssocClass` a class name;
    None is left out.
    """
    sent = [
        xml.IPARAMVALUE(name, _intrinsic_value(name, value))
        for name, value in parameters.items()
        if value is not None
    ]
    return _message(xml.IMETHODCALL(operation, _local_namespace(namespace), sent))


def method_request(
    path: InstancePath, method: str, parameters: Mapping[str, TypedValue], *, embed_as_text: bool
) -> bytes:
    """Return the body of an extrinsic method call."""
    target = xml.LOCALINSTANCEPATH(_local_namespace(path.namespace), _instance_name(path))
    sent = [
        _parameter(name, value, embed_as_text=embed_as_text) for name, value in parameters.items()
    ]
    return _message(xml.METHODCALL(method, target, sent))


def create_request(namespace: str, classname: str, values: Mapping[str, TypedValue]) -> bytes:
    """Return the body of a CreateInstance (DSP0200 5.3.2.6)."""
    sent = xml.IPARAMVALUE("NewInstance", _instance(_typed(classname, values)))
    return _message(xml.IMETHODCALL("CreateInstance", _local_namespace(namespace), [sent]))


def modify_request(path: InstancePath, values: Mapping[str, TypedValue]) -> bytes:
    """Return the body of a ModifyInstance of these properties alone (DSP0200 5.3.2.8)."""
    changed = _typed(path.classname, values)
    sent = [
        xml.IPARAMVALUE(
            "ModifiedInstance", xml.VALUE_NAMEDINSTANCE(_instance_name(path), _instance(changed))
        ),
        xml.IPARAMVALUE("PropertyList", _intrinsic_value("PropertyList", sorted(values))),
    ]
    return _message(xml.IMETHODCALL("ModifyInstance", _local_namespace(path.namespace), sent))


def _typed(classname: str, values: Mapping[str, TypedValue]) -> EmbeddedInstance:
    types = {name: value.type for name, value in values.items()}
    return EmbeddedInstance(classname, {n: value.value for n, value in values.items()}, types)


def _message(call: Any) -> bytes:
    document = xml.CIM(xml.MESSAGE(xml.SIMPLEREQ(call), "1001", "1.4"), "2.0", "2.0")
    text: str = document.toxml()
    return b'<?xml version="1.0" encoding="utf-8" ?>\n' + text.encode("utf-8")


def _local_namespace(namespace: str) -> Any:
    return xml.LOCALNAMESPACEPATH([xml.NAMESPACE(part) for part in namespace.split("/") if part])


def _intrinsic_value(name: str, value: Any) -> Any:
    if isinstance(value, InstancePath):
        return _instance_name(value)
    if isinstance(value, bool):
        return xml.VALUE("TRUE" if value else "FALSE")
    if isinstance(value, list | tuple):
        return xml.VALUE_ARRAY([xml.VALUE(item) for item in value])
    if name in ("ClassName", "AssocClass", "ResultClass"):
        return xml.CLASSNAME(value)
    return xml.VALUE(str(value))


def _instance_name(path: InstancePath) -> Any:
    if [name for name, _ in path.keys] == [""]:  # a key without a name, as the server sent it
        value = _key_value(path.keys[0][1])
        return xml.INSTANCENAME(path.classname, [value])
    return xml.INSTANCENAME(
        path.classname, [xml.KEYBINDING(name, _key_value(value)) for name, value in path.keys]
    )


def _key_value(value: Any) -> Any:
    if isinstance(value, InstancePath):
        return xml.VALUE_REFERENCE(_full_path(value))
    if isinstance(value, bool):
        return xml.KEYVALUE("TRUE" if value else "FALSE", "boolean")
    if isinstance(value, int | float):
        return xml.KEYVALUE(str(value), "numeric")
    return xml.KEYVALUE(value.text if isinstance(value, CimDateTime) else value, "string")


def _full_path(path: Any) -> Any:
    return xml.LOCALINSTANCEPATH(_local_namespace(path.namespace), _instance_name(path))


def _parameter(name: str, typed: TypedValue, *, embed_as_text: bool) -> Any:
    base = typed.type.removesuffix("[]")
    is_embedded = base == "instance"
    declared = "string" if is_embedded else base
    if typed.value is None:
        return xml.PARAMVALUE(name, None, declared)
    if typed.type.endswith("[]"):
        items = typed.value if isinstance(typed.value, tuple) else (typed.value,)
        if base == "reference":
            data = xml.VALUE_REFARRAY([xml.VALUE_REFERENCE(_full_path(i)) for i in items])
        else:
            data = xml.VALUE_ARRAY([xml.VALUE(_text(i)) for i in items])
    elif isinstance(typed.value, InstancePath):
        data = xml.VALUE_REFERENCE(_full_path(typed.value))
    else:
        data = xml.VALUE(_text(typed.value))
    marked = "instance" if is_embedded and not embed_as_text else None
    return xml.PARAMVALUE(name, data, declared, marked)


def _text(value: Any) -> str:
    if isinstance(value, EmbeddedInstance):
        text: str = _instance(value).toxml()
        return text
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return value.text if isinstance(value, CimDateTime) else str(value)


def _instance(embedded: EmbeddedInstance) -> Any:
    properties = []
    for name, value in embedded.values.items():
        kind = embedded.types.get(name, "string")
        base = kind.removesuffix("[]")
        if kind.endswith("[]"):
            items = value if isinstance(value, tuple) else () if value is None else (value,)
            data = xml.VALUE_ARRAY([xml.VALUE(_text(item)) for item in items])
            properties.append(xml.PROPERTY_ARRAY(name, base, data))
        elif isinstance(value, InstancePath):
            properties.append(xml.PROPERTY_REFERENCE(name, xml.VALUE_REFERENCE(_full_path(value))))
        else:
            data = None if value is None else xml.VALUE(_text(value))
            properties.append(xml.PROPERTY(name, base, data))
    return xml.INSTANCE(embedded.classname, properties)
