"""Headers of an answer that lacks what WBEM servers hold that could not be asked."""

from __future__ import annotations

from collections.abc import Mapping

import falcon

MOST_NAMES, MOST_WARNINGS = 50, 8
_LONGEST_WARNING = 300


def tell_incomplete(resp: falcon.Response, left_out: Mapping[str, str]) -> None:
    """Name the targets that are left out, for programs, and say why, for people.

    `X-CIMI-Incomplete` lists their aliases, `*` standing for more than `MOST_NAMES`. A
    `Warning` (RFC 7234 5.5, code 199) tells each one's reason; the headers stay small enough
    for proxies, however many there are.
    """
    if not left_out:
        return
    names = sorted(left_out)
    shown = names[:MOST_NAMES] + ["*"] * (len(names) > MOST_NAMES)
    resp.set_header("X-CIMI-Incomplete", ",".join(shown))
    for name in names[:MOST_WARNINGS]:
        resp.append_header("Warning", _warning(f"target {name} is left out: {left_out[name]}"))
    more = len(names) - MOST_WARNINGS
    if more > 0:
        resp.append_header("Warning", _warning(f"{more} more targets are left out"))


def _warning(text: str) -> str:
    """Return what a Warning header holds: printable ASCII, whatever a provider's words are."""
    plain = "".join(c if c.isprintable() and c.isascii() else " " for c in text[:_LONGEST_WARNING])
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'199 - "{quoted}"'
