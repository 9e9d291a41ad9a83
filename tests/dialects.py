"""A client of a bridge that speaks one version in one form, and knows nothing but links.

Documents are written, and read, as the nested dictionaries of JSON; in XML every value is text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import falcon.testing
import pywbem
from lxml import etree

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.services import service_over

BASE = "http://cloud.example"
JSON, XML = "application/json", "application/xml"
LIMIT_S = 30
_ATTRIBUTES = ("href", "initialLocation", "key")
_MAPS = ("properties", "parameters")
_REPEATED = ("operation", "affectedResource", "nestedJob")
_RUNNING = ("QUEUED", "RUNNING", "STOPPING")

Document = dict[str, Any]


class Cloud:
    """A bridge over a lab; `lab` is a plain connection to the latter.

    With a pace of 0 the lab does everything at once, else by jobs.
    """

    def __init__(self, stack: ExitStack, pace: float = 0) -> None:
        self.simulation = Simulation(3, pace=pace)
        front = stack.enter_context(lab_server(self.simulation))
        self.lab = pywbem.WBEMConnection(front.url, default_namespace="root/virt")
        stack.callback(self.lab.close)
        engine = open_engine([TargetConfig("lab", front.url)], load_model())
        stack.callback(engine.close)
        self.service = stack.enter_context(service_over(engine, with_jobs=True))
        app = make_app(self.service, http=HttpConfig(base_url=BASE))
        self.http = falcon.testing.TestClient(app)

    def instances(self, classname: str, **wanted: Any) -> list[pywbem.CIMInstance]:
        """The lab's own instances of a class that have these values."""
        found = self.lab.EnumerateInstances(classname)
        return [i for i in found if all(i.get(name) == value for name, value in wanted.items())]

    def system(self, name: str) -> pywbem.CIMInstance | None:
        """The lab's own machine, or switch, of a name."""
        return next(iter(self.instances("CIM_ComputerSystem", ElementName=name)), None)

    def settings(self, name: str, kind: int) -> list[pywbem.CIMInstance]:
        """The lab's own resource settings of a machine, of one ResourceType."""
        machine = self.system(name)
        assert machine is not None, name
        state = self.lab.AssociatorNames(
            machine.path, AssocClass="CIM_SettingsDefineState",
            ResultClass="CIM_VirtualSystemSettingData",
        )  # fmt: skip
        [setting] = [s for s in state if "VirtualEthernetSwitch" not in s.classname]
        found = self.lab.Associators(setting, AssocClass="CIM_VirtualSystemSettingDataComponent")
        return [i for i in found if i["ResourceType"] == kind]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the bridge, its body read."""

    status: int
    headers: Mapping[str, str]
    body: Document


class Speaker:
    """Speaks version 1 or 2 in JSON or XML; finds everything by links and `operations`."""

    def __init__(self, cloud: Cloud, version: int, media: str) -> None:
        self._http = cloud.http
        self.version, self._media = version, media
        self.namespace = f"http://schemas.dmtf.org/cimi/{version}"
        self.root = self.get(f"{BASE}/cimi/{version}/cloudEntryPoint")

    def ask(
        self, method: str, uri: str, name: str = "", document: Document | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Send a document with the root `name`, and return the answer."""
        sent = {"Accept": self._media, **(headers or {})}
        if document is not None:
            sent["Content-Type"] = self._media
        path, _, query = uri.removeprefix(BASE).partition("?")
        body = None if document is None else self._written(name, document)
        answer = self._http.simulate_request(
            method, path, query_string=query, body=body, headers=sent
        )
        return Answer(answer.status_code, answer.headers, self._read(answer.content))

    def get(self, uri: str) -> Document:
        """What is at a URI."""
        answer = self.ask("GET", uri)
        assert answer.status == 200, answer
        return answer.body

    def items(self, uri: str) -> list[Document]:
        """The items of a Collection, whatever its version calls them."""
        found = self.get(uri)
        lists = [v for n, v in found.items() if n != "operations" and isinstance(v, list)]
        return [item for each in lists for item in each]

    def offer(self, document: Document, name: str) -> str:
        """The href of an operation that a resource or Collection offers."""
        for operation in document.get("operations", []):
            if str(operation["rel"]).rpartition("/")[2] == name:
                return str(operation["href"])
        raise AssertionError(f"{document['id']} does not offer {name}: {document}")

    def collection(self, name: str) -> str:
        """A Collection of the CloudEntryPoint."""
        return str(self.root[name]["href"])

    def add(self, collection: str, name: str, document: Document) -> Document:
        """Create in a Collection, and return what was made."""
        answer = self.ask("POST", self.offer(self.get(collection), "add"), name, document)
        assert answer.status in (201, 202), answer
        job = self.job(answer)
        if answer.status == 201:
            return self.get(answer.headers["Location"])
        made = [r["href"] for r in job["affectedResources"]]
        return self.get(next(uri for uri in made if uri.rpartition("/")[0] == collection))

    def act(self, document: Document, name: str, **parameters: Any) -> Document:
        """Carry out an action that a resource or Collection offers; returns the Job."""
        action = {"action": f"{self.namespace}/action/{name}", **parameters}
        answer = self.ask("POST", self.offer(document, name), "Action", action)
        assert answer.status in (200, 202), answer
        return self.job(answer)

    def edit(self, document: Document, name: str, changes: Document) -> Document:
        """Change some attributes; returns the Job."""
        uri = f"{self.offer(document, 'edit')}?$select={','.join(changes)}"
        answer = self.ask("PUT", uri, name, changes)
        assert answer.status in (200, 202), answer
        return self.job(answer)

    def delete(self, document: Document) -> Document:
        """Delete a resource; returns the Job."""
        answer = self.ask("DELETE", self.offer(document, "delete"))
        assert answer.status in (200, 202), answer
        return self.job(answer)

    def job(self, answer: Answer, state: str = "SUCCESS") -> Document:
        """The Job of an answer, once it is over; it must have ended so."""
        limit = time.monotonic() + LIMIT_S
        while (job := self.get(answer.headers["CIMI-Job-URI"]))["state"] in _RUNNING:
            assert time.monotonic() < limit, job
            time.sleep(0.02)
        assert job["state"] == state, job
        return job

    def _written(self, name: str, document: Document) -> str:
        if self._media == JSON:
            return json.dumps({"resourceURI": f"{self.namespace}/{name}", **document})
        root = etree.Element(name, xmlns=self.namespace)
        self._fill(root, document)
        return etree.tostring(root).decode()

    def _fill(self, element: Any, value: Any) -> None:
        if not isinstance(value, dict):
            element.text = str(value).lower() if isinstance(value, bool) else str(value)
            return
        for name, inner in value.items():
            if name in _ATTRIBUTES:
                element.set(name, str(inner))
            elif name in _MAPS:
                within = element if self.version == 1 else etree.SubElement(element, name)
                for key, text in inner.items():
                    etree.SubElement(within, "property", key=key).text = str(text)
            elif isinstance(inner, list):
                within = element if self.version == 1 else etree.SubElement(element, name)
                for item in inner:
                    self._fill(etree.SubElement(within, name.removesuffix("s")), item)
            else:
                self._fill(etree.SubElement(element, name), inner)

    def _read(self, body: bytes) -> Document:
        if not body:
            return {}
        if self._media == JSON:
            found: Document = json.loads(body)
            return found
        read = _dictionary(etree.fromstring(body))
        assert isinstance(read, dict)
        return read


def _dictionary(element: Any) -> Any:
    """An element as JSON has it: the elements within their plural, or those of a type, a list."""
    own = etree.QName(element).localname
    children = [(etree.QName(child).localname, _dictionary(child)) for child in element]
    if children and all(name[0].isupper() or f"{name}s" == own for name, _ in children):
        return [value for _, value in children]
    found: Document = dict(element.attrib)
    for name, value in children:
        if name in _REPEATED or name[0].isupper():
            found.setdefault(f"{name}s", []).append(value)
        else:
            found[name] = value
    return found or element.text or ""
