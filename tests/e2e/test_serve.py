"""The bridge as its user runs it: two processes, HTTP on both sides."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cimi_cim.config import load_config
from cimi_cim.errors import ConfigError
from tests.processes import running
from tests.tapes import SERVERS, tape_folder


@pytest.fixture(scope="module", params=SERVERS)
def bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A bridge on a recorded server, spoken to in its own dialect."""
    folder, server = tmp_path_factory.mktemp("bridge"), str(request.param)
    with running(folder, "replay", str(tape_folder(server))) as wbem:
        target = {"alias": "kvm", "url": wbem["wbem"], "mapping": "libvirt-cim", "server": server}
        (folder / "bridge.yaml").write_text(json.dumps({"targets": [target]}))
        with running(folder, "serve", "--config", str(folder / "bridge.yaml")) as urls:
            yield urls


def get(url: str, accept: str = "*/*") -> tuple[int, str, bytes]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


@pytest.mark.parametrize("version", ["cimi1", "cimi2"])
def test_every_link_of_the_entry_point_answers_in_both_formats(
    bridge: dict[str, Any], version: str
) -> None:
    entry = json.loads(get(bridge[version])[2])
    waiting = [value["href"] for value in entry.values() if isinstance(value, dict)]
    assert waiting
    seen: set[str] = set()
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        status, media, body = get(url)
        assert (status, media) == (200, "application/json; charset=utf-8"), url
        assert get(url, "application/xml")[:2] == (200, "application/xml; charset=utf-8")
        document = json.loads(body)
        items = [i for value in document.values() if isinstance(value, list) for i in value]
        for holder in (document, *items):
            waiting += [v["href"] for v in holder.values() if isinstance(v, dict) and "href" in v]
    base = bridge[version].rpartition("/")[0]
    interfaces = "interfaces" if version == "cimi2" else "networkInterfaces"
    machines = [url for url in seen if url.endswith(("/disks", f"/{interfaces}"))]
    assert {f"{base}/machines", f"{base}/networks", f"{base}/machineConfigs"} <= seen
    assert len([url for url in machines if url.startswith(f"{base}/machines/")]) == 6


RECORDED = {  # state, cpu, memory in KiB, volumes, interfaces
    "web01": ("STARTED", 1, 131072, 3, 2),
    "db01": ("PAUSED", 2, 262144, 1, 1),
    "test03": ("STOPPED", 1, 65536, 1, 1),
}


@pytest.mark.parametrize("version", ["cimi1", "cimi2"])
def test_machines_are_the_recorded_ones(bridge: dict[str, Any], version: str) -> None:
    base = bridge[version].rpartition("/")[0]
    interfaces = "interfaces" if version == "cimi2" else "networkInterfaces"

    def count(href: str) -> int:
        in_json = json.loads(get(href)[2])["count"]
        in_xml = etree.fromstring(get(href, "application/xml")[2]).findtext("{*}count")
        assert in_xml == str(in_json)
        return int(in_json)

    machines = json.loads(get(f"{base}/machines")[2])["machines"]
    assert {
        m["name"]: (
            m["state"], m["cpu"], m["memory"],
            count(m["volumes"]["href"]), count(m[interfaces]["href"]),
        )
        for m in machines
    } == RECORDED  # fmt: skip
    root = etree.fromstring(get(f"{base}/machines", "application/xml")[2])
    assert {
        m.findtext("{*}name"): tuple(m.findtext(f"{{*}}{k}") for k in ("state", "cpu", "memory"))
        for m in root.iter("{*}Machine")
    } == {name: (state, str(cpu), str(kib)) for name, (state, cpu, kib, *_) in RECORDED.items()}


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [("nothing", "*/*", 404), ("machines/none", "*/*", 404), ("machines", "text/plain", 406)],
)
def test_failures_are_jobs(bridge: dict[str, Any], path: str, accept: str, status: int) -> None:
    base = bridge["cimi2"].rpartition("/")[0]
    code, _, body = get(f"{base}/{path}", accept)
    job = json.loads(body)
    assert code == status
    assert (job["id"], job["state"], job["returnCode"]) == ("", "FAILED", 10000 + status)


def test_a_missing_configuration_is_one_clear_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cimi_cim", "serve", "--config", str(tmp_path / "no.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == f"cimi-cim: {tmp_path}/no.yaml: no such file; check the path"


def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("target: []\nhttp: {prot: 1}\ntargets:\n  - {alias: UPPER, url: http://h}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    lines = caught.value.message.splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "2", "4"]
    assert "did you mean 'port'?" in lines[1]


def test_a_loaded_configuration_never_shows_a_password(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("targets:\n  - {alias: a, url: http://h, user: me, password: s3cret-word}\n")
    config = load_config(file)
    assert "s3cret-word" not in repr(config)
    assert config.targets[0].password is not None
    assert config.targets[0].password.reveal() == "s3cret-word"
