"""The bytes of a reply as an XML parser takes them: UTF-8, and legal characters alone.

Servers copy texts from devices and configuration files into CIM-XML as they are: control
characters, Latin-1 bytes in what is declared UTF-8. What such a byte meant is kept where it
can be told, else it becomes U+FFFD; the other values of the reply must not suffer.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

log = logging.getLogger(__name__)

_HEAD_BYTES = 256  # an XML declaration is shorter
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
          (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
_CONTROLS = tuple(bytes([code]) for code in range(32) if code not in (9, 10, 13))
_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_LONGEST_REFERENCE = 14
_INSTEAD = "\ufffd".encode()


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    """Read a byte that is no UTF-8 as Windows does, or else as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    tell_once("a WBEM server sends bytes that are not in the declared encoding")
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("latin-1"), error.end


codecs.register_error("cimi-cim-latin-1", _as_latin_1)


@lru_cache(maxsize=1024)
def tell_once(message: str) -> None:
    """Log what a server does wrong and what is made of it, once."""
    log.warning("%s", message)


def cleaned(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the document in UTF-8, whatever it declares, without illegal characters."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if _tells_encoding(head):
            break
    mark, encoding = _encoding(head)
    decoder = codecs.getincrementaldecoder(encoding)("cimi-cim-latin-1")
    head, rest = head[len(mark) :], b""
    while head:
        is_plain = encoding == "utf-8" and head.isascii() and not decoder.getstate()[0]
        whole = rest + (head if is_plain else decoder.decode(head).encode())
        whole, rest = _split(whole)
        if whole:
            yield _legal(whole)
        head = next(source, b"")
    left = rest + decoder.decode(b"", True).encode()
    if left:
        yield _legal(left)


def _tells_encoding(head: bytes) -> bool:
    """Whether no more is needed: what comes later may never come."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    is_declared = start.startswith(b"<?xml") or b"<?xml".startswith(start[:5])
    return len(head) >= _HEAD_BYTES or b"?>" in head or not is_declared


def _encoding(head: bytes) -> tuple[bytes, str]:
    """The byte order mark, and the name of the codec that reads what follows it."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return mark, name
    if head[:2] in (b"<\x00", b"\x00<"):
        return b"", "utf-16-le" if head[:1] == b"<" else "utf-16-be"
    declared = _DECLARED.match(head)
    name = declared[1].decode().lower() if declared else "utf-8"
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return b"", "utf-8"
    is_text = getattr(codecs.lookup(found), "_is_text_encoding", True)
    return b"", "utf-8" if found.startswith(("utf", "ascii")) or not is_text else found


def _split(text: bytes) -> tuple[bytes, bytes]:
    """Keep back what may be the beginning of a character reference."""
    start = text.rfind(b"&", max(0, len(text) - _LONGEST_REFERENCE))
    if start < 0 or b";" in text[start:]:
        return text, b""
    return text[:start], text[start:]


def _legal(text: bytes) -> bytes:
    """What is rare is looked for byte by byte: that is many times faster than anything else."""
    if any(code in text for code in _CONTROLS) or b"\xef" in text:
        text = _ILLEGAL.sub(_INSTEAD, text)
    if b"&" in text and b"&#" in text:
        return _REFERENCE.sub(_legal_reference, text)
    return text


def _legal_reference(match: re.Match[bytes]) -> bytes:
    number = int(match[1], 16) if match[1] else int(match[2])
    is_legal = (
        number in (9, 10, 13)
        or 0x20 <= number <= 0xD7FF
        or 0xE000 <= number <= 0xFFFD
        or 0x10000 <= number <= 0x10FFFF
    )
    return match[0] if is_legal else _INSTEAD
