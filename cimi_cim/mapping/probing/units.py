"""How the provider spells its units, as found in instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import Refusal, UnitFacts
from cimi_cim.mapping.probing.words import words
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.values import InstancePath


def find_units(asker: Asker, classes: Iterable[str], namespace: str) -> tuple[UnitFacts, ...]:
    """Return each spelling with the class and property that has it."""
    counted: Counter[tuple[str, str, str]] = Counter()
    seen: set[InstancePath] = set()
    for classname in classes:
        found = asker.instances(classname, namespace)
        for path, instance in [] if isinstance(found, Refusal) else found:
            if path in seen:
                continue
            seen.add(path)
            for name, value in instance.values.items():
                if isinstance(value, str) and value and name.endswith(tuple(words()["units"])):
                    counted[(instance.classname, name, value)] += 1
    return tuple(
        UnitFacts(classname, name, spelling, count, is_read(spelling))
        for (classname, name, spelling), count in sorted(counted.items())
    )


def is_read(spelling: str) -> bool:
    """Whether the bridge knows a unit."""
    try:
        parse_unit(spelling)
    except UnitError:
        return False
    return True


def is_ambiguous(spelling: str) -> bool:
    """Whether a unit means one thing to the schema and another to old providers."""
    if not is_read(spelling):
        return False
    return parse_unit(spelling) != parse_unit(spelling, binary_words=True)
