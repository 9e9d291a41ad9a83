"""ETags, and the requests that depend on them (RFC 9110 8.8.3, 13.1).

A tag is told by the bytes of a representation. A resource is unchanged as long as its
present representation, in any form that the client may have had, still has the tag.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import falcon

from cimi_cim.errors import BadRequest, PreconditionFailed
from cimi_cim.http.codec import json_codec, xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Collection, Resource

_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')


def etag(body: bytes) -> str:
    """Return the strong tag of a representation, quotes included."""
    digest = hashlib.sha256(body).digest()[:15]
    return f'"{base64.urlsafe_b64encode(digest).decode()}"'


def is_unchanged(req: falcon.Request, tag: str) -> bool:
    """Whether a client has this very representation already (If-None-Match)."""
    said = req.get_header("If-None-Match")
    return said is not None and (said.strip() == "*" or tag in _tags(said, "If-None-Match"))


def must_match_read(req: falcon.Request, tag: str) -> None:
    """Refuse to read a representation other than the one If-Match names."""
    said = req.get_header("If-Match")
    if said is not None and said.strip() != "*" and tag not in _tags(said, "If-Match"):
        raise PreconditionFailed("If-Match names another representation; read it without")


def precondition(
    req: falcon.Request, links: Links, selected: frozenset[str] | None = None
) -> Callable[[Resource | Collection], None]:
    """Return what checks a resource, as it is before a change, against If-Match.

    It raises `PreconditionFailed`.
    """
    said, never = req.get_header("If-Match"), req.get_header("If-None-Match")
    wanted = _tags(said, "If-Match") if said is not None and said.strip() != "*" else None
    unwanted = _tags(never, "If-None-Match") if never is not None and never.strip() != "*" else []

    def check(found: Resource | Collection) -> None:
        if never is not None and never.strip() == "*":
            raise PreconditionFailed("If-None-Match: * asks that nothing is here, but it is")
        if wanted is None and not unwanted:
            return
        present = set(_present(found, links, selected))
        if wanted is not None and present.isdisjoint(wanted):
            raise PreconditionFailed(
                "it has changed since the ETag in If-Match was given; read it again and decide"
            )
        if not present.isdisjoint(unwanted):
            raise PreconditionFailed("it still has the ETag in If-None-Match")

    return check


def _present(
    found: Resource | Collection, links: Links, selected: frozenset[str] | None
) -> Iterator[str]:
    for shown in {None, selected}:
        for encode in (json_codec.encode, xml_codec.encode):
            yield etag(encode(replace(found, selected=shown), links))


def _tags(said: str, header: str) -> list[str]:
    """Return the tags of a list, weak ones as if strong. Raises `BadRequest`."""
    found, position = [], 0
    while position < len(said):
        match = _TAG.match(said, position)
        if match is None:
            raise BadRequest(f'{header} must be * or a list of ETags, such as "abc"',
                             reason="bad-header")  # fmt: skip
        found.append(f'"{match[1]}"')
        position = match.end()
    return found
