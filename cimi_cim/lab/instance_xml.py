"""CIM values as CIM-XML (DSP0201): properties, instance names and paths."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from cimi_cim.schema.declarations import PropertyDeclaration
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath, Scalar


def property_xml(declared: PropertyDeclaration, value: CimValue) -> bytes:
    """Return the element of one property; NULL has no value inside."""
    name = declared.name
    if declared.type == "reference":
        inner = reference_xml(value) if isinstance(value, InstancePath) else ""
        return f'<PROPERTY.REFERENCE NAME="{name}">{inner}</PROPERTY.REFERENCE>'.encode()
    mark = "" if declared.embedded is None else ' EmbeddedObject="instance"'
    kind = f'NAME="{name}" TYPE="{declared.type}"{mark}'
    if declared.is_array:
        items = value if isinstance(value, tuple) else ()
        inner = "" if value is None else f"<VALUE.ARRAY>{_items(items)}</VALUE.ARRAY>"
        return f"<PROPERTY.ARRAY {kind}>{inner}</PROPERTY.ARRAY>".encode()
    inner = "" if value is None or isinstance(value, tuple) else f"<VALUE>{_text(value)}</VALUE>"
    return f"<PROPERTY {kind}>{inner}</PROPERTY>".encode()


def parameter_xml(name: str, cim_type: str, value: CimValue) -> bytes:
    """Return the PARAMVALUE of an out parameter; an array has `[]` after its type."""
    base = cim_type.removesuffix("[]")
    is_array = base != cim_type
    if value is None:
        inner = ""
    elif base == "reference":
        paths = value if isinstance(value, tuple) else (value,)
        inner = "".join(reference_xml(path) for path in paths if isinstance(path, InstancePath))
        inner = f"<VALUE.REFARRAY>{inner}</VALUE.REFARRAY>" if is_array else inner
    elif isinstance(value, tuple):
        inner = f"<VALUE.ARRAY>{_items(value)}</VALUE.ARRAY>"
    else:
        inner = f"<VALUE>{_text(value)}</VALUE>"
    mark = ' EmbeddedObject="instance"' if base == "instance" else ""
    kind = "string" if base == "instance" else base
    return f'<PARAMVALUE NAME="{name}" PARAMTYPE="{kind}"{mark}>{inner}</PARAMVALUE>'.encode()


def instance_xml(classname: str, properties: Iterable[bytes]) -> bytes:
    """Return the INSTANCE element around rendered properties."""
    return b'<INSTANCE CLASSNAME="%s">%s</INSTANCE>' % (classname.encode(), b"".join(properties))


def name_xml(path: InstancePath) -> str:
    """Return the INSTANCENAME of a path."""
    keys = "".join(
        f'<KEYBINDING NAME="{name}">{_key(value)}</KEYBINDING>' for name, value in path.keys
    )
    return f'<INSTANCENAME CLASSNAME="{path.classname}">{keys}</INSTANCENAME>'


def reference_xml(path: InstancePath) -> str:
    """Return the VALUE.REFERENCE of a path, with its namespace and without a host."""
    local = f"{namespace_xml(path.namespace)}{name_xml(path)}"
    return f"<VALUE.REFERENCE><LOCALINSTANCEPATH>{local}</LOCALINSTANCEPATH></VALUE.REFERENCE>"


def full_path_xml(path: InstancePath, host: str) -> str:
    """Return the INSTANCEPATH of a path on a host."""
    return (
        f"<INSTANCEPATH><NAMESPACEPATH><HOST>{escape(host)}</HOST>"
        f"{namespace_xml(path.namespace)}</NAMESPACEPATH>{name_xml(path)}</INSTANCEPATH>"
    )


def namespace_xml(namespace: str) -> str:
    """Return the LOCALNAMESPACEPATH of a namespace."""
    parts = "".join(f"<NAMESPACE NAME={quoteattr(part)}/>" for part in namespace.split("/"))
    return f"<LOCALNAMESPACEPATH>{parts}</LOCALNAMESPACEPATH>"


def _items(items: Iterable[Scalar | None]) -> str:
    return "".join("<VALUE.NULL/>" if i is None else f"<VALUE>{_text(i)}</VALUE>" for i in items)


def _key(value: Scalar) -> str:
    if isinstance(value, InstancePath):
        return reference_xml(value)
    # DSP0203 2.4 wants the CIM type; clients of earlier versions look at VALUETYPE.
    if isinstance(value, bool):
        kind = cim_type = "boolean"
    elif isinstance(value, int):
        kind, cim_type = "numeric", "uint64" if value >= 0 else "sint64"
    elif isinstance(value, float):
        kind, cim_type = "numeric", "real64"
    else:
        kind, cim_type = "string", "datetime" if isinstance(value, CimDateTime) else "string"
    return f'<KEYVALUE VALUETYPE="{kind}" TYPE="{cim_type}">{_text(value)}</KEYVALUE>'


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, CimDateTime):
        return value.text
    if isinstance(value, EmbeddedInstance):
        return escape(embedded_xml(value))
    return escape(str(value))


def embedded_xml(embedded: EmbeddedInstance) -> str:
    """Return the INSTANCE element of an embedded instance, typed as its `types` say."""
    inner = []
    for name, value in embedded.values.items():
        said = embedded.types.get(name, "string")
        declared = PropertyDeclaration(name, said.removesuffix("[]"), said.endswith("[]"))
        inner.append(property_xml(declared, value))
    return instance_xml(embedded.classname, inner).decode()
