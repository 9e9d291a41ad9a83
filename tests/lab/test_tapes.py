"""The kept tapes: made from the captures, faithful to them, and answered by meaning."""

from __future__ import annotations

import filecmp
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall
from cimi_cim.lab.import_capture import main, read_capture, reply_body
from cimi_cim.lab.recorded_walks import walk
from cimi_cim.lab.recording import WALKS, Recording
from cimi_cim.lab.replay import ReplayBackend, load_recording
from cimi_cim.lab.requests import parse_request
from cimi_cim.wbem.tape.files import read_tape, write_tape
from cimi_cim.wbem.tape.records import Failure, Question, Tape
from cimi_cim.wbem.values import InstancePath
from tests.shared_files import SHARED, needs_shared
from tests.tapes import FOLDER, SERVERS, tape_folder

MOST_BYTES = 1_000_000
WEB01, DB01 = (
    InstancePath(
        "root/virt",
        "KVM_ComputerSystem",
        (("CreationClassName", "KVM_ComputerSystem"), ("Name", name)),
    )
    for name in ("web01", "db01")
)

pytestmark = pytest.mark.parametrize("server", SERVERS)


def capture_folder(server: str) -> Path:
    return SHARED / "captures" / "libvirt-cim" / server


@pytest.fixture
def tape(server: str) -> Tape:
    return read_tape(tape_folder(server))


@needs_shared
def test_the_kept_tapes_are_what_the_command_makes(server: str, tmp_path: Path) -> None:
    shutil.copy(tape_folder(server) / "tape.yaml", tmp_path)
    main(str(capture_folder(server)), str(tmp_path))
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in tape_folder(server).iterdir())
    same, other, missing = filecmp.cmpfiles(tmp_path, tape_folder(server), made, shallow=False)
    assert (sorted(same), other, missing) == (made, [], [])


@needs_shared
def test_the_header_says_what_the_capture_shows(server: str, tape: Tape) -> None:
    shown, said = read_capture(capture_folder(server)).header, tape.header
    assert (said.host, said.namespaces) == (shown.host, shown.namespaces)
    assert said.quirks.property_lists == shown.quirks.property_lists
    assert said.quirks.pulls == shown.quirks.pulls


