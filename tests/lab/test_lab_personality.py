"""Another vendor's server is another YAML file; mistakes in it are told with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimi_cim.errors import ConfigError
from cimi_cim.lab.personality import SHIPPED, load_personality
from cimi_cim.lab.simulation import Simulation


def changed(folder: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = folder / "vendor.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("prefix:", "prefixx:", "unknown key 'prefixx'; did you mean 'prefix'?"),
        ("name: lab\n", "", "'name' is missing"),
        ("to: paused", "to: pausedd", "no state is called 'pausedd'; did you mean 'paused'?"),
        ("jobs: true", "jobs: perhaps", "jobs must be true or false"),
        ("byte*2^20", "hertz", "memory is counted in bytes"),
        ("maximum: 64, ", "maximum: 0, ", "maximum must be a whole number, 1 or more"),
        ("default: 1}", "default: 99}", "the default of processor is outside of its limits"),
        ("hot: {add: [disk,", "hot: {add: [dsik,", "no resource is 'dsik'; did you mean 'disk'?"),
        ("{define: 3,", "{defin: 3,", "unknown key 'defin'; did you mean 'define'?"),
        ("population: [running", "population: [runing", "no state is called 'runing'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"vendor\.yaml:\d+:\d+: ") as error:
        load_personality(changed(tmp_path, old, new))
    assert said in error.value.message


def test_a_prefix_without_classes_says_what_is_missing(tmp_path: Path) -> None:
    personality = load_personality(changed(tmp_path, "prefix: LAB_", "prefix: ACME_"))
    with pytest.raises(ConfigError, match="needs a class ACME_HostSystem"):
        Simulation(1, personality=personality)
