"""Whose child a resource is, what lists it, and what the store keeps of what lives elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients import Client, action


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


def system(client: Client) -> dict[str, Any]:
    return client.add("systems", {"systemTemplate": {}})


def credential(client: Client) -> dict[str, Any]:
    return client.add("credentials", {"credentialTemplate": {"userName": "a"}})


def put_parent(client: Client, url: str, parent: str | None) -> Any:
    body = {} if parent is None else {"parent": {"href": parent}}
    return client.ask("PUT", f"{url}?$select=parent", body)


def ids(client: Client, url: str) -> list[str]:
    found = client.get(url)
    lists = [value for name, value in found.items() if isinstance(value, list)
             and name != "operations"]  # fmt: skip
    return [item["id"] for item in (lists or [[]])[0]]


def test_a_new_parent_lists_its_child_and_takes_it_along(client: Client) -> None:
    owner, child = system(client), credential(client)
    home, into = child["parent"]["href"], owner["credentials"]["href"]
    changed = put_parent(client, child["id"], into)
    assert (changed.status_code, changed.json["parent"]) == (200, {"href": into})
    assert ids(client, into) == [child["id"]]
    # back to where it lives: it is listed on, and outlives the System
    assert put_parent(client, child["id"], None).json["parent"] == {"href": home}
    assert ids(client, into) == [child["id"]]
    assert put_parent(client, child["id"], into).status_code == 200
    assert put_parent(client, child["id"], home).json["parent"] == {"href": home}
    assert client.ask("DELETE", owner["id"]).status_code == 200
    assert client.get(child["id"])["parent"] == {"href": home}


def test_a_child_may_move_to_another_parent(client: Client) -> None:
    one, other = system(client), system(client)
    child = client.add(one["credentials"]["href"], {"credentialTemplate": {}})
    assert put_parent(client, child["id"], other["credentials"]["href"]).status_code == 200
    assert ids(client, one["credentials"]["href"]) == ids(client, other["credentials"]["href"])
    assert client.ask("DELETE", one["id"]).status_code == 200
    assert client.get(child["id"])["parent"] == other["credentials"]
    assert client.ask("DELETE", other["id"]).status_code == 200
    assert client.ask("GET", child["id"]).status_code == 404


def test_a_child_that_is_removed_from_its_list_is_nobodys(client: Client) -> None:
    owner = system(client)
    into = owner["credentials"]["href"]
    child = client.add(into, {"credentialTemplate": {}})
    out = action("remove", credential={"href": child["id"]})
    assert client.ask("POST", f"{into}/remove", out).status_code == 200
    now = client.get(child["id"])
    assert now["parent"]["href"].endswith("/cimi/2/credentials")
    assert now["updated"] == child["updated"]
    assert client.ask("DELETE", owner["id"]).status_code == 200
    assert client.get(child["id"]) == now


def test_nothing_is_its_own_child(client: Client) -> None:
    one, two, three = system(client), system(client), system(client)
    assert put_parent(client, two["id"], one["systems"]["href"]).status_code == 200
    assert put_parent(client, three["id"], two["systems"]["href"]).status_code == 200
    for parent in (one, two, three):
        refused = put_parent(client, one["id"], parent["systems"]["href"])
        assert refused.status_code == 400
        assert "is a child of" in refused.json["statusMessage"]
    assert client.get(one["id"])["parent"] == one["parent"]
    assert client.ask("DELETE", one["id"]).status_code == 200
    assert client.ask("GET", three["id"]).status_code == 404


def test_a_parent_is_a_collection_that_takes_in_such_a_child(client: Client) -> None:
    owner, child = system(client), credential(client)
    service = client.add(owner["services"]["href"], {
        "serviceType": "http://schemas.dmtf.org/cimi/2/SystemService/backup"})  # fmt: skip
    for parent in (
        owner["id"], owner["machines"]["href"], owner["meters"]["href"], "machines",
        service["systems"]["href"], "http://elsewhere/", "systems/none/credentials", "nonsense",
    ):  # fmt: skip
        refused = put_parent(client, child["id"], parent)
        assert refused.status_code == 400, parent
        assert "parent" in refused.json["statusMessage"]
    assert put_parent(client, service["id"], system(client)["services"]["href"]).status_code == 400
    assert put_parent(client, service["id"], owner["services"]["href"]).status_code == 200
    assert client.get(child["id"])["parent"] == child["parent"]


def test_a_machine_may_be_the_child_of_a_system(client: Client) -> None:
    owner, machine = system(client), client.get("machines")["machines"][0]
    into = owner["machines"]["href"]
    assert put_parent(client, machine["id"], into).json["parent"] == {"href": into}
    assert ids(client, into) == [machine["id"]]
    assert client.get("machines")["machines"][0]["parent"] == {"href": into}
    refused = client.ask("DELETE", owner["id"])
    assert (refused.status_code, refused.json["returnCode"]) == (409, 10409)
    assert "is a child of it" in refused.json["statusMessage"]
    out = action("remove", machine={"href": machine["id"]})
    assert client.ask("POST", into, out).status_code == 200
    assert client.get(machine["id"])["parent"] == machine["parent"]
    assert client.ask("DELETE", owner["id"]).status_code == 200


def test_what_is_listed_has_no_second_address(client: Client) -> None:
    owner, machine = system(client), client.get("machines")["machines"][0]
    into = owner["machines"]["href"]
    put = action("insert", machine={"href": machine["id"]})
    assert client.ask("POST", into, put).status_code == 200
    token = machine["id"].rpartition("/")[2]
    for method, url, body in (
        ("GET", f"{into}/{token}", None), ("PUT", f"{into}/{token}", {}),
        ("DELETE", f"{into}/{token}", None), ("GET", f"{into}/{token}/disks", None),
        ("POST", f"{into}/{token}/stop", action("stop")),
    ):  # fmt: skip
        assert client.ask(method, url, body).status_code == 404, (method, url)
    refused = client.ask("POST", into, action("insert", machine={"href": f"{into}/{token}"}))
    assert refused.status_code == 400
    assert client.get(machine["id"])["state"] == machine["state"]


def test_collections_tell_when_they_were_changed(client: Client) -> None:
    owner, child = system(client), credential(client)
    into = owner["credentials"]["href"]
    assert "updated" not in client.get(into)
    times = []
    for word in ("insert", "remove"):
        said = action(word, credential={"href": child["id"]})
        assert client.ask("POST", into, said).status_code == 200
        times.append(client.get(into)["updated"])
        time.sleep(0.002)
    assert times == sorted(set(times))
    before = client.get("credentials")["updated"]
    assert client.ask("DELETE", child["id"]).status_code == 200
    assert client.get("credentials")["updated"] > before
    assert client.get("credentials")["parent"].endswith("/cloudEntryPoint")
    assert "updated" not in client.get("machines")
    assert "updated" not in client.get("/cimi/1/credentials")


def test_a_long_list_is_read_a_page_at_a_time(client: Client) -> None:
    owner = system(client)
    into = owner["credentials"]["href"]
    made = [client.add(into, {"credentialTemplate": {"userName": str(n)}})["id"] for n in range(5)]
    page = client.get(f"{into}?$first=2&$last=3")
    assert [item["id"] for item in page["credentials"]] == made[1:3]
    assert page["count"] == 5
    found = client.get(f"{into}?$orderby=userName:desc&$first=1&$last=2")
    assert [item["id"] for item in found["credentials"]] == made[:2:-1]


def test_a_port_of_1x_is_in_the_list_of_its_network(client: Client) -> None:
    one, other = client.get("/cimi/1/networks")["networks"][:2]
    template = {"networkPortTemplate": {"network": {"href": one["id"]}}}
    made = client.add("/cimi/1/networkPorts", template)

    def ports(network: dict[str, Any]) -> list[str]:
        listed = client.get(network["networkPorts"]["href"]).get("networkNetworkPorts", [])
        return [item["networkPort"]["href"] for item in listed]

    assert (ports(one), ports(other)) == ([made["id"]], [])
    body = {"network": {"href": other["id"]}}
    assert client.ask("PUT", f"{made['id']}?$select=network", body).status_code == 200
    assert (ports(one), ports(other)) == ([], [made["id"]])
    assert client.ask("PUT", f"{made['id']}?$select=network", {}).status_code == 200
    assert (ports(one), ports(other)) == ([], [])
    assert client.ask("PUT", f"{made['id']}?$select=network", body).status_code == 200
    assert client.ask("DELETE", made["id"]).status_code == 200
    assert ports(other) == []


# -- what the store keeps of what lives in WBEM servers -----------------------------------------


@pytest.mark.parametrize("media", ["application/json", "application/xml"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_was_read_of_a_machine_changes_nothing_when_it_is_sent_back(
    client: Client, version: str, media: str
) -> None:
    url = client.get(f"/cimi/{version}/machines")["machines"][2]["id"]
    for _ in range(2):  # without anything kept, and with something
        before = client.ask("GET", url, Accept=media)
        again = client.ask("PUT", url, before.text, Content_Type=media, Accept=media)
        assert again.status_code == 200, again.text
        assert (again.text, again.headers["ETag"]) == (before.text, before.headers["ETag"])
        body = {"description": f"{version} {media}"}
        assert client.ask("PUT", f"{url}?$select=description", body).status_code == 200


def test_what_is_kept_is_dropped_where_the_server_says_the_same(client: Client) -> None:
    machine = client.get("machines")["machines"][3]
    changed = client.ask("PUT", f"{machine['id']}?$select=name", {"name": "mine"})
    assert changed.json["name"] == "mine"
    found = client.get("machines?$filter=name='mine'")["machines"]
    assert [item["id"] for item in found] == [machine["id"]]
    back = client.ask("PUT", f"{machine['id']}?$select=name", {"name": machine["name"]})
    assert back.json["name"] == machine["name"]
    assert back.json["updated"] > changed.json["updated"]


def test_what_a_server_deletes_is_in_no_list_and_keeps_nobody() -> None:
    with ExitStack() as stack:
        client = Client(stack)
        other = Client(stack, wbem=client.wbem, with_jobs=True)
        machine = client.get("machines")["machines"][0]
        owner, outer = system(client), system(client)
        assert put_parent(client, machine["id"], owner["machines"]["href"]).status_code == 200
        put = action("insert", system={"href": owner["id"]})
        assert client.ask("POST", outer["systems"]["href"], put).status_code == 200
        meter = client.add(machine["meters"]["href"], {"meterTemplate": {}})
        assert client.get(outer["id"])["state"] == machine["state"]
        deleted = other.ask("DELETE", machine["id"])
        assert deleted.status_code in (200, 202), deleted.text
        until(lambda: client.ask("GET", machine["id"]).status_code == 404)
        assert client.get(owner["machines"]["href"])["count"] == 0
        assert client.get(outer["id"])["state"] == "MIXED"
        assert client.ask("GET", machine["meters"]["href"]).status_code == 404
        assert client.get(meter["id"])["targetResource"] == {"href": machine["id"]}
        assert client.ask("DELETE", owner["id"]).status_code == 200
        assert client.ask("GET", meter["id"]).status_code == 404  # it went with the System


def test_what_the_bridge_deletes_goes_with_all_that_is_about_it() -> None:
    with ExitStack() as stack:
        client = Client(stack, with_jobs=True)
        machine = client.get("machines")["machines"][0]
        meter = client.add(machine["meters"]["href"], {"meterTemplate": {}})
        target = {"targetResource": {"href": machine["id"]}}
        log = client.add("eventLogs", {"eventLogTemplate": target})
        owner = system(client)
        put = action("insert", machine={"href": machine["id"]})
        assert client.ask("POST", owner["machines"]["href"], put).status_code == 200
        assert client.ask("DELETE", machine["id"]).status_code in (200, 202)
        until(lambda: client.ask("GET", meter["id"]).status_code == 404)
        assert client.ask("GET", log["id"]).status_code == 404
        assert client.get(owner["machines"]["href"])["count"] == 0


def until(holds: Any, seconds: float = 20) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
