"""The examples of docs/explain.md, made by the command: `python -m tests.explain.examples`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from cimi_cim.cli.explain import explained
from cimi_cim.config import Config, load_config
from cimi_cim.http.explained_text import text_of
from cimi_cim.lab.replay import replay_server
from tests.tapes import tape_folder

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explain.md"
READ = "/machines?$first=1&$last=1&$select=name,state,memory"
NEW_MACHINE = {
    "resourceURI": "http://schemas.dmtf.org/cimi/2/MachineCreate",
    "name": "web",
    "machineTemplate": {
        "initialState": "STARTED",
        "machineConfig": {"cpu": 2, "memory": 1048576, "disks": [{"capacity": 1000000}]},
    },
}


def examples() -> dict[str, str]:
    """What the commands print, by the name of the example."""
    lab = load_config(None, environment={})
    body = json.dumps(NEW_MACHINE).encode()
    media = {"Content-Type": "application/json"}
    return {
        "read": f"$ cimi-cim explain '{READ}' --config bridge.yaml\n" + _of_tape(READ),
        "change": "$ cimi-cim explain /machines --data web.json\n"
        + text_of(explained(lab, "POST", "/machines", headers=media, body=body)),
        "nothing": "$ cimi-cim explain /machine\n"
        + text_of(explained(lab, "GET", "/machine", headers={})),
    }


def _of_tape(uri: str) -> str:
    with replay_server(tape_folder("sfcb")) as front, TemporaryDirectory() as folder:
        file = Path(folder) / "bridge.yaml"
        # One operation after the other: their order must be the same each time.
        file.write_text(
            f"targets: [{{alias: kvm, url: '{front.url}', mapping: libvirt-cim, server: sfcb,"
            " max_concurrency: 1}]\n",
            encoding="utf-8",
        )
        config: Config = load_config(file, environment={})
        return text_of(explained(config, "GET", uri, headers={}))


def steady(text: str) -> str:
    """Return an example without what differs each time: durations, tokens, lines of mappings."""
    text = re.sub(r"\.yaml:\d+", ".yaml:N", text)
    text = re.sub(r"in [\d.]+ ms", "in N ms", text)
    text = re.sub(r"^  [ \d.]{7}  [ \d.]{7}(?=  )", "  N N", text, flags=re.MULTILINE)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)


def shown(page: str) -> dict[str, str]:
    """The examples that a page has."""
    return {
        name: text
        for name, text in re.findall(
            r"<!-- example: (\w+) -->\n```text\n(.*?)```\n", page, re.DOTALL
        )
    }


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    for name, text in examples().items():
        head, marker, rest = page.partition(f"<!-- example: {name} -->\n```text\n")
        page = f"{head}{marker}{text}{rest[rest.index('```') :]}"
    PAGE.write_text(page, encoding="utf-8")
