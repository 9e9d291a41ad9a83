"""A server that enumerates association classes to nothing is found out, and walked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from tests.asked import classes

ASSOCIATIONS = ("CIM_SettingsDefineState", "CIM_VirtualSystemSettingDataComponent")
WALK_ONLY = "language: 1\nname: walked\nextends: base\nassociations: walk-only\n"
MACHINES = Location("Machine", (("machines", None),))


class Hiding:
    """The lab as libvirt-cim is: associations are there, and enumerate to an empty list."""

    def __init__(self, machines: int) -> None:
        self._platform = Simulation(machines)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        if call.operation == "EnumerateInstances" and (
            call.parameters.get("ClassName") in ASSOCIATIONS
        ):
            return Reply([])
        return self._platform.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        return self._platform.method(call)


@contextmanager
def opened(
    backend: Hiding | Simulation, mapping: str = "base", beside: Path | None = None
) -> Iterator[Engine]:
    with WbemFront(backend) as front:
        client = WbemClient(ConnectionSettings(front.url), load_dialect("generic"))
        gateway = TracingGateway(client, "lab")
        engine = Engine(
            [Target("lab", gateway, load_mapping(mapping, load_model(), beside=beside))]
        )
        yield engine
        engine.close()


def machines(engine: Engine) -> list[Resource]:
    return list(engine.read_collection(MACHINES, None, Deadline.after(30)).items)


def test_machines_are_the_same_whether_associations_enumerate_or_not() -> None:
    with opened(Simulation(6)) as plain, opened(Hiding(6)) as engine:
        expected = machines(plain)
        found = machines(engine)
        assert [dict(m.values) for m in found] == [dict(m.values) for m in expected]
        assert len(found) == 6
        with traced(Trace()) as trace:
            assert machines(engine) == found
    # What was found out is remembered: nothing is enumerated in vain, nothing probed again.
    assert not set(classes(trace, "EnumerateInstances")) & set(ASSOCIATIONS)
    assert classes(trace, "AssociatorNames") == []
    assert set(classes(trace, "Associators")) == set(ASSOCIATIONS)


def test_a_mapping_may_say_that_associations_are_only_walked(tmp_path: Path) -> None:
    (tmp_path / "walked.yaml").write_text(WALK_ONLY)
    with opened(Hiding(4), "walked.yaml", tmp_path) as engine, traced(Trace()) as trace:
        assert len(machines(engine)) == 4
    assert not set(classes(trace, "EnumerateInstances")) & set(ASSOCIATIONS)
    assert not set(classes(trace, "AssociatorNames")) & set(ASSOCIATIONS)  # nothing is probed


def test_an_association_without_instances_costs_a_few_probes_and_no_walks() -> None:
    with opened(Simulation(0)) as engine:
        assert machines(engine) == []
        with traced(Trace()) as trace:
            assert machines(engine) == []
    assert classes(trace, "Associators") == []
    kinds = 2  # hosts and switches
    assert len(classes(trace, "AssociatorNames")) <= 4 * kinds * len(ASSOCIATIONS)


@pytest.mark.parametrize("machine", [0, 3])
def test_a_single_machine_needs_no_enumeration(machine: int) -> None:
    with opened(Hiding(4)) as engine:
        item = machines(engine)[machine]
        location = Location("Machine", (("machines", item.path.rpartition("/")[2]),))
        with traced(Trace()) as trace:
            single = engine.read(location, None, Deadline.after(30))
    assert {k: single.values[k] for k in item.values} == dict(item.values)
    assert classes(trace, "EnumerateInstances") == []
    assert len(trace.operations) <= 4
