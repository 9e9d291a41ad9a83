"""A Job that is stopped when its work is done already leaves nothing behind, either."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.values import InstancePath
from tests.clouds import LIMIT_S, Cloud, action


class Hiding(Simulation):
    """A lab that does not show new snapshots while something holds."""

    def __init__(self, pace: float) -> None:
        super().__init__(1, pace=pace)
        self.hides: Callable[[], bool] = lambda: False

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer, or deny that a snapshot is there."""
        subject = call.parameters.get("InstanceName")
        is_snapshot = isinstance(subject, InstancePath) and "SettingData" in subject.classname
        if is_snapshot and call.operation == "GetInstance" and self.hides():
            raise CimError(6, "it is not to be seen yet")
        return super().intrinsic(call)


@pytest.mark.parametrize("pace", [0, 0.01])
def test_a_snapshot_that_was_taken_when_its_job_is_stopped_is_deleted(pace: float) -> None:
    """The stop comes between the server's answer and what the Job makes of it."""
    lab = Hiding(pace)
    with ExitStack() as stack:
        cloud = Cloud(stack, lab)
        machine = cloud.made("machines", {"name": "m", "machineTemplate": {}})
        looks = threading.Event()

        def hides() -> bool:
            looks.set()
            return True

        lab.hides = hides
        body = {"name": "early", "imageLocation": machine["id"], "type": "SNAPSHOT"}
        answer = cloud.ask("POST", "machineImages", body)
        job = answer.headers["CIMI-Job-URI"]
        assert looks.wait(LIMIT_S)
        lab.hides = lambda: cloud.get(job)["state"] == "RUNNING"
        assert cloud.ask("POST", f"{job}/stop", action("stop")).status_code in (200, 202)
        ended = cloud.job(answer)
        assert ended["state"] == "STOPPED"
        assert ended["statusMessage"].endswith("what it had done was undone")
        assert cloud.get(machine["snapshots"]["href"])["count"] == 0
        assert [call.method for call in lab.calls].count("DestroySnapshot") == 1
