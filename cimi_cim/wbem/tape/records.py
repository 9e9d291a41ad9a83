"""What a tape holds: who was recorded, instances, answers, method outcomes, declarations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cimi_cim.wbem.tape.instances import Member, TapeInstance, Value
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath

Kept: TypeAlias = "TapeInstance | TapePath"
"""An object in an answer: whole, or its path alone where only names were asked for."""

HONOURED, IGNORED, WHOLE, REFUSED = "honoured", "ignored", "whole", "refused"


@dataclass(frozen=True, slots=True)
class Quirks:
    """How the recorded server departs from the standard.

    `property_lists` are honoured or ignored. `pulls` are honoured, or Open... is answered
    whole, like the classic operation and without EndOfSequence, or refused (NOT_SUPPORTED).
    `enumerate_to_nothing` are classes whose enumeration is empty although instances exist;
    `enumerate_to_all` are association classes whose enumeration leads to all that walks find.
    """

    property_lists: str = HONOURED
    pulls: str = REFUSED
    enumerate_to_nothing: tuple[str, ...] = ()
    enumerate_to_all: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """Who was recorded. `namespaces` are all that the server is known to have.

    `superclasses` place classes whose declaration was not recorded, None for one at the top.
    """

    server: str
    provider: str
    recorded: str
    host: str
    namespaces: tuple[str, ...]
    quirks: Quirks = field(default=Quirks())
    superclasses: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """A CIM error: its status code, and the server's own words."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """An intrinsic read, by meaning: spelling and property list do not count.

    `subject` is the class, the object, or whatever else the operation is about. For
    References and ReferenceNames `association` is their ResultClass.
    """

    operation: str
    namespace: str
    subject: str | TapePath
    association: str | None = None
    result: str | None = None
    role: str | None = None
    result_role: str | None = None

    @property
    def about(self) -> str:
        """The subject in the spelling that all spellings share."""
        if isinstance(self.subject, TapePath):
            return self.subject.instance_path(self.namespace).canonical
        return self.subject.lower()

    @property
    def key(self) -> tuple[str | None, ...]:
        """What two questions of one meaning have in common."""
        filters = (self.association, self.result, self.role, self.result_role)
        lowered = (None if text is None else text.lower() for text in filters)
        return (self.operation, self.namespace.lower(), self.about, *lowered)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered to a question."""

    question: Question
    found: tuple[Kept, ...] | Failure


Out: TypeAlias = "tuple[str, str, Value]"
"""An out parameter: name, CIM type as sent (may be empty), value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One method call: what was asked, what came back, and the reads made right after it.

    `parameters` are in the form of `meaning`.
    """

    method: str
    path: TapePath
    parameters: Mapping[str, Any]
    failure: Failure | None = None
    return_type: str = "uint32"
    returned: Value = None
    out: tuple[Out, ...] = ()
    then: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class MethodForm:
    """A method of a class; `head` has its name, return type and marks."""

    head: Member
    parameters: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class ClassForm:
    """A class declaration without prose: names, types, keys, superclass.

    `is_recorded` is false for a class of which only the superclass is known, from the
    DMTF schema: it places others, and is no answer to GetClass. `marks` are of
    Association, Indication and Abstract.
    """

    name: str
    namespace: str
    superclass: str | None
    is_recorded: bool = True
    marks: tuple[str, ...] = ()
    properties: tuple[Member, ...] = ()
    methods: tuple[MethodForm, ...] = ()


@dataclass(frozen=True, slots=True)
class Tape:
    """A recorded server. `class_names` are by namespace, all of it, as enumerated."""

    header: Header
    answers: tuple[Answer, ...]
    outcomes: tuple[Outcome, ...]
    classes: tuple[ClassForm, ...]
    class_names: Mapping[str, tuple[str, ...]]


def meaning(value: CimValue) -> Any:
    """Return a method parameter as JSON: texts, lists, `{"path": ...}`, `{"instance": ...}`.

    Types are left out: servers take what a parameter's declaration says. An instance sent
    as CIM-XML text in a plain string is told from one sent as an embedded object: a server
    may refuse one of the two.
    """
    if isinstance(value, tuple):
        return [meaning(item) for item in value]
    if isinstance(value, InstancePath):
        return {"path": TapePath.of_path(value).json()}
    if isinstance(value, EmbeddedInstance):
        said = {name: meaning(item) for name, item in value.values.items() if item is not None}
        return {"instance": value.classname, "values": said}
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, CimDateTime):
        return value.text
    return None if value is None else str(value)


def meaning_key(parameters: Mapping[str, Any]) -> str:
    """Return what two spellings of the same parameters (in the form of `meaning`) share."""
    return json.dumps(_folded(parameters), sort_keys=True)


def _folded(form: Any) -> Any:
    if isinstance(form, list):
        return [_folded(item) for item in form]
    if not isinstance(form, Mapping):
        return form
    if "path" in form and len(form) == 1:
        path = TapePath.of_json(form["path"])
        return {"path": path.instance_path("").canonical}
    if "instance" in form:
        return {**form, "instance": form["instance"].lower(), "values": _folded(form["values"])}
    return {str(name).lower(): _folded(value) for name, value in form.items() if value is not None}
