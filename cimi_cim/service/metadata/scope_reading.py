"""Reads value scopes that a client sends, so that they can be enforced (DSP0263 5.5.14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NoReturn

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, Model
from cimi_cim.service.scopes import Rows, Scope, ValueScope, admits, number, ratio
from cimi_cim.units import UnitError

_WORDS = frozenset(
    {"value", "values", "minimum", "maximum", "increment", "units", "default", "item"}
)
_LARGEST = 2**63  # of what JSON is read and written with
_RANGE = ("minimum", "maximum", "increment")
_REFERENCES = (Kind.REF, Kind.REF_OR_VALUE)
_WITHOUT_SCOPE = (Kind.COLLECTION, Kind.STRUCT, Kind.MAP, Kind.VALUE_SCOPE, Kind.ANY)
_TRUTH = {"true": True, "false": False}


def read_scopes(said: Sequence[Mapping[str, Scope]], rows: Rows, model: Model) -> list[ValueScope]:
    """Return value scopes by neutral name, their values as the attributes hold them.

    `rows` are those of the described type. Raises `BadRequest` (`bad-value-scope`) for an
    attribute that the type does not have or that no consumer sets, for a form of scope that
    the standard or the attribute does not have, and for a scope that nothing could meet.
    """
    return [
        _value_scope(scope, rows, model, f"vscope[{index}]") for index, scope in enumerate(said)
    ]


def _value_scope(said: Value, rows: Rows, model: Model, where: str) -> ValueScope:
    if not isinstance(said, Mapping) or not said:
        _refuse(f"{where} must name an attribute and its scope")
    wire = {
        form.json_name: row
        for row in rows.values()
        if (form := row.form(CimiVersion.V2)) is not None
    }
    found: dict[str, Scope] = {}
    for name, scope in said.items():
        place = f"{where}.{name[:60]}"
        if name not in wire:
            _refuse(f"{place}: there is no such attribute")
        if wire[name].access is Access.READ_ONLY and wire[name].kind is not Kind.COLLECTION:
            _refuse(f"{place}: no consumer sets this attribute")
        if wire[name].access is Access.WRITE_ONLY:
            _refuse(f"{place}: metadata are no place for a secret")
        found[wire[name].name] = _scope(scope, wire[name], model, place)
    return found


def _scope(said: Value, row: Attribute, model: Model, where: str) -> dict[str, Value]:
    if not isinstance(said, Mapping):
        _refuse(f"{where} must be a scope, such as a value or a minimum")
    given = {name: value for name, value in said.items() if value is not None}
    for name in given.keys() - _WORDS:
        _refuse(f"{where}: a scope knows no {name[:60]!r}; it has {', '.join(sorted(_WORDS))}")
    if "value" in given and "default" in given:
        given["values"] = [given.pop("value")]  # XML cannot tell a list of one
    if "item" in given:
        if len(given) > 1:
            _refuse(f"{where}: item stands alone")
        return {"item": _item(given["item"], row, model, f"{where}.item")}
    if row.kind in _WITHOUT_SCOPE:
        _refuse(f"{where}: the attribute holds no single value to scope")
    _check_form(given, row, where)
    _check_units(given, row, where)
    found = {name: _keyword(name, value, row, where) for name, value in given.items()}
    _check_range(found, where)
    _check_assigned(found, row, where)
    return found


def _item(said: Value, row: Attribute, model: Model, where: str) -> ValueScope:
    is_list = row.kind is Kind.COLLECTION or (row.kind is Kind.STRUCT and row.is_array)
    if not is_list:
        _refuse(f"{where}: the attribute has no items with attributes of their own")
    target = model.types.get(row.target_in(CimiVersion.V2) or "")
    fields = target.attributes if target is not None else {f.name: f for f in row.fields}
    return _value_scope(said, fields, model, where)


def _check_form(given: Mapping[str, Value], row: Attribute, where: str) -> None:
    """A value, a list, a range, or units alone; each with the words that go with it."""
    forms = [
        name
        for name, words in (("value", ("value",)), ("values", ("values",)), ("a range", _RANGE))
        if any(word in given for word in words)
    ]
    if len(forms) > 1:
        _refuse(f"{where}: {' and '.join(forms)} exclude each other")
    if "default" in given and not forms:
        _refuse(f"{where}: a default goes with values, or with a range")
    if not forms and "units" not in given:
        _refuse(f"{where}: it allows anything; say a value, values, a range, or units")
    if "a range" in forms and row.kind is not Kind.INTEGER:
        _refuse(f"{where}: only integers have a range")
    if row.is_array and (forms != ["values"] or "default" in given):
        _refuse(f"{where}: what an array may hold is said with values")


def _check_units(given: Mapping[str, Value], row: Attribute, where: str) -> None:
    if "units" not in given:
        return
    if row.unit is None or not isinstance(given["units"], str):
        _refuse(f"{where}: the attribute has no units, or they are no word")
    try:
        ratio(given, row)
    except UnitError as exc:
        _refuse(f"{where}: {exc}")


def _keyword(name: str, value: Value, row: Attribute, where: str) -> Value:
    if name == "units":
        return value
    if name == "values":
        if not isinstance(value, list) or not value:
            _refuse(f"{where}.values must be a list that is not empty")
        return [_typed(item, row, f"{where}.values") for item in value]
    return _typed(value, row, f"{where}.{name}")


def _typed(value: Value, row: Attribute, where: str) -> Value:
    """One value of the attribute's kind; XML does not tell numbers from text."""
    if row.kind is Kind.INTEGER:
        found = number(value)
        if found is None or abs(found) >= _LARGEST:
            _refuse(f"{where} must be a number of at most 64 bits")
        return int(found) if found.denominator == 1 else float(found)
    if row.kind is Kind.BOOLEAN and isinstance(value, str):
        value = _TRUTH.get(value.strip().lower(), value)
    wanted = {Kind.BOOLEAN: bool}.get(row.kind, Ref if row.kind in _REFERENCES else str)
    if not isinstance(value, wanted):
        _refuse(f"{where} must be a {row.kind.value}")
    if row.values and not row.is_open and value not in row.values:
        _refuse(f"{where}: {str(value)[:60]!r} is none of {', '.join(row.values)}")
    return value


def _check_range(found: Mapping[str, Value], where: str) -> None:
    low, high, step = (found.get(name) for name in _RANGE)
    if low is not None and high is not None and low > high:
        _refuse(f"{where}: the minimum is above the maximum")
    if step is not None and step <= 0:
        _refuse(f"{where}: the increment must be above 0")
    if step is not None and low is None and high is None:
        _refuse(f"{where}: an increment counts from a minimum, or from a maximum")


def _check_assigned(found: Mapping[str, Value], row: Attribute, where: str) -> None:
    """What an absent attribute would be assigned must be a value that it can have."""
    if row.kind is Kind.INTEGER:
        named = [found[name] for name in ("value", "default") if name in found]
        for value in (*named, *found.get("values", ())):
            exact = (number(value) or Fraction(0)) * ratio(found, row)
            if exact.denominator != 1 or abs(exact) >= _LARGEST:
                _refuse(f"{where}: {value} {found.get('units', '')} is no"
                        f" whole number of {row.unit or 'units'} that fits 64 bits")  # fmt: skip
            if value in named and not admits(found, row, int(exact)):
                _refuse(f"{where}: the default {value} is not allowed by the scope itself")
    elif "default" in found and not admits(found, row, found["default"]):
        _refuse(f"{where}: the default {found['default']} is none of the values")


def _refuse(message: str) -> NoReturn:
    raise BadRequest(message, reason="bad-value-scope")
