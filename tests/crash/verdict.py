"""What must hold after crashes: what Jobs tell is what the server has, each call sent once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pywbem

from cimi_cim.lab.simulation import Simulation
from tests.crash.clients import Client, local

Json = dict[str, Any]


class Verdict:
    """Holds a lab, from before the first crash on, against what bridges tell at the end."""

    def __init__(self, simulation: Simulation, url: str) -> None:
        self._simulation = simulation
        self._url = url
        self._before = {each: self._paths(each) for each in ("ComputerSystem", "StorageVolume")}

    def check(self, client: Client, jobs: list[Json]) -> str:
        """Hold all against each other; returns the figures in a line."""
        self._simulation.settle()
        counts = Counter(job["state"] for job in jobs)
        assert counts["SUCCESS"], [(job["action"], job.get("statusMessage")) for job in jobs]
        self._nothing_was_sent_twice(jobs)
        machines = self._machines(client, jobs)
        volumes = self._volumes(client, jobs)
        calls = Counter(call.method for call in self._simulation.calls)
        return (
            f"Jobs: {dict(counts)}; machines left: {machines}; volumes left: {volumes};"
            f" calls: {dict(calls)}"
        )

    def _nothing_was_sent_twice(self, jobs: list[Json]) -> None:
        for method in ("DefineSystem", "DestroySystem"):
            sent = Counter(
                (*call.tokens, *call.references)
                for call in self._simulation.calls
                if call.method == method
            )
            failed = [job for job in jobs if job["state"] != "SUCCESS"]
            assert max(sent.values(), default=0) <= 1, (method, sent.most_common(3), failed)

    def _machines(self, client: Client, jobs: list[Json]) -> int:
        """Each name is there once at most, and each is shown, and told by a Job."""
        names = Counter(
            name for path, name in self._new("ComputerSystem").items() if "Virtual" in path
        )
        assert all(count == 1 for count in names.values()), names
        shown = {each["name"]: local(each["id"]) for each in client.all("machines", "machines")}
        assert set(names) <= set(shown)
        made = {path for job in _lasting(jobs) for path in _made(job, "machines")}
        strays = [name for name in names if shown[name] not in made]
        assert not strays, f"nobody's: no Job tells of {strays}"
        return len(names)

    def _volumes(self, client: Client, jobs: list[Json]) -> int:
        """The server has no other new Volumes than those that Jobs made, and all of those."""
        made = {path for job in _lasting(jobs) for path in _made(job, "volumes")}
        shown = {local(volume["id"]) for volume in client.all("volumes", "volumes")}
        assert made <= shown, f"lost: {made - shown}"
        new = self._new("StorageVolume")
        told = {(local(job["id"]), job["state"], job.get("statusMessage")) for job in jobs
                if job["action"].endswith("/add") and job not in _lasting(jobs)}  # fmt: skip
        assert len(new) == len(made), (
            f"{len(new)} new volumes there, {len(made)} of Jobs: {made}, {new}; not made: {told}"
        )
        return len(new)

    def _new(self, suffix: str) -> dict[str, str]:
        now = self._paths(suffix)
        return {path: name for path, name in now.items() if path not in self._before[suffix]}

    def _paths(self, suffix: str) -> dict[str, str]:
        with pywbem.WBEMConnection(self._url, default_namespace="root/virt") as lab:
            found = lab.EnumerateInstances(f"CIM_{suffix}")
        return {str(each.path): str(each["ElementName"]) for each in found}


def _lasting(jobs: list[Json]) -> list[Json]:
    """Jobs whose deeds stay: they succeeded, and so did those that they are part of."""
    states = {local(job["id"]): job for job in jobs}

    def lasts(job: Json) -> bool:
        parent = job.get("parentJob")
        return job["state"] == "SUCCESS" and (
            parent is None or lasts(states[local(parent["href"])])
        )

    return [job for job in jobs if lasts(job)]


def _made(job: Json, collection: str) -> list[str]:
    if not job["action"].endswith("/add"):
        return []
    paths = [local(ref["href"]) for ref in job["affectedResources"]]
    return [path for path in paths if path.startswith(f"{collection}/")]
