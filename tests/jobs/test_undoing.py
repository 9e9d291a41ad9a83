"""Failing, stopping and deleting: what was done is undone, and nothing is left half-way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cimi_cim.errors import ConflictError, ProviderUnavailable
from cimi_cim.model.resources import Ref
from cimi_cim.service.jobs.asking import Request
from cimi_cim.service.jobs.bodies import JobContext, JobStopped
from cimi_cim.service.jobs.records import Work, record
from tests.jobs.conftest import Bench
from tests.jobs.recorder import Recorder
from tests.jobs.waiting import LIMIT_S, Gate, until
from tests.jobs.work import TARGET, call


def arguments(recorder: Recorder, *names: str, **more: Any) -> dict[str, Any]:
    return {"port": recorder.port, "names": names, **more}


def can_stop(bench: Bench, job: str) -> bool:
    with bench.store.reading() as reading:
        return bench.engine.can_stop(reading, job)


def test_a_failed_job_undoes_its_deeds_the_last_one_first(bench: Bench, recorder: Recorder) -> None:
    values = bench.run("calls", arguments(recorder, "a", "b", undo=True, fail="too bad"))
    assert recorder.deeds == ["+a", "+b", "-b", "-a"]
    assert values["state"] == "FAILED"
    assert values["statusMessage"] == "too bad (made-to-fail); what it had done was undone"


def test_what_was_to_be_undone_before_it_was_done_is_not_there(
    bench: Bench, recorder: Recorder
) -> None:
    recorder.refuses = {"+b"}
    values = bench.run("calls", arguments(recorder, "a", "b", undo=True))
    assert recorder.deeds == ["+a", "-a"]
    assert values["state"] == "FAILED"
    assert str(values["statusMessage"]).startswith("the recorder refuses b (refused); what it")


def test_one_deed_that_stays_keeps_no_other_from_being_undone(
    bench: Bench, recorder: Recorder
) -> None:
    def cannot(context: JobContext, _: Mapping[str, Any]) -> None:
        raise ConflictError("it is in use", reason="in-use")

    undoes = bench.body(cannot)

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        context.undo("a", "uncall", {"port": recorder.port, "name": "a"}, "undo a")
        call(context, recorder.port, "+a")
        context.undo("b", undoes, {}, "delete the volume b")
        raise ConflictError("too bad")

    job = bench.submit(bench.body(body))
    told = str(bench.end(job)["statusMessage"])
    assert recorder.deeds == ["+a", "-a"]
    assert told == (
        "too bad (conflict); it was not undone in full: could not delete the volume b: it is in"
        " use (in-use)"
    )
    failure = bench.failure(job)
    assert failure is not None
    assert "could not delete the volume b" in failure.message


def test_what_is_kept_is_not_undone(bench: Bench, recorder: Recorder) -> None:
    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        for name in ("a", "b"):
            context.undo(name, "uncall", {"port": recorder.port, "name": name}, f"undo {name}")
            call(context, recorder.port, f"+{name}")
            if name == "a":
                context.keep()
        raise ConflictError("too bad")

    bench.run(bench.body(body))
    assert recorder.deeds == ["+a", "+b", "-b"]


def test_an_undoing_can_draw_once_and_wait_and_call(bench: Bench, recorder: Recorder) -> None:
    drawn: list[Any] = []

    def undo(context: JobContext, given: Mapping[str, Any]) -> None:
        drawn.append(context.once("x", lambda: len(drawn)))
        context.progress(5, "not told")
        context.sleep(0.001)
        call(context, recorder.port, "-a")
        if len(drawn) < 2:
            raise ProviderUnavailable("run it again")

    undoes = bench.body(undo)

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        context.note("x", "the body's own")
        for _ in (1, 2):
            context.undo("a", undoes, {}, "undo a")
        raise ConflictError("too bad")

    values = bench.run(bench.body(body))
    assert drawn == [0, 0]
    assert recorder.deeds == ["-a"]
    assert values["statusMessage"] == "too bad (conflict); what it had done was undone"


def test_a_stopped_job_is_stopping_then_stopped_and_undone(
    bench: Bench, recorder: Recorder
) -> None:
    gate = Gate()

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        context.undo("a", "uncall", {"port": recorder.port, "name": "a"}, "undo a")
        call(context, recorder.port, "+a")
        gate.began.set()
        assert gate.may_go.wait(LIMIT_S)
        call(context, recorder.port, "+b")

    job = bench.submit(bench.body(body))
    assert gate.began.wait(LIMIT_S)
    assert can_stop(bench, job)
    bench.stop(job)
    assert bench.values(job)["state"] == "STOPPING"
    assert not can_stop(bench, job)
    bench.stop(job)  # once more is no mistake
    gate.may_go.set()
    values = bench.end(job)
    assert (values["state"], values["returnCode"], values["progress"]) == ("STOPPED", 10409, 100)
    assert values["statusMessage"] == "stopped on request; what it had done was undone"
    assert recorder.deeds == ["+a", "-a"]
    failure = bench.failure(job)
    assert isinstance(failure, JobStopped)
    with pytest.raises(ConflictError, match="over"):
        bench.stop(job)


def test_stop_wakes_a_job_that_waits(bench: Bench) -> None:
    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        context.sleep(3600)

    job = bench.submit(bench.body(body))
    until(lambda: bench.values(job)["state"] == "RUNNING")
    bench.stop(job)
    assert bench.end(job)["state"] == "STOPPED"


def test_what_was_drawn_is_kept_though_the_job_is_to_stop(bench: Bench) -> None:
    kept: list[Any] = []

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        def draw() -> str:
            bench.stop(context.job)
            return "drawn"

        kept.append(context.once("x", draw))
        kept.append(context.recall("x"))
        context.check_cancelled()

    assert bench.run(bench.body(body))["state"] == "STOPPED"
    assert kept == ["drawn", "drawn"]


def test_a_job_that_ends_before_it_can_be_stopped_says_so(bench: Bench) -> None:
    gate = Gate()

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        gate.began.set()
        assert gate.may_go.wait(LIMIT_S)

    job = bench.submit(bench.body(body))
    assert gate.began.wait(LIMIT_S)
    bench.stop(job)
    gate.may_go.set()
    values = bench.end(job)
    assert values["state"] == "SUCCESS"
    assert values["statusMessage"] == "it had ended before it could be stopped"


def test_a_job_that_has_not_begun_stops_at_once_and_does_nothing(
    bench: Bench, recorder: Recorder
) -> None:
    gate = Gate()
    before = bench.submit(bench.body(gate), holds=[TARGET])
    job = bench.submit("calls", arguments(recorder, "a"), holds=[TARGET])
    bench.stop(job)
    assert bench.values(job)["state"] == "STOPPED"
    gate.may_go.set()
    bench.end(before)
    assert bench.end(job)["statusMessage"] == "stopped on request"
    assert recorder.deeds == []


def test_a_kind_that_cannot_be_stopped_refuses(bench: Bench) -> None:
    gate = Gate()
    job = bench.submit(bench.body(gate, can_stop=False))
    assert gate.began.wait(LIMIT_S)
    assert not can_stop(bench, job)
    for refused in (bench.stop, bench.delete):
        with pytest.raises(ConflictError, match="cannot be stopped"):
            refused(job)
    gate.may_go.set()
    assert bench.end(job)["state"] == "SUCCESS"


def test_what_is_being_undone_cannot_be_stopped(bench: Bench, recorder: Recorder) -> None:
    gate = Gate()
    undoes = bench.body(gate)

    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        context.undo("a", undoes, {}, "undo a")
        raise ConflictError("too bad")

    job = bench.submit(bench.body(body))
    assert gate.began.wait(LIMIT_S)
    with pytest.raises(ConflictError, match="is being undone"):
        bench.stop(job)
    assert not bench.delete(job)
    gate.may_go.set()
    assert bench.end(job) == {}


def test_a_deleted_job_that_is_over_leaves_nothing(bench: Bench, recorder: Recorder) -> None:
    job = bench.submit("nest", {"children": {"c": arguments(recorder, "a", undo=True)}})
    nested = bench.end(job)["nestedJobs"]
    assert bench.delete(job)
    assert bench.values(job) == {}
    assert all(bench.values(ref.path) == {} for ref in nested)
    assert bench.engine.wait(job, 0)


def test_a_deleted_job_that_runs_is_stopped_first(bench: Bench) -> None:
    gate = Gate()
    job = bench.submit(bench.body(gate))
    assert gate.began.wait(LIMIT_S)
    assert not bench.delete(job)
    assert bench.end(job) == {}
    assert not gate.may_go.is_set()


def test_a_job_of_work_that_was_over_at_once_is_just_deleted(bench: Bench) -> None:
    request = Request("ann", "of-a-record", "f")
    with bench.store.writing() as writing:
        job = record(writing, Work("edit", TARGET))
        bench.engine.remember(writing, request, job)
    assert bench.submit("calls", {"port": 0, "names": []}, request) == job
    assert not can_stop(bench, job)
    assert bench.failure(job) is None
    assert bench.delete(job)
    assert bench.values(job) == {}


def test_nested_jobs_make_up_one_job(bench: Bench, recorder: Recorder) -> None:
    inner = {"kind": "nest", "children": {"x": arguments(recorder, "c")}}
    job = bench.submit("nest", {"children": {"a": arguments(recorder, "a"), "b": inner}})
    values = bench.end(job)
    assert values["state"] == "SUCCESS"
    assert recorder.standing() == {"a", "c"}
    assert len(values["nestedJobs"]) == 2
    for ref in values["nestedJobs"]:
        child = bench.values(ref.path)
        assert (child["state"], child["parentJob"]) == ("SUCCESS", Ref(job))
    below = bench.values(values["nestedJobs"][1].path)["nestedJobs"]
    assert bench.values(below[0].path)["state"] == "SUCCESS"


def test_nesting_deeper_and_wider_than_there_are_workers_ends(
    bench: Bench, recorder: Recorder
) -> None:
    tree = arguments(recorder, "leaf")
    for depth in range(3):
        tree = {"kind": "nest", "children": {f"{depth}{n}": tree for n in range(3)}}
    jobs = [bench.submit("nest", {"children": {"t": tree}}) for _ in range(2)]
    assert {bench.end(job)["state"] for job in jobs} == {"SUCCESS"}
    assert recorder.done() == {"leaf": 2 * 27}


def test_a_job_fails_with_a_nested_one_and_undoes_the_others(
    bench: Bench, recorder: Recorder
) -> None:
    children = {
        "good": arguments(recorder, "a", undo=True),
        "bad": arguments(recorder, "b", undo=True, fail="too bad"),
    }
    values = bench.run("nest", {"children": children})
    assert values["state"] == "FAILED"
    assert "1 of 2 nested Jobs failed: bad: too bad (made-to-fail)" in str(values["statusMessage"])
    assert recorder.standing() == set()
    states = [bench.values(ref.path)["state"] for ref in values["nestedJobs"]]
    assert states == ["SUCCESS", "FAILED"]


def test_stopping_a_job_stops_what_is_nested_in_it(bench: Bench, recorder: Recorder) -> None:
    gate = Gate()
    kind = bench.body(gate)
    children = {"a": arguments(recorder, "a", undo=True), "b": {"kind": kind}}
    job = bench.submit("nest", {"children": children})
    assert gate.began.wait(LIMIT_S)
    until(lambda: recorder.standing() == {"a"})
    nested = [ref.path for ref in bench.values(job)["nestedJobs"]]
    until(lambda: bench.values(nested[0])["state"] == "SUCCESS")
    with pytest.raises(ConflictError, match="part of"):
        bench.delete(nested[1])
    bench.stop(job)
    assert bench.end(job)["state"] == "STOPPED"
    assert bench.values(nested[1])["state"] == "STOPPED"
    assert recorder.standing() == set()


def test_a_nested_job_can_be_stopped_alone_and_fails_the_whole(bench: Bench) -> None:
    gate = Gate()
    kind = bench.body(gate)
    job = bench.submit("nest", {"children": {"b": {"kind": kind}}})
    assert gate.began.wait(LIMIT_S)
    bench.stop(bench.values(job)["nestedJobs"][0].path)
    values = bench.end(job)
    assert values["state"] == "FAILED"
    assert "b: stopped on request" in str(values["statusMessage"])


def test_what_is_deleted_meanwhile_is_affected_no_more(bench: Bench) -> None:
    def body(context: JobContext, given: Mapping[str, Any]) -> None:
        def make(writing: Any) -> str:
            return str(writing.add("MachineTemplate", "machineTemplates", {}).resource.path)

        path = context.write("made", make)
        context.affected(path)
        context.progress(50)
        context.write("gone", lambda writing: writing.remove(path))

    values = bench.run(bench.body(body))
    assert values["state"] == "SUCCESS"
    assert values["affectedResources"] == [Ref(TARGET)]
