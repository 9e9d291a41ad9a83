"""Failures on purpose: which call goes wrong, and how (docs/lab.md).

    METHOD[:CONDITION]...:EFFECT

METHOD is the name of a method, `Class.Method` (any superclass of the object's class, the
vendor's prefix may be left out), the name of an intrinsic operation, or `*` for every
method call. All conditions must hold. The first failure that fits a call happens to it.
"""

from __future__ import annotations

import fnmatch
import random
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import CimError, Reply, Unanswered
from cimi_cim.lab.works import Trouble
from cimi_cim.yaml_source import nearest

_TEXT = r'"(?:[^"\\]|\\.)*"'
_FIELD = re.compile(rf"((?:{_TEXT}|[^:\"])*)(?::|\Z)")
_GRAMMAR = "METHOD[:nth=N|every=N|times=N|p=P|name=GLOB]...:EFFECT"


class Effect(Enum):
    """What happens to a call; the text is what a specification says."""

    RETURN = "rc"  # the method does nothing and returns this code
    STATUS = "cim"  # nothing is done; a CIM error of this status
    JOB_ERROR = "job-error"  # a job does the work and fails at its end with this text
    JOB_HANG = "job-hang"  # a job does the work and never ends; it can be given up
    DELAY = "delay"  # the call is worked on this many seconds later
    HANG = "hang"  # nothing is done, and there is no answer
    HANG_REPLY = "hang-reply"  # the work is done, and there is no answer
    KILL_BEFORE = "kill-before"  # the connection is cut, nothing is done
    DROP_REPLY = "drop-reply"  # the work is done, the connection is cut instead of an answer


_WITH_NUMBER = {Effect.RETURN, Effect.STATUS, Effect.DELAY}
_METHODS_ONLY = {Effect.RETURN, Effect.JOB_ERROR, Effect.JOB_HANG}
CONDITIONS = ("nth", "every", "times", "p", "name")


@dataclass(frozen=True, slots=True)
class Failure:
    """One specification, read."""

    spec: str
    cls: str | None
    method: str
    effect: Effect
    number: float = 0.0
    text: str = ""
    nth: int | None = None  # of the calls that everything else but `times` and `p` fits
    every: int | None = None
    times: int | None = None
    p: float | None = None
    name: str | None = None

    @property
    def trouble(self) -> Trouble | None:
        """What it does to the work of a call, None for nothing."""
        if self.effect is Effect.JOB_ERROR:
            return Trouble(error=self.text)
        return Trouble(hangs=True) if self.effect is Effect.JOB_HANG else None


@dataclass(frozen=True, slots=True)
class Called:
    """What a failure is chosen by.

    The method or operation, the lineage of its object's class in lower case, and the names
    and tokens that it carries.
    """

    method: str
    lineage: frozenset[str]
    names: tuple[str, ...]
    is_intrinsic: bool = False


@dataclass(slots=True)
class _Rule:
    """A failure, with how often it was asked about, and how often it happened."""

    failure: Failure
    rng: random.Random
    seen: int = 0
    happened: int = 0


