"""Makes a draft compile: what the declarations of the server do not bear is left out.

The compiler tells every mistake with its place; the smallest entry around that place that
can be dropped is, with the mistake as the comment, until there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cimi_cim.errors import ConfigError
from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.compiler import compile_source
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.draft import Path as Where
from cimi_cim.mapping.problems import Problem, Problems
from cimi_cim.mapping.scope import child
from cimi_cim.mapping.source import Source, read_source
from cimi_cim.model.types import Model
from cimi_cim.yaml_source import Node, Place

_ROUNDS = 30
_ITEM = "#"  # marks the index of an item of a list in a path
# Where entries can be dropped, by the third word of their path.
_DROPPED = frozenset({"attributes", "operations", "writers", "join"})


def repair(draft: Draft, file: Path, model: Model) -> CompiledMapping | None:
    """Change the draft until it compiles, writing it to `file` each time.

    Returns the compiled mapping, None where it cannot be repaired.
    """
    for _ in range(_ROUNDS):
        file.write_text(draft.text(), encoding="utf-8")
        problems = Problems()
        source = read_source(file, problems)
        if source is None:
            return None
        try:
            compiled = compile_source(source, model, problems, {})
        except ConfigError:
            return None  # class declarations that cannot be compiled
        if not problems.found:
            return compiled
        if not _mend(draft, source, problems.in_order(), dict(_places(source.root, ()))):
            return None
    return None


def _mend(
    draft: Draft, source: Source, problems: Iterable[Problem], places: Mapping[Place, Where]
) -> bool:
    """Leave out what the mistakes stand in; False if nothing can be."""
    found = [(places.get(problem.where, ()), problem.message) for problem in problems]
    items = [(path, why) for path, why in found if _is_item(path)]
    whole = [_drop(draft, path, why) for path, why in found if not _is_item(path)]
    return _drop_items(draft, source, items) or any(whole)


def _is_item(path: Where) -> bool:
    """Whether a path is in a list of which single items can be left out."""
    is_read = path[:1] == ("resources",) and path[2:3] == ("attributes",) and path[4:5] == ("read",)
    is_key = path[:1] == ("resources",) and path[2:4] == ("id", "natural")
    is_list = is_read or is_key or path[:1] == ("rules",)
    return is_list and any(key.startswith(_ITEM) for key in path)


def _places(node: Node, path: Where) -> Iterator[tuple[Place, Where]]:
    """Every place of the merged mapping with the path that it belongs to, outermost first."""
    yield node.where, path
    for key, below in node.items():
        here = (*path, key)
        place = (node.key_places or {}).get(key)
        if place is not None:
            yield place, here
        yield from _places(below, here)
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from ((place, (*path, f"{_ITEM}{index}")) for place, _ in _places(item, path))


def _drop_items(draft: Draft, source: Source, found: Iterable[tuple[Where, str]]) -> bool:
    """Leave out the items of lists that are mistakes: readings, lines of a decision list."""
    by_list: dict[Where, dict[int, str]] = {}
    for path, why in found:
        index = next(i for i, key in enumerate(path) if key.startswith(_ITEM))
        by_list.setdefault(path[:index], {})[int(path[index][1:])] = why
    for path, wrong in by_list.items():
        node: Node | None = source.root
        for key in path:
            node = child(node, key)
        items = node.plain() if node is not None else []
        kept = [item for index, item in enumerate(items) if index not in wrong]
        is_nothing = all(isinstance(item, dict) and "else" in item for item in kept)
        why = "; ".join(dict.fromkeys(wrong.values()))
        if not is_nothing:
            draft.put(path, kept, why)
        elif path[0] == "rules":
            draft.put(path, None, why)
        elif path[2] == "id":
            draft.put(path[:2], {"drop": True}, why)
        else:
            draft.put(path[:4], {"drop": True}, why)
    return bool(by_list)


def _drop(draft: Draft, path: Where, why: str) -> bool:
    """Drop what a mistake stands in; False if nothing can be."""
    if path[:1] == ("services",) and len(path) > 1:
        return _once(draft, path[:2], {"drop": True}, why)
    if path[:1] in (("rules",), ("maps",), ("faults",), ("recognise",)):
        return _once(draft, path[:2], None, why)
    if path[:1] != ("resources",) or len(path) < 2:
        return False
    if len(path) > 4 and path[2] == "attributes" and path[4] == "write":
        return _once(draft, path[:5], None, why)
    if len(path) > 3 and path[2] in _DROPPED:
        return _once(draft, path[:4], {"drop": True}, why)
    if path[1:3] == ("Machine", "where"):
        why = f"{why}; nothing tells machines from other instances of the class: add a condition"
        return _once(draft, path[:3], None, why)
    if len(path) > 2 and path[2] in ("advertise", "faults"):
        return _once(draft, path[:3], None, why)
    return _once(draft, path[:2], {"drop": True}, why)


def _once(draft: Draft, path: Where, value: object, why: str) -> bool:
    if draft.get(path) == value and (value is not None or path in draft.comments):
        return False
    draft.put(path, value, why)
    return True
