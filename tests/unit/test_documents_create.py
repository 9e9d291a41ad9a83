"""What documents that create, insert and remove are taken for, in both formats and versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cimi_cim.errors import BadRequest
from cimi_cim.http.codec import json_decoder, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import CimiVersion, Kind
from tests import creating

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
HREF = "http://h:1/cimi/2/"


def links(version: CimiVersion) -> Links:
    return Links(f"http://h:1/cimi/{version.value}", version, MODEL)


def from_json(
    said: Mapping[str, Any], type_name: str = "Machine", version: CimiVersion = V2
) -> CreateDocument:
    return json_decoder.decode_create(json.dumps(said).encode(), type_name, links(version))


def from_xml(body: str, type_name: str = "Machine", version: CimiVersion = V2) -> CreateDocument:
    head, _, rest = body.partition(">")
    is_empty = head.endswith("/")
    named = f'{head.removesuffix("/")} xmlns="{version.namespace}"{"/" if is_empty else ""}>{rest}'
    return xml_decoder.decode_create(named.encode(), type_name, links(version))


def uri(name: str, version: CimiVersion = V2) -> str:
    return f"{version.namespace}/{name}"


# -- the patterns of 4.2.1.1 --------------------------------------------------------------


def test_a_template_by_value() -> None:
    wanted = CreateDocument(
        {"name": "web1", "description": "front end", "properties": {"env": "test"}},
        {
            "machineConfig": {"cpu": 2, "memory": 4194304, "disks": [{"capacity": 20000000}]},
            "machineImage": Ref("machineImages/7"),
            "initialState": "STARTED",
        },
    )
    assert from_json({
        "resourceURI": uri("MachineCreate"), "name": "web1", "description": "front end",
        "properties": {"env": "test"},
        "machineTemplate": {
            "machineConfig": {"cpu": 2, "memory": 4194304, "disks": [{"capacity": 20000000}]},
            "machineImage": {"href": "machineImages/7"},
            "initialState": "STARTED",
        },
    }) == wanted  # fmt: skip
    assert from_xml(
        "<MachineCreate><name>web1</name><description>front end</description>"
        '<properties><property key="env">test</property></properties><machineTemplate>'
        "<machineConfig><cpu>2</cpu><memory> 4194304 </memory>"
        "<disks><disk><capacity>20000000</capacity></disk></disks></machineConfig>"
        '<machineImage href="machineImages/7"/><initialState>STARTED</initialState>'
        "</machineTemplate></MachineCreate>"
    ) == wanted  # fmt: skip


def test_a_template_by_reference_with_overrides_of_which_one_erases() -> None:
    overrides = {"initialState": "STOPPED", "userData": None, "volumes": None}
    wanted = CreateDocument({"name": "web2"}, Ref("machineTemplates/3", None, overrides))
    found = from_json({
        "name": "web2",
        "machineTemplate": {"href": f"{HREF}machineTemplates/3", **overrides},
    })  # fmt: skip
    assert found == wanted
    in_xml = from_xml(
        f'<MachineCreate><name>web2</name><machineTemplate href="{HREF}machineTemplates/3">'
        "<initialState>STOPPED</initialState><userData/><volumes/></machineTemplate></MachineCreate>"
    )
    assert in_xml == wanted


@pytest.mark.parametrize("version", [V1, V2])
def test_null_erases_beside_an_href_and_says_nothing_elsewhere(version: CimiVersion) -> None:
    found = from_json({
        "name": None,
        "machineTemplate": {
            "userData": None,
            "machineConfig": {"href": "machineConfigs/c", "cpu": None},
            "machineImage": {"imageLocation": None, "name": "i"},
        },
    }, version=version)  # fmt: skip
    assert found == CreateDocument(
        {},
        {
            "machineConfig": Ref("machineConfigs/c", None, {"cpu": None}),
            "machineImage": {"name": "i"},
        },
    )


def test_an_override_beside_an_href_counts_even_in_a_whole_copy_of_the_template() -> None:
    copy = {"href": "machineTemplates/3", "resourceURI": uri("MachineTemplate"), "id": "x",
            "created": "2026-02-03T10:00:00Z", "initialState": "STOPPED",
            "operations": []}  # fmt: skip
    found = from_json({"machineTemplate": copy})
    assert found.template == Ref("machineTemplates/3", None, {"initialState": "STOPPED"})


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("name", ["MachineCreate", "Machine", None])
def test_the_wrapper_is_not_insisted_on(name: str | None, version: CimiVersion) -> None:
    said: dict[str, Any] = {"machineTemplate": {"initialState": " STARTED "}}
    if name is not None:
        said["resourceURI"] = uri(name, version) + " "
    wanted = CreateDocument({}, {"initialState": "STARTED"})
    assert from_json(said, version=version) == wanted
    body = "<machineTemplate><initialState> STARTED\n</initialState></machineTemplate>"
    root = name or "Machine"
    assert from_xml(f"<{root}>{body}</{root}>", version=version) == wanted
    bare = f"<{root}>{body}</{root}>".encode()
    assert xml_decoder.decode_create(bare, "Machine", links(version)) == wanted


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("name", ["MachineImageCreate", "MachineImage", None])
def test_what_has_no_template_is_its_own_representation(
    name: str | None, version: CimiVersion
) -> None:
    said = {"name": "i", "type": "IMAGE", "imageLocation": "http://e/i", "state": "AVAILABLE"}
    wanted = CreateDocument({"name": "i", "type": "IMAGE", "imageLocation": "http://e/i"})
    body = {**said, **({"resourceURI": uri(name, version)} if name else {})}
    assert from_json(body, "MachineImage", version) == wanted
    root = name or "MachineImage"
    inside = "".join(f"<{n}>{v}</{n}>" for n, v in said.items())
    assert from_xml(f"<{root}>{inside}</{root}>", "MachineImage", version) == wanted


def test_a_representation_creates_what_could_have_a_template_too() -> None:
    """DSP0263 5.5.12.1: either a representation of the new resource, or a template."""
    found = from_json({"resourceURI": uri("Credential"), "userName": "root"}, "Credential")
    assert found == CreateDocument({"userName": "root"})


def test_what_belongs_in_the_template_is_not_taken_beside_it() -> None:
    for name in ("MachineCreate", "Machine"):
        with pytest.raises(BadRequest, match="no attribute 'cpu'"):
            from_json({"resourceURI": uri(name), "cpu": 2, "machineTemplate": {}})
        with pytest.raises(BadRequest, match="no attribute 'cpu'"):
            from_xml(f"<{name}><cpu>2</cpu><machineTemplate/></{name}>")


def test_an_empty_template_is_one_by_value() -> None:
    assert from_json({"networkTemplate": {}}, "Network") == CreateDocument({}, {})
    empty = from_xml("<NetworkCreate><networkTemplate/></NetworkCreate>", "Network")
    assert empty == CreateDocument({}, {})
    assert from_xml("<NetworkCreate/>", "Network") == CreateDocument({}, None)


def test_a_password_is_read() -> None:
    found = from_json({"credentialTemplate": {"userName": "a", "password": "b"}}, "Credential")
    assert found.template == {"userName": "a", "password": "b"}


@pytest.mark.parametrize("version", [V1, V2])
def test_every_type_that_can_be_created_has_a_smallest_document(version: CimiVersion) -> None:
    for name, resource in MODEL.types.items():
        form = resource.form(version)
        if form is None:
            continue
        for root in (form.type_name, f"{form.type_name}Create"):
            said = {"resourceURI": uri(root, version), "properties": {"k": "v"}}
            wanted = CreateDocument({"properties": {"k": "v"}})
            assert from_json(said, name, version) == wanted
            assert from_xml(f"<{root}/>", name, version) == CreateDocument({})


def test_a_document_of_another_type_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"what belongs here is .*MachineCreate"):
        from_json({"resourceURI": uri("VolumeCreate"), "volumeTemplate": {}})
    with pytest.raises(BadRequest, match="is a VolumeCreate; what belongs here is a MachineCreate"):
        from_xml("<VolumeCreate/>")
    with pytest.raises(BadRequest, match=r"what belongs here is .*/2/MachineImage$"):
        from_json({"resourceURI": uri("MachineImage", V1)}, "MachineImage")


# -- what stands inside of templates ------------------------------------------------------

COMPONENTS = [
    (version, row.name)
    for version in CimiVersion
    for row in MODEL.structures["componentDescriptor"].rows
    if row.choice is not None and row.form(version) is not None
]


@pytest.mark.parametrize(("version", "component"), COMPONENTS)
def test_a_system_is_made_of_any_component(version: CimiVersion, component: str) -> None:
    """DSP0263 Table 14: a template inline, one by reference with overrides, or what exists."""
    row = next(r for r in MODEL.structures["componentDescriptor"].rows if r.name == component)
    is_template = row.kind is Kind.REF_OR_VALUE
    bases: list[Any] = [Ref("machines/x")]
    if is_template:
        bases += [{"name": "inline"}, Ref("machines/x", None, {"description": "mine"})]
    for base in bases:
        descriptor = {
            "name": "part",
            "type": "http://schemas.dmtf.org/cimi/2/Part",
            component: base,
        }
        document = CreateDocument({"name": "shop"}, {"componentDescriptors": [descriptor]})
        as_json = creating.json_body("System", document, links(version))
        as_xml = creating.xml_body("System", document, links(version))
        assert json_decoder.decode_create(as_json, "System", links(version)) == document
        assert xml_decoder.decode_create(as_xml, "System", links(version)) == document


def test_components_refer_to_each_other_by_name() -> None:
    """DSP0263 5.13.4: the name stays until the System is made."""
    template = {"href": "machineTemplates/72", "credential": {"href": "#login"}}
    descriptor = {"type": uri("Machine"), "machineTemplate": template}
    found = from_json({"systemTemplate": {"componentDescriptors": [descriptor]}}, "System")
    wanted = Ref("machineTemplates/72", None, {"credential": Ref(url="#login")})
    inside = (
        f"<componentDescriptors><componentDescriptor><type>{uri('Machine')}</type>"
        '<machineTemplate href="machineTemplates/72"><credential href="#login"/></machineTemplate>'
        "</componentDescriptor></componentDescriptors>"
    )
    body = f"<SystemCreate><systemTemplate>{inside}</systemTemplate></SystemCreate>"
    for document in (found, from_xml(body, "System")):
        assert isinstance(document.template, dict)
        assert document.template["componentDescriptors"][0]["machineTemplate"] == wanted


@pytest.mark.parametrize("version", [V1, V2])
def test_configurations_inside_are_overridden_and_erased_alike(version: CimiVersion) -> None:
    """DSP0263 4.2.1.1: the rules of the template hold for a configuration as well."""
    wanted = {"machineConfig": Ref("machineConfigs/c", None, {"memory": 4, "cpuArch": None,
                                                              "disks": None})}  # fmt: skip
    config = {"href": "machineConfigs/c", "memory": "4", "cpuArch": None, "disks": None}
    assert from_json({"machineTemplate": {"machineConfig": config}}, version=version) == (
        CreateDocument({}, wanted)
    )
    disks = "<disks/>" if version is V2 else "<disk/>"
    body = (
        '<MachineCreate><machineTemplate><machineConfig href="machineConfigs/c">'
        f"<memory>4</memory><cpuArch/>{disks}</machineConfig></machineTemplate></MachineCreate>"
    )
    assert from_xml(body, version=version) == CreateDocument({}, wanted)


# -- enhanced Collections, and joins of 1.x -----------------------------------------------


def test_a_volume_may_be_made_in_the_volumes_of_a_machine() -> None:
    wanted = CreateDocument(
        {"name": "data", "initialLocation": "/dev/vdb"}, {"volumeConfig": {"capacity": 5}}
    )
    template = {"volumeTemplate": {"volumeConfig": {"capacity": "5"}}}
    for said in (
        {"resourceURI": uri("VolumeCreate"), "name": "data", "initialLocation": "/dev/vdb",
         **template},
        {"resourceURI": uri("locatedVolume"), "initialLocation": "/dev/vdb",
         "volume": {"name": "data"} | template},
        {"initialLocation": "/dev/vdb", "volume": {"name": "data"} | template},
    ):  # fmt: skip
        assert from_json(said, "locatedVolume") == wanted
    inside = "<volumeTemplate><volumeConfig><capacity>5</capacity></volumeConfig></volumeTemplate>"
    for body in (
        "<VolumeCreate><name>data</name><initialLocation>/dev/vdb</initialLocation>"
        f"{inside}</VolumeCreate>",
        "<locatedVolume><initialLocation>/dev/vdb</initialLocation>"
        f"<volume><name>data</name>{inside}</volume></locatedVolume>",
    ):
        assert from_xml(body, "locatedVolume") == wanted


@pytest.mark.parametrize(
    ("version", "type_name", "item", "path"),
    [
        (V2, "locatedVolume", "volume", "volumes/v"),
        (V1, "locatedVolume", "volume", "volumes/v"),
        (V2, "RecoverableMachine", "machine", "machines/m"),
        (V1, "SystemMachine", "machine", "machines/m"),
        (V1, "SystemForwardingGroup", "forwardingGroup", "forwardingGroups/f"),
    ],
)
def test_a_place_in_a_collection_may_refer_to_what_exists(
    version: CimiVersion, type_name: str, item: str, path: str
) -> None:
    form = MODEL[type_name].form(version)
    assert form is not None
    wanted = CreateDocument({item: Ref(path)})
    said = {item: {"href": f"http://h:1/cimi/{version.value}/{path}", "name": "not read"}}
    assert from_json(said, type_name, version) == wanted
    body = f'<{form.type_name}><{item} href="{path}"/></{form.type_name}>'
    assert from_xml(body, type_name, version) == wanted


def test_a_place_is_given_to_one_thing() -> None:
    said = {"volume": {"href": "volumes/v"}, "volumeTemplate": {}}
    with pytest.raises(BadRequest, match="says twice what its Volume is to be"):
        from_json(said, "locatedVolume")


def test_an_interface_of_1_x_is_posted_as_itself() -> None:
    said = {"resourceURI": uri("MachineNetworkInterface", V1), "mtu": "1500",
            "network": {"href": "networks/n"}}  # fmt: skip
    found = from_json(said, "NetworkInterface", V1)
    assert found == CreateDocument({"mtu": 1500, "network": Ref("networks/n")})
    with pytest.raises(BadRequest, match="networkInterfaceTemplate"):
        from_json({"networkInterfaceTemplate": {}}, "NetworkInterface", V1)


# -- insert and remove --------------------------------------------------------------------


def membership(
    said: Mapping[str, Any], type_name: str, action: str = "insert", version: CimiVersion = V2
) -> MembershipDocument:
    body = json.dumps(said).encode()
    return json_decoder.decode_membership(body, type_name, action, links(version))


def xml_membership(body: str, type_name: str, action: str = "insert") -> MembershipDocument:
    named = body.replace("<Action", f'<Action xmlns="{V2.namespace}"').encode()
    return xml_decoder.decode_membership(named, type_name, action, links(V2))


def test_a_volume_is_inserted_where_the_guest_finds_it() -> None:
    """DSP0263 5.5.12.2."""
    wanted = MembershipDocument(Ref("volumes/5"), {"initialLocation": "/dev/vdb"}, {"a": "b"})
    assert membership({
        "resourceURI": uri("Action"), "action": uri("action/insert"), "properties": {"a": "b"},
        "initialLocation": "/dev/vdb", "volume": {"href": f"{HREF}volumes/5"},
    }, "locatedVolume") == wanted  # fmt: skip
    assert xml_membership(
        f'<Action><action>{uri("action/insert")}</action><properties><property key="a">b</property>'
        '</properties><initialLocation>/dev/vdb</initialLocation>'
        '<volume href="volumes/5"/></Action>',
        "locatedVolume",
    ) == wanted  # fmt: skip


@pytest.mark.parametrize(
    ("type_name", "item", "path"),
    [
        ("Machine", "machine", "machines/m"),
        ("Volume", "volume", "volumes/v"),
        ("ProtocolSegment", "protocolSegment", "segments/s"),
        ("NetworkInterface", "networkInterface", "interfaces/i"),
        ("RecoverableMachine", "machine", "machines/m"),
    ],
)
def test_a_resource_is_removed_under_the_name_of_its_type(
    type_name: str, item: str, path: str
) -> None:
    """DSP0263 5.5.12.3."""
    said = {"action": uri("action/remove"), item: {"href": path}}
    assert membership(said, type_name, "remove") == MembershipDocument(Ref(path))
    body = f'<Action><action>{uri("action/remove")}</action><{item} href="{path}"/></Action>'
    assert xml_membership(body, type_name, "remove") == MembershipDocument(Ref(path))


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({}, "the document has no action; it should be .*/action/insert"),
        ({"action": uri("action/remove"), "volume": {"href": "x"}}, "what was posted to is"),
        ({"action": uri("action/insert")}, "names no volume; it should have its href"),
        ({"action": uri("action/insert"), "volume": None}, "names no volume"),
        ({"action": uri("action/insert"), "volume": {}}, "volume must have an href"),
        ({"action": uri("action/insert"), "volum": {"href": "x"}}, "did you mean 'volume'"),
        ({"resourceURI": uri("Volume"), "volume": {"href": "x"}}, "belongs here is .*/Action"),
    ],
)
def test_an_insert_that_does_not_say_what_is_refused(said: Mapping[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        membership(said, "locatedVolume")


@pytest.mark.parametrize(
    ("said", "xml", "name"),
    [
        ({"resourceURI": uri("Action"), "action": uri("action/insert")},
         f"<Action><action> {uri('action/insert')}\n</action></Action>", "insert"),
        ({"action": uri("action/remove")}, "<Action><action>remove</action></Action>", "remove"),
        ({"resourceURI": uri("Action")}, "<Action/>", ""),
        ({"resourceURI": uri("MachineCreate"), "action": "x"}, "<MachineCreate/>", None),
        ({"name": "web"}, "<Machine><name>web</name></Machine>", None),
    ],
)  # fmt: skip
def test_what_is_posted_to_a_collection_creates_or_acts(
    said: Mapping[str, Any], xml: str, name: str | None
) -> None:
    assert json_decoder.action_in(json.dumps(said).encode()) == name
    assert xml_decoder.action_in(xml.encode()) == name
