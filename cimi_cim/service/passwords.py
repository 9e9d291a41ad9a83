"""Passwords: their hashes, and whether one fits, at a bounded cost and in equal time."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from cimi_cim.credentials import Secret

log = logging.getLogger(__name__)

KNOWN_S = 300
MOST_KNOWN = 1024
# Each takes 64 MiB; whoever guesses passwords must not take the machine's memory.
AT_ONCE = 4


class Passwords:
    """Hashes passwords with argon2id (RFC 9106), and holds passwords against hashes.

    What fitted a moment ago fits again without the cost of argon2, as long as its hash is
    the same; what is kept for that is a code under a key that never leaves the process.
    """

    def __init__(
        self, hasher: PasswordHasher | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._clock = clock
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: Secret) -> str:
        """Return a new hash, which tells its parameters and salt."""
        with self._places:
            return self._hasher.hash(_normal(password))

    def fits(self, name: str, password: Secret, kept: str | None) -> bool:
        """Whether the password of a user fits the hash that is kept.

        Without a hash (there is no such user) it takes as long as with one, and never fits.
        """
        if kept is not None and self._is_known(name, password, kept):
            return True
        with self._places:
            # While this one waited, another request of the same user may have been through.
            if kept is not None and self._is_known(name, password, kept):
                return True
            has_verified = self._verifies(password, self._nobodys if kept is None else kept)
        if kept is None or not has_verified:
            return False
        self.remember(name, password, kept)
        return True

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(kept)

    def remember(self, name: str, password: Secret, kept: str) -> None:
        """Let the password fit this hash for a while without argon2."""
        with self._lock:
            self._known[name] = (self._code(password, kept), self._clock() + KNOWN_S)
            self._known.move_to_end(name)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def _verifies(self, password: Secret, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, _normal(password))
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            log.warning("a user's password hash in the store is damaged; set the password again")
            return False

    def _is_known(self, name: str, password: Secret, kept: str) -> bool:
        with self._lock:
            code, until = self._known.get(name, (b"", 0.0))
            if code and self._clock() >= until:
                del self._known[name]
                return False
        return hmac.compare_digest(code, self._code(password, kept))

    def _code(self, password: Secret, kept: str) -> bytes:
        said = f"{kept}\0{_normal(password)}".encode()
        return hmac.digest(self._key, said, "sha256")


def _normal(password: Secret) -> str:
    """The same password however a keyboard composes its letters (RFC 8265 4.2.2)."""
    return unicodedata.normalize("NFC", password.reveal())
