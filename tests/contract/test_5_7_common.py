"""Clauses 5.7 to 5.10: common attributes, states, and who belongs to whom."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from cimi_cim.lab.instances import Instance
from cimi_cim.lab.simulation import Simulation
from cimi_cim.model.types import CimiVersion
from tests.contract.provider import MACHINES, MODEL, Provider, action, operation
from tests.contract.values import type_of
from tests.lab.conftest import Clock

VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
ACTIONS = [
    (type, name)
    for type in ("Machine", "Network")
    for name in MODEL[type].actions
    if name in ("start", "stop", "restart", "pause", "suspend")
]


@VERSIONS
def test_5_7_1_every_resource_has_id_name_and_parent(
    provider: Provider, version: CimiVersion
) -> None:
    for page in provider.pages(version):
        if page.is_collection:
            continue
        assert page.json["id"]
        if page.type_name != "CloudEntryPoint" and version is CimiVersion.V2:
            assert page.json["parent"]["href"] in {p.href for p in provider.pages(version)}, page
        if page.type_name in ("CloudEntryPoint", "Machine", "Volume", "Network", "Disk"):
            assert page.json["name"], page
        if page.type_name == "Machine":
            assert page.json["description"]
            assert page.json["created"]


def test_5_7_1_a_collection_has_id_and_parent(provider: Provider) -> None:
    for page in provider.pages(CimiVersion.V2):
        if page.is_collection:
            assert page.json["id"] == page.href
            assert page.json["parent"].startswith(f"{provider.base_url}/"), page
            assert page.xml.findtext(f"{{{CimiVersion.V2.namespace}}}parent") == page.json["parent"]


def test_5_10_2_parents_lead_up_to_the_entry_point(provider: Provider) -> None:
    pages = {page.href: page for page in provider.pages(CimiVersion.V2)}
    for page in pages.values():
        above, steps = page, 0
        while above.type_name != "CloudEntryPoint":
            parent = above.json["parent"]
            below, above = above, pages[parent if isinstance(parent, str) else parent["href"]]
            assert above.is_collection != below.is_collection, page
            steps += 1
            assert steps < 10, page
    disk = next(page for page in pages.values() if page.type_name == "Disk")
    disks = pages[disk.json["parent"]["href"]]
    machine = pages[disks.json["parent"]]
    assert machine.json["disks"]["href"] == disks.href


@pytest.mark.parametrize(("type", "name"), ACTIONS)
def test_5_8_an_operation_goes_through_its_states(type: str, name: str) -> None:
    clock = Clock()
    declared = MODEL[type].actions[name]
    with ExitStack() as stack:
        simulation = Simulation(MACHINES, pace=1, clock=clock)
        provider = Provider(stack, simulation, action_wait_s=0.01)
        collection = provider.collection("machines" if type == "Machine" else "networks")
        listed = collection.rpartition("/")[2]
        if name == "start":  # there is nothing stopped among networks: stop one
            for item in provider.get(collection)[listed]:
                href = operation(item, "stop")
                if href is not None and type == "Network":
                    provider.send("POST", href, action("stop"))
                    clock.now += 600
        able = [item for item in provider.get(collection)[listed] if operation(item, name)]
        assert able
        before = able[0]
        answer = provider.send("POST", str(operation(before, name)), action(name))
        during = provider.get(before["id"])["state"]
        expected = {str(declared.transient_state)}
        if name == "restart":
            expected = {"STOPPING", "STARTING"}
        if answer.status == 202:
            assert during in expected
        else:
            assert during == declared.target_state
        clock.now += 600
        assert provider.get(before["id"])["state"] == declared.target_state


def test_5_8_no_operation_and_no_state_is_of_our_own(provider: Provider) -> None:
    for version in CimiVersion:
        for page in provider.pages(version):
            for offer in page.json.get("operations", []):
                is_word = "/" not in offer["rel"]
                assert is_word or offer["rel"].startswith(f"{version.namespace}/action/"), page
            row = type_of(page).attributes.get("state")
            if row is not None and "state" in page.json and not page.is_collection:
                form = row.form(version)
                assert form is not None
                assert page.json["state"] in {form.words.get(w, w) for w in row.values}, page


def test_5_8_an_error_shows_as_the_state_error() -> None:
    with ExitStack() as stack:
        simulation = Simulation(MACHINES, pace=0)
        provider = Provider(stack, simulation)
        machine = provider.machine("STARTED")
        instances = simulation.repository.of_class("root/virt", "LAB_VirtualSystem")
        broken = next(i for i in instances if i.values["ElementName"] == machine["name"])
        values = {**broken.values, "OperationalStatus": (6,)}  # 6 is Error
        simulation.repository.put(Instance(broken.cls, broken.namespace, values))
        assert provider.get(machine["id"])["state"] == "ERROR"
