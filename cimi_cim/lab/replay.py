"""A recorded server as a backend: answers by meaning, whatever the request looks like.

What was recorded is answered as the recorded server did, quirks included; what follows
from it is worked out; what was not recorded is CIM_ERR_FAILED "not recorded", never an
empty answer. A method call with a recorded outcome is answered with it, and the reads
that were recorded right after it hold from then on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import quoteattr

from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.declared import Switches, class_xml
from cimi_cim.lab.exchanges import parameter_meaning
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.import_capture import is_capture, read_capture
from cimi_cim.lab.pulls import OpenEnumerations
from cimi_cim.lab.questions import CLASSIC, question_of
from cimi_cim.lab.recorded_errors import RecordedErrors
from cimi_cim.lab.recorded_walks import walk
from cimi_cim.lab.recording import WALKS, Found, Recording, not_recorded
from cimi_cim.wbem.tape.files import is_tape, read_tape
from cimi_cim.wbem.tape.instances import Value, value_xml
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import (
    HONOURED,
    REFUSED,
    Failure,
    Outcome,
    Question,
    Tape,
    meaning_key,
)

CIM_ERR_NOT_SUPPORTED = 7
Wanted: TypeAlias = "tuple[str, ...] | None"
_PULL = {"PullInstancesWithPath", "PullInstancePaths", "PullInstances"}
_NAMES = {"EnumerateInstanceNames", "AssociatorNames", "ReferenceNames"}


def load_recording(folder: Path) -> Tape:
    """Return the tape in a folder, or of the captured CIM-XML in it. Raises `ConfigError`."""
    if is_tape(folder):
        return read_tape(folder)
    if is_capture(folder):
        return read_capture(folder)
    raise ConfigError(
        f"{folder}: no recorded WBEM server; a tape has tape.yaml, captured CIM-XML has"
        " instances/index.json"
    )


class ReplayBackend:
    """Implements `Backend` over a tape; safe under threads."""

    def __init__(self, tape: Tape, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._recording = Recording(tape)
        self._errors = RecordedErrors(self._recording)
        self._quirks = tape.header.quirks
        self._namespaces = {name.lower() for name in tape.header.namespaces}
        self._pulls = OpenEnumerations(clock)
        self._outcomes = _Outcomes(tape)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer a read from what was recorded."""
        if call.namespace.lower() not in self._namespaces:
            raise self._errors.no_namespace(call.namespace)
        if call.operation in CLASSIC:
            return self._open(call)
        if call.operation in _PULL or call.operation == "CloseEnumeration":
            return self._pull(call)
        if call.operation in ("EnumerateClassNames", "EnumerateClasses", "GetClass"):
            return self._classes(call)
        form = _FORMS.get(call.operation, _object)
        wanted = self._wanted(call)
        return Reply([form(found, wanted) for found in self._found(question_of(call))])

    def _found(self, question: Question) -> list[Found]:
        """What a question finds now. Raises `CimError`."""
        with self._lock:
            recorded = self._recording.recorded(question)
            if recorded is not None and isinstance(recorded.found, Failure):
                raise CimError(recorded.found.code, recorded.found.text)
            refused = self._errors.refused(question)
            if refused is not None:
                raise refused
            self._must_be_known(question)
            if question.operation in ("EnumerateInstances", "EnumerateInstanceNames"):
                return self._recording.enumeration(
                    question.namespace,
                    str(question.subject),
                    names_only=question.operation in _NAMES,
                )
            if question.operation == "GetInstance":
                return [self._instance(question)]
            if question.operation in WALKS:
                return self._walk(question)
            if recorded is not None and not isinstance(recorded.found, Failure):
                return self._recording.now(recorded.found)
        raise self._unknown(question)

    def _must_be_known(self, question: Question) -> None:
        subject = question.subject
        named = [subject.classname if isinstance(subject, TapePath) else subject]
        if question.operation in WALKS:
            named = [name for name in (question.association, question.result) if name]
        elif "Query" in question.operation or "Qualifier" in question.operation:
            return
        for name in named:
            if self._recording.classes.is_known(question.namespace, name) is False:
                raise self._errors.no_class(question.operation, name)

    def _instance(self, question: Question) -> Found:
        found = self._recording.instance(question.about)
        if found is None:
            raise self._absent(question)
        return found

    def _walk(self, question: Question) -> list[Found]:
        try:
            return walk(self._recording, question)
        except CimError:
            is_there = self._recording.instance(question.about) is not None
            if is_there or self._recording.walks(question.about):
                raise
            raise self._absent(question) from None

    def _absent(self, question: Question) -> CimError:
        """An instance is known not to be there only where its class was enumerated."""
        path = question.subject
        if not isinstance(path, TapePath):
            return not_recorded(f"{question.operation} of the class {path}")
        if self._recording.is_enumerated(path.namespace or question.namespace, path.classname):
            names = self._recording.enumeration(
                path.namespace or question.namespace, path.classname, names_only=True
            )
            if question.about not in {item.key for item in names}:
                return self._errors.no_instance(path)
        return not_recorded(f"the instance {question.about}")

    def _unknown(self, question: Question) -> CimError:
        if question.operation == "GetQualifier":
            error = self._errors.no_qualifier(str(question.subject))
            if error is not None:
                return error
        return not_recorded(f"{question.operation} of {question.about}")

    def _open(self, call: IntrinsicCall) -> Reply:
        question = question_of(call)
        with self._lock:
            recorded = self._recording.recorded(question)
            error = self._errors.refused(question)
        if recorded is not None and isinstance(recorded.found, Failure):
            raise CimError(recorded.found.code, recorded.found.text)
        if error is not None:
            raise error
        if self._quirks.pulls == REFUSED:
            raise CimError(CIM_ERR_NOT_SUPPORTED, f"{call.operation} is not supported")
        plain = CLASSIC[call.operation]
        names = {"FilterQuery": "Query", "FilterQueryLanguage": "QueryLanguage"}
        sent = {names.get(name, name): value for name, value in call.parameters.items()}
        if self._quirks.pulls != HONOURED:  # answered whole, as if it were the classic one
            return self.intrinsic(IntrinsicCall(plain, call.namespace, sent))
        found = self._found(question_of(IntrinsicCall(plain, call.namespace, sent)))
        wanted = self._wanted(call)
        if plain in _NAMES:
            pull, fragments = "PullInstancePaths", [item.full_xml() for item in found]
        else:
            pull = "PullInstancesWithPath"
            fragments = [
                _around("VALUE.INSTANCEWITHPATH", i.full_xml(), i.xml(wanted)) for i in found
            ]
        timeout, most = (
            call.parameters.get("OperationTimeout"),
            call.parameters.get("MaxObjectCount"),
        )
        return self._pulls.open(pull, fragments, timeout, most)

    def _pull(self, call: IntrinsicCall) -> Reply:
        if self._quirks.pulls != HONOURED:
            raise not_recorded(call.operation)
        context = str(call.parameters.get("EnumerationContext", ""))
        if call.operation == "CloseEnumeration":
            return self._pulls.close(context)
        return self._pulls.pull(call.operation, context, call.parameters.get("MaxObjectCount", ""))

    def _classes(self, call: IntrinsicCall) -> Reply:
        name = call.parameters.get("ClassName")
        classes = self._recording.classes
        is_deep = call.parameters.get("DeepInheritance", False) is True
        recorded = self._recording.recorded(question_of(call))
        found = () if recorded is None else recorded.found
        if isinstance(found, Failure):
            raise CimError(found.code, found.text)
        if recorded is not None and is_deep:
            return Reply([_class_name(item.path.classname) for item in found])
        if name is not None and classes.is_known(call.namespace, name) is False:
            raise self._errors.no_class(call.operation, name)
        if call.operation == "GetClass":
            return Reply([self._class(call, str(name))])
        names = classes.names_below(call.namespace, name, is_deep=is_deep)
        if names is None:
            depth = "at any depth" if is_deep else "directly"
            raise not_recorded(f"the classes {depth} below {name or 'the top'}")
        if call.operation == "EnumerateClasses":
            return Reply([self._class(call, below) for below in names])
        return Reply([_class_name(below) for below in names])

    def _class(self, call: IntrinsicCall, name: str) -> bytes:
        found = self._recording.classes.declared(call.namespace, name)
        if found is None:
            raise not_recorded(f"the declaration of {name}")
        sent, wanted = call.parameters, _property_list(call)
        switches = Switches(
            sent.get("LocalOnly", True) is True,
            sent.get("IncludeQualifiers", True) is True,
            sent.get("IncludeClassOrigin", False) is True,
            None if wanted is None else frozenset(wanted),
        )
        return class_xml(found, switches)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call whose outcome was recorded."""
        with self._lock:
            outcome = self._outcomes.next(call)
            if outcome is None:
                raise self._unplayed(call)
            self._recording.play(outcome.then)
        if outcome.failure is not None:
            raise CimError(outcome.failure.code, outcome.failure.text)
        returned = [] if outcome.returned is None else [value_xml(outcome.returned).encode()]
        out = tuple(_out(name, kind, value) for name, kind, value in outcome.out)
        return Reply(returned, out, outcome.return_type)

    def _unplayed(self, call: MethodCall) -> CimError:
        path = call.path
        classes = self._recording.classes
        if path.namespace.lower() not in self._namespaces:
            return self._errors.no_namespace(path.namespace)
        if classes.has_method(path.namespace, path.classname, call.method) is False:
            failure = self._outcomes.unknown_method(classes.has_method)
            if failure is not None:
                return CimError(failure.code, failure.text)
        return not_recorded(f"{call.method} of {path.canonical} with these parameters")

    def _wanted(self, call: IntrinsicCall) -> Wanted:
        return _property_list(call) if self._quirks.property_lists == HONOURED else None


class _Outcomes:
    """The recorded method calls; one that was recorded several times comes in that order."""

    def __init__(self, tape: Tape) -> None:
        self._recorded: dict[tuple[str, str, str], list[Outcome]] = {}
        self._played: dict[tuple[str, str, str], int] = {}
        self._all = tape.outcomes
        for outcome in tape.outcomes:
            path = outcome.path.instance_path("").canonical
            key = (outcome.method.lower(), path, meaning_key(outcome.parameters))
            self._recorded.setdefault(key, []).append(outcome)

    def next(self, call: MethodCall) -> Outcome | None:
        """Return the next outcome of a call, the last one again after that."""
        sent = {name: parameter_meaning(value) for name, value in call.parameters.items()}
        key = (call.method.lower(), call.path.canonical, meaning_key(sent))
        outcomes = self._recorded.get(key)
        if outcomes is None:
            return None
        place = self._played.get(key, 0)
        self._played[key] = min(place + 1, len(outcomes) - 1)
        return outcomes[place]

    def unknown_method(self, has_method: Callable[[str, str, str], bool | None]) -> Failure | None:
        """Return what the server said to a method that its class does not have."""
        for outcome in self._all:
            path = outcome.path
            if has_method(path.namespace or "", path.classname, outcome.method) is False:
                return outcome.failure
        return None


def _property_list(call: IntrinsicCall) -> Wanted:
    sent = call.parameters.get("PropertyList")
    return None if sent is None else tuple(dict.fromkeys(str(name).lower() for name in sent))


def _around(tag: str, *parts: bytes) -> bytes:
    name = tag.encode()
    return b"<%s>%s</%s>" % (name, b"".join(parts), name)


def _class_name(name: str) -> bytes:
    return f"<CLASSNAME NAME={quoteattr(name)}/>".encode()


def _object(found: Found, wanted: Wanted) -> bytes:
    return _around("VALUE.OBJECTWITHPATH", found.full_xml(), found.xml(wanted))


_FORMS: dict[str, Callable[[Found, Wanted], bytes]] = {
    "EnumerateInstances": lambda f, w: _around("VALUE.NAMEDINSTANCE", f.name_xml(), f.xml(w)),
    "EnumerateInstanceNames": lambda f, _: f.name_xml(),
    "GetInstance": lambda f, w: f.xml(w),
    "AssociatorNames": lambda f, _: _around("OBJECTPATH", f.full_xml()),
    "ReferenceNames": lambda f, _: _around("OBJECTPATH", f.full_xml()),
}


def _out(name: str, kind: str, value: Value) -> bytes:
    said = f' PARAMTYPE="{kind}"' if kind else ""
    return f"<PARAMVALUE NAME={quoteattr(name)}{said}>{value_xml(value)}</PARAMVALUE>".encode()


@contextmanager
def replay_server(folder: Path, port: int = 0) -> Iterator[WbemFront]:
    """Run a recorded server on loopback for as long as the context lasts.

    Raises `ConfigError` for a folder that holds none, and when the port is taken.
    """
    backend = ReplayBackend(load_recording(folder))
    try:
        front = WbemFront(backend, port=port)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on port {port}: {exc.strerror}; say another with --port"
        ) from exc
    with front:
        yield front
