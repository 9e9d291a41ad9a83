"""Makes a tape from a folder of captured CIM-XML.

    python -m cimi_cim.lab.import_capture CAPTURE_FOLDER TAPE_FOLDER

CAPTURE_FOLDER holds request and response bodies of one server, byte for byte as they
crossed HTTP (docs/tapes.md). The same folder always makes the same tape. The reads of
another state of the server (`*.state2`), reads with a property list (their answers follow
from the whole instances), indications and bad HTTP requests are left out.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall
from cimi_cim.lab.questions import question_of
from cimi_cim.lab.requests import BadRequest, parse_request
from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.wbem.decode import read_embedded
from cimi_cim.wbem.tape.files import write_tape
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
    Header,
    Kept,
    MethodForm,
    Outcome,
    Question,
    Quirks,
    Tape,
    meaning,
)

_READS = ("instances", "associations", "errors")
_CLASS_QUALIFIERS = ("Association", "Indication", "Abstract")
_MEMBER_QUALIFIERS = ("Key", "In", "Out", "EmbeddedInstance")


def is_capture(folder: Path) -> bool:
    """Whether a folder holds captured CIM-XML."""
    return (folder / "instances" / "index.json").is_file()


def read_capture(folder: Path) -> Tape:
    """Return the tape of a captured server. Raises `ConfigError` for a folder that is none."""
    if not is_capture(folder):
        raise ConfigError(f"{folder}: no captured CIM-XML; that has instances/index.json")
    try:
        return _read_capture(folder)
    except (OSError, LookupError, ValueError, etree.XMLSyntaxError, BadRequest) as exc:
        raise ConfigError(
            f"{folder}: the captured CIM-XML cannot be read: {exc}; docs/tapes.md says what it has"
        ) from exc


def _read_capture(folder: Path) -> Tape:
    exchanges = [e for name in _READS for e in _exchanges(folder / name)]
    answers = [a for e in exchanges if not e.is_left_out for a in e.answers()]
    outcomes = tuple(_outcomes(_exchanges(folder / "methods")))
    recorded = list(_classes(folder / "schema"))
    names = dict(_class_names(folder / "schema"))
    header = Header(
        "unknown", "unknown", "unknown",
        _host(e.reply for e in exchanges), _namespaces(answers), _quirks(exchanges),
    )  # fmt: skip
    return Tape(header, tuple(answers), outcomes, (*recorded, *_ancestors(recorded)), names)


class _Exchange:
    """One captured request with its reply."""

    def __init__(self, name: str, request: bytes, reply: Any) -> None:
        self.name = name
        self.call = parse_request(request).call
        self.reply = reply

    @property
    def is_left_out(self) -> bool:
        call = self.call
        return (
            self.name.endswith(".state2")
            or isinstance(call, MethodCall)
            or "PropertyList" in call.parameters
            or (call.operation.startswith("Open") and self.failure is None)
        )

    @property
    def failure(self) -> Failure | None:
        error = self.reply.find(".//ERROR")
        if error is None:
            return None
        return Failure(int(error.get("CODE")), error.get("DESCRIPTION", ""))

    def answers(self) -> Iterator[Answer]:
        """Yield the answer, if the operation is one that a tape keeps."""
        if isinstance(self.call, IntrinsicCall):
            question = question_of(self.call)
            yield Answer(question, self.failure or tuple(self._found(question)))

    def _found(self, question: Question) -> Iterator[Kept]:
        for element in self.reply.iterfind(".//IRETURNVALUE/*"):  # OpenPegasus: none if empty
            subject = question.subject
            if element.tag == "INSTANCE" and isinstance(subject, TapePath):
                shape, values = read_instance(element)  # of a GetInstance: it has no path
                yield TapeInstance(question.namespace, subject.name(), shape, values)
            elif element.tag in ("INSTANCENAME", "OBJECTPATH", "INSTANCEPATH"):
                path = TapePath.of_element(element)
                yield TapePath(path.classname, path.keys, _other(path, question.namespace))
            else:
                path = TapePath.of_element(element[0])
                shape, values = read_instance(element[1])
                inside = path.namespace or question.namespace
                yield TapeInstance(inside, path.name(), shape, values)


def _other(path: TapePath, namespace: str) -> str | None:
    return path.namespace if path.namespace not in (None, namespace) else None


def _exchanges(folder: Path) -> list[_Exchange]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    shared = folder / "requests.json"
    requests = json.loads(shared.read_text(encoding="utf-8")) if shared.exists() else {}
    found = []
    for name in index:
        own = folder / f"{name}.request.xml"
        request = own.read_bytes() if own.exists() else requests.get(name, "").encode()
        body = reply_body(folder, name)
        if b"METHODCALL" in request and body:
            found.append(_Exchange(name, request, etree.fromstring(body, _parser())))
    return found


def reply_body(folder: Path, name: str) -> bytes:
    """Return a captured reply, empty if there was none."""
    plain, packed = (folder / f"{name}.response.xml{end}" for end in ("", ".gz"))
    if plain.exists():
        return plain.read_bytes()
    return gzip.decompress(packed.read_bytes()) if packed.exists() else b""


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def _outcomes(exchanges: list[_Exchange]) -> Iterator[Outcome]:
    """Each method call, with the reads up to the next one."""
    calls = [(i, e.call) for i, e in enumerate(exchanges) if isinstance(e.call, MethodCall)]
    ends = [*(place for place, _ in calls[1:]), len(exchanges)]
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


def _class_names(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, namespace in _schema_index(folder):
        if name.startswith("EnumerateClassNames."):
            root = etree.fromstring(reply_body(folder, name), _parser())
            yield namespace, tuple(str(e.get("NAME")) for e in root.iter("CLASSNAME"))


def _classes(folder: Path) -> Iterator[ClassForm]:
    for name, namespace in _schema_index(folder):
        if name.startswith("class."):
            root = etree.fromstring(reply_body(folder, name), _parser())
            for element in root.iter("CLASS"):
                yield _class(element, namespace)


def _schema_index(folder: Path) -> Iterator[tuple[str, str]]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for name, entry in index.items():
        yield name, entry["request_headers"]["CIMObject"].partition(":")[0]


def _class(element: Any, namespace: str) -> ClassForm:
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


def _ancestors(recorded: list[ClassForm]) -> list[ClassForm]:
    """The superclasses that were not recorded themselves, as the DMTF schema places them."""
    dmtf = load_schema([mof_folder() / "dmtf"])
    found: dict[tuple[str, str], ClassForm] = {}
    known = {(cls.namespace, cls.name.lower()) for cls in recorded}
    for cls in recorded:
        declared = dmtf.find(cls.superclass) if cls.superclass else None
        lineage = list(dmtf.lineage(declared.name)) if declared else []
        for ancestor in lineage:
            key = (cls.namespace, ancestor.name.lower())
            if key not in known:
                found[key] = ClassForm(ancestor.name, cls.namespace, ancestor.superclass, False)
    return list(found.values())


def _host(replies: Iterable[Any]) -> str:
    for reply in replies:
        host = reply.findtext(".//HOST")
        if host is not None:
            return str(host)
    return "localhost"


def _namespaces(answers: list[Answer]) -> tuple[str, ...]:
    """The namespaces that answered, and those that the server says it has."""
    found: dict[str, None] = {}
    for answer in answers:
        if isinstance(answer.found, Failure):
            continue
        found.setdefault(answer.question.namespace)
        if answer.question.subject == "CIM_Namespace":
            names = (i.values.get("Name") for i in answer.found if isinstance(i, TapeInstance))
            found.update((name, None) for name in names if isinstance(name, str))
    return tuple(found)


def _quirks(exchanges: list[_Exchange]) -> Quirks:
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


def main(capture: str, tape: str) -> None:
    """Write the tape of a captured server; a header that is there stays."""
    write_tape(read_capture(Path(capture)), Path(tape))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m cimi_cim.lab.import_capture CAPTURE_FOLDER TAPE_FOLDER")
    try:
        main(*sys.argv[1:])
    except ConfigError as exc:
        sys.exit(f"{exc.message}")
