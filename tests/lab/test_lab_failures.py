"""What is to go wrong goes wrong, as specified, and only that (`cimi-cim lab --fail`)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem
from click.testing import CliRunner
from pywbem import Uint16

from cimi_cim.cli.main import commands
from cimi_cim.errors import ConfigError
from cimi_cim.lab.failures import CONDITIONS, Effect, parse_failure
from tests.lab.conftest import Lab
from tests.lab.provisioning import DONE, EXCEPTION, RUNNING, STARTED, Site, adapter, setting
from tests.processes import running

StartLab = Callable[..., Lab]


def another(site: Site, timeout: int = 10) -> Any:
    """Return a client with a connection of its own, which may be lost."""
    return pywbem.WBEMConnection(site.lab.url, default_namespace="root/virt", timeout=timeout)


def machines(site: Site) -> list[str]:
    return [path["Name"] for path in site.client.EnumerateInstanceNames("LAB_VirtualSystem")]


def define(client: Any, site: Site, name: str) -> Any:
    return client.InvokeMethod(
        "DefineSystem", site.service(),
        [("SystemSettings", setting(VirtualSystemIdentifier=name, ElementName=name))],
    )  # fmt: skip


def test_the_nth_call_returns_a_code_and_does_nothing(lab: StartLab) -> None:
    site = Site(lab(0, pace=0, failures=["DefineSystem:nth=2:rc=2"]))
    codes = [define(site.client, site, f"m{n}")[0] for n in range(3)]
    assert codes == [DONE, 2, DONE]
    assert machines(site) == ["m0", "m2"]
    calls = site.client.EnumerateInstances("LAB_MethodCall")
    assert [call.get("Failure") for call in calls] == [None, "DefineSystem:nth=2:rc=2", None]
    assert calls[1]["ReturnCode"] == 2


def test_a_status_is_a_cim_error_and_nothing_is_done(lab: StartLab) -> None:
    site = Site(lab(0, failures=["DefineSystem:cim=2"]))
    error = site.refused("DefineSystem")
    assert error.status_code == pywbem.CIM_ERR_ACCESS_DENIED
    assert not site.client.EnumerateInstances("CIM_ConcreteJob")


@pytest.mark.parametrize("pace", [0.0, 1.0])
def test_a_job_fails_with_the_text_and_leaves_nothing(lab: StartLab, pace: float) -> None:
    site = Site(lab(0, pace=pace, failures=['DefineSystem:job-error="no: power"']))
    reserved = site.reserved()
    code, out = define(site.client, site, "m")
    assert code == STARTED
    site.lab.clock.now += 60
    job = site.client.GetInstance(out["Job"])
    assert (job["JobState"], job["ErrorDescription"]) == (EXCEPTION, "Failed: no: power")
    assert [error["Message"] for error in site.errors(job.path)] == ["Failed: no: power"]
    assert not machines(site)
    assert site.reserved() == reserved
    site.lab.simulation.failures.clear()
    define(site.client, site, "m")  # its name is free again
    site.lab.clock.now += 60
    assert machines(site) == ["m"]


def test_a_state_change_that_fails_leads_back(lab: StartLab) -> None:
    site = Site(lab(failures=["VirtualSystem.RequestStateChange:job-error"]))
    machine = site.lab.machine("running")
    code, out = site.client.InvokeMethod(
        "RequestStateChange", machine, [("RequestedState", Uint16(9))]
    )
    assert code == STARTED
    assert site.client.GetInstance(machine)["TransitioningToState"] == 9
    site.lab.clock.now += 60
    assert site.client.GetInstance(out["Job"])["JobState"] == EXCEPTION
    found = site.client.GetInstance(machine)
    assert (found["EnabledState"], found["TransitioningToState"]) == (2, 12)


def test_a_job_that_hangs_can_be_given_up(lab: StartLab) -> None:
    site = Site(lab(0, pace=0, failures=["AddResourceSettings:job-hang"]))
    _, out = site.call("DefineSystem")
    made = out["ResultingSystem"]
    sent = {
        "AffectedConfiguration": site.state_setting(made).path, "ResourceSettings": [adapter()],
    }  # fmt: skip
    code, out = site.call("AddResourceSettings", **sent)
    assert code == STARTED
    site.lab.clock.now += 10**6
    job = site.client.GetInstance(out["Job"])
    assert (job["JobState"], job["PercentComplete"]) == (RUNNING, 50)
    assert site.call("DestroySystem", AffectedSystem=made)[0] == 5
    code, _ = site.client.InvokeMethod(
        "RequestStateChange", job.path, [("RequestedState", Uint16(4))]
    )
    assert code == DONE
    assert len(site.resources(made)) == 2
    assert site.call("DestroySystem", AffectedSystem=made)[0] == DONE


def test_a_dropped_reply_is_work_that_was_done(lab: StartLab) -> None:
    site = Site(lab(0, pace=0, failures=["DefineSystem:drop-reply"]))
    with pytest.raises(pywbem.ConnectionError):
        define(another(site), site, "m")
    assert machines(site) == ["m"]
    (call,) = site.client.EnumerateInstances("LAB_MethodCall")
    assert (call["Answered"], call["ReturnCode"]) == (False, DONE)


def test_a_connection_killed_before_is_work_that_was_not_done(lab: StartLab) -> None:
    site = Site(lab(0, pace=0, failures=["DefineSystem:kill-before"]))
    with pytest.raises(pywbem.ConnectionError):
        define(another(site), site, "m")
    assert not machines(site)
    (call,) = site.client.EnumerateInstances("LAB_MethodCall")
    assert (call["Answered"], call.get("ReturnCode")) == (False, None)


@pytest.mark.parametrize(("effect", "made"), [("hang", []), ("hang-reply", ["m"])])
def test_no_answer_keeps_only_its_own_connection_waiting(
    lab: StartLab, effect: str, made: list[str]
) -> None:
    site = Site(lab(0, pace=0, failures=[f"DefineSystem:times=1:{effect}"]))
    with pytest.raises((pywbem.TimeoutError, pywbem.ConnectionError)):
        define(another(site, timeout=1), site, "m")
    assert machines(site) == made
    assert define(site.client, site, "other")[0] == DONE


def test_a_server_that_ends_waits_for_no_hanging_client(lab: StartLab) -> None:
    site = Site(lab(0, failures=["DefineSystem:hang"]))  # the fixture ends the server
    client = another(site, timeout=60)

    def call() -> None:
        with pytest.raises(pywbem.ConnectionError):
            define(client, site, "m")

    thread = threading.Thread(target=call)
    thread.start()
    while not site.lab.simulation.calls:
        thread.join(0.01)
    assert thread.is_alive()


def test_a_delay_comes_before_the_work(lab: StartLab) -> None:
    waited: list[float] = []
    failures = ["*:delay=0.05", "DefineSystem:delay=2", "DefineSystem:nth=2:rc=3"]
    site = Site(lab(0, pace=0, failures=failures, sleep=waited.append))
    assert define(site.client, site, "a")[0] == DONE
    assert waited == [0.05, 2.0]
    assert define(site.client, site, "b")[0] == 3
    with pytest.raises(pywbem.CIMError):
        site.client.InvokeMethod("GetErrors", site.service())
    assert waited == [0.05, 2.0] * 2 + [0.05]


def test_a_failure_happens_with_its_probability_the_same_for_the_same_seed(lab: StartLab) -> None:
    def outcomes(seed: int) -> list[int]:
        site = Site(lab(0, pace=0, seed=seed, failures=["*:p=0.3:rc=2"]))
        return [define(site.client, site, f"m{n}")[0] for n in range(30)]

    first = outcomes(7)
    assert first == outcomes(7)
    assert first != outcomes(8)
    assert 0 < first.count(2) < 30


def test_failures_choose_by_class_name_and_count(lab: StartLab) -> None:
    site = Site(lab(pace=0))
    failures = site.lab.simulation.failures
    failures.add("CIM_ConcreteJob.RequestStateChange:rc=4")
    machine = site.lab.machine("running")
    site.request(machine, 9)
    assert site.client.GetInstance(machine)["EnabledState"] == 9
    failures.clear()
    failures.add("DefineSystem:name=web*:times=2:rc=2")
    names = ["web1", "db", "web2", "web3"]
    assert [define(site.client, site, name)[0] for name in names] == [2, DONE, 2, DONE]
    failures.clear()
    failures.add("DefineSystem:every=2:rc=2")
    assert [define(site.client, site, f"x{n}")[0] for n in range(4)] == [DONE, 2, DONE, 2]


def test_reads_fail_only_when_they_are_named(lab: StartLab) -> None:
    site = Site(lab(1, failures=["*:cim=1"]))
    machine = site.lab.machine("running")
    assert site.client.GetInstance(machine)["EnabledState"] == 2
    site.lab.simulation.failures.add("VirtualSystem.GetInstance:nth=2:cim=7")
    site.client.GetInstance(machine)
    site.client.GetInstance(site.service())
    with pytest.raises(pywbem.CIMError) as error:
        site.client.GetInstance(machine)
    assert error.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("DefineSystem", "write METHOD"),
        (":rc=1", "write METHOD"),
        ("DefineSystem:nth=3", "what is to happen"),
        ("DefineSystem:rcc=1", "unknown 'rcc'; did you mean 'rc'?"),
        ("DefineSystem:rc=two", "rc needs a number"),
        ("DefineSystem:rc=-1", "at least 0"),
        ("DefineSystem:nth=0:hang", "nth is at least 1"),
        ("DefineSystem:p=1.5:hang", "p is above 0 and at most 1"),
        ("DefineSystem:hang=1", "hang takes no value"),
        ("DefineSystem:hang:rc=1", "one effect is enough"),
        ('DefineSystem:job-error="x', "a double quote is missing"),
        ("DefineSystem:name=:hang", "name has a value"),
        ("DefineSystem:delay=inf", "at least 0"),
    ],
)
def test_a_specification_that_is_wrong_says_how_it_is_right(spec: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_failure(spec)
    assert said in error.value.message


def test_a_text_in_quotes_may_hold_anything() -> None:
    failure = parse_failure('Storage.X:name="a:b":job-error="a \\"b\\": c\\\\"')
    assert (failure.cls, failure.method, failure.name) == ("Storage", "X", "a:b")
    assert (failure.effect, failure.text) == (Effect.JOB_ERROR, 'a "b": c\\')


def test_the_command_takes_failures(tmp_path: Path) -> None:
    fail = ("--fail", "DefineSystem:nth=1:rc=2", "--fail", "DestroySystem:cim=1")
    with running(tmp_path, "lab", "--machines", "0", "--pace", "0", *fail) as urls:
        client = pywbem.WBEMConnection(urls["wbem"], default_namespace="root/virt")
        (service,) = client.EnumerateInstanceNames("CIM_VirtualSystemManagementService")
        assert [client.InvokeMethod("DefineSystem", service)[0] for _ in range(2)] == [2, DONE]
        (system,) = client.EnumerateInstanceNames("LAB_VirtualSystem")
        with pytest.raises(pywbem.CIMError):
            client.InvokeMethod("DestroySystem", service, [("AffectedSystem", system)])


def test_the_command_refuses_a_wrong_failure() -> None:
    result = CliRunner().invoke(commands, ["lab", "--fail", "DefineSystem:nth=3"])
    assert result.exit_code != 0
    assert "what is to happen? One of rc, cim," in str(result.exception or result.output)


def test_the_page_lists_every_condition_and_effect() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([a-z-]+)(?:=[A-Z-]+)?` \|", page, re.MULTILINE)
    assert named == [*CONDITIONS, *(effect.value for effect in Effect)]
