"""schemathesis against a bridge: what is sent, what is checked, and what is excused why."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import APIOperation, Case, DeserializationContext, GenerationMode, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup, ServerError
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.openapi.checks import AllowHeaderMismatch, RejectedPositiveData
from schemathesis.transport import SerializationContext

from tests.fuzz.bridge import Bridge
from tests.fuzz.hints import Hints

XML = "application/xml"
CHUNK = 2  # cases of a kind before the next operation has its turn

_NAMES = st.sampled_from(["id", "name", "description"])
_WORDS = st.text(st.characters(codec="ascii", exclude_characters="'\\\0"), max_size=8)
_COMPARISONS = st.builds(lambda n, o, w: f"{n}{o}'{w}'", _NAMES, st.sampled_from(["=", "!="]),
                         _WORDS) | st.just("created>=2026-01-01") | st.builds(
    lambda k, w: f"property['{k}']='{w}'", _WORDS, _WORDS)  # fmt: skip
_FILTERS = st.recursive(
    _COMPARISONS,
    lambda inner: st.builds(lambda a, o, b: f"({a}) {o} ({b})", inner,
                            st.sampled_from(["and", "or"]), inner),
    max_leaves=4,
)  # fmt: skip
_ORDERS = st.lists(
    st.builds(lambda n, d: n + d, st.sampled_from(["name", "description", "created"]),
              st.sampled_from(["", ":asc", ":desc"])), min_size=1, max_size=3
).map(",".join)  # fmt: skip

schemathesis.openapi.format("cimi-filter", _FILTERS)
schemathesis.openapi.format("cimi-orderby", _ORDERS)


@schemathesis.serializer(XML)
def write_xml(context: SerializationContext, value: Any) -> Any:
    """Write a body as the hints say; what is sent as wrong may be no object at all."""
    operation = context.case.operation
    hints = Hints(operation.schema.raw_schema)
    path_item = hints.document["paths"][operation.path]
    body = path_item[operation.method.lower()]["requestBody"]
    return hints.write(value, body["content"][XML]["schema"])


@schemathesis.deserializer(XML)
def read_xml(context: DeserializationContext, response: Response) -> Any:
    """Read an answer as the hints say, so that it is held against the same schema as JSON."""
    operation = context.operation
    hints = Hints(operation.schema.raw_schema)
    responses = hints.document["paths"][operation.path][operation.method.lower()]["responses"]
    answer = hints.resolved(responses[str(response.status_code)])
    return hints.read(response.content, answer["content"][XML]["schema"])


@dataclass
class Fuzzer:
    """Asks a bridge, and keeps what is wrong with its answers."""

    bridge: Bridge
    seed: int = 0
    executed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = SchemathesisConfig.from_dict(_CONFIG)
        self.schema = schemathesis.openapi.from_dict(self.bridge.document, config=config)
        self.schema.app = self.bridge.app

        @self.schema.hook
        def filter_failure(
            context: Any, failure: Failure, case: Case[Any], response: Response
        ) -> bool:
            return self._is_failure(failure, case, response)

    def run(self, share: int, of: int, cases: int) -> None:
        """Send a number of cases to a share of the operations, in turns."""
        operations = self._operations()
        operations.sort(key=lambda each: zlib.crc32(each.label.encode()))
        operations = operations[share::of]
        covering = {each.label: self._coverage(each) for each in operations}
        for turn in range(cases):
            for operation in operations:
                if self.executed >= cases:
                    return
                for mode in GenerationMode:
                    self._generate(operation, mode, turn, self._send)
                for case in islice(covering[operation.label], CHUNK):
                    self._send(case)

    def creations(self) -> Iterator[Case[Any]]:
        """Yield a request that creates something for every Collection that does so at once."""
        for operation in self._operations():
            if not self.bridge.known.parameters(operation.path):
                continue  # nothing is there that it could be created in
            described = self._responses(operation.path, operation.method)
            if "201" in described and "202" not in described:
                made: list[Case[Any]] = []
                self._generate(operation, GenerationMode.POSITIVE, 0, made.append, examples=2)
                yield from [case for case in made if not _is_action(case.body)][-1:]

    def _operations(self) -> list[APIOperation[Any, Any, Any, Any]]:
        found = [result.ok() for result in self.schema.get_all_operations()
                 if isinstance(result, Ok)]  # fmt: skip
        assert len(found) > 1
        return found

    def _coverage(self, operation: Any) -> Iterator[Case[Any]]:
        """The cases that the schema itself suggests: bounds, what is missing, other methods."""
        config = self.schema.config.generation_for(operation=operation, phase="coverage")
        yield from self.schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=config
        )

    def _generate(
        self,
        operation: Any,
        mode: GenerationMode,
        turn: int,
        use: Callable[[Case[Any]], None],
        *,
        examples: int = CHUNK,
    ) -> None:
        """Make requests that are right, or wrong; those of a turn are the same each time."""
        known = self.bridge.known.parameters(operation.path)
        parameters = known[(turn + self.executed) % len(known)] if known else None
        strategy = operation.as_strategy(mode, path_parameters=dict(parameters or {}) or None)

        @hypothesis.seed(zlib.crc32(operation.label.encode()) + turn + self.seed)
        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=strategy, data=st.data())
        def make(case: Case[Any], data: st.DataObject) -> None:
            if mode is GenerationMode.POSITIVE:
                self._make_meaningful(case, data)
            use(case)

        # there is nothing to be wrong with a request without parameters
        with suppress(hypothesis.errors.Unsatisfiable):
            make()

    def _make_meaningful(self, case: Case[Any], data: st.DataObject) -> None:
        """Name what there is: attributes of the type, both formats, resources that exist."""
        for name in ("$select", "$expand"):
            if name in case.query:
                known = self._attributes(case)
                picked = data.draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
                case.query[name] = ",".join(picked)
        if "$format" in case.query:
            case.query["$format"] = data.draw(st.sampled_from(["json", "xml", "XML", ""]))
        if case.method == "PUT" and isinstance(case.body, dict) and "$select" in case.query:
            case.query["$select"] = ",".join(case.body) or "*"
        if isinstance(case.body, dict):
            schema = self._body_schema(case)
            case.body = self._with_references(case.body, schema, case.path[6], data)

    def _attributes(self, case: Case[Any]) -> list[str]:
        found = self._operation(case)["responses"].get("200", {})
        schema = self.bridge.hints.resolved(found).get("content", {}).get("application/json", {})
        names = list(self.bridge.hints.resolved(schema.get("schema")).get("properties", {}))
        return [name for name in names if name != "href"]

    def _operation(self, case: Case[Any]) -> Any:
        return self.bridge.document["paths"][case.path].get(case.method.lower(), {})

    def _responses(self, path: str, method: str) -> Any:
        return self.bridge.document["paths"][path][method.lower()]["responses"]

    def _body_schema(self, case: Case[Any]) -> Any:
        content = self._operation(case)["requestBody"]["content"]
        schema = self.bridge.hints.resolved(content["application/json"]["schema"])
        return self.bridge.hints.alternative(case.body, schema)

    def _with_references(self, value: Any, schema: Any, version: str, data: st.DataObject) -> Any:
        """Return a value whose references lead to something of the right type, or are not there."""
        schema = self.bridge.hints.resolved(schema)
        if isinstance(value, list):
            items = [self._with_references(v, schema.get("items"), version, data) for v in value]
            return [item for item in items if item is not None]
        if not isinstance(value, dict):
            return value
        found = {}
        for name, inside in value.items():
            own = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            made = self._with_references(inside, own, version, data)
            if made is not None:
                found[name] = made
        if "href" in found:
            own = schema.get("properties", {}).get("href", {}).get("x-leads-to", "")
            some = self.bridge.some(schema.get("x-leads-to", own), version)
            if not some:
                return None
            found["href"] = data.draw(st.sampled_from(some))
        return found

    def _send(self, case: Case[Any]) -> None:
        response = case.call()
        self.executed += 1
        self.statuses[response.status_code] += 1
        try:
            case.validate_response(response)
        except (Failure, FailureGroup) as exc:
            for failure in getattr(exc, "exceptions", [exc]):
                key = f"{type(failure).__name__} {case.method} {case.path}"
                told = f"{failure}\n{response.content[-600:]!r}\n{case.as_curl_command()}"
                self.failures.setdefault(key, told)
        self._learn(case, response)

    def _learn(self, case: Case[Any], response: Response) -> None:
        if response.status_code == 201:
            self.bridge.known.learn(response.headers["location"][0])
        elif response.status_code == 200 and case.method == "DELETE":
            self.bridge.known.forget(case.formatted_path)

    def _is_failure(self, failure: Failure, case: Case[Any], response: Response) -> bool:
        """Whether something that a check complains about is wrong."""
        if isinstance(failure, AcceptedNegativeData):
            return not self._is_read_leniently(case)
        if isinstance(failure, RejectedPositiveData):
            said = response.content.decode()
            return not (is_beyond_schemas(said) or _is_among(_OF_THE_PROVIDER, said))
        if isinstance(failure, AllowHeaderMismatch):
            return "/resourceMetadata/" not in case.path  # as `method-not-allowed`, below
        if isinstance(failure, ServerError):
            return not _is_among(_OF_THE_PROVIDER, response.content.decode())
        return True

    def _is_read_leniently(self, case: Case[Any]) -> bool:
        """Whether a body is what the schema asks for once it is read as 1.x clients need it."""
        parts = case.meta.components.items() if case.meta is not None else ()
        if [at for at, part in parts if part.mode.is_negative] != [ParameterLocation.BODY]:
            return False
        if case.media_type == XML:
            return True  # XML tells no types: what was wrong may read as right
        schema = self.bridge.hints.resolved(self._body_schema(case))
        read = _Lenient(self.bridge.hints).read(case.body, schema)
        whole = {**schema, "components": self.bridge.document["components"]}
        return Draft202012Validator(whole).is_valid(read)


@dataclass(frozen=True)
class _Lenient:
    """Reads JSON as the bridge does: numbers, booleans and references may be texts."""

    hints: Hints

    def read(self, value: Any, said: Any) -> Any:
        schema = self.hints.resolved(said)
        if isinstance(value, dict):
            return {
                name: self.read(inside, schema.get("properties", {}).get(
                    name, schema.get("additionalProperties")))
                for name, inside in value.items() if inside is not None
            }  # fmt: skip
        if isinstance(value, list):
            return [self.read(inside, schema.get("items")) for inside in value]
        if not isinstance(value, str):
            return value
        if schema.get("type") == "integer" and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
            return int(value)
        if schema.get("type") == "boolean":
            words = {"true": True, "1": True, "false": False, "0": False}
            return words.get(value.strip().lower(), value)
        if "href" in schema.get("properties", {}):
            return {"href": value}
        return value.strip() if {"enum", "const", "pattern"} & schema.keys() else value


_CONFIG: dict[str, Any] = {
    # Query parameters that are not known are ignored, and nothing wrong (4.1.6).
    "generation": {"allow-extra-parameters": False},
    "checks": {
        # 412 is neither: a condition that does not hold (If-Match) is nothing wrong with the
        # form of a request, and it is looked at before the body is.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "409", "412"]},
        "negative_data_rejection": {
            "expected-statuses": ["400", "404", "405", "406", "409", "412", "415"]
        },
    },
}

_BEYOND_SCHEMAS = (
    ("not-selected", "", "what may be in a document depends on $select"),
    ("not-listed", "", "what a Collection lists is no matter of form"),
    ("unknown-reference", "", "what is referred to may be gone with something else"),
    ("missing-attribute", "", "a template that is referred to may lack what must be there"),
    ("contradiction", "", "the standard says in words what attributes may be together"),
    ("unknown-type", "", "metadata are for types that are served"),
    ("inside-itself", "", "what Systems list is no matter of form"),
    ("bad-parent", "", "who can be whose parent depends on both"),
    ("bad-reference", "leave it out", "what is created in a resource is about that one"),
    ("bad-reference", "this configuration is for", "a configuration names types"),
    ("bad-reference", "can have no", "not every resource has Meters and EventLogs"),
    ("bad-value", "is for a", "the type of a component is the one of its template"),
    ("bad-document", "says twice", "a new item is by value, by template or by reference"),
    ("not-supported", "", "what a template asks for a WBEM server may not have"),
    ("foreign-image", "", "what an image was taken of is no matter of form"),
    ("bad-reference", "belongs to another resource", "nor is whose image it is"),
    ("missing-parameter", "imageLocation", "an empty text is no value"),
    ("method-not-allowed", "/resourceMetadata/", "the metadata of a type that is served stay"),
    ("provider-rejected", "", "what sizes there may be its WBEM server knows"),
)
"""Refusals that no schema can tell beforehand: reason, words of the message, and why."""

_OF_THE_PROVIDER = (("provider-unsupported", "", "a WBEM server need not take images"),)
"""Failures of the WBEM server that are described, and are no failures of the bridge."""


def is_beyond_schemas(answer: str) -> bool:
    """Whether a refusal is one that no schema can tell."""
    return _is_among(_BEYOND_SCHEMAS, answer)


def _is_among(refusals: tuple[tuple[str, str, str], ...], answer: str) -> bool:
    """Whether the reason, which ends the message, and the words are those of a refusal."""
    said = answer.rpartition("(")[2].partition(")")[0]
    return any(reason == said and words in answer for reason, words, _ in refusals)


def _is_action(body: Any) -> bool:
    return isinstance(body, dict) and "action" in body
