"""Actions end to end: HTTP to the bridge, CIM-XML to the lab."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from cimi_cim.lab.backend import CimError, MethodCall, Reply
from cimi_cim.lab.simulation import Simulation
from tests.acting import Bridge, bridge_over
from tests.lab.conftest import Clock

JSON, XML = "application/json", "application/xml"
ACTIONS = ("start", "stop", "restart", "pause", "suspend")
FROM = {"start": "STOPPED", "stop": "STARTED", "restart": "STARTED", "pause": "STARTED",
        "suspend": "STARTED"}  # fmt: skip
TO = {"start": "STARTED", "stop": "STOPPED", "restart": "STARTED", "pause": "PAUSED",
      "suspend": "SUSPENDED"}  # fmt: skip
ENABLED, DISABLED, SHUT_DOWN, REBOOT, RESET = 2, 3, 4, 10, 11

OpenBridge = Callable[..., Bridge]


@pytest.fixture
def bridge() -> Iterator[OpenBridge]:
    """Open bridges over a lab: `bridge(pace=0)`; all end with the test."""
    with ExitStack() as stack:

        def start(
            *,
            pace: float = 0,
            clock: Clock | None = None,
            deadline_s: float = 30,
            action_wait_s: float = 0.5,
        ) -> Bridge:
            options: dict[str, Any] = {} if clock is None else {"clock": clock}
            simulation = Simulation(20, pace=pace, **options)
            return stack.enter_context(
                bridge_over(simulation, deadline_s=deadline_s, action_wait_s=action_wait_s)
            )

        yield start


def document(media: str, version: int, name: str) -> bytes:
    namespace = f"http://schemas.dmtf.org/cimi/{version}"
    uri = f"{namespace}/action/{name}"
    if media == JSON:
        return json.dumps({"resourceURI": f"{namespace}/Action", "action": uri}).encode()
    return f'<Action xmlns="{namespace}">\n  <action> {uri} </action>\n</Action>'.encode()


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize("version", [1, 2])
def test_every_action_leads_to_its_state(bridge: OpenBridge, version: int, media: str) -> None:
    served = bridge()
    for name in ACTIONS:
        machine = served.first(FROM[name]).replace("/cimi/2/", f"/cimi/{version}/")
        answer = served.request(
            "POST", f"{machine}/{name}", document(media, version, name), media, Accept=media
        )
        assert answer.status == 200, name
        job = urlsplit(answer.headers["cimi-job-uri"]).path
        assert urlsplit(answer.headers["content-location"]).path == job
        assert served.get(job)["action"] == f"http://schemas.dmtf.org/cimi/{version}/action/{name}"
        assert urlsplit(served.get(job)["targetResource"]["href"]).path == machine
        assert served.state(machine) == TO[name]


@pytest.mark.parametrize("name", ACTIONS)
def test_what_is_offered_is_done_and_what_is_not_is_refused(bridge: OpenBridge, name: str) -> None:
    served = bridge()
    outcomes = set()
    for machine in served.machines():
        before = served.get(machine)
        offered = {urlsplit(operation["href"]).path for operation in before.get("operations", [])}
        is_offered = f"{machine}/{name}" in offered
        answer = served.act(machine, name)
        assert answer.status == (200 if is_offered else 409), (before["state"], answer.body)
        if not is_offered:
            assert served.get(machine) == before
        outcomes.add(is_offered)
    assert outcomes == {True, False}


def test_a_forbidden_state_is_a_conflict_that_says_why_and_calls_nothing(
    bridge: OpenBridge,
) -> None:
    served = bridge()
    machine = served.first("STOPPED")
    answer = served.act(machine, "pause")
    assert answer.status == 409
    job = answer.job
    assert (job["id"], job["state"], job["returnCode"]) == ("", "FAILED", 10409)
    assert job["action"] == "http://schemas.dmtf.org/cimi/2/action/pause"
    assert job["targetResource"] == {"href": f"{served.url}{machine}"}
    assert job["statusMessage"] == (
        "pause is possible in STARTED, and the Machine is STOPPED (state-forbids)"
    )
    assert not served.backend.calls


def test_what_the_provider_does_not_advertise_is_refused_without_a_call(bridge: OpenBridge) -> None:
    served = bridge(pace=1, clock=Clock(), action_wait_s=0.01)
    machine = served.first("STARTED")
    assert served.act(machine, "stop", force=True).status == 202
    assert served.state(machine) == "STOPPING"
    answer = served.act(machine, "stop")
    assert answer.status == 409
    assert "(not-advertised)" in answer.job["statusMessage"]
    assert "with force it may" in answer.job["statusMessage"]
    assert served.backend.requested == [DISABLED]


@pytest.mark.parametrize(
    ("name", "force", "requested"),
    [("stop", True, DISABLED), ("stop", False, SHUT_DOWN), ("stop", None, SHUT_DOWN),
     ("restart", True, RESET), ("restart", False, REBOOT)],
)  # fmt: skip
def test_force_chooses_the_call(
    bridge: OpenBridge, name: str, force: bool | None, requested: int
) -> None:
    served = bridge()
    parameters = {} if force is None else {"force": force}
    assert served.act(served.first("STARTED"), name, **parameters).status == 200
    assert served.backend.requested == [requested]


def test_restarting_a_stopped_machine_starts_it_whatever_the_force(bridge: OpenBridge) -> None:
    served = bridge()
    machine = served.first("STOPPED")
    assert served.act(machine, "restart", force=True).status == 200
    assert served.backend.requested == [ENABLED]
    assert served.state(machine) == "STARTED"


def test_an_action_that_takes_time_is_accepted_and_shows_its_state(bridge: OpenBridge) -> None:
    clock = Clock()
    served = bridge(pace=1, clock=clock, action_wait_s=0.02)
    machine = served.first("STOPPED")
    answer = served.act(machine, "start")
    assert (answer.status, answer.body) == (202, b"")
    assert "cimi-job-uri" not in answer.headers
    assert served.state(machine) == "STARTING"
    clock.now += 2
    assert served.state(machine) == "STARTED"
    assert served.backend.requested == [ENABLED]


def test_a_job_that_is_over_in_a_moment_is_done(bridge: OpenBridge) -> None:
    served = bridge(pace=0.01, action_wait_s=5)
    machine = served.first("STOPPED")
    assert served.act(machine, "start").status == 200
    assert served.state(machine) == "STARTED"


def test_a_machine_that_is_gone_is_not_found(bridge: OpenBridge) -> None:
    served = bridge()
    machine = served.first("STARTED")
    simulation: Any = served.backend.behind
    token = machine.rpartition("/")[2]
    instances = simulation.repository.of_class("root/virt", "LAB_VirtualSystem")
    path = next(i.path for i in instances if token in str(i.values["OtherIdentifyingInfo"]))
    simulation.repository.remove(path)
    answer = served.act(machine, "stop")
    assert answer.status == 404
    assert not served.backend.calls


def returning(code: int) -> Callable[[MethodCall], Reply]:
    return lambda call: Reply([f"<VALUE>{code}</VALUE>".encode()])


@pytest.mark.parametrize(
    ("code", "status", "return_code"),
    [(1, 501, 20001), (2, 502, 20002), (3, 504, 20003), (4, 502, 20004), (5, 400, 20005),
     (6, 409, 20006), (4097, 409, 24097), (4099, 503, 24099), (40000, 502, 60000)],
)  # fmt: skip
def test_a_return_code_is_told_by_its_label_and_the_method_called_once(
    bridge: OpenBridge, code: int, status: int, return_code: int
) -> None:
    served = bridge()
    served.backend.answers = returning(code)
    answer = served.act(served.first("STARTED"), "stop")
    assert (answer.status, answer.job["returnCode"]) == (status, return_code)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert len(served.backend.calls) == 1


def test_a_cim_error_is_told_with_its_words_and_the_method_called_once(bridge: OpenBridge) -> None:
    served = bridge()

    def fail(call: MethodCall) -> Reply:
        raise CimError(1, "the hypervisor is not amused")

    served.backend.answers = fail
    answer = served.act(served.first("STARTED"), "stop")
    assert (answer.status, answer.job["returnCode"]) == (502, 12001)
    assert "the hypervisor is not amused" in answer.job["statusMessage"]
    assert len(served.backend.calls) == 1


def test_a_call_without_an_answer_has_an_unknown_outcome_and_is_never_sent_again(
    bridge: OpenBridge,
) -> None:
    served = bridge(deadline_s=2)
    machine = served.first("STARTED")
    released = threading.Event()

    def hang(call: MethodCall) -> Reply | None:
        released.wait(20)
        return None

    served.backend.answers = hang
    try:
        answer = served.act(machine, "stop")
    finally:
        released.set()
    assert answer.status == 504
    assert "read the resource" in answer.job["statusMessage"]
    assert len(served.backend.calls) == 1


def test_two_starts_at_once_are_one_start_and_one_conflict_or_two_of_the_same(
    bridge: OpenBridge,
) -> None:
    """Whoever comes second is refused by state or by provider, and never breaks the first."""
    served = bridge()
    machine = served.first("STOPPED")
    statuses: list[int] = []
    callers = [
        threading.Thread(target=lambda: statuses.append(served.act(machine, "start").status))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 409}
    assert served.state(machine) == "STARTED"


@pytest.mark.parametrize(
    ("body", "media", "says"),
    [
        (b"", JSON, "empty"),
        (b"[]", JSON, "object"),
        (b'{"action": 1}', JSON, "action"),
        (b"{}", JSON, "no action"),
        (b'{"action": "http://schemas.dmtf.org/cimi/2/action/start"}', JSON, "posted to"),
        (b'{"action": "x", "farce": true}', JSON, "did you mean 'force'"),
        (b'{"action": "http://schemas.dmtf.org/cimi/2/action/stop", "force": "maybe"}', JSON,
         "force must be true or false"),
        (b"<Action/>", XML, "no action"),
        (b'<Action xmlns="urn:x"/>', XML, "namespace urn:x"),
        (b'<Machine xmlns="http://schemas.dmtf.org/cimi/2"/>', XML, "is a Machine"),
    ],
)  # fmt: skip
def test_a_document_that_is_no_such_action_is_a_bad_request(
    bridge: OpenBridge, body: bytes, media: str, says: str
) -> None:
    served = bridge()
    answer = served.request("POST", f"{served.first('STARTED')}/stop", body, media)
    assert (answer.status, answer.job["returnCode"]) == (400, 10400)
    assert says in answer.job["statusMessage"]
    assert not served.backend.calls


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (JSON, b'{"action": "http://whatever/stop", "force": "true"}'),
        (JSON, b'{"action": " stop ", "force": " TRUE "}'),
        (f"{JSON}; charset=utf-8", b'{"action": "http://www.dmtf.org/cimi/action/stop",'
         b' "force": true, "properties": {"why": "because"}}'),
        (XML, b"<Action><action> http://whatever/stop </action><force>\n1\n</force></Action>"),
        (XML, b'<Action xmlns="http://schemas.dmtf.org/cimi/1"><action>http://x/stop</action>'
         b'<force>true</force><property key="why">because</property></Action>'),
    ],
)  # fmt: skip
def test_clients_of_1_x_may_be_loose(bridge: OpenBridge, media: str, body: bytes) -> None:
    served = bridge()
    machine = served.first("STARTED").replace("/cimi/2/", "/cimi/1/")
    assert served.request("POST", f"{machine}/stop", body, media).status == 200
    assert served.backend.requested == [DISABLED]


def test_an_action_takes_post_and_nothing_else(bridge: OpenBridge) -> None:
    served = bridge()
    action = f"{served.first('STARTED')}/stop"
    for method in ("GET", "PUT", "DELETE"):
        answer = served.request(method, action)
        assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
    options = served.request("OPTIONS", action)
    assert (options.status, options.headers["allow"]) == (204, "POST, OPTIONS")
    machine = action.removesuffix("/stop")
    for path, more in ((machine, ", PUT"), ("/cimi/2/machines", ""), ("/cimi/2", ", PUT")):
        answer = served.request("POST", path, b"{}")
        assert (answer.status, answer.headers["allow"]) == (405, f"GET, HEAD, OPTIONS{more}")
    for path in (f"{machine}/explode", f"{machine}/connectvolume", "/cimi/2/machines/none/stop"):
        body = document(JSON, 2, "stop")
        assert served.request("POST", path, body).status == 404, path
    assert not served.backend.calls


@pytest.mark.parametrize("media", ["text/plain", "application/json; charset=latin-1", None])
def test_another_form_of_body_is_refused_with_those_that_are_read(
    bridge: OpenBridge, media: str | None
) -> None:
    served = bridge()
    answer = served.request("POST", f"{served.first('STARTED')}/stop", b"{}", media)
    assert answer.status == 415
    assert (
        "application/json" in answer.job["statusMessage"] or "UTF-8" in answer.job["statusMessage"]
    )


def test_what_cannot_be_answered_in_a_form_the_client_takes_is_not_done(bridge: OpenBridge) -> None:
    served = bridge()
    path = f"{served.first('STARTED')}/stop"
    answer = served.request("POST", path, document(JSON, 2, "stop"), Accept="text/plain")
    assert answer.status == 406
    assert not served.backend.calls
