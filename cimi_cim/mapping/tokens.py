"""Short names that are fit for a URL."""

from __future__ import annotations

import base64
import hashlib


def hashed(text: str) -> str:
    """Return 27 letters and digits that stand for a text and, in practice, no other."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "h" + base64.b32encode(digest).decode("ascii").lower()[:26]
