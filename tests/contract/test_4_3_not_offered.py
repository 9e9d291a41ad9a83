"""What is not there yet is not offered either: packages, failover, samples."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Maker
from tests.contract.provider import Provider, action, operation
from tests.contract.values import items

V2 = CimiVersion.V2
Makers = dict[CimiVersion, Maker]
PACKAGE = b'<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"/>'


def test_4_3_packages_are_neither_offered_nor_taken(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    for type_name in ("System", "SystemTemplate"):
        made = maker.make(type_name)
        assert operation(made, "export") is None
        refused = provider.send("POST", f"{made['id']}/export", action("export"))
        assert refused.status in (404, 405)
        listing = provider.get(maker.collection(type_name))
        assert operation(listing, "import") is None
        assert provider.send("POST", listing["id"], action("import")).status == 400
        before = listing["count"]
        package = provider.request("POST", listing["id"], body=PACKAGE, media="application/ovf")
        assert package.status == 415
        assert provider.get(listing["id"])["count"] == before


def test_5_13_3_1_a_service_that_nobody_carries_out_offers_no_operation(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    system = maker.make("System")
    kind = f"{V2.namespace}/SystemService/highreliability/active"
    add = str(operation(provider.get(system["services"]["href"]), "add"))
    service = provider.send("POST", add, {"serviceType": kind}).json
    assert {offer["rel"] for offer in service["operations"]} == {"edit", "delete"}
    for name in ("addRM", "forceSync", "swapBackup"):
        answer = provider.send("POST", f"{service['id']}/{name}", action(name))
        assert answer.status in (404, 405)


@pytest.mark.parametrize("name", ["start", "stop"])
def test_5_17_3_2_a_meter_that_nothing_reads_does_not_start(makers: Makers, name: str) -> None:
    maker, provider = makers[V2], makers[V2].provider
    meter = maker.make("Meter", targetResource={"href": maker.example("Machine")})
    assert operation(meter, name) is None
    answer = provider.send("POST", f"{meter['id']}/{name}", action(name))
    assert answer.status in (404, 405)
    assert items(provider.get(meter["samples"]["href"])) == []


def test_5_17_13_no_event_comes_from_an_indication(provider: Provider) -> None:
    events = [page for page in provider.pages(V2) if page.type_name == "Event"]
    kinds = {page.json["type"].rpartition("/")[2] for page in events}
    assert kinds <= {"model", "state"}
