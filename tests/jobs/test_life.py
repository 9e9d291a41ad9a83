"""The life of a Job: how it begins, what it tells, how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from cimi_cim.errors import ConflictError, OutcomeUnknown, ProviderUnavailable
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.model.resources import Ref
from cimi_cim.service.jobs.asking import Request
from cimi_cim.service.jobs.bodies import JobContext
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.job_tables import RUNS
from tests.jobs.conftest import Bench
from tests.jobs.recorder import Recorder
from tests.jobs.waiting import LIMIT_S, Gate, until
from tests.jobs.work import TARGET, call

NOTHING: dict[str, Any] = {}


def test_a_job_succeeds_and_tells_what_it_did(bench: Bench, recorder: Recorder) -> None:
    values = bench.run("calls", {"port": recorder.port, "names": ["a", "b"]})
    assert recorder.deeds == ["+a", "+b"]
    assert values["state"] == "SUCCESS"
    assert values["returnCode"] == 10200
    assert values["progress"] == 100
    assert values["targetResource"] == Ref(TARGET)
    assert values["affectedResources"] == [Ref(TARGET)]
    assert str(values["action"]).endswith("/action/start")
    assert str(values["timeOfStatusChange"]) > str(values["created"])


def test_a_job_is_there_with_the_transaction_that_submits_it(bench: Bench) -> None:
    gate = Gate()
    kind = bench.body(gate)
    with bench.store.writing() as writing:
        job = bench.engine.submit(writing, kind, Work("add", "machines", ["machines/1"]), {})
        found = writing.find(job)
        assert found is not None
        assert found.resource.values["state"] == "RUNNING"  # a worker is free
        assert found.resource.values["progress"] == 0
        assert not gate.began.wait(0.1)
    assert gate.began.wait(LIMIT_S)
    assert bench.values(job)["state"] == "RUNNING"
    assert not bench.engine.wait(job, 0.01)
    gate.may_go.set()
    assert bench.end(job)["affectedResources"] == [Ref("machines"), Ref("machines/1")]


def test_what_is_rolled_back_is_never_carried_out(bench: Bench) -> None:
    gate = Gate()
    kind = bench.body(gate)
    with pytest.raises(ZeroDivisionError), bench.store.writing() as writing:  # noqa: PT012
        bench.engine.submit(writing, kind, Work("start", TARGET), {})
        raise ZeroDivisionError
    bench.run("calls", {"port": 0, "names": []})
    assert not gate.began.is_set()


def test_progress_and_message_are_told_while_it_runs_and_never_go_back(bench: Bench) -> None:
    seen: list[tuple[object, object]] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        for percent, message in ((40, "half way"), (20, "a detour"), (300, "nearly")):
            context.progress(percent, message)
            context.sleep(0.001)
            values = bench.values(context.job)
            seen.append((values["progress"], values["statusMessage"]))
        context.affected("volumes/1")

    kind = bench.body(body)
    values = bench.run(kind)
    assert seen == [(40, "half way"), (40, "a detour"), (99, "nearly")]
    assert values["affectedResources"] == [Ref(TARGET), Ref("volumes/1")]
    assert "statusMessage" not in values


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConflictError("the name is taken", reason="name-taken"), 10409, "taken (name-taken)"),
        (ConflictError("full", return_code=20005), 20005, "full (conflict)"),
        (OutcomeUnknown("nobody knows"), 10504, "nobody knows (outcome-unknown)"),
        (ZeroDivisionError("secret"), 10500, "internal error; tell the operator the Job jobs/"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_job_that_fails_says_why(bench: Bench, error: Exception, code: int, said: str) -> None:
    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        raise error

    kind = bench.body(body)
    job = bench.submit(kind)
    values = bench.end(job)
    assert values["state"] == "FAILED"
    assert values["returnCode"] == code
    assert values["progress"] == 100
    assert said in str(values["statusMessage"])
    assert "secret" not in str(values["statusMessage"])
    kept = bench.failure(job)
    assert kept is not None
    assert kept.status == getattr(error, "status", 500)


def test_a_refusal_is_an_outcome_and_comes_back_as_it_was(bench: Bench) -> None:
    runs: list[str] = []

    def refuse() -> Outcome:
        runs.append("sent")
        raise ConflictError("no", reason="in-use", return_code=20006)

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        for _ in (1, 2):
            with pytest.raises(ConflictError) as caught:
                context.journal.call(lambda: Intent("k", "t", "C.M", "p"), "k", refuse, _unasked)
            runs.append(f"{caught.value.reason} {caught.value.fields}")

    kind = bench.body(body)
    assert bench.run(kind)["state"] == "SUCCESS"
    assert runs == ["sent", *["in-use {'return_code': 20006}"] * 2]


def _unasked(_: Intent) -> Outcome | None:
    raise AssertionError("there is nothing to find out")


def test_an_answer_that_is_lost_is_found_out(bench: Bench, recorder: Recorder) -> None:
    outcomes: list[Outcome] = []
    made = Intent("k", "t", "C.M", "p", "token", ("x", "y"))

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        def send() -> Outcome:
            recorder.answer("+a")
            raise OutcomeUnknown(kind)

        def find_out(intent: Intent) -> Outcome | None:
            assert intent == made
            return Outcome(None, made="p2", was_found_out=True)

        for _ in (1, 2):
            outcomes.append(context.journal.call(lambda: made, "k", send, find_out))

    kind = bench.body(body)
    assert bench.run(kind)["state"] == "SUCCESS"
    assert outcomes == [Outcome(None, made="p2", was_found_out=True)] * 2
    assert recorder.deeds == ["+a"]


def test_a_call_is_sent_again_only_after_the_server_had_time_for_it(bench: Bench) -> None:
    sent: list[float] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        def send() -> Outcome:
            sent.append(time.monotonic())
            raise OutcomeUnknown(kind)

        context.journal.call(lambda: Intent("k", "t", "C.M", "p"), "k", send, lambda _: None)

    kind = bench.body(body)
    values = bench.run(kind)
    assert values["state"] == "FAILED"
    assert "sent 3 times" in str(values["statusMessage"])
    assert all(later - sooner >= 0.3 for sooner, later in pairwise(sent))


def test_a_server_that_cannot_be_reached_is_waited_for(bench: Bench) -> None:
    tries: list[int] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        def send() -> Outcome:
            tries.append(1)
            if len(tries) < arguments["tries"]:
                raise ProviderUnavailable(kind)
            return Outcome(0)

        context.journal.call(lambda: Intent("k", "t", "C.M", "p"), "k", send, _unasked)

    kind = bench.body(body)
    assert bench.run(kind, {"tries": 2})["state"] == "SUCCESS"
    assert len(tries) == 2
    values = bench.run(kind, {"tries": 1000})
    assert (values["state"], values["returnCode"]) == ("FAILED", 10503)


def test_small_results_are_kept_and_made_once(bench: Bench) -> None:
    runs: list[Any] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        runs.append(context.once("token", lambda: ("drawn", len(runs))))
        runs.append(context.recall("seen", "nothing"))
        context.note("seen", {"n": len(runs)})
        made = context.write(
            "made", lambda w: w.add("MachineTemplate", "machineTemplates", {}).resource.path
        )
        runs.append(made)
        if len(runs) < 6:
            raise ProviderUnavailable("run it again")

    kind = bench.body(body)
    assert bench.run(kind)["state"] == "SUCCESS"
    assert runs[0] == runs[3] == ["drawn", 0]
    assert (runs[1], runs[4]) == ("nothing", {"n": 2})
    assert runs[2] == runs[5]
    with bench.store.reading() as reading:
        assert reading.count("machineTemplates") == 1


def test_the_same_request_returns_the_first_job(bench: Bench) -> None:
    gate = Gate()
    kind = bench.body(gate)
    ann = Request("ann", "k1", "f1")
    first = bench.submit(kind, NOTHING, ann)
    assert bench.submit(kind, NOTHING, ann) == first
    with bench.store.reading() as reading:
        assert bench.engine.earlier(reading, ann) == first
        assert bench.engine.earlier(reading, Request("bob", "k1", "f1")) is None
        assert bench.engine.earlier(reading, Request("ann", None, "f1")) is None
    assert bench.submit(kind, NOTHING, Request("bob", "k1", "f1")) != first
    with pytest.raises(ConflictError) as error:
        bench.submit(kind, NOTHING, Request("ann", "k1", "another"))
    assert error.value.reason == "idempotency-key-reused"
    gate.may_go.set()
    bench.end(first)
    assert bench.submit(kind, NOTHING, ann) == first
    bench.delete(first)
    assert bench.submit(kind, NOTHING, ann) != first


def test_equal_requests_at_the_same_time_make_one_job(bench: Bench) -> None:
    found: list[str] = []
    request = Request(None, "k", "f")
    threads = [
        threading.Thread(
            target=lambda: found.append(bench.submit("nest", {"children": {}}, request))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_kind_without_a_body_is_not_taken(bench: Bench) -> None:
    with pytest.raises(LookupError, match="nonsense"):
        bench.submit("nonsense")


def test_more_jobs_than_workers_are_all_done_in_order(bench: Bench, recorder: Recorder) -> None:
    names = [str(n) for n in range(30)]
    jobs = [bench.submit("calls", {"port": recorder.port, "names": [name]}) for name in names]
    assert {bench.end(job)["state"] for job in jobs} == {"SUCCESS"}
    assert sorted(recorder.done()) == sorted(names)


def test_jobs_that_wait_keep_nobody_from_working(bench: Bench, recorder: Recorder) -> None:
    gate = Gate()
    kind = bench.body(gate)
    waiting = [bench.submit(kind) for _ in range(12)]  # there are 4 workers
    until(lambda: all(bench.values(job)["state"] == "RUNNING" for job in waiting))
    done = bench.run("calls", {"port": recorder.port, "names": ["a"]})
    assert done["state"] == "SUCCESS"
    gate.may_go.set()
    assert {bench.end(job)["state"] for job in waiting} == {"SUCCESS"}


def test_a_run_whose_job_was_taken_over_sends_and_writes_nothing_more(
    bench: Bench, recorder: Recorder
) -> None:
    runs: list[str] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        runs.append("begins")
        if len(runs) == 1:
            lost = update(RUNS).where(RUNS.c.job == context.job).values(owner="another")
            with bench.store.writing() as writing:
                writing.connection.execute(lost)
            with suppress(Exception):
                call(context, recorder.port, "+too late")
            runs.append("goes on")
        call(context, recorder.port, "+in time")

    job = bench.submit(bench.body(body))
    until(lambda: bench.values(job)["state"] == "SUCCESS")  # nobody of that name is alive
    assert runs == ["begins", "begins"]
    assert recorder.deeds == ["+in time"]
