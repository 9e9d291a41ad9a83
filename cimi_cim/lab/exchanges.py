"""What crossed between a client and a WBEM server, as the parts of a tape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from cimi_cim.lab.backend import IntrinsicCall, MethodCall
from cimi_cim.lab.questions import question_of
from cimi_cim.lab.requests import parse_request
from cimi_cim.wbem.cleaning import cleaned
from cimi_cim.wbem.elements import PATHS, read_embedded
from cimi_cim.wbem.tape.instances import Member, TapeInstance, read_instance, read_value
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import (
    HONOURED,
    IGNORED,
    REFUSED,
    WHOLE,
    Answer,
    ClassForm,
    Failure,
    Kept,
    MethodForm,
    Outcome,
    Question,
    Quirks,
    meaning,
)

_DECLARATIONS = (
    "EnumerateClassNames", "EnumerateClasses", "GetClass", "GetQualifier", "EnumerateQualifiers",
)  # fmt: skip
_CLASS_QUALIFIERS = ("Association", "Indication", "Abstract")
_MEMBER_QUALIFIERS = ("Key", "In", "Out", "EmbeddedInstance")


def read_xml(body: bytes) -> Any:
    """Return the root of a reply. Raises `etree.XMLSyntaxError`."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=True, encoding="utf-8"
    )
    return etree.fromstring(b"".join(cleaned([body])), parser)


class Exchange:
    """One request with its reply, a parsed document. Raises `BadRequest`."""

    def __init__(self, request: bytes, reply: Any) -> None:
        self.call = parse_request(request).call
        self.reply = reply

    @property
    def is_left_out(self) -> bool:
        """Whether it is no read, or one whose answer follows from others: in part, or in pieces."""
        call = self.call
        return (
            isinstance(call, MethodCall)
            or "PropertyList" in call.parameters
            or (call.operation.startswith("Open") and self.failure is None)
        )

    @property
    def failure(self) -> Failure | None:
        """The CIM error in the reply."""
        error = self.reply.find(".//ERROR")
        if error is None:
            return None
        return Failure(int(error.get("CODE")), error.get("DESCRIPTION", ""))

    def answers(self) -> Iterator[Answer]:
        """Yield the answer, if the operation is one that a tape keeps."""
        call = self.call
        if not isinstance(call, IntrinsicCall):
            return
        if self.failure is None and call.operation in _DECLARATIONS:
            is_deep = call.parameters.get("DeepInheritance", False) is True
            if call.operation != "EnumerateClassNames" or "ClassName" not in call.parameters:
                return  # kept with the classes
            if not is_deep:
                return
        question = question_of(call)
        yield Answer(question, self.failure or tuple(self._found(question)))

    def _found(self, question: Question) -> Iterator[Kept]:
        for element in self.reply.iterfind(".//IRETURNVALUE/*"):  # OpenPegasus: none if empty
            subject = question.subject
            if element.tag == "CLASSNAME":
                yield TapePath(str(element.get("NAME")), ())
            elif element.tag == "INSTANCE" and isinstance(subject, TapePath):
                shape, values = read_instance(element)  # of a GetInstance: it has no path
                yield TapeInstance(question.namespace, subject.name(), shape, values)
            elif element.tag in ("INSTANCENAME", "OBJECTPATH", "INSTANCEPATH"):
                path = TapePath.of_element(element)
                yield TapePath(path.classname, path.keys, _other(path, question.namespace))
            elif len(element) == 2 and element[0].tag in PATHS:  # else no client can read it
                path = TapePath.of_element(element[0])
                shape, values = read_instance(element[1])
                inside = path.namespace or question.namespace
                yield TapeInstance(inside, path.name(), shape, values)


def _other(path: TapePath, namespace: str) -> str | None:
    return path.namespace if path.namespace not in (None, namespace) else None


