"""Which class of a server is meant where the base mapping names one of DMTF's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import NamespaceFacts, Refusal, ServerFacts
from cimi_cim.mapping.probing.words import words
from cimi_cim.schema.declarations import ClassDeclaration

_DMTF = "CIM_"


@dataclass(frozen=True, slots=True)
class Meant:
    """A class of the server, and how it was found: `same`, `prefix` or `word`."""

    name: str
    how: str


class Resolver:
    """Looks in one namespace. With `vendor_first`, a vendor's class counts before DMTF's own.

    A class with instances counts before one without; of several vendors' classes, that with
    `prefix`.
    """

    def __init__(
        self, asker: Asker, home: NamespaceFacts, *, vendor_first: bool, prefix: str
    ) -> None:
        self._prefix = prefix
        self._asker = asker
        self._home = home
        self._vendor_first = vendor_first
        self.used: dict[str, Meant] = {}

    def meant(self, name: str) -> Meant | None:
        """Return the server's class for one of DMTF's, None where it has none."""
        known = self.used.get(name)
        if known is not None:
            return known
        candidates = list(self._candidates(name))
        found = next((each for each in candidates if self.has_instances(each.name)), None)
        narrow = self._narrower(found) if found is not None and self._vendor_first else None
        found = narrow or found or self.by_word(words()["synonyms"].get(name, ()))
        found = found or next(iter(candidates), None)
        if found is not None:
            self.used[name] = found
        return found

    def _narrower(self, meant: Meant) -> Meant | None:
        """The one class that all instances of DMTF's class are of, if it is a vendor's."""
        found = self._asker.instances(meant.name, self._home.name)
        names = {path.classname for path, _ in ([] if isinstance(found, Refusal) else found)}
        one = next(iter(names)) if len(names) == 1 else meant.name
        return None if one.startswith(_DMTF) or one == meant.name else Meant(one, "word")

    def association(self, name: str) -> str | None:
        """Return the server's association class; DMTF's own where it knows both."""
        if not self._home.classes or self._home.has(name):
            return name
        return next(iter(self._home.others_named(name)), None)

    def by_word(self, patterns: Iterable[str]) -> Meant | None:
        """Return the first class with instances whose name, behind the prefix, fits a pattern."""
        for pattern in patterns:
            for name in self._vendors():
                if fnmatchcase(name.partition("_")[2], pattern) and self.has_instances(name):
                    return Meant(name, "word")
        return None

    def has_instances(self, name: str) -> bool:
        """Whether enumerating a class gives anything."""
        found = self._asker.instances(name, self._home.name)
        return not isinstance(found, Refusal) and bool(found)

    def is_part(self, narrow: str, wide: str) -> bool:
        """Whether a class derives from another one, or all its instances are among those."""
        if self.derives(narrow, wide):
            return True
        some, every = (self._asker.instances(name, self._home.name) for name in (narrow, wide))
        if isinstance(some, Refusal) or isinstance(every, Refusal):
            return False
        return {path for path, _ in some} <= {path for path, _ in every}

    def declaration(self, name: str) -> ClassDeclaration | None:
        """Return the server's own declaration of a class, None where it gives none."""
        found = self._asker.declaration(name, self._home.name)
        return None if isinstance(found, Refusal) else found

    def prefix(self) -> str:
        """Return the prefix that stands for `CIM_` most often in what was found, or ""."""
        counted = Counter(
            meant.name.partition("_")[0] + "_"
            for meant in self.used.values()
            if meant.how == "prefix"
        )
        return counted.most_common(1)[0][0] if counted else ""

    def linking(self, source: str, target: str) -> Iterator[tuple[str, str, str]]:
        """Yield association, role and result of each class that refers to both classes."""
        for name in self._vendors():
            declared = self.declaration(name)
            if declared is None or not declared.is_association:
                continue
            ends = [p for p in declared.properties if p.type == "reference"]
            for role in ends:
                for result in ends:
                    if (
                        role is not result
                        and self.derives(source, role.reference_class)
                        and self.derives(target, result.reference_class)
                    ):
                        yield name, role.name, result.name

    def derives(self, name: str, ancestor: str | None) -> bool:
        """Whether a class is, or is declared to derive from, another one."""
        current: str | None = name
        for _ in range(32):
            if current is None or ancestor is None:
                return False
            if current.lower() == ancestor.lower():
                return True
            declared = self.declaration(current)
            current = declared.superclass if declared is not None else None
        return False

    def _candidates(self, name: str) -> Iterator[Meant]:
        same = [Meant(name, "same")] if not self._home.classes or self._home.has(name) else []
        own = self._home.others_named(name)
        others = sorted(own, key=lambda each: not each.startswith(self._prefix))
        prefixed = [Meant(each, "prefix") for each in others]
        yield from (prefixed + same if self._vendor_first else same + prefixed)

    def _vendors(self) -> list[str]:
        own = [name for name in self._home.classes if not name.startswith((_DMTF, "__"))]
        return sorted(own, key=lambda name: not name.startswith(self._prefix))


def vendor_prefix(facts: ServerFacts) -> str:
    """Return the prefix of the vendor whose services there are, else of most classes, or ""."""
    services = [service.classname for service in facts.services]
    named = services or facts.classes(facts.implementation).classes
    counted = Counter(
        name.partition("_")[0] + "_" for name in named if not name.startswith((_DMTF, "__"))
    )
    return counted.most_common(1)[0][0] if counted else ""
