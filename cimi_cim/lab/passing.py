"""A WBEM server that passes everything on to another one, and keeps what was said for a tape.

Bytes go through as they are, both ways. A read that a tape cannot keep as it came, with a
property list or in pieces, is made once more, whole and in the classic form, before the
client has its answer; a method call is sent once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lxml import etree

from cimi_cim.errors import CimiCimError, ConfigError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply, Unanswered
from cimi_cim.lab.exchanges import Exchange, outcomes_of, read_xml
from cimi_cim.lab.front import Handler, WbemFront
from cimi_cim.lab.listening import ListeningTransport
from cimi_cim.lab.questions import classic_call
from cimi_cim.lab.requests import BadRequest
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.request import intrinsic_request
from cimi_cim.wbem.tape.records import Outcome
from cimi_cim.wbem.transport import Transport

log = logging.getLogger(__name__)

_TOLD = ("Authorization", "CIMOperation", "CIMMethod", "CIMObject", "CIMProtocolVersion",
         "Accept-Language", "User-Agent")  # fmt: skip
_ANSWERED = ("CIMOperation", "CIMError", "PGErrorDetail", "WWW-Authenticate", "Content-Type",
             "Content-Language", "Server")  # fmt: skip


class Passing:
    """What passes through, and what a tape keeps of it; safe under threads."""

    def __init__(
        self, transport: Transport, listening: ListeningTransport, operation_s: float,
        *, logs_in: bool = False,
    ) -> None:  # fmt: skip
        """`logs_in` says that the transport has an account of its own, whoever asks."""
        self._transport = transport
        self._listening = listening
        self._operation_s = operation_s
        self._told = _TOLD[1:] if logs_in else _TOLD
        self._lock = threading.Lock()
        self._since_the_first_call: list[Exchange] = []
        self.named: dict[str, set[str]] = {}
        self.passed = 0

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The method calls so far, each with the reads that followed it."""
        with self._lock:
            return tuple(outcomes_of(self._since_the_first_call))

    def pass_on(self, body: bytes, told: Any) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the server's answer. Raises `Unanswered`."""
        headers = {name: told[name] for name in self._told if told.get(name) is not None}
        try:
            status, said, reply = self._transport.pass_on(
                body, headers, Deadline.after(self._operation_s)
            )
        except CimiCimError as exc:
            log.warning("the WBEM server gives no answer: %s", exc.message)
            raise Unanswered(is_cut=True) from exc
        if status == 200:
            self._keep(body, reply, {n: v for n, v in headers.items() if n == "Authorization"})
        return status, {name: said[name] for name in _ANSWERED if name in said}, reply

    def _keep(self, body: bytes, reply: bytes, login: dict[str, str]) -> None:
        try:
            said = Exchange(body, read_xml(reply))
            call = said.call
            kept: Exchange | None = said
            if said.is_left_out and isinstance(call, IntrinsicCall):
                kept = self._whole(call, login)
            with self._lock:
                self._take_in(kept)
        except (BadRequest, etree.XMLSyntaxError, ValueError, LookupError, AttributeError) as exc:
            log.warning("an exchange fits on no tape and is left out: %s", exc)
        except CimiCimError as exc:
            log.warning("a read cannot be made again for the tape: %s", exc.message)

    def _whole(self, call: IntrinsicCall, login: dict[str, str]) -> Exchange | None:
        """The same read in the form that a tape keeps; None for a piece of one."""
        plain = classic_call(call)
        if plain is None:
            return None
        body = intrinsic_request(plain.operation, plain.namespace, plain.parameters)
        headers = {
            "CIMOperation": "MethodCall", "CIMMethod": plain.operation,
            "CIMObject": plain.namespace, **login,
        }  # fmt: skip
        deadline = Deadline.after(self._operation_s)
        with self._transport.post(body, headers, deadline, is_change=False) as chunks:
            return Exchange(body, read_xml(b"".join(chunks)))

    def _take_in(self, exchange: Exchange | None) -> None:
        self.passed += 1
        if exchange is None:
            return
        call = exchange.call
        if isinstance(call, MethodCall):
            namespace, name = call.path.namespace, call.path.classname
        else:
            namespace, name = call.namespace, str(call.parameters.get("ClassName") or "")
        if name and exchange.failure is None:
            self.named.setdefault(namespace, set()).add(name)
        if isinstance(call, MethodCall) or self._since_the_first_call:
            self._since_the_first_call.append(exchange)
        if isinstance(call, IntrinsicCall):
            # What was asked before any call was made is what the server was like.
            self._listening.hear(exchange, is_later=bool(self._since_the_first_call))


class _PassingHandler(Handler):
    """One connection of a client."""

    passing: Passing

    def reply_to(self, body: bytes) -> None:
        """Send what the other server answers. Raises `Unanswered`."""
        status, headers, reply = self.passing.pass_on(body, self.headers)
        self.send_answer(status, [reply], headers)


class _Nothing:
    """The backend of a front that asks none."""

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        raise Unanswered(is_cut=True)

    def method(self, call: MethodCall) -> Reply:
        raise Unanswered(is_cut=True)


@contextmanager
def passing_server(passing: Passing, port: int = 0) -> Iterator[WbemFront]:
    """Pass on what comes to a port of this machine, for as long as the context lasts.

    Raises `ConfigError` when the port is taken.
    """
    handler = type("PassingHandler", (_PassingHandler,), {"passing": passing})
    try:
        front = WbemFront(_Nothing(), port=port, handler=handler)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on port {port}: {exc.strerror}; say another with --port"
        ) from exc
    with front:
        yield front
