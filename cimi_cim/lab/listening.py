"""A transport that hears what a gateway asks and what the server answers, for a tape."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lxml import etree

from cimi_cim.lab.exchanges import Exchange, read_xml
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemBadReply
from cimi_cim.wbem.tape.records import Answer, Question
from cimi_cim.wbem.transport import Posts


class ListeningTransport:
    """Passes everything on to `inner`, each operation with `operation_s` of its own.

    What was answered is kept as a tape keeps it: a later answer to the same question
    counts. `heard` counts the operations. Methods are not called here: a tape of what is
    there is made without changing it.
    """

    def __init__(self, inner: Posts, operation_s: float) -> None:
        self._inner = inner
        self._operation_s = operation_s
        self._lock = threading.Lock()
        self._answers: dict[tuple[str | None, ...], Answer] = {}
        self.heard = 0
        self.host: str | None = None

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What was answered, in an order that depends on the questions alone."""
        with self._lock:
            keys = sorted(self._answers, key=lambda key: tuple(part or "" for part in key))
            return tuple(self._answers[key] for key in keys)

    def answer(self, question: Question) -> Answer | None:
        """Return what was answered to a question, None if it was not asked."""
        with self._lock:
            return self._answers.get(question.key)

    @contextmanager
    def post(
        self, body: bytes, headers: dict[str, str], deadline: Deadline, *, is_change: bool
    ) -> Iterator[Iterator[bytes]]:
        """Give the reply to `body`, once it was heard whole."""
        if is_change:
            raise ValueError("a recording changes nothing")
        own = Deadline.after(self._operation_s, deadline.clock)
        with self._inner.post(body, headers, own, is_change=False) as chunks:
            reply = b"".join(chunks)
        self._hear(body, reply)
        yield iter([reply])

    def _hear(self, request: bytes, reply: bytes) -> None:
        try:
            exchange = Exchange(request, read_xml(reply))
            self.hear(exchange)
        except etree.XMLSyntaxError:
            return  # whoever asked is told what is wrong with it
        except (ValueError, LookupError, AttributeError) as exc:
            raise WbemBadReply(f"the WBEM server's reply fits on no tape: {exc}") from exc

    def hear(self, exchange: Exchange, *, is_later: bool = False) -> None:
        """Keep the answer in an exchange; one that is `later` only where there is none yet."""
        answers = [] if exchange.is_left_out else list(exchange.answers())
        host = exchange.reply.findtext(".//HOST")
        with self._lock:
            self.host = self.host or host
            self.heard += 1
            for answer in answers:
                if not (is_later and answer.question.key in self._answers):
                    self._answers[answer.question.key] = answer
