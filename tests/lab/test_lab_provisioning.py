"""Whatever clients do in whatever order, all at once or one after the other: the platform adds up.

The state machine calls every provisioning method with good and bad parameters while jobs
run, are given up and fail; the invariants look at the instances alone.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pywbem
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pywbem import Uint16, Uint64

from cimi_cim.lab.backend import MethodCall
from cimi_cim.lab.personality import SHIPPED, load_personality
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.values import EmbeddedInstance
from tests.lab.conftest import Clock, Lab
from tests.lab.invariants import check
from tests.lab.provisioning import (
    DISK,
    DONE,
    MEMORY,
    PROCESSOR,
    RUNNING,
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
GIB = 2**30
EXAMPLES = int(os.environ.get("LAB_EXAMPLES", "4"))  # more of them for a long run
STEPS_PER_CHECK = 6
REFUSED = {1, 2, 3, 4, 5, 6, 4097}


class Provisioning(RuleBasedStateMachine):
    """Every method, in any order, over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.simulation = Simulation(2, clock=self.clock)
        self._server = lab_server(self.simulation)
        front = self._server.__enter__()
        self.client = pywbem.WBEMConnection(front.url, default_namespace="root/virt")
        self.site = Site(Lab(self.simulation, self.clock, front.url, self.client))
        self.services = {
            cls: self.site.service(cls)
            for cls in ("VirtualSystemManagement", "VirtualSystemSnapshot",
                        "StorageConfiguration", "Replication")
        }  # fmt: skip
        self.steps = 0

    def teardown(self) -> None:
        try:
            check(self.client)
            self.clock.now += 1000
            check(self.client)
        finally:
            self.client.close()
            self._server.__exit__(None, None, None)

    def call(self, method: str, cls: str = "VirtualSystemManagement", **sent: Any) -> None:
        """Call a method, which may say no."""
        parameters = [(name, value) for name, value in sent.items() if value is not None]
        try:
            code, _ = self.client.InvokeMethod(method, self.services[cls], parameters)
        except pywbem.CIMError as error:
            code = -error.status_code
        assert (
            code
            in {STARTED, DONE, -pywbem.CIM_ERR_FAILED, -pywbem.CIM_ERR_ALREADY_EXISTS} | REFUSED
        )

    def names(self, cls: str) -> list[Any]:
        return list(self.client.EnumerateInstanceNames(cls))

    def pick(self, data: st.DataObject, cls: str) -> Any:
        return data.draw(st.sampled_from(self.names(cls)))

    @rule(data=st.data(), size=st.integers(1, 3), mebibytes=st.sampled_from([64, 30 * 1024]))
    def defines(self, data: st.DataObject, size: int, mebibytes: int) -> None:
        name = f"m{data.draw(st.integers(1, 6))}"
        wanted = [processors(size), memory(mebibytes)]
        wanted += data.draw(st.lists(st.sampled_from([disk(GIB), adapter()]), max_size=3))
        if data.draw(st.booleans()):
            wanted.append(attached(self.pick(data, "LAB_StorageVolume")))
        system = setting(VirtualSystemIdentifier=name, ElementName=f"{name} title")
        self.call("DefineSystem", SystemSettings=system, ResourceSettings=wanted)

    @precondition(lambda self: self.names("LAB_VirtualSystem"))
    @rule(data=st.data())
    def destroys(self, data: st.DataObject) -> None:
        self.call("DestroySystem", AffectedSystem=self.pick(data, "LAB_VirtualSystem"))

    @precondition(lambda self: self.names("LAB_VirtualSystem"))
    @rule(data=st.data(), state=st.sampled_from([2, 3, 4, 6, 9]))
    def changes_state(self, data: st.DataObject, state: int) -> None:
        self.client.InvokeMethod(
            "RequestStateChange", self.pick(data, "LAB_VirtualSystem"),
            [("RequestedState", Uint16(state))],
        )  # fmt: skip

    @rule(data=st.data(), title=st.sampled_from(["one", "two", "m1 title"]))
    def renames(self, data: st.DataObject, title: str) -> None:
        path = self.pick(data, "LAB_VirtualSystemSettingData")
        changed = setting(InstanceID=path["InstanceID"], ElementName=title)
        self.call("ModifySystemSettings", SystemSettings=changed)

    @rule(data=st.data())
    def adds(self, data: st.DataObject) -> None:
        volume = attached(self.pick(data, "LAB_StorageVolume"))
        wanted = data.draw(st.lists(st.sampled_from([disk(GIB), adapter(), volume]), min_size=1))
        self.call(
            "AddResourceSettings", ResourceSettings=wanted,
            AffectedConfiguration=self.pick(data, "LAB_VirtualSystemSettingData"),
        )  # fmt: skip

    @rule(data=st.data(), factor=st.sampled_from([1, 2, 100]))
    def changes(self, data: st.DataObject, factor: int) -> None:
        found = self.client.EnumerateInstances("CIM_ResourceAllocationSettingData")
        item = data.draw(st.sampled_from(found))
        if item["ResourceType"] in (PROCESSOR, MEMORY, DISK):
            item["VirtualQuantity"] = Uint64(int(item["VirtualQuantity"]) * factor)
        self.call("ModifyResourceSettings", ResourceSettings=[item])

    @rule(data=st.data())
    def removes(self, data: st.DataObject) -> None:
        paths = [self.pick(data, "CIM_ResourceAllocationSettingData")]
        self.call("RemoveResourceSettings", ResourceSettings=paths)

    @precondition(lambda self: self.names("LAB_VirtualSystem"))
    @rule(data=st.data(), kind=st.sampled_from([2, 3]))
    def keeps(self, data: st.DataObject, kind: int) -> None:
        system = self.pick(data, "LAB_VirtualSystem")
        self.call(
            "CreateSnapshot", "VirtualSystemSnapshot", AffectedSystem=system,
            SnapshotType=Uint16(kind),
        )  # fmt: skip

    @rule(data=st.data(), method=st.sampled_from(["ApplySnapshot", "DestroySnapshot"]))
    def uses_snapshots(self, data: st.DataObject, method: str) -> None:
        parameter = "Snapshot" if method == "ApplySnapshot" else "AffectedSnapshot"
        path = self.pick(data, "LAB_VirtualSystemSettingData")
        self.call(method, "VirtualSystemSnapshot", **{parameter: path})

    @rule(data=st.data(), size=st.sampled_from([2**20, GIB, 3000 * GIB]), thin=st.booleans())
    def creates_volumes(self, data: st.DataObject, size: int, thin: bool) -> None:
        old = self.pick(data, "LAB_StorageVolume") if data.draw(st.booleans()) else None
        self.call(
            "CreateOrModifyElementFromStoragePool", "StorageConfiguration",
            ElementType=Uint16(5 if thin else 2), Size=Uint64(size), TheElement=old,
        )  # fmt: skip

    @rule(data=st.data())
    def returns_volumes(self, data: st.DataObject) -> None:
        volume = self.pick(data, "LAB_StorageVolume")
        self.call("ReturnToStoragePool", "StorageConfiguration", TheElement=volume)

    @rule(data=st.data(), sync_type=st.sampled_from([7, 8]))
    def copies(self, data: st.DataObject, sync_type: int) -> None:
        self.call(
            "CreateElementReplica", "Replication", SyncType=Uint16(sync_type),
            SourceElement=self.pick(data, "LAB_StorageVolume"),
        )  # fmt: skip

    @precondition(lambda self: self.names("LAB_StorageSynchronized"))
    @rule(data=st.data(), operation=st.sampled_from([8, 15, 19]))
    def works_on_copies(self, data: st.DataObject, operation: int) -> None:
        self.call(
            "ModifyReplicaSynchronization", "Replication", Operation=Uint16(operation),
            Synchronization=self.pick(data, "LAB_StorageSynchronized"),
        )  # fmt: skip

    @rule(seconds=st.sampled_from([0.2, 1.0, 10.0, 400.0]))
    def waits(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(data=st.data(), state=st.sampled_from([4, 5]))
    def gives_up(self, data: st.DataObject, state: int) -> None:
        jobs = self.client.EnumerateInstances("LAB_ConcreteJob")
        running = [job.path for job in jobs if job["JobState"] == RUNNING]
        if running:
            self.client.InvokeMethod(
                "RequestStateChange", data.draw(st.sampled_from(running)),
                [("RequestedState", Uint16(state))],
            )  # fmt: skip

    @rule(spec=st.sampled_from(["*:times=1:job-error", "*:times=1:job-hang", "*:times=1:rc=2"]))
    def breaks(self, spec: str) -> None:
        self.simulation.failures.clear()
        self.simulation.failures.add(spec)

    @invariant()
    def everything_adds_up(self) -> None:
        self.steps += 1
        if self.steps % STEPS_PER_CHECK == 0:
            check(self.client)


TestProvisioning = Provisioning.TestCase
TestProvisioning.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def test_the_first_inventory_adds_up(lab: StartLab) -> None:
    found = check(lab(40).client)
    assert len(found.of("VirtualSystem")) == 40


def test_clients_at_the_same_time_get_what_there_is_and_no_more(lab: StartLab) -> None:
    """16 clients want 16 machines under 8 names, of 20 GiB each where 6 fit."""
    site = Site(lab(0, pace=0))
    service = site.service()

    def define(number: int) -> int:
        wanted = [memory(20 * 1024), disk(GIB), adapter()]
        system = setting(VirtualSystemIdentifier=f"m{number % 8}")
        sent = [("SystemSettings", system), ("ResourceSettings", wanted)]
        client = pywbem.WBEMConnection(site.lab.url, default_namespace="root/virt")
        try:
            return int(client.InvokeMethod("DefineSystem", service, sent)[0])
        except pywbem.CIMError as error:
            return -int(error.status_code)
        finally:
            client.close()

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(define, range(16)))
    assert outcomes[DONE] == 6  # 64 GiB on each of two hosts
    assert set(outcomes) == {DONE, -1, -11}
    assert len(check(site.client).of("VirtualSystem")) == 6
    assert len(site.client.EnumerateInstances("LAB_MethodCall")) == 16
    assert [call.number for call in site.lab.simulation.calls] == list(range(1, 17))


