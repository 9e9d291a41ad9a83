"""The closed registry of functions that an expression may call.

A mapping cannot define new ones. Every function takes None for "no value" and answers
None when it cannot tell: an unreadable value makes an attribute absent, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

from cimi_cim.mapping.numbers import amount, number
from cimi_cim.mapping.tokens import hashed
from cimi_cim.mapping.wbem_uri import uri_of
from cimi_cim.units import UnitError, conversion, parse_unit
from cimi_cim.wbem.elements import read_embedded
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{32}\Z")
_NAA, _EUI64 = 9, 10  # CIM_StorageExtent.NameFormat
_NOT_SLUG = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it does, how many arguments it takes, the code.

    `is_aggregate` functions reduce the rows of a relation of many to one value.
    `is_outgoing` functions make values for method calls. `units` are the positions of
    arguments that name a unit.
    """

    run: Callable[..., Any]
    arity: tuple[int, int]
    doc: str
    is_aggregate: bool = False
    is_outgoing: bool = False
    units: tuple[int, ...] = ()


def _flat(arguments: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for argument in arguments:
        if isinstance(argument, list | tuple):
            flat += _flat(argument)  # rows of many, each with an array
        elif argument is not None:
            flat.append(argument)
    return flat


def _numbers(arguments: Iterable[Any]) -> list[int | float]:
    found = (number(value) for value in _flat(arguments))
    return [value for value in found if value is not None]


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


def _uuid(text: Any) -> str | None:
    """A UUID in the usual spelling, from one in braces, without dashes, in capitals."""
    digits = re.sub(r"[{}\s-]", "", text.lower()) if isinstance(text, str) else ""
    digits = digits.removeprefix("urn:uuid:")
    if not _HEX.match(digits):
        return None
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _naa_of(name: Any, name_format: Any) -> str | None:
    """The name of a volume where its format makes it unique in the world."""
    if isinstance(name, str) and name and name_format in (_NAA, _EUI64):
        return name
    return None


def _naa_in(values: Any, labels: Any) -> str | None:
    """The value whose label says that it is unique in the world (SMI-S: `NAA;VPD83Type3`)."""
    if not isinstance(values, list | tuple) or not isinstance(labels, list | tuple):
        return None
    for value, label in zip(values, labels, strict=False):
        word = str(label).partition(";")[0].upper()
        if word in ("NAA", "EUI64") and isinstance(value, str) and value:
            return value
    return None


def _before_last(text: Any, separator: Any) -> str | None:
    if not isinstance(text, str) or separator not in text:
        return None
    return str(text.rpartition(separator)[0])


def _after_last(text: Any, separator: Any) -> str | None:
    return str(text.rpartition(separator)[2]) if isinstance(text, str) else None


def _lower(text: Any) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _upper(text: Any) -> str | None:
    return text.upper() if isinstance(text, str) else None


def _replace(text: Any, old: Any, new: Any) -> str | None:
    return text.replace(str(old), str(new)) if isinstance(text, str) and old else None


def _split(text: Any, separator: Any) -> tuple[str, ...] | None:
    """The parts of a text, without blanks around them, and without the empty ones."""
    if not isinstance(text, str) or not separator:
        return None
    return tuple(part.strip() for part in text.split(str(separator)) if part.strip())


def _part(text: Any, separator: Any, place: Any) -> str | None:
    """One of the parts between separators, told by its place: 1 is the first, -1 the last."""
    wanted = number(place)
    if not isinstance(text, str) or not separator or not isinstance(wanted, int):
        return None
    parts = text.split(str(separator))
    at = wanted - 1 if wanted > 0 else wanted
    return parts[at].strip() if wanted and -len(parts) <= at < len(parts) else None


def _member(value: Any, name: Any) -> Any:
    """A property of an embedded instance, also of one that came as text, in any case."""
    if isinstance(value, str) and value.lstrip()[:9].upper() == "<INSTANCE":
        value = read_embedded(value, "")
    if not isinstance(value, EmbeddedInstance):
        return None
    wanted = str(name).lower()
    return next((v for n, v in value.values.items() if n.lower() == wanted), None)


def _in_unit(value: Any, unit: Any, wanted: Any) -> int | None:
    """A number of one unit in another, rounded up: never less than was asked for."""
    found = amount(value)
    if found is None:
        return None
    try:
        return ceil(found[0] * conversion(parse_unit(str(unit)), parse_unit(str(wanted))))
    except UnitError:
        return None


def _dashed(text: Any) -> str | None:
    """Letters and digits as they are, anything between them one dash."""
    return (_NOT_SLUG.sub("-", text).strip("-") or None) if isinstance(text, str) else None


def _digest(text: Any) -> str | None:
    """A short name that stands for a text and no other, fit for a URL."""
    return hashed(text) if isinstance(text, str) and text else None


def _difference(whole: Any, part: Any) -> int | float | None:
    numbers = _numbers((whole, part))
    return numbers[0] - numbers[1] if len(numbers) == 2 else None


def _scaled(kilobytes: Any, most: Any) -> int | None:
    """Kilobytes in the unit that `_scale` names, rounded up: never less than was asked for."""
    unit = {"M": 2**20, "G": 2**30}.get(_scale(kilobytes, most) or "")
    return None if unit is None else -(-kilobytes * 1000 // unit)


def _scale(kilobytes: Any, most: Any) -> str | None:
    """M for 2^20 bytes; G for 2^30 where there would be more than `most` of them."""
    if not isinstance(kilobytes, int) or not isinstance(most, int | str):
        return None
    return "M" if kilobytes * 1000 <= int(most) * 2**20 else "G"


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


_BUSES = {"vd": "virtio", "hd": "ide", "sd": "scsi", "fd": "fdc"}


def _bus_of(device: Any) -> str | None:
    """The bus that the name of a device tells: vda is on virtio, hda on ide."""
    return _BUSES.get(device[:2]) if isinstance(device, str) else None


def _free_device(taken: Any) -> str | None:
    """The first of vda, vdb, ... that is not among the names."""
    names = set(_flat((taken,)))
    return next(n for n in map(_device_name, range(len(names) + 1)) if n not in names)


FUNCTIONS: dict[str, Function] = {
    "sum": Function(_sum, (1, 8), "sum of the numbers there are", is_aggregate=True),
    "max": Function(_max, (1, 8), "largest number", is_aggregate=True),
    "min": Function(_min, (1, 8), "smallest number", is_aggregate=True),
    "first": Function(_first, (1, 8), "first value there is", is_aggregate=True),
    "count": Function(_count, (1, 8), "how many values there are", is_aggregate=True),
    "product": Function(_product, (2, 8), "product; absent if a factor is absent or 0"),
    "uuid_of": Function(_uuid_of, (2, 2), "the identifying value that is a UUID"),
    "uuid": Function(_uuid, (1, 1), "a UUID as it is written, whatever its braces and dashes"),
    "naa_of": Function(_naa_of, (2, 2), "the name, if its NameFormat is NAA or EUI64"),
    "naa_in": Function(_naa_in, (2, 2), "the identifying value that is an NAA or EUI64 name"),
    "before_last": Function(_before_last, (2, 2), "text before the last separator"),
    "after_last": Function(_after_last, (2, 2), "text after the last separator"),
    "lower": Function(_lower, (1, 1), "text in lower case"),
    "upper": Function(_upper, (1, 1), "text in upper case"),
    "replace": Function(_replace, (3, 3), "text with another text instead of one in it"),
    "split": Function(_split, (2, 2), "the parts of a text between separators"),
    "part": Function(_part, (3, 3), "one part of a text between separators, by place from 1"),
    "member": Function(_member, (2, 2), "a property of an embedded instance"),
    "dashed": Function(_dashed, (1, 1), "text with a dash for all but letters and digits"),
    "in_unit": Function(
        _in_unit, (3, 3), "a number of one unit in another, rounded up", units=(1, 2)
    ),
    "digest": Function(_digest, (1, 1), "short name that stands for a text"),
    "difference": Function(_difference, (2, 2), "first number less the second"),
    "bytes": Function(_bytes, (1, 1), "kilobytes as bytes", is_outgoing=True),
    "blocks": Function(_blocks, (2, 2), "kilobytes as blocks of a size", is_outgoing=True),
    "scaled": Function(
        _scaled,
        (2, 2),
        "kilobytes as a number of M or G (2^20, 2^30), at most so many M",
        is_outgoing=True,
    ),
    "scale": Function(_scale, (2, 2), "the letter of that unit, M or G", is_outgoing=True),
    "wbem_uri": Function(_wbem_uri, (1, 1), "the WBEM URI of a resource", is_outgoing=True),
    "key_of": Function(_key_of, (2, 2), "a key of a resource's path", is_outgoing=True),
    "device_name": Function(_device_name, (1, 1), "vda, vdb, ... from an index", is_outgoing=True),
    "free_device": Function(
        _free_device, (1, 1), "the first of vda, vdb, ... that is not taken", is_outgoing=True
    ),
    "bus_of": Function(_bus_of, (1, 1), "bus that a device's name tells", is_outgoing=True),
}
