"""Drafts an overlay for a server that no shipped mapping fits, from its declarations and instances.

What is drafted is a beginning: every guess has a comment, and what cannot be told is left
out rather than wrong.
"""

from __future__ import annotations

import re
from typing import Any

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.facts import Refusal, ServerFacts
from cimi_cim.mapping.probing.guessing import Guesser, Seat
from cimi_cim.mapping.probing.resolving import Meant, Resolver, vendor_prefix
from cimi_cim.mapping.probing.units import is_ambiguous
from cimi_cim.mapping.probing.words import words
from cimi_cim.mapping.scope import child, entries
from cimi_cim.schema.vendor import vendor_mof
from cimi_cim.yaml_source import Node

_PATH = re.compile(r"\b([a-z][A-Za-z0-9_]*)\.([A-Z][A-Za-z0-9_]*)")
_EXISTS = re.compile(r"^exists\((\w+)\)$")
_DROP: dict[str, Any] = {"drop": True}
_NOTHING: dict[str, Any] = {}


class Drafter:
    """Makes one draft; `base` is the tree of the mapping that it extends."""

    def __init__(self, asker: Asker, facts: ServerFacts, base: Node, *, vendor_first: bool) -> None:
        home = facts.classes(facts.implementation)
        self._asker = asker
        self._facts = facts
        self._base = base
        self._resolver = Resolver(
            asker, home, vendor_first=vendor_first, prefix=vendor_prefix(facts)
        )
        self._guesser = Guesser(asker, facts.implementation)
        self._vendors: dict[str, None] = {}
        self._seats: dict[str, dict[str, Seat]] = {}

    def draft(self, name: str, extends: str) -> Draft:
        """Return the draft of an overlay with this name."""
        namespaces = {"impl": self._facts.implementation}
        if self._facts.interop:
            namespaces["interop"] = self._facts.interop
        draft = Draft(name, {"language": 1, "name": name, "extends": extends})
        draft.put(("namespaces",), namespaces)
        for alias, node, _ in entries(child(self._base, "services")):
            self._service(draft, alias, node)
        for kind, node, _ in entries(child(self._base, "resources")):
            self._resource(draft, kind, node)
        self._head(draft)
        draft.mof = vendor_mof(self._vendors, self._element)
        if draft.mof:
            draft.put(("mof",), f"{name}-mof", "what the server declares itself")
        return draft

    def _element(self, name: str) -> bytes | None:
        for namespace in (self._facts.implementation, self._facts.interop):
            found = self._asker.element(name, namespace) if namespace else Refusal("")
            if not isinstance(found, Refusal):
                return found
            seen = self._asker.seen(name, namespace) if namespace else None
            if seen is not None:
                return seen
        return None

    def _head(self, draft: Draft) -> None:
        prefix = self._resolver.prefix()
        if prefix:
            draft.put(("classes",), {"CIM_": prefix})
        walked = [a.classname for a in self._facts.associations if a.behaviour == "walk-only"]
        if walked:
            why = f"enumerate to nothing, though they have instances: {', '.join(walked)}"
            draft.put(("associations",), "walk-only", why)
        unread = sorted({u.spelling for u in self._facts.units if not u.is_read})
        draft.notes += [
            f"Drafted by `cimi-cim probe`; every comment says what a guess rests on. Check it, then"
            f" `cimi-cim check {draft.name}.yaml`.",
            *(f"A unit that cannot be read: {spelling!r}." for spelling in unread),
        ]

    def _service(self, draft: Draft, alias: str, node: Node) -> None:
        name = _text(node, "class")
        meant = self._resolver.meant(name)
        if meant is None or not self._resolver.has_instances(meant.name):
            draft.put(("services", alias), _DROP, f"the server has no instance of a {name}")
            return
        self._use(meant)
        if meant.how == "word":
            draft.put(("services", alias), {"class": meant.name}, "by its name")

    def _preferring(self, place: str, meant: Meant | None) -> Meant | None:
        """A class that is only guessed by its name gives way to one for this very place."""
        if meant is not None and meant.how != "word":
            return meant
        return self._resolver.by_word(words()["places"].get(place, ())) or meant

    def _use(self, meant: Meant) -> None:
        if not meant.name.startswith("CIM_"):
            self._vendors[meant.name] = None

    def _resource(self, draft: Draft, kind: str, node: Node) -> None:
        here = ("resources", kind)
        parent, anchor = child(node, "parent"), child(node, "anchor")
        if parent is not None:
            owner, each = _text(parent, "resource"), _text(parent, "each")
            seats = dict(self._seats.get(owner, {}))
            if each not in seats:
                draft.put(here, _DROP, f"the draft has no {each} of a {owner}")
                return
            seats[each] = Seat(each, seats[each].classname)
            alias = each
        else:
            alias, name = _text(anchor, "as"), _text(anchor, "class")
            meant = self._preferring(kind, self._resolver.meant(name))
            if meant is None or not self._resolver.has_instances(meant.name):
                draft.put(here, _DROP, f"the server has no instance of a {name}")
                return
            self._use(meant)
            seats = {alias: Seat(alias, meant.name)}
            if meant.how == "word":
                draft.put((*here, "anchor"), {"class": meant.name}, "by its name")
        self._seats[kind] = seats
        join = child(node, "join")
        for name, relation, _ in entries(join):
            self._relation(
                draft, (*here, "join", name), name, relation, alias, seats, join,
                _text(node, "where"),
            )  # fmt: skip
        if self._is_without_its_condition(draft, kind, node, seats):
            return
        self._identity(draft, kind, node, seats[alias])
        for name, attribute, _ in entries(child(node, "attributes")):
            self._attribute(draft, kind, name, attribute, alias, seats)

    def _relation(
        self, draft: Draft, here: tuple[str, ...], alias: str, node: Node, anchor: str,
        seats: dict[str, Seat], join: Node | None, conditions: str,
    ) -> None:  # fmt: skip
        """Find the class of a relation, and how to come to it."""
        of, base = _text(node, "of"), child(join, _text(node, "of"))
        if of in seats:
            self._view(draft, here, alias, seats, of)
            return
        is_many = _text(node, "card") == "many" or bool(of)
        if of:
            meant = self._resolver.by_word(words()["views"].get(alias, ()))
            rule = base if base is not None else node
        else:
            meant = self._preferring(alias, self._resolver.meant(_text(node, "class")))
            rule = node
        if meant is None or not self._resolver.has_instances(meant.name):
            draft.put(
                here, _DROP, f"no class with instances stands for {_text(node, 'class') or alias}"
            )
            return
        source = seats.get(_text(rule, "from"), seats[anchor])
        # What may be missing and makes an instance a resource wants more proof than equal values.
        is_condition = child(node, "optional") is not None and alias in conditions
        way = self._way(rule, source, meant, is_condition=is_condition)
        if way is None:
            draft.put(here, _DROP, f"nothing leads from {source.classname} to {meant.name}")
            return
        self._use(meant)
        seats[alias] = Seat(alias, meant.name, is_many)
        said, comment = way
        if of:
            said = {
                "of": None, "where": None, "also": None, "class": meant.name, "card": "many",
                "from": source.alias, **_plain_way(rule), **said,
            }  # fmt: skip
            comment = f"{meant.name} by its name; {comment}" if comment else "by its name"
        elif meant.how == "word":
            said = {"class": meant.name, **said}
        if _text(node, "not") and not self._resolver.has_instances(_text(node, "not")):
            said = {**said, "not": None}  # there is nothing to leave out
        if source.alias != (_text(rule, "from") or source.alias):
            said = {**said, "from": source.alias}
        if said:
            draft.put(here, said, comment or "by its name")

    def _view(
        self, draft: Draft, here: tuple[str, ...], alias: str, seats: dict[str, Seat], of: str
    ) -> None:
        """A vendor's class for some rows of a relation has properties of its own to look at."""
        seats[alias] = Seat(alias, seats[of].classname, is_many=True)
        narrow = self._resolver.by_word(words()["views"].get(alias, ()))
        if narrow is not None and self._resolver.is_part(narrow.name, seats[of].classname):
            self._use(narrow)
            seats[alias] = Seat(alias, narrow.name, is_many=True)
            draft.put(here, {"also": narrow.name}, "by its name")

    def _way(
        self, rule: Node, source: Seat, meant: Meant, *, is_condition: bool
    ) -> tuple[dict[str, Any], str] | None:
        """How a relation is found, as far as it differs from the base; None for no way."""
        if child(rule, "at") is not None:
            return _NOTHING, ""
        via = _text(rule, "via")
        known = self._resolver.association(via)
        matched = None if is_condition else self._matched(rule, source, meant)
        behaviour = self._behaviour(known) if known is not None else "absent"
        if known is not None and behaviour not in ("absent", "empty"):
            if behaviour == "walk-only" and matched is not None:
                return matched  # costs one enumeration, where walks cost one per instance
            return self._ends(rule, via, known, source, meant)
        for name, role, result in self._resolver.linking(source.classname, meant.name):
            self._vendors[name] = None
            return {"via": name, "role": role, "result": result}, f"{name} refers to both"
        return matched

    def _matched(self, rule: Node, source: Seat, meant: Meant) -> tuple[dict[str, Any], str] | None:
        """An equality that leads there; for what may be missing only one with a key."""
        is_optional = child(rule, "optional") is not None
        if source.classname == meant.name:
            return None  # everything equals itself
        for match in self._guesser.matches(source.classname, meant.name):
            if match.is_key or not is_optional:
                gone = {key: None for key in ("via", "role", "result", "link") if _text(rule, key)}
                said = {**gone, "match": match.said(source.alias)}
                why = f"every {match.theirs} leads to the {match.ours} of a {source.classname}"
                return said, why
        return None

    def _behaviour(self, association: str) -> str:
        """Whether walks or enumerations of an association found something, or may have."""
        for each in self._facts.associations:
            if each.classname.lower() == association.lower():
                return each.behaviour
        return "unknown"

    def _ends(
        self, rule: Node, via: str, known: str, source: Seat, meant: Meant
    ) -> tuple[dict[str, Any], str]:
        if known == via:
            return _NOTHING, ""
        self._vendors[known] = None
        declared = self._resolver.declaration(known)
        names = {p.name for p in declared.properties} if declared is not None else set()
        if declared is None or {_text(rule, "role"), _text(rule, "result")} <= names:
            return {"via": known}, f"the server's own {via}"
        for name, role, result in self._resolver.linking(source.classname, meant.name):
            if name == known:
                return {"via": known, "role": role, "result": result}, f"the server's own {via}"
        return {"via": known}, f"the server's own {via}; its ends have other names: say them"

    def _is_without_its_condition(
        self, draft: Draft, kind: str, node: Node, seats: dict[str, Seat]
    ) -> bool:
        """Whether a resource is dropped, as what makes instances such resources is not there."""
        here, where = ("resources", kind), _text(node, "where")
        needed = _EXISTS.match(where)
        if where.startswith("not exists") and where[len("not exists(") : -1] not in seats:
            draft.put((*here, "where"), None)
        if needed is None or needed[1] in seats:
            return False
        mine = next(iter(seats.values())).classname
        others = [s for k, s in self._seats.items() if k != kind]
        is_taken = any(next(iter(s.values())).classname == mine for s in others)
        is_told = kind in words()["places"] and draft.get((*here, "anchor")) is not None
        is_told = is_told and not is_taken
        if kind == "Machine" or is_told:
            why = "nothing tells machines from other instances of the class; add a condition"
            is_named = draft.get((*here, "anchor")) is not None
            draft.put((*here, "where"), None, "" if is_named else why)
            return False
        draft.put(here, _DROP, f"no {needed[1]} tells which instances are one")
        del self._seats[kind]
        return True

    def _identity(self, draft: Draft, kind: str, node: Node, seat: Seat) -> None:
        natural = child(child(node, "id"), "natural")
        plain = natural.plain() if natural is not None else []
        texts = [str(value) for each in plain for value in each.values()]
        if any(self._has_value(text, {seat.alias: seat}) for text in texts[:1]):
            return
        keys, comment = self._guesser.identity(seat)
        is_child = child(node, "parent") is not None
        if is_child and keys:
            keys = [{"child": value} for each in keys for value in each.values()]
        is_better = any("global" in each for each in keys)
        if keys and (is_better or not any(self._has_value(t, {seat.alias: seat}) for t in texts)):
            draft.put(("resources", kind, "id"), {"natural": keys}, comment)

    def _has_value(self, text: str, seats: dict[str, Seat]) -> bool:
        """Whether all properties that an expression reads have a value in some instance."""
        needs = _PATH.findall(text)
        return all(
            alias in seats and self._guesser.has_value(seats[alias].classname, name)
            for alias, name in needs
        )

    def _attribute(
        self, draft: Draft, kind: str, name: str, node: Node, anchor: str, seats: dict[str, Seat]
    ) -> None:
        here = ("resources", kind, "attributes", name)
        rules = _text(node, "rules")
        if rules:
            self._state(draft, here, kind, rules, seats[anchor])
            return
        read = child(node, "read")
        if read is None:
            return
        plain = read.plain()
        sources = plain if isinstance(plain, list) else [plain]
        texts = [each["value"] if isinstance(each, dict) else each for each in sources]
        if any(self._has_value(text, seats) for text in texts):
            self._binary(draft, here, node, seats)
            return
        first = [seats[anchor], *(seat for alias, seat in seats.items() if alias != anchor)]
        guess = self._guesser.attribute(kind, name, _owned(kind, anchor, first))
        if guess is not None and "drop" in guess.said:
            draft.put(here, _DROP, guess.comment)
        elif guess is not None:
            gone = {"map": None} if child(node, "map") is not None else {}
            said = {**gone, "convert": None, **guess.said, "write": None}
            kept = {key: value for key, value in said.items() if _overrules(node, key, value)}
            _forget_units(kept, node)
            draft.put(here, kept, guess.comment)

    def _binary(
        self, draft: Draft, here: tuple[str, ...], node: Node, seats: dict[str, Seat]
    ) -> None:
        """The words KiloBytes and the like: old providers mean powers of 1024 by them."""
        quantity = child(child(node, "convert"), "quantity")
        units = child(quantity, "units")
        named = _PATH.findall(str(units.plain())) if units is not None else []
        for alias, name in named:
            classname = seats[alias].classname if alias in seats else ""
            found = set(self._guesser.texts(classname, name)) if classname else set()
            words_of_old = sorted(each for each in found if is_ambiguous(each))
            if words_of_old:
                comment = f"a guess: {', '.join(words_of_old)} mean powers of 1024"
                draft.put(here, {"convert": {"quantity": {"binary": True}}}, comment)

    def _state(
        self, draft: Draft, here: tuple[str, ...], kind: str, rules: str, seat: Seat
    ) -> None:
        said = child(child(self._base, "rules"), rules)
        lines = said.plain() if said is not None else []
        last = [line for line in lines if "else" in line]
        if self._guesser.fits(seat, lines):
            return
        is_harmless = all(line["else"] != "ERROR" for line in last)
        if is_harmless and any(self._has_value(p, {seat.alias: seat}) for p in _tested(lines)):
            return
        found = self._guesser.states(kind, seat)
        if found is None:
            return
        name, guessed = found
        mine = f"{kind.lower()}_by_{name.lower()}"
        comment = f"by the names that the declaration of {seat.classname}.{name} gives its values"
        draft.put(("rules", mine), [*guessed, *last], comment)
        draft.put(here, {"rules": mine}, f"{seat.classname}.{name}")


