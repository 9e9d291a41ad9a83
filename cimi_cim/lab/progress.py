"""Jobs show how far they are when somebody looks at them, and cost nothing before."""

from __future__ import annotations

from collections.abc import Iterator

from cimi_cim.lab.backend import IntrinsicCall
from cimi_cim.lab.jobs import RunningJob
from cimi_cim.lab.platform import Platform
from cimi_cim.wbem.values import InstancePath

_LINKS = ("CIM_OwningJobElement", "CIM_AffectedJobElement")


def show_progress(platform: Platform, call: IntrinsicCall) -> None:
    """Bring the running jobs up to date that an operation may show."""
    for job in _shown(platform, call):
        platform.jobs.refresh(job, platform.clock())


def _shown(platform: Platform, call: IntrinsicCall) -> Iterator[RunningJob]:
    subject = call.parameters.get("InstanceName", call.parameters.get("ObjectName"))
    if isinstance(subject, InstancePath):
        job = platform.jobs.find(subject)
        if job is not None:
            yield job
        elif call.operation != "GetInstance":
            yield from _linked(platform, subject)
    elif _is_above_jobs(platform, str(call.parameters.get("ClassName", ""))):
        yield from platform.jobs.running()


def _linked(platform: Platform, element: InstancePath) -> Iterator[RunningJob]:
    for association in _LINKS:
        for found in platform.repository.linked(element, association=association):
            job = platform.jobs.find(found.path)
            if job is not None:
                yield job


def _is_above_jobs(platform: Platform, classname: str) -> bool:
    return classname.lower() in platform.builder.cls("ConcreteJob").lineage
