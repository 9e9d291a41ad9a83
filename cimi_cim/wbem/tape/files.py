"""Tapes as files: a folder of text that is compared line by line.

`tape.yaml` says who was recorded (written by hand), the others are JSON, one entry a
line: `shapes`, `instances`, `answers`, `methods`, `classes`; `names.txt` lists the classes
of each namespace. docs/tapes.md describes each.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml

from cimi_cim.errors import ConfigError
from cimi_cim.wbem.tape.instances import (
    Member,
    Shape,
    TapeInstance,
    value_json,
    value_of_json,
)
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import (
    HONOURED,
    IGNORED,
    REFUSED,
    WHOLE,
    Answer,
    ClassForm,
    Failure,
    Header,
    Kept,
    MethodForm,
    Outcome,
    Question,
    Quirks,
    Tape,
)
from cimi_cim.yaml_source import load_file, nearest

HEADER = "tape.yaml"
FORMAT = 1
_FILTERS = ("association", "result", "role", "result_role")
_T = TypeVar("_T")


def is_tape(folder: Path) -> bool:
    """Whether a folder is a tape."""
    return (folder / HEADER).is_file()


def write_tape(tape: Tape, folder: Path) -> None:
    """Write a tape. A header that is there stays: it is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = _Pool()
    answers = [_answer_json(answer, pool) for answer in tape.answers]
    outcomes = [_outcome_json(outcome, pool) for outcome in tape.outcomes]
    if not is_tape(folder):
        text = yaml.safe_dump(_header_plain(tape.header), sort_keys=False, width=88)
        (folder / HEADER).write_text(text, encoding="utf-8")
    _write(folder / "shapes.jsonl", pool.shape_lines())
    _write(folder / "instances.jsonl", pool.instance_lines)
    _write(folder / "answers.jsonl", answers)
    _write(folder / "methods.jsonl", outcomes)
    _write(folder / "classes.jsonl", (_class_json(cls) for cls in tape.classes))
    lines = []
    for namespace, names in tape.class_names.items():
        lines += [f"[{namespace}]", *names]
    (folder / "names.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def must_be_new(folder: Path) -> None:
    """Raise `ConfigError` unless a new tape can become this folder."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(f"{folder}: is there already; say a folder that is new")
    above = folder.absolute().parent
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ConfigError(f"{folder}: cannot be made; {above} must be a folder to write to")


def growing_folder(folder: Path) -> Path:
    """Return where a new tape grows before it is moved to its place."""
    return folder.absolute().with_name(f".{folder.name}.{os.getpid()}")


def write_new_tape(tape: Tape, folder: Path) -> None:
    """Write a tape that is there whole, or not at all. Raises `ConfigError`.

    It grows in a hidden folder beside its place, and is moved there when it is done.
    """
    must_be_new(folder)
    growing = growing_folder(folder)
    try:
        write_tape(tape, growing)
        growing.rename(folder)
    except OSError as exc:
        raise ConfigError(f"{folder}: the tape cannot be written: {exc.strerror}") from exc
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def read_tape(folder: Path) -> Tape:
    """Read a tape. Raises `ConfigError` with file and line for what is none."""
    header = _read_header(folder / HEADER)
    shapes = list(_read(folder / "shapes.jsonl", _shape))
    instances = list(_read(folder / "instances.jsonl", lambda form: _instance(form, shapes)))

    def answer(form: Any) -> Answer:
        return _answer(form, instances)

    def outcome(form: Any) -> Outcome:
        return _outcome(form, instances)

    return Tape(
        header,
        tuple(_read(folder / "answers.jsonl", answer)),
        tuple(_read(folder / "methods.jsonl", outcome)),
        tuple(_read(folder / "classes.jsonl", _class)),
        _read_names(folder / "names.txt"),
    )


class _Pool:
    """Instances and shapes, each written once and then spoken of by its number."""

    def __init__(self) -> None:
        self.instance_lines: list[Any] = []
        self._shapes: dict[Shape, int] = {}
        self._numbers: dict[str, int] = {}

    def found_json(self, found: Kept) -> Any:
        if isinstance(found, TapePath):
            return found.json()
        shape = self._shapes.setdefault(found.shape, len(self._shapes))
        values = {name: value_json(value) for name, value in found.values.items()}
        line = [shape, found.namespace, found.path.json()[1], values]
        if found.path.classname != found.shape.classname:
            line.append(found.path.classname)
        number = self._numbers.setdefault(_line(line), len(self._numbers))
        if number == len(self.instance_lines):
            self.instance_lines.append(line)
        return number

    def shape_lines(self) -> list[Any]:
        return [[s.classname, *(member.text() for member in s.members)] for s in self._shapes]


def _line(form: Any) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def _write(path: Path, forms: Iterable[Any]) -> None:
    path.write_text("".join(f"{_line(form)}\n" for form in forms), encoding="utf-8")


def _read(path: Path, make: Callable[[Any], _T]) -> Iterator[_T]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            yield make(json.loads(line))
        except (ValueError, TypeError, LookupError, AttributeError) as exc:
            raise ConfigError(
                f"{path}:{number}: no entry of a tape ({exc}); make the tape anew"
            ) from exc


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read; a tape has this file") from exc


def _read_names(path: Path) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    current: list[str] = []
    for line in _text(path).splitlines():
        if line.startswith("["):
            current = names.setdefault(line.strip("[]"), [])
        else:
            current.append(line)
    return {namespace: tuple(found) for namespace, found in names.items()}


def _header_plain(header: Header) -> dict[str, Any]:
    return {
        "tape": FORMAT,
        "server": header.server,
        "provider": header.provider,
        "recorded": header.recorded,
        "host": header.host,
        "namespaces": list(header.namespaces),
        "quirks": {
            "property_lists": header.quirks.property_lists,
            "pulls": header.quirks.pulls,
            "enumerate_to_nothing": list(header.quirks.enumerate_to_nothing),
            "enumerate_to_all": list(header.quirks.enumerate_to_all),
        },
        "superclasses": dict(header.superclasses),
    }


_QUIRKS = {"property_lists": (HONOURED, IGNORED), "pulls": (HONOURED, WHOLE, REFUSED)}
_TEXTS = ("server", "provider", "recorded", "host")


def _read_header(path: Path) -> Header:
    top = load_file(path)
    fields = dict(top.items())
    known = ["tape", *_TEXTS, "namespaces", "quirks", "superclasses"]
    for name in fields:
        if name not in known:
            place = (top.key_places or {}).get(name, top.where)
            raise ConfigError(f"{place}: unknown key {name!r}{nearest(name, known)}")
    for name in known:
        if name not in fields:
            raise ConfigError(f"{top.where}: {name!r} is missing")
    if fields["tape"].plain() != FORMAT:
        raise ConfigError(f"{fields['tape'].where}: this version reads tapes of format {FORMAT}")
    quirks = dict(fields["quirks"].items())
    for name, words in _QUIRKS.items():
        if name not in quirks or quirks[name].plain() not in words:
            where = quirks[name].where if name in quirks else fields["quirks"].where
            raise ConfigError(f"{where}: {name} must be one of {', '.join(words)}")
    nothing, every = (quirks.get(f"enumerate_to_{what}") for what in ("nothing", "all"))
    server, provider, recorded, host = (str(fields[name].plain()) for name in _TEXTS)
    return Header(
        server,
        provider,
        recorded,
        host,
        tuple(fields["namespaces"].plain()),
        Quirks(
            quirks["property_lists"].plain(),
            quirks["pulls"].plain(),
            tuple(nothing.plain() if nothing else ()),
            tuple(every.plain() if every else ()),
        ),
        fields["superclasses"].plain(),
    )


def _shape(form: Any) -> Shape:
    return Shape(form[0], tuple(Member.of_text(text) for text in form[1:]))


def _instance(form: Any, shapes: list[Shape]) -> TapeInstance:
    number, namespace, keys, values, *other = form
    shape = shapes[number]
    path = TapePath.of_json([other[0] if other else shape.classname, keys])
    return TapeInstance(
        namespace, path, shape, {name: value_of_json(value) for name, value in values.items()}
    )


def _answer_json(answer: Answer, pool: _Pool) -> dict[str, Any]:
    asked = answer.question
    subject = asked.subject
    form: dict[str, Any] = {
        "ask": asked.operation,
        "ns": asked.namespace,
        "of": subject.json() if isinstance(subject, TapePath) else subject,
    }
    form |= {name: getattr(asked, name) for name in _FILTERS if getattr(asked, name) is not None}
    if isinstance(answer.found, Failure):
        return form | {"error": [answer.found.code, answer.found.text]}
    return form | {"found": [pool.found_json(found) for found in answer.found]}


def _answer(form: Any, instances: list[TapeInstance]) -> Answer:
    of = form["of"]
    subject = TapePath.of_json(of) if isinstance(of, list) else of
    filters = {name: form.get(name) for name in _FILTERS}
    question = Question(form["ask"], form["ns"], subject, **filters)
    if "error" in form:
        return Answer(question, Failure(*form["error"]))
    found = (
        instances[item] if isinstance(item, int) else TapePath.of_json(item)
        for item in form["found"]
    )  # fmt: skip
    return Answer(question, tuple(found))


def _outcome_json(outcome: Outcome, pool: _Pool) -> dict[str, Any]:
    form: dict[str, Any] = {
        "call": outcome.method, "on": outcome.path.json(), "in": outcome.parameters,
    }  # fmt: skip
    if outcome.failure is not None:
        form["error"] = [outcome.failure.code, outcome.failure.text]
    else:
        form["returned"] = [outcome.return_type, value_json(outcome.returned)]
        form["out"] = [[name, kind, value_json(value)] for name, kind, value in outcome.out]
    if outcome.then:
        form["then"] = [_answer_json(answer, pool) for answer in outcome.then]
    return form


def _outcome(form: Any, instances: list[TapeInstance]) -> Outcome:
    return_type, returned = form.get("returned", ("uint32", None))
    return Outcome(
        form["call"],
        TapePath.of_json(form["on"]),
        form["in"],
        Failure(*form["error"]) if "error" in form else None,
        return_type,
        value_of_json(returned),
        tuple((name, kind, value_of_json(value)) for name, kind, value in form.get("out", ())),
        tuple(_answer(answer, instances) for answer in form.get("then", ())),
    )


def _class_json(cls: ClassForm) -> dict[str, Any]:
    form: dict[str, Any] = {"class": cls.name, "ns": cls.namespace, "super": cls.superclass}
    if not cls.is_recorded:
        return form
    form["is"] = list(cls.marks)
    form["properties"] = [member.text() for member in cls.properties]
    form["methods"] = {m.head.text(): [p.text() for p in m.parameters] for m in cls.methods}
    return form


def _class(form: Any) -> ClassForm:
    return ClassForm(
        form["class"],
        form["ns"],
        form["super"],
        "properties" in form,
        tuple(form.get("is", ())),
        tuple(Member.of_text(text) for text in form.get("properties", ())),
        tuple(
            MethodForm(Member.of_text(head), tuple(Member.of_text(text) for text in parameters))
            for head, parameters in form.get("methods", {}).items()
        ),
    )