def test_the_tapes_are_small_and_hold_no_prose(server: str) -> None:
    files = [path for path in FOLDER.rglob("*.*") if path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert "Description=" not in (tape_folder(server) / "classes.jsonl").read_text()


def test_a_tape_is_read_as_it_was_written(server: str, tape: Tape, tmp_path: Path) -> None:
    write_tape(tape, tmp_path)
    assert read_tape(tmp_path) == tape


def captured(server: str) -> list[tuple[str, bytes, Any]]:
    """All captured reads and the reply to each; not those of another state of the server."""
    found = []
    for name in ("instances", "associations", "errors"):
        folder = capture_folder(server) / name
        for request_name, request in json.loads((folder / "requests.json").read_text()).items():
            if request_name.endswith(".state2") or "METHODCALL" not in request:
                continue
            reply = _reply(folder, request_name)
            found.append((request_name, request.encode(), reply))
    return found


def _reply(folder: Path, name: str) -> Any:
    return etree.fromstring(reply_body(folder, name))


def tree(element: Any) -> Any:
    """An element as a value: tag, attributes, text, children; blank text between tags is none."""
    text = (element.text or "") if not len(element) else ""
    is_blank = not text.strip() and element.tag not in ("VALUE", "KEYVALUE")
    attributes = {k: v for k, v in element.attrib.items() if k != "PARAMTYPE"}
    return (element.tag, attributes, "" if is_blank else text, [tree(child) for child in element])


@needs_shared
def test_every_captured_read_is_answered_as_it_was_captured(server: str, tape: Tape) -> None:
    """Element for element, errors with their words; also property lists and pulls."""
    backend = ReplayBackend(tape)
    reads = captured(server)
    assert len(reads) > 150
    for name, request, reply in reads:
        call = parse_request(request).call
        assert isinstance(call, IntrinsicCall)
        error = reply.find(".//ERROR")
        if error is not None:
            with pytest.raises(CimError) as caught:
                backend.intrinsic(call)
            said = (caught.value.code, caught.value.description)
            assert said == (int(error.get("CODE")), error.get("DESCRIPTION", "")), name
            continue
        answer = backend.intrinsic(call)
        given = [tree(etree.fromstring(fragment)) for fragment in answer.fragments or ()]
        out = [tree(etree.fromstring(fragment)) for fragment in answer.out]
        wanted = [tree(e) for e in reply.iterfind(".//IRETURNVALUE/*")]
        wanted_out = [tree(e) for e in reply.iter("PARAMVALUE")]
        if is_to_be_continued(wanted_out):  # a server may open with fewer than it was allowed
            assert is_to_be_continued(out), name
            assert given[: len(wanted)] == wanted, name
            continue
        assert (given, out) == (wanted, wanted_out), name


def is_to_be_continued(out: list[Any]) -> bool:
    return any(
        attributes == {"NAME": "EndOfSequence"} and children[0][2] == "FALSE"
        for _, attributes, _, children in out
    )


@needs_shared
def test_captures_are_replayed_like_their_tape(server: str, tape: Tape) -> None:
    capture = load_recording(capture_folder(server))
    assert replace(capture, header=tape.header) == tape


def worked_out_from(recording: Recording, question: Question) -> set[str] | None:
    try:
        return {item.key for item in walk(recording, question)}
    except CimError:
        return None


def test_a_narrower_walk_finds_what_the_server_itself_found(server: str, tape: Tape) -> None:
    """Each recorded walk is taken out and worked out from the others where it can be."""
    worked_out = 0
    walks = [a for a in tape.answers if a.question.operation in WALKS]
    for answer in walks:
        if isinstance(answer.found, Failure):
            continue
        twins = {(replace(answer.question, operation=name)).key for name in WALKS}
        others = tuple(a for a in tape.answers if a.question.key not in twins)
        recording = Recording(replace(tape, answers=others))
        found = worked_out_from(recording, answer.question)
        if found is None:
            continue
        whole = Recording(replace(tape, answers=(answer,))).recorded(answer.question)
        assert whole is not None
        assert not isinstance(whole.found, Failure)
        assert found == {item.key for item in whole.found}
        worked_out += 1
    assert worked_out >= 5


def test_what_was_not_recorded_is_an_error_and_never_an_empty_answer(
    server: str, tape: Tape
) -> None:
    backend = ReplayBackend(tape)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("EnumerateInstances", {"ClassName": "KVM_ElementCapabilities"}),
        ("EnumerateClasses", {}),
        ("EnumerateClassNames", {"ClassName": "CIM_ComputerSystem", "DeepInheritance": True}),
        ("EnumerateQualifiers", {}),
        ("ExecQuery", {"QueryLanguage": "XPath", "Query": "//*"}),
        ("Associators", {"ObjectName": DB01, "AssocClass": "CIM_SettingsDefineState"}),
        ("References", {"ObjectName": DB01}),
        ("Associators", {"ObjectName": "KVM_ComputerSystem"}),
    ]
    for operation, parameters in asked:
        with pytest.raises(CimError, match=r"not recorded|NOT_SUPPORTED"):
            backend.intrinsic(IntrinsicCall(operation, "root/virt", parameters))
    with pytest.raises(CimError, match="not recorded: RequestStateChange of"):
        backend.method(MethodCall("RequestStateChange", WEB01, {"RequestedState": 77}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tape.yaml", "tape: 2\n", "is missing"),
        ("instances.jsonl", "[]\n", r"instances\.jsonl:1: no entry of a tape"),
        ("answers.jsonl", '{"ask": 1}\n', r"answers\.jsonl:1: no entry of a tape"),
        ("shapes.jsonl", "not JSON\n", r"shapes\.jsonl:1: no entry of a tape"),
    ],
)
def test_a_broken_tape_says_where(
    server: str, tmp_path: Path, name: str, text: str, message: str
) -> None:
    shutil.copytree(tape_folder(server), tmp_path / "tape")
    (tmp_path / "tape" / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_tape(tmp_path / "tape")


def test_a_missing_file_and_an_unknown_quirk_are_told(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    shutil.copytree(tape_folder(server), folder)
    (folder / "methods.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"methods\.jsonl: cannot be read"):
        read_tape(folder)
    header = (folder / "tape.yaml").read_text()
    (folder / "tape.yaml").write_text(header.replace("pulls: ", "pulls: un"))
    with pytest.raises(ConfigError, match="pulls must be one of honoured, whole, refused"):
        read_tape(folder)
