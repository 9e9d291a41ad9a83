"""The life of a resource: created, read in both formats, sent back as it was read, deleted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import falcon.testing
from jsonschema import Draft202012Validator

from tests.fuzz.bridge import JSON
from tests.fuzz.fuzzing import XML, Fuzzer, is_beyond_schemas

_MOVING = frozenset({"updated"})


@dataclass
class Lives:
    """Lives through one resource of every Collection in which one can be created."""

    fuzzer: Fuzzer
    requests: int = 0
    lived: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Begin with what the document lets create, and go on as the answers say."""
        self._client = falcon.testing.TestClient(self.fuzzer.bridge.app)
        for case in self.fuzzer.creations():
            body = case.body
            made = self._ask("POST", case.formatted_path, json.dumps(body))
            if made.status_code == 409 or is_beyond_schemas(made.text):
                continue
            self._expect(made, 201, body)
            if made.status_code == 201:
                self._live(made.headers["Location"], made.json)
                self.lived += 1

    def _live(self, url: str, made: dict[str, Any]) -> None:
        found = self._ask("GET", url)
        self._expect(found, 200, made)
        self._compare(f"{url} after it was made", made, found.json)
        self._validate(url, found.json)
        as_xml = self._ask("GET", url, accept=XML)
        self._expect(as_xml, 200, made)
        again = self._ask("GET", url, accept=XML, tag=as_xml.headers["ETag"])
        self._expect(again, 304, made)
        template, _ = self.fuzzer.bridge.known.place_of(url) or ("", {})
        methods = self.fuzzer.bridge.document["paths"][template]
        if "put" in methods:
            for media, body in ((JSON, found.content), (XML, as_xml.content)):
                kept = self._ask("PUT", url, body, media)
                self._expect(kept, 200, body)
                if kept.status_code == 200:
                    self._compare(f"{url} after its {media} was sent back", found.json, kept.json)
        self._expect(self._ask("DELETE", url), 200, made)
        self._expect(self._ask("GET", url), 404, made)

    def _ask(
        self, method: str, url: str, body: Any = None, media: str = JSON, *,
        accept: str = JSON, tag: str = "",
    ) -> Any:  # fmt: skip
        self.requests += 1
        headers = {"Accept": accept} | ({"Content-Type": media} if body is not None else {})
        headers |= {"If-None-Match": tag} if tag else {}
        path = url.removeprefix("http://localhost")
        return self._client.simulate_request(method, path, body=body, headers=headers)

    def _expect(self, answer: Any, status: int, about: Any) -> None:
        if answer.status_code != status:
            told = f"{answer.text[-400:]} to {str(about)[:400]}"
            self.failures.append(f"{answer.status_code}, not {status}: {told}")

    def _compare(self, where: str, before: Any, after: Any) -> None:
        """Tell the innermost difference; what moves by itself is none, nor what is empty."""
        if _is_empty(before) and _is_empty(after):
            return
        if isinstance(before, dict) and isinstance(after, dict):
            for name in (before.keys() | after.keys()) - _MOVING:
                self._compare(f"{where}, {name}", before.get(name), after.get(name))
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for index, inside in enumerate(before):
                self._compare(f"{where}[{index}]", inside, after[index])
        elif before != after:
            self.failures.append(f"{where}: {before!r} became {after!r}")

    def _validate(self, url: str, value: Any) -> None:
        template, _ = self.fuzzer.bridge.known.place_of(url) or ("", {})
        document = self.fuzzer.bridge.document
        answer = document["paths"][template]["get"]["responses"]["200"]
        schema = {**answer["content"][JSON]["schema"], "components": document["components"]}
        for error in Draft202012Validator(schema).iter_errors(value):
            self.failures.append(f"{url}: {error.message}")


def _is_empty(value: Any) -> bool:
    """Whether a value is as good as not there (DSP0263 5.5.15)."""
    return value in (None, "", {}) or (isinstance(value, list) and all(map(_is_empty, value)))
