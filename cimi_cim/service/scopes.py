"""Value scopes: which values the attributes of a resource may take (DSP0263 5.5.14).

A value scope maps names of attributes to scopes; a scope is `value`, `values`, a range
(`minimum`, `maximum`, `increment`), `units` alone, or `item` with a value scope for what an
array or a Collection holds. A resource has several value scopes, and meets one of them.

What the text leaves open is read so: an attribute that is absent meets every scope. At
creation one that is absent gets the `default`, or the single `value`, that its scope
assigns. `units` are those of the numbers in the scope, not of the attribute; `units` alone
want a whole number of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, CimiVersion, Kind
from cimi_cim.units import conversion, parse_cimi_unit

Scope: TypeAlias = Mapping[str, Value]
ValueScope: TypeAlias = Mapping[str, Scope]
Rows: TypeAlias = Mapping[str, Attribute]


def check_scopes(
    scopes: Sequence[ValueScope],
    values: Mapping[str, Value],
    rows: Rows,
    version: CimiVersion,
    *,
    creating: bool,
) -> dict[str, Value]:
    """Return the values, which meet one of the scopes; all do where there are none.

    `rows` are the table of the values, by neutral name; scopes are as `read_scopes` makes
    them. When creating, absent values are assigned as the first scope that can be met says.
    Raises `BadRequest` (`value-scope`) with the attribute, its value and what is allowed.
    """
    problems = []
    for scope in scopes:
        taken = assigned(scope, values, rows) if creating else dict(values)
        problem = next(_problems(scope, taken, rows, version, ""), None)
        if problem is None:
            return taken
        problems.append(problem)
    if not problems:
        return dict(values)
    told = dict.fromkeys(problems)
    message = (
        "; or: ".join(told) if len(told) <= 5 else f"no value scope is met, such as: {problem}"
    )
    raise BadRequest(message, reason="value-scope")


def assigned(scope: ValueScope, values: Mapping[str, Value], rows: Rows) -> dict[str, Value]:
    """Return the values, with what a value scope assigns to those that are absent."""
    found = dict(values)
    for name, said in scope.items():
        row = rows[name]
        if found.get(name) is None and ("value" in said or "default" in said):
            found[name] = _in_attribute(said, row, said.get("default", said.get("value")))
        elif "item" in said and isinstance(found.get(name), list):
            fields = {field.name: field for field in row.fields}
            found[name] = [
                assigned(said["item"], item, fields) if isinstance(item, dict) else item
                for item in found[name]
            ]
    return found


def admits(scope: Scope, row: Attribute, value: Value) -> bool:
    """Whether a scope that is no `item` allows one value of an attribute."""
    if "value" in scope:
        return _same(value, _in_attribute(scope, row, scope["value"]))
    if "values" in scope:
        return any(_same(value, _in_attribute(scope, row, word)) for word in scope["values"])
    if row.kind is not Kind.INTEGER:
        return True
    low, high, step = (_exact(scope, row, name) for name in ("minimum", "maximum", "increment"))
    if (low is not None and value < low) or (high is not None and value > high):
        return False
    if step is not None and low is not None:
        return bool((value - low) % step == 0)
    if step is not None and high is not None:
        return bool((high - value) % step == 0)
    is_unit_alone = low is None and high is None and "units" in scope
    return not is_unit_alone or value % ratio(scope, row) == 0


def ratio(scope: Scope, row: Attribute) -> Fraction:
    """Return how many units of the attribute one unit of the scope is. Raises `UnitError`."""
    if "units" not in scope or row.unit is None:
        return Fraction(1)
    return conversion(parse_cimi_unit(scope["units"]), parse_cimi_unit(row.unit))


def number(value: Value) -> Fraction | None:
    """Return a number exactly, also one that is written as text; None for what is none."""
    try:
        found = None if isinstance(value, bool) else Decimal(str(value).strip())
    except InvalidOperation:
        return None
    is_sane = found is not None and found.is_finite() and abs(found.adjusted()) < 40
    return Fraction(found) if is_sane and found is not None else None


def told(scope: Scope) -> str:
    """Return what a scope allows, in words."""
    units = f" {scope['units']}" if "units" in scope else ""
    if "value" in scope:
        return f"only {_word(scope['value'])}{units}"
    if "values" in scope:
        return f"{', '.join(_word(value) for value in scope['values'])}{units}"
    low, high = scope.get("minimum"), scope.get("maximum")
    if low is None and high is None:
        return f"a whole number of{units}"
    span = f"{low} to {high}" if None not in (low, high) else f"{low} or more"
    span = f"{high} or less" if low is None else span
    step = f", in steps of {scope['increment']}{units}" if "increment" in scope else ""
    return f"{span}{units}{step}"


def _problems(
    scope: ValueScope, values: Mapping[str, Value], rows: Rows, version: CimiVersion, where: str
) -> Iterator[str]:
    """Yield what does not meet a value scope, a sentence each."""
    for name, said in scope.items():
        row, value = rows[name], values.get(name)
        form = row.form(version)
        place = f"{where}{form.json_name if form is not None else name}"
        if value is None:
            continue
        items = value if row.is_array else [value]
        if "item" in said:
            fields = {field.name: field for field in row.fields}
            for item in items:
                if isinstance(item, dict):
                    yield from _problems(said["item"], item, fields, version, f"{place}.")
            continue
        for item in items:
            if not admits(said, row, item):
                unit = f" {row.unit}" if row.unit is not None else ""
                yield f"{place} is {_word(item)}{unit}; allowed is {told(said)}"


def _exact(scope: Scope, row: Attribute, name: str) -> Fraction | None:
    """A number of the scope, in units of the attribute."""
    found = number(scope[name]) if name in scope else None
    return None if found is None else found * ratio(scope, row)


def _in_attribute(scope: Scope, row: Attribute, value: Value) -> Value:
    """A value that a scope names, as the attribute holds it: a number, in its own units."""
    found = number(value) if row.kind is Kind.INTEGER else None
    if found is None:
        return value
    exact = found * ratio(scope, row)
    return int(exact) if exact.denominator == 1 else exact


def _same(value: Value, other: Value) -> bool:
    if isinstance(value, Ref) and isinstance(other, Ref):
        return (value.path, value.url) == (other.path, other.url)
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


def _word(value: Value) -> str:
    if isinstance(value, Ref):
        return value.url or value.path
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]
