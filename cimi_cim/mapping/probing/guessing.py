"""Guesses where a value may come from, by names, types, value maps and the values themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import Refusal
from cimi_cim.mapping.probing.units import is_read
from cimi_cim.mapping.probing.words import words
from cimi_cim.schema.declarations import ClassDeclaration, PropertyDeclaration, ValueMap


@dataclass(frozen=True, slots=True)
class Seat:
    """An alias of a draft whose properties may hold something, with the class behind it."""

    alias: str
    classname: str
    is_many: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """What an attribute of a draft may say, and a word to whoever decides."""

    said: dict[str, Any]
    comment: str


@dataclass(frozen=True, slots=True)
class Match:
    """An equality: a property of the target, or what stands before its last `separator`.

    `is_key` says that the property is a key of the target.
    """

    theirs: str
    ours: str
    separator: str
    is_key: bool

    def said(self, alias: str) -> dict[str, str]:
        """Return it as `match` says it, from an alias of the source."""
        left = f"before_last({self.theirs}, '{self.separator}')" if self.separator else self.theirs
        return {left: f"{alias}.{self.ours}"}


class Guesser:
    """Knows the instances and declarations of one namespace."""

    def __init__(self, asker: Asker, namespace: str) -> None:
        self._asker = asker
        self._namespace = namespace

    def attribute(self, resource: str, name: str, seats: Iterable[Seat]) -> Guess | None:
        """Return where an attribute may come from, None if nothing looks like it."""
        patterns = words()["guesses"].get(resource, {}).get(name, ())
        for pattern in patterns:
            for seat in seats:
                for prop in self._filled(seat.classname):
                    if re.search(pattern, prop):
                        return self._reading(name, seat, prop)
        return None

    def _reading(self, name: str, seat: Seat, prop: str) -> Guess:
        path = f"{seat.alias}.{prop}"
        said: dict[str, Any] = {"read": f"sum({path})" if seat.is_many else path}
        comment = f"a guess by its name: {seat.classname}.{prop}"
        to = words()["quantities"].get(name)
        if to == "count":
            said["convert"] = {"quantity": {"default": to, "to": to}}
        elif to is not None:
            quantity = self._quantity(seat, prop, to)
            if quantity is None:
                return Guess({"drop": True}, f"may be {path}, but nothing tells its unit")
            said["convert"] = {"quantity": quantity}
            comment += f"; its unit is taken for {quantity['default']}, check it"
        elif name in words()["converters"]:
            said["convert"] = words()["converters"][name]
        return Guess(said, comment)

    def _quantity(self, seat: Seat, prop: str, to: str) -> dict[str, Any] | None:
        """Where the unit stands: beside the property, in its declaration, or in its name.

        None where nothing tells it.
        """
        beside = [
            each for each in self._filled(seat.classname)
            if each.lower() in {f"{prop.lower()}unit", f"{prop.lower()}units"}
        ]  # fmt: skip
        declared = self._property(seat.classname, prop)
        said = declared.units if declared is not None and declared.units else ""
        default = said if said and is_read(said) else ("byte" if beside else "")
        for pattern, unit in words()["unit_names"]:
            if re.search(pattern, said or prop):
                default = unit
        units = {"units": [f"{seat.alias}.{each}" for each in beside]} if beside else {}
        return {**units, "default": default, "to": to} if default else None

    def identity(self, seat: Seat) -> tuple[list[dict[str, str]], str]:
        """Return natural keys: a property that looks like a UUID, then the keys of the class."""
        found = self._asker.instances(seat.classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        pattern = re.compile(words()["uuid"])
        keys = [name for name, _ in rows[0][0].keys] if rows else []
        for prop in sorted(self._filled(seat.classname), key=_is_no_uuid):
            values = [i.values.get(prop) for _, i in rows]
            texts = [value for value in values if isinstance(value, str)]
            if len(set(texts)) == len(values) and all(pattern.fullmatch(t) for t in texts):
                return [{"global": f"{seat.alias}.{prop}"}], f"{prop} looks like a UUID"
        own = [name for name in keys if self._differs(name, rows)]
        if not own:
            return [], "no key tells the instances apart"
        joined = " + '-' + ".join(f"{seat.alias}.{name}" for name in own)
        return [{"target": joined}], f"by its keys: {', '.join(own)}"

    def _differs(self, key: str, rows: list[Any]) -> bool:
        values = {path.key(key) for path, _ in rows}
        return len(values) > 1 or (len(rows) == 1 and not key.endswith("ClassName"))

    def states(self, resource: str, seat: Seat) -> tuple[str, list[dict[str, Any]]] | None:
        """Return a property with its decision list, by the names of its values."""
        declared = self._declaration(seat.classname)
        if declared is None:
            return None
        best: tuple[int, str, list[dict[str, Any]]] | None = None
        for prop in declared.properties:
            if prop.values is None or re.search(words()["state_unlikely"], prop.name):
                continue
            lines = list(_lines(resource, seat.alias, prop, prop.values))
            seen = set(self._values(seat.classname, prop.name))
            known = {line["if"][f"{seat.alias}.{prop.name}"] for line in lines if not prop.is_array}
            score = len(seen & known)
            if re.search(words()["state_names"], prop.name) and score:
                score += 1
            if score and (best is None or score > best[0]):
                best = (score, prop.name, lines)
        return None if best is None else (best[1], best[2])

    def texts(self, classname: str, prop: str) -> list[str]:
        """Return the texts that a property has in the instances of a class."""
        return [value for value in self._values(classname, prop) if isinstance(value, str)]

    def _values(self, classname: str, prop: str) -> list[Any]:
        found = self._asker.instances(classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        return [v for _, i in rows if (v := i.values.get(prop)) is not None and v != ()]

    def fits(self, seat: Seat, lines: list[dict[str, Any]]) -> bool:
        """Whether a decision list knows every instance of a class without its `else`."""
        found = self._asker.instances(seat.classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        tests = [line["if"] for line in lines if "if" in line]
        return all(any(_holds(test, seat.alias, i.values) for test in tests) for _, i in rows)

    def has_value(self, classname: str, prop: str) -> bool:
        """Whether some instance of a class has a value of a property (any case)."""
        found = self._asker.instances(classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        lowered = prop.lower()
        return any(
            name.lower() == lowered and value not in (None, "", ())
            for _, instance in rows
            for name, value in instance.values.items()
        )

    def matches(self, source: str, target: str) -> Iterator[Match]:
        """Yield equalities by which every instance of `target` finds one of `source`.

        The values must tell instances of the source apart; what stands before the last
        separator counts, too (`web01/vda` belongs to `web01`). Surest first: keys and what
        looks like a UUID, then by name.
        """
        found = [
            Match(theirs, ours, separator, theirs in self._keys(target))
            for theirs in self._filled(target)
            for ours in self._filled(source)
            for separator in ("", "/", ":")
            if self._fits(source, ours, target, theirs, separator)
        ]
        keys = self._keys(source)
        yield from sorted(
            found, key=lambda m: (m.ours not in keys and _is_no_uuid(m.ours), m.theirs, m.ours)
        )

    def _fits(self, source: str, ours: str, target: str, theirs: str, separator: str) -> bool:
        wanted, values = self._values(target, theirs), self._values(source, ours)
        are_texts = all(isinstance(value, str) for value in (*wanted, *values))
        # Numbers are alike too easily: only under the same name.
        if not wanted or not (are_texts or (theirs == ours and not separator)):
            return False
        if separator:
            wanted = [value.rpartition(separator)[0] for value in wanted]
        if len(set(wanted)) < min(2, len(values)) or len(set(values)) != len(values):
            return False
        return set(wanted) <= set(values)

    def _keys(self, classname: str) -> tuple[str, ...]:
        found = self._asker.instances(classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        return tuple(name for name, _ in rows[0][0].keys) if rows else ()

    def _filled(self, classname: str) -> list[str]:
        """The properties of a class that have a value in some instance, scalars only."""
        found = self._asker.instances(classname, self._namespace)
        rows = [] if isinstance(found, Refusal) else found
        names: dict[str, None] = {}
        for _, instance in rows:
            for name, value in instance.values.items():
                if value is not None and value != "" and not isinstance(value, tuple):
                    names[name] = None
        return list(names)

    def _property(self, classname: str, name: str) -> PropertyDeclaration | None:
        declared = self._declaration(classname)
        found = declared.properties if declared is not None else ()
        return next((p for p in found if p.name.lower() == name.lower()), None)

    def _declaration(self, classname: str) -> ClassDeclaration | None:
        declared = self._asker.declaration(classname, self._namespace)
        return None if isinstance(declared, Refusal) else declared


def _holds(test: dict[str, Any], alias: str, values: Mapping[str, Any]) -> bool:
    """Whether an instance passes a test of one property, as far as a glance tells."""
    for path, wanted in test.items():
        value = values.get(path.removeprefix(f"{alias}."))
        several = wanted.get("has", []) if isinstance(wanted, dict) else wanted
        known = several if isinstance(several, list) else [several]
        found = value if isinstance(value, tuple) else (value,)
        if not set(found) & set(known):
            return False
    return True


def _is_no_uuid(name: str) -> bool:
    return "uuid" not in name.lower()


def _lines(
    resource: str, alias: str, prop: PropertyDeclaration, values: ValueMap
) -> Iterator[dict[str, Any]]:
    """A line of a decision list for each value whose name means a state."""
    for key, label in values.entries:
        state = _state(resource, label)
        if state is None or ".." in key:
            continue
        is_text = prop.type == "string"
        value: Any = key if is_text else int(key, 16 if key.lower().startswith("0x") else 10)
        yield {"if": {f"{alias}.{prop.name}": value}, "is": state}


def _state(resource: str, label: str) -> str | None:
    for pattern, state in words()["states"].get(resource, ()):
        if re.search(pattern, label.strip(), re.IGNORECASE):
            return str(state)
    return None
