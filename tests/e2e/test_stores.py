"""The store of the running bridge: the configured file, or one that goes with the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cimi_cim.cli.stores import opened_store
from cimi_cim.config import Config, load_config
from cimi_cim.service.store.store import Store
from tests.processes import LIMIT_S, started
from tests.services import new_secrets


def test_without_a_configured_store_there_is_one_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with opened_store(Config()) as database:
        with Store(database, new_secrets()).writing() as writing:
            writing.add("MachineConfiguration", "machineConfigs", {"name": "a"})
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / "store.db").is_file()
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_configured_store_is_there_at_the_next_start(tmp_path: Path) -> None:
    config = load_config(flags={"store": f"sqlite:///{tmp_path}/cimi.db"})
    with opened_store(config) as database, Store(database, new_secrets()).writing() as writing:
        made = writing.add("MachineConfiguration", "machineConfigs", {})
    with opened_store(config) as database, Store(database, new_secrets()).reading() as reading:
        assert reading.find(made.resource.path) == made


def test_a_process_that_leaves_in_haste_removes_its_temporary_store(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    program = (
        "import sys; from pathlib import Path;"
        "from cimi_cim.cli.serving import leave, removed_at_the_end\n"
        "with removed_at_the_end(Path(sys.argv[1])): leave(3)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    assert subprocess.run(command, check=False).returncode == 3
    assert not folder.exists()


def test_the_running_bridge_keeps_its_temporary_store_to_itself(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    with started(tmp_path, "serve", environment=environment) as program:
        assert list((tmp_path / "tmp").glob("cimi-cim-*/store.db"))
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(LIMIT_S) == 0
        assert not list((tmp_path / "tmp").glob("cimi-cim-*"))
