"""The CIMI provider over HTTP: routing by the model, negotiation, error bodies."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any
from urllib.parse import parse_qsl

import falcon

from cimi_cim.config import HttpConfig
from cimi_cim.errors import BadRequest, CimiCimError, MethodNotAllowed, NotAcceptable, NotFound
from cimi_cim.http import access
from cimi_cim.http.admission import admit
from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import as_text
from cimi_cim.http.origin import origin
from cimi_cim.http.query_parameters import parse_query
from cimi_cim.http.requests import JSON, XML, body_media, read_body
from cimi_cim.model.paths import Location, resolve, resolve_action
from cimi_cim.model.resources import Collection, Ref, Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.service import Service

log = logging.getLogger(__name__)

_ENCODERS = {JSON: json_codec.encode, XML: xml_codec.encode}
_ACTION_DECODERS = {JSON: json_decoder.decode_action, XML: xml_decoder.decode_action}
_READS = ("GET", "HEAD", "OPTIONS")
_ACTS = ("POST", "OPTIONS")
_RESERVED_CODES = 10000  # DSP0263 keeps return codes 0 to 9999 for itself


def make_app(service: Service, *, http: HttpConfig | None = None) -> Any:
    """Return the WSGI application."""
    app = falcon.App()
    # What has no body has no type either; the annotation lacks the None that Falcon takes.
    app.resp_options.default_media_type = None  # type: ignore[assignment]
    provider = _Provider(service, http or HttpConfig())
    app.add_sink(provider, prefix=re.compile(""))  # also of what does not begin with a slash
    for error in (Exception, falcon.HTTPError):
        app.add_error_handler(error, provider.answer_falcon)
    return app


class _Provider:
    """Answers every request: the model, not the router, knows which paths there are."""

    def __init__(self, service: Service, http: HttpConfig) -> None:
        self._reader = service.reader
        self._actor = service.actor
        self._model = service.model
        self._http = http

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: Any) -> None:
        request_id, began = uuid.uuid4().hex, time.monotonic()
        resp.set_header("X-Request-Id", request_id)
        version = CimiVersion.V2
        req.context.base_url = self._http.base_url or ""
        try:
            admit(req.env, self._http.max_body_bytes)
            seen = origin(req.env, self._http.trusted_proxies)
            req.context.base_url = self._http.base_url or seen
            version, segments = _versioned(req)
            resp.set_header("CIMI-Specification-Version", version.specification)
            self._answer(req, resp, version, segments)
        except CimiCimError as exc:
            if exc.status >= 500:
                path = access.shown_path(req)
                log.warning("%s %s: %s %s", request_id, path, exc.reason, exc.fields)
            self._fail(req, resp, version, exc)
        except Exception:
            log.exception("%s %s", request_id, access.shown_path(req))
            message = f"internal error; tell the operator the request id {request_id}"
            self._fail(req, resp, version, CimiCimError(message))
        access.record(req, resp, request_id, began)

    def answer_falcon(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, _: dict[str, Any]
    ) -> None:
        """What the framework refuses by itself, such as its own names as methods."""
        self(req, resp)

    def _answer(
        self, req: falcon.Request, resp: falcon.Response, version: CimiVersion, segments: list[str]
    ) -> None:
        location = resolve(self._model, version, segments)
        acted_on = resolve_action(self._model, version, segments)
        if acted_on is not None:
            self._act(req, resp, version, *acted_on)
            return
        if location is None:
            raise NotFound(f"nothing is at {req.path}; follow the links of the CloudEntryPoint")
        resp.set_header("Allow", ", ".join(_READS))
        if req.method == "OPTIONS":
            resp.status = falcon.HTTP_204
            return
        if req.method not in _READS:
            raise MethodNotAllowed(f"{req.method} does not apply to {req.path}", allowed=_READS)
        media = _media(req)
        query = parse_query(_parameters(req), location, self._model, version)
        found = self._reader.read(location, version, query, self._links(req, version).of)
        if isinstance(found, Collection) and found.warnings:
            resp.set_header("X-CIMI-Incomplete", "true")
            for warning in found.warnings:
                resp.append_header("Warning", f'199 - "{warning}"')
        self._send(req, resp, version, media, found)

    def _act(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        version: CimiVersion,
        location: Location,
        name: str,
    ) -> None:
        """Carry out an action (DSP0263 4.2.1.5): 200 when it is done, 202 while it runs on.

        Both answers are without a body, as 4.2.1.7 and the clauses of the operations allow.
        """
        action = self._actor.find(location, name)
        req.context.action = (action.rel(version), location)
        resp.set_header("Allow", ", ".join(_ACTS))
        if req.method == "OPTIONS":
            resp.status = falcon.HTTP_204
            return
        if req.method != "POST":
            raise MethodNotAllowed(f"{req.method} does not apply to {req.path}", allowed=_ACTS)
        _media(req)  # a failure must have a form the client takes: before anything is done
        decode = _ACTION_DECODERS[body_media(req)]
        document = decode(
            read_body(req, self._http.max_body_bytes), action, self._links(req, version)
        )
        outcome = self._actor.act(location, name, document.parameters)
        resp.status = falcon.HTTP_200 if outcome.is_done else falcon.HTTP_202

    def _send(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        version: CimiVersion,
        media: str,
        found: Resource | Collection,
    ) -> None:
        resp.content_type = f"{media}; charset=utf-8"
        resp.set_header("Vary", "Accept")
        resp.data = _ENCODERS[media](found, self._links(req, version))

    def _links(self, req: falcon.Request, version: CimiVersion) -> Links:
        return Links(f"{req.context.base_url}/cimi/{version.value}", version, self._model)

    def _fail(
        self, req: falcon.Request, resp: falcon.Response, version: CimiVersion, exc: CimiCimError
    ) -> None:
        """Every failure is the representation of a Job (DSP0263 4.1)."""
        try:
            media = _media(req)
        except CimiCimError:
            media = JSON
        resp.status = falcon.code_to_http_status(exc.status)
        if isinstance(exc, MethodNotAllowed):
            resp.set_header("Allow", ", ".join(exc.allowed))
        retry_after_s = exc.fields.get("retry_after_s")
        if retry_after_s is not None:
            resp.set_header("Retry-After", str(retry_after_s))
        action, location = getattr(
            req.context, "action", (f"{version.namespace}/action/{req.method.lower()}", None)
        )
        target = {} if location is None else {
            "targetResource": Ref(location.path), "affectedResources": [Ref(location.path)],
        }  # fmt: skip
        code = exc.fields.get("return_code")
        values = {
            **target,
            "state": "FAILED",
            "action": action,
            "returnCode": _RESERVED_CODES + exc.status if code is None else code,
            "progress": 100,
            "statusMessage": as_text(f"{exc.message} ({exc.reason})"),
        }
        self._send(req, resp, version, media, Resource("Job", "", values))


def _parameters(req: falcon.Request) -> list[tuple[str, str]]:
    """The query parameters in their order; one may stand several times."""
    return parse_qsl(req.query_string, keep_blank_values=True)


def _versioned(req: falcon.Request) -> tuple[CimiVersion, list[str]]:
    """Return the version a path speaks and the segments behind its prefix.

    The header `CIMI-Specification-Version` (1.x clients send it) chooses only at the
    unversioned `/cimi`; elsewhere it must not exclude what the path says.
    """
    segments = [part for part in req.path.split("/") if part]
    if segments[:1] != ["cimi"]:
        raise NotFound("the CloudEntryPoints are at /cimi/2 and /cimi/1")
    spoken = _asked_for(req.get_header("CIMI-Specification-Version"))
    if len(segments) == 1:
        return spoken[0], []
    for version in CimiVersion:
        if segments[1] == version.value:
            if version not in spoken:
                raise BadRequest(
                    f"{req.path} speaks CIMI {version.specification}, which the header"
                    " CIMI-Specification-Version excludes",
                    reason="version-excluded",
                )
            return version, segments[2:]
    raise NotFound(f"CIMI {segments[1][:20]} is not spoken here; /cimi/2 and /cimi/1 are")


def _asked_for(header: str | None) -> list[CimiVersion]:
    """Return the versions a header allows, best first; a shorter version matches by prefix."""
    newest_first = [CimiVersion.V2, CimiVersion.V1]
    if header is None or not header.strip():
        return newest_first
    asked = [word.strip() for word in header.split(",") if word.strip()]
    found = [v for word in asked for v in newest_first if _matches(v.specification, word)]
    if not found:
        raise BadRequest(
            f"none of the versions {header[:60]!r} is spoken here; 2.0.0 and 1.0.1 are",
            reason="version-not-supported",
        )
    return found


def _matches(specification: str, word: str) -> bool:
    return f"{specification}.".startswith(f"{word}.")


def _media(req: falcon.Request) -> str:
    """Return the form of the answer: `$format` before `Accept` (DSP0263 4.1.6.6), else JSON."""
    said = req.get_param("$format")
    if said is not None and said.lower() in ("json", "xml"):
        return JSON if said.lower() == "json" else XML
    preferred = req.client_prefers((JSON, XML))
    if preferred is None:
        raise NotAcceptable(f"answers come as {JSON} or {XML}")
    return str(preferred)
