"""Functions of the mapping language that make values: ids, names, sizes, units."""

from __future__ import annotations

from typing import Any

import pytest

from cimi_cim.mapping.functions import FUNCTIONS


def run(name: str, *arguments: Any) -> Any:
    return FUNCTIONS[name].run(*arguments)


@pytest.mark.parametrize(
    ("kilobytes", "number", "unit"),
    [(1, 1, "M"), (8388, 8, "M"), (8389, 9, "M"), (68_719_476, 65536, "M"), (68_719_477, 65, "G")],
)
def test_sizes_are_never_less_than_asked_for(kilobytes: int, number: int, unit: str) -> None:
    most = "65536"
    assert (run("scaled", kilobytes, most), run("scale", kilobytes, most)) == (number, unit)
    assert number * {"M": 2**20, "G": 2**30}[unit] >= kilobytes * 1000


def test_a_free_device_is_one_that_nobody_has() -> None:
    assert run("free_device", []) == "vda"
    assert run("free_device", ["vda", "hdc", "vdb"]) == "vdc"
    assert run("free_device", ["vdb"]) == "vda"
    assert [run("bus_of", device) for device in ("vda", "hdc", "sdb", "xvda", None)] == [
        "virtio", "ide", "scsi", None, None,
    ]  # fmt: skip


def test_a_digest_tells_texts_apart_that_look_alike_in_a_url() -> None:
    names = [run("digest", text) for text in ("a.b", "a-b", "a b")]
    assert len(set(names)) == 3
    assert all(len(name) == 27 and name.isalnum() for name in names)
    assert run("digest", None) is None


@pytest.mark.parametrize(
    ("values", "labels", "expected"),
    [
        (("x", "600a"), ("SNIA:DetailedType", "NAA;VPD83Type3"), "600a"),
        (("002a",), ("EUI64;VPD83Type2",), "002a"),
        (("iqn.x",), ("iSCSI name",), None),
        (None, None, None),
    ],
)
def test_names_of_the_world_are_told_by_their_label(
    values: Any, labels: Any, expected: str | None
) -> None:
    assert run("naa_in", values, labels) == expected


def test_what_is_left_is_known_only_where_both_numbers_are() -> None:
    assert run("difference", 10, 4) == 6
    assert run("difference", 10, None) is None
