"""A bridge over a lab, with at least one resource of every type that it lets clients create."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import falcon.testing

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.fuzz.hints import Hints
from tests.services import service_over

BASE = "http://localhost"
JSON = "application/json"
MACHINES = 3
ENOUGH = 8
# What the smallest document cannot be: about nothing, about an unknown type, in itself.
_NOT_SO_SMALL = ("bad-reference", "missing-attribute", "unknown-type", "inside-itself")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass
class Known:
    """What is there, by the path templates of the document: parameters, URIs."""

    templates: list[str]
    places: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def learn(self, url: str) -> None:
        """Keep a resource, unless enough of its kind are known."""
        found = self.place_of(url)
        if found is not None:
            places = self.places.setdefault(found[0], [])
            if found[1] not in places and len(places) < ENOUGH:
                places.append(found[1])

    def forget(self, url: str) -> None:
        """Drop a resource that is gone, and what was inside."""
        found = self.place_of(url)
        if found is not None:
            for places in self.places.values():
                places[:] = [p for p in places if not found[1].items() <= p.items()]

    def place_of(self, url: str) -> tuple[str, dict[str, str]] | None:
        """Return template and parameters of a resource's URI, None for any other URI."""
        path = url.removeprefix(BASE)
        for template in self.templates:
            pattern = _PARAMETER.sub(r"(?P<\1>[^/]+)", template)
            match = re.fullmatch(pattern, path)
            if match and template.endswith("}"):
                return template, match.groupdict()
        return None

    def parameters(self, template: str) -> list[dict[str, str]]:
        """Return the parameters with which something is at a template."""
        owner = template[: template.rfind("}") + 1]
        return self.places.get(owner, []) if owner else [{}]

    def urls(self, template_end: str, version: str) -> list[str]:
        """Return the URIs of the resources whose templates end so."""
        return [
            BASE + filled(template, parameters)
            for template, places in self.places.items()
            if template.endswith(template_end) and template.startswith(f"/cimi/{version}/")
            for parameters in places
        ]


@dataclass
class Bridge:
    """The application, its OpenAPI document, and what is in it."""

    app: Any
    document: dict[str, Any]
    known: Known

    @property
    def hints(self) -> Hints:
        return Hints(self.document)

    def fill(self) -> None:
        """Create the smallest resource of every type that can be created, outer ones first."""
        client, before = falcon.testing.TestClient(self.app), "{"
        creating = [
            (template, item["post"]["requestBody"]["content"][JSON]["schema"])
            for template, item in self.document["paths"].items()
            if "201" in item.get("post", {}).get("responses", {})
        ]
        for template, schema in sorted(creating, key=lambda each: each[0].count("{")):
            if "{" in template and "{" not in before:
                self._crawl(client)  # what was made as 2.0 is there in 1.x, too
            before = template
            for parameters in self.known.parameters(template)[:1]:
                path = filled(template, parameters)
                body = json.dumps(self.smallest(schema, template[6]))
                made = client.simulate_post(path, body=body, headers={"Content-Type": JSON})
                if any(f"({reason})" in made.text for reason in _NOT_SO_SMALL):
                    continue
                if "202" not in self.document["paths"][template]["post"]["responses"]:
                    assert made.status_code == 201, (path, body, made.text)
                if made.status_code == 201:
                    self.known.learn(made.headers["Location"])
        self._crawl(client)

    def smallest(self, schema: Any, version: str) -> Any:
        """Return a value that has just what a schema wants; references lead to what is there."""
        schema = self.hints.resolved(schema)
        if "properties" not in schema and "anyOf" in schema:
            return self.smallest(schema["anyOf"][0], version)
        if "const" in schema or "enum" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        if schema.get("type") == "object":
            either = [*schema.get("oneOf", [])[:1], *schema.get("anyOf", [])[-1:], schema]
            must = [name for each in either for name in each.get("required", [])]
            found = {name: self.smallest(schema["properties"][name], version) for name in must}
            if "href" in found:
                inside = schema["properties"]["href"].get("x-leads-to", "")
                found["href"] = self.some(schema.get("x-leads-to", inside), version)[-1]
            return found
        word = schema.get("examples", ["x"])[0]
        return {"integer": 1, "boolean": True, "array": []}.get(schema.get("type", ""), word)

    def some(self, leads_to: str, version: str) -> list[str]:
        """Return URIs of resources, of a version, that a reference may lead to."""
        name = leads_to.partition(".")[2]
        end = f"{{{name[:1].lower()}{name[1:]}Id}}" if name else "}"
        return self.known.urls(end, version)

    def _crawl(self, client: Any) -> None:
        """Learn all there is by reading every Collection."""
        for template in self.document["paths"]:
            if template.endswith("}") or "Collection" not in str(
                self.document["paths"][template].get("get", {}).get("responses", {}).get("200")
            ):
                continue
            for parameters in self.known.parameters(template)[:2]:
                path = filled(template, parameters)
                found = client.simulate_get(path)
                for items in found.json.values() if found.status_code == 200 else ():
                    for item in items if isinstance(items, list) else ():
                        self.known.learn(item.get("id", ""))


def filled(template: str, parameters: dict[str, str]) -> str:
    """Return the path that a template with these parameters is."""
    return _PARAMETER.sub(lambda match: parameters[match[1]], template)


def _with_whole_target(app: Any) -> Any:
    """Take the target of the client in this process, which lacks the query, for unsaid."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("REQUEST_URI", None)
        return app(environ, start_response)

    return answer


@contextmanager
def bridge() -> Iterator[Bridge]:
    """Open a bridge for as long as the context lasts."""
    with ExitStack() as stack:
        front = stack.enter_context(lab_server(Simulation(MACHINES, pace=0)))
        engine = open_engine([TargetConfig("lab", front.url)], load_model())
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine, with_jobs=True))
        app = _with_whole_target(make_app(service, http=HttpConfig(base_url=BASE)))
        document = falcon.testing.TestClient(app).simulate_get("/openapi.json").json
        made = Bridge(app, document, Known(list(document["paths"])))
        made.fill()
        yield made
