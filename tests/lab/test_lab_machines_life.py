"""A machine is defined, changed and destroyed as DSP1042 has it, with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from pywbem import CIMInstance, Uint16

from tests.lab.conftest import Lab
from tests.lab.provisioning import (
    ADAPTER,
    COMPLETED,
    DISK,
    DONE,
    INCOMPATIBLE,
    INVALID_PARAMETER,
    INVALID_STATE,
    MEMORY,
    PROCESSOR,
    STARTED,
    Site,
    adapter,
    attached,
    disk,
    memory,
    processors,
    setting,
)

StartLab = Callable[..., Lab]
GB = 10**9


def links_of(site: Site, path: Any) -> list[tuple[str, str]]:
    """What an element is associated with: association classes, and classes at the other end."""
    found = []
    for link in site.client.References(path):
        for end in link.properties.values():
            if end.type == "reference" and end.value != path:
                found.append((link.classname, end.value.classname))
    return sorted(found)


def test_a_machine_that_is_made_has_all_that_the_first_ones_have(lab: StartLab) -> None:
    site = Site(lab(20))
    first = site.lab.machine("defined")
    like = site.resources(first)
    kinds = [found["ResourceType"] for found in like]
    wanted = {PROCESSOR: processors(2), MEMORY: memory(1024), DISK: disk(GB), ADAPTER: adapter()}
    assert set(kinds) == set(wanted)
    made = site.define("new", *(wanted[kind] for kind in kinds))
    assert [found["ResourceType"] for found in site.resources(made)] == kinds
    assert set(site.client.GetInstance(made).keys()) == set(site.client.GetInstance(first).keys())
    job_links = {("LAB_AffectedJobElement", "LAB_ConcreteJob")}
    assert set(links_of(site, made)) - job_links == set(links_of(site, first))
    assert links_of(site, site.state_setting(made).path) == links_of(
        site, site.state_setting(first).path
    )
    for mine, theirs in zip(site.resources(made), like, strict=True):
        assert links_of(site, mine.path) == links_of(site, theirs.path)
        assert set(mine.keys()) == set(theirs.keys())
    site.request(made, 2)
    site.request(first, 2)
    assert {d.classname for d in site.devices(made)} == {d.classname for d in site.devices(first)}
    for mine in site.devices(made):
        theirs = next(d for d in site.devices(first) if d.classname == mine.classname)
        assert links_of(site, mine.path) == links_of(site, theirs.path)


def test_a_machine_is_what_was_asked_for(lab: StartLab) -> None:
    site = Site(lab(0))
    made = site.define(
        "web", processors(4), memory(2048), disk(3 * GB + 1, ElementName="root"),
        adapter(Address="AA-BB-CC-00-11-22", Connection=["host001-net1"]),
        Notes=["from a test"],
    )  # fmt: skip
    system = site.client.GetInstance(made)
    assert (system["Name"], system["ElementName"]) == ("web", "the web")
    assert system["EnabledState"] == 3
    assert site.state_setting(made)["Notes"] == ["from a test"]
    proc, mem, root, nic = site.resources(made)
    assert proc["VirtualQuantity"] == 4
    assert (mem["VirtualQuantity"], mem["VirtualQuantityUnits"]) == (2048, "byte*2^20")
    assert (
        root["VirtualQuantity"] * root["VirtualResourceBlockSize"] == -(-(3 * GB + 1) // 512) * 512
    )
    assert root["ElementName"] == "root"
    assert (nic["Address"], nic["Connection"]) == ("aa:bb:cc:00:11:22", ["host001-net1"])
    site.request(made, 2)
    port = next(d for d in site.devices(made) if d.classname == "LAB_EthernetPort")
    (end,) = site.client.Associators(port.path, AssocClass="CIM_PortImplementsEndpoint")
    (peer,) = site.client.Associators(end.path, AssocClass="CIM_ActiveConnection")
    assert peer["SystemName"] == "host001-net1"


def test_what_was_not_asked_for_has_defaults(lab: StartLab) -> None:
    site = Site(lab(0))
    code, out = site.call("DefineSystem")
    (made,) = site.finish(code, out)
    kinds = {found["ResourceType"]: found["VirtualQuantity"] for found in site.resources(made)}
    assert kinds == {PROCESSOR: 1, MEMORY: 512}


def test_without_pace_the_system_is_there_when_the_call_returns(lab: StartLab) -> None:
    site = Site(lab(0, pace=0))
    code, out = site.call("DefineSystem", SystemSettings=setting(VirtualSystemIdentifier="now"))
    assert code == DONE
    assert "Job" not in out
    assert site.client.GetInstance(out["ResultingSystem"])["Name"] == "now"
    assert site.call("DestroySystem", AffectedSystem=out["ResultingSystem"]) == (DONE, {})


def test_a_system_appears_when_its_job_ends(lab: StartLab) -> None:
    site = Site(lab(0))
    code, out = site.call("DefineSystem", SystemSettings=setting(ElementName="slow"))
    assert code == STARTED
    assert "ResultingSystem" not in out
    assert not site.client.EnumerateInstances("LAB_VirtualSystem")
    site.lab.clock.now += 1.5
    job = site.client.GetInstance(out["Job"])
    assert (job["JobState"], job["PercentComplete"]) == (4, 50)
    owner = site.client.AssociatorNames(job.path, AssocClass="CIM_OwningJobElement")
    assert [path["Name"] for path in owner] == ["management"]
    site.lab.clock.now += 1.5
    assert site.client.GetInstance(out["Job"])["JobState"] == COMPLETED
    made = site.client.Associators(job.path, AssocClass="CIM_AffectedJobElement")
    assert [found["ElementName"] for found in made] == ["slow"]


def test_what_is_destroyed_leaves_nothing_behind(lab: StartLab) -> None:
    site = Site(lab(4))
    before = len(site.lab.simulation.repository)
    reserved = site.reserved()
    made = site.define("gone", memory(1024), disk(GB), adapter())
    assert site.reserved() != reserved
    site.request(made, 2)
    assert site.call("DestroySystem", AffectedSystem=made)[0] == INVALID_STATE
    site.request(made, 3)
    site.finish(*site.call("DestroySystem", AffectedSystem=made))
    site.lab.clock.now += 1000
    site.client.EnumerateInstances("CIM_ConcreteJob")
    kept = ("LAB_MethodCall", "LAB_MethodStatistics")
    records = sum(len(site.client.EnumerateInstances(cls)) for cls in kept)
    assert len(site.lab.simulation.repository) == before + records
    assert site.reserved() == reserved
    assert site.call("DestroySystem", AffectedSystem=made)[0] == INVALID_PARAMETER


@pytest.mark.parametrize(
    "system",
    [
        {"VirtualSystemIdentifier": "vm00001"},
        {"ElementName": "web-00001"},
        {"VirtualSystemIdentifier": "host001-net0"},
    ],
)
def test_a_name_that_is_taken_is_refused(lab: StartLab, system: dict[str, str]) -> None:
    site = Site(lab(1))
    error = site.refused("DefineSystem", SystemSettings=setting(**system))
    assert error.status_code == pywbem.CIM_ERR_ALREADY_EXISTS
    assert "Already Exists" in error.status_description
    assert len(site.client.EnumerateInstanceNames("LAB_VirtualSystem")) == 1


def test_a_name_that_a_job_will_give_is_taken_until_the_job_is_given_up(lab: StartLab) -> None:
    site = Site(lab(0))
    wanted = setting(VirtualSystemIdentifier="one", ElementName="uno")
    _, out = site.call("DefineSystem", SystemSettings=wanted)
    assert site.refused("DefineSystem", SystemSettings=wanted).status_code == 11
    site.client.InvokeMethod("RequestStateChange", out["Job"], [("RequestedState", Uint16(4))])
    site.finish(*site.call("DefineSystem", SystemSettings=wanted))


@pytest.mark.parametrize(
    ("system", "resources"),
    [
        (CIMInstance("CIM_ProcessorAllocationSettingData"), []),
        (CIMInstance("CIM_NoSuchClass"), []),
        (setting(NoSuchProperty="x"), []),
        (setting(Notes="no array"), []),
        (setting(VirtualSystemType="other"), []),
        (setting(VirtualSystemIdentifier="a/b"), []),
        (setting(ElementName="n" * 256), []),
        (None, [processors(0)]),
        (None, [processors(65)]),
        (None, [processors(1), processors(1)]),
        (None, [processors(1, InstructionSet="DMTF:ARM:A64")]),
        (None, [processors(1, VirtualQuantityUnits="byte")]),
        (None, [memory(1)]),
        (None, [memory(10**6)]),
        (None, [memory(512, AllocationUnits="furlong", VirtualQuantityUnits="count")]),
        (None, [disk(0)]),
        (None, [disk(GB, PoolID="no-such-pool")]),
        (None, [disk(GB, AddressOnParent="/dev/x"), disk(GB, AddressOnParent="/dev/x")]),
        (None, [adapter(Address="52:54:00")]),
        (None, [adapter(Connection=["no-such-switch"])]),
        (None, [CIMInstance("CIM_ResourceAllocationSettingData")]),
        (None, [CIMInstance(
            "CIM_ResourceAllocationSettingData", properties={"ResourceType": Uint16(23)}
        )]),
        (None, [attached(pywbem.CIMInstanceName(
            "LAB_StorageVolume", {"DeviceID": "none"}, namespace="root/virt"
        ))]),
    ],
)  # fmt: skip
def test_wrong_settings_are_an_invalid_parameter(
    lab: StartLab, system: Any, resources: list[Any]
) -> None:
    site = Site(lab(0))
    reserved = site.reserved()
    code, out = site.call("DefineSystem", SystemSettings=system, ResourceSettings=resources or None)
    assert (code, dict(out)) == (INVALID_PARAMETER, {})
    assert site.reserved() == reserved
    assert not site.client.EnumerateInstances("CIM_ConcreteJob")


def test_settings_may_be_sent_as_text(lab: StartLab) -> None:
    site = Site(lab(0))
    text = setting(VirtualSystemIdentifier="text").tocimxmlstr()
    code, out = site.call("DefineSystem", SystemSettings=text)
    (made,) = site.finish(code, out)
    assert made["Name"] == "text"


def test_parameters_of_other_types_are_cim_errors(lab: StartLab) -> None:
    site = Site(lab(1))
    system = site.client.EnumerateInstanceNames("LAB_VirtualSystem")[0]
    for sent in (
        {"SystemSettings": system},
        {"ResourceSettings": processors(1)},
        {"NoSuchParameter": "x"},
        {"ResultingSystem": system},
    ):
        assert site.refused("DefineSystem", **sent).status_code == pywbem.CIM_ERR_INVALID_PARAMETER


def test_a_machine_is_put_where_there_is_room(lab: StartLab) -> None:
    site = Site(lab(0))
    hosts = []
    for number in range(2):
        made = site.define(f"m{number}", memory(40 * 1024))
        (host,) = site.client.AssociatorNames(
            made, AssocClass="CIM_HostedDependency", Role="Dependent"
        )
        hosts.append(host["Name"])
    assert sorted(hosts) == ["host001", "host002"]
    pinned = site.define("pinned", disk(GB, PoolID="host002-storage"), adapter())
    assert site.resources(pinned, ADAPTER)[0]["Connection"] == ["host002-net0"]
    wrong = [disk(GB, PoolID="host002-storage"), memory(512, PoolID="host001-memory")]
    assert site.call("DefineSystem", ResourceSettings=wrong)[0] == INVALID_PARAMETER
    code, _ = site.call(
        "AddResourceSettings", AffectedConfiguration=site.state_setting(pinned).path,
        ResourceSettings=[disk(GB, PoolID="host001-storage")],
    )  # fmt: skip
    assert code == INVALID_PARAMETER


def test_a_machine_is_renamed_and_keeps_its_identity(lab: StartLab) -> None:
    site = Site(lab(1))
    made = site.define("web")
    whole = site.state_setting(made)
    whole["ElementName"] = "renamed"
    whole["Notes"] = ["one", "two"]
    site.finish(*site.call("ModifySystemSettings", SystemSettings=whole))
    assert site.client.GetInstance(made)["ElementName"] == "renamed"
    assert site.state_setting(made)["Notes"] == ["one", "two"]
    whole["ElementName"] = "web-00001"
    assert site.refused("ModifySystemSettings", SystemSettings=whole).status_code == 11
    identified = setting(InstanceID=whole["InstanceID"], VirtualSystemIdentifier="other")
    code, _ = site.call("ModifySystemSettings", SystemSettings=identified)
    assert code == INCOMPATIBLE
    for wrong in (setting(ElementName="x"), setting(InstanceID="lab:none", ElementName="x"), None):
        assert site.call("ModifySystemSettings", SystemSettings=wrong)[0] == INVALID_PARAMETER
    site.define("second", ElementName="the web")  # the old name is free


def test_a_machine_is_made_like_another(lab: StartLab) -> None:
    site = Site(lab(4))
    volume = next(
        name for name in site.client.EnumerateInstanceNames("LAB_StorageVolume")
        if name["DeviceID"] == "vol-001-0"
    )  # fmt: skip
    model = site.define(
        "model", processors(4), memory(4096), disk(GB), attached(volume), adapter(),
        Notes=["golden"],
    )  # fmt: skip
    sent = {
        "SystemSettings": setting(VirtualSystemIdentifier="copy"),
        "ReferenceConfiguration": site.state_setting(model).path,
    }
    (copy,) = site.finish(*site.call(
        "DefineSystem", ResourceSettings=[memory(1024), disk(2 * GB)], **sent
    ))  # fmt: skip
    assert site.state_setting(copy)["Notes"] == ["golden"]
    assert site.client.GetInstance(copy)["ElementName"] == "copy"
    found = [(r["ResourceType"], r["VirtualQuantity"]) for r in site.resources(copy)]
    assert found == [(PROCESSOR, 4), (MEMORY, 1024), (DISK, 2 * GB // 512), (ADAPTER, 1)]
    address = [site.resources(m, ADAPTER)[0]["Address"] for m in (model, copy)]
    assert address[0] != address[1]
    sent["SystemSettings"] = setting(VirtualSystemIdentifier="small")
    code, _ = site.call("DefineSystem", ResourceSettings=[disk(GB // 2)], **sent)
    assert code == INVALID_PARAMETER


def test_a_switch_is_made_used_and_destroyed(lab: StartLab) -> None:
    site = Site(lab(0))
    wanted = CIMInstance("CIM_VirtualEthernetSwitchSettingData", properties={
        "VirtualSystemIdentifier": "blue", "ElementName": "Blue net", "VLANConnection": ["7"],
    })  # fmt: skip
    (switch,) = site.finish(*site.call("DefineSystem", SystemSettings=wanted))
    found = site.client.GetInstance(switch)
    assert (found["EnabledState"], found["Dedicated"], found["ElementName"]) == (
        3,
        [38],
        "Blue net",
    )
    first = site.client.EnumerateInstanceNames("LAB_VirtualSwitch")[0]
    made, theirs = set(links_of(site, switch)), set(links_of(site, first))
    assert made - {("LAB_AffectedJobElement", "LAB_ConcreteJob")} == theirs
    site.request(switch, 2)
    machine = site.define("m", adapter(HostResource=[switch.to_wbem_uri()]))
    site.request(machine, 2)
    assert [d["ElementName"] for d in site.devices(switch)] == ["m/nic-0"]
    assert site.call("DestroySystem", AffectedSystem=switch)[0] == INVALID_STATE
    whole = site.state_setting(switch)
    whole["VLANConnection"] = ["8"]
    site.finish(*site.call("ModifySystemSettings", SystemSettings=whole))
    assert site.state_setting(switch)["VLANConnection"] == ["8"]
    site.request(machine, 3)
    assert not site.devices(switch)
    (nic,) = site.resources(machine, ADAPTER)
    moved = adapter(InstanceID=nic["InstanceID"], Connection=["host001-net1"])
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[moved]))
    site.request(switch, 3)
    site.finish(*site.call("DestroySystem", AffectedSystem=switch))
    gone = adapter(InstanceID=nic["InstanceID"], Connection=["blue"])
    assert site.call("ModifyResourceSettings", ResourceSettings=[gone])[0] == INVALID_PARAMETER
