"""docs/overlays.md names every shipped mapping and every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.source import shipped_mappings
from cimi_cim.model.load import load_model

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "overlays.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped_mappings())
def test_a_shipped_mapping_and_its_settings_are_told(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    if name != "base":
        settings = {
            key.removeprefix("target.") for key in load_mapping(name, load_model()).constants
        }
        assert {key for key in settings if key not in PAGE} == set()


@pytest.mark.parametrize("name", ["libvirt-cim", "smi-s", "smi-s-copy-services"])
def test_every_method_that_is_called_is_told(name: str) -> None:
    mapping = load_mapping(name, load_model())
    called = {
        choice.use.method.name
        for resource in mapping.resources.values()
        for operation in resource.operations.values()
        for choice in (*operation.before, *operation.choices)
    }
    assert {method for method in called if method not in PAGE} == set()
