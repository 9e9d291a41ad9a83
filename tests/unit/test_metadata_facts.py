"""The facts that metadata tell: from tables, mappings and the catalog, never by opinion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.results import Coverage
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion, Kind
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.metadata.capabilities import RULES, Facts, capabilities_of
from cimi_cim.service.metadata.rules import Rule, rules_of
from cimi_cim.wbem.gateway import Gateway

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
BASE = load_mapping("base", MODEL)


def without(mapping: CompiledMapping, type_name: str, part: str, name: str) -> CompiledMapping:
    """The mapping without one attribute or operation of a type."""
    resource = mapping.resources[type_name]
    left = {n: one for n, one in getattr(resource, part).items() if n != name}
    changed: Any = {part: left}
    return replace(
        mapping, resources={**mapping.resources, type_name: replace(resource, **changed)}
    )


def without_type(mapping: CompiledMapping, type_name: str) -> CompiledMapping:
    left = {name: one for name, one in mapping.resources.items() if name != type_name}
    return replace(mapping, resources=left)


def catalog(*mappings: CompiledMapping, can_provision: bool = False) -> Catalog:
    """A catalog over targets that are never asked anything: facts cost no request."""
    nobody = cast(Gateway, None)
    targets = [Target(f"t{n}", nobody, one) for n, one in enumerate(mappings)]
    return Catalog(MODEL, Engine(targets), can_provision=can_provision)


@pytest.fixture(scope="module")
def base() -> Catalog:
    return catalog(BASE)


def test_coverage_is_told_over_all_targets() -> None:
    poorer = without(BASE, "Machine", "attributes", "memory")
    found = catalog(BASE, poorer).coverage("Machine")
    assert "memory" in found.some - found.every
    assert "cpu" in found.every
    assert catalog(BASE, without_type(BASE, "Machine")).coverage("Machine").every == found.some
    assert catalog(BASE).coverage("System") == Coverage()


def test_a_mapped_attribute_that_leads_to_an_unmapped_type_is_not_served() -> None:
    assert "disks" not in catalog(without_type(BASE, "Disk")).coverage("Machine").some
    left = without_type(BASE, "Volume")
    assert "volume" not in catalog(left).coverage("locatedVolume").some
    assert {"disks", "volumes"} <= catalog(BASE).coverage("Machine").some


def test_what_no_mapping_serves_is_neither_promised_nor_writable(base: Catalog) -> None:
    rules = rules_of(base, "Volume")
    assert rules["bootable"] == Rule(False, False, False, False, is_provided=False)
    assert rules["capacity"] == Rule(True, False, True, False)
    assert rules_of(catalog(without_type(BASE, "Disk")), "Machine")["disks"].is_provided is False


def test_what_only_some_targets_serve_is_provided_and_not_promised() -> None:
    poorer = without(BASE, "Volume", "attributes", "capacity")
    rule = rules_of(catalog(BASE, poorer), "Volume")["capacity"]
    assert (rule.is_provided, rule.provider_mandatory) == (True, False)


def test_of_a_live_resource_a_consumer_changes_only_what_the_store_keeps(base: Catalog) -> None:
    for name in ("Machine", "Disk", "Volume", "Network", "NetworkInterface", "locatedVolume"):
        writable = {n for n, rule in rules_of(base, name).items() if rule.consumer_writable}
        assert writable == {"name", "description", "properties", "parent"}


def test_what_is_stored_can_be_changed_as_the_tables_say(base: Catalog) -> None:
    for resource in MODEL.types.values():
        if not base.is_stored(resource.name) or "update" not in resource.crud:
            continue
        rules = rules_of(base, resource.name)
        for row in resource.attributes.values():
            if row.kind is not Kind.COLLECTION:
                assert rules[row.name].mutable is row.is_mutable
                assert rules[row.name].consumer_writable is (
                    row.is_consumer_writable and row.is_mutable
                )


@pytest.mark.parametrize("name", MODEL.types)
def test_what_never_changes_is_not_writable_either(base: Catalog, name: str) -> None:
    """5.3."""
    for rule in rules_of(base, name).values():
        assert rule.mutable or not rule.consumer_writable
        assert rule.is_provided or not (rule.provider_mandatory or rule.mutable)


def test_a_secret_is_never_promised(base: Catalog) -> None:
    for name in ("Credential", "CredentialTemplate"):
        assert not rules_of(base, name)["password"].provider_mandatory


def test_a_type_without_update_has_nothing_writable(base: Catalog) -> None:
    for name in ("Sample", "SystemMachine"):
        assert not any(rule.consumer_writable for rule in rules_of(base, name).values())
    assert rules_of(base, "SystemMachine")["machine"].consumer_mandatory


def test_a_reference_to_a_collection_does_not_change(base: Catalog) -> None:
    """5.3: it is about the reference, not about what it leads to."""
    rule = rules_of(base, "System")["machines"]
    assert (rule.mutable, rule.consumer_writable, rule.is_provided) == (False, False, True)


def test_the_entry_point_promises_the_collections_that_are_served() -> None:
    rules = rules_of(catalog(without_type(BASE, "Volume")), "CloudEntryPoint")
    assert not rules["volumes"].is_provided
    assert rules["machines"].is_provided
    assert rules["baseURI"].provider_mandatory


def test_an_edit_narrows_and_cannot_widen() -> None:
    free = Rule(True, False, True, True)
    assert free.narrowed({"consumerMandatory": True}) == replace(free, consumer_mandatory=True)
    fixed = free.narrowed({"mutable": False})
    assert (fixed.mutable, fixed.consumer_writable) == (False, False)
    bound = Rule(False, True, False, False)
    assert (
        bound.narrowed({"consumerMandatory": False, "mutable": True, "consumerWritable": True})
        == bound
    )


def capabilities(catalog: Catalog, name: str, **facts: Any) -> dict[str, Any]:
    version = facts.pop("version", V2)
    found = capabilities_of(Facts(catalog, MODEL[name], version, **facts))
    assert all(one["description"] and one["uri"].startswith(V2.namespace) for one in found)
    return {one["name"]: one["value"] for one in found}


def test_every_rule_is_for_a_capability_of_table_7() -> None:
    named = {(t.name, name) for t in MODEL.types.values() for name in t.capabilities}
    for resource, name in RULES:
        assert (resource, name) in named or (not resource and name in {n for _, n in named})


def test_capabilities_follow_from_what_can_be_created(base: Catalog) -> None:
    assert capabilities(base, "System") == {"SystemComponentTemplateByValue": True}
    assert capabilities(base, "Meter") == {"MeterConfigByValue": True, "MeterTemplateByValue": True}
    assert capabilities(base, "NetworkService") == {
        "NetworkServiceTemplateByValue": True,
        "DefaultInitialState": "STARTED",
        "InitialStates": ["STARTED", "STOPPED"],
    }
    assert capabilities(base, "Volume") == {}
    assert capabilities(base, "Network") == {}


def test_capabilities_of_what_wbem_servers_make_follow_from_the_mapping() -> None:
    making = catalog(BASE, can_provision=True)
    assert capabilities(making, "Machine") == {
        "DefaultInitialState": "STOPPED",
        "InitialStates": ["STARTED", "STOPPED", "PAUSED", "SUSPENDED"],
        "MachineConfigByValue": True,
        "MachineVolumeTemplatesByValue": True,
        "MachineTemplateByValue": True,
        "MachineStopForce": True,
    }
    less = without(BASE, "Machine", "operations", "suspend")
    found = capabilities(catalog(less, can_provision=True), "Machine")
    assert found["InitialStates"] == ["STARTED", "STOPPED", "PAUSED"]
    assert capabilities(making, "Volume")["VolumeConfigByValue"] is True
    less = without(BASE, "Volume", "operations", "snapshot")
    assert "VolumeSnapshot" not in capabilities(catalog(less, can_provision=True), "Volume")
    assert "VolumeSnapshot" in capabilities(making, "Volume")
    assert capabilities(making, "NetworkInterface") == {
        "NetworkInterfaceTemplateByValue": True,
        "DefaultInitialState": "DISABLED",
        "InitialStates": ["ENABLED", "DISABLED"],
    }
    less = without(BASE, "NetworkInterface", "operations", "disable")
    found = capabilities(catalog(less, can_provision=True), "NetworkInterface")
    assert found == {"NetworkInterfaceTemplateByValue": True, "InitialStates": ["ENABLED"]}


def test_the_capabilities_of_the_entry_point_hold_in_the_version(base: Catalog) -> None:
    two = capabilities(base, "CloudEntryPoint")
    assert set(two) == set(MODEL["CloudEntryPoint"].capabilities)
    assert {name for name, value in two.items() if value is not True} == {"MaxPropertyItems"}
    one = capabilities(base, "CloudEntryPoint", version=V1)
    assert two.keys() - one.keys() == {"ValueScopes"}


def test_force_is_a_capability_only_where_the_mapping_takes_it() -> None:
    machine = BASE.resources["Machine"]
    stop = machine.operations["stop"]
    gentle = replace(stop, choices=tuple(c for c in stop.choices if c.kind != "parameter"))
    operations = {**machine.operations, "stop": gentle}
    resources = {**BASE.resources, "Machine": replace(machine, operations=operations)}
    never = replace(BASE, resources=resources)
    assert capabilities(catalog(BASE), "Machine") == {"MachineStopForce": True}
    assert capabilities(catalog(BASE, never), "Machine") == {}
    unmapped = without(BASE, "Machine", "operations", "stop")
    assert capabilities(catalog(unmapped), "Machine") == {}
    assert capabilities(catalog(BASE, unmapped), "Machine") == {"MachineStopForce": True}


def test_how_long_a_job_is_kept_is_told_if_it_is_promised(base: Catalog) -> None:
    assert capabilities(base, "Job") == {}
    assert capabilities(base, "Job", job_retention_min=90) == {"JobRetention": 90}


def test_what_implies_another_capability_is_never_told_alone(base: Catalog) -> None:
    for resource in MODEL.types.values():
        for version in resource.forms:
            told = capabilities(base, resource.name, version=version)
            for name, value in told.items():
                implied = resource.capabilities[name].implies
                assert value is not True or implied is None or told[implied] is True
