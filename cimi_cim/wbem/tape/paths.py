"""Instance paths as a tape keeps them: as they were spelled, hosts included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from cimi_cim.wbem.values import CimDateTime, InstancePath, KeyValue

Key: TypeAlias = "str | int | bool | TapePath"


@dataclass(frozen=True, slots=True)
class TapePath:
    """A path: class and keys in the sent order; namespace and host where they were sent.

    As JSON `[CLASS, {KEY: VALUE}, NAMESPACE, HOST]`, the last two only if sent. A key is a
    text, a number, true or false, or a path.
    """

    classname: str
    keys: tuple[tuple[str, Key], ...]
    namespace: str | None = None
    host: str | None = None

    @classmethod
    def of_element(cls, element: Any) -> TapePath:
        """Return the path in an INSTANCENAME, or in any element around one."""
        while element.tag in ("VALUE.REFERENCE", "OBJECTPATH"):
            element = element[0]
        namespace = host = None
        if element.tag in ("INSTANCEPATH", "LOCALINSTANCEPATH"):
            namespace = "/".join(str(part.get("NAME")) for part in element[0].iter("NAMESPACE"))
            host = element[0].findtext("HOST")
            element = element[1]
        keys = tuple((str(part.get("NAME")), _key(part[0])) for part in element if len(part))
        return cls(str(element.get("CLASSNAME")), keys, namespace, host)

    @classmethod
    def of_json(cls, form: Any) -> TapePath:
        """Return the path of a JSON form. Raises `ValueError` for what is none."""
        if not isinstance(form, list) or not 2 <= len(form) <= 4 or not isinstance(form[1], dict):
            raise ValueError(f"{form!r} is no path: [CLASS, {{KEY: VALUE}}, NAMESPACE, HOST]")
        keys = tuple(
            (name, cls.of_json(value) if isinstance(value, list) else value)
            for name, value in form[1].items()
        )
        return cls(form[0], keys, *form[2:])

    @classmethod
    def of_path(cls, path: InstancePath) -> TapePath:
        """Return a path as the tape keeps it, with its namespace."""
        keys = tuple(
            (name, cls.of_path(value) if isinstance(value, InstancePath) else _plain(value))
            for name, value in path.keys
        )
        return cls(path.classname, keys, path.namespace)

    def json(self) -> list[Any]:
        """Return the JSON form."""
        keys = {n: v.json() if isinstance(v, TapePath) else v for n, v in self.keys}
        form: list[Any] = [self.classname, keys]
        return form + [part for part in (self.namespace, self.host) if part is not None]

    def name(self) -> TapePath:
        """Return the path without its own namespace and host."""
        return TapePath(self.classname, self.keys)

    def instance_path(self, namespace: str) -> InstancePath:
        """Return the path for comparing; `namespace` is that of the request."""
        inside = self.namespace or namespace
        keys: tuple[tuple[str, KeyValue], ...] = tuple(
            (n, v.instance_path(inside) if isinstance(v, TapePath) else v) for n, v in self.keys
        )
        return InstancePath(inside, self.classname, keys)

    def name_xml(self) -> str:
        """Return the INSTANCENAME element."""
        keys = "".join(
            f"<KEYBINDING NAME={quoteattr(name)}>{_key_xml(value)}</KEYBINDING>"
            for name, value in self.keys
        )
        return f"<INSTANCENAME CLASSNAME={quoteattr(self.classname)}>{keys}</INSTANCENAME>"

    def full_xml(self, namespace: str, host: str) -> str:
        """Return the INSTANCEPATH element."""
        return (
            f"<INSTANCEPATH><NAMESPACEPATH><HOST>{escape(host)}</HOST>{_namespace_xml(namespace)}"
            f"</NAMESPACEPATH>{self.name_xml()}</INSTANCEPATH>"
        )

    def reference_xml(self) -> str:
        """Return the VALUE.REFERENCE element, with as much of a path as was sent."""
        if self.namespace is None:
            inner = self.name_xml()
        elif self.host is None:
            local = _namespace_xml(self.namespace) + self.name_xml()
            inner = f"<LOCALINSTANCEPATH>{local}</LOCALINSTANCEPATH>"
        else:
            inner = self.full_xml(self.namespace, self.host)
        return f"<VALUE.REFERENCE>{inner}</VALUE.REFERENCE>"


def _key(element: Any) -> Key:
    if element.tag == "VALUE.REFERENCE":
        return TapePath.of_element(element)
    text = element.text or ""
    kind = element.get("VALUETYPE", "string")
    if kind == "boolean":
        return bool(text.strip().lower() == "true")
    is_number = kind == "numeric" and text.strip().removeprefix("-").isdecimal()
    return int(text) if is_number else text


def _plain(value: KeyValue) -> Key:
    if isinstance(value, CimDateTime):
        return value.text
    return value if isinstance(value, bool | int | str) else str(value)


def _key_xml(value: Key) -> str:
    if isinstance(value, TapePath):
        return value.reference_xml()
    if isinstance(value, bool):
        return f'<KEYVALUE VALUETYPE="boolean">{"TRUE" if value else "FALSE"}</KEYVALUE>'
    if isinstance(value, int):
        return f'<KEYVALUE VALUETYPE="numeric">{value}</KEYVALUE>'
    return f'<KEYVALUE VALUETYPE="string">{escape(value)}</KEYVALUE>'


def _namespace_xml(namespace: str) -> str:
    parts = "".join(f"<NAMESPACE NAME={quoteattr(part)}/>" for part in namespace.split("/"))
    return f"<LOCALNAMESPACEPATH>{parts}</LOCALNAMESPACEPATH>"
