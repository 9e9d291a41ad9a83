"""What probing writes works as it is: the overlay is clean, its configuration serves machines."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.config import TargetConfig, load_config
from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.replay import ReplayBackend, load_recording
from cimi_cim.mapping.compiler import check_file, load_mapping
from cimi_cim.mapping.open import open_engine
from cimi_cim.mapping.probing.coverage import Standard
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.probe import asked
from cimi_cim.mapping.probing.survey import interest_of, survey
from cimi_cim.mapping.probing.trying import drafted
from cimi_cim.mapping.probing.writing import files_of, write_files
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.schema.vendor import vendor_mof
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import check_dialect
from tests.probe.running import Shell
from tests.probe.vendors import Alien, Foreign, acme, serving
from tests.processes import running
from tests.tapes import tape_folder

RECORDED = {
    "web01": ("STARTED", 1, 131072),
    "db01": ("PAUSED", 2, 262144),
    "test03": ("STOPPED", 1, 65536),
}


def machines(config: Path) -> dict[str, tuple[Any, ...]]:
    """State, processors and memory of the machines that a configuration serves, by name."""
    return machines_of(load_config(config).targets)


def machines_of(targets: tuple[TargetConfig, ...]) -> dict[str, tuple[Any, ...]]:
    with closing(open_engine(targets, load_model())) as engine:
        place = Location("Machine", (("machines", None),))
        read = engine.read_collection(place, None, Deadline.after(30))
    assert not read.left_out
    return {
        item.values["name"]: tuple(item.values.get(n) for n in ("state", "cpu", "memory"))
        for item in read.items
    }


def test_what_is_written_for_a_recorded_server_serves_its_machines(
    recorded: tuple[str, str], tmp_path: Path, shell: Shell
) -> None:
    software, url = recorded
    ran = shell.run("probe", url, "--out", str(tmp_path), "--alias", "kvm")
    assert (ran.code, ran.err) == (0, "")
    assert f"overlay: {tmp_path}/kvm.yaml" in ran.out
    assert f"cimi-cim serve --config {tmp_path}/bridge.yaml" in ran.out
    checked = shell.run("check", str(tmp_path / "kvm.yaml"))
    assert (checked.code, checked.out) == (0, "1 file: no mistakes\n")
    assert "extends: libvirt-cim" in (tmp_path / "kvm.yaml").read_text()
    [target] = load_config(tmp_path / "bridge.yaml").targets
    assert (target.alias, target.server) == ("kvm", software)
    assert machines(tmp_path / "bridge.yaml") == RECORDED


def test_nothing_is_overwritten_without_saying_so(sfcb: str, tmp_path: Path, shell: Shell) -> None:
    mine, overlay = "# mine\n", tmp_path / "house.yaml"
    overlay.write_text(mine)
    again = shell.run("probe", sfcb, "--out", str(overlay))
    assert (again.code, len(again.err.splitlines())) == (2, 1)
    assert "there already" in again.err
    assert [path.name for path in tmp_path.iterdir()] == ["house.yaml"]
    assert overlay.read_text() == mine
    forced = shell.run("probe", sfcb, "--out", str(overlay), "--force", "--json")
    assert forced.json["files"][str(overlay)] == "overlay, replaced"
    assert check_file(overlay, load_model()) == ()
    assert "name: house" in overlay.read_text()


@pytest.mark.parametrize("name", ["My House.yaml", "bridge.yaml", "house.yml"])
def test_a_name_that_no_overlay_can_have(
    name: str, sfcb: str, tmp_path: Path, shell: Shell
) -> None:
    wrong = shell.run("probe", sfcb, "--out", str(tmp_path / name))
    assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)


def test_a_draft_for_a_vendors_own_classes_serves_what_the_profiles_would(
    tmp_path: Path, shell: Shell
) -> None:
    backend = Foreign(acme(tmp_path), 5)
    with serving(backend) as url, serving(backend.simulation) as plain:
        ran = shell.run("probe", url, "--out", str(tmp_path / "out"), "--json")
        assert ran.code == 0, ran.err
        found = ran.json
        assert (found["mapping"], found["drafted"]) == ("acme", True)
        assert (found["namespace"], found["interop"]) == ("acme/cloud", "root/interop")
        overlay = tmp_path / "out" / "acme.yaml"
        assert check_file(overlay, load_model()) == ()
        text = overlay.read_text()
        assert len(text.splitlines()) < 100
        assert "classes: {'CIM_': 'ACME_'}" in text or "classes: {CIM_: ACME_}" in text
        assert "via: ACME_SettingsDefineState" in text
        expected = machines_of((TargetConfig("lab", plain, namespaces={"impl": "acme/cloud"}),))
        assert machines(tmp_path / "out" / "bridge.yaml") == expected
        assert len(expected) == 5
    counted = {x["name"]: x["sample"] for x in found["coverage"] if x["kind"] == "resource"}
    for kind in ("Machine", "Disk", "NetworkInterface", "Volume", "Network"):
        assert counted[kind], kind


@pytest.fixture(scope="module")
def alien() -> Iterator[str]:
    with serving(Alien()) as url:
        yield url


def test_a_draft_for_a_server_that_resembles_nothing_goes_by_names_and_values(
    alien: str, tmp_path: Path, shell: Shell
) -> None:
    ran = shell.run("probe", alien, "--namespace", "zap/vms", "--out", str(tmp_path))
    assert ran.code == 0, ran.err
    assert "a draft: no shipped mapping fits" in ran.out
    overlay = (tmp_path / "zap.yaml").read_text()
    for words in (
        "anchor: {class: ZAP_VirtualMachine}",
        "{global: cs.UniqueId}",  # every value is a UUID
        "match: {OwnerHandle: cs.Handle}",  # every value is one of those
        "{if: {cs.PowerStatus: 20}, is: STARTED}",  # by the value map
        "check it",  # the unit is a guess
    ):
        assert words in overlay, overlay
    assert len(overlay.splitlines()) < 100
    assert check_file(tmp_path / "zap.yaml", load_model()) == ()
    expected = {"alpha": ("STARTED", 2, 524288), "beta": ("STOPPED", 4, 1048576)}
    assert machines(tmp_path / "bridge.yaml") == expected
    with running(tmp_path, "serve", "--config", str(tmp_path / "bridge.yaml")) as ready:
        with urllib.request.urlopen(ready["cimi2"]) as answer:
            entry = json.load(answer)
        with urllib.request.urlopen(entry["machines"]["href"]) as answer:
            served = json.load(answer)["machines"]
    assert {machine["name"] for machine in served} == expected.keys()


def test_without_a_hint_the_namespace_is_asked_for(alien: str, shell: Shell) -> None:
    ran = shell.run("probe", alien)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "--namespace" in ran.err


def test_even_without_its_overlay_a_recorded_server_is_drafted_right(
    recorded: tuple[str, str], tmp_path: Path
) -> None:
    """libvirt-cim as a stranger: its keys are regular, so relations are equalities."""
    model, config = load_model(), TargetConfig("kvm", recorded[1])
    base = load_mapping("base", model)
    with asked(config, lambda what: None, 30) as asker:
        facts = survey(asker, config.url, interest_of([base]), base.schema, None)
        drafts = list(drafted(asker, facts, config, Standard(model, base), 30))
    draft, target, coverage = max(drafts, key=lambda each: each[2].score)
    write_files(tmp_path, files_of(draft), force=False)
    assert check_file(tmp_path / "kvm.yaml", model) == ()
    assert "match: {" in draft.text()
    mapped = TargetConfig("kvm", target.url, "kvm.yaml", target.server, beside=tmp_path)
    assert machines_of((mapped,)) == RECORDED
    assert coverage.items["NetworkInterface"] == 4


class Picky:
    """A recorded server that refuses property lists."""

    def __init__(self) -> None:
        self._recorded = ReplayBackend(load_recording(tape_folder("pegasus")))

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        if "PropertyList" in call.parameters or call.operation.startswith("Open"):
            raise CimError(4, "what is that?")
        return self._recorded.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        return self._recorded.method(call)


def test_a_server_that_no_dialect_fits_gets_its_own(tmp_path: Path, shell: Shell) -> None:
    with serving(Picky()) as url:
        found = shell.run("probe", url, "--out", str(tmp_path), "--json").json
        assert (found["mapping"], found["server"]) == ("libvirt-cim", "kvm-server")
        assert found["abilities"]["property_lists"] == "refused"
        file = tmp_path / "kvm-server.yaml"
        assert found["files"][str(file)] == "server dialect"
        assert check_dialect(file) == ()
        assert machines(tmp_path / "bridge.yaml") == RECORDED


def test_a_server_cannot_write_where_it_likes() -> None:
    evil = b'<CLASS NAME="../../etc/ACME_Evil" SUPERCLASS="../up"/>'
    files = vendor_mof(["ACME_Evil", "../ACME_Worse"], lambda name: evil)
    assert list(files) == ["ACME_Evil.mof"]
    assert "../" not in files["ACME_Evil.mof"]
    draft = Draft("x", {})
    draft.put(("resources", "Machine"), {"drop": True}, "no\nname: evil \x1b[2J")
    assert draft.text().splitlines()[-1] == "  Machine: {drop: true}  # no name: evil ?[2J"
