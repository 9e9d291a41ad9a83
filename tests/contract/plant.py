"""A provider that makes things on its platform, and a client that asks it to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker
from tests.contract.provider import Answer, Provider, action, ended, operation
from tests.contract.values import items

V2 = CimiVersion.V2
NS = V2.namespace
HARDWARE: Document = {"cpu": 2, "memory": 1048576, "disks": [{"capacity": 1000000}]}
LIMIT_S = 30
_NUMBERS = count()


def new_name() -> str:
    """A name that no Machine has: the platform wants it so."""
    return f"made-{next(_NUMBERS)}"


class Plant(Provider):
    """A provider that carries out Jobs; names of Collections are those of the entry point."""

    def maker(self, version: CimiVersion = V2) -> Maker:
        """What makes samples of what the store keeps."""
        return Maker(self, version)

    def place(self, collection: str, version: CimiVersion = V2) -> Document:
        """A Collection, by its URI or by its name in the entry point."""
        is_uri = collection.startswith(self.base_url)
        return self.get(collection if is_uri else self.collection(collection, version))

    def add(self, collection: str, document: Any, version: CimiVersion = V2) -> Answer:
        """Ask a Collection for a new resource."""
        href = operation(self.place(collection, version), "add")
        assert href is not None, f"{collection} offers no add"
        return self.send("POST", href, document)

    def make(self, collection: str, document: Any) -> Document:
        """Have a Collection make a resource, and return it."""
        return self.made(self.add(collection, document), collection)

    def made(self, answer: Answer, collection: str) -> Document:
        """What a Job has made, which the Collection lists: before what is in it."""
        job = self.succeeded(answer)
        listed = set(self.ids(collection))
        uri = next(ref["href"] for ref in job["affectedResources"] if ref["href"] in listed)
        assert answer.headers.get("location", uri) == uri
        return self.get(uri)

    def in_1x(self, collection: str, document: Document) -> Document:
        """What CIMI 1.x shows of a resource of a Collection of the entry point."""
        token = str(document["id"]).rpartition("/")[2]
        return self.get(f"{self.collection(collection, CimiVersion.V1)}/{token}")

    def new_machine(self, **template: Any) -> Document:
        """A new Machine, of some hardware if nothing else is said."""
        template.setdefault("machineConfig", HARDWARE)
        return self.make("machines", {"name": new_name(), "machineTemplate": template})

    def new_volume(self, **template: Any) -> Document:
        """A new Volume that no Machine has."""
        template.setdefault("volumeConfig", {"capacity": 1000})
        return self.make("volumes", {"name": new_name(), "volumeTemplate": template})

    def new_network(self, **template: Any) -> Document:
        """A new Network."""
        return self.make("networks", {"name": new_name(), "networkTemplate": template})

    def act(self, on: Document, name: str, **parameters: Any) -> Answer:
        """Ask for an action, as the resource shows now that it is asked for."""
        href = operation(self.get(on["id"]), name)
        assert href is not None, f"{on['id']} offers no {name}"
        return self.send("POST", href, action(name, V2, **parameters))

    def take(self, image: str, of: Document, **attributes: Any) -> Document:
        """An image of a Machine or Volume: `machineImages` or `volumeImages`."""
        return self.make(image, {"name": "taken", "imageLocation": of["id"], **attributes})

    def delete(self, document: Document) -> Answer:
        """Ask for a resource to be deleted."""
        href = operation(self.get(document["id"]), "delete")
        assert href is not None, f"{document['id']} cannot be deleted"
        return self.request("DELETE", href)

    def succeeded(self, answer: Answer) -> Document:
        """The Job of an answer, once it is over."""
        job = ended(self, answer)
        assert job["state"] == "SUCCESS", job
        return job

    def refused(self, answer: Answer) -> str:
        """Why what was asked for is not done, said at once or by its Job."""
        if answer.status in (200, 201, 202):
            job = ended(self, answer)
            assert job["state"] == "FAILED", job
            return str(job["statusMessage"])
        assert answer.status in (400, 409), answer.body
        return str(answer.job["statusMessage"])

    def stop(self, answer: Answer) -> None:
        """Stop the Job of an answer, and wait until it is."""
        assert answer.status == 202, answer.body
        job = self.get(answer.headers["cimi-job-uri"])
        assert self.act(job, "stop").status in (200, 202)
        assert ended(self, answer)["state"] == "STOPPED"

    def count(self, collection: str) -> int:
        """How many items a Collection has."""
        return int(self.place(collection)["count"])

    def ids(self, collection: str) -> list[str]:
        """The URIs of the items of a Collection."""
        return [str(item["id"]) for item in items(self.place(collection))]

    def capabilities(self, type_name: str) -> Document:
        """What the metadata of a type tell that the provider can do."""
        for item in items(self.place("resourceMetadata")):
            if item["name"] == type_name:
                told = self.get(item["id"]).get("capabilities", [])
                return {entry["name"]: entry.get("value", True) for entry in told}
        raise AssertionError(f"there are no metadata of {type_name}")

    def eventually(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        limit = time.monotonic() + LIMIT_S
        while not is_so():
            assert time.monotonic() < limit
            time.sleep(0.02)

    @contextmanager
    def failing(self, *said: str) -> Iterator[None]:
        """Let calls on the platform go wrong for as long as the context lasts."""
        for each in said:
            self.platform.failures.add(each)
        try:
            yield
        finally:
            self.platform.failures.clear()
