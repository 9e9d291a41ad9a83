"""How jobs of servers begin and end, in words of their own: the lab behind a changing proxy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from cimi_cim.config import TargetConfig
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from tests.clouds import BridgeClient
from tests.faults.proxy import FaultProxy
from tests.faults.raw import spoken
from tests.fleets import machine

REASON = "the array of disks caught fire"
FAILING = f'DefineSystem:name=doomed:job-error="{REASON}"'
FAILED, COMPLETED = 10, 7


def prop(name: bytes, value: bytes) -> Callable[[bytes], bytes]:
    """A property of jobs with another value."""
    pattern = re.compile(rb'(<PROPERTY NAME="' + name + rb'"[^>]*><VALUE>)[^<]*')
    return lambda body: pattern.sub(rb"\g<1>" + value, body)


def without(*names: bytes) -> Callable[[bytes], bytes]:
    kinds = rb"(?:PROPERTY|PROPERTY\.ARRAY)"
    pattern = re.compile(
        rb"<(" + kinds + rb') NAME="(?:' + b"|".join(names) + rb')"[^>]*?(?:/>|>.*?</\1>)',
        re.DOTALL,
    )
    return lambda body: pattern.sub(b"", body)


def completed(body: bytes) -> bytes:
    """A job that failed says that it is completed, as libvirt-cim does."""
    return re.sub(
        rb'(<PROPERTY NAME="JobState"[^>]*><VALUE>)%d<' % FAILED, rb"\g<1>%d<" % COMPLETED, body
    )


def only_status(body: bytes) -> bytes:
    """Nothing but the OperationalStatus tells that it failed (DSP1103: 6 Error, 17 Completed)."""
    was_failed = b">%d</VALUE>" % FAILED in body and b'"JobState"' in body
    body = without(b"ErrorCode", b"OperationalStatus")(completed(body))
    status = (
        b'<PROPERTY.ARRAY NAME="OperationalStatus" TYPE="uint16"><VALUE.ARRAY><VALUE>17</VALUE>'
        b"<VALUE>6</VALUE></VALUE.ARRAY></PROPERTY.ARRAY></INSTANCE>"
    )
    return body.replace(b"</INSTANCE>", status) if was_failed else body


def returns_0(body: bytes) -> bytes:
    """A method that started a job says that it is done, and gives the job."""
    return body.replace(b"<VALUE>4096</VALUE></RETURNVALUE>", b"<VALUE>0</VALUE></RETURNVALUE>")


def returns_0_and_completes(body: bytes) -> bytes:
    return completed(returns_0(body))


DIALECTS: dict[str, Callable[[bytes], bytes]] = {
    "as declared": bytes,
    "a failed job says completed": completed,
    "only the operational status tells": only_status,
    "return code 0 with a job": returns_0,
    "return code 0 with a job that says completed": returns_0_and_completes,
    "no progress": without(b"PercentComplete"),
    "progress beyond all bounds": prop(b"PercentComplete", b"65535"),
}


@contextmanager
def bridge(change: Callable[[bytes], bytes]) -> Iterator[BridgeClient]:
    with ExitStack() as stack:
        front = stack.enter_context(lab_server(Simulation(1, pace=0.2, failures=[FAILING])))
        proxy = stack.enter_context(FaultProxy(front.url, spoken(change)))
        yield BridgeClient(stack, TargetConfig("lab", proxy.url))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_failed_job_fails_and_a_completed_one_makes_its_machine(name: str) -> None:
    with bridge(DIALECTS[name]) as client:
        made = client.made("machines", machine("fine"))
        assert (made["name"], made["memory"]) == ("fine", 2**20)
        job = client.failed("POST", "machines", machine("doomed"))
        assert REASON in job["statusMessage"]
        names = [item["name"] for item in client.get("machines")["machines"]]
        assert "doomed" not in names


def test_a_job_that_vanished_is_told_by_its_effect() -> None:
    """A server that removes jobs as soon as they are over answers CIM_ERR_NOT_FOUND."""
    reply = re.compile(rb"<IRETURNVALUE>.*</IRETURNVALUE>", re.DOTALL)

    def gone(body: bytes) -> bytes:
        is_over = re.search(rb'"JobState"[^>]*><VALUE>(?:7|10)<', body)
        if b'NAME="GetInstance"' not in body or not is_over:
            return body
        return reply.sub(b'<ERROR CODE="6" DESCRIPTION="not found"/>', body)

    with bridge(gone) as client:
        assert client.made("machines", machine("fine"))["name"] == "fine"
        client.failed("POST", "machines", machine("doomed"))