def test_a_vendor_without_jobs_does_all_at_once(tmp_path: Path, lab: StartLab) -> None:
    file = tmp_path / "vendor.yaml"
    file.write_text(SHIPPED.read_text().replace("jobs: true", "jobs: false"))
    site = Site(lab(0, personality=load_personality(file)))
    code, out = site.call("DefineSystem", ResourceSettings=[memory(1024)])
    assert code == DONE
    assert site.call("DestroySystem", AffectedSystem=out["ResultingSystem"])[0] == DONE
    site.lab.simulation.failures.add("DefineSystem:job-error=broken")
    assert site.refused("DefineSystem").status_description == "Failed: broken"
    assert not site.client.EnumerateInstances("CIM_ConcreteJob")


@pytest.mark.parametrize("section", ["limits", "hot", "work"])
def test_a_vendor_says_limits_and_durations(tmp_path: Path, lab: StartLab, section: str) -> None:
    replaced = {
        "limits": ("maximum: 64, ", "maximum: 2,  "),
        "hot": ("change: [memory, disk", "change: [disk"),
        "work": ("{define: 3,", "{define: 30,"),
    }[section]
    text_ = SHIPPED.read_text()
    assert replaced[0] in text_
    file = tmp_path / "vendor.yaml"
    file.write_text(text_.replace(*replaced))
    site = Site(lab(0, personality=load_personality(file)))
    if section == "limits":
        assert site.call("DefineSystem", ResourceSettings=[processors(3)])[0] == 4
    elif section == "hot":
        made = site.define("m")
        site.request(made, 2)
        (mem,) = site.resources(made, MEMORY)
        assert site.call("ModifyResourceSettings", ResourceSettings=[mem])[0] == 5
    else:
        _, out = site.call("DefineSystem")
        site.lab.clock.now += 15
        assert site.client.GetInstance(out["Job"])["PercentComplete"] == 50


