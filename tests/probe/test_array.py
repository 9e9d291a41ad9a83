"""A storage array is known for what it is, and where it is, without being told."""

from __future__ import annotations

from typing import Any

from cimi_cim.lab.front import WbemFront
from tests.array import NAMESPACE, Array
from tests.probe.conftest import probed


def test_an_array_is_found_through_its_profile_and_served_as_one() -> None:
    with WbemFront(Array()) as front:
        found = probed(front.url)
    assert (found["mapping"], found["namespace"]) == ("smi-s", NAMESPACE)
    lines: list[dict[str, Any]] = found["coverage"]
    served = {li["name"]: li["sample"] for li in lines if li["kind"] == "resource" and li["served"]}
    assert served == {"Volume": 4, "VolumeImage": 2}
