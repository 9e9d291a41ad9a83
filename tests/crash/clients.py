"""Clients of bridges that are killed: they make and delete machines, and mind no failure."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

LIMIT_S = 60
OVER = ("SUCCESS", "FAILED", "STOPPED")
VOLUME_KIB = 1048576
HASTY = 0.5
"""How often a client does not wait for a machine to be ready before it deletes it."""


class Client:
    """A client that does not mind when the bridge goes away."""

    def __init__(self, entry: str) -> None:
        self.base = entry.rpartition("/")[0]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The document of the answer; None if there is no answer."""
        return self._sent(method, path, body)[0]

    def _sent(self, method: str, path: str, body: Any) -> tuple[Any, str | None]:
        """The document of the answer, and the Job that was promised with it."""
        data = None if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else f"{self.base}/{path}"
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                job = answer.headers.get("CIMI-Job-URI")
                return json.loads(answer.read() or b"{}"), job
        except urllib.error.HTTPError as exc:
            return {"status": exc.code, **json.loads(exc.read() or b"{}")}, None
        except (OSError, HTTPException):
            return None, None

    def succeeds(self, method: str, path: str, body: Any = None) -> bool:
        """Ask, and tell whether the Job of it succeeds; False if the bridge goes away before."""
        _, job = self._sent(method, path, body)
        limit = time.monotonic() + LIMIT_S
        while job is not None and time.monotonic() < limit:
            now = self.ask("GET", job)
            if now is None or now.get("state") in (None, *OVER):
                return now is not None and now.get("state") == "SUCCESS"
            time.sleep(0.02)
        return False

    def all(self, collection: str, array: str) -> list[dict[str, Any]]:
        found = self.ask("GET", collection)
        items: list[dict[str, Any]] = (found or {}).get(array, [])
        return items

    def open_jobs(self) -> list[dict[str, Any]]:
        """The Jobs that are not over."""
        return [job for job in self.all("jobs", "jobs") if job["state"] not in OVER]


def local(url: str) -> str:
    """The part of a URL that every bridge of a store has in common."""
    return url.partition("/cimi/2/")[2]


def template(count: int) -> dict[str, Any]:
    """The template of the machine of a number: every third has a Volume made for it."""
    found: dict[str, Any] = {
        "machineConfig": {"cpu": 1, "memory": 262144, "disks": [{"capacity": 4096}]},
        "initialState": "STARTED" if count % 2 else "STOPPED",
    }
    if count % 3 == 0:
        volume = {"volumeTemplate": {"volumeConfig": {"capacity": VOLUME_KIB}}}
        found["volumeTemplates"] = [volume]
    return found


def work(client: Client, prefix: str, stop: threading.Event) -> None:
    """Make machines, one after another, and delete every second one.

    Now and then as soon as it is seen, while the Job that makes it may be at work.
    """
    chance = random.Random(prefix)
    count = chance.randrange(6)
    while not stop.is_set():
        count += 1
        name = f"{prefix}-{count}"
        body = {"name": name, "machineTemplate": template(count)}
        if chance.random() < HASTY:
            is_there = client.ask("POST", "machines", body) is not None
        else:
            is_there = client.succeeds("POST", "machines", body)
        if is_there and count % 2:
            for machine in client.all(f"machines?$filter=name='{name}'", "machines"):
                client.ask("DELETE", local(machine["id"]))


@contextmanager
def at_work(client: Client, prefix: str) -> Iterator[None]:
    """Have a client make and delete machines as long as the context lasts."""
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(client, prefix, stop))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def settled(client: Client) -> list[dict[str, Any]]:
    """All Jobs, once none is open any more."""
    limit = time.monotonic() + LIMIT_S
    while True:
        jobs = client.all("jobs", "jobs")
        waiting = [job for job in jobs if job["state"] not in OVER]
        if jobs and not waiting:
            return jobs
        assert time.monotonic() < limit, f"stuck: {waiting[:3]}"
        time.sleep(0.1)
