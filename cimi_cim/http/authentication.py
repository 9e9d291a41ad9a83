"""Who sends a request: HTTP Basic (RFC 7617) against the users of the store."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

import falcon

from cimi_cim.credentials import Secret
from cimi_cim.errors import Unauthorized
from cimi_cim.service.accounts import ANYBODY, STRANGER, Accounts, Principal

Authenticator: TypeAlias = "Callable[[falcon.Request, Sequence[str]], Principal]"
"""Returns who sends a request to a path, given by the segments behind its version.

Raises `Unauthorized` for who has to log in and did not.
"""

CHALLENGE = 'Basic realm="cimi-cim", charset="UTF-8"'
# How long users that are gone are still taken for there; new ones count at once.
STILL_THERE_S = 1.0
_CREDENTIALS = re.compile(r"basic +([A-Za-z0-9+/]+={0,2}) *\Z", re.IGNORECASE)
_READS = ("GET", "HEAD", "OPTIONS")


def anybody(_: falcon.Request, __: Sequence[str]) -> Principal:
    """Let everybody in, whatever credentials are sent."""
    return ANYBODY


class BasicAuthentication:
    """Lets users in, an `Authenticator`; safe to use from several threads.

    Args:
        accounts: Who the users are.
        is_always_needed: Whether everybody has to log in, or only once there is a user.
        has_public_entry_point: Whether the CloudEntryPoint alone is read without.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        is_always_needed: bool,
        has_public_entry_point: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._is_always_needed = is_always_needed
        self._has_public_entry_point = has_public_entry_point
        self._clock = clock
        self._seen_until = 0.0

    def __call__(self, req: falcon.Request, segments: Sequence[str]) -> Principal:
        """Return who sends the request. Raises `Unauthorized`.

        Credentials are not even read where nobody has to log in. At a public CloudEntryPoint
        good ones count and others are ignored.
        """
        if not self._is_needed():
            return ANYBODY
        try:
            return self._user(req.get_header("Authorization"))
        except Unauthorized:
            if self._has_public_entry_point and _is_entry_point_alone(req, segments):
                return STRANGER
            raise

    def _is_needed(self) -> bool:
        if self._is_always_needed or self._clock() < self._seen_until:
            return True
        are_there = self._accounts.are_there()
        if are_there:
            self._seen_until = self._clock() + STILL_THERE_S
        return are_there

    def _user(self, header: str | None) -> Principal:
        name, password = _said(header)
        found = self._accounts.verify(name, password)
        if found is None:
            raise _refusal("the user or the password is wrong", "bad-credentials")
        return found


def _said(header: str | None) -> tuple[str, Secret]:
    """Return the name and the password of an Authorization header. Raises `Unauthorized`."""
    if header is None or not header.strip():
        raise _refusal("log in to do this: send a user and a password (HTTP Basic)",
                       "login-required")  # fmt: skip
    scheme = header.split(maxsplit=1)[0].lower()
    if scheme != "basic":
        raise _refusal(
            "the Authorization header is of a scheme that is not taken here; send HTTP Basic",
            "bad-authorization",
        )
    match = _CREDENTIALS.match(header.strip())
    try:
        text = base64.b64decode(match[1], validate=True).decode("utf-8") if match else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    name, colon, password = text.partition(":")
    if not colon:
        raise _refusal(
            "the Authorization header is not as RFC 7617 has it: Basic, a space, and the base64 of"
            " USER:PASSWORD in UTF-8",
            "bad-authorization",
        )
    return name, Secret(password)


def _refusal(message: str, reason: str) -> Unauthorized:
    return Unauthorized(message, reason=reason, challenge=CHALLENGE)


def _is_entry_point_alone(req: falcon.Request, segments: Sequence[str]) -> bool:
    """Whether a request reads the CloudEntryPoint, without what it leads to ($expand)."""
    names = {name for name, _ in parse_qsl(req.query_string, keep_blank_values=True)}
    is_entry_point = list(segments) in ([], ["cloudEntryPoint"])
    return req.method in _READS and is_entry_point and "$expand" not in names
