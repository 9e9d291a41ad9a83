"""What an answer lacks is told in headers that stay small, and reaches them from any thread."""

from __future__ import annotations

import falcon

from cimi_cim.http.incomplete import tell_incomplete
from cimi_cim.incomplete import note, noting
from cimi_cim.mapping.threads import Crew


def headers(left_out: dict[str, str]) -> dict[str, str]:
    resp = falcon.Response()
    tell_incomplete(resp, left_out)
    return resp.headers


def test_a_complete_answer_has_no_such_headers() -> None:
    assert headers({}) == {}


def test_targets_are_named_in_order_each_with_its_reason() -> None:
    told = headers({"b": 'says "no"', "a": "cannot be reached"})
    assert told["x-cimi-incomplete"] == "a,b"
    assert told["warning"] == (
        '199 - "target a is left out: cannot be reached",'
        ' 199 - "target b is left out: says \\"no\\""'
    )


def test_headers_stay_small_however_many_targets_are_left_out() -> None:
    told = headers({f"target-{n:03}-{'x' * 21}": "y" * 10_000 for n in range(500)})
    names = told["x-cimi-incomplete"].split(",")
    assert len(names) == 51
    assert names[-1] == "*"
    assert told["warning"].count("199 - ") == 9
    assert told["warning"].endswith('199 - "492 more targets are left out"')
    assert sum(len(value) for value in told.values()) < 5000


def test_what_is_noted_anywhere_on_the_way_reaches_all_who_listen() -> None:
    crew = Crew("test")
    note("nobody", "is listening")
    with noting() as outer:
        with noting() as inner:
            crew.lane(1).submit(note, "a", "first").result()
            note("a", "second")
        note("b", "later")
    crew.close()
    assert (inner, outer) == ({"a": "first"}, {"a": "first", "b": "later"})
