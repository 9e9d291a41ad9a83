"""Nobody waits for a server that is down, and it is found again by itself."""

from __future__ import annotations

from typing import Any

import pytest

from cimi_cim.errors import CimiCimError, ProviderUnavailable
from cimi_cim.wbem.breaker import Breaker, BreakerSettings, Circuit
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import (
    WbemAuthFailed,
    WbemBadReply,
    WbemBusy,
    WbemFailed,
    WbemNotCimXml,
    WbemNotFound,
    WbemOutcomeUnknown,
    WbemTimeout,
    WbemTlsFailed,
    WbemUnreachable,
)
from cimi_cim.wbem.gateway import MethodOutcome
from cimi_cim.wbem.values import InstancePath, Row

PATH = InstancePath("root/virt", "X", (("Name", "a"),))
REFUSED = WbemUnreachable("the WBEM server cannot be reached", target_url="http://secret.example")


class Server:
    """A gateway that takes its time, and then answers or fails as it is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.takes_s = 0.0
        self.failure: CimiCimError | None = None
        self.asked: list[str] = []
        self.changes: list[Circuit] = []

    def _answer(self, operation: str) -> None:
        self.asked.append(operation)
        self.now += self.takes_s
        if self.failure is not None:
            raise self.failure

    def get_instance(self, path: InstancePath, properties: Any, *, deadline: Deadline) -> Row:
        self._answer("read")
        return Row(path, {})

    def invoke_method(self, *_: Any, **__: Any) -> MethodOutcome:
        self._answer("call")
        return MethodOutcome(0, {})

    def class_names(self, *_: Any, deadline: Deadline) -> list[str]:
        self._answer("probe")
        return []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was not expected")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def breaker(server: Server) -> Breaker:
    settings = BreakerSettings(failures=3, silence_s=10, first_wait_s=1, longest_wait_s=8)
    made = Breaker(server, settings, clock=lambda: server.now, jitter=lambda: 0.0)
    made.on_change = lambda: server.changes.append(made.health.circuit)
    return made


def read(breaker: Breaker) -> None:
    breaker.get_instance(PATH, (), deadline=Deadline.after(30))


def fail(breaker: Breaker, times: int = 1) -> CimiCimError:
    for _ in range(times):
        with pytest.raises(CimiCimError) as raised:
            read(breaker)
    return raised.value


def down(server: Server, breaker: Breaker, failure: CimiCimError = REFUSED) -> None:
    server.failure = failure
    fail(breaker, 3)
    assert breaker.health.circuit is Circuit.OPEN


@pytest.mark.parametrize(
    "failure",
    [
        REFUSED,
        WbemTlsFailed("no TLS"),
        WbemBusy("busy"),
        WbemNotCimXml("it answers HTTP 502", http_status=502),
    ],
)
def test_failures_in_a_row_that_mean_down_open_the_circuit(
    server: Server, breaker: Breaker, failure: CimiCimError
) -> None:
    server.failure = failure
    assert fail(breaker, 3) is failure
    assert breaker.health.cause is failure
    assert server.changes == [Circuit.OPEN]
    fail(breaker, 5)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "failure",
    [
        WbemFailed(1, "no"),
        WbemNotFound(6, "gone"),
        WbemAuthFailed("who are you"),
        WbemBadReply("cut short"),
        WbemNotCimXml("it answers HTTP 404", http_status=404),
        WbemNotCimXml("HTML"),
        WbemOutcomeUnknown("lost"),
    ],
)
def test_what_a_server_answers_never_opens_the_circuit(
    server: Server, breaker: Breaker, failure: CimiCimError
) -> None:
    server.failure = failure
    assert fail(breaker, 20) is failure
    assert breaker.health.circuit is Circuit.CLOSED


def test_an_answer_in_between_counts_the_failures_anew(server: Server, breaker: Breaker) -> None:
    for failure in (REFUSED, REFUSED, WbemNotFound(6, "gone"), REFUSED, REFUSED):
        server.failure = failure
        fail(breaker)
    assert breaker.health.circuit is Circuit.CLOSED


def test_a_long_silence_is_enough(server: Server, breaker: Breaker) -> None:
    server.failure, server.takes_s = WbemTimeout("too late"), 10
    fail(breaker)
    assert breaker.health.circuit is Circuit.OPEN


def test_a_request_without_time_left_says_nothing_of_the_server(
    server: Server, breaker: Breaker
) -> None:
    server.failure, server.takes_s = WbemTimeout("too late"), 0.1
    fail(breaker, 20)
    assert breaker.health.circuit is Circuit.CLOSED


def test_a_server_that_is_slow_with_one_operation_and_answers_another_is_up(
    server: Server, breaker: Breaker
) -> None:
    def slow_and_meanwhile(*_: Any, **__: Any) -> Row:
        server.now += 5
        read(breaker)
        server.now += 15
        raise WbemTimeout("too late")

    quick, server.get_instance = server.get_instance, slow_and_meanwhile  # type: ignore[method-assign]

    def once(*args: Any, **kwargs: Any) -> Row:
        server.get_instance = quick  # type: ignore[method-assign]
        return slow_and_meanwhile()

    server.get_instance = once  # type: ignore[method-assign]
    fail(breaker)
    assert breaker.health.circuit is Circuit.CLOSED


def test_a_refusal_says_when_to_come_again_and_names_no_host(
    server: Server, breaker: Breaker
) -> None:
    down(server, breaker)
    refusal = fail(breaker)
    assert isinstance(refusal, ProviderUnavailable)
    assert refusal.fields["retry_after_s"] == 1
    assert (refusal.status, refusal.reason) == (503, "wbem-unreachable")
    assert refusal.message == "the WBEM server cannot be reached; it is asked again in 1 s"


def test_a_method_call_is_refused_and_not_sent(server: Server, breaker: Breaker) -> None:
    down(server, breaker, WbemBusy("busy"))
    with pytest.raises(ProviderUnavailable):
        breaker.invoke_method(PATH, "Stop", {}, deadline=Deadline.after(30))
    assert "call" not in server.asked


def test_probes_are_ever_rarer_up_to_a_bound(server: Server, breaker: Breaker) -> None:
    down(server, breaker)
    waits = []
    for _ in range(6):
        wait = breaker.health.probe_in_s
        assert wait is not None
        waits.append(wait)
        server.now += wait
        breaker.probe(Deadline.after(10))
    assert waits == [1, 2, 4, 8, 8, 8]
    assert server.changes == [Circuit.OPEN]


def test_waits_are_cut_at_random_so_that_servers_are_not_asked_all_at_once(server: Server) -> None:
    breaker = Breaker(server, clock=lambda: server.now, jitter=lambda: 1.0)
    down(server, breaker)
    assert breaker.health.probe_in_s == 0.75


@pytest.mark.parametrize("failure", [None, WbemFailed(5, "no such class"), WbemAuthFailed("who")])
def test_any_answer_to_a_probe_closes_the_circuit(
    server: Server, breaker: Breaker, failure: CimiCimError | None
) -> None:
    down(server, breaker)
    server.failure = failure
    breaker.probe(Deadline.after(10))
    assert server.changes == [Circuit.OPEN, Circuit.CLOSED]
    assert breaker.health.cause is None


def test_a_server_that_answers_probes_alone_is_let_rest_longer_each_time(
    server: Server, breaker: Breaker
) -> None:
    waits = []
    for _ in range(3):
        server.failure, server.takes_s = WbemTimeout("too late"), 10
        fail(breaker)
        waits.append(breaker.health.probe_in_s)
        server.failure, server.takes_s = None, 0
        breaker.probe(Deadline.after(10))
    assert waits == [1, 2, 4]
    read(breaker)
    down(server, breaker)
    assert breaker.health.probe_in_s == 1


def test_what_was_sent_before_and_answers_now_closes_the_circuit(
    server: Server, breaker: Breaker
) -> None:
    def answers_late(*_: Any, **__: Any) -> MethodOutcome:
        down(server, breaker)
        return MethodOutcome(0, {})

    server.invoke_method = answers_late  # type: ignore[method-assign]
    breaker.invoke_method(PATH, "Stop", {}, deadline=Deadline.after(30))
    assert breaker.health.circuit is Circuit.CLOSED
