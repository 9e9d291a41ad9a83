"""Clauses 5.5.12.1 to 5.5.12.4 and 5.10: items come and go, and references with them."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import EVERY, GIVEN, Document, Maker, creatable, named
from tests.contract.provider import JSON, MODEL, XML, Provider, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
PLAIN = [pair for pair in EVERY if MODEL[pair[0]].create_template_attribute is None]
# What a System lists, in the order in which examples can be made.
LISTED = {"machines": "Machine", "volumes": "Volume", "networks": "Network",
          "credentials": "Credential", "systems": "System"}  # fmt: skip
SERVICE = f"{V2.namespace}/SystemService/disasterrecovery"


def ids(provider: Provider, url: str) -> list[str]:
    found = provider.get(url)
    listed = [str(item["id"]) for item in items(found)]
    assert found["count"] == len(listed)
    return listed


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize(("type_name", "version"), PLAIN, ids=named)
def test_5_5_12_1_add_makes_a_resource_and_lists_it(
    makers: Makers, type_name: str, version: CimiVersion, media: str
) -> None:
    maker, provider = makers[version], makers[version].provider
    document: Any = maker.document(type_name)
    if media == XML:  # as the provider writes it, under the name of a creation
        form = MODEL[type_name].form(version)
        assert form is not None
        document = provider.get_xml(str(maker.example(type_name)))
        document.tag = f"{{{version.namespace}}}{form.type_name}Create"
    before = ids(provider, maker.collection(type_name))
    answer = maker.add(type_name, document)
    assert answer.status == 201, answer.body
    made = provider.get(answer.headers["location"])
    assert sorted(ids(provider, maker.collection(type_name))) == sorted([*before, made["id"]])
    assert {name: made[name] for name in GIVEN} == GIVEN
    secret = {row.name for row in MODEL[type_name].attributes.values()
              if row.access.value == "write-only"}  # fmt: skip
    for name, value in maker.sample(type_name).items():
        if name in secret:
            assert name not in made
        else:
            assert made[name] == without_secrets(value), name


def without_secrets(value: Any) -> Any:
    """A value of a sample as it is shown: passwords are not."""
    if isinstance(value, dict):
        return {k: without_secrets(v) for k, v in value.items() if k != "password"}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def system(makers: Makers) -> Document:
    return makers[V2].make("System")


def members(maker: Maker) -> dict[str, str]:
    """What a System can list: attribute -> URI of a resource."""
    found = {name: maker.example(type_name) for name, type_name in LISTED.items()}
    return {name: str(uri) for name, uri in found.items()}


@pytest.mark.parametrize("attribute", LISTED)
def test_5_5_12_2_insert_lists_an_existing_resource(
    makers: Makers, system: Document, attribute: str
) -> None:
    maker, provider = makers[V2], makers[V2].provider
    item = provider.get(members(maker)[attribute])
    collection = provider.get(system[attribute]["href"])
    before = ids(provider, collection["id"])
    answer = maker.insert(collection, item["id"])
    assert answer.status == 200, answer.body
    assert sorted(ids(provider, collection["id"])) == sorted([*before, item["id"]])
    assert provider.get(item["id"]) == item
    again = maker.insert(collection, item["id"])
    assert again.status == 409
    assert maker.insert(collection, f"{item['id']}-gone").status == 400
    other = members(maker)["machines" if attribute != "machines" else "volumes"]
    assert maker.insert(collection, other).status == 400


@pytest.mark.parametrize("attribute", LISTED)
def test_5_5_12_3_remove_takes_off_the_list_and_keeps_the_resource(
    makers: Makers, system: Document, attribute: str
) -> None:
    maker, provider = makers[V2], makers[V2].provider
    item = provider.get(members(maker)[attribute])
    collection = provider.get(system[attribute]["href"])
    before = ids(provider, collection["id"])
    namespace = V2.namespace
    reference = attribute[:-1]
    for name in ("insert", "remove"):  # in XML
        root = etree.fromstring(
            f'<Action xmlns="{namespace}"><action>{namespace}/action/{name}</action>'
            f'<{reference} href="{item["id"]}"/></Action>'
        )
        href = operation(collection, name)
        assert provider.send("POST", str(href), root).status == 200
        expected = [*before, item["id"]] if name == "insert" else before
        assert sorted(ids(provider, collection["id"])) == sorted(expected)
    assert provider.get(item["id"]) == item
    assert maker.insert(collection, item["id"], "remove").status == 400


def test_5_5_12_what_is_deleted_leaves_every_collection(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    for type_name in creatable(V2):
        made = maker.make(type_name)
        listing = [maker.collection(type_name)]
        for owner_type, attribute in listings_of(type_name):
            owner = maker.make(owner_type) if owner_type in creatable(V2) else None
            owner = owner or provider.get(str(maker.example(owner_type)))
            collection = provider.get(owner[attribute]["href"])
            if operation(collection, "insert") is not None:
                if made["id"] in ids(provider, collection["id"]):
                    maker.insert(collection, made["id"], "remove")  # its template put it there
                assert maker.insert(collection, made["id"]).status == 200, (type_name, attribute)
                listing.append(collection["id"])
        for url in listing:
            assert made["id"] in ids(provider, url)
        delete = str(operation(made, "delete"))
        assert provider.request("DELETE", delete).status == 200
        for url in listing:
            assert made["id"] not in ids(provider, url), type_name


def listings_of(type_name: str) -> list[tuple[str, str]]:
    """Where resources of a type may be listed: (owner, Collection attribute)."""
    return [
        (owner, row.name)
        for owner, resource in MODEL.types.items()
        for row in resource.attributes.values()
        if row.kind.value == "collection"
        and row.target_in(V2) == type_name
        and owner in ("System", "Network", "ProtocolSegment", "NetworkInterface", "NetworkService")
        and row.form(V2) is not None
    ]


def test_5_10_1_references_vanish_with_what_they_lead_to(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    configuration = maker.make("VolumeConfiguration")
    by_reference = {"href": configuration["id"]}
    template = maker.make("VolumeTemplate", volumeConfig=by_reference)
    assert template["volumeConfig"] == by_reference
    credential = maker.make("Credential")
    volume = {"href": maker.example("Volume")}
    inside = maker.make(
        "MachineTemplate", volumes=[{"volume": volume, "credential": {"href": credential["id"]}}]
    )
    segment = maker.make("ProtocolSegment")
    network = maker.make("NetworkTemplate", segments=[{"href": segment["id"]}])
    for gone in (configuration, credential, segment):
        assert provider.request("DELETE", str(operation(gone, "delete"))).status == 200
    assert "volumeConfig" not in provider.get(template["id"])
    assert provider.get(inside["id"])["volumes"] == [{"volume": volume}]
    assert "segments" not in provider.get(network["id"])
    for document in (template, inside, network):
        text = provider.request("GET", document["id"], accept=XML).body.decode()
        assert not any(str(gone["id"]) in text for gone in (configuration, credential, segment))


def test_5_10_2_children_go_with_their_parent(makers: Makers, system: Document) -> None:
    maker, provider = makers[V2], makers[V2].provider
    machine = str(maker.example("Machine"))
    assert maker.insert(provider.get(system["machines"]["href"]), machine).status == 200
    services = provider.get(system["services"]["href"])
    document = {"name": "recovery", "serviceType": SERVICE}
    service = provider.send("POST", str(operation(services, "add")), document)
    assert service.status == 201
    credentials = provider.get(system["credentials"]["href"])
    add = str(operation(credentials, "add"))
    child = provider.send("POST", add, maker.document("Credential"))
    assert child.status == 201
    assert child.json["parent"] == {"href": credentials["id"]}
    stranger = maker.make("Credential")
    assert maker.insert(credentials, stranger["id"]).status == 200
    meter = maker.make("Meter", targetResource={"href": system["id"]})
    assert provider.request("DELETE", str(operation(system, "delete"))).status == 200
    for gone in (service.json["id"], child.json["id"], meter["id"], system["machines"]["href"]):
        assert provider.request("GET", gone).status == 404, gone
    assert provider.get(machine)["id"] == machine
    assert provider.get(stranger["id"]) == stranger