def outcomes_of(exchanges: list[Exchange]) -> Iterator[Outcome]:
    """Yield each method call, with the reads up to the next one."""
    calls = [(i, e.call) for i, e in enumerate(exchanges) if isinstance(e.call, MethodCall)]
    ends = [*(place for place, _ in calls), len(exchanges)][1:]
    for (start, call), end in zip(calls, ends, strict=True):
        exchange = exchanges[start]
        parameters = {name: parameter_meaning(value) for name, value in call.parameters.items()}
        path = TapePath.of_path(call.path)
        then = tuple(a for e in exchanges[start + 1 : end] for a in e.answers())
        if exchange.failure is not None:
            yield Outcome(call.method, path, parameters, exchange.failure, then=then)
            continue
        returned = exchange.reply.find(".//RETURNVALUE")
        out = tuple(
            (str(p.get("NAME")), p.get("PARAMTYPE", ""), read_value(p))
            for p in exchange.reply.iter("PARAMVALUE")
        )
        yield Outcome(
            call.method, path, parameters, None,
            returned.get("PARAMTYPE", "uint32"), read_value(returned), out, then,
        )  # fmt: skip


def parameter_meaning(value: Any) -> Any:
    """Return a parameter in the form of `meaning`; CIM-XML in a string is an instance."""
    if isinstance(value, tuple):
        return [parameter_meaning(item) for item in value]
    if isinstance(value, str) and value.lstrip().startswith("<INSTANCE"):
        embedded = read_embedded(value, "")
        if not isinstance(embedded, str):
            return {**meaning(embedded), "as": "text"}
    return meaning(value)


def class_form(element: Any, namespace: str) -> ClassForm:
    """Return a CLASS element without prose."""
    qualifiers = {q.get("NAME"): q.findtext("VALUE", "") for q in element.findall("QUALIFIER")}
    return ClassForm(
        str(element.get("NAME")),
        namespace,
        element.get("SUPERCLASS"),
        True,
        tuple(n for n in _CLASS_QUALIFIERS if qualifiers.get(n, "").lower() == "true"),
        tuple(_member(p) for p in element if p.tag.startswith("PROPERTY")),
        tuple(
            MethodForm(
                _member(method), tuple(_member(p) for p in method if p.tag.startswith("PARAMETER"))
            )
            for method in element.findall("METHOD")
        ),
    )


def _member(element: Any) -> Member:
    """A property, method or parameter; the few qualifiers that are kept are marks, too."""
    form = Member.of_element(element)
    kind, is_array = form.type, element.tag.endswith("ARRAY")
    if element.tag.endswith("REFERENCE") or element.tag.endswith("REFARRAY"):
        kind, is_array = "ref", element.tag.endswith("REFARRAY")
    said = {q.get("NAME"): q.findtext("VALUE", "") for q in element.findall("QUALIFIER")}
    kept = tuple((name, said[name]) for name in _MEMBER_QUALIFIERS if said.get(name))
    return Member(form.name, kind, is_array, (*form.marks, *kept))


def host_of(replies: Iterable[Any]) -> str:
    """Return the host that paths name."""
    for reply in replies:
        host = reply.findtext(".//HOST")
        if host is not None:
            return str(host)
    return "localhost"


def namespaces_of(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Return the namespaces that answered, and those that the server says it has."""
    found: dict[str, None] = {}
    for answer in answers:
        if isinstance(answer.found, Failure):
            continue
        found.setdefault(answer.question.namespace)
        if answer.question.subject == "CIM_Namespace":
            names = (i.values.get("Name") for i in answer.found if isinstance(i, TapeInstance))
            found.update((name, None) for name in names if isinstance(name, str))
    return tuple(found)


def quirks_of(exchanges: Iterable[Exchange]) -> Quirks:
    """Return how property lists and pulls were answered."""
    lists, pulls = HONOURED, REFUSED
    for exchange in exchanges:
        call = exchange.call
        if isinstance(call, MethodCall) or exchange.failure is not None:
            continue
        wanted = call.parameters.get("PropertyList")
        instance = exchange.reply.find(".//INSTANCE")
        if wanted is not None and instance is not None and len(instance) > len(wanted):
            lists = IGNORED
        if call.operation.startswith("Open"):
            has_end = exchange.reply.find(".//*[@NAME='EndOfSequence']") is not None
            pulls = HONOURED if has_end else WHOLE
    return Quirks(lists, pulls)
