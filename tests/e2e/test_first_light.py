"""`cimi-cim serve` without any configuration: the bridge on its own lab, as a user finds it."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.e2e.test_serve import get
from tests.processes import running
from tests.schema_1x import patched_schema
from tests.shared_files import SHARED, needs_shared

LINK = re.compile(rb'"(?:href|id)":"(http[^"]+)"')


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running(tmp_path_factory.mktemp("serve"), "serve") as urls:
        yield urls


def crawl(url: str) -> dict[str, tuple[bytes, bytes]]:
    """Return JSON and XML of everything that can be reached by links of representations."""
    found: dict[str, tuple[bytes, bytes]] = {}
    waiting = [url]
    while waiting:
        link = waiting.pop()
        if link in found or link.endswith("/"):
            continue
        replies = [get(link, accept) for accept in ("application/json", "application/xml")]
        assert [(r[0], r[1].partition(";")[0]) for r in replies] == [
            (200, "application/json"),
            (200, "application/xml"),
        ], link
        found[link] = (replies[0][2], replies[1][2])
        body = json.loads(replies[0][2])
        actions = {operation["href"] for operation in _operations(body)}
        waiting += [
            text.decode() for text in LINK.findall(replies[0][2]) if text.decode() not in actions
        ]
    return found


def _operations(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return [operation for item in body for operation in _operations(item)]
    if not isinstance(body, dict):
        return []
    nested = [operation for value in body.values() for operation in _operations(value)]
    return [*body.get("operations", []), *nested]


@pytest.mark.parametrize("version", ["cimi1", "cimi2"])
def test_everything_that_is_linked_answers_in_both_formats(
    bridge: dict[str, Any], version: str
) -> None:
    entry = json.loads(get(bridge[version])[2])
    assert {"machines", "volumes", "networks"} <= set(entry)
    found = crawl(bridge[version])
    assert len(found) > 100
    for link, (as_json, _) in found.items():
        assert json.loads(as_json)["id"] == link
    if version == "cimi1" and SHARED.is_dir():
        schema = patched_schema()
        for link, (_, as_xml) in found.items():
            is_valid = schema.validate(etree.fromstring(as_xml))
            assert is_valid, f"{link}: {schema.error_log}"


def test_the_embedded_lab_is_there_for_other_clients(bridge: dict[str, Any]) -> None:
    client = pywbem.WBEMConnection(bridge["wbem"], default_namespace="root/virt")
    held = {i["ElementName"] for i in client.EnumerateInstances("LAB_VirtualSystem")}
    machines = json.loads(get(f"{bridge['cimi2'].rpartition('/')[0]}/machines")[2])["machines"]
    assert {machine["name"] for machine in machines} == held


def test_ids_are_the_same_in_the_next_run(bridge: dict[str, Any], tmp_path: Any) -> None:
    def tokens(urls: dict[str, Any]) -> list[str]:
        base = urls["cimi2"].rpartition("/")[0]
        with urllib.request.urlopen(f"{base}/machines") as reply:
            machines = json.loads(reply.read())["machines"]
        return [machine["id"].rpartition("/")[2] for machine in machines]

    with running(tmp_path, "serve") as other:
        assert tokens(other) == tokens(bridge)


@needs_shared
def test_the_schema_of_cimi_1_is_where_the_crawl_looks_for_it() -> None:
    assert (SHARED / "spec" / "dsp8009_1.0.1.xsd").is_file()
