"""The OpenAPI document: valid, complete, and true to the paths that are answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import falcon
import falcon.testing
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from cimi_cim.cli.main import commands
from cimi_cim.config import TargetConfig
from cimi_cim.errors import Unauthorized
from cimi_cim.http.app import make_app
from cimi_cim.http.openapi.document import describe
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.accounts import Principal
from cimi_cim.service.catalog import Catalog
from tests.services import service_over

NOWHERE = TargetConfig("lab", "http://127.0.0.1:1")  # never asked
METHODS = ("get", "head", "options", "put", "post", "delete")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_engine([NOWHERE], load_model())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def catalog(engine: Engine) -> Catalog:
    return Catalog(load_model(), engine, can_provision=True)


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return describe(catalog, "http://cloud.example")


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[Any]:
    with service_over(engine, with_jobs=True) as service:
        yield falcon.testing.TestClient(make_app(service))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document."""
    if isinstance(value, dict):
        yield value
    for inside in value.values() if isinstance(value, dict) else value:
        if isinstance(inside, dict | list):
            yield from parts(inside)


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    found = [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(document)]
    assert found == []


def test_every_schema_is_valid_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_to_a_part_of_the_document(document: dict[str, Any]) -> None:
    said = {part["$ref"] for part in parts(document) if isinstance(part.get("$ref"), str)}
    assert len(said) > 300
    for reference in said:
        _, kind, name = reference.removeprefix("#/").split("/")
        assert name in document["components"][kind], reference


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    said = {part["$ref"] for part in parts(document) if isinstance(part.get("$ref"), str)}
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in said


def test_operations_are_named_apart_and_declare_their_path_parameters(
    document: dict[str, Any],
) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, item in document["paths"].items():
        declared = [p["name"] for p in item.get("parameters", []) if p.get("in") == "path"]
        assert re.findall(r"\{(\w+)\}", path) == declared


def test_names_of_schemas_say_their_version(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {"V2.Machine", "V1.Machine", "V1.MachineNetworkInterface"} <= set(schemas)
    for name, schema in schemas.items():
        uri = schema.get("properties", {}).get("resourceURI", {})
        for said in uri.get("enum", [uri["const"]] if "const" in uri else []):
            assert said.startswith(f"http://schemas.dmtf.org/cimi/{name[1]}/")


def served(catalog: Catalog, version: CimiVersion) -> Iterator[tuple[str, Location]]:
    """Yield every Collection that a resource at home there can have, by its own walk."""
    waiting: list[tuple[str, str, Location]] = [
        (f"/cimi/{version.value}", "CloudEntryPoint", Location("CloudEntryPoint", ()))
    ]
    while waiting:
        path, owner, at = waiting.pop()
        for segment, (attribute, item) in catalog.collections_of(owner, version).items():
            here = Location(item, (*at.steps, (attribute, None)))
            yield f"{path}/{segment}", here
            if catalog.lives_in(here):
                steps = (*at.steps, (attribute, "x"))
                waiting.append((f"{path}/{segment}/x", item, Location(item, steps)))


@pytest.mark.parametrize("version", CimiVersion)
def test_every_collection_of_the_catalog_is_in_it(
    catalog: Catalog, document: dict[str, Any], version: CimiVersion
) -> None:
    described = {re.sub(r"\{\w+\}", "x", path): path for path in document["paths"]}
    found = list(served(catalog, version))
    assert len(found) > 40
    for path, location in found:
        item = document["paths"][described[path]]
        taken = catalog.collection_operations(location)
        assert ("post" in item) == bool(taken)
        for name in {"insert", "remove"} & set(taken):
            assert f"{path}/{name}" in described
        if catalog.lives_in(location):
            inside = document["paths"][described[f"{path}/x"]]
            of_one = catalog.resource_operations(location.type)
            assert ("put" in inside, "delete" in inside) == ("edit" in of_one, "delete" in of_one)
            for action in catalog.actions(location.type, version):
                assert f"{path}/x/{action.name}" in described


def test_every_path_of_it_is_answered_with_just_these_methods(
    client: Any, document: dict[str, Any]
) -> None:
    for path, item in document["paths"].items():
        reply = client.simulate_options(re.sub(r"\{\w+\}", "x", path))
        assert reply.status_code == 204, path
        allowed = {method.lower() for method in reply.headers["Allow"].split(", ")}
        assert allowed == item.keys() & set(METHODS), path


def test_what_no_server_holds_is_not_in_it() -> None:
    paths = describe(Catalog(load_model(), Engine([])))["paths"]
    assert "/cimi/2/systems" in paths
    assert not any("machines" in path.split("/") for path in paths)


def test_secrets_are_only_ever_sent(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for version in ("V1", "V2"):
        assert "password" not in schemas[f"{version}.Credential"]["properties"]
        assert schemas[f"{version}.CredentialInput"]["properties"]["password"]["writeOnly"]


def test_what_a_change_may_say_is_what_the_metadata_tell(client: Any) -> None:
    schemas = client.simulate_get("/openapi.json").json["components"]["schemas"]
    metadata = client.simulate_get("/cimi/2/resourceMetadata").json["resourceMetadatas"]
    told = 0
    for each in metadata:
        schema = schemas.get(f"V2.{each['name']}Input")
        if schema is None:
            continue
        told += 1
        said = schema["properties"].items()
        writable = {name for name, value in said if not value.get("readOnly")} - {"resourceURI"}
        rules = client.simulate_get(f"/cimi/2/resourceMetadata/{each['name']}").json["attributes"]
        assert writable == {rule["name"] for rule in rules if rule["consumerWritable"]}, each
    assert told > 20


def test_a_change_says_nothing_that_no_server_holds(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "bootable" in schemas["V2.Volume"]["properties"]
    assert "bootable" not in schemas["V2.VolumeInput"]["properties"]
    assert schemas["V2.NetworkInterfaceInput"]["properties"]["mtu"]["readOnly"]
    assert "readOnly" not in schemas["V2.MachineInput"]["properties"]["cpu"]


def test_what_is_made_outside_of_its_owner_names_it(document: dict[str, Any]) -> None:
    def wanted(path: str) -> Any:
        body = document["paths"][path]["post"]["requestBody"]
        return body["content"]["application/json"]["schema"]

    [added] = wanted("/cimi/2/segments")["allOf"]
    either = added["properties"]["protocolSegmentTemplate"]["anyOf"]
    assert either == [{"required": ["href"]}, {"required": ["network"]}]
    assert "allOf" not in str(wanted("/cimi/2/networks/{networkId}/segments"))


def test_it_is_served_under_the_base_url_that_the_client_knows(
    client: Any, document: dict[str, Any]
) -> None:
    reply = client.simulate_get("/openapi.json", headers={"Host": "cloud.example"})
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.json == document
    refused = client.simulate_post("/openapi.json")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_who_cannot_read_the_entry_point_cannot_read_it(engine: Engine) -> None:
    def nobody(_: falcon.Request, segments: Sequence[str]) -> Principal:
        raise Unauthorized(f"not you at {segments}", challenge="Basic")

    with service_over(engine) as service:
        client = falcon.testing.TestClient(make_app(service, authenticator=nobody))
        assert client.simulate_get("/openapi.json").status_code == 401


def test_the_command_prints_what_the_embedded_lab_would_be(document: dict[str, Any]) -> None:
    printed = CliRunner().invoke(commands, ["openapi"])
    assert printed.exit_code == 0
    described = json.loads(printed.output)
    assert described.pop("servers") == [{"url": "http://127.0.0.1:8080"}]
    assert described == {name: said for name, said in document.items() if name != "servers"}
