"""Clause 4.1.6 on what the store keeps: properties, and the order of each type of value."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from cimi_cim.model.resources import Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.query import OrderKey, Query
from tests.contract.making import Document, Maker
from tests.contract.provider import MODEL
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2


def made(maker: Maker, type_name: str, mark: str, documents: list[Document]) -> list[str]:
    """Make resources that share a property; return their URIs."""
    found = []
    for document in documents:
        properties = {"mark": mark, **document.pop("properties", {})}
        answer = maker.add(type_name, {**document, "properties": properties})
        assert answer.status == 201, answer.body
        found.append(answer.headers["location"])
    return found


def ask(maker: Maker, type_name: str, *query: tuple[str, str]) -> list[Document]:
    return items(maker.provider.get(maker.collection(type_name), *query))


def test_4_1_6_1_a_property_expression_holds_if_any_property_matches(makers: Makers) -> None:
    maker = makers[V2]
    one, two, _ = made(maker, "MachineConfiguration", "property", [
        {"name": "one", "properties": {"env": "test", "zone": "a b"}},
        {"name": "two", "properties": {"env": "live", "zone": "a b"}},
        {"name": "three", "properties": {"Env": "test"}},
    ])  # fmt: skip
    for text, expected in {
        "property['env']='test'": [one],
        'property["env"]="live"': [two],
        "property['zone']='a b'": [one, two],
        "property['zone']='a b' and property['env']!='test'": [two],
        "property['env']='test' or name='two'": [one, two],
        "property['colour']='red'": [],
    }.items():
        mark = ("$filter", "property['mark']='property'")
        found = ask(maker, "MachineConfiguration", mark, ("$filter", text))
        assert sorted(item["id"] for item in found) == sorted(expected), text
    machine = maker.provider.get(str(maker.example("Machine")))
    edit = next(offer["href"] for offer in machine["operations"] if offer["rel"] == "edit")
    part = {"properties": {"mark": "live"}}
    assert maker.provider.send("PUT", edit, part, ("$select", "properties")).status == 200
    found = ask(maker, "Machine", ("$filter", "property['mark']='live'"))
    assert [item["id"] for item in found] == [machine["id"]]
    assert maker.provider.send("PUT", edit, {}, ("$select", "properties")).status == 200


KEYS: list[tuple[str, str, list[Any], Callable[[Any], Any]]] = [
    ("VolumeImage", "bootable", [True, False, True], lambda value: value),
    ("MeterConfiguration", "sampleInterval", [10, 9, 100], lambda value: value),
    ("MeterConfiguration", "intervalDuration", ["P1M", "P1D", "PT1H", "P7D"],
     lambda value: {"PT1H": 1, "P1D": 2, "P7D": 3, "P1M": 4}[value]),
    ("MachineConfiguration", "cpuArch", ["é", "e\u0301a", "z", "f", "Z"],
     lambda value: unicodedata.normalize("NFKD", value).encode()),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "name", "values", "key"), KEYS, ids=lambda v: str(v)[:18])
def test_4_1_6_6_each_type_has_its_order(
    makers: Makers, type_name: str, name: str, values: list[Any], key: Callable[[Any], Any]
) -> None:
    maker = makers[V2]
    made(maker, type_name, name, [{name: value} for value in values])
    mark = ("$filter", f"property['mark']='{name}'")
    up = [item[name] for item in ask(maker, type_name, mark, ("$orderby", name))]
    assert up == sorted(values, key=key)
    down = [item[name] for item in ask(maker, type_name, mark, ("$orderby", f"{name}:desc"))]
    assert [key(value) for value in down] == sorted(map(key, values), reverse=True)
    created = ask(maker, type_name, mark, ("$orderby", "created"))
    moments = [item["created"] for item in created]
    assert moments == sorted(moments)


def test_4_1_6_6_negative_integers_come_before_positive_ones() -> None:
    """No attribute that a consumer writes may be negative: asked of the sorting itself."""
    row = MODEL["Job"].attributes["returnCode"]
    jobs = [Resource("Job", f"jobs/{n}", {"returnCode": n}) for n in (3, -1, 0, -20, 20)]
    found, _ = Query(order=(OrderKey(row),)).pick(jobs, lambda ref: ref.path)
    assert [job.values["returnCode"] for job in found] == [-20, -1, 0, 3, 20]
