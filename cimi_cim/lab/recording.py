"""A tape made ready to be asked: instances by path and class, walks by object.

Nothing here is answered that the tape does not hold or that does not follow from what it
holds; whatever is missing raises `not_recorded`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cimi_cim.lab.backend import CimError
from cimi_cim.lab.declared import DeclaredClasses
from cimi_cim.wbem.tape.instances import TapeInstance
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import Answer, Failure, Question, Tape

CIM_ERR_FAILED = 1
LINKS = frozenset({"References", "ReferenceNames"})
WALKS = frozenset({"Associators", "AssociatorNames"}) | LINKS
READS = frozenset({"EnumerateInstances", "GetInstance"})


def not_recorded(what: str) -> CimError:
    """Return the error for what the tape holds nothing about."""
    return CimError(CIM_ERR_FAILED, f"not recorded: {what}")


class Found:
    """An object as it was found: its path, the instance if it was sent; rendered once."""

    __slots__ = ("_host", "_instance", "_properties", "_whole", "key", "namespace", "path")

    def __init__(self, found: TapeInstance | TapePath, namespace: str, host: str) -> None:
        self._instance = found if isinstance(found, TapeInstance) else None
        self._host = host
        self._whole: bytes | None = None
        self._properties: dict[str, bytes] | None = None
        self.path = (found.path if isinstance(found, TapeInstance) else found).name()
        inside = found.namespace or namespace
        self.namespace = inside
        self.key = self.path.instance_path(inside).canonical

    @property
    def is_whole(self) -> bool:
        """Whether the instance itself was recorded, not only its path."""
        return self._instance is not None

    def equals(self, other: Found) -> bool:
        """Whether the same was sent for both."""
        one, two = self._instance, other._instance
        return one is not None and two is not None and one.values == two.values

    def ends(self) -> Iterator[tuple[str, TapePath]]:
        """Yield role (lower case) and path of each end of an association."""
        instance, said = self._instance, set()
        for name, value in self.path.keys:
            if isinstance(value, TapePath):
                said.add(name.lower())
                yield name.lower(), value
        for name, whole in instance.values.items() if instance is not None else ():
            if isinstance(whole, TapePath) and name.lower() not in said:
                yield name.lower(), whole

    def name_xml(self) -> bytes:
        """Return the INSTANCENAME element."""
        return self.path.name_xml().encode()

    def full_xml(self) -> bytes:
        """Return the INSTANCEPATH element."""
        return self.path.full_xml(self.namespace, self._host).encode()

    def xml(self, wanted: Iterable[str] | None) -> bytes:
        """Return the INSTANCE element, or only the `wanted` properties (lower case, each once).

        They come in the order of the wish, as from OpenPegasus 2.14.
        """
        instance = self._instance
        if instance is None:
            raise not_recorded(f"the instance {self.key}, only its name")
        if self._properties is None:
            self._properties = {
                member.name.lower(): member.xml(instance.values.get(member.name))
                for member in instance.shape.members
            }
        head = b'<INSTANCE CLASSNAME="%s">' % instance.shape.classname.encode()
        if wanted is not None:
            chosen = (self._properties.get(name, b"") for name in wanted)
            return head + b"".join(chosen) + b"</INSTANCE>"
        if self._whole is None:
            whole = b"".join(self._properties.values())
            self._whole = head + whole + b"</INSTANCE>"
        return self._whole


@dataclass(frozen=True, slots=True)
class Recorded:
    """A question and what was found; the error that came instead is a `Failure`."""

    question: Question
    found: tuple[Found, ...] | Failure


class Recording:
    """What a recorded server answered, indexed. Not locked: whoever plays on locks.

    `play` lays later answers over the first ones: the reads that followed a method call.
    """

    def __init__(self, tape: Tape) -> None:
        self.header = tape.header
        self.classes = DeclaredClasses(tape)
        self._answers: dict[tuple[str | None, ...], Recorded] = {}
        self._instances: dict[str, Found] = {}
        self._certain: set[str] = set()  # read for themselves
        self._ambiguous: set[str] = set()
        self._later: dict[str, Found | None] = {}
        self._walks: dict[str, dict[tuple[str | None, ...], Recorded]] = {}
        self._ends: dict[tuple[str, str], dict[str, list[Found]]] = {}
        for answer in tape.answers:
            recorded = self._take_in(answer)
            if not isinstance(recorded.found, Failure):
                self._remember(recorded.question, recorded.found)

    def _take_in(self, answer: Answer) -> Recorded:
        asked, kept = answer.question, answer.found
        host = self.header.host
        recorded = Recorded(
            asked,
            kept
            if isinstance(kept, Failure)
            else tuple(Found(item, asked.namespace, host) for item in kept),
        )
        self._answers[asked.key] = recorded
        if asked.operation in WALKS:
            self._walks.setdefault(asked.about, {})[asked.key] = recorded
        return recorded

    def _remember(self, asked: Question, found: tuple[Found, ...]) -> None:
        """Keep instances by path. What was read for itself counts more than what a walk found.

        Walks may find several instances that say they are one (template settings of
        libvirt-cim); such a path leads nowhere certain.
        """
        is_walk = asked.operation not in READS
        for item in found:
            if not item.is_whole:
                continue
            known = self._instances.get(item.key)
            if known is None or not is_walk:
                self._instances[item.key] = item
                self._ambiguous.discard(item.key)
                self._certain |= set() if is_walk else {item.key}
            elif item.key not in self._certain and not known.equals(item):
                self._ambiguous.add(item.key)

    def play(self, answers: Iterable[Answer]) -> None:
        """Take in what was read after a method call."""
        self._ends.clear()
        for answer in answers:
            recorded = self._take_in(answer)
            found = recorded.found
            if not isinstance(found, Failure):
                self._later.update(
                    (i.key, i) for i in found if i.is_whole and self._is_one(i, found)
                )
            elif recorded.question.operation == "GetInstance":
                self._later[recorded.question.about] = None

    def _is_one(self, item: Found, beside: Iterable[Found]) -> bool:
        """Whether the path of an instance tells it from all others; see `_remember`."""
        same = sum(other.key == item.key for other in beside)
        return same == 1 and item.key not in self._ambiguous

    def recorded(self, question: Question) -> Recorded | None:
        """Return what was recorded for this very question, if anything."""
        return self._answers.get(question.key)

    def failures(self) -> list[tuple[Question, Failure]]:
        """Return every recorded error."""
        every = ((r.question, r.found) for r in self._answers.values())
        return [(asked, found) for asked, found in every if isinstance(found, Failure)]

    def walks(self, about: str) -> list[Recorded]:
        """Return what was walked from an object, by its canonical path."""
        return list(self._walks.get(about, {}).values())

    def leads_to_all(self, association: str) -> bool:
        """Whether walks by an association class follow from its enumeration."""
        whole = {name.lower() for name in self.header.quirks.enumerate_to_all}
        return not whole.isdisjoint(self.classes.lineage(association))

    def links_at(self, namespace: str, association: str, about: str) -> list[Found]:
        """Return the enumerated associations of an object. Raises `not_recorded`."""
        key = (namespace.lower(), association.lower())
        if key not in self._ends:
            found: dict[str, list[Found]] = {}
            for link in self.enumeration(namespace, association, names_only=True):
                ends = {path.instance_path(link.namespace).canonical for _, path in link.ends()}
                for end in ends:
                    found.setdefault(end, []).append(link)
            self._ends[key] = found
        return self._ends[key].get(about, [])

    def now(self, found: Iterable[Found]) -> list[Found]:
        """Return objects as they were read last, without those that are gone."""
        last = (self._later.get(item.key, item) for item in found)
        return [item for item in last if item is not None]

    def instance(self, key: str) -> Found | None:
        """Return the instance at a canonical path; None if there is none, or not one alone."""
        if key in self._later:
            return self._later[key]
        return None if key in self._ambiguous else self._instances.get(key)

    def is_enumerated(self, namespace: str, classname: str) -> bool:
        """Whether all instances of a class are known."""
        return self._enumerated(namespace, classname, names_only=True) is not None

    def enumeration(self, namespace: str, classname: str, *, names_only: bool) -> list[Found]:
        """Return all instances of a class and its subclasses. Raises `not_recorded`."""
        found = self._enumerated(namespace, classname, names_only=names_only)
        if found is None:
            raise not_recorded(f"the instances of {namespace}:{classname}")
        known = {item.key for item in found}
        new = [i for i in self._later.values() if i is not None and i.key not in known]
        fresh = [item for item in new if item.namespace.lower() == namespace.lower()]
        return self.now(found) + self.only(fresh, classname)

    def _enumerated(
        self, namespace: str, classname: str, *, names_only: bool
    ) -> list[Found] | None:
        """What a class was enumerated to, or a superclass without what is beside the class."""
        for ancestor in self.classes.lineage(classname):
            silent = self.header.quirks.enumerate_to_nothing
            if ancestor in (name.lower() for name in silent):
                return [] if ancestor == classname.lower() else None
            wider = self._read(namespace, ancestor, names_only=names_only)
            if wider is not None:
                return wider if ancestor == classname.lower() else self.only(wider, classname)
        return None

    def _read(self, namespace: str, classname: str, *, names_only: bool) -> list[Found] | None:
        """What one class was enumerated to: names from instances, and the other way round."""
        kinds = ["EnumerateInstances", "EnumerateInstanceNames"]
        for operation in reversed(kinds) if names_only else kinds:
            recorded = self.recorded(Question(operation, namespace, classname))
            if recorded is None or isinstance(recorded.found, Failure):
                continue
            if names_only:
                return list(recorded.found)
            whole = [self.whole(item) for item in recorded.found]
            if all(item is not None for item in whole):
                return [item for item in whole if item is not None]
        return None

    def whole(self, found: Found) -> Found | None:
        """Return the instance of an object of which only the name may be known."""
        return found if found.is_whole else self.instance(found.key)

    def only(self, found: Iterable[Found], classname: str) -> list[Found]:
        """Return those of a class or its subclasses. Raises `not_recorded` if one is unsure."""
        return [item for item in found if self.is_below(item.path.classname, classname)]

    def is_below(self, classname: str, ancestor: str) -> bool:
        """Whether a class is or derives from another. Raises `not_recorded`."""
        answer = self.classes.is_below(classname, ancestor)
        if answer is None:
            raise not_recorded(f"whether {classname} derives from {ancestor}")
        return answer
