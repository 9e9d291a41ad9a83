"""Makes the tape of a live server from what a gateway heard, and from what is still missing.

Missing are declarations, the classes of each namespace, the server's own words for what is
not there, and whether property lists and pulls are honoured. Nothing on the server changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from cimi_cim.lab.enumerations_on_trial import enumerations
from cimi_cim.lab.exchanges import class_form, namespaces_of, read_xml
from cimi_cim.lab.listening import ListeningTransport
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemBadReply, WbemStatus
from cimi_cim.wbem.request import intrinsic_request
from cimi_cim.wbem.tape.instances import TapeInstance
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
    Question,
    Quirks,
    Tape,
)
from cimi_cim.wbem.transport import Posts
from cimi_cim.wbem.values import InstancePath

_NOWHERE = "root/no-such-namespace"
_NO_CLASS = "No_SuchClass"
_NO_PIECE = "no-such-instance"
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Needed:
    """What a tape must tell beside what was read: the names that a mapping goes by.

    `classes` are by namespace, association classes among them; `walked` are those.
    """

    classes: Mapping[str, Collection[str]]
    walked: Collection[str]


class Recorder:
    """Completes what `listening` heard; `plain` posts what leaves no trace on the tape."""

    def __init__(self, listening: ListeningTransport, plain: Posts, operation_s: float) -> None:
        self._listening = listening
        self._plain = plain
        self._operation_s = operation_s

    def tape(self, needed: Needed, about: Header) -> Tape:
        """Return the tape; `about` says who was recorded, and when.

        Raises the errors of the gateway.
        """
        namespaces = sorted({*needed.classes, *_classes_seen(self._listening.answers)})
        self._read_more(namespaces, needed)
        seen = _classes_seen(self._listening.answers)
        every = ((ns, self._class_names(ns)) for ns in sorted({*namespaces, *seen}))
        names = {ns: found for ns, found in every if found}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="recorder") as pool:
            classes = [
                form
                for ns in names
                for form in self._declared(
                    ns, names[ns], {*needed.classes.get(ns, ()), *seen.get(ns, ())}, pool
                )
            ]
        self._ask_for_what_is_not_there(names)
        server = _server_said(self._listening.answers) or about.server
        header = replace(about, server=server, host=self._listening.host or "localhost")
        tape = Tape(header, self._listening.answers, (), tuple(classes), names)
        full, hiding = enumerations(tape, needed.walked, self._walk)
        answers = self._listening.answers  # with the walks that were made on trial
        known = tuple(dict.fromkeys((*names, *namespaces_of(answers))))
        quirks = Quirks(*self._property_lists_and_pulls(answers), hiding, full)
        return replace(
            tape, header=replace(header, namespaces=known, quirks=quirks), answers=answers
        )

    def bare_tape(self, about: Header) -> Tape:
        """Return the tape of what was heard alone, for a server that answers no more."""
        answers = self._listening.answers
        header = replace(
            about, host=self._listening.host or "localhost", namespaces=namespaces_of(answers)
        )
        return Tape(header, answers, (), (), {})

    def _read_more(self, namespaces: Iterable[str], needed: Needed) -> None:
        """Who the server says it is, and whole classes of associations."""
        asked = {a.question.key[:3] for a in self._listening.answers}
        for ns in namespaces:
            for name in ("CIM_Namespace", "CIM_ObjectManager"):
                self._ask("EnumerateInstances", ns, ClassName=name)
            for name in sorted(set(needed.classes.get(ns, ())) & set(needed.walked)):
                if ("EnumerateInstances", ns.lower(), name.lower()) not in asked:
                    self._ask("EnumerateInstances", ns, ClassName=name)

    def _walk(self, path: TapePath, namespace: str, association: str) -> Answer | None:
        self._ask(
            "AssociatorNames", namespace, ObjectName=path.instance_path(namespace),
            AssocClass=association,
        )  # fmt: skip
        return self._listening.answer(Question("AssociatorNames", namespace, path, association))

    def _ask(self, operation: str, namespace: str, **parameters: Any) -> None:
        """Ask with the tape listening; an error is an answer."""
        body = intrinsic_request(operation, namespace, parameters)
        headers = _headers(operation, namespace)
        deadline = Deadline.after(self._operation_s)
        with self._listening.post(body, headers, deadline, is_change=False) as chunks:
            for _ in chunks:
                pass

    def _unheard(self, operation: str, namespace: str, **parameters: Any) -> Any:
        """Return the reply to what leaves no trace on the tape; None for an error."""
        body = intrinsic_request(operation, namespace, parameters)
        headers = _headers(operation, namespace)
        deadline = Deadline.after(self._operation_s)
        with self._plain.post(body, headers, deadline, is_change=False) as chunks:
            try:
                reply = read_xml(b"".join(chunks))
            except etree.XMLSyntaxError as exc:
                raise WbemBadReply(f"{operation} is answered with broken XML") from exc
        return None if reply.find(".//ERROR") is not None else reply

    def _class_names(self, namespace: str) -> tuple[str, ...]:
        reply = self._unheard("EnumerateClassNames", namespace, DeepInheritance=True)
        return () if reply is None else tuple(str(e.get("NAME")) for e in reply.iter("CLASSNAME"))

    def _declared(
        self, namespace: str, every: Iterable[str], wanted: Iterable[str], pool: ThreadPoolExecutor
    ) -> list[ClassForm]:
        """The wanted classes that the namespace has, and all their superclasses."""
        spelled = {name.lower(): name for name in every}
        found: dict[str, ClassForm | None] = {}
        pending = {name.lower() for name in wanted} & spelled.keys()
        while pending:
            names = sorted(pending)
            asked = [spelled.get(name, name) for name in names]
            forms = pool.map(self._class, [namespace] * len(names), asked)
            found.update(zip(names, forms, strict=True))
            above = [f.superclass for f in found.values() if f is not None and f.superclass]
            pending = {name.lower() for name in above} - found.keys()
        return [form for _, form in sorted(found.items()) if form is not None]

    def _class(self, namespace: str, name: str) -> ClassForm | None:
        reply = self._unheard(
            "GetClass", namespace, ClassName=name, LocalOnly=False, IncludeQualifiers=True,
            IncludeClassOrigin=True,
        )  # fmt: skip
        element = None if reply is None else reply.find(".//CLASS")
        return None if element is None else class_form(element, namespace)

    def _ask_for_what_is_not_there(self, namespaces: Iterable[str]) -> None:
        self._ask("EnumerateInstances", _NOWHERE, ClassName="CIM_ManagedElement")
        for namespace in namespaces:
            self._ask("EnumerateInstances", namespace, ClassName=_NO_CLASS)
        examples = list(_one_of_each_class(self._listening.answers))
        for path in examples[:1]:
            self._ask(
                "AssociatorNames", path.namespace, ObjectName=path, AssocClass=_NO_CLASS
            )  # fmt: skip
        for path in examples:
            self._ask("GetInstance", path.namespace, InstanceName=_elsewhere(path))

    def _property_lists_and_pulls(self, answers: Sequence[Answer]) -> tuple[str, str]:
        """Tried on the class with fewest instances."""
        found = [a for a in answers if _instances_in(a) and a.question.operation == _ENUMERATE]
        if not found:
            return HONOURED, REFUSED
        example = min(found, key=lambda a: (len(_instances_in(a)), a.question.key[1:3]))
        name = _instances_in(example)[0].shape.members[0].name
        asked = example.question
        reply = self._unheard(
            _ENUMERATE, asked.namespace, ClassName=asked.subject, LocalOnly=False,
            DeepInheritance=True, PropertyList=[name],
        )  # fmt: skip
        instance = None if reply is None else reply.find(".//INSTANCE")
        is_ignored = instance is not None and len(instance) > 1
        return IGNORED if is_ignored else HONOURED, self._pulls(asked.namespace, asked.subject)

    def _pulls(self, namespace: str, classname: str | TapePath) -> str:
        try:
            reply = self._unheard(
                "OpenEnumerateInstances", namespace, ClassName=classname, DeepInheritance=True,
                MaxObjectCount=1,
            )  # fmt: skip
        except WbemStatus:
            return REFUSED
        if reply is None:
            return REFUSED
        values = (*reply.iter("PARAMVALUE"), *reply.iter("IPARAMVALUE"))
        said = {str(e.get("NAME")): (e.findtext("VALUE") or "").strip() for e in values}
        if "EndOfSequence" not in said:
            return WHOLE
        context = said.get("EnumerationContext")
        if said["EndOfSequence"].lower() != "true" and context:
            self._unheard("CloseEnumeration", namespace, EnumerationContext=context)
        return HONOURED


_ENUMERATE = "EnumerateInstances"


def _headers(operation: str, namespace: str) -> dict[str, str]:
    return {"CIMOperation": "MethodCall", "CIMMethod": operation, "CIMObject": namespace}


def _instances_in(answer: Answer) -> list[TapeInstance]:
    if isinstance(answer.found, Failure):
        return []
    return [item for item in answer.found if isinstance(item, TapeInstance)]


def _server_said(answers: Iterable[Answer]) -> str:
    """What the server says it is: the name and version of its object manager."""
    for answer in answers:
        if str(answer.question.subject) == "CIM_ObjectManager":
            for item in _instances_in(answer):
                said = (item.values.get(name) for name in ("ElementName", "Version"))
                return " ".join(text for text in said if isinstance(text, str))
    return ""


def _classes_seen(answers: Iterable[Answer]) -> dict[str, set[str]]:
    """The classes of all that was found or referred to, by namespace that answered."""
    seen: dict[str, set[str]] = {}
    for answer in answers:
        if isinstance(answer.found, Failure):
            continue
        seen.setdefault(answer.question.namespace, set())
        for item in answer.found:
            inside = item.namespace or answer.question.namespace
            path = item.path if isinstance(item, TapeInstance) else item
            for each in (path, *_ends(item)):
                seen.setdefault(each.namespace or inside, set()).add(each.classname)
    return seen


def _ends(found: TapeInstance | TapePath) -> Iterator[TapePath]:
    if isinstance(found, TapeInstance):
        said: Iterable[object] = (value for _, value in found.path.keys)
        said = (*said, *found.values.values())
    else:
        said = (value for _, value in found.keys)
    for value in said:
        if isinstance(value, TapePath):
            yield value


def _one_of_each_class(answers: Iterable[Answer]) -> Iterator[InstancePath]:
    seen: set[tuple[str, str]] = set()
    for answer in answers:
        for item in _instances_in(answer):
            key = (item.namespace.lower(), item.path.classname.lower())
            if key not in seen and any(isinstance(value, str) for _, value in item.path.keys):
                seen.add(key)
                yield item.path.instance_path(item.namespace)


def _elsewhere(path: InstancePath) -> InstancePath:
    """The path with other words in its last key of text, as many pieces as there were."""
    last = max(i for i, (_, value) in enumerate(path.keys) if isinstance(value, str))
    name, value = path.keys[last]
    other = (name, re.sub(r"[^:/]+", _NO_PIECE, str(value)))
    return InstancePath(
        path.namespace, path.classname, (*path.keys[:last], other, *path.keys[last + 1 :])
    )
