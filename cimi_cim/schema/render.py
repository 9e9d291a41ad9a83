"""Class and qualifier declarations as CIM-XML, for a server that is asked for them.

Compiled on the first question only: most clients never ask, and the compiler takes
longer than everything else at the start of a server.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cimi_cim.schema.mof import compile_folders


class ClassElements:
    """The declarations of some MOF folders; safe to use from several threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._lock = threading.Lock()
        self._classes: dict[str, Any] | None = None
        self._qualifiers: dict[str, Any] = {}
        self._resolved: dict[str, Any] = {}
        self._rendered: dict[tuple[Any, ...], bytes] = {}

    def class_element(
        self,
        name: str,
        *,
        local_only: bool,
        qualifiers: bool,
        class_origin: bool,
        properties: frozenset[str] | None,
    ) -> bytes:
        """Return the CLASS element of a class, with the switches of GetClass (DSP0200 5.3.2.1).

        `properties` are the wanted ones in lower case, None for all. Raises `KeyError`
        for a class that is not declared.
        """
        key = (name.lower(), local_only, qualifiers, class_origin, properties)
        with self._lock:
            found = self._rendered.get(key)
            if found is None:
                self._load()
                cls = self._resolve(name)
                cls = _selected(cls, local_only, qualifiers, class_origin, properties)
                found = cls.tocimxmlstr().encode("utf-8")
                self._rendered[key] = found
        return found

    def qualifier(self, name: str) -> bytes | None:
        """Return the QUALIFIER.DECLARATION of a name (any case), None if there is none."""
        with self._lock:
            self._load()
            found = self._qualifiers.get(name.lower())
        return None if found is None else found.tocimxmlstr().encode("utf-8")

    def qualifiers(self) -> list[bytes]:
        """Return all QUALIFIER.DECLARATION elements."""
        with self._lock:
            self._load()
        return [found.tocimxmlstr().encode("utf-8") for found in self._qualifiers.values()]

    def _load(self) -> None:
        if self._classes is None:
            classes, qualifiers = compile_folders(self._folders)
            for qualifier in qualifiers:
                _spell_out_any(qualifier)
                self._qualifiers[qualifier.name.lower()] = qualifier
            self._classes = {cls.classname.lower(): cls for cls in classes}

    def _resolve(self, name: str) -> Any:
        """The class with what it inherits; inherited members are marked as propagated."""
        known = self._resolved.get(name.lower())
        if known is not None:
            return known
        cls = (self._classes or {})[name.lower()].copy()
        parent = self._resolve(cls.superclass) if cls.superclass else None
        for members in ("properties", "methods"):
            own = getattr(cls, members)
            for member in own.values():
                member.class_origin, member.propagated = cls.classname, False
            if parent is not None:
                setattr(cls, members, self._merged(getattr(parent, members), own))
        if parent is not None:
            self._inherit_qualifiers(cls, parent)
        self._resolved[name.lower()] = cls
        return cls

    def _merged(self, inherited: Any, own: Any) -> list[Any]:
        merged = []
        for name, member in inherited.items():
            override = own.get(name)
            if override is None:
                passed = member.copy()
                passed.propagated = True
                merged.append(passed)
            else:
                self._inherit_qualifiers(override, member)
        return [*merged, *own.values()]

    def _inherit_qualifiers(self, element: Any, inherited: Any) -> None:
        """Pass down what DSP0004 5.6.3 passes: qualifiers of the flavor ToSubclass."""
        for name, qualifier in inherited.qualifiers.items():
            declared = self._qualifiers.get(name.lower())
            is_passed = qualifier.tosubclass
            if is_passed is None:
                is_passed = declared is None or declared.tosubclass is not False
            if is_passed and name not in element.qualifiers:
                passed = qualifier.copy()
                passed.propagated = True
                element.qualifiers[name] = passed


def _spell_out_any(qualifier: Any) -> None:
    """MOF's scope ANY has no place in CIM-XML, where it is every scope there is (DSP0201)."""
    is_any = qualifier.scopes.pop("ANY", False)
    for scope in qualifier.scopes:
        qualifier.scopes[scope] = is_any or qualifier.scopes[scope]


def _selected(
    cls: Any,
    local_only: bool,
    qualifiers: bool,
    class_origin: bool,
    properties: frozenset[str] | None,
) -> Any:
    chosen = cls.copy()
    chosen.properties = [
        member for member in _kept(cls.properties.values(), local_only)
        if properties is None or member.name.lower() in properties
    ]  # fmt: skip
    chosen.methods = list(_kept(cls.methods.values(), local_only))
    for member in (*chosen.properties.values(), *chosen.methods.values()):
        if not class_origin:
            member.class_origin = None
        if not qualifiers:
            member.qualifiers = {}
            for parameter in getattr(member, "parameters", {}).values():
                parameter.qualifiers = {}
    if not qualifiers:
        chosen.qualifiers = {}
    elif local_only:
        chosen.qualifiers = [q for q in chosen.qualifiers.values() if not q.propagated]
    return chosen


def _kept(members: Iterable[Any], local_only: bool) -> Iterable[Any]:
    return (member.copy() for member in members if not (local_only and member.propagated))


def load_class_elements(folders: Sequence[Path]) -> ClassElements:
    """Return the class elements of some folders; a mistake in them shows on the first use."""
    return ClassElements(folders)
