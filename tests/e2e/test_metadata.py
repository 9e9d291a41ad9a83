"""ResourceMetadata over HTTP: true for what is served, edited by PUT, and enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from lxml import etree

from tests.clients import BASE, NS, Client, rels
from tests.schema_1x import patched_schema
from tests.shared_files import needs_shared

CONFIG = "resourceMetadata/MachineConfiguration"
XML = {"Content_Type": "application/xml", "Accept": "application/xml"}


@pytest.fixture(scope="module")
def served() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


@pytest.fixture
def client(served: Client) -> Iterator[Client]:
    """A client that leaves no metadata behind."""
    yield served
    for item in served.get("resourceMetadata")["resourceMetadatas"]:
        if "delete" in rels(item):
            assert served.ask("DELETE", item["id"]).status_code == 200
        elif item["id"].endswith(("MachineConfiguration", "System", "Machine", "Credential")):
            assert served.ask("PUT", item["id"], {}).status_code == 200


def rules(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in document["attributes"]}


def put(client: Client, url: str, **document: Any) -> dict[str, Any]:
    answer = client.ask("PUT", url, document)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def refused(client: Client, method: str, url: str, body: dict[str, Any]) -> str:
    answer = client.ask(method, url, body)
    assert answer.status_code == 400, answer.text
    return str(answer.json["statusMessage"])


def samples(client: Client) -> list[dict[str, Any]]:
    """Some resources of every Collection of the entry point, and of the Collections in them."""
    found, left = list[dict[str, Any]](), [client.get("cloudEntryPoint")]
    while left:
        resource = left.pop()
        for name, value in resource.items():
            if not isinstance(value, dict) or "href" not in value or name == "parent":
                continue
            collection = client.get(value["href"])
            for items in collection.values() if "count" in collection else ():
                for item in items[:5] if isinstance(items, list) and "id" in items[0] else ():
                    found.append(client.get(item["id"]))
                    left += [found[-1]] if item["id"].count("/") == 6 else []
    return [one for one in found if not one["resourceURI"].endswith("/ResourceMetadata")]


def test_every_resource_refers_to_metadata_that_tell_all_its_operations(client: Client) -> None:
    """5.11: a superset of what is offered, found by the reference of the resource."""
    client.add("endpoints", {"protocolEndpointTemplate": {"address": "10.0.0.1"}})
    seen = set()
    for found in samples(client):
        name = found["resourceURI"].rpartition("/")[2]
        described = client.get(found["resourceMetadata"]["href"])
        assert described["typeURI"] == found["resourceURI"]
        told = {action["name"] for action in described.get("actions", ())}
        assert {rel.rpartition("/")[2] for rel in rels(found)} <= told, name
        told = {action["uri"] for action in described.get("actions", ())}
        assert {rel for rel in rels(found) if "/" in rel} <= told, name
        seen.add(name)
    assert seen >= {"Machine", "Disk", "locatedVolume", "NetworkInterface", "ProtocolEndpoint"}


def test_no_resource_has_what_its_metadata_deny(client: Client) -> None:
    client.add("machineConfigs", {"name": "a", "cpu": 1})
    told = {m["name"]: rules(m) for m in client.get("resourceMetadata")["resourceMetadatas"]}
    for found in samples(client):
        known = told[found["resourceURI"].rpartition("/")[2]]
        assert found.keys() - {"resourceURI", "operations"} <= known.keys()
        for name in found.keys() & known.keys():
            rule = known[name]
            is_denied = not any(value for key, value in rule.items() if key != "name")
            assert not is_denied or name in ("created", "format"), (found["id"], name)


def test_metadata_are_listed_by_type_name_and_found_by_it(client: Client) -> None:
    for version in (1, 2):
        listed = client.get(f"/cimi/{version}/resourceMetadata")
        items = listed["resourceMetadatas"]
        assert listed["count"] == len(items)
        for item in items:
            assert item["id"] == f"{BASE}/cimi/{version}/resourceMetadata/{item['name']}"
            assert item["typeURI"] == f"http://schemas.dmtf.org/cimi/{version}/{item['name']}"
            assert client.get(item["id"]) == item
    assert client.ask("GET", "resourceMetadata/Machines").status_code == 404
    assert client.ask("GET", "resourceMetadata/MachineVolume").status_code == 404


@needs_shared
def test_metadata_of_1_x_are_valid_by_its_schema(client: Client) -> None:
    schema = patched_schema()
    answer = client.ask("GET", "/cimi/1/resourceMetadata", Accept="application/xml")
    root = etree.fromstring(answer.content)
    assert schema.validate(root), schema.error_log
    attributes = root.findall(".//{*}attribute")
    assert {frozenset(entry.keys()) for entry in attributes} == {frozenset({"name", "required"})}


def test_what_was_read_can_be_sent_back_without_any_change(client: Client) -> None:
    for version in (1, 2):
        for item in client.get(f"/cimi/{version}/resourceMetadata")["resourceMetadatas"]:
            before = client.ask("GET", item["id"])
            after = client.ask("PUT", item["id"], before.json)
            assert (after.status_code, after.json) == (200, before.json)
            assert after.headers["ETag"] == before.headers["ETag"]
            as_xml = client.ask("GET", item["id"], Accept="application/xml")
            after = client.ask("PUT", item["id"], as_xml.content, **XML)
            assert (after.status_code, after.content) == (200, as_xml.content)


def test_a_scope_is_enforced_when_creating_and_updating(client: Client) -> None:
    """Table 6: a value outside of it is a 4xx."""
    scope = {"cpu": {"minimum": 2, "maximum": 8, "increment": 2, "default": 4},
             "memory": {"maximum": 4, "units": "gibibytes"}}  # fmt: skip
    assert put(client, CONFIG, vscope=[scope])["vscope"] == [scope]
    assert "cpu is 3 count; allowed is 2 to 8, in steps of 2" in refused(
        client, "POST", "machineConfigs", {"cpu": 3}
    )
    made = client.add("machineConfigs", {"memory": 2**22})
    assert made["cpu"] == 4  # the default
    message = refused(client, "PUT", f"{made['id']}?$select=memory", {"memory": 2**22 + 1})
    assert "memory is 4194305 kibibyte; allowed is 4 or less gibibytes" in message
    assert client.get(made["id"]) == made
    assert put(client, f"{made['id']}?$select=cpu", cpu=8)["cpu"] == 8
    assert "cpu" not in put(client, f"{made['id']}?$select=cpu")


def test_a_resource_of_before_a_scope_can_change_what_the_scope_leaves_alone(
    client: Client,
) -> None:
    made = client.add("machineConfigs", {"cpu": 7})
    put(client, CONFIG, vscope=[{"cpu": {"maximum": 4}}])
    assert put(client, f"{made['id']}?$select=name", name="old")["name"] == "old"
    refused(client, "PUT", f"{made['id']}?$select=cpu", {"cpu": 6})


def test_a_scope_of_items_is_enforced_in_the_collection(client: Client) -> None:
    scope = {"userName": {"values": ["root", "admin"]}}
    put(client, "resourceMetadata/System", vscope=[{"credentials": {"item": scope}}])
    system = client.add("systems", {"systemTemplate": {"name": "s"}})
    inside = system["credentials"]["href"]
    message = refused(client, "POST", inside, {"credentialTemplate": {"userName": "joe"}})
    assert "userName is joe; allowed is root, admin" in message
    client.add(inside, {"credentialTemplate": {"userName": "root"}})
    client.add("credentials", {"credentialTemplate": {"userName": "joe"}})


def test_narrowed_constraints_are_told_and_enforced(client: Client) -> None:
    free = client.add("machineConfigs", {"cpu": 1})
    narrowed = [{"name": "cpu", "consumerMandatory": True},
                {"name": "memory", "mutable": False, "consumerWritable": False},
                {"name": "cpuArch", "consumerWritable": False}]  # fmt: skip
    told = rules(put(client, CONFIG, attributes=narrowed))
    assert (told["cpu"]["consumerMandatory"], told["cpu"]["mutable"]) == (True, True)
    assert (told["memory"]["mutable"], told["memory"]["consumerWritable"]) == (False, False)
    assert "cpu is missing" in refused(client, "POST", "machineConfigs", {"memory": 1})
    assert "cpu is missing" in refused(client, "PUT", f"{free['id']}?$select=cpu", {})
    made = client.add("machineConfigs", {"cpu": 1, "memory": 512, "cpuArch": "ARM"})
    after = put(client, made["id"], cpu=2, memory=1024)
    assert (after["cpu"], after["memory"], after["cpuArch"]) == (2, 512, "ARM")
    one = rules(client.get(f"/cimi/1/{CONFIG}"))
    assert (one["cpu"]["required"], one["memory"]["required"]) == (True, False)


def test_a_client_of_1_x_narrows_what_it_can_see_and_no_more(client: Client) -> None:
    scope = {"cpu": {"maximum": 4}}
    put(client, CONFIG, vscope=[scope], attributes=[{"name": "memory", "consumerWritable": False}])
    one = client.get(f"/cimi/1/{CONFIG}")
    for entry in one["attributes"]:
        entry["required"] = entry["required"] or entry["name"] == "cpu"
    assert rules(put(client, one["id"], **one))["cpu"]["required"] is True
    both = client.get(CONFIG)
    assert both["vscope"] == [scope]
    assert rules(both)["memory"]["consumerWritable"] is False
    assert rules(both)["cpu"]["consumerMandatory"] is True


def test_a_partial_edit_leaves_the_rest(client: Client) -> None:
    scope = {"cpu": {"maximum": 4}}
    put(client, CONFIG, vscope=[scope], description="ours")
    after = put(client, f"{CONFIG}?$select=description")
    assert "description" not in after
    assert after["vscope"] == [scope]
    assert "updated" in after


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"attributes": [{"name": "gpu"}]}, "unknown-attribute"),
        ({"attributes": [{"name": "cpus"}]}, "did you mean 'cpu'"),
        ({"attributes": [{"name": "cpu"}, {"name": "cpu"}]}, "bad-constraint"),
        ({"attributes": [{"name": "x", "namespace": "http://a/", "type": "string"}]},
         "extension-attribute"),
        ({"attributes": [{"name": "state", "mutable": True}]}, "unknown-attribute"),
        ({"attributes": [{"name": "id", "mutable": True}]}, "constraint-widened"),
        ({"attributes": [{"name": "id", "consumerMandatory": False}]}, "constraint-widened"),
        ({"attributes": [{"name": "cpu", "providerMandatory": False}]}, "constraint-widened"),
        ({"attributes": [{"name": "updated", "consumerWritable": True}]}, "constraint-widened"),
        ({"attributes": [{"name": "updated", "consumerMandatory": True}]}, "bad-constraint"),
        ({"attributes": [{"name": "cpu", "mutable": False, "consumerWritable": True}]},
         "bad-constraint"),
        ({"vscope": [{"gpu": {"value": 1}}]}, "bad-value-scope"),
        ({"vscope": [{"cpu": {"minimum": 3, "maximum": 1}}]}, "bad-value-scope"),
        ({"properties": {str(n): "x" for n in range(257)}}, "too-many-properties"),
        ({"nonsense": 1}, "nonsense"),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_kept_is_refused_and_changes_nothing(
    client: Client, document: dict[str, Any], reason: str
) -> None:
    before = client.get(CONFIG)
    assert reason in refused(client, "PUT", CONFIG, document)
    assert client.get(CONFIG) == before


def test_metadata_cannot_be_constrained_themselves(client: Client) -> None:
    said = {"attributes": [{"name": "vscope", "consumerWritable": False}]}
    assert "bad-constraint" in refused(client, "PUT", "resourceMetadata/ResourceMetadata", said)


def test_the_capabilities_and_actions_that_a_client_sends_are_not_read(client: Client) -> None:
    before = client.get(CONFIG)
    lies = {"capabilities": [{"uri": f"{NS}/capability/Machine/UserData", "value": "disk"}],
            "actions": [], "typeURI": f"{NS}/Machine"}  # fmt: skip
    assert put(client, CONFIG, **lies) == before


def test_an_edit_with_a_stale_etag_changes_nothing(client: Client) -> None:
    before = client.ask("GET", CONFIG)
    put(client, CONFIG, description="new")
    answer = client.ask("PUT", CONFIG, {}, If_Match=before.headers["ETag"])
    assert answer.status_code == 412
    assert client.get(CONFIG)["description"] == "new"


def test_the_metadata_of_a_type_stay_as_long_as_the_type(client: Client) -> None:
    answer = client.ask("DELETE", CONFIG)
    assert answer.status_code == 405
    assert "DELETE" not in answer.headers["Allow"]
    assert rels(client.get(CONFIG)) == {"edit"}
    assert client.ask("PUT", "resourceMetadata/Nonsense", {}).status_code == 404


def test_metadata_of_a_template_hold_for_what_is_made_from_it(client: Client) -> None:
    """5.11: they override those of the type."""
    put(client, "resourceMetadata/System", vscope=[{"name": {"values": ["a", "b"]}}])
    own = client.add("resourceMetadata", {
        "typeURI": f"{NS}/System", "name": "small",
        "vscope": [{"name": {"values": ["c"], "default": "c"}}],
    })  # fmt: skip
    assert rels(own) == {"edit", "delete"}
    assert (own["typeURI"], own["name"]) == (f"{NS}/System", "small")
    assert {a["name"] for a in own["actions"]} >= {"edit", "delete"}
    template = client.add("systemTemplates", {"genResourceMetadata": {"href": own["id"]}})
    by_it = {"systemTemplate": {"href": template["id"]}}
    assert "name is a; allowed is c" in refused(client, "POST", "systems", {"name": "a", **by_it})
    made = client.add("systems", by_it)
    assert made["name"] == "c"
    assert made["resourceMetadata"] == {"href": own["id"]}
    assert "allowed is c" in refused(client, "PUT", made["id"], {"name": "a"})
    put(client, own["id"], vscope=[{"name": {"values": ["c", "d"]}}])
    assert put(client, made["id"], name="d")["resourceMetadata"] == {"href": own["id"]}

    assert client.ask("DELETE", own["id"]).status_code == 200
    assert "genResourceMetadata" not in client.get(template["id"])
    freed = client.get(made["id"])
    assert freed["resourceMetadata"]["href"].endswith("/resourceMetadata/System")
    assert "allowed is a, b" in refused(client, "PUT", made["id"], {"name": "c2"})


def test_metadata_that_are_added_name_a_type_that_is_served(client: Client) -> None:
    assert "typeURI is missing" in refused(client, "POST", "resourceMetadata", {"name": "x"})
    said = {"typeURI": f"{NS}/Machin", "name": "x"}
    assert f"did you mean {NS}/Machine?" in refused(client, "POST", "resourceMetadata", said)
    said = {"typeURI": "http://example.com/Machine", "name": "x"}
    assert "unknown-type" in refused(client, "POST", "resourceMetadata", said)
    scoped = {"typeURI": f"{NS}/Machine", "name": "x", "vscope": [{"gpu": {"value": 1}}]}
    assert "bad-value-scope" in refused(client, "POST", "resourceMetadata", scoped)


def test_metadata_can_be_added_in_xml_and_read_in_both_versions(client: Client) -> None:
    body = (
        f'<ResourceMetadataCreate xmlns="{NS}"><typeURI>{NS}/MachineConfiguration</typeURI>'
        "<name>small</name><vscope><valueScope><cpu><value>1</value><value>2</value>"
        "<default>2</default></cpu></valueScope></vscope></ResourceMetadataCreate>"
    )
    answer = client.ask("POST", "resourceMetadata", body, **XML)
    assert answer.status_code == 201, answer.text
    made = client.get(answer.headers["Location"])
    assert made["vscope"] == [{"cpu": {"values": [1, 2], "default": 2}}]
    one = client.get(made["id"].replace("/cimi/2/", "/cimi/1/"))
    assert one["typeURI"] == "http://schemas.dmtf.org/cimi/1/MachineConfiguration"
    listed = client.get("resourceMetadata?$filter=name='small'")["resourceMetadatas"]
    assert [item["id"] for item in listed] == [made["id"]]


def test_what_a_live_resource_does_not_have_here_is_refused(client: Client) -> None:
    """5.3: an unsupported attribute; what is read-only is left as it is (4.2.1.3)."""
    volume = client.get("volumes")["volumes"][0]
    told = rules(client.get("resourceMetadata/Volume"))
    assert not any(value for key, value in told["bootable"].items() if key != "name")
    assert "unsupported-attribute" in refused(client, "PUT", volume["id"], {"bootable": True})
    whole = client.get(volume["id"])
    after = put(client, volume["id"], **{**whole, "capacity": 1, "name": "renamed"})
    assert (after["capacity"], after["name"]) == (whole["capacity"], "renamed")
    put(client, volume["id"], **whole)


def test_a_scope_holds_for_what_the_store_keeps_of_a_machine(client: Client) -> None:
    put(client, "resourceMetadata/Machine", vscope=[{"description": {"values": ["mine"]}}])
    machine = client.get("machines")["machines"][0]
    said = {"description": "yours"}
    url = f"{machine['id']}?$select=description"
    assert "description is yours; allowed is mine" in refused(client, "PUT", url, said)
    assert put(client, url, description="mine")["description"] == "mine"
    put(client, url)


def test_the_capabilities_that_say_true_are_true(client: Client) -> None:
    def capabilities(name: str) -> dict[str, Any]:
        found = client.get(f"resourceMetadata/{name}").get("capabilities", [])
        assert all(c["uri"] == f"{NS}/capability/{name}/{c['name']}" for c in found)
        return {c["name"]: c["value"] for c in found}

    assert capabilities("Credential") == {"CredentialTemplateByValue": True}
    client.add("credentials", {"credentialTemplate": {"userName": "x"}})
    endpoint = capabilities("ProtocolEndpoint")
    for state in endpoint["InitialStates"]:
        template = {"initialState": state, "address": "10.0.0.1"}
        made = client.add("endpoints", {"protocolEndpointTemplate": template})
        assert made["state"] == state
    made = client.add("endpoints", {"protocolEndpointTemplate": {"address": "10.0.0.1"}})
    assert made["state"] == endpoint["DefaultInitialState"]
    most = capabilities("CloudEntryPoint")["MaxPropertyItems"]
    client.add("machineConfigs", {"properties": {str(n): "x" for n in range(most)}})
    refused(
        client, "POST", "machineConfigs", {"properties": {str(n): "x" for n in range(most + 1)}}
    )
    assert capabilities("Machine") == {"MachineStopForce": True}  # nothing can be created
    assert "JobRetention" not in capabilities("Job")


def test_the_metadata_of_a_resource_can_be_expanded_in_it(client: Client) -> None:
    machine = client.get("machines?$first=1&$last=1&$expand=resourceMetadata")["machines"][0]
    whole = client.get("resourceMetadata/Machine")
    assert machine["resourceMetadata"] == {"href": whole["id"], **whole}
    one = client.get(machine["id"].replace("/cimi/2/", "/cimi/1/"))
    assert "resourceMetadata" not in one


def test_metadata_are_the_same_value_in_json_and_xml(client: Client) -> None:
    put(client, CONFIG, vscope=[{"cpu": {"values": [1, 2]}}])
    as_json = client.get(CONFIG)
    root = etree.fromstring(client.ask("GET", CONFIG, Accept="application/xml").content)
    values = [value.text for value in root.iterfind(".//{*}cpu/{*}value")]
    assert values == [str(value) for value in as_json["vscope"][0]["cpu"]["values"]]
    told = {entry.get("name"): dict(entry.attrib) for entry in root.iterfind(".//{*}attribute")}
    assert told == {
        name: {k: v if k == "name" else json.dumps(v) for k, v in entry.items()}
        for name, entry in rules(as_json).items()
    }
