"""`$filter` as DSP0263 4.1.6.1 writes it; what it does not say is said in the module."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.model.filters import MAX_DEPTH, MAX_LENGTH, FilterError, parse_filter
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import CimiVersion

MACHINE = load_model()["Machine"]
VOLUME = load_model()["Volume"]
WEB: dict[str, Any] = {
    "id": Ref("machines/1"),
    "name": "web",
    "cpu": 4,
    "memory": 2048,
    "state": "STARTED",
    "created": "2026-01-31T12:00:00+00:00",
    "properties": {"env": "test", "it's": 'a "word"'},
}


def holds(text: str, values: dict[str, Any] | None = None) -> bool:
    tree = parse_filter(text, MACHINE, CimiVersion.V2)
    return tree.holds(WEB if values is None else values, lambda ref: f"http://h/{ref.path}")


@pytest.mark.parametrize(
    "text",
    [
        "name='web'", 'name="web"', "name!='db'", "'web'=name", "cpu=4", "cpu>=4", "cpu<=4",
        "4>=cpu", "3<cpu", "cpu > 3", "cpu='4'", "created>2026-01-01",
        "created<2026-02-01T00:00:00Z",
        "created=2026-01-31T13:00:00+01:00", "created=2026-01-31T13:00:00 01:00",
        "created>='2026-01-31'", "property['env']='test'", "property[ 'env' ] != 'prod'",
        "property['it\\'s']='a \"word\"'", "cpu>=2 and (state='STARTED' or state='PAUSED')",
        "name='db' and cpu=1 or cpu=4", "cpu=4 or name='db' and cpu=1", "((name='web'))",
        "description!='x'", "id='http://h/machines/1'", "property['other']!='x'",
    ],
)  # fmt: skip
def test_what_is_true_of_the_machine_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "name='Web'", "cpu<4", "created>2026-01-31T12:00:00Z", "description='x'",
        "property['other']='x'", "property['env']!='test'", "state='STOPPED' and cpu=4",
        "(cpu=4 or name='db') and cpu=1", "created=2026-01-31",
    ],
)  # fmt: skip
def test_what_is_false_of_the_machine_does_not_hold(text: str) -> None:
    assert not holds(text)


def test_an_attribute_that_is_missing_is_only_unequal() -> None:
    for said, expected in {"=": False, "!=": True, "<": False, ">": False}.items():
        assert holds(f"cpu{said}1", {"name": "x"}) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at its end"),
        ("cpu<", "at its end"),
        ("cpu", "at its end"),
        ("cpu=2 xor cpu=3", "at position 7"),
        ("state=STARTED", "at position 7"),
        ("cpu=-1", "at position 5"),
        ("cpu='x'", "at position 5: cpu is an integer"),
        ("cpu=" + "9" * 5000, "cpu is an integer"),
        ("nam='x'", "did you mean 'name'?"),
        ("name<'x'", "= and != only"),
        ("name=true", "write 'true' in quotes"),
        ("name=2026-01-01", "in quotes"),
        ("disks='x'", "cannot be compared"),
        ("created='yesterday'", "is a date"),
        ("property['a']>'b'", "= and != only"),
        ("cpu=1 AND cpu=2", "at position 7"),
        ("name='x", "at position 6"),
        ("(" * (MAX_DEPTH + 1) + "cpu=1" + ")" * (MAX_DEPTH + 1), "nested deeper"),
        ("x" * (MAX_LENGTH + 1), "longer than"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(FilterError) as error:
        holds(text)
    assert said in str(error.value)


def test_names_are_those_of_the_version() -> None:
    parse_filter("parent='x'", VOLUME, CimiVersion.V2)
    with pytest.raises(FilterError, match="no attribute 'parent'"):
        parse_filter("parent='x'", VOLUME, CimiVersion.V1)


def test_the_needed_attributes_are_known_before_anything_is_read() -> None:
    tree = parse_filter(
        "name='a' and (cpu>1 or property['x']='y') and name!='b'", MACHINE, CimiVersion.V2
    )
    assert tree.needs == {"name", "cpu", "properties"}


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(TEXT, TEXT)
def test_any_text_compares_as_itself(value: str, other: str) -> None:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    assert holds(f"name='{escaped}'", {"name": value})
    assert holds(f"name='{escaped}'", {"name": other}) is (value == other)


COMPARISON = st.tuples(
    st.sampled_from(["cpu", "memory"]),
    st.sampled_from(["<", "<=", "=", ">=", ">", "!="]),
    st.integers(0, 5),
)
TREE = st.recursive(
    COMPARISON.map(lambda c: f"{c[0]}{c[1]}{c[2]}"),
    lambda inner: st.builds(
        lambda left, word, right: f"({left}) {word} ({right})",
        inner, st.sampled_from(["and", "or"]), inner,
    ),
    max_leaves=12,
)  # fmt: skip


@given(TREE, st.integers(0, 5), st.integers(0, 5))
def test_an_expression_means_what_it_means_in_python(text: str, cpu: int, memory: int) -> None:
    python = text.replace("!=", "<>").replace("=", "==").replace("<==", "<=").replace(">==", ">=")
    expected = eval(python.replace("<>", "!="), {}, {"cpu": cpu, "memory": memory})
    assert holds(text, {"cpu": cpu, "memory": memory}) is bool(expected)


@given(st.text(max_size=60))
def test_no_text_fails_in_another_way(text: str) -> None:
    try:
        parse_filter(text, MACHINE, CimiVersion.V2)
    except FilterError as exc:
        refused = str(exc)
    else:
        refused = ""
    assert len(refused) < 400
