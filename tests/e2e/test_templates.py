"""Templates over HTTP: what they make, what comes with it, and what they refuse to make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients import NS, Client, action, segment_template


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


def href(resource: dict[str, Any]) -> dict[str, str]:
    return {"href": resource["id"]}


def endpoint(client: Client, **template: Any) -> dict[str, Any]:
    return client.add("endpoints", {"protocolEndpointTemplate": template})


def everything(client: Client) -> dict[str, int]:
    """How many resources of each type there are."""
    entry = client.get("cloudEntryPoint")
    links = [value["href"] for value in entry.values() if isinstance(value, dict)]
    return {link: client.get(f"{link}?$select=count")["count"] for link in links}


def refused(client: Client, url: str, body: Any) -> str:
    """Have a creation refused, and nothing made; returns the message."""
    before = everything(client)
    answer = client.ask("POST", url, body)
    assert answer.status_code == 400, answer.text
    assert everything(client) == before
    assert answer.json["returnCode"] >= 10000
    return str(answer.json["statusMessage"])


# -- networks (5.16) ----------------------------------------------------------------------


def test_a_segment_comes_with_what_its_template_says(client: Client) -> None:
    kept = endpoint(client, address="10.0.0.9")
    template = client.add("endpointTemplates", {"address": "10.0.0.1", "interface": None})
    made = client.segment(
        endpoints=[href(kept)],
        endpointTemplates=[
            {"href": template["id"], "address": "10.0.0.2"},
            {"address": "10.0.0.3", "initialState": "DISABLED", "meterTemplates": [
                {"meterConfig": {"aspect": f"{NS}/aspect/bandwidth"}},
            ]},
        ],
        meterTemplates=[{"meterConfig": {"units": "kB"}}],
        eventLogTemplate={"persistence": "daily"},
    )  # fmt: skip
    listed = client.get(made["endpoints"]["href"])["protocolEndpoints"]
    assert [item["address"] for item in listed] == ["10.0.0.2", "10.0.0.3", "10.0.0.9"]
    assert [item["state"] for item in listed] == ["ENABLED", "DISABLED", "ENABLED"]
    assert {item["protocol"] for item in listed} == {"IPv4"}
    child = made["endpoints"]["href"]
    assert [item["parent"]["href"] == child for item in listed] == [True, True, False]
    [meter] = client.get(listed[1]["meters"]["href"])["meters"]
    assert meter["targetResource"] == href(listed[1])
    [meter] = client.get(made["meters"]["href"])["meters"]
    assert (meter["units"], meter["parent"]) == ("kB", made["meters"])
    log = client.get(made["eventLog"]["href"])
    assert (log["targetResource"], log["persistence"]) == (href(made), "daily")
    assert client.get(template["id"])["address"] == "10.0.0.1"
    # children go with the segment, and what was put in stays
    assert client.ask("DELETE", made["id"]).status_code == 200
    for gone in (*listed[:2], meter, log):
        assert client.ask("GET", gone["id"]).status_code == 404
    assert "protocol" not in client.get(kept["id"])


def test_an_endpoint_tells_the_protocol_of_its_segment(client: Client) -> None:
    made = endpoint(client)
    assert "protocol" not in made
    one, other = client.segment(), client.segment(protocol="IPv6")
    put = action("insert", protocolEndpoint=href(made))
    assert client.ask("POST", one["endpoints"]["href"], put).status_code == 200
    assert client.get(made["id"])["protocol"] == "IPv4"
    found = client.get("endpoints?$filter=protocol='IPv4'")["protocolEndpoints"]
    assert made["id"] in {item["id"] for item in found}
    assert client.ask("POST", other["endpoints"]["href"], put).status_code == 200
    assert "protocol" not in client.get(made["id"])  # it is on segments of two
    out = action("remove", protocolEndpoint=href(made))
    assert client.ask("POST", one["endpoints"]["href"], out).status_code == 200
    assert client.get(made["id"])["protocol"] == "IPv6"


@pytest.mark.parametrize(
    ("url", "document", "attribute"),
    [
        ("segments", {"protocolSegmentTemplate": segment_template("IPv6")}, "segments"),
        ("networkServices", {"networkServiceTemplate": {"type": "DHCP"}}, "services"),
    ],
)
def test_what_a_network_has_is_its_child(
    client: Client, url: str, document: dict[str, Any], attribute: str
) -> None:
    networks = client.get("networks")["networks"]
    inside = networks[0][attribute]["href"]
    ((name, template),) = document.items()
    made = client.add(url, {name: {**template, "network": href(networks[0])}})
    assert made["parent"] == {"href": inside}
    also = client.add(inside, {name: {**template, "network": href(networks[0])}})
    assert also["parent"] == {"href": inside}
    assert client.add(inside, document)["parent"] == {"href": inside}
    assert made["id"] in {item["id"] for item in client.get(inside)[attribute_list(client, inside)]}
    message = refused(client, inside, {name: {**template, "network": href(networks[1])}})
    assert "network is another one than the Network" in message


def attribute_list(client: Client, url: str) -> str:
    return next(name for name, value in client.get(url).items() if isinstance(value, list)
                and name != "operations")  # fmt: skip


def test_what_is_made_for_a_service_of_a_network_is_no_child_of_it(client: Client) -> None:
    service = client.add("networkServices", {
        "networkServiceTemplate": {"type": "Firewall", "network": client.network}})  # fmt: skip
    inside = service["segments"]["href"]
    made = client.add(inside, {"protocolSegmentTemplate": segment_template()})
    assert made["parent"]["href"].endswith("/segments")
    assert made["parent"] != {"href": inside}
    assert client.ask("DELETE", service["id"]).status_code == 200
    assert client.get(made["id"]) == made


@pytest.mark.parametrize(
    ("url", "document", "says"),
    [
        ("segments", {"protocolSegmentTemplate": segment_template(endpointTemplates=[
            {"address": "1"}, {"origin": "DYNAMIC", "address": "2"}])}, "DYNAMIC"),
        ("segments", {"protocolSegmentTemplate": segment_template(endpointTemplates=[
            {"eventLogTemplate": {}}, {"href": "endpointTemplates/none"}])}, "no such"),
        ("segments", {"protocolSegmentTemplate": segment_template(endpoints=[
            {"href": "segments/none"}])}, "is no ProtocolEndpoint"),
        ("endpoints", {"protocolEndpointTemplate": {"origin": "STATIC"}}, "address is missing"),
        ("networkTemplates", {"segmentTemplates": [{"protocol": "Token Ring"}]},
         "segmentTemplates[0].protocol is 'Token Ring'"),
        ("networkTemplates", {"segmentTemplates": [{"endpoints": [{"href": "endpoints/no"}]}]},
         "segmentTemplates[0].endpoints[0] refers to endpoints/no"),
        ("machineTemplates", {"machineConfig": {"cpu": -1}}, "machineConfig.cpu is -1"),
        ("machineTemplates", {"volumes": [{"initialLocation": "/dev/vdb"}]},
         "volumes[0].volume is missing"),
        ("meters", {"meterTemplate": {}}, "targetResource is missing"),
        ("meters", {"meterTemplate": {"targetResource": {"href": "meterConfigs"}}},
         "can have no Meter"),
        ("meters", {"meterTemplate": {"targetResource": {"href": "#x"}}}, "'#x'"),
    ],
)  # fmt: skip
def test_a_failure_in_a_part_leaves_nothing_behind(
    client: Client, url: str, document: Any, says: str
) -> None:
    if url == "segments":
        template = document["protocolSegmentTemplate"]
        document = {"protocolSegmentTemplate": {**template, "network": client.network}}
    assert says in refused(client, url, document)


# -- meters and event logs (5.17) -----------------------------------------------------------


def test_a_meter_is_listed_where_it_measures(client: Client) -> None:
    machine, other = client.get("machines")["machines"][:2]
    here = machine["meters"]["href"]
    made = client.add(here, {"meterTemplate": {"meterConfig": {"units": "percent"}}})
    assert (made["targetResource"], made["parent"]) == (href(machine), {"href": here})
    message = refused(client, here, {"meterTemplate": {"targetResource": href(other)}})
    assert "targetResource is another one" in message
    assert client.ask("DELETE", made["id"]).status_code == 200
    assert client.get(here)["count"] == 0


def test_a_meter_keeps_its_parent_when_an_update_does_not_say_it(client: Client) -> None:
    machine = client.get("machines")["machines"][0]
    made = client.add(machine["meters"]["href"], {"meterTemplate": {}})
    changed = client.ask("PUT", made["id"], {"name": "cpu"})
    assert (changed.status_code, changed.json["parent"]) == (200, made["parent"])


def test_the_whole_cloud_can_be_measured(client: Client) -> None:
    made = client.add("meters", {"meterTemplate": {"targetResource": {"href": "cloudEntryPoint"}}})
    assert made["targetResource"]["href"].endswith("/cloudEntryPoint")
    assert client.ask("DELETE", made["id"]).status_code == 200


def test_a_configuration_says_what_can_be_measured_by_it(client: Client) -> None:
    config = client.add("meterConfigs", {"associatedResources": [f"{NS}/Volume", f"{NS}/System"]})
    machine = client.get("machines")["machines"][0]
    said = {"targetResource": href(machine), "meterConfig": href(config)}
    message = refused(client, "meters", {"meterTemplate": said})
    assert f"this configuration is for {NS}/Volume" in message
    volume = client.get("volumes")["volumes"][0]
    client.add("meters", {"meterTemplate": {**said, "targetResource": href(volume)}})


def test_the_newest_event_log_is_that_of_the_resource(client: Client) -> None:
    made = client.segment(eventLogTemplate={})
    newer = client.add("eventLogs", {"eventLogTemplate": {"targetResource": href(made)}})
    assert client.get(made["id"])["eventLog"] == href(newer)
    assert client.ask("DELETE", newer["id"]).status_code == 200
    assert "eventLog" not in client.get(made["id"])
    machine = client.get("machines")["machines"][0]
    client.add("eventLogs", {"eventLogTemplate": {"targetResource": href(machine)}})
    assert "updated" not in client.get(machine["id"])  # no consumer changed the machine


# -- systems (5.13) ---------------------------------------------------------------------------


def component(type_name: str, **said: Any) -> dict[str, Any]:
    return {"type": f"{NS}/{type_name}", **said}


def test_a_system_is_made_of_what_its_template_describes(client: Client) -> None:
    machine = client.get("machines")["machines"][0]
    key = client.add("credentialTemplates", {"name": "tpl", "userName": "root"})
    template = client.add("systemTemplates", {
        "name": "t",
        "componentDescriptors": [
            component("Machine", machine=href(machine)),
            component("Credential", name="key", description="d", properties={"a": "b"},
                      credentialTemplate={"href": key["id"], "password": "x"}),
            component("Credential", name="more", quantity=2, credentialTemplate={}),
            component("ProtocolSegment", name="lan", protocolSegmentTemplate=segment_template(
            endpoints=[{"href": "#end"}])),
            component("ProtocolEndpoint", name="end", protocolEndpointTemplate={}),
            component("NetworkService", networkServiceTemplate={
                "type": "DHCP", "segments": [{"href": "#lan"}]}),
            component("Meter", meterTemplate={"targetResource": {"href": "#lan"}}),
            component("System", name="inner", systemTemplate={"componentDescriptors": [
                component("Machine", machine=href(machine))]}),
        ],
        "serviceDescriptors": [{
            "name": "dr", "serviceType": f"{NS}/SystemService/disasterrecovery",
            "parameters": {"backupDataCenter": "http://elsewhere/"}}],
        "meterTemplates": [{"name": "m"}],
        "eventLogTemplate": {},
    })  # fmt: skip
    system = client.add("systems", {"name": "s", "systemTemplate": href(template)})

    def inside(attribute: str) -> list[dict[str, Any]]:
        found = client.get(system[attribute]["href"])
        return list(found.get(attribute_list(client, found["id"]), [])) if found["count"] else []

    assert [item["id"] for item in inside("machines")] == [machine["id"]]
    assert [item["name"] for item in inside("credentials")] == ["key", "more1", "more2"]
    one = inside("credentials")[0]
    assert (one["userName"], one["description"], one["properties"]) == ("root", "d", {"a": "b"})
    assert one["parent"] == system["credentials"]
    [service] = inside("networkServices")
    [lan] = client.get(service["segments"]["href"])["protocolSegments"]
    assert (lan["name"], lan["parent"]) == ("lan", href(system))
    [end] = client.get(lan["endpoints"]["href"])["protocolEndpoints"]
    assert (end["name"], end["protocol"]) == ("end", "IPv4")
    assert client.get(lan["meters"]["href"])["count"] == 1
    [inner] = inside("systems")
    assert (inner["name"], inner["state"]) == ("inner", client.get(machine["id"])["state"])
    [recovery] = inside("services")
    assert (recovery["name"], recovery["parent"]) == ("dr", system["services"])
    assert inside("meters")[0]["targetResource"] == href(system)
    assert client.get(system["eventLog"]["href"])["targetResource"] == href(system)
    job = client.get("jobs?$orderby=created:desc&$first=1&$last=1")["jobs"][0]
    assert {"href": one["id"]} in job["affectedResources"]
    # what was made with the System goes with it, what was there already stays
    assert client.ask("DELETE", system["id"]).status_code == 200
    for gone in (one, service, lan, end, inner, recovery):
        assert client.ask("GET", gone["id"]).status_code == 404
    assert client.get(machine["id"])["id"] == machine["id"]
    assert client.get(template["id"])["name"] == "t"


def test_a_highreliability_service_lists_the_machines_that_it_names(client: Client) -> None:
    machine = client.get("machines")["machines"][0]
    system = client.add("systems", {"systemTemplate": {
        "componentDescriptors": [component("Machine", name="m", machine=href(machine))],
        "serviceDescriptors": [{
            "serviceType": f"{NS}/SystemService/highreliability/active",
            "parameters": {"machines": "#m", "heartbeat": 100}}],
    }})  # fmt: skip
    [service] = client.get(system["services"]["href"])["systemServices"]
    listed = client.get(service["machines"]["href"])
    assert listed["count"] == 1
    assert client.ask("DELETE", service["id"]).status_code == 200
    assert client.get(system["machines"]["href"])["count"] == 1


@pytest.mark.parametrize(
    ("descriptors", "says"),
    [
        ([component("Machine", machineTemplate={})], "Machine cannot be made in this way"),
        ([component("Volume", machine={"href": "machines/x"})], "but machine is for a Machine"),
        ([component("Machine")], "exactly one component"),
        ([component("Credential", credentialTemplate={}, credential={"href": "credentials/x"})],
         "exactly one component"),
        ([component("Machine", machine={"href": "machines/none"})], "no such Machine"),
        ([{"credentialTemplate": {}}], "componentDescriptors[0].type is missing"),
        ([component("Credential", credentialTemplate={}, quantity=-1)], "cannot be negative"),
        ([component("Credential", credentialTemplate={}, quantity=10**6)], "1000 at most"),
        ([component("Credential", credentialTemplate={}, quantity=600)] * 2, "1000 resources"),
        ([component("ProtocolSegment", name="s", protocolSegmentTemplate=segment_template(
            endpoints=[{"href": "#nobody"}]))], "'#nobody'"),
        ([component("ProtocolSegment", name="s", protocolSegmentTemplate=segment_template(
            endpoints=[{"href": "#s"}]))], "ProtocolEndpoint"),
    ],
)  # fmt: skip
def test_a_system_that_cannot_be_made_leaves_nothing_behind(
    client: Client, descriptors: Any, says: str
) -> None:
    template = {"componentDescriptors": [component("Credential", credentialTemplate={}),
                                         *descriptors]}  # fmt: skip
    says = says.replace("componentDescriptors[0]", "componentDescriptors[1]")
    assert says in refused(client, "systems", {"systemTemplate": template})


def test_a_system_template_is_checked_before_it_is_kept(client: Client) -> None:
    lan = component("ProtocolSegment", name="lan", protocolSegmentTemplate=segment_template(
            endpoints=[{"href": "#end"}]))  # fmt: skip
    message = refused(client, "systemTemplates", {"componentDescriptors": [lan]})
    assert "'#end', and no component has this name" in message
    wrong = component("Credential", name="end", credentialTemplate={})
    message = refused(client, "systemTemplates", {"componentDescriptors": [lan, wrong]})
    assert "'#end', which is a Credential" in message
    right = component("ProtocolEndpoint", name="end", protocolEndpointTemplate={})
    made = client.add("systemTemplates", {"componentDescriptors": [lan, right]})
    assert made["componentDescriptors"][0]["protocolSegmentTemplate"]["endpoints"] == [
        {"href": "#end"}
    ]
    assert client.ask("PUT", made["id"], made).json == made


def test_a_system_template_is_no_part_of_itself(client: Client) -> None:
    made = client.add("systemTemplates", {"name": "t"})
    itself = component("System", systemTemplate=href(made))
    body = {**made, "componentDescriptors": [itself]}
    assert client.ask("PUT", made["id"], body).status_code == 200
    message = refused(client, "systems", {"systemTemplate": href(made)})
    assert "is part of itself" in message


def test_a_system_is_made_in_xml_too(client: Client) -> None:
    body = (
        f'<SystemCreate xmlns="{NS}"><name>x</name><systemTemplate><componentDescriptors>'
        f"<componentDescriptor><name>c</name><type>{NS}/Credential</type>"
        "<credentialTemplate><userName>u</userName></credentialTemplate><quantity>2</quantity>"
        "</componentDescriptor></componentDescriptors></systemTemplate></SystemCreate>"
    )
    answer = client.ask("POST", "systems", body, Content_Type="application/xml")
    assert answer.status_code == 201, answer.text
    listed = client.get(answer.json["credentials"]["href"])["credentials"]
    assert [(item["name"], item["userName"]) for item in listed] == [("c1", "u"), ("c2", "u")]


def test_a_system_of_1x_is_made_of_its_components(client: Client) -> None:
    old = "http://schemas.dmtf.org/cimi/1"
    system = client.add("/cimi/1/systems", {"systemTemplate": {"componentDescriptors": [
        {"name": "a", "type": f"{old}/Address", "addressTemplate": {"ip": "10.0.0.1"}},
        {"name": "c", "type": f"{old}/Credential", "credentialTemplate": {"userName": "u"}},
    ]}})  # fmt: skip
    [join] = client.get(system["addresses"]["href"])["systemAddresses"]
    assert client.get(join["address"]["href"])["ip"] == "10.0.0.1"
    [join] = client.get(system["credentials"]["href"])["systemCredentials"]
    assert client.get(join["credential"]["href"])["userName"] == "u"
    assert client.ask("DELETE", system["id"]).status_code == 200
    assert client.ask("GET", join["credential"]["href"]).status_code == 404


# -- read in 1.x and sent back ------------------------------------------------------------


@pytest.mark.parametrize("media", ["application/json", "application/xml"])
def test_volumes_of_a_template_are_what_they_were_when_1x_sends_them_back(
    client: Client, media: str
) -> None:
    """5.14.3: of a VolumeTemplate by value 1.x may have nothing to show; it is there."""
    gone = client.add("volumeTemplates", {"volumeConfig": {"capacity": 5}})
    metadata = client.add("resourceMetadata", {"typeURI": f"{NS}/Volume"})
    hidden = {"volumeTemplate": {"genResourceMetadata": href(metadata)}}
    items = [{"volumeTemplate": href(gone)}, hidden, {"volumeTemplate": {}}]
    made = client.add("machineTemplates", {"volumeTemplates": items})
    assert client.ask("DELETE", gone["id"]).status_code == 200
    # 5.10.1: what cannot be without the reference that is gone, goes with it
    assert client.get(made["id"])["volumeTemplates"] == items[1:]
    old = made["id"].replace("/cimi/2/", "/cimi/1/")
    shown = client.ask("GET", old, Accept=media)
    answer = client.ask("PUT", old, shown.text, Content_Type=media)
    assert answer.status_code == 200, answer.text
    assert len(client.get(made["id"])["volumeTemplates"]) == 2
