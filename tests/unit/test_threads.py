"""What works for a request in other threads sees the context of the request."""

from __future__ import annotations

from contextvars import ContextVar

from cimi_cim.mapping.threads import ContextThreads

request: ContextVar[str] = ContextVar("request", default="none")


def test_a_task_sees_the_context_of_who_submits_it_and_keeps_nothing_of_another() -> None:
    with ContextThreads(1) as threads:
        token = request.set("first")
        first = threads.submit(request.get)
        mapped = threads.map(lambda _: request.get(), range(3))
        request.reset(token)
        assert threads.submit(request.get).result() == "none"
        assert first.result() == "first"
        assert list(mapped) == ["first"] * 3


def test_what_a_task_sets_stays_with_the_task() -> None:
    with ContextThreads(1) as threads:
        threads.submit(request.set, "changed").result()
        assert threads.submit(request.get).result() == "none"
        assert request.get() == "none"
