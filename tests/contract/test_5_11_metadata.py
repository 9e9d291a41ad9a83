"""Clauses 5.11 and 5.5.14: what ResourceMetadata tell, and that it is true."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker, creatable, named
from tests.contract.provider import JSON, MODEL, XML, Page, Provider, action, operation
from tests.contract.values import items, json_values, type_of

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)
CONSTRAINTS = {"providerMandatory", "consumerMandatory", "mutable", "consumerWritable"}


def metadata(provider: Provider, version: CimiVersion = V2) -> dict[str, Document]:
    """The metadata of every type, by the name of the type."""
    listed = items(provider.get(provider.collection("resourceMetadata", version)))
    found = {item["name"]: provider.get(item["id"]) for item in listed}
    assert len(found) == len(listed) > 20
    return found


def capabilities(provider: Provider, type_name: str) -> dict[str, Any]:
    """The capabilities of a type, by their last name."""
    told = metadata(provider)[type_name].get("capabilities", [])
    return {entry["uri"].rpartition("/")[2]: entry.get("value", True) for entry in told}


def resources(provider: Provider, version: CimiVersion) -> list[Page]:
    return [page for page in provider.pages(version) if not page.is_collection]


@VERSIONS
def test_5_11_metadata_are_found_for_every_type(provider: Provider, version: CimiVersion) -> None:
    told = metadata(provider, version)
    for name, document in told.items():
        assert document["typeURI"] == f"{version.namespace}/{name}"
        assert document["resourceURI"] == f"{version.namespace}/ResourceMetadata"
        known = [form.type_name for type in MODEL.types.values()
                 if (form := type.form(version)) is not None]  # fmt: skip
        assert name in known
    assert {page.type_name for page in resources(provider, version)} <= set(told)


@VERSIONS
def test_5_11_metadata_describe_every_attribute_that_is_served(
    provider: Provider, version: CimiVersion
) -> None:
    told = metadata(provider, version)
    for page in resources(provider, version):
        described = {entry["name"] for entry in told[page.type_name]["attributes"]}
        assert set(page.json) - {"resourceURI", "operations"} <= described, page


def test_5_11_attributes_have_a_name_and_their_constraints(provider: Provider) -> None:
    for name, document in metadata(provider).items():
        for entry in document["attributes"]:
            assert set(entry) >= {"name"} | CONSTRAINTS, name
            assert all(type(entry[key]) is bool for key in CONSTRAINTS), (name, entry)
            assert entry["mutable"] or not entry["consumerWritable"], (name, entry)


@VERSIONS
def test_5_11_attributes_of_the_standard_have_neither_namespace_nor_type(
    provider: Provider, version: CimiVersion
) -> None:
    for name, document in metadata(provider, version).items():
        for entry in document["attributes"]:
            assert "namespace" not in entry, name
            assert version is CimiVersion.V1 or "type" not in entry, name


def test_5_3_what_is_mandatory_for_the_provider_is_there(provider: Provider) -> None:
    """Whatever is called mandatory shows, unless it may be empty (5.5.15) or has no value."""
    told = metadata(provider)
    for page in resources(provider, V2):
        mandatory = {e["name"] for e in told[page.type_name]["attributes"]
                     if e["providerMandatory"]}  # fmt: skip
        rows = type_of(page).attributes.values()
        never_empty = {row.name for row in rows
                       if not row.is_array and row.kind.value in ("collection", "URI", "boolean")
                       and row.minimum}  # fmt: skip
        shown = {row.name for row, _ in json_values(page)}
        assert mandatory & never_empty <= shown | {"baseURI"}, page
        if page.type_name == "Machine":
            assert {"state", "cpu", "memory", "disks", "volumes", "interfaces"} <= shown
            assert {"id", "name", "description", "parent"} <= mandatory & shown
        collections = {row.name for row in rows if row.kind.value == "collection"}
        assert mandatory & collections <= shown, page


def test_5_11_metadata_in_xml_use_attributes_of_elements(provider: Provider) -> None:
    namespace = f"{{{V2.namespace}}}"
    document = metadata(provider)["Machine"]
    root = provider.get_xml(document["id"])
    order = [etree.QName(child).localname for child in root]
    wanted = [name for name in ("attributes", "vscope", "capabilities", "actions") if name in order]
    assert [name for name in order if name in wanted] == wanted
    attributes = root.findall(f"{namespace}attributes/{namespace}attribute")
    assert [e.get("name") for e in attributes] == [e["name"] for e in document["attributes"]]
    assert attributes[0].get("mutable") == "false"
    actions = root.findall(f"{namespace}actions/{namespace}action")
    assert [(e.get("name"), e.get("uri"), e.get("method")) for e in actions] == [
        (e["name"], e["uri"], e["method"]) for e in document["actions"]
    ]
    told = root.findall(f"{namespace}capabilities/{namespace}capability")
    assert [e.get("uri") for e in told] == [e["uri"] for e in document["capabilities"]]
    assert all(e.text for e in told)


@VERSIONS
def test_5_11_actions_have_a_name_a_uri_and_a_method(
    provider: Provider, version: CimiVersion
) -> None:
    for name, document in metadata(provider, version).items():
        for entry in document.get("actions", []):
            assert entry["uri"].startswith(f"{version.namespace}/action/"), name
            assert entry["method"] in ("POST", "PUT", "DELETE"), name
            assert entry["name"] == entry["uri"].rpartition("/")[2], name


@VERSIONS
def test_5_11_operations_are_among_the_actions_of_the_metadata(
    provider: Provider, version: CimiVersion
) -> None:
    told = metadata(provider, version)
    for page in resources(provider, version):
        known = {entry["name"] for entry in told[page.type_name].get("actions", [])}
        offered = {offer["rel"].rpartition("/")[2] for offer in page.json.get("operations", [])}
        assert offered <= known, page


@VERSIONS
def test_5_11_1_capabilities_have_the_uri_of_their_type_and_name(
    provider: Provider, version: CimiVersion
) -> None:
    for name, document in metadata(provider, version).items():
        uris = [entry["uri"] for entry in document.get("capabilities", [])]
        assert len(set(uris)) == len(uris)
        for entry in document.get("capabilities", []):
            prefix = f"{version.namespace}/capability/{name}/"
            assert entry["uri"].startswith(prefix), name
            last = entry["uri"].removeprefix(prefix)
            assert entry.get("name", last) == last
            neutral = {form.type_name: type for type in MODEL.types.values()
                       if (form := type.form(version)) is not None}  # fmt: skip
            assert last in neutral[name].capabilities


def test_5_11_1_what_the_entry_point_can_do_is_told_and_true(provider: Provider) -> None:
    """Each is true because the tests of its clause pass; here each is seen to make a difference."""
    told = capabilities(provider, "CloudEntryPoint")
    machines = provider.collection("machines")
    whole = provider.get(machines)
    tried = {
        "FilterParameter": ("$filter", "state='STOPPED'"),
        "FirstParameter": ("$first", "2"),
        "SelectParameter": ("$select", "name"),
        "QueryPathNotation": ("$select", "machines/name"),
        "ExpandParameter": ("$expand", "disks"),
        "OrderByParameter": ("$orderby", "memory:desc,name:desc"),
    }
    for name, parameter in tried.items():
        assert told[name] is True
        assert provider.get(machines, parameter) != whole, name
    assert told["FormatParameter"] is True
    assert provider.request("GET", machines, ("$format", "xml")).media == XML
    assert provider.request("GET", machines, ("$format", "json"), accept=XML).media == JSON


def test_5_11_1_as_many_properties_as_told_are_kept(makers: Makers, provider: Provider) -> None:
    most = capabilities(provider, "CloudEntryPoint")["MaxPropertyItems"]
    many = {f"key{n}": str(n) for n in range(most)}
    made = makers[V2].add("MachineImage", {"properties": many})
    assert made.status == 201
    assert provider.get(made.headers["location"])["properties"] == many
    more = {**many, "one": "more"}
    assert makers[V2].add("MachineImage", {"properties": more}).status == 400


BY_VALUE = [
    ("Credential", "CredentialTemplateByValue", None),
    ("NetworkService", "NetworkServiceTemplateByValue", None),
    ("ProtocolEndpoint", "ProtocolEndpointTemplateByValue", None),
    ("ProtocolSegment", "ProtocolSegmentTemplateByValue", None),
    ("Meter", "MeterTemplateByValue", None),
    ("Meter", "MeterConfigByValue", "meterConfig"),
]


@pytest.mark.parametrize(("type_name", "capability", "inside"), BY_VALUE)
def test_5_11_1_what_may_be_passed_by_value_is_taken(
    makers: Makers, provider: Provider, type_name: str, capability: str, inside: str | None
) -> None:
    assert capabilities(provider, type_name)[capability] is True
    document = makers[V2].document(type_name)
    template = document[str(MODEL[type_name].create_template_attribute)]
    assert "href" not in template
    assert inside is None or "href" not in template[inside]
    assert makers[V2].add(type_name, document).status == 201


def test_5_11_1_component_templates_are_taken_by_value(makers: Makers, provider: Provider) -> None:
    told = capabilities(provider, "System")
    assert told["SystemComponentTemplateByValue"] is True
    made = makers[V2].make("SystemTemplate")
    [descriptor] = made["componentDescriptors"]
    assert "href" not in descriptor["credentialTemplate"]


def test_5_11_1_no_capability_is_told_without_those_it_implies(provider: Provider) -> None:
    for name in metadata(provider):
        told = capabilities(provider, name)
        for capability in MODEL[name].capabilities.values():
            if capability.implies is not None and told.get(capability.name) is True:
                assert told.get(capability.implies) is True, (name, capability.name)
    for name in ("Machine", "Volume", "Network", "NetworkInterface"):
        add = operation(provider.get(provider.collection(f"{name[0].lower()}{name[1:]}s"
                        if name != "NetworkInterface" else "interfaces")), "add")  # fmt: skip
        told = capabilities(provider, name)
        assert add is not None or not any(key.endswith("ByValue") for key in told), name


def test_5_11_1_force_is_told_and_taken(provider: Provider) -> None:
    assert capabilities(provider, "Machine")["MachineStopForce"] is True
    for name, force in (("restart", True), ("restart", False)):
        machine = provider.machine("STARTED")
        href = str(operation(machine, name))
        assert provider.send("POST", href, action(name, V2, force=force)).status in (200, 202)
        assert provider.get(machine["id"])["state"] == "STARTED"


def test_5_11_1_a_finished_job_is_kept_as_long_as_told(makers: Makers, provider: Provider) -> None:
    told = capabilities(provider, "Job")
    answer = makers[V2].add("MachineImage", {})
    job = answer.headers["cimi-job-uri"]
    assert told.get("JobRetention", 1) >= 1
    assert provider.get(job)["state"] == "SUCCESS"
    assert provider.request("DELETE", answer.headers["location"]).status == 200
    assert provider.get(job)["progress"] == 100


def test_5_11_1_a_linked_event_log_goes_with_its_resource(
    makers: Makers, provider: Provider
) -> None:
    assert capabilities(provider, "EventLog")["Linked"] is True
    system = makers[V2].make("System", eventLogTemplate={"persistence": "daily"})
    log = system["eventLog"]["href"]
    assert provider.get(log)["targetResource"] == {"href": system["id"]}
    assert provider.request("DELETE", str(operation(system, "delete"))).status == 200
    assert provider.request("GET", log).status == 404


def test_5_5_14_a_value_scope_is_an_array_named_vscope(provider: Provider) -> None:
    found = [document["vscope"] for document in metadata(provider).values() if "vscope" in document]
    assert found
    words = {"value", "values", "minimum", "maximum", "default", "increment", "units", "item"}
    for scopes in found:
        assert isinstance(scopes, list)
        for scope in scopes:
            assert scope
            for name, said in scope.items():
                assert set(said) <= words, name


def test_5_5_14_the_capability_says_that_scopes_are_enforced(provider: Provider) -> None:
    assert capabilities(provider, "CloudEntryPoint")["ValueScopes"] is True


def test_5_5_14_values_satisfy_one_of_the_scopes(makers: Makers, provider: Provider) -> None:
    maker = makers[V2]
    checked = 0
    for name, document in metadata(provider).items():
        if name not in creatable(V2) or MODEL[name].create_template_attribute is not None:
            continue
        for attribute, said in document.get("vscope", [{}])[0].items():
            row = MODEL[name].attributes[attribute]
            wrong: Any = None
            if row.kind.value == "integer" and "minimum" in said:
                wrong = said["minimum"] - 1
            elif row.kind.value == "string" and "values" in said:
                wrong = "none of them"
            if wrong is not None and not row.is_array:
                answer = maker.add(name, maker.document(name, **{attribute: wrong}))
                assert answer.status == 400, (name, attribute)
                assert attribute in answer.job["statusMessage"], (name, attribute)
                checked += 1
    assert checked


def test_5_5_restrictions_are_told_by_table_or_metadata(makers: Makers, provider: Provider) -> None:
    """A value that is refused is outside a scope of the metadata, or of the table's words."""
    maker = makers[V2]
    told = metadata(provider)
    cases = [("MachineConfiguration", "cpu", -1), ("MachineConfiguration", "memory", -1),
             ("VolumeConfiguration", "capacity", -1), ("MachineImage", "type", "PICTURE"),
             ("MachineTemplate", "initialState", "GONE")]  # fmt: skip
    for name, attribute, value in cases:
        assert maker.add(name, {attribute: value}).status == 400, attribute
        scopes = told[name].get("vscope", [])
        row = MODEL[name].attributes[attribute]
        assert row.values or any(attribute in scope for scope in scopes) or row.unit, attribute
    free = {"name": "x" * 5000, "description": "\U0001f600 ünïcode", "cpu": 10**12}
    assert maker.add("MachineConfiguration", free).status == 201


def test_5_11_1_a_stop_without_a_word_does_as_told() -> None:
    with ExitStack() as stack:
        own = Provider(stack)
        is_forced = capabilities(own, "Machine").get("MachineStopForceDefault", False)
        machine = own.machine("STARTED")
        assert own.send("POST", str(operation(machine, "stop")), action("stop")).status == 200
        assert own.backend.requested == [3 if is_forced else 4]  # off, or shut down
