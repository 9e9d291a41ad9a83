"""Bodies of requests: what form they say they have, and how large they may be."""

from __future__ import annotations

import falcon.testing
import pytest

from cimi_cim.errors import PayloadTooLarge, UnsupportedMedia
from cimi_cim.http.requests import JSON, XML, body_media, read_body


def request(body: bytes = b"", media: str | None = JSON) -> falcon.Request:
    headers = {} if media is None else {"Content-Type": media}
    return falcon.testing.create_req(method="POST", body=body.decode(), headers=headers)


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ("application/json", JSON),
        ("Application/JSON ; Charset=UTF-8", JSON),
        ('application/xml; charset="utf-8"', XML),
        ("application/xml; q=1", XML),
    ],
)
def test_the_form_is_told_whatever_the_case_and_the_parameters(media: str, expected: str) -> None:
    assert body_media(request(media=media)) == expected


@pytest.mark.parametrize(
    "media", [None, "", "text/xml", "application/json+x", "application/json; charset=utf-16"]
)
def test_another_form_is_refused(media: str | None) -> None:
    with pytest.raises(UnsupportedMedia):
        body_media(request(media=media))


def test_a_body_is_read_up_to_the_maximum_and_no_further() -> None:
    assert read_body(request(b"x" * 10), 10) == b"x" * 10
    with pytest.raises(PayloadTooLarge, match="10 bytes"):
        read_body(request(b"x" * 11), 10)