def _tested(lines: list[dict[str, Any]]) -> list[str]:
    """The properties that a decision list looks at."""
    return [path for line in lines for path in line.get("if", ())]


def _owned(kind: str, anchor: str, seats: list[Seat]) -> list[Seat]:
    """The seats whose properties can be an attribute's: not those of other children."""
    related = {"Machine": ("vssd", "mem", "proc")}.get(kind, ())
    return [seat for seat in seats if seat.alias == anchor or seat.alias in related]


def _forget_units(said: dict[str, Any], node: Node) -> None:
    """Tables merge: what the base says of its own units would come along."""
    before = child(child(node, "convert"), "quantity")
    after = said["convert"].get("quantity") if isinstance(said.get("convert"), dict) else None
    if before is not None and after is not None:
        for key in ("units", "ignore", "binary"):
            if child(before, key) is not None:
                after.setdefault(key, None)


def _overrules(node: Node, key: str, value: Any) -> bool:
    """Whether an entry of an attribute says something beside what it overlays."""
    if value is None or value is False:
        return child(node, key) is not None
    return True


def _plain_way(rule: Node) -> dict[str, Any]:
    return {key: _text(rule, key) for key in ("via", "role", "result") if _text(rule, key)}


def _text(node: Node | None, key: str) -> str:
    found = child(node, key)
    return found.value if found is not None and isinstance(found.value, str) else ""
