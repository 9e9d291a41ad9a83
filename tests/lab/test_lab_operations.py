"""Stock clients work with the lab: a plain pywbem client is all these tests use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import pywbem

from tests.lab.conftest import Lab

StartLab = Callable[..., Lab]


def keys(path: Any) -> tuple[Any, ...]:
    return (path.classname, tuple(sorted((k.lower(), str(v)) for k, v in path.keybindings.items())))


def test_a_superclass_enumerates_all_its_subclasses(lab: StartLab) -> None:
    client = lab().client
    systems = {i.classname for i in client.EnumerateInstances("CIM_ComputerSystem")}
    assert systems == {"LAB_HostSystem", "LAB_VirtualSystem", "LAB_VirtualSwitch"}
    assert len(client.EnumerateInstanceNames("LAB_VirtualSystem")) == 20


def test_names_and_instances_agree_and_lead_to_the_same_instance(lab: StartLab) -> None:
    client = lab(5).client
    for cls in ("CIM_ResourceAllocationSettingData", "CIM_LogicalDevice", "CIM_SystemDevice"):
        names = client.EnumerateInstanceNames(cls)
        instances = client.EnumerateInstances(cls)
        assert [keys(n) for n in names] == [keys(i.path) for i in instances]
        for instance in instances:
            assert client.GetInstance(instance.path) == instance


def test_a_property_list_leaves_out_the_rest_whatever_its_case(lab: StartLab) -> None:
    client = lab(3).client
    found = client.EnumerateInstances("CIM_ComputerSystem", PropertyList=["elementname", "NAME"])
    assert {frozenset(i.properties) for i in found} == {frozenset(("ElementName", "Name"))}
    none = client.GetInstance(found[0].path, PropertyList=[])
    assert not none.properties


def test_without_deep_inheritance_only_the_classes_own_properties_come(lab: StartLab) -> None:
    client = lab(3).client
    deep = client.EnumerateInstances("CIM_SettingData")
    flat = client.EnumerateInstances("CIM_SettingData", DeepInheritance=False)
    assert [keys(i.path) for i in flat] == [keys(i.path) for i in deep]
    assert any("VirtualQuantity" in i for i in deep)
    assert not any("VirtualQuantity" in i for i in flat)


def test_every_link_can_be_walked_from_both_ends(lab: StartLab) -> None:
    client = lab(6).client
    for link in client.EnumerateInstances("CIM_SystemDevice"):
        system, device = link["GroupComponent"], link["PartComponent"]
        to = client.AssociatorNames(system, AssocClass="CIM_SystemDevice", Role="GroupComponent")
        assert keys(device) in [keys(path) for path in to]
        back = client.AssociatorNames(device, AssocClass="CIM_SystemDevice", Role="PartComponent")
        assert [keys(path) for path in back] == [keys(system)]
        assert keys(link.path) in [
            keys(path) for path in client.ReferenceNames(device, ResultClass="CIM_SystemDevice")
        ]


def test_result_class_and_roles_narrow_what_is_associated(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("running")
    processors = server.client.Associators(machine, ResultClass="CIM_Processor")
    assert processors
    assert {i.classname for i in processors} == {"LAB_Processor"}
    assert not server.client.Associators(
        machine, AssocClass="CIM_SystemDevice", Role="PartComponent"
    )
    host = server.client.Associators(
        machine, AssocClass="CIM_HostedDependency", Role="Dependent", ResultRole="Antecedent"
    )
    assert [i.classname for i in host] == ["LAB_HostSystem"]
    everything = server.client.AssociatorNames(machine)
    assert len({keys(path) for path in everything}) == len(everything)


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_a_pulled_enumeration_equals_a_plain_one(lab: StartLab, most: int) -> None:
    client = lab(6).client
    plain = client.EnumerateInstances("CIM_LogicalDevice")
    result = client.OpenEnumerateInstances("CIM_LogicalDevice", MaxObjectCount=most)
    pulled = list(result.instances)
    while not result.eos:
        result = client.PullInstancesWithPath(result.context, MaxObjectCount=most)
        pulled += result.instances
    assert [keys(i.path) for i in pulled] == [keys(i.path) for i in plain]
    assert [dict(i) for i in pulled] == [dict(i) for i in plain]


def test_the_iterators_of_pywbem_pull_associations_and_paths_too(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("running")
    options = {"MaxObjectCount": 2, "OperationTimeout": 30}
    client = server.client
    assert [keys(i.path) for i in client.IterAssociatorInstances(machine, **options)] == [
        keys(path) for path in client.AssociatorNames(machine)
    ]
    assert [keys(p) for p in client.IterReferenceInstancePaths(machine, **options)] == [
        keys(path) for path in client.ReferenceNames(machine)
    ]


def test_an_enumeration_ends_when_it_is_closed_or_forgotten(lab: StartLab) -> None:
    server = lab()
    client = server.client

    def opened() -> Any:
        return client.OpenEnumerateInstances(
            "CIM_ComputerSystem", MaxObjectCount=1, OperationTimeout=10
        ).context

    closed = opened()
    client.CloseEnumeration(closed)
    forgotten = opened()
    server.clock.now += 11
    for context in (closed, forgotten, ("no-such", "root/virt")):
        with pytest.raises(pywbem.CIMError) as error:
            client.PullInstancesWithPath(context, MaxObjectCount=1)
        assert error.value.status_code == pywbem.CIM_ERR_INVALID_ENUMERATION_CONTEXT


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c: c.EnumerateInstances("CIM_Nonsense"), pywbem.CIM_ERR_INVALID_CLASS),
        (lambda c: c.GetClass("CIM_Nonsense"), pywbem.CIM_ERR_NOT_FOUND),
        (
            lambda c: c.EnumerateInstances("CIM_Job", namespace="a/b"),
            pywbem.CIM_ERR_INVALID_NAMESPACE,
        ),
        (
            lambda c: c.GetInstance(
                pywbem.CIMInstanceName("LAB_VirtualSystem", {"Name": "x"}, namespace="root/virt")
            ),
            pywbem.CIM_ERR_NOT_FOUND,
        ),
        (
            lambda c: c.OpenEnumerateInstances(
                "CIM_Job", FilterQueryLanguage="DMTF:FQL", FilterQuery="Name = 'x'"
            ),
            pywbem.CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED,
        ),
        (
            lambda c: c.OpenEnumerateInstances("CIM_Job", OperationTimeout=9999),
            pywbem.CIM_ERR_INVALID_OPERATION_TIMEOUT,
        ),
        (lambda c: c.ExecQuery("WQL", "select * from CIM_Job"), pywbem.CIM_ERR_NOT_SUPPORTED),
        (lambda c: c.DeleteClass("LAB_Memory"), pywbem.CIM_ERR_NOT_SUPPORTED),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_the_cim_error_for_it(lab: StartLab, call: Any, code: int) -> None:
    with pytest.raises(pywbem.CIMError) as error:
        call(lab(1).client)
    assert error.value.status_code == code


def test_classes_come_with_what_they_inherit(lab: StartLab) -> None:
    client = lab(1).client
    cls = client.GetClass("LAB_VirtualSystem", LocalOnly=False, IncludeClassOrigin=True)
    assert cls.superclass == "CIM_ComputerSystem"
    assert cls.properties["EnabledState"].class_origin == "CIM_EnabledLogicalElement"
    assert cls.properties["EnabledState"].qualifiers["Values"].value[2] == "Enabled"
    assert cls.properties["Name"].qualifiers["Key"].value is True
    assert "RequestStateChange" in cls.methods
    assert not client.GetClass("LAB_VirtualSystem").properties
    link = client.GetClass("LAB_SystemDevice", LocalOnly=False)
    assert link.properties["PartComponent"].reference_class == "CIM_LogicalDevice"
    assert link.properties["PartComponent"].qualifiers["Key"].value is True


def test_class_names_follow_the_hierarchy(lab: StartLab) -> None:
    client = lab(1).client
    assert set(client.EnumerateClassNames(ClassName="CIM_ComputerSystem")) == {
        "LAB_HostSystem",
        "LAB_VirtualSystem",
        "LAB_VirtualSwitch",
    }
    top = client.EnumerateClassNames()
    assert "CIM_ManagedElement" in top
    assert "LAB_VirtualSystem" not in top
    assert "LAB_VirtualSystem" in client.EnumerateClassNames(DeepInheritance=True)
    assert client.GetQualifier("Key").type == "boolean"
    assert {q.name for q in client.EnumerateQualifiers()} >= {"Key", "ValueMap", "Association"}


def test_the_server_tells_its_namespaces_and_its_profiles(lab: StartLab) -> None:
    server = lab(3)
    wbem = pywbem.WBEMServer(server.interop())
    assert wbem.interop_ns == "interop"
    assert set(wbem.namespaces) == {"root/virt", "interop"}
    names = {(p["RegisteredName"], p["RegisteredVersion"]) for p in wbem.profiles}
    assert ("System Virtualization", "1.0.0") in names
    profile = wbem.get_selected_profiles("DMTF", "Virtual System")[0]
    central = wbem.get_central_instances(profile.path, "LAB_VirtualSystem")
    assert len(central) == 3
    assert {path.namespace for path in central} == {"root/virt"}


def test_every_instance_has_only_declared_properties_and_all_its_keys(lab: StartLab) -> None:
    """pywbem checks types as it parses; names and keys are checked against the classes."""
    server = lab()
    for namespace in ("root/virt", "interop"):
        client = server.client
        for root in client.EnumerateClassNames(namespace=namespace):
            for instance in client.EnumerateInstances(root, namespace=namespace):
                declared = server.simulation.repository.classes.find(instance.classname)
                assert declared is not None
                for name in instance.properties:
                    assert name.lower() in declared.properties
                assert set(instance.path.keybindings) == set(declared.keys)


def test_the_same_seed_gives_the_same_inventory(lab: StartLab) -> None:
    def inventory(seed: int) -> list[Any]:
        return list(lab(8, seed=seed).client.EnumerateInstances("CIM_ManagedElement"))

    assert inventory(7) == inventory(7)
    assert inventory(7) != inventory(8)


def test_readers_and_writers_do_not_disturb_each_other(lab: StartLab) -> None:
    server = lab(40, pace=0)
    machines = server.client.EnumerateInstanceNames("LAB_VirtualSystem")

    def read(_: int) -> int:
        with pywbem.WBEMConnection(server.url, default_namespace="root/virt") as client:
            devices = client.EnumerateInstances("CIM_LogicalDevice")
            for device in devices[:5]:
                client.AssociatorNames(device.path) if device else None
            return len(client.EnumerateInstances("CIM_VirtualSystemSettingData"))

    def write(number: int) -> int:
        with pywbem.WBEMConnection(server.url, default_namespace="root/virt") as client:
            for state in (3, 2, 3, 2):
                client.InvokeMethod(
                    "RequestStateChange", machines[number], RequestedState=pywbem.Uint16(state)
                )
        return 0

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, number) for number in range(6)]
        reading = [pool.submit(read, number) for number in range(8)]
        assert {job.result() for job in writing} == {0}
        assert len({job.result() for job in reading}) == 1
