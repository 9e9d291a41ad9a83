"""What the known clients of CIMI 1.x send, each as a script; their habits are not ours.

Deltacloud's client speaks XML and JSON, StratusLab's JSON with relative references, Sirocco's
XML without care for namespaces. All of them read the entry point first, and follow its links.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from lxml import etree

from tests.clients import Client

OLD = "http://schemas.dmtf.org/cimi/1"
XML = "application/xml"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack, with_jobs=True)


def entry_point(client: Client, url: str, **headers: str) -> dict[str, Any]:
    answer = client.ask("GET", url, **headers)
    assert answer.status_code == 200
    assert answer.headers["CIMI-Specification-Version"] == "1.0.1"
    found: dict[str, Any] = answer.json
    return found


def over(client: Client, answer: Any) -> dict[str, Any]:
    """The Job of an answer, once it is over."""
    end = time.monotonic() + 30
    while True:
        job = client.get(answer.headers["CIMI-Job-URI"])
        if job["state"] in ("SUCCESS", "FAILED", "STOPPED"):
            return job
        assert time.monotonic() < end
        time.sleep(0.05)


def test_deltacloud(client: Client) -> None:
    version = {"CIMI_Specification_Version": "1.0.1"}
    entry = entry_point(client, "/cimi/cloudEntryPoint", **version)

    def post(url: str, document: str) -> Any:
        return client.ask("POST", url, document, Content_Type=XML, Accept=XML, **version)

    config = post(entry["machineConfigs"]["href"], f"""
        <MachineConfigurationCreate xmlns="{OLD}"><name> cimi_config </name>
          <cpu> 1 </cpu><memory>524288</memory>
          <disk><capacity>1000000</capacity><format>ext3</format></disk>
        </MachineConfigurationCreate>""")  # fmt: skip
    assert config.status_code == 201, config.text
    root = etree.fromstring(config.content)
    assert root.findtext(f"{{{OLD}}}memory") == "524288"
    assert root.findtext(f"{{{OLD}}}name") == "cimi_config"
    template = post(entry["machineTemplates"]["href"], f"""
        <MachineTemplateCreate xmlns="{OLD}"><name>cimi_template</name>
          <description>made by a test</description>
          <property key="test">foo</property>
          <machineConfig href="{config.headers["Location"]}"/>
        </MachineTemplateCreate>""")  # fmt: skip
    assert template.status_code == 201, template.text
    credential = post(entry["credentials"]["href"], f"""
        <CredentialCreate xmlns="{OLD}"><name>cimi_cred</name>
          <credentialTemplate><userName>admin</userName><password>secret</password>
          </credentialTemplate></CredentialCreate>""")  # fmt: skip
    assert credential.status_code == 201, credential.text
    assert b"secret" not in credential.content
    machine = post(entry["machines"]["href"], f"""
        <MachineCreate xmlns="{OLD}"><name>cimi_machine</name>
          <machineTemplate href="{template.headers["Location"]}"/></MachineCreate>""")  # fmt: skip
    assert machine.status_code in (201, 202), machine.text
    assert over(client, machine)["state"] == "SUCCESS"
    listed = client.get(entry["machines"]["href"])["machines"]
    made = next(item for item in listed if item["name"] == "cimi_machine")
    assert (made["state"], made["cpu"], made["memory"]) == ("STOPPED", 1, 524288)
    [disk] = client.get(made["disks"]["href"])["disks"]
    assert disk["capacity"] >= 1000000
    start = next(o["href"] for o in made["operations"] if o["rel"].endswith("/start"))
    # this client writes the scheme twice
    started = post(start, f'<Action xmlns="{OLD}"><action>http://{OLD}/action/start</action>'
                          "</Action>")  # fmt: skip
    assert started.status_code in (200, 202), started.text
    assert over(client, started)["state"] == "SUCCESS"
    assert client.get(made["id"])["state"] == "STARTED"
    found = client.get(
        f"{entry['machines']['href']}?$select=name,state&$filter=name='cimi_machine'"
    )
    assert [item["state"] for item in found["machines"]] == ["STARTED"]
    for url in (made["id"], template.headers["Location"], config.headers["Location"],
                credential.headers["Location"]):  # fmt: skip
        deleted = client.ask("DELETE", url, Accept=XML, **version)
        assert deleted.status_code in (200, 202), deleted.text
        assert over(client, deleted)["state"] == "SUCCESS"
        assert client.ask("GET", url).status_code == 404


def test_stratuslab(client: Client) -> None:
    sent = {"Content_Type": "application/json; charset=UTF-8", "Accept": "application/json",
            "Authorization": "Basic dGVzdDp0ZXN0"}  # fmt: skip
    entry = entry_point(client, "/cimi/1", **sent)
    base = entry["baseURI"]
    relative = {name: value["href"].removeprefix(base) for name, value in entry.items()
                if isinstance(value, dict)}  # fmt: skip

    def post(name: str, document: Any) -> Any:
        return client.ask("POST", base + relative[name], json.dumps(document), **sent)

    config = post("volumeConfigs", {"name": "small", "type": f"{OLD}/mapped", "capacity": "1000"})
    assert config.status_code == 201, config.text
    assert config.json["capacity"] == 1000
    href = config.headers["Location"].removeprefix(base)
    document = {"name": "t", "volumeConfig": {"href": href}}
    template = post("volumeTemplates", {"resourceURI": f"{OLD}/VolumeTemplate", **document})
    assert template.status_code == 201, template.text
    assert template.json["volumeConfig"] == {"href": base + href}
    edited = dict(template.json, description="edited")
    changed = client.ask("PUT", template.json["id"], json.dumps(edited), **sent)
    assert (changed.status_code, changed.json["description"]) == (200, "edited")
    metadata = client.get(base + relative["resourceMetadata"])["resourceMetadatas"]
    assert f"{OLD}/VolumeTemplate" in {each["typeURI"] for each in metadata}
    for each in (template, config):
        assert client.ask("DELETE", each.headers["Location"], **sent).status_code == 200
    missing = client.ask("GET", template.json["id"], **sent)
    assert (missing.status_code, missing.json["resourceURI"]) == (404, f"{OLD}/Job")


def test_sirocco(client: Client) -> None:
    sent = {"Content_Type": XML, "Accept": XML, "CIMI_Specification_Version": "1.0.0,1"}
    entry = entry_point(client, "/cimi/1/cloudEntryPoint")

    def post(url: str, document: str) -> Any:
        answer = client.ask("POST", url, document, **sent)
        assert answer.status_code == 201, answer.text
        return etree.fromstring(answer.content), answer.headers["Location"]

    create = "<SystemCreate><name>stack</name><systemTemplate/></SystemCreate>"
    _, system = post(entry["systems"]["href"], create)
    made = client.get(system)
    machine = client.get(entry["machines"]["href"])["machines"][0]["id"]
    member = f'<SystemMachine><machine href="{machine}"/></SystemMachine>'
    join, location = post(made["machines"]["href"], member)
    assert [e.get("href") for e in join.findall(f"{{{OLD}}}machine")] == [machine]
    create = "<addressTemplate><ip>10.0.0.7</ip></addressTemplate>"
    _, address = post(entry["addresses"]["href"], f"<AddressCreate>{create}</AddressCreate>")
    member = f'<SystemAddress><address href="{address}"/></SystemAddress>'
    _, join_url = post(made["addresses"]["href"], member)
    listed = etree.fromstring(client.ask("GET", made["addresses"]["href"], **sent).content)
    assert listed.findtext(f"{{{OLD}}}count") == "1"
    found = listed.findall(f"{{{OLD}}}SystemAddress/{{{OLD}}}address")
    assert [e.get("href") for e in found] == [address]
    for url in (location, join_url):
        assert client.ask("DELETE", url, **sent).status_code == 200
    assert client.get(made["machines"]["href"])["count"] == 0
    assert client.get(address)["ip"] == "10.0.0.7"
    put = client.ask("PUT", f"{address}?$select=ip", "<Address><ip>10.0.0.8</ip></Address>", **sent)
    assert put.status_code == 200, put.text
    assert client.get(address)["ip"] == "10.0.0.8"
    assert client.ask("DELETE", system, **sent).status_code == 200
