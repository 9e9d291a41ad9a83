"""One request with its answer: the version spoken, the form of the answer, the links in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

import falcon

from cimi_cim.errors import BadRequest, NotAcceptable
from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.http.preconditions import etag, is_unchanged, must_match_read
from cimi_cim.http.requests import JSON, XML, body_media, read_body
from cimi_cim.model.documents import ActionDocument, CreateDocument, MembershipDocument
from cimi_cim.model.resources import Collection, Resource, Value
from cimi_cim.model.types import Action, CimiVersion, Model
from cimi_cim.service.jobs.asking import Request

MAX_KEY_LENGTH = 255
_ENCODERS = {JSON: json_codec.encode, XML: xml_codec.encode}


class Decoder(Protocol):
    """What reads documents of one form; both decoders are such modules."""

    def decode(self, body: bytes, type_name: str, links: Links) -> dict[str, Value]:
        """Read the representation of a resource."""

    def decode_create(self, body: bytes, type_name: str, links: Links) -> CreateDocument:
        """Read what is to be created in a Collection of a type."""

    def action_in(self, body: bytes) -> str | None:
        """Tell the action that a document is, None for another kind of document."""

    def decode_membership(
        self, body: bytes, type_name: str, action: str, links: Links
    ) -> MembershipDocument:
        """Read what is to be inserted into a Collection, or removed from it."""

    def decode_action(self, body: bytes, action: Action, links: Links) -> ActionDocument:
        """Read an Action document."""


_DECODERS: dict[str, Decoder] = {JSON: json_decoder, XML: xml_decoder}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, while it is worked on."""

    req: falcon.Request
    resp: falcon.Response
    version: CimiVersion
    model: Model
    max_body_bytes: int

    @property
    def links(self) -> Links:
        """The URIs as this client sees them."""
        base = f"{self.req.context.base_url}/cimi/{self.version.value}"
        return Links(base, self.version, self.model)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query parameters in their order; one may stand several times."""
        return parse_qsl(self.req.query_string, keep_blank_values=True)

    @property
    def media(self) -> str:
        """The form of the answer. Raises `NotAcceptable`."""
        return media_of(self.req)

    def read_document(self) -> tuple[bytes, Decoder]:
        """Return the body, and what reads its form."""
        decoder = _DECODERS[body_media(self.req)]
        body = self.req.context.body = read_body(self.req, self.max_body_bytes)
        return body, decoder

    def send(self, media: str, found: Resource | Collection) -> None:
        """Answer with a representation that is none of what the URI names."""
        self.resp.set_header("Vary", "Accept")
        self.resp.content_type = f"{media}; charset=utf-8"
        self.resp.data = _ENCODERS[media](found, self.links)

    def send_tagged(self, media: str, found: Resource | Collection) -> None:
        """Answer with the representation of a resource, and its ETag."""
        self.send(media, found)
        self.resp.set_header("ETag", etag(self.resp.data or b""))

    def send_if_changed(self, media: str, found: Resource | Collection) -> None:
        """Answer a read; a client that has the representation already gets a 304."""
        self.send_tagged(media, found)
        tag = etag(self.resp.data or b"")
        must_match_read(self.req, tag)
        if is_unchanged(self.req, tag):
            self.resp.status = falcon.HTTP_304
            self.resp.data = self.resp.content_type = None

    @property
    def request(self) -> Request:
        """Who asks, and what makes a repeated request the same one (Idempotency-Key)."""
        key = self.req.get_header("Idempotency-Key")
        if key is not None and not 0 < len(key.strip()) <= MAX_KEY_LENGTH:
            raise BadRequest(
                f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters", reason="bad-header"
            )
        user = getattr(self.req.context, "user", None)
        name = None if user is None or user.is_anonymous else user.name
        digest = hashlib.sha256(f"{self.req.method} {self.req.relative_uri}".encode())
        digest.update(self.req.context.body if hasattr(self.req.context, "body") else b"")
        return Request(name, key, digest.hexdigest())

    def tell_job(self, path: str) -> None:
        """Say which Job tells of the request (DSP0263 4.2.1.6)."""
        self.resp.set_header("CIMI-Job-URI", self.links.href(path))


def media_of(req: falcon.Request) -> str:
    """Return the form of the answer: the first `$format` before `Accept` (DSP0263 4.1.6.5)."""
    said = next((value for name, value in parse_qsl(req.query_string) if name == "$format"), "")
    if said.lower() in ("json", "xml"):
        return JSON if said.lower() == "json" else XML
    preferred = req.client_prefers((JSON, XML))
    if preferred is None:
        raise NotAcceptable(f"answers come as {JSON} or {XML}")
    return str(preferred)
