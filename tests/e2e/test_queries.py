"""Queries on a bridge over the lab: the right items and parts, at a fixed cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode, urlsplit

import falcon.testing
import pytest
from lxml import etree

from cimi_cim.config import HttpConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from tests.asked import properties
from tests.services import service_over

MACHINES = 60


class Served:
    """A bridge in this process, over a lab behind HTTP."""

    def __init__(self, stack: ExitStack) -> None:
        front = stack.enter_context(lab_server(Simulation(MACHINES)))
        model = load_model()
        client = WbemClient(ConnectionSettings(front.url), load_dialect("generic"))
        gateway = TracingGateway(client, "lab")
        engine = Engine([Target("lab", gateway, load_mapping("base", model))])
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine))
        app = make_app(service, http=HttpConfig(base_url="http://cloud.example"))
        self._client = falcon.testing.TestClient(app)
        self.asked = Trace()
        self.get("machines")  # finds the namespaces

    def ask(self, path: str, *parameters: tuple[str, str], version: int = 2) -> Any:
        """Return the response to a GET; `asked` tells what it cost."""
        query = urlencode(parameters)
        with traced(Trace()) as self.asked:
            return self._client.simulate_get(f"/cimi/{version}/{path}", query_string=query)

    def get(self, path: str, *parameters: tuple[str, str], version: int = 2) -> dict[str, Any]:
        """Return the JSON of a GET that must succeed."""
        answer = self.ask(path, *parameters, version=version)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json
        return body

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Send a document that must be taken; return the JSON of the answer."""
        url = urlsplit(path).path if "://" in path else f"/cimi/2/{path}"
        answer = self._client.simulate_post(url, json=document)
        assert answer.status_code in (200, 201), answer.text
        body: dict[str, Any] = answer.json
        return body

    def read(self) -> dict[str, set[str]]:
        """Return what the last request read: class -> properties."""
        return {name: set(read) for name, read in properties(self.asked).items()}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with ExitStack() as stack:
        yield Served(stack)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("state='STARTED'", lambda m: m["state"] == "STARTED"),
        ("cpu>=4 and memory<4194304", lambda m: m["cpu"] >= 4 and m["memory"] < 4194304),
        ("state='PAUSED' or 2>cpu", lambda m: m["state"] == "PAUSED" or m["cpu"] < 2),
        ("created>=2025-12-01", lambda m: m["created"] >= "2025-12-01"),
        ("name!='web-00001'", lambda m: m["name"] != "web-00001"),
        ("created<2000-01-01", lambda m: False),
    ],
)
def test_a_filter_keeps_what_holds_and_counts_it(served: Served, text: str, keep: Any) -> None:
    everything = served.get("machines")["machines"]
    found = served.get("machines", ("$filter", text))
    expected = [m["id"] for m in everything if keep(m)]
    assert [m["id"] for m in found.get("machines", [])] == expected
    assert found["count"] == len(expected)


def test_an_id_can_be_filtered_by_as_the_client_knows_it(served: Served) -> None:
    wanted = served.get("machines")["machines"][3]
    [found] = served.get("machines", ("$filter", f"id='{wanted['id']}'"))["machines"]
    assert found == wanted


def test_pages_in_order_make_up_the_whole(served: Served) -> None:
    order = ("$orderby", "cpu:desc,name")
    whole = served.get("machines", order)["machines"]
    assert [(-m["cpu"], m["name"]) for m in whole] == sorted((-m["cpu"], m["name"]) for m in whole)
    pages = [
        served.get("machines", order, ("$first", str(n)), ("$last", str(n + 24)))
        for n in range(1, MACHINES + 1, 25)
    ]
    assert [m for page in pages for m in page["machines"]] == whole
    assert {page["count"] for page in pages} == {MACHINES}


def test_pages_without_an_order_do_not_overlap(served: Served) -> None:
    seen = [
        m["id"]
        for n in range(1, MACHINES + 1, 20)
        for m in served.get("machines", ("$first", str(n)), ("$last", str(n + 19)))["machines"]
    ]
    assert len(set(seen)) == len(seen) == MACHINES


def test_only_what_filter_order_and_selection_need_is_read(served: Served) -> None:
    found = served.get("machines", ("$select", "name"), ("$filter", "cpu>2"))
    assert all(set(item) == {"name"} for item in found["machines"])
    read = served.read()
    assert read["CIM_ResourceAllocationSettingData"] == {
        "ResourceType", "VirtualQuantity", "VirtualQuantityUnits",
    }  # fmt: skip
    assert "EnabledState" not in read["CIM_ComputerSystem"]
    assert len(served.asked.operations) == 5
    served.get("machines", ("$select", "name,state"))
    assert "CIM_ResourceAllocationSettingData" not in served.read()


def test_the_cost_does_not_depend_on_the_query(served: Served) -> None:
    costs = set()
    for parameters in (
        [],
        [("$filter", "cpu>=2 and state='STARTED'"), ("$orderby", "memory:desc,name")],
        [("$first", "5"), ("$last", "10")],
    ):
        served.get("machines", *parameters)
        costs.add(len(served.asked.operations))
    assert costs == {5}


def test_an_attribute_that_is_shown_only_alone_can_be_filtered_by(served: Served) -> None:
    found = served.get("machines", ("$filter", "cpuSpeed=3100"))["machines"]
    assert found
    assert {served.get(m["id"].partition("/cimi/2/")[2])["cpuSpeed"] for m in found} == {3100}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("media", ["json", "xml"])
