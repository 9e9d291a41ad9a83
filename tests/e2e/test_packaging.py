"""An installed wheel has its data with it, wherever it is used from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from cimi_cim.resources import mappings_folder, mof_folder

ROOT = Path(__file__).resolve().parents[2]


def test_an_editable_install_finds_its_data_from_any_folder(tmp_path: Path) -> None:
    code = (
        "from cimi_cim.resources import mof_folder, mappings_folder as m; print(mof_folder(), m())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(mof_folder()), str(mappings_folder())]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"  # a copy: setuptools leaves its work files beside the sources
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, tree, ignore=unwanted)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(tree)],
        check=True, capture_output=True,
    )  # fmt: skip
    [built] = folder.glob("*.whl")
    return built


def test_a_wheel_carries_mof_and_mappings(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder, data in (("mof", mof_folder()), ("mappings", mappings_folder())):
        for path in data.rglob("*.*"):
            assert f"cimi_cim/_data/{folder}/{path.relative_to(data)}" in names
    assert "cimi_cim/mapping/language.schema.json" in names
    assert "cimi_cim/model/data/machine.yaml" in names


def test_a_wheel_in_an_empty_environment_checks_its_mappings(wheel: Path, tmp_path: Path) -> None:
    """The dependencies are those of this environment; the package is the wheel's alone."""
    venv.create(tmp_path / "env", with_pip=False)
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as zipped:
        zipped.extractall(site)
    code = (
        "import cimi_cim, sys; from cimi_cim.mapping.compiler import load_mapping;"
        "from cimi_cim.model.load import load_model;"
        "print(cimi_cim.__file__, load_mapping('libvirt-cim', load_model()).name)"
    )
    dependencies = str(
        Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    )
    done = subprocess.run(
        [str(tmp_path / "env" / "bin" / "python"), "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{site}:{dependencies}", "CIMI_CIM_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    file, name = done.stdout.split()
    assert file.startswith(str(site))
    assert name == "libvirt-cim"