def test_clients_that_do_everything_at_the_same_time_leave_it_whole(lab: StartLab) -> None:
    """Eight clients, each with its own order of calls; what they may not do is refused."""
    site = Site(lab(8, pace=0))

    def work(seed: int) -> int:
        rng = random.Random(seed)
        mine = Site(Lab(
            site.lab.simulation, site.lab.clock, site.lab.url,
            pywbem.WBEMConnection(site.lab.url, default_namespace="root/virt"),
        ))  # fmt: skip
        done = 0
        for _ in range(12):
            try:
                done += _anything(mine, rng)[0] == DONE
            except pywbem.CIMError as error:
                if error.status_code not in (1, 6, 11):  # failed, gone meanwhile, already there
                    raise
        mine.client.close()
        return done

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(8)))
    assert all(done)
    check(site.client)


def _anything(site: Site, rng: random.Random) -> Any:
    """Call some method with something that was there a moment ago."""

    def some(cls: str) -> Any:
        return rng.choice(site.client.EnumerateInstanceNames(cls))

    system, volume = some("LAB_VirtualSystem"), some("LAB_StorageVolume")
    choices: list[Callable[[], Any]] = [
        lambda: site.call(
            "DefineSystem", ResourceSettings=[disk(GIB), adapter(), attached(volume)],
            SystemSettings=setting(VirtualSystemIdentifier=f"m{rng.randrange(5)}"),
        ),
        lambda: site.call("DestroySystem", AffectedSystem=system),
        lambda: site.client.InvokeMethod(
            "RequestStateChange", system, [("RequestedState", Uint16(rng.choice((2, 3, 9))))]
        ),
        lambda: site.call(
            "AddResourceSettings", ResourceSettings=[attached(volume), adapter()],
            AffectedConfiguration=some("LAB_VirtualSystemSettingData"),
        ),
        lambda: site.call(
            "RemoveResourceSettings", ResourceSettings=[some("LAB_StorageSettingData")]
        ),
        lambda: site.call(
            "CreateSnapshot", "VirtualSystemSnapshot", AffectedSystem=system,
            SnapshotType=Uint16(2),
        ),
        lambda: site.call(
            "ApplySnapshot", "VirtualSystemSnapshot",
            Snapshot=some("LAB_VirtualSystemSettingData"),
        ),
        lambda: site.call(
            "CreateElementReplica", "Replication", SyncType=Uint16(rng.choice((7, 8))),
            SourceElement=volume,
        ),
        lambda: site.call("ReturnToStoragePool", "StorageConfiguration", TheElement=volume),
    ]  # fmt: skip
    return rng.choice(choices)()


def test_a_call_costs_the_same_among_a_thousand_machines() -> None:
    """What it costs is counted in calls of functions, which no load on this host changes."""

    def cost(machines: int) -> int:
        simulation = Simulation(machines, pace=0)
        service = simulation.repository.of_class(
            "root/virt", "LAB_VirtualSystemManagementService"
        )[0].path  # fmt: skip
        cls = "CIM_VirtualSystemSettingData"
        given = EmbeddedInstance(cls, {"VirtualSystemIdentifier": "new"})
        counted = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count)
        try:
            simulation.method(MethodCall("DefineSystem", service, {"SystemSettings": given}))
            made = simulation.repository.of_class("root/virt", "LAB_VirtualSystem")[-1].path
            for state in (2, 3):
                simulation.method(MethodCall("RequestStateChange", made, {"RequestedState": state}))
            simulation.method(MethodCall("DestroySystem", service, {"AffectedSystem": made}))
        finally:
            sys.setprofile(None)
        return counted

    few = cost(10)
    assert few > 500
    assert cost(1000) < 1.5 * few