def test_selected_items_have_nothing_else(served: Served, version: int, media: str) -> None:
    answer = served.ask("machines", ("$select", "name,state"), ("$format", media), version=version)
    if media == "json":
        assert {frozenset(item) for item in answer.json["machines"]} == {
            frozenset({"name", "state"})
        }
        assert answer.json["count"] == MACHINES
    else:
        root = etree.fromstring(answer.content)
        items = root.iter("{*}Machine")
        assert {tuple(etree.QName(part).localname for part in item) for item in items} == {
            ("name", "state")
        }


def test_a_collection_can_be_cut_to_its_count_and_operations(served: Served) -> None:
    assert set(served.get("machines", ("$select", "count"))) == {"resourceURI", "count"}
    answer = served.ask("machines", ("$select", "count"), ("$format", "xml"))
    assert [etree.QName(e).localname for e in etree.fromstring(answer.content)] == ["count"]
    both = served.get("machines", ("$select", "machines/id,count"))
    assert set(both) == {"resourceURI", "count", "machines"}
    assert {frozenset(item) for item in both["machines"]} == {frozenset({"id"})}


def test_a_single_resource_can_be_cut(served: Served) -> None:
    machine = served.get("machines")["machines"][0]["id"].partition("/cimi/2/")[2]
    assert set(served.get(machine, ("$select", "name,nonsense,name"))) == {"resourceURI", "name"}
    cut = served.get(machine, ("$select", "operations"))
    assert set(cut) == {"resourceURI", "operations"}
    assert served.get(machine, ("$select", "*")) == served.get(machine)


def test_references_are_expanded_where_they_stand(served: Served) -> None:
    machine = next(
        m["id"].partition("/cimi/2/")[2]
        for m in served.get("machines")["machines"]
        if "volumes" in m and served.get(m["id"].partition("/cimi/2/")[2] + "/volumes")["count"]
    )
    disks = served.get(f"{machine}/disks")
    found = served.get(machine, ("$expand", "disks,name"))
    assert found["disks"] == {"href": disks["id"], **disks}
    assert set(found["volumes"]) == {"href"}
    located = served.get(f"{machine}/volumes", ("$expand", "volume"))["locatedVolumes"][0]
    assert (
        located["volume"]["capacity"]
        == served.get(located["volume"]["href"].partition("/cimi/2/")[2])["capacity"]
    )
    entry = served.get("cloudEntryPoint", ("$expand", "networks"))
    assert entry["networks"]["count"] == len(entry["networks"]["networks"])


def test_too_many_expansions_are_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimi_cim.service.read.MOST_EXPANSIONS", 10)
    answer = served.ask("machines", ("$expand", "disks"))
    assert answer.status_code == 400
    assert "$first and $last" in answer.text
    parameters = (("$expand", "disks"), ("$first", "1"), ("$last", "2"))
    items = served.get("machines", *parameters)["machines"]
    assert [set(item["disks"]) >= {"count", "disks"} for item in items] == [True, True]


@pytest.mark.parametrize(
    "parameter",
    [("$filter", "cpu>"), ("$filter", "nonsense=1"), ("$orderby", "disks"), ("$first", "x")],
)
def test_a_wrong_parameter_is_a_bad_request_in_a_job(
    served: Served, parameter: tuple[str, str]
) -> None:
    answer = served.ask("machines", parameter)
    assert answer.status_code == 400
    assert json.loads(answer.text)["statusMessage"].startswith(parameter[0])
    assert not served.asked.operations


def test_hundreds_of_parameters_are_refused(served: Served) -> None:
    answer = served.ask("machines", *[("$select", "name")] * 300)
    assert answer.status_code == 400


def test_a_page_of_systems_costs_what_one_with_machines_does(served: Served) -> None:
    machines = [{"href": item["id"]} for item in served.get("machines")["machines"]]
    kind = "http://schemas.dmtf.org/cimi/2/Machine"
    costs, counts = [], (1, 9)
    for count in counts:
        for number in range(count):
            inside = [{"type": kind, "machine": each} for each in machines[number : number + 5]]
            served.post("systems", {"systemTemplate": {"componentDescriptors": inside}})
        found = served.get("systems", ("$select", "name,state"))
        costs.append(len(served.asked.operations))
        assert found["count"] == sum(counts[: counts.index(count) + 1])
        states = {item["state"] for item in found["systems"]}
        assert states <= {"MIXED", "STARTED", "STOPPED", "PAUSED", "SUSPENDED"}
    assert costs[0] == costs[1] > 0
    served.get("systems", ("$select", "name"))
    assert not served.asked.operations
    filtered = served.get("systems", ("$filter", "state='MIXED'"), ("$select", "name"))
    assert filtered["count"] > 0
    assert len(served.asked.operations) == costs[0]


def test_a_template_that_names_many_machines_costs_what_a_few_do(served: Served) -> None:
    machines = [{"href": item["id"]} for item in served.get("machines")["machines"]]
    kind = "http://schemas.dmtf.org/cimi/2/Machine"
    costs = []
    for count in (4, 40):
        inside = [{"type": kind, "machine": each} for each in machines[:count]]
        with traced(Trace()) as asked:
            served.post("systemTemplates", {"componentDescriptors": inside})
        costs.append(len(asked.operations))
    assert costs[0] == costs[1]
