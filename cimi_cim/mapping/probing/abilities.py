"""What the server's software can do: pull operations and property lists. Each is tried."""

from __future__ import annotations

from collections.abc import Iterable

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import AbilityFacts, Refusal

_FEW = 3  # properties beside the one that is asked for, so that one sees what is left out


def try_abilities(asker: Asker, subjects: Iterable[tuple[str, str]]) -> AbilityFacts:
    """Try them with the first class and namespace that has instances."""
    for classname, namespace in subjects:
        found = asker.instances(classname, namespace)
        if isinstance(found, Refusal) or not found:
            continue
        values = found[0][1].values
        if len(values) <= _FEW:
            continue
        opened = asker.pulls(classname, namespace)
        if isinstance(opened, Refusal):
            pulls, why = "refused", opened.text
        else:
            pulls, why = opened.value, ""
        return AbilityFacts(pulls, _lists(asker, classname, namespace, len(values)), why)
    return AbilityFacts(why="no class has an instance to try them with")


def _lists(asker: Asker, classname: str, namespace: str, whole: int) -> str:
    found = asker.instances(classname, namespace)
    if isinstance(found, Refusal):
        return "unknown"
    path, instance = found[0]
    keys = {name.lower() for name, _ in path.keys}
    one = next((name for name in instance.values if name.lower() not in keys), None)
    if one is None:
        return "unknown"
    listed = asker.listed(classname, namespace, [one])
    if isinstance(listed, Refusal):
        return "refused"
    if not listed:
        return "unknown"
    return "honoured" if len(listed[0][1].values) < whole - 1 else "ignored"
