"""Every method call is written down, for any client to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pywbem

from tests.lab.conftest import Lab
from tests.lab.provisioning import Site, disk, setting

StartLab = Callable[..., Lab]


def test_calls_are_written_down_in_order_with_what_they_carried(lab: StartLab) -> None:
    site = Site(lab(0))
    made = site.define("one", disk(10**9, ElementName="root"))
    site.call("DefineSystem", SystemSettings=setting(VirtualSystemType="other"))
    site.refused("DefineSystem", SystemSettings=setting(VirtualSystemIdentifier="one"))
    site.call("DestroySystem", AffectedSystem=made)
    calls = site.client.EnumerateInstances("LAB_MethodCall")
    assert [call["Number"] for call in calls] == [1, 2, 3, 4]
    names = [call["MethodName"] for call in calls]
    assert names == ["DefineSystem"] * 3 + ["DestroySystem"]
    first, wrong, duplicate, destroyed = calls
    assert first["ElementNames"] == ["the one", "root"]
    assert first["Tokens"] == ["one"]
    sent_to = pywbem.CIMInstanceName.from_wbem_uri(first["ObjectPath"])
    assert sent_to.keybindings == site.service().keybindings
    assert [call.get("ReturnCode") for call in calls] == [4096, 4, None, 4096]
    assert duplicate["StatusCode"] == pywbem.CIM_ERR_ALREADY_EXISTS
    assert wrong.get("Tokens") is None
    assert 'Name="one"' in destroyed["References"][0]
    assert all(call["Answered"] for call in calls)
    in_process = site.lab.simulation.calls
    assert [(c.number, c.method) for c in in_process] == list(enumerate(names, 1))
    assert in_process[0].tokens == ("one",)


def test_calls_are_counted_by_method(lab: StartLab) -> None:
    site = Site(lab(0, pace=0))
    for _ in range(3):
        site.call("DefineSystem")
    with pytest.raises(pywbem.CIMError):
        site.client.InvokeMethod("NoSuchMethod", site.service())
    counts = {
        (found["ObjectClass"], found["MethodName"]): found["Calls"]
        for found in site.client.EnumerateInstances("LAB_MethodStatistics")
    }
    cls = "LAB_VirtualSystemManagementService"
    assert counts == {(cls, "DefineSystem"): 3, (cls, "NoSuchMethod"): 1}


def test_a_reference_to_an_association_is_a_uri_too(lab: StartLab) -> None:
    site = Site(lab(0, pace=0))
    (link, *_) = site.client.EnumerateInstanceNames("CIM_StorageSynchronized")
    site.call(
        "ModifyReplicaSynchronization", "Replication", Operation=pywbem.Uint16(15),
        Synchronization=link,
    )  # fmt: skip
    (call,) = site.client.EnumerateInstances("LAB_MethodCall")
    read = pywbem.CIMInstanceName.from_wbem_uri(call["References"][0])
    assert read.classname == "LAB_StorageSynchronized"
    ends = {str(value) for value in read.keybindings.values()}
    assert {end.partition("DeviceID=")[2].partition('"')[2].partition('"')[0] for end in ends} == {
        path["DeviceID"] for path in link.keybindings.values()
    }
