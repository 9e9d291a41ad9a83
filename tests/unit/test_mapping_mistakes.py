"""A mistake in a mapping is told with file, line and the nearest name; all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cimi_cim.cli.main import commands
from cimi_cim.mapping.compiler import check_file
from cimi_cim.mapping.source import find_mapping, shipped_mappings
from cimi_cim.model.load import load_model

HEAD = "language: 1\nname: mine\nextends: base\n"


def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return [line.replace(f"{tmp_path}/", "") for line in check_file(path, load_model())]


@pytest.mark.parametrize("name", shipped_mappings())
def test_shipped_mappings_have_no_mistakes(name: str) -> None:
    assert check_file(find_mapping(name), load_model()) == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("resorces: {}\n", "mine.yaml:4:1: unknown key 'resorces'; did you mean 'resources'?"),
        (
            "resources: {Machin: {collection: machines}}\n",
            "mine.yaml:4:13: CIMI has no resource 'Machin'; did you mean 'Machine'?",
        ),
        (
            "resources: {Machine: {attributes: {cpu: {read: sum(proc.VirtualQuantityy)}}}}\n",
            "has no property 'VirtualQuantityy'; did you mean 'VirtualQuantity'?",
        ),
        (
            "resources: {Machine: {attributes: {cpuu: {const: 1}}}}\n",
            "CIMI has no attribute 'cpuu' here; did you mean 'cpu'?",
        ),
        (
            "resources: {Machine: {join: {mem: {where: {ResourceType: 99}}}}}\n",
            "CIM_ResourceAllocationSettingData.ResourceType has no value 99",
        ),
        (
            "resources: {Machine: {anchor: {class: CIM_ComputerSistem}}}\n",
            "no class 'CIM_ComputerSistem' is declared; did you mean 'CIM_ComputerSystem'?",
        ),
        (
            "resources: {Machine: {join: {vssd: {role: ManagedElemen}}}}\n",
            "CIM_SettingsDefineState has no property 'ManagedElemen'; did you mean",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChang}}}}\n",
            "CIM_ComputerSystem has no method 'RequestStateChang'; did you mean",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChange,"
            " in: {RequestdState: 2}}}}}\n",
            "RequestStateChange has no parameter 'RequestdState'; did you mean 'RequestedState'?",
        ),
        (
            "resources: {Machine: {attributes: {memory: {read: mem.VirtualQuantity}}}}\n",
            "mem has many rows: reduce them with sum, max, min, first or count",
        ),
        (
            "resources: {Machine: {attributes: {state: {rules: machine_stat}}}}\n",
            "no rules are called 'machine_stat'; did you mean 'machine_state'?",
        ),
        (
            "resources: {Machine: {operations: {pause: {when: [RUNNING]}}}}\n",
            "CIMI has no state 'RUNNING'",
        ),
        ("classes: {CIM_: on}\nclasses: {}\n", "the key 'classes' stands twice"),
        ("name: other\n", "the key 'name' stands twice; first on"),
    ],
)
def test_a_mistake_names_its_place_and_the_nearest_name(
    tmp_path: Path, body: str, expected: str
) -> None:
    assert any(expected in line for line in mistakes(tmp_path, HEAD + body))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        HEAD + "resources:\n  Machine:\n    attributes:\n"
        "      cpuu: {const: 1}\n      memory: {read: mem.Size}\n      state: {rules: nothing}\n",
    )
    assert [line.split(":")[1] for line in found] == ["7", "8", "9"]


def test_words_that_old_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    assert mistakes(tmp_path, HEAD + "settings: {mode: on}\n") == []


def test_a_mapping_that_extends_itself_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "language: 1\nname: mine\nextends: mine.yaml\n")
    assert any("extends itself" in line for line in found)


def test_an_unknown_base_lists_the_shipped_ones(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path, "language: 1\nname: mine\nextends: libvirt-cin\n")
    assert "did you mean 'libvirt-cim'?" in found


def test_the_command_prints_mistakes_and_exits_non_zero(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + "resorces: {}\n", encoding="utf-8")
    result = CliRunner().invoke(commands, ["check", str(path), str(find_mapping("base"))])
    assert result.exit_code == 1
    assert f"{path}:4:1: unknown key 'resorces'" in result.output
    assert CliRunner().invoke(commands, ["check", str(find_mapping("base"))]).exit_code == 0


def test_a_missing_file_is_a_mistake_not_a_traceback(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands, ["check", str(tmp_path / "no.yaml")])
    assert result.exit_code == 1
    assert "no such file; check the path" in result.output
