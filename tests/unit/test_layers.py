"""The layers of the package: imports point downwards only (docs/layers.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cimi_cim

PACKAGE = Path(cimi_cim.__file__).parent

# From the top down. A layer may import itself and any layer below it.
LAYERS = ["cli", "http", "service", "mapping", "lab", "wbem", "schema", "model"]
LEAVES = {
    "credentials",
    "errors",
    "incomplete",
    "resources",
    "units",
    "config",
    "yaml_source",
    "__init__",
    "__main__",
}
# Besides the order: what a layer must not see even though it stands below.
FORBIDDEN = {
    "http": {"wbem", "schema", "lab", "mapping"},
    "mapping": {"lab"},
    "service": {"lab"},
    "wbem": {"model", "schema"},
    "schema": {"model"},
    "lab": {"model"},
    "model": {"schema", "wbem"},
}
PYWBEM_LAYERS = {"wbem", "lab", "schema"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(relative: Path) -> str:
    return relative.parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            found.append(node.module or "")
            if node.module == "cimi_cim":
                found += [f"cimi_cim.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards_only(path: Path) -> None:
    layer = layer_of(path.relative_to(PACKAGE))
    if layer == "__main__":
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "cimi_cim" or len(parts) < 2:
            continue
        other = parts[1]
        if other in LEAVES or other == "__version__":
            continue
        assert other in LAYERS, f"{path}: {other} is no known layer"
        assert layer in LAYERS, f"{path}: a leaf imports the layer {other}"
        assert LAYERS.index(other) >= LAYERS.index(layer), f"{path}: {layer} imports {other}"
        assert other not in FORBIDDEN.get(layer, set()), f"{path}: {layer} must not see {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_wbem_side_knows_pywbem(path: Path) -> None:
    if layer_of(path.relative_to(PACKAGE)) in PYWBEM_LAYERS:
        return
    for name in imports_of(path):
        assert name.split(".")[0] not in ("pywbem", "pywbem_mock"), f"{path} imports {name}"
