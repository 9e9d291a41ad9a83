"""`cimi-cim explain`, as its user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cimi_cim.cli.main import commands
from cimi_cim.errors import BadRequest, CimiCimError, ConfigError
from cimi_cim.lab.replay import replay_server
from tests.tapes import tape_folder

NS = "http://schemas.dmtf.org/cimi/2"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of a bridge to a recorded server."""
    folder = tmp_path_factory.mktemp("explain")
    with replay_server(tape_folder("sfcb")) as front:
        file = folder / "bridge.yaml"
        file.write_text(
            "targets:\n"
            f"  - {{alias: kvm, url: '{front.url}', mapping: libvirt-cim, server: sfcb}}\n"
            f"store: sqlite:///{folder / 'none.db'}\n",
            encoding="utf-8",
        )
        yield file


def told(*arguments: str, body: str | None = None) -> str:
    """What the command prints. Raises what `main` would turn into a line."""
    result = CliRunner().invoke(
        commands, ["explain", *arguments], input=body, standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result.stdout


def told_json(*arguments: str, body: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(*arguments, "--json", body=body))
    return found


def over(tape: Path, folder: Path, said: str) -> Path:
    """The configuration of a bridge whose mapping says something else than libvirt-cim's."""
    overlay = folder / "other.yaml"
    overlay.write_text(
        f"language: 1\nname: other\nextends: libvirt-cim\n{said}\n", encoding="utf-8"
    )
    config = folder / "bridge.yaml"
    config.write_text(
        tape.read_text(encoding="utf-8").replace("libvirt-cim,", f"{overlay},"), encoding="utf-8"
    )
    return config


def test_a_recorded_machine_is_told_from_raw_value_to_value(tape: Path) -> None:
    found = told_json("/machines?$filter=name='web01'", "--config", str(tape))
    [machine] = found["resources"]
    memory = machine["attributes"]["memory"]
    assert memory["value"] == 131072
    assert [(r["property"], r["value"]) for r in memory["reads"]] == [
        ("mem.VirtualQuantity", 131072), ("mem.AllocationUnits", "KiloBytes"),
    ]  # fmt: skip
    assert memory["where"].startswith("libvirt-cim.yaml:")
    [plan] = found["plans"]
    assert plan["layers"] == ["base", "libvirt-cim"]
    assert not (tape.parent / "none.db").exists()


def test_what_is_walked_says_why(tape: Path, tmp_path: Path) -> None:
    config = over(
        tape,
        tmp_path,
        "resources: {Machine: {join: {vssd: {match: null, get: null, via: CIM_SettingsDefineState,"
        " role: ManagedElement, result: SettingData}}}}",
    )
    found = told_json("/machines", "--config", str(config))
    [vssd] = [r for r in found["plans"][0]["relations"] if r["alias"] == "vssd"]
    assert vssd["way"] == "walk"
    assert "the mapping says associations: walk-only" in vssd["why"]


@pytest.mark.parametrize(
    "uri",
    ["/machines", "machines", "/cimi/2/machines", "http://cloud.example:8080/cimi/2/machines"],
)
def test_an_uri_is_said_in_full_or_in_short(tape: Path, uri: str) -> None:
    found = told_json(uri, "--config", str(tape))
    assert found["request"]["uri"] == "/cimi/2/machines"
    assert found["answer"]["status"] == 200


def test_blanks_in_a_filter_need_no_percents(tape: Path) -> None:
    found = told_json("/machines?$filter=name = 'web01'", "--config", str(tape))
    assert len(found["resources"]) == 1


def test_the_other_version_has_its_own_path(tape: Path) -> None:
    assert told_json("/cimi/1/machines", "--config", str(tape))["request"]["version"] == "1.0.1"


def test_a_change_of_the_embedded_lab_is_told_from_stdin() -> None:
    body = {
        "resourceURI": f"{NS}/MachineCreate", "name": "web",
        "machineTemplate": {"machineConfig": {"cpu": 1, "memory": 524288}},
    }  # fmt: skip
    printed = told("/machines", "--data", "-", body=json.dumps(body))
    assert printed.startswith("POST /cimi/2/machines\n")
    assert "Call, not sent: DefineSystem" in printed
    assert "ElementName = web" in printed


def test_xml_is_known_by_its_beginning() -> None:
    body = (
        '<MachineCreate xmlns="http://schemas.dmtf.org/cimi/2"><name>web</name><machineTemplate>'
        "<machineConfig><cpu>1</cpu><memory>524288</memory></machineConfig>"
        "</machineTemplate></MachineCreate>"
    )
    found = told_json("/machines", "--data", "-", body=body)
    assert [call["method"] for call in found["calls"]] == ["DefineSystem"]


def test_what_cannot_be_explained_is_an_error_of_its_own(tape: Path) -> None:
    config = ("--config", str(tape))
    with pytest.raises(CimiCimError, match=r"400 Bad Request: .*excludes"):
        told("/cimi/2/machines", "-H", "CIMI-Specification-Version: 1.0.1", *config)
    with pytest.raises(CimiCimError, match="404 Not Found"):
        told("/cimi/3/machines", *config)
    with pytest.raises(BadRequest, match="is no header"):
        told("/machines", "-H", "nonsense", *config)
    with pytest.raises(BadRequest, match="is no URI"):
        told("http://[half", *config)
    with pytest.raises(ConfigError, match="cannot be read"):
        told("/machines", "--data", str(tape.parent / "nothing.json"), *config)


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cimi_cim", "explain", "/machines", "--config", "nothing.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("cimi-cim: ")


def test_an_action_on_a_recorded_machine_is_told_and_not_sent(tape: Path) -> None:
    """The recording answers calls, too, and shows what they change."""
    config = ("--config", str(tape))
    body = json.dumps({"resourceURI": f"{NS}/Action", "action": f"{NS}/action/start"})
    machines = told_json("/machines?$filter=state='STOPPED'", *config)["resources"]
    uri = machines[0]["id"]
    for _ in range(2):
        found = told_json(f"{uri}/start", "--data", "-", *config, body=body)
        assert found["answer"]["status"] == 202
        [call] = found["calls"]
        assert call["method"] == "RequestStateChange"
        assert call["on"].startswith("/root/virt:KVM_ComputerSystem.")
        assert call["parameters"] == {"RequestedState": 2}
    again = told_json("/machines?$filter=state='STOPPED'", *config)["resources"]
    assert [machine["id"] for machine in again] == [machine["id"] for machine in machines]


def test_what_a_mapping_cannot_do_is_told(tape: Path) -> None:
    found = told_json("/networks", "-X", "POST", "--config", str(tape))
    assert found["answer"]["reason"] == "method-not-allowed"
    assert found["calls"] == []
