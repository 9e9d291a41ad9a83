"""An anonymised tape tells nobody whose server it was, and serves the same machines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.cli.record import record_server, words_of
from cimi_cim.config import TargetConfig
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.replay import ReplayBackend, load_recording
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.tape.anonymous import anonymised
from cimi_cim.wbem.tape.files import read_tape, write_tape
from cimi_cim.wbem.tape.instances import Member, Shape, TapeInstance
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.pseudonyms import WORD, Pseudonyms
from cimi_cim.wbem.tape.records import Answer, Failure, Header, Question, Tape
from cimi_cim.wbem.transport import ConnectionSettings
from tests.tapes import SERVERS, tape_folder

SHOWN = ("state", "cpu", "memory", "capacity", "format", "type", "networkType", "cpuArch")


def words_in(folder: Path) -> set[str]:
    return {word for file in folder.iterdir() for word in WORD.findall(file.read_text())}


def served(tape: Tape, mapping: str) -> Counter[str]:
    """What machines, their parts, volumes and networks are like, whatever they are called."""
    with WbemFront(ReplayBackend(tape)) as front:
        engine = open_engine([TargetConfig("t", front.url, mapping=mapping)], load_model())
        found: Counter[str] = Counter()
        for kind, name in (("Machine", "machines"), ("Volume", "volumes"), ("Network", "networks")):
            items = read(engine, Location(kind, ((name, None),)))
            for item in items:
                parts: list[str] = []
                if kind == "Machine":
                    token = item.path.partition("/")[2]
                    for part, steps in (("Disk", "disks"), ("NetworkInterface", "interfaces")):
                        at = Location(part, (("machines", token), (steps, None)))
                        parts += sorted(shown(each) for each in read(engine, at))
                found[f"{kind} {shown(item)} {parts}"] += 1
        engine.close()
    return found


def read(engine: Any, location: Location) -> Iterable[Any]:
    return list(engine.read_collection(location, None, Deadline.after(20)).items)


def instances_in(tape: Tape, subject: str = "") -> Iterator[TapeInstance]:
    """The instances on a tape; with a subject, those that this class enumerated to."""
    for answer in tape.answers:
        if isinstance(answer.found, Failure) or subject not in ("", answer.question.subject):
            continue
        yield from (item for item in answer.found if isinstance(item, TapeInstance))


def shown(item: Any) -> str:
    return str({name: item.values[name] for name in SHOWN if name in item.values})


def without_traces(tape: Tape, mapping: str, identifying: list[str], folder: Path) -> Tape:
    """Anonymise, write, and hold each word that is left against the words that may be."""
    kept = set(words_of(mapping))
    write_tape(tape, folder / "before")
    write_tape(anonymised(tape, kept), folder / "after")
    text = "".join(file.read_text() for file in (folder / "after").iterdir())
    for word in identifying:
        assert word.lower() not in text.lower(), word
    names = {w for file in ("shapes.jsonl", "classes.jsonl", "names.txt")
             for w in WORD.findall((folder / "before" / file).read_text())}  # fmt: skip
    names |= {name.partition("_")[2] for name in names}
    asked = {str(answer.question.subject) for answer in tape.answers}
    vocabulary = Pseudonyms((*kept, *names, *asked))
    form = set(WORD.findall((folder / "after" / "tape.yaml").read_text()))
    grammar = {"ask", "ns", "of", "found", "error", "association", "result", "role", "result_role"}
    left = words_in(folder / "after") & words_in(folder / "before") - form - grammar
    grammar |= {answer.question.operation for answer in tape.answers}
    grammar |= {a.question.operation for outcome in tape.outcomes for a in outcome.then}
    grammar |= {"call", "in", "returned", "out", "then", "path", "instance", "values", "as", "ref"}
    for question in (answer.question for answer in tape.answers):  # what clients go by
        grammar |= {question.association or "", question.result or "", question.role or ""}
        grammar |= {question.result_role or "", *WORD.findall(question.namespace)}
    grammar |= {outcome.method for outcome in tape.outcomes}
    left = {word for word in left - grammar if not vocabulary.is_kept(word)}
    assert {word for word in left if not word.isdigit() and len(word) > 2} == set()
    return read_tape(folder / "after")


@pytest.mark.parametrize("server", SERVERS)
def test_a_recorded_libvirt_serves_the_same_machines_under_other_names(
    server: str, tmp_path: Path
) -> None:
    tape = load_recording(tape_folder(server))
    identifying = [
        "web01", "db01", "test03", "new01", "11111111-2222-4333", "52:54:00:aa", "isolated",
        "/home/", "qcow2.bak", "virbr0",
    ]  # fmt: skip
    text = "".join(file.read_text() for file in tape_folder(server).iterdir())
    assert sum(word in text for word in identifying) >= 7
    after = without_traces(tape, "libvirt-cim", identifying, tmp_path)
    expected = served(tape, "libvirt-cim")
    assert served(after, "libvirt-cim") == expected
    assert sum(n for what, n in expected.items() if what.startswith("Machine")) == 3
    ids = {str(dict(i.path.keys).get("InstanceID")) for i in instances_in(after)}
    assert any(re.fullmatch(r"anon\d+/vda", each) for each in ids)
    assert any(re.fullmatch(r"anon\d+/02:00:00(:[0-9a-f]{2}){3}", each) for each in ids)
    assert any(re.fullmatch(r"KVM:anon\d+", each) for each in ids)


def test_a_recorded_lab_serves_the_same_machines_under_other_names(tmp_path: Path) -> None:
    with lab_server(Simulation(8, seed=5)) as front:
        tape, _ = record_server(ConnectionSettings(front.url), "base")
    names = {
        value
        for answer in tape.answers
        if str(answer.question.subject) == "CIM_ComputerSystem"
        and not hasattr(answer.found, "code")
        for item in answer.found
        if hasattr(item, "values")
        for name in ("ElementName", "Name")
        if isinstance(value := item.values.get(name), str) and "-" in value
    }
    assert len(names) >= 8
    after = without_traces(tape, "base", [*sorted(names), "lab.example"], tmp_path)
    assert served(after, "base") == served(tape, "base")
    assert anonymised(tape, words_of("base")) == after  # the same tape, the same words


def test_words_keep_their_shape_and_stay_the_same_everywhere() -> None:
    new = Pseudonyms(["KVM"]).text
    assert new("KVM:shop") == "KVM:anon1"
    assert new("shop/vda") == "anon1/vda"
    assert new("/var/lib/acme/shop.qcow2") == "/var/lib/anon2/anon1.qcow2"
    assert new("Shop 7 of ACME, 10 GB") == "anon3 7 of anon4, 10 anon5"
    assert new("serial 00812345678") == "serial 90000000001"
    assert new("20261124031500.000000+060") == "20261124031500.000000+060"


def test_addresses_become_others_of_their_kind_in_their_spelling() -> None:
    new = Pseudonyms([]).text
    assert new("A1B2C3D4-0001-4333-8444-00000000000f") == "00000000-0000-4000-8000-000000000001"
    assert new("a1b2c3d400014333844400000000000F") == "00000000000040008000000000000001"
    assert new("52:54:00:aa:BB:02") == "02:00:00:00:00:01"
    assert new("52-54-00-AA-BB-02 525400aabb02") == "02-00-00-00-00-01 020000000001"
    assert new("10.1.2.3,10.1.2.3:80") == "192.0.2.1,192.0.2.1:80"
    assert new("ip-10-1-2-3.acme") == "anon1-192-0-2-1.anon2"
    assert new("fe80::5054:ff:feaa:1") == "2001:db8::2"
    for kept in ("127.0.0.1", "0.0.0.0", "255.255.255.0", "::1", "00:00:00:00:00:00", "1:2:3"):
        assert new(kept) == kept


def test_embedded_instances_keep_their_numbers() -> None:
    text = (
        '<INSTANCE CLASSNAME="X"><PROPERTY NAME="Limit" TYPE="uint64"><VALUE>10737418240</VALUE>'
        '</PROPERTY><PROPERTY NAME="Owner" TYPE="string"><VALUE>shop</VALUE></PROPERTY></INSTANCE>'
    )
    shape = Shape("X", (Member("Setting", "string", False, ()),))
    instance = TapeInstance("root/x", TapePath("X", ()), shape, {"Setting": text})
    asked = Question("EnumerateInstances", "root/x", "X")
    tape = Tape(Header("", "", "", "", ("root/x",)), (Answer(asked, (instance,)),), (), (), {})
    [after] = instances_in(anonymised(tape))
    assert after.values["Setting"] == text.replace("shop", "anon1")
