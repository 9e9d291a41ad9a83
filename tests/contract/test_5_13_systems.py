"""Clause 5.13: what a System is made of, its state, its services."""

from __future__ import annotations

from typing import Any

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker
from tests.contract.provider import Provider, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
SERVICE = f"{V2.namespace}/SystemService"


def descriptor(name: str, type_name: str, **component: Any) -> Document:
    return {"name": name, "type": f"{V2.namespace}/{type_name}", **component}


def system_of(maker: Maker, **attributes: Any) -> Document:
    answer = maker.add("System", {"name": "of parts", "systemTemplate": attributes})
    assert answer.status == 201, answer.body
    return maker.provider.get(answer.headers["location"])


def inside(provider: Provider, system: Document, attribute: str) -> list[Document]:
    return items(provider.get(system[attribute]["href"]))


def test_5_13_1_the_collections_of_a_system_list_its_components(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    system = system_of(maker)
    for attribute, type_name in (
        ("machines", "Machine"), ("volumes", "Volume"), ("networks", "Network"),
    ):  # fmt: skip
        uri = str(maker.example(type_name))
        assert maker.insert(provider.get(system[attribute]["href"]), uri).status == 200
        [item] = inside(provider, system, attribute)
        assert item["id"] == uri
        assert item["resourceURI"] == f"{V2.namespace}/{type_name}"
        assert provider.get(uri)["parent"]["href"] != system[attribute]["href"]
    credentials = provider.get(system["credentials"]["href"])
    answer = provider.send("POST", str(operation(credentials, "add")), maker.document("Credential"))
    assert answer.status == 201
    [child] = inside(provider, system, "credentials")
    assert child["id"] == answer.json["id"]
    assert provider.get(child["id"])["parent"] == {"href": credentials["id"]}


def test_5_13_1_a_system_shares_the_state_of_its_machines(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    machines = items(provider.get(provider.collection("machines")))
    by_state: dict[str, list[str]] = {}
    for machine in machines:
        by_state.setdefault(machine["state"], []).append(machine["id"])
    system = system_of(maker)
    assert system["state"] == "MIXED"
    listing = provider.get(system["machines"]["href"])
    first, second = by_state["STARTED"][:2]
    for uri in (first, second):
        assert maker.insert(listing, uri).status == 200
        assert provider.get(system["id"])["state"] == "STARTED"
    assert maker.insert(listing, by_state["STOPPED"][0]).status == 200
    assert provider.get(system["id"])["state"] == "MIXED"
    for uri in (first, second):
        assert maker.insert(listing, uri, "remove").status == 200
    assert provider.get(system["id"])["state"] == "STOPPED"
    outer = system_of(maker)
    assert maker.insert(provider.get(outer["systems"]["href"]), system["id"]).status == 200
    assert provider.get(outer["id"])["state"] == "STOPPED"
    ring = provider.get(system["systems"]["href"])
    assert maker.insert(ring, outer["id"]).status == 200
    assert provider.get(system["id"])["state"] == "STOPPED"


def test_5_13_2_1_what_is_made_with_a_system_is_part_of_it(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    there = maker.make("Credential")
    parts = [
        descriptor("c", "Credential", credentialTemplate={"userName": "root"}),
        descriptor("there", "Credential", credential={"href": there["id"]}),
    ]
    service = [{"name": "dr", "serviceType": f"{SERVICE}/disasterrecovery"}]
    inline = {"componentDescriptors": parts, "serviceDescriptors": service}
    template = maker.make("SystemTemplate", **inline)
    for said in (inline, {"href": template["id"]}):
        answer = maker.add("System", {"systemTemplate": said})
        assert answer.status == 201, answer.body
        system = provider.get(answer.headers["location"])
        made = {item["id"]: item for item in items(provider.get(system["credentials"]["href"]))}
        assert len(made) == 2
        assert made.pop(there["id"])["parent"] != system["credentials"]
        [one] = made.values()
        assert (one["name"], one["parent"]) == ("c", system["credentials"])
        assert [item["name"] for item in items(provider.get(system["services"]["href"]))] == ["dr"]
        assert provider.request("DELETE", system["id"]).status == 200
        assert provider.request("GET", one["id"]).status == 404
    assert provider.get(there["id"])["id"] == there["id"]


def test_5_13_4_a_symbolic_reference_becomes_that_of_the_component(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    service = maker.make("NetworkServiceTemplate")
    inline = {"href": service["id"], "endpoints": [{"href": "#e"}], "segments": None}
    parts = [
        descriptor("s", "NetworkService", networkServiceTemplate=inline),
        descriptor("e", "ProtocolEndpoint", protocolEndpointTemplate={"address": "10.0.0.1"}),
    ]
    system = maker.make("System", componentDescriptors=parts)
    [made] = items(provider.get(system["networkServices"]["href"]))
    [endpoint] = items(provider.get(made["endpoints"]["href"]))
    assert (endpoint["name"], endpoint["address"]) == ("e", "10.0.0.1")


def test_5_13_4_a_descriptor_has_exactly_one_component(makers: Makers) -> None:
    maker = makers[V2]
    machine = {"href": maker.example("Machine")}
    wrong = [
        descriptor("none", "Machine"),
        descriptor("two", "Machine", machine=machine, credentialTemplate={}),
        descriptor("gone", "Machine", machine={"href": f"{machine['href']}-gone"}),
        descriptor("other", "Machine", volume=machine),
    ]
    for each in wrong:
        template = {"componentDescriptors": [each]}
        assert maker.add("SystemTemplate", template).status == 400, each["name"]
        assert maker.add("System", {"systemTemplate": template}).status == 400, each["name"]


def test_5_13_4_symbolic_references_are_kept_in_a_template(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    inline = {"volumes": [{"volume": {"href": "#data"}}], "credential": {"href": "#root"}}
    parts = [
        descriptor("data", "Volume", volumeTemplate={"volumeConfig": {"capacity": 5}}),
        descriptor("root", "Credential", credentialTemplate={"userName": "root"}),
        descriptor("m", "Machine", machineTemplate=inline),
    ]
    made = maker.make("SystemTemplate", componentDescriptors=parts)
    assert made["componentDescriptors"] == parts
    root = provider.get_xml(made["id"])
    hrefs = [element.get("href") for element in root.iter() if element.get("href")]
    assert {"#data", "#root"} <= set(hrefs)
    assert provider.send("PUT", str(operation(made, "edit")), root).status == 200
    assert provider.get(made["id"]) == made


def test_5_13_4_a_template_makes_the_event_log_of_its_system(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    system = system_of(maker, eventLogTemplate={"persistence": "weekly"})
    log = provider.get(system["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("weekly", {"href": system["id"]})


def test_5_13_4_metadata_of_a_template_go_to_what_is_made_from_it(makers: Makers) -> None:
    maker = makers[V2]
    metadata = {"href": maker.example("ResourceMetadata")}
    system = system_of(maker, genResourceMetadata=metadata)
    assert system["resourceMetadata"] == metadata


@pytest.mark.parametrize("kind", ["highreliability/active", "disasterrecovery", "backup"])
def test_5_13_3_the_kind_of_a_service_is_a_uri_below_its_type(makers: Makers, kind: str) -> None:
    maker, provider = makers[V2], makers[V2].provider
    system = system_of(maker)
    add = str(operation(provider.get(system["services"]["href"]), "add"))
    answer = provider.send("POST", add, {"serviceType": f"{SERVICE}/{kind}"})
    assert answer.status == 201, answer.body
    assert answer.json["serviceType"] == f"{SERVICE}/{kind}"
    assert provider.send("POST", add, {"name": "of no kind"}).status == 400
    for other in (SERVICE, f"{SERVICE}/", kind, f"http://elsewhere.example/{kind}"):
        assert provider.send("POST", add, {"serviceType": other}).status == 400, other


def test_5_13_3_what_a_service_lists_outlives_it(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    system = system_of(maker)
    add = str(operation(provider.get(system["services"]["href"]), "add"))
    service = provider.send("POST", add, {"serviceType": f"{SERVICE}/disasterrecovery"}).json
    listed = {"machines": maker.example("Machine"), "volumes": maker.example("Volume"),
              "systems": maker.make("System")["id"]}  # fmt: skip
    for attribute, uri in listed.items():
        collection = provider.get(service[attribute]["href"])
        assert maker.insert(collection, str(uri)).status == 200, attribute
    assert provider.request("DELETE", str(operation(service, "delete"))).status == 200
    for uri in listed.values():
        provider.get(str(uri))
    assert provider.request("GET", service["id"]).status == 404
