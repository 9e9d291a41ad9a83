"""The class declarations of a tape: lineage, and the replies to GetClass and its like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from cimi_cim.wbem.tape.instances import REFERENCE, Member
from cimi_cim.wbem.tape.records import ClassForm, MethodForm, Tape

_QUALIFIERS = {"Key": "boolean", "In": "boolean", "Out": "boolean", "EmbeddedInstance": "string"}


@dataclass(frozen=True, slots=True)
class Switches:
    """What GetClass and EnumerateClasses may leave out (DSP0200 5.3.2.1)."""

    local_only: bool
    qualifiers: bool
    class_origin: bool
    properties: frozenset[str] | None = None


class DeclaredClasses:
    """The classes of a recorded server, as far as they were recorded."""

    def __init__(self, tape: Tape) -> None:
        self._names = {ns.lower(): names for ns, names in tape.class_names.items()}
        self._known = {
            ns: frozenset(name.lower() for name in names) for ns, names in self._names.items()
        }
        self._declared = {(c.namespace.lower(), c.name.lower()): c for c in tape.classes}
        placed = {name.lower(): above for name, above in tape.header.superclasses.items()}
        self._superclass = placed | {c.name.lower(): c.superclass for c in tape.classes}

    def is_known(self, namespace: str, name: str) -> bool | None:
        """Whether a namespace has a class; None if its classes were not recorded."""
        known = self._known.get(namespace.lower())
        return None if known is None else name.lower() in known

    def lineage(self, name: str) -> list[str]:
        """Return a class and its superclasses in lower case, as far as they are known."""
        found = [name.lower()]
        while (above := self._superclass.get(found[-1])) is not None:
            found.append(above.lower())
        return found

    def is_below(self, name: str, ancestor: str) -> bool | None:
        """Whether a class is or derives from another; None if that is not known."""
        lineage = self.lineage(name)
        if ancestor.lower() in lineage:
            return True
        return False if lineage[-1] in self._superclass else None

    def ends(self, association: str, classname: str) -> list[tuple[str, str]] | None:
        """Return the roles that instances of a class can have, each with the role of the other end.

        Counted are the declarations of the association and its subclasses that were recorded;
        None if there is none, or if one leaves it open.
        """
        found: set[tuple[str, str]] = set()
        for declared in self._declared.values():
            references = [m for m in declared.properties if m.type == REFERENCE]
            if len(references) != 2 or not self.is_below(declared.name, association):
                continue
            for member, other in zip(references, reversed(references), strict=True):
                end = next((v for name, v in member.marks if name == "REFERENCECLASS"), None)
                fits = None if end is None else self.is_below(classname, end)
                if fits is None:
                    return None
                found |= {(member.name, other.name)} if fits else set()
        return sorted(found) or None

    def names_below(self, namespace: str, start: str | None, *, is_deep: bool) -> list[str] | None:
        """Return the classes below one, or all; None if that was not recorded."""
        names = self._names.get(namespace.lower())
        if names is None or (start is None and is_deep):
            return None if names is None else list(names)
        lowered = None if start is None else start.lower()
        found = []
        for name in names:
            if name.lower() not in self._superclass:
                return None
            above = self._superclass[name.lower()]
            if not is_deep:
                is_found = (None if above is None else above.lower()) == lowered
            else:
                is_found = lowered in self.lineage(name)[1:]
            if is_found:
                found.append(name)
        return found

    def declared(self, namespace: str, name: str) -> ClassForm | None:
        """Return a class as it was recorded, None if it was not."""
        found = self._declared.get((namespace.lower(), name.lower()))
        return found if found is not None and found.is_recorded else None

    def has_method(self, namespace: str, name: str, method: str) -> bool | None:
        """Whether a class has a method; None if the class was not recorded."""
        found = self.declared(namespace, name)
        if found is None:
            return None
        return any(m.head.name.lower() == method.lower() for m in found.methods)


def class_xml(cls: ClassForm, switches: Switches) -> bytes:
    """Return the CLASS element of a recorded class."""
    superclass = "" if cls.superclass is None else f" SUPERCLASS={quoteattr(cls.superclass)}"
    marks = [_qualifier(mark, "boolean", "TRUE") for mark in cls.marks]
    wanted = switches.properties
    properties = [
        _property(member, switches) for member in _local(cls.properties, switches)
        if wanted is None or member.name.lower() in wanted
    ]  # fmt: skip
    methods = [_method(m, switches) for m in cls.methods if _local([m.head], switches)]
    body = [*(marks if switches.qualifiers else []), *properties, *methods]
    return f"<CLASS NAME={quoteattr(cls.name)}{superclass}>{''.join(body)}</CLASS>".encode()


def _local(members: Iterable[Member], switches: Switches) -> Sequence[Member]:
    return [m for m in members if not (switches.local_only and ("PROPAGATED", "true") in m.marks)]


def _property(member: Member, switches: Switches) -> str:
    if member.type == REFERENCE:
        return _element("PROPERTY.REFERENCE", member, switches)
    tag = "PROPERTY.ARRAY" if member.is_array else "PROPERTY"
    return _element(tag, member, switches, f' TYPE="{member.type}"')


def _method(method: MethodForm, switches: Switches) -> str:
    inner = "".join(_parameter(parameter, switches) for parameter in method.parameters)
    return _element("METHOD", method.head, switches, f' TYPE="{method.head.type}"', inner)


def _parameter(member: Member, switches: Switches) -> str:
    if member.type == REFERENCE:
        tag = "PARAMETER.REFARRAY" if member.is_array else "PARAMETER.REFERENCE"
        return _element(tag, member, switches)
    tag = "PARAMETER.ARRAY" if member.is_array else "PARAMETER"
    return _element(tag, member, switches, f' TYPE="{member.type}"')


def _element(tag: str, member: Member, switches: Switches, kind: str = "", inner: str = "") -> str:
    attributes, qualifiers = "", ""
    for name, value in member.marks:
        if name in _QUALIFIERS:
            qualifiers += _qualifier(name, _QUALIFIERS[name], value)
        elif name != "CLASSORIGIN" or switches.class_origin:
            attributes += f" {name}={quoteattr(value)}"
    head = f"<{tag} NAME={quoteattr(member.name)}{attributes}{kind}>"
    return f"{head}{qualifiers if switches.qualifiers else ''}{inner}</{tag}>"


def _qualifier(name: str, kind: str, value: str) -> str:
    text = value.upper() if kind == "boolean" else escape(value)
    return f'<QUALIFIER NAME="{name}" TYPE="{kind}"><VALUE>{text}</VALUE></QUALIFIER>'
