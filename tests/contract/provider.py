"""A provider over a lab, and a client that knows one URI: all else it finds by links."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import falcon.testing
from lxml import etree

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.http.authentication import Authenticator, anybody
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion
from tests.acting import Watched
from tests.lab.conftest import Clock
from tests.services import service_over

JSON, XML = "application/json", "application/xml"
MACHINES = 8
MODEL = load_model()


@dataclass(frozen=True)
class Answer:
    """An answer of the provider."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        """The media type without its parameters, "" for none."""
        return self.headers.get("content-type", "").partition(";")[0]

    @cached_property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body; a member that stands twice is an error."""
        found: dict[str, Any] = json.loads(self.body, object_pairs_hook=_once)
        return found

    @cached_property
    def xml(self) -> Any:
        """The root element of the XML in the body."""
        return etree.fromstring(self.body)

    @property
    def job(self) -> dict[str, Any]:
        """The members of the Job in the body, whatever its form; texts in XML."""
        if self.media == JSON:
            return self.json
        return {etree.QName(child).localname: child.text or "" for child in self.xml}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a member stands twice: {pairs}"
    return found


@dataclass(frozen=True)
class Page:
    """A representation that following links has led to, in both forms."""

    version: CimiVersion
    href: str
    json: dict[str, Any]
    xml: Any

    @property
    def type_name(self) -> str:
        """What `resourceURI` says after the namespace: `Machine`, `MachineCollection`."""
        return str(self.json["resourceURI"]).removeprefix(f"{self.version.namespace}/")

    @property
    def is_collection(self) -> bool:
        return self.type_name.endswith("Collection")

    def __repr__(self) -> str:
        return f"{self.type_name} at {self.href}"


