"""`X-CIMI-Explain: 1`: instead of the answer, how it comes about.

The request is answered as it would be, in JSON and into a response that nobody gets; what it
would change is not changed. The explanation is the body, so that one call shows it to
whoever uses curl; the status is that of the explanation, and the answer's stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import falcon

from cimi_cim.errors import BadRequest, CimiCimError, Forbidden, NotAcceptable, NotFound
from cimi_cim.http.exchange import Exchange
from cimi_cim.http.explained_document import document_of
from cimi_cim.http.explained_text import text_of
from cimi_cim.http.requests import JSON
from cimi_cim.http.routes import Route, Target, route
from cimi_cim.http.verbs import Verbs
from cimi_cim.incomplete import noting
from cimi_cim.model.paths import collections, resolve
from cimi_cim.model.resources import Collection, Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.accounts import STRANGER, Principal
from cimi_cim.service.explaining import Explained, explaining
from cimi_cim.service.service import Service
from cimi_cim.yaml_source import nearest

HEADER = "X-CIMI-Explain"
TEXT = "text/plain"
_READS = ("GET", "HEAD", "OPTIONS")


def is_asked(req: falcon.Request) -> bool:
    """Whether a request wants to be explained. Raises `BadRequest` for what is neither."""
    said = (req.get_header(HEADER) or "0").strip()
    if said not in ("0", "1"):
        raise BadRequest(f"{HEADER} is 1 for an explanation; leave it out for the answer",
                         reason="bad-header")  # fmt: skip
    return said == "1"


def must_be_allowed(user: Principal) -> None:
    """Refuse who may not see what stands behind a resource: it is for administrators.

    As long as roles decide nothing else, either, that is everybody who is let in.
    """
    if user is STRANGER:
        raise Forbidden("explanations are for those who log in", reason="login-required")


@dataclass(frozen=True)
class _Overheard(Exchange):
    """An exchange whose answer nobody gets; what it would show is kept."""

    shown: list[Resource | Collection] = field(default_factory=list)

    @property
    def media(self) -> str:
        """The form in which nobody sees it."""
        return JSON

    def send(self, media: str, found: Resource | Collection) -> None:
        """Keep what would be shown."""
        self.shown.append(found)
        Exchange.send(self, media, found)


class Explainer:
    """Explains requests; one per bridge."""

    def __init__(self, service: Service, max_body_bytes: int) -> None:
        self._service = service
        self._max_body_bytes = max_body_bytes

    def answer(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        version: CimiVersion,
        segments: Sequence[str],
    ) -> None:
        """Answer with the explanation of a request. Raises `NotAcceptable`, `Forbidden`."""
        must_be_allowed(req.context.user)
        media = req.client_prefers((JSON, TEXT))
        if media is None:
            raise NotAcceptable(f"explanations come as {JSON} or {TEXT}")
        document = self._document(req, version, segments)
        resp.set_header(HEADER, "1")
        resp.set_header("Vary", f"Accept, {HEADER}")
        resp.set_header("Cache-Control", "no-store")
        resp.content_type = f"{media}; charset=utf-8"
        text = json.dumps(document, indent=2) + "\n" if media == JSON else text_of(document)
        resp.data = text.encode("utf-8", "backslashreplace")

    def _document(
        self, req: falcon.Request, version: CimiVersion, segments: Sequence[str]
    ) -> dict[str, Any]:
        is_change = req.method not in _READS
        unseen = falcon.Response()
        with noting() as left_out, explaining(self._service, is_change=is_change) as explained:
            exchange = _Overheard(req, unseen, version, self._service.model, self._max_body_bytes)
            found, failure = self._tried(explained, exchange, segments)
            shown = exchange.shown[-1] if exchange.shown and failure is None else None
            explanation = explained.explanation(shown, version)
        answer: dict[str, Any] = {"status": falcon.http_status_to_code(unseen.status)}
        if failure is not None:
            answer = {
                "status": failure.status,
                "reason": failure.reason,
                "message": failure.message,
            }
        return {
            "request": {
                "method": req.method,
                "uri": req.relative_uri,
                "version": version.specification,
                "leadsTo": _what(found) if found is not None else "nothing",
            },
            "answer": answer,
            "notes": [
                *self._notes(found, failure, version, segments, is_change=is_change),
                *(f"target {name} is left out: {why}" for name, why in left_out.items()),
            ],
            **document_of(explanation, exchange.links),
        }

    def _tried(
        self, explained: Explained, exchange: Exchange, segments: Sequence[str]
    ) -> tuple[Route | None, CimiCimError | None]:
        """Have the request answered; returns where it leads, and why it fails."""
        found = None
        try:
            found = route(self._service.catalog, exchange.version, segments)
            Verbs(explained.service).answer(exchange, found)
        except CimiCimError as exc:
            return found, exc
        return found, None

    def _notes(
        self,
        found: Route | None,
        failure: CimiCimError | None,
        version: CimiVersion,
        segments: Sequence[str],
        *,
        is_change: bool,
    ) -> list[str]:
        notes = []
        if found is None:
            notes.append(self._would_be(version, segments))
        elif isinstance(failure, NotFound) and found.target is not Target.COLLECTION:
            notes.append(f"the URI is that of {_what(found)}, and there is none of this id")
        if is_change:
            notes.append("nothing was changed: calls were not sent, and the store is as it was")
        return notes

    def _would_be(self, version: CimiVersion, segments: Sequence[str]) -> str:
        """What a URI would be that leads nowhere."""
        model = self._service.model
        location = resolve(model, version, segments)
        if location is not None:
            kind = "a Collection of" if location.is_collection else "a"
            if not self._service.catalog.serves(location.type, version):
                return (
                    f"it would be {kind} {location.type}, and the mapping of no target has"
                    f" {location.type}"
                )
            return f"it would be {kind} {location.type}, and these have other addresses"
        for other in CimiVersion:
            if other is not version and resolve(model, other, segments) is not None:
                return f"it is a path of CIMI {other.specification}: /cimi/{other.value}/..."
        known = list(collections(model, version, "CloudEntryPoint"))
        first = segments[0] if segments else ""
        if first in known:
            return f"what is in {first} is fine, and what stands behind it is no Collection there"
        hint = nearest(first, known) or f"; there are {', '.join(known)}"
        return f"no Collection is called {first[:60]!r}{hint}"


def _what(found: Route) -> str:
    """What a route leads to, in words."""
    kind = found.location.type
    if found.target is Target.COLLECTION:
        return f"the Collection of {kind}"
    if found.target is Target.ACTION:
        return f"the action {found.name} of a {kind}"
    if found.target is Target.MEMBERSHIP:
        return f"{found.name} of a Collection of {kind}"
    return "the CloudEntryPoint" if not found.location.steps else f"a {kind}"
