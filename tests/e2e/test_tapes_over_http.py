"""Both tapes over HTTP, asked by a stock client: pywbem, which knows nothing of tapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import pywbem

from cimi_cim.lab.replay import replay_server
from tests.tapes import SERVERS, tape_folder

NS = "root/virt"


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stock(server: str) -> Iterator[pywbem.WBEMConnection]:
    """A server of its own for each test: method calls leave traces."""
    with (
        replay_server(tape_folder(server)) as front,
        closing(pywbem.WBEMConnection(front.url, default_namespace=NS)) as connection,
    ):
        yield connection


def system(name: str) -> pywbem.CIMInstanceName:
    keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
    return pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace=NS)


def names(found: list[pywbem.CIMInstance], key: str = "InstanceID") -> set[str]:
    return {instance[key] for instance in found}


def test_instances_with_all_or_some_properties(stock: pywbem.WBEMConnection, server: str) -> None:
    systems = stock.EnumerateInstances("KVM_ComputerSystem")
    assert {i["Name"]: i["EnabledState"] for i in systems} == {"web01": 2, "db01": 9, "test03": 3}
    assert {path["Name"] for path in stock.EnumerateInstanceNames("CIM_ComputerSystem")} >= {
        "web01", "vm",
    }  # fmt: skip
    whole = stock.GetInstance(system("web01"))
    some = stock.GetInstance(system("web01"), PropertyList=["name", "EnabledState"])
    ignores_lists = server == "sfcb"
    assert len(some.properties) == (len(whole.properties) if ignores_lists else 2)
    assert some["Name"] == "web01"


def test_a_subclass_is_answered_from_what_its_superclass_enumerated(
    stock: pywbem.WBEMConnection,
) -> None:
    ports = stock.EnumerateInstances("CIM_NetworkPort")
    assert names(ports, "DeviceID") == names(
        stock.EnumerateInstances("KVM_NetworkPort"), "DeviceID"
    )
    settings = stock.EnumerateInstances("CIM_ResourceAllocationSettingData")
    assert len(settings) == 33  # only their names were recorded together


def test_association_classes_enumerate_to_nothing_and_can_be_walked(
    stock: pywbem.WBEMConnection,
) -> None:
    assert stock.EnumerateInstances("KVM_SettingsDefineState") == []
    [setting] = stock.Associators(system("web01"), AssocClass="CIM_SettingsDefineState")
    assert setting["InstanceID"] == "KVM:web01"
    assert (setting.path.host, setting.path.namespace) == ("vm", NS)
    assert setting.properties == stock.GetInstance(setting.path).properties


def test_associators_narrowed_by_class_and_role(stock: pywbem.WBEMConnection) -> None:
    devices = stock.Associators(system("web01"), AssocClass="CIM_SystemDevice")
    assert len(devices) == 15
    disks = stock.Associators(
        system("web01"), AssocClass="CIM_SystemDevice", ResultClass="CIM_LogicalDisk"
    )
    assert names(disks, "DeviceID") == {"web01/vda", "web01/vdb", "web01/hdc"}
    by_role = stock.AssociatorNames(
        system("web01"), AssocClass="KVM_SystemDevice", Role="GroupComponent",
        ResultRole="PartComponent", ResultClass="KVM_LogicalDisk",
    )  # fmt: skip
    assert {path["DeviceID"] for path in by_role} == names(disks, "DeviceID")
    assert stock.AssociatorNames(
        system("web01"), AssocClass="KVM_SystemDevice", Role="PartComponent"
    ) == []  # fmt: skip


def test_references_narrowed_by_class(stock: pywbem.WBEMConnection) -> None:
    links = stock.References(system("web01"))
    assert len(links) == 26
    [state] = stock.References(system("web01"), ResultClass="KVM_SettingsDefineState")
    assert state["ManagedElement"]["Name"] == "web01"
    assert state["SettingData"]["InstanceID"] == "KVM:web01"
    assert [state.path] == stock.ReferenceNames(
        system("web01"), ResultClass="CIM_SettingsDefineState"
    )


def test_declarations_without_prose(stock: pywbem.WBEMConnection) -> None:
    assert "KVM_ComputerSystem" in stock.EnumerateClassNames(DeepInheritance=True)
    cls = stock.GetClass("KVM_ComputerSystem", LocalOnly=False)
    assert cls.superclass == "CIM_ComputerSystem"
    assert [p.name for p in cls.properties.values() if "Key" in p.qualifiers] == [
        "CreationClassName", "Name",
    ]  # fmt: skip
    assert cls.properties["OperationalStatus"].is_array
    change = cls.methods["RequestStateChange"]
    assert change.parameters["RequestedState"].type == "uint16"
    assert change.parameters["Job"].type == "reference"
    link = stock.GetClass("KVM_SettingsDefineState", LocalOnly=False)
    assert link.qualifiers["Association"].value is True
    assert not any("Description" in element.qualifiers for element in (cls, change))


def test_pulls_are_answered_as_the_server_did(stock: pywbem.WBEMConnection, server: str) -> None:
    if server == "sfcb":  # like EnumerateInstances, without EndOfSequence
        with pytest.raises(pywbem.CIMXMLParseError):
            stock.OpenEnumerateInstances("KVM_ComputerSystem", MaxObjectCount=1)
        return
    found = []
    opened = stock.OpenEnumerateInstances("KVM_ComputerSystem", MaxObjectCount=1)
    found += opened.instances
    while not opened.eos:
        opened = stock.PullInstancesWithPath(opened.context, MaxObjectCount=1)
        found += opened.instances
    assert names(found, "Name") == {"web01", "db01", "test03"}
    opened = stock.OpenAssociatorInstancePaths(
        system("web01"), AssocClass="CIM_SystemDevice", MaxObjectCount=4
    )
    stock.CloseEnumeration(opened.context)
    with pytest.raises(pywbem.CIMError) as caught:
        stock.PullInstancePaths(opened.context, MaxObjectCount=4)
    assert caught.value.status_code == pywbem.CIM_ERR_INVALID_ENUMERATION_CONTEXT


def test_errors_are_the_servers_own(stock: pywbem.WBEMConnection, server: str) -> None:
    prefix = {"sfcb": "", "pegasus": "CIM_ERR_NOT_FOUND: "}[server]
    with pytest.raises(pywbem.CIMError) as caught:
        stock.GetInstance(system("db99"))
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_FOUND
    assert caught.value.status_description == (
        f"{prefix}Referenced domain `db99' does not exist: Domain not found:"
        " no domain with matching name 'db99'"
    )
    said = {
        "sfcb": [(5, "Class not found"), (6, "Provider not found or not loadable"),
                 (3, "Invalid namespace")],
        "pegasus": [(5, "CIM_ERR_INVALID_CLASS: X_No"), (4, "CIM_ERR_INVALID_PARAMETER: X_No"),
                    (3, "CIM_ERR_INVALID_NAMESPACE: root/no")],
    }[server]  # fmt: skip
    calls: list[Callable[[], object]] = [
        lambda: stock.EnumerateInstances("X_No"),
        lambda: stock.Associators(system("web01"), AssocClass="X_No"),
        lambda: stock.EnumerateInstances("CIM_System", namespace="root/no"),
    ]
    for call, expected in zip(calls, said, strict=True):
        with pytest.raises(pywbem.CIMError) as caught:
            call()
        assert (caught.value.status_code, caught.value.status_description) == expected
    with pytest.raises(pywbem.CIMError, match=r"not supported|NOT_SUPPORTED"):
        stock.DeleteInstance(system("web01"))
    with pytest.raises(pywbem.CIMError, match="Unknown Method"):
        stock.InvokeMethod("MakeTea", system("web01"))


def test_other_namespaces_are_answered_as_recorded(
    stock: pywbem.WBEMConnection, server: str
) -> None:
    profiles = stock.EnumerateInstances("KVM_RegisteredProfile", namespace="root/interop")
    assert len(profiles) == 13
    systems = stock.EnumerateInstances("CIM_ComputerSystem", namespace="root/cimv2")
    assert [i.classname for i in systems] == ([] if server == "sfcb" else ["PG_ComputerSystem"])
    with pytest.raises(pywbem.CIMError, match="not recorded"):
        stock.EnumerateInstances("CIM_System", namespace="root/cimv2")


def change(stock: pywbem.WBEMConnection, name: str, state: int) -> int:
    returned, _ = stock.InvokeMethod(
        "RequestStateChange", system(name), RequestedState=pywbem.Uint16(state)
    )
    return int(returned)


def test_a_method_call_is_answered_and_seen(stock: pywbem.WBEMConnection) -> None:
    assert stock.GetInstance(system("test03"))["EnabledState"] == 3
    assert change(stock, "test03", 2) == 0
    assert stock.GetInstance(system("test03"))["EnabledState"] == 2
    systems = stock.EnumerateInstances("CIM_ComputerSystem")
    assert {i["Name"]: i["EnabledState"] for i in systems}["test03"] == 2
    assert change(stock, "test03", 9) == 0
    assert stock.GetInstance(system("test03"))["EnabledState"] == 9
    with pytest.raises(pywbem.CIMError, match="State not supported") as caught:
        change(stock, "test03", 6)
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED


def defined_system() -> tuple[pywbem.CIMInstance, list[pywbem.CIMInstance]]:
    """The settings of the system that was defined while the tape was recorded."""

    def setting(kind: str, **values: object) -> pywbem.CIMInstance:
        return pywbem.CIMInstance(f"KVM_{kind}SettingData", values)

    system_settings = setting(
        "VirtualSystem", ElementName="new01", VirtualSystemIdentifier="new01",
        VirtualSystemType="KVM", BootDevices=["hd"], AutoStart=pywbem.Uint16(0),
    )  # fmt: skip
    resources = [
        setting("ProcResourceAllocation", InstanceID="new01/proc", ResourceType=pywbem.Uint16(3),
                VirtualQuantity=pywbem.Uint64(1)),
        setting("MemResourceAllocation", InstanceID="new01/mem", ResourceType=pywbem.Uint16(4),
                VirtualQuantity=pywbem.Uint64(65536), AllocationUnits="KiloBytes"),
        setting("DiskResourceAllocation", ResourceType=pywbem.Uint16(17), VirtualDevice="vda",
                Address="/var/lib/libvirt/images/new01.qcow2", EmulatedType=pywbem.Uint16(0)),
        setting("NetResourceAllocation", ResourceType=pywbem.Uint16(10),
                Address="52:54:00:aa:bb:10", NetworkType="network", ResourceSubType="virtio",
                PoolID="NetworkPool/default"),
    ]  # fmt: skip
    return system_settings, resources


def test_a_method_call_with_instances_is_matched_by_meaning(
    stock: pywbem.WBEMConnection, server: str
) -> None:
    """SFCB refuses embedded objects and takes them as text; OpenPegasus takes both."""
    [service] = stock.EnumerateInstanceNames("KVM_VirtualSystemManagementService")
    settings, resources = defined_system()
    if server == "sfcb":
        with pytest.raises(pywbem.CIMError) as caught:
            stock.InvokeMethod(
                "DefineSystem", service, SystemSettings=settings, ResourceSettings=resources
            )
        assert caught.value.status_code == pywbem.CIM_ERR_TYPE_MISMATCH
        settings, resources = (
            settings.tocimxmlstr(),
            [resource.tocimxmlstr() for resource in resources],
        )
    returned, out = stock.InvokeMethod(
        "DefineSystem", service, SystemSettings=settings, ResourceSettings=resources
    )
    assert (returned, out["ResultingSystem"]["Name"]) == (0, "new01")
