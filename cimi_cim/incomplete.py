"""What an answer lacks because a WBEM server could not be asked, noted while it is made.

Whoever answers opens a list (`noting`); whatever leaves something out on the way, in
this thread or in one that works for it, puts it there (`note`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_noted: ContextVar[dict[str, str] | None] = ContextVar("incomplete", default=None)


@contextmanager
def noting() -> Iterator[dict[str, str]]:
    """Give what is noted in this context: by alias of the target, why it is left out.

    Where another one is around it, that is told in the end, too.
    """
    noted: dict[str, str] = {}
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)
        for target, why in noted.items():
            note(target, why)


def note(target: str, why: str) -> None:
    """Note that the items of a target are left out; `why` is a sentence without hosts."""
    noted = _noted.get()
    if noted is not None:
        noted.setdefault(target, why)
