"""How a method call is kept from being sent twice (design: a call is an intent and an outcome).

The engine says what it is about to send, and how to find out what became of it; whoever
runs durable work writes both down (`service/jobs`). Without a journal a call is just sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Intent:
    """A method call that is about to be sent; everything in it can be written down.

    Args:
        key: Names the call within one operation; the same when the operation runs again.
        target: Alias of the WBEM server.
        method: `Class.Method`.
        path: WBEM URI of the object.
        token: What the instance that it makes will carry, None where it carries nothing.
        before: WBEM URIs of the instances that there were, where only that tells new ones.
    """

    key: str
    target: str
    method: str
    path: str
    token: str | None = None
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call that was sent.

    Args:
        return_code: What the method returned, None for nothing, or where it was found out
            without its answer.
        job: WBEM URI of the job that goes on with the work, None for none.
        made: WBEM URI of the instance that was made, None for none or not known yet.
        out: Other output values that were asked for, as JSON has them.
        was_found_out: The answer was lost; this is what the server's instances tell.
    """

    return_code: int | None = None
    job: str | None = None
    made: str | None = None
    out: Mapping[str, Any] = field(default_factory=dict)
    was_found_out: bool = False


class Journal(Protocol):
    """Keeps what is about to be sent, and what became of it."""

    def call(
        self,
        intent: Callable[[], Intent],
        key: str,
        send: Callable[[], Outcome],
        find_out: Callable[[Intent], Outcome | None],
    ) -> Outcome:
        """Return the outcome of the call `key`, which is sent at most once.

        If an outcome is known, that is it. If only the intent is known, the call may have
        been sent before: `find_out` tells its outcome from the server's instances, None if
        it was certainly never carried out; then, and if nothing is known, the intent is
        made, kept, the call sent and its outcome kept. Raises what `send` raises; after
        `OutcomeUnknown` it finds out by itself. Raises `OutcomeUnknown` where that is
        ambiguous.
        """


class Unjournaled:
    """Sends, and remembers nothing."""

    def call(
        self,
        intent: Callable[[], Intent],
        key: str,
        send: Callable[[], Outcome],
        find_out: Callable[[Intent], Outcome | None],
    ) -> Outcome:
        """Send a call once; see `Journal.call`."""
        return send()
