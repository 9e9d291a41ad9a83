"""Clauses 6 and 7.1: who must log in is told how; minimal conformance."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from pathlib import Path

import pytest

from cimi_cim.credentials import Secret
from cimi_cim.http.authentication import BasicAuthentication
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.accounts import Accounts
from cimi_cim.service.store.database import open_database
from tests.contract.making import Maker, named
from tests.contract.provider import Provider, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
CONSTRAINTS = ("providerMandatory", "mutable", "consumerWritable")


def test_6_who_must_log_in_is_told_how(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = open_database(f"sqlite:///{tmp_path / 'users.db'}")
        stack.callback(database.close)
        accounts = Accounts(database)
        accounts.add("ada", Secret("correct horse"))
        login = BasicAuthentication(accounts, is_always_needed=True)
        own = Provider(stack, authenticator=login)
        for method in ("GET", "PUT", "POST", "DELETE"):
            answer = own.request(method, own.entry_point(), body=b"{}")
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
            assert answer.job["state"] == "FAILED"
        word = base64.b64encode(b"ada:correct horse").decode()
        answer = own.request("GET", own.entry_point(), Authorization=f"Basic {word}")
        assert answer.status == 200


@pytest.mark.parametrize("version", list(CimiVersion), ids=named)
def test_7_1_the_entry_point_leads_to_the_collections_of_minimal_conformance(
    provider: Provider, version: CimiVersion
) -> None:
    entry = provider.get(provider.entry_point(version))
    for name, item_type in (
        ("resourceMetadata", "ResourceMetadata"), ("machines", "Machine"),
        ("machineImages", "MachineImage"), ("machineConfigs", "MachineConfiguration"),
    ):  # fmt: skip
        found = provider.get(entry[name]["href"])
        assert found["resourceURI"] == f"{version.namespace}/{item_type}Collection"
        assert items(found)


@pytest.mark.parametrize("version", list(CimiVersion), ids=named)
def test_7_1_the_resources_of_minimal_conformance_have_their_attributes(
    provider: Provider, makers: Makers, version: CimiVersion
) -> None:
    common = {"id", "name", "description"} | ({"parent"} if version is V2 else set())
    hardware = {"cpu", "memory", "disks", "cpuArch", "cpuSpeed"}
    assert common | hardware <= set(provider.machine("STARTED", version))
    maker = makers[version]
    assert common | hardware <= set(maker.make("MachineConfiguration"))
    assert common | {"imageLocation"} <= set(maker.make("MachineImage"))
    for item in items(provider.get(provider.collection("resourceMetadata", version))):
        metadata = provider.get(item["id"])
        assert {"typeURI", "name", "attributes"} <= set(metadata)
        if version is V2:
            for attribute in metadata["attributes"]:
                assert {"name", *CONSTRAINTS} <= set(attribute), metadata["name"]


@pytest.mark.parametrize("version", list(CimiVersion), ids=named)
def test_7_1_images_and_configurations_are_created_and_deleted(
    makers: Makers, version: CimiVersion
) -> None:
    maker = makers[version]
    for type_name in ("MachineImage", "MachineConfiguration"):
        made = maker.make(type_name)
        assert maker.provider.request("DELETE", str(operation(made, "delete"))).status == 200
        assert maker.provider.request("GET", made["id"]).status == 404
