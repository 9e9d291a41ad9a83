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
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from cimi_cim.errors import ConfigError
from cimi_cim.lab.exchanges import (
    Exchange,
    class_form,
    host_of,
    namespaces_of,
    outcomes_of,
    quirks_of,
    read_xml,
)
from cimi_cim.lab.requests import BadRequest
from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.wbem.tape.files import write_tape
from cimi_cim.wbem.tape.records import ClassForm, Header, Tape

_READS = ("instances", "associations", "errors")


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
    outcomes = tuple(outcomes_of(_exchanges(folder / "methods")))
    recorded = list(_classes(folder / "schema"))
    names = dict(_class_names(folder / "schema"))
    header = Header(
        "unknown", "unknown", "unknown",
        host_of(e.reply for e in exchanges), namespaces_of(answers), quirks_of(exchanges),
    )  # fmt: skip
    return Tape(header, tuple(answers), outcomes, (*recorded, *_ancestors(recorded)), names)


def _exchanges(folder: Path) -> list[Exchange]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    shared = folder / "requests.json"
    requests = json.loads(shared.read_text(encoding="utf-8")) if shared.exists() else {}
    found = []
    for name in index:
        if name.endswith(".state2"):
            continue
        own = folder / f"{name}.request.xml"
        request = own.read_bytes() if own.exists() else requests.get(name, "").encode()
        body = reply_body(folder, name)
        if b"METHODCALL" in request and body:
            found.append(Exchange(request, read_xml(body)))
    return found


def reply_body(folder: Path, name: str) -> bytes:
    """Return a captured reply, empty if there was none."""
    plain, packed = (folder / f"{name}.response.xml{end}" for end in ("", ".gz"))
    if plain.exists():
        return plain.read_bytes()
    return gzip.decompress(packed.read_bytes()) if packed.exists() else b""


def _class_names(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, namespace in _schema_index(folder):
        if name.startswith("EnumerateClassNames."):
            root = read_xml(reply_body(folder, name))
            yield namespace, tuple(str(e.get("NAME")) for e in root.iter("CLASSNAME"))


def _classes(folder: Path) -> Iterator[ClassForm]:
    for name, namespace in _schema_index(folder):
        if name.startswith("class."):
            root = read_xml(reply_body(folder, name))
            for element in root.iter("CLASS"):
                yield class_form(element, namespace)


def _schema_index(folder: Path) -> Iterator[tuple[str, str]]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for name, entry in index.items():
        yield name, entry["request_headers"]["CIMObject"].partition(":")[0]


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