class Failures:
    """The failures that are to happen; the same seed and calls give the same ones.

    Safe to use from several threads.
    """

    def __init__(self, specs: Sequence[str], seed: int, prefix: str) -> None:
        self._seed = seed
        self._prefix = prefix.lower()
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._count = 0
        for spec in specs:
            self.add(spec)

    def add(self, spec: str) -> None:
        """Let another failure happen from now on. Raises `ConfigError`."""
        failure = parse_failure(spec)
        with self._lock:
            rng = random.Random(f"{self._seed}/failure/{self._count}")  # noqa: S311
            self._rules.append(_Rule(failure, rng))
            self._count += 1

    def clear(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._rules.clear()

    def happening(self, call: Called) -> list[Failure]:
        """Return what happens to a call: delays, and one other failure at most."""
        found: list[Failure] = []
        is_decided = False
        with self._lock:
            for rule in self._rules:
                if not self._is_about(rule.failure, call) or not _holds(rule) or is_decided:
                    continue
                rule.happened += 1
                found.append(rule.failure)
                is_decided = rule.failure.effect is not Effect.DELAY
        return found

    def _is_about(self, failure: Failure, call: Called) -> bool:
        if failure.method == "*":
            is_named = not call.is_intrinsic
        else:
            is_named = failure.method.lower() == call.method.lower()
        if not is_named or (call.is_intrinsic and failure.effect in _METHODS_ONLY):
            return False
        if failure.name is not None and not any(
            fnmatch.fnmatchcase(name, failure.name) for name in call.names
        ):
            return False
        if failure.cls is None:
            return True
        wanted = failure.cls.lower()
        return wanted in call.lineage or f"{self._prefix}{wanted}" in call.lineage


def _holds(rule: _Rule) -> bool:
    failure = rule.failure
    rule.seen += 1
    if failure.times is not None and rule.happened >= failure.times:
        return False
    if failure.nth is not None and rule.seen != failure.nth:
        return False
    if failure.every is not None and rule.seen % failure.every:
        return False
    return failure.p is None or rule.rng.random() < failure.p


def suffer(
    happening: Sequence[Failure],
    work: Callable[[Trouble | None], Reply],
    sleep: Callable[[float], None],
) -> Reply:
    """Do the work of a call as far as its failures let it, and return the answer.

    Raises `CimError` and `Unanswered`.
    """
    failure = None
    for found in happening:
        if found.effect is Effect.DELAY:
            sleep(found.number)
        else:
            failure = found
    if failure is None:
        return work(None)
    effect = failure.effect
    if effect is Effect.RETURN:
        return Reply([f"<VALUE>{int(failure.number)}</VALUE>".encode()])
    if effect is Effect.STATUS:
        raise CimError(int(failure.number), "the lab was told to fail")
    if effect in (Effect.HANG, Effect.KILL_BEFORE):
        raise Unanswered(is_cut=effect is Effect.KILL_BEFORE)
    if failure.trouble is not None:
        return work(failure.trouble)
    with suppress(CimError):
        work(None)
    raise Unanswered(is_cut=effect is Effect.DROP_REPLY)


def parse_failure(spec: str) -> Failure:
    """Return the failure that a specification says. Raises `ConfigError`."""
    fields = _split(spec)
    if len(fields) < 2 or not fields[0]:
        raise ConfigError(f"--fail {spec!r}: write {_GRAMMAR}, such as DefineSystem:nth=3:rc=2")
    cls, _, method = fields[0].rpartition(".")
    values: dict[str, int | float | str] = {}
    effect: tuple[Effect, str] | None = None
    known = [*CONDITIONS, *(e.value for e in Effect)]
    for field in fields[1:]:
        key, _, value = field.partition("=")
        if key in CONDITIONS:
            values[key] = _condition(spec, key, value)
        elif key in known and effect is None:
            effect = (Effect(key), value)
        elif key in known:
            raise ConfigError(f"--fail {spec!r}: one effect is enough")
        else:
            raise ConfigError(f"--fail {spec!r}: unknown {key!r}{nearest(key, known)}")
    if effect is None:
        effects = ", ".join(e.value for e in Effect)
        raise ConfigError(f"--fail {spec!r}: what is to happen? One of {effects}")
    number, text = _argument(spec, *effect)
    return Failure(spec, cls or None, method, effect[0], number, text, **values)  # type: ignore[arg-type]


def _split(spec: str) -> list[str]:
    """The fields between colons; a value in double quotes may hold some."""
    fields, position = [], 0
    while position <= len(spec):
        match = _FIELD.match(spec, position)
        if match is None:
            raise ConfigError(f"--fail {spec!r}: a double quote is missing")
        fields.append(_unquoted(match[1].strip()))
        if match.end() == len(spec) and not match[0].endswith(":"):
            break
        position = match.end()
    return fields


def _unquoted(field: str) -> str:
    key, mark, value = field.partition("=")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return f"{key}{mark}{value}"


_READ: dict[str, Callable[[str], int | float | str]] = {
    "nth": int, "every": int, "times": int, "p": float, "name": str,
}  # fmt: skip


def _condition(spec: str, key: str, value: str) -> int | float | str:
    try:
        read = _READ[key](value)
    except ValueError as exc:
        raise ConfigError(f"--fail {spec!r}: {key}={value} is no number") from exc
    is_wrong = not value if key == "name" else isinstance(read, (int, float)) and read <= 0
    if is_wrong or (key == "p" and isinstance(read, float) and not read <= 1):
        limits = "has a value" if key == "name" else "is at least 1"
        limits = "is above 0 and at most 1" if key == "p" else limits
        raise ConfigError(f"--fail {spec!r}: {key} {limits}")
    return read


def _argument(spec: str, effect: Effect, value: str) -> tuple[float, str]:
    if effect in _WITH_NUMBER:
        try:
            number = float(value) if effect is Effect.DELAY else int(value)
        except ValueError as exc:
            raise ConfigError(f"--fail {spec!r}: {effect.value} needs a number") from exc
        if number < 0 or number == float("inf") or number != number:
            raise ConfigError(f"--fail {spec!r}: {effect.value} is at least 0")
        return number, ""
    if effect is Effect.JOB_ERROR:
        return 0.0, value or "the lab was told to fail"
    if value:
        raise ConfigError(f"--fail {spec!r}: {effect.value} takes no value")
    return 0.0, ""
