"""Bodies of requests: their form, their size, their bytes."""

from __future__ import annotations

import falcon

from cimi_cim.errors import PayloadTooLarge, UnsupportedMedia

JSON, XML = "application/json", "application/xml"


def body_media(req: falcon.Request) -> str:
    """Return the form of the body (DSP0263 4.1: JSON or XML). Raises `UnsupportedMedia`.

    Both come in UTF-8: a charset that says otherwise is refused.
    """
    media, *parameters = (part.strip() for part in (req.content_type or "").lower().split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia(f"the body says charset {value[:20]!r}; send UTF-8")
    if media not in (JSON, XML):
        said = f"is {media[:60]!r}" if media else "is missing"
        raise UnsupportedMedia(f"the Content-Type {said}; send {JSON} or {XML}")
    return media


def read_body(req: falcon.Request, maximum: int) -> bytes:
    """Return the whole body. Raises `PayloadTooLarge` beyond `maximum` bytes."""
    body = b""
    if (req.content_length or 0) <= maximum:
        body = req.bounded_stream.read(maximum + 1)
    if len(body) > maximum or (req.content_length or 0) > maximum:
        raise PayloadTooLarge(f"the body exceeds {maximum} bytes")
    return body