@dataclass
class Provider:
    """The real application in this process, over a lab behind HTTP and an empty store.

    `platform` is what the lab simulates; `action_wait_s` how long an action waits for it;
    `authenticator` lets clients in; `with_jobs` says that it makes things on the platform,
    which one provider at a time can.
    """

    stack: ExitStack
    platform: Simulation = field(default_factory=lambda: Simulation(MACHINES, pace=0))
    action_wait_s: float = 0.5
    authenticator: Authenticator = anybody
    with_jobs: bool = False
    base_url: str = "http://cloud.example"
    pages_of: dict[CimiVersion, list[Page]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backend = Watched(self.platform)
        front = self.stack.enter_context(WbemFront(self.backend))
        target = TargetConfig("lab", front.url, "base", action_wait_s=self.action_wait_s)
        engine = open_engine([target], MODEL)
        self.stack.callback(engine.close)
        service = self.stack.enter_context(service_over(engine, with_jobs=self.with_jobs))
        self._app = make_app(
            service, http=HttpConfig(base_url=self.base_url), authenticator=self.authenticator
        )

    def entry_point(self, version: CimiVersion = CimiVersion.V2) -> str:
        """The one URI that a client knows beforehand (DSP0263 4.1)."""
        return f"{self.base_url}/cimi/{version.value}/cloudEntryPoint"

    def request(
        self,
        method: str,
        url: str,
        *query: tuple[str, str],
        body: bytes | None = None,
        media: str | None = JSON,
        accept: str | None = JSON,
        **headers: str,
    ) -> Answer:
        """Send one request to a URL that the provider gave, with query parameters added."""
        assert url.startswith(f"{self.base_url}/"), f"{url} leads elsewhere"
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and media is not None:
            said["Content-Type"] = media
        if accept is not None:
            said["Accept"] = accept
        parts = urlsplit(url)
        environ = falcon.testing.create_environ(
            parts.path,
            "&".join(filter(None, [parts.query, urlencode(query)])),
            method=method,
            headers=said,
            body=body or b"",
        )
        started = falcon.testing.StartResponseMock()
        content = b"".join(self._app(environ, started))
        return Answer(int(str(started.status)[:3]), dict(started.headers_dict), content)

    def send(self, method: str, url: str, document: Any, *query: tuple[str, str]) -> Answer:
        """Send a document: an lxml element as XML, anything else as JSON."""
        if isinstance(document, etree._Element):
            return self.request(
                method, url, *query, body=etree.tostring(document), media=XML, accept=XML
            )
        return self.request(method, url, *query, body=json.dumps(document).encode())

    def get(self, url: str, *query: tuple[str, str]) -> dict[str, Any]:
        """Return the JSON of a representation that must be there."""
        answer = self.request("GET", url, *query)
        assert answer.status == 200, answer.body
        return answer.json

    def get_xml(self, url: str, *query: tuple[str, str]) -> Any:
        """Return the root element of a representation that must be there."""
        answer = self.request("GET", url, *query, accept=XML)
        assert answer.status == 200, answer.body
        return answer.xml

    def collection(self, attribute: str, version: CimiVersion = CimiVersion.V2) -> str:
        """Return where an attribute of the CloudEntryPoint leads."""
        return str(self.get(self.entry_point(version))[attribute]["href"])

    def machine(self, state: str, version: CimiVersion = CimiVersion.V2) -> dict[str, Any]:
        """Return a machine that is in a state."""
        answer = self.get(self.collection("machines", version), ("$filter", f"state='{state}'"))
        return self.get(answer["machines"][0]["id"])

    def pages(self, version: CimiVersion) -> list[Page]:
        """Return all that following links from the CloudEntryPoint leads to, read once."""
        if version not in self.pages_of:
            self.pages_of[version] = list(self._crawl(version))
        return self.pages_of[version]

    def _crawl(self, version: CimiVersion) -> Iterator[Page]:
        waiting, seen = [self.entry_point(version)], set[str]()
        while waiting:
            url = waiting.pop(0)
            if url in seen or not url.startswith(f"{self.base_url}/"):
                continue
            seen.add(url)
            page = Page(version, url, self.get(url), self.get_xml(url))
            waiting += references(page.json)
            yield page


def references(document: Any) -> list[str]:
    """Return the URIs of the resources that a JSON representation links to, not operations."""
    found = []
    if isinstance(document, dict):
        if isinstance(document.get("href"), str):
            found.append(document["href"])
        if isinstance(document.get("id"), str):
            found.append(document["id"])
        for name, inside in document.items():
            if name != "operations":
                found += references(inside)
    elif isinstance(document, list):
        for inside in document:
            found += references(inside)
    return found


def operation(document: Mapping[str, Any], name: str) -> str | None:
    """Return where a JSON representation says that an operation is sent, None if nowhere.

    `name` is the last word of its `rel`.
    """
    for offer in document.get("operations", []):
        if offer["rel"].rpartition("/")[2] == name and offer.get("available", True):
            return str(offer["href"])
    return None


def ended(provider: Provider, answer: Answer, clock: Clock | None = None) -> dict[str, Any]:
    """Wait for the Job of an answer; the clock of the platform goes on."""
    assert answer.status in (200, 201, 202), answer.body
    uri = answer.headers["cimi-job-uri"]
    for _ in range(400):
        job = provider.get(uri)
        if job["state"] in ("SUCCESS", "FAILED", "STOPPED"):
            return job
        if clock is not None:
            clock.now += 5
        time.sleep(0.02)
    raise AssertionError(f"the Job goes on and on: {job}")


def action(name: str, version: CimiVersion = CimiVersion.V2, **parameters: Any) -> dict[str, Any]:
    """Return an Action document in JSON (DSP0263 4.2.1.5)."""
    namespace = version.namespace
    return {
        "resourceURI": f"{namespace}/Action",
        "action": f"{namespace}/action/{name}",
        **parameters,
    }


def action_xml(name: str, version: CimiVersion = CimiVersion.V2, **parameters: str) -> Any:
    """Return an Action document in XML."""
    namespace = version.namespace
    root = etree.Element(f"{{{namespace}}}Action", nsmap={None: namespace})  # type: ignore[dict-item]
    etree.SubElement(root, f"{{{namespace}}}action").text = f"{namespace}/action/{name}"
    for key, text in parameters.items():
        etree.SubElement(root, f"{{{namespace}}}{key}").text = text
    return root
