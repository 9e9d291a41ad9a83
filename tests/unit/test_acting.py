"""Acting through libvirt-cim's mapping on its recorded machines, with a provider that answers
as each test says; and following jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from cimi_cim.errors import BadRequest, CimiCimError, ConflictError, NotFound, ProviderFailed
from cimi_cim.mapping.compiled import JobDialect
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.conditions import parse_test
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.jobs import JobState, Patience, follow_job, read_job
from cimi_cim.mapping.results import ActionOutcome
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.act import check_parameters
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import (
    WbemFailed,
    WbemNotFound,
    WbemNotSupported,
    WbemOutcomeUnknown,
    WbemTimeout,
    WbemUnreachable,
)
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.values import CimValue, InstancePath, Row
from tests.asked import names
from tests.recorded_gateway import RecordedGateway
from tests.services import service_over
from tests.tapes import tape_folder

WEB01 = "11111111-2222-4333-8444-000000000001"
DB01 = "11111111-2222-4333-8444-000000000002"
TEST03 = "11111111-2222-4333-8444-000000000003"
JOB = InstancePath("root/virt", "CIM_ConcreteJob", (("InstanceID", "job-1"),))


class Provider(RecordedGateway):
    """The recorded machines, with methods and jobs that answer as they are told."""

    def __init__(self) -> None:
        super().__init__(tape_folder("sfcb"))
        self.sent: list[tuple[str, str, Any]] = []
        self.answer: Callable[[], MethodOutcome] = lambda: MethodOutcome(0, {})
        self.jobs: list[dict[str, CimValue] | CimiCimError] = []

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        self.sent.append((str(path.key("Name")), method, dict(parameters)))
        return self.answer()

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        if path != JOB:
            return super().get_instance(path, properties, deadline=deadline)
        said = self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0]
        if isinstance(said, CimiCimError):
            raise said
        return Row(path, said)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def waiting(provider: Provider, action_wait_s: float) -> Engine:
    mapping = load_mapping("libvirt-cim", load_model())
    gateway = TracingGateway(provider, "host-a")
    return Engine([Target("host-a", gateway, mapping, action_wait_s=action_wait_s)])


@pytest.fixture
def engine(provider: Provider) -> Iterator[Engine]:
    engine = waiting(provider, 10)
    yield engine
    engine.close()


@pytest.fixture
def impatient(provider: Provider) -> Iterator[Engine]:
    """An engine for what is still under way when the wait is over."""
    engine = waiting(provider, 0.02)
    yield engine
    engine.close()


def act(engine: Engine, token: str, operation: str, **parameters: Any) -> ActionOutcome:
    location = Location("Machine", (("machines", token),))
    return engine.act(location, operation, parameters, Deadline.after(5))


def state(value: int) -> dict[str, TypedValue]:
    return {"RequestedState": TypedValue("uint16", value)}


def test_an_action_reads_one_instance_calls_once_and_looks_once(
    engine: Engine, provider: Provider
) -> None:
    act(engine, WEB01, "pause")
    with traced(Trace()) as trace:
        outcome = act(engine, WEB01, "pause")
    assert names(trace) == ["GetInstance", "InvokeMethod", "GetInstance"]
    assert provider.sent[-1] == ("web01", "RequestStateChange", state(9))
    assert outcome == ActionOutcome(True, "host-a", "RequestStateChange", 0, None)


@pytest.mark.parametrize(("force", "last"), [(True, 3), (False, 4)])
def test_a_paused_domain_is_resumed_before_it_is_stopped(
    engine: Engine, provider: Provider, force: bool, last: int
) -> None:
    act(engine, DB01, "stop", force=force)
    assert provider.sent == [
        ("db01", "RequestStateChange", state(2)),
        ("db01", "RequestStateChange", state(last)),
    ]


def test_a_preparation_that_fails_is_the_end(engine: Engine, provider: Provider) -> None:
    def fail() -> MethodOutcome:
        raise WbemFailed(1, "Invalid state transition")

    provider.answer = fail
    with pytest.raises(ConflictError):
        act(engine, DB01, "stop")
    assert len(provider.sent) == 1


def test_libvirts_unspecific_error_is_a_conflict_by_the_mappings_faults(
    engine: Engine, provider: Provider
) -> None:
    def fail() -> MethodOutcome:
        raise WbemFailed(1, "Unable to pause: Invalid State Transition for web01")

    provider.answer = fail
    with pytest.raises(ConflictError) as caught:
        act(engine, WEB01, "pause")
    assert caught.value.fields["return_code"] == 12001
    assert len(provider.sent) == 1


def test_what_the_mapping_drops_is_not_offered(engine: Engine, provider: Provider) -> None:
    assert not engine.maps_action("Machine", "snapshot")
    with pytest.raises(NotFound):
        act(engine, WEB01, "snapshot")
    machine = Location("Machine", (("machines", WEB01),))
    with service_over(engine) as service, pytest.raises(NotFound):
        service.actor.act(machine, CimiVersion.V2, "snapshot", {})
    assert not provider.sent


def test_a_machine_made_anew_under_an_old_name_is_another_machine(
    engine: Engine, provider: Provider
) -> None:
    act(engine, WEB01, "pause")  # the path is known from now on
    provider.sent.clear()
    recorded = provider.get_instance

    def with_other_uuid(path: InstancePath, properties: Any, *, deadline: Deadline) -> Row:
        row = recorded(path, properties, deadline=deadline)
        return Row(row.path, {**row.values, "UUID": "99999999-0000-4000-8000-000000000000"})

    provider.get_instance = with_other_uuid  # type: ignore[method-assign]
    with pytest.raises(NotFound):
        act(engine, WEB01, "pause")
    assert not provider.sent


@pytest.mark.parametrize(
    "error",
    [WbemOutcomeUnknown("lost"), WbemTimeout("late"), WbemUnreachable("no"),
     WbemNotFound(6, "gone"), WbemNotSupported(7, "no")],
)  # fmt: skip
def test_a_call_that_fails_is_never_made_again(
    engine: Engine, provider: Provider, error: CimiCimError
) -> None:
    def fail() -> MethodOutcome:
        raise error

    provider.answer = fail
    with pytest.raises(CimiCimError):
        act(engine, WEB01, "pause")
    assert len(provider.sent) == 1


def with_job(code: int | None = 0) -> Callable[[], MethodOutcome]:
    return lambda: MethodOutcome(code, {"JOB": JOB})


@pytest.mark.parametrize("code", [0, 4096, 2, None])
def test_a_job_counts_whatever_the_return_code(
    engine: Engine, provider: Provider, code: int | None
) -> None:
    provider.answer = with_job(code)
    provider.jobs = [{"JobState": 4}, {"JobState": 7, "ErrorCode": 0}]
    assert act(engine, WEB01, "pause").is_done


def test_a_job_that_runs_on_is_handed_on(impatient: Engine, provider: Provider) -> None:
    provider.answer = with_job(4096)
    provider.jobs = [{"JobState": 4}]
    outcome = act(impatient, WEB01, "pause")
    assert outcome == ActionOutcome(False, "host-a", "RequestStateChange", 4096, JOB)


def test_a_job_that_cannot_be_read_runs_for_all_we_know(engine: Engine, provider: Provider) -> None:
    provider.answer = with_job(4096)
    provider.jobs = [WbemUnreachable("no")]
    assert not act(engine, WEB01, "pause").is_done


@pytest.mark.parametrize(
    ("job", "kind", "says"),
    [
        ({"JobState": 7, "ErrorCode": 3, "ErrorDescription": "disk full"}, ProviderFailed,
         "disk full"),
        ({"JobState": 10, "JobStatus": "crashed"}, ProviderFailed, "crashed"),
        ({"JobState": 7, "ErrorCode": 1, "ErrorDescription": "Invalid state transition"},
         ConflictError, "Invalid state transition"),
        ({"JobState": 8}, ConflictError, "stopped"),
    ],
)  # fmt: skip
def test_a_job_that_failed_is_an_error_in_its_own_words(
    engine: Engine,
    provider: Provider,
    job: dict[str, CimValue],
    kind: type[CimiCimError],
    says: str,
) -> None:
    provider.answer = with_job()
    provider.jobs = [job]
    with pytest.raises(kind, match=says):
        act(engine, WEB01, "pause")


def test_a_job_that_vanished_is_told_by_the_state(impatient: Engine, provider: Provider) -> None:
    provider.jobs = [WbemNotFound(6, "gone")]
    provider.answer = with_job(4096)
    # Still STARTED: nothing is to be seen of it.
    assert not act(impatient, WEB01, "pause").is_done
    provider.answer = with_job(0)
    assert act(impatient, WEB01, "pause").is_done


DIALECT = JobDialect(
    True, "JobState", frozenset({7}), frozenset({8}), frozenset({10}),
    {"ErrorCode": parse_test("not 0")}, ("ErrorDescription", "JobStatus"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"JobState": 7}, JobState.DONE), ({"JobState": 7, "ErrorCode": None}, JobState.DONE),
     ({"JobState": 7, "ErrorCode": 2}, JobState.FAILED), ({"JobState": 8}, JobState.STOPPED),
     ({"JobState": 10}, JobState.FAILED), ({"JobState": 4, "ErrorCode": 2}, JobState.RUNNING),
     ({}, JobState.RUNNING)],
)  # fmt: skip
def test_a_job_is_read_as_its_dialect_says(
    provider: Provider, said: dict[str, CimValue], expected: JobState
) -> None:
    provider.jobs = [said]
    assert read_job(provider, DIALECT, JOB, Deadline.after(1)).state is expected


def test_waits_grow_and_end_with_the_limit_or_the_deadline(provider: Provider) -> None:
    now = [0.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))
        now[0] += seconds

    def follow(limit_s: float, deadline_s: float) -> list[float]:
        now[0] = 0.0
        waits.clear()
        provider.jobs = [{"JobState": 4}]
        deadline = Deadline(deadline_s, lambda: now[0])
        waits_of = Patience(deadline, limit_s, sleep)
        follow_job(provider, DIALECT, JOB, lambda: deadline, waits_of)
        return list(waits)

    assert follow(0.1, 10) == [0.01, 0.02, 0.04, 0.03]
    assert follow(10, 0.05) == [0.01, 0.02, 0.02]
    assert max(follow(3, 10)) == 0.2
    assert sum(waits) == pytest.approx(3)


def test_parameters_are_held_against_the_table() -> None:
    actions = load_model()["Machine"].actions
    check_parameters(actions["stop"], {"force": True})
    with pytest.raises(BadRequest, match="no parameter 'farce'; it has force"):
        check_parameters(actions["stop"], {"farce": True})
    with pytest.raises(BadRequest, match="it has none"):
        check_parameters(actions["pause"], {"force": True})
    with pytest.raises(BadRequest, match="force must be a boolean"):
        check_parameters(actions["stop"], {"force": "true"})
    with pytest.raises(BadRequest, match="needs the parameter image"):
        check_parameters(actions["restore"], {})
