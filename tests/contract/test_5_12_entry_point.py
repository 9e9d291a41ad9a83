"""Clauses 5.12, 6 and 7.1: the CloudEntryPoint, limits, minimal conformance."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.provider import JSON, Provider, operation, references

VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")


@VERSIONS
def test_5_12_every_collection_of_the_entry_point_can_be_read(
    provider: Provider, version: CimiVersion
) -> None:
    entry = provider.get(provider.entry_point(version))
    for name, value in entry.items():
        if isinstance(value, dict):
            found = provider.get(value["href"])
            assert found["resourceURI"].endswith("Collection"), name
    assert entry["resourceURI"] == f"{version.namespace}/CloudEntryPoint"
    assert provider.get(entry["id"]) == entry


@VERSIONS
def test_5_12_the_base_ends_with_a_slash_and_leads_to_resources(
    provider: Provider, version: CimiVersion
) -> None:
    entry = provider.get(provider.entry_point(version))
    base = entry["baseURI"]
    assert base.startswith("http://")
    assert base.endswith("/")
    for uri in references(entry):
        relative = uri.removeprefix(base)
        assert relative != uri
        assert not relative.startswith("/")
        provider.get(f"{base}{relative}")


def test_6_a_request_beyond_a_limit_has_its_status(provider: Provider) -> None:
    machines = provider.collection("machines")
    stop = str(operation(provider.machine("STARTED"), "stop"))
    parameters = [("colour", "red")] * 3000
    long = ("$filter", f"name='{'x' * 70_000}'")
    assert provider.request("GET", machines, long).status == 414
    assert provider.request("GET", machines, *parameters).status in (400, 414)
    assert provider.request("POST", stop, body=b"x" * 3_000_000, media=JSON).status == 413
