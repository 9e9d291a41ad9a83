"""The parameters of a method call, held against their declaration."""

from __future__ import annotations

from collections.abc import Mapping

from pywbem import CIM_ERR_INVALID_PARAMETER

from cimi_cim.lab.backend import CimError
from cimi_cim.lab.outcomes import Declined, Outcome
from cimi_cim.schema.declarations import (
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
)
from cimi_cim.wbem.elements import read_embedded
from cimi_cim.wbem.values import (
    CimDateTime,
    CimValue,
    EmbeddedInstance,
    InstancePath,
    Scalar,
)


class Parameters:
    """Input parameters by name; one that was not sent, or sent without a value, is None.

    The getters decline the call ("Invalid Parameter") where a value is missing.
    """

    def __init__(self, values: Mapping[str, CimValue]) -> None:
        self.values = values

    def path(self, name: str) -> InstancePath | None:
        """Return a reference."""
        value = self.values.get(name)
        return value if isinstance(value, InstancePath) else None

    def the_path(self, name: str) -> InstancePath:
        """Return a reference that must be there."""
        value = self.path(name)
        if value is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return value

    def paths(self, name: str) -> list[InstancePath]:
        """Return the references of an array that must hold some."""
        found = self._items(name)
        paths = [item for item in found if isinstance(item, InstancePath)]
        if not paths or len(paths) != len(found):
            raise Declined(Outcome.INVALID_PARAMETER)
        return paths

    def embedded(self, name: str) -> EmbeddedInstance | None:
        """Return an embedded instance."""
        value = self.values.get(name)
        return value if isinstance(value, EmbeddedInstance) else None

    def all_embedded(self, name: str) -> list[EmbeddedInstance]:
        """Return the embedded instances of an array, none where it is NULL."""
        found = self._items(name)
        embedded = [item for item in found if isinstance(item, EmbeddedInstance)]
        if len(embedded) != len(found):
            raise Declined(Outcome.INVALID_PARAMETER)
        return embedded

    def number(self, name: str) -> int | None:
        """Return an integer."""
        value = self.values.get(name)
        return value if type(value) is int else None

    def text(self, name: str) -> str | None:
        """Return a text; one that is empty is none."""
        value = self.values.get(name)
        return value if isinstance(value, str) and value else None

    def _items(self, name: str) -> tuple[Scalar | None, ...]:
        value = self.values.get(name)
        return value if isinstance(value, tuple) else ()


def read_parameters(
    method: MethodDeclaration, sent: Mapping[str, CimValue], namespace: str
) -> Parameters:
    """Return what was sent by the names and types of the declaration.

    Raises `CimError` for a parameter that the method does not take, one of another type,
    and a required one that is missing.
    """
    values: dict[str, CimValue] = {}
    for name, value in sent.items():
        parameter = method.parameter(name)
        if parameter is None or not parameter.is_in:
            raise _invalid(f"{method.name} takes no {name}")
        values[parameter.name] = _typed(method, parameter, value, namespace)
    for parameter in method.parameters:
        if parameter.is_required and parameter.is_in and values.get(parameter.name) is None:
            raise _invalid(f"{method.name} needs {parameter.name}")
    return Parameters(values)


def _invalid(text: str) -> CimError:
    return CimError(CIM_ERR_INVALID_PARAMETER, text)


def _typed(
    method: MethodDeclaration, parameter: ParameterDeclaration, value: CimValue, namespace: str
) -> CimValue:
    if value is None:
        return None
    if isinstance(value, tuple) != parameter.is_array:
        form = "is an array" if parameter.is_array else "is no array"
        raise _invalid(f"{parameter.name} of {method.name} {form}")
    if isinstance(value, tuple):
        return tuple(
            None if item is None else _scalar(method, parameter, item, namespace) for item in value
        )
    return _scalar(method, parameter, value, namespace)


def _scalar(
    method: MethodDeclaration, parameter: ParameterDeclaration, value: Scalar, namespace: str
) -> Scalar:
    if parameter.embedded is not None and isinstance(value, str):
        value = read_embedded(value, namespace)  # as text, which older clients send
    if parameter.embedded is not None:
        fits = isinstance(value, EmbeddedInstance)
    else:
        value = _number(value, parameter.type)
        fits = is_of_type(value, parameter.type)
    if not fits:
        wanted = "embedded instance" if parameter.embedded is not None else parameter.type
        raise _invalid(f"{parameter.name} of {method.name} must be a {wanted}")
    return value


def _number(value: Scalar, cim_type: str) -> Scalar:
    """Read a number that a client sent without its type."""
    if isinstance(value, str) and cim_type[1:4] == "int" and value.strip().isdecimal():
        return int(value)
    return value


def is_of_type(value: Scalar | None, cim_type: str) -> bool:
    """Whether a value is one of a CIM type, its range included."""
    if cim_type[1:4] == "int":
        bits = int(cim_type[4:])
        low, high = (0, 2**bits) if cim_type[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return type(value) is int and low <= value < high
    kinds: dict[str, type | tuple[type, ...]] = {
        "boolean": bool, "datetime": CimDateTime, "reference": InstancePath,
        "real32": (int, float), "real64": (int, float),
    }  # fmt: skip
    return isinstance(value, kinds.get(cim_type, str))


def fits(value: CimValue, declared: PropertyDeclaration) -> bool:
    """Whether a value can be that of a property."""
    if value is None:
        return True
    if isinstance(value, tuple) != declared.is_array:
        return False
    items = value if isinstance(value, tuple) else (value,)
    return all(item is None or is_of_type(item, declared.type) for item in items)
