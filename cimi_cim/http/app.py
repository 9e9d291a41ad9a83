"""The CIMI provider over HTTP: routing by the model, negotiation, error bodies."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

import falcon

from cimi_cim.config import HttpConfig
from cimi_cim.errors import CimiCimError, MethodNotAllowed, Unauthorized
from cimi_cim.http import access
from cimi_cim.http.admission import admit
from cimi_cim.http.authentication import Authenticator, anybody
from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.syntax import as_text
from cimi_cim.http.exchange import Exchange, media_of
from cimi_cim.http.explaining import Explainer, is_asked
from cimi_cim.http.openapi import document as openapi
from cimi_cim.http.origin import origin
from cimi_cim.http.requests import JSON, XML
from cimi_cim.http.routes import route
from cimi_cim.http.verbs import Verbs
from cimi_cim.http.versions import version_at, versioned
from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.service import Service

log = logging.getLogger(__name__)

_ENCODERS = {JSON: json_codec.encode, XML: xml_codec.encode}
_ACTION_DECODERS = {JSON: json_decoder.decode_action, XML: xml_decoder.decode_action}
_READS = ("GET", "HEAD", "OPTIONS")
_ACTS = ("POST", "OPTIONS")
_RESERVED_CODES = 10000  # DSP0263 keeps return codes 0 to 9999 for itself


def make_app(
    service: Service, *, http: HttpConfig | None = None, authenticator: Authenticator = anybody
) -> Any:
    """Return the WSGI application."""
    app = falcon.App()
    # What has no body has no type either; the annotation lacks the None that Falcon takes.
    app.resp_options.default_media_type = None  # type: ignore[assignment]
    provider = _Provider(service, http or HttpConfig(), authenticator)
    app.add_sink(provider, prefix=re.compile(""))  # also of what does not begin with a slash
    for error in (Exception, falcon.HTTPError):
        app.add_error_handler(error, provider.answer_falcon)
    return app


class _Provider:
    """Answers every request: the model, not the router, knows which paths there are."""

    def __init__(self, service: Service, http: HttpConfig, authenticator: Authenticator) -> None:
        self._service = service
        self._verbs = Verbs(service)
        self._explainer = Explainer(service, http.max_body_bytes)
        self._http = http
        self._authenticator = authenticator
        self._description = openapi.Description(service.catalog)

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: Any) -> None:
        request_id, began = uuid.uuid4().hex, time.monotonic()
        resp.set_header("X-Request-Id", request_id)
        version = version_at(req.path)
        resp.set_header("CIMI-Specification-Version", version.specification)
        req.context.base_url = self._http.base_url or ""
        try:
            admit(req.env, self._http.max_body_bytes)
            seen = origin(req.env, self._http.trusted_proxies)
            req.context.base_url = self._http.base_url or seen
            if req.path == openapi.PATH:
                req.context.user = self._authenticator(req, [])  # as for a CloudEntryPoint
                self._describe(req, resp)
            else:
                version, segments = versioned(req)
                resp.set_header("CIMI-Specification-Version", version.specification)
                req.context.user = self._authenticator(req, segments)
                self._answer(req, resp, version, segments)
        except CimiCimError as exc:
            if exc.status >= 500:
                path = access.shown_path(req)
                said = f"{exc.message} ({exc.reason})"
                log.warning("%s %s: %s %s", request_id, path, said, exc.fields)
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
        if is_asked(req):
            self._explainer.answer(req, resp, version, segments)
            return
        found = route(self._service.catalog, version, segments)
        self._verbs.answer(self._exchange(req, resp, version), found)

    def _describe(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the OpenAPI document."""
        resp.set_header("Allow", ", ".join(_READS))
        if req.method not in _READS:
            raise MethodNotAllowed(f"{req.method} does not apply to {req.path}", allowed=_READS)
        if req.method == "OPTIONS":
            resp.status = falcon.HTTP_204
        else:
            resp.content_type = JSON
            resp.data = self._description.encoded(req.context.base_url)

    def _exchange(
        self, req: falcon.Request, resp: falcon.Response, version: CimiVersion
    ) -> Exchange:
        return Exchange(req, resp, version, self._service.model, self._http.max_body_bytes)

    def _fail(
        self, req: falcon.Request, resp: falcon.Response, version: CimiVersion, exc: CimiCimError
    ) -> None:
        """Every failure is the representation of a Job (DSP0263 4.1)."""
        try:
            media = media_of(req)
        except CimiCimError:
            media = JSON
        resp.status = falcon.code_to_http_status(exc.status)
        if isinstance(exc, MethodNotAllowed):
            resp.set_header("Allow", ", ".join(exc.allowed))
        if isinstance(exc, Unauthorized):
            resp.set_header("WWW-Authenticate", exc.challenge)
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
        exchange = self._exchange(req, resp, version)
        if "job" in exc.fields:  # it was carried out, and failed
            exchange.tell_job(str(exc.fields["job"]))
        exchange.send(media, Resource("Job", "", values))
