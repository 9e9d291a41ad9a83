"""The closed registry of functions that an expression may call.

A mapping cannot define new ones. Every function takes None for "no value" and answers
None when it cannot tell: an unreadable value makes an attribute absent, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from cimi_cim.mapping.wbem_uri import uri_of
from cimi_cim.wbem.values import InstancePath

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_NAA, _EUI64 = 9, 10  # CIM_StorageExtent.NameFormat
_NOT_SLUG = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it does, how many arguments it takes, the code.

    `is_aggregate` functions reduce the rows of a relation of many to one value.
    `is_outgoing` functions make values for method calls.
    """

    run: Callable[..., Any]
    arity: tuple[int, int]
    doc: str
    is_aggregate: bool = False
    is_outgoing: bool = False


def _flat(arguments: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for argument in arguments:
        if isinstance(argument, list | tuple):
            flat += [value for value in argument if value is not None]
        elif argument is not None:
            flat.append(argument)
    return flat


def _numbers(arguments: Iterable[Any]) -> list[int | float]:
    return [v for v in _flat(arguments) if isinstance(v, int | float) and not isinstance(v, bool)]


def _sum(*arguments: Any) -> Any:
    numbers = _numbers(arguments)
    return sum(numbers) if numbers else None


def _max(*arguments: Any) -> Any:
    return max(_numbers(arguments), default=None)


def _min(*arguments: Any) -> Any:
    return min(_numbers(arguments), default=None)


def _first(*arguments: Any) -> Any:
    flat = _flat(arguments)
    return flat[0] if flat else None


def _count(*arguments: Any) -> int:
    return len(_flat(arguments))


def _product(*arguments: Any) -> Any:
    """The product, absent if any factor is absent or zero: 0 blocks is no size."""
    numbers = _numbers(arguments)
    return prod(numbers) if len(numbers) == len(arguments) and all(numbers) else None


def _uuid_of(values: Any, labels: Any) -> str | None:
    """The value labelled UUID, else the first that has the form of one."""
    if not isinstance(values, list | tuple):
        values = [values]
    names = list(labels) if isinstance(labels, list | tuple) else []
    for value, name in zip(values, names, strict=False):
        if isinstance(value, str) and isinstance(name, str) and "uuid" in name.lower() and value:
            return value
    return next((v for v in values if isinstance(v, str) and _UUID.match(v)), None)


def _naa_of(name: Any, name_format: Any) -> str | None:
    """The name of a volume where its format makes it unique in the world."""
    if isinstance(name, str) and name and name_format in (_NAA, _EUI64):
        return name
    return None


def _before_last(text: Any, separator: Any) -> str | None:
    if not isinstance(text, str) or separator not in text:
        return None
    return str(text.rpartition(separator)[0])


def _after_last(text: Any, separator: Any) -> str | None:
    return str(text.rpartition(separator)[2]) if isinstance(text, str) else None


def _lower(text: Any) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _dashed(text: Any) -> str | None:
    """Letters and digits as they are, anything between them one dash."""
    return (_NOT_SLUG.sub("-", text).strip("-") or None) if isinstance(text, str) else None


def _bytes(kilobytes: Any) -> int | None:
    """Kilobytes (10^3) as bytes."""
    return kilobytes * 1000 if isinstance(kilobytes, int) else None


def _blocks(kilobytes: Any, size: Any) -> int | None:
    """Kilobytes as blocks of a size in bytes, rounded up: never less than was asked for."""
    if not isinstance(kilobytes, int) or not isinstance(size, int | str) or int(size) < 1:
        return None
    return -(-kilobytes * 1000 // int(size))


def _wbem_uri(path: Any) -> str | None:
    return uri_of(path) if isinstance(path, InstancePath) else None


def _key_of(path: Any, name: Any) -> Any:
    return path.key(str(name)) if isinstance(path, InstancePath) else None


def _device_name(index: Any) -> str | None:
    """vda, vdb, ..., vdz, vdaa: the names that guests give disks in order."""
    if not isinstance(index, int) or index < 0:
        return None
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return f"vd{letters}"


FUNCTIONS: dict[str, Function] = {
    "sum": Function(_sum, (1, 8), "sum of the numbers there are", is_aggregate=True),
    "max": Function(_max, (1, 8), "largest number", is_aggregate=True),
    "min": Function(_min, (1, 8), "smallest number", is_aggregate=True),
    "first": Function(_first, (1, 8), "first value there is", is_aggregate=True),
    "count": Function(_count, (1, 8), "how many values there are", is_aggregate=True),
    "product": Function(_product, (2, 8), "product; absent if a factor is absent or 0"),
    "uuid_of": Function(_uuid_of, (2, 2), "the identifying value that is a UUID"),
    "naa_of": Function(_naa_of, (2, 2), "the name, if its NameFormat is NAA or EUI64"),
    "before_last": Function(_before_last, (2, 2), "text before the last separator"),
    "after_last": Function(_after_last, (2, 2), "text after the last separator"),
    "lower": Function(_lower, (1, 1), "text in lower case"),
    "dashed": Function(_dashed, (1, 1), "text with a dash for all but letters and digits"),
    "bytes": Function(_bytes, (1, 1), "kilobytes as bytes", is_outgoing=True),
    "blocks": Function(_blocks, (2, 2), "kilobytes as blocks of a size", is_outgoing=True),
    "wbem_uri": Function(_wbem_uri, (1, 1), "the WBEM URI of a resource", is_outgoing=True),
    "key_of": Function(_key_of, (2, 2), "a key of a resource's path", is_outgoing=True),
    "device_name": Function(_device_name, (1, 1), "vda, vdb, ... from an index", is_outgoing=True),
}
