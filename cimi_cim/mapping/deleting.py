"""Deletes resources in one WBEM server, as the mapping says."""

from __future__ import annotations

from cimi_cim.errors import ConflictError, NotFound, ProviderError
from cimi_cim.mapping.acting import Action, Subject
from cimi_cim.mapping.calling import never_sent_again
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.mapping.making import LOOK_AGAIN_S
from cimi_cim.mapping.run import Run

DELETE = "delete"
GONE_WITHIN_S = 2
"""How long to look whether what was deleted is gone, where the provider's word is not enough."""


def delete(subject: Subject, run: Run) -> None:
    """Delete a resource by the "delete" of its mapping. What is gone already is deleted."""
    operation = subject.resource.operations[DELETE]

    def find_out(intent: Intent) -> Outcome:
        waits = run.waits(LOOK_AGAIN_S)
        while True:
            try:
                subject.look()
            except NotFound:
                return Outcome(was_found_out=True)
            except ProviderError:
                return never_sent_again(intent)
            if not waits.wait():
                return never_sent_again(intent)

    Action(subject, operation, {}, run, wait_s=None, find_out=find_out).run()
    if operation.is_verified:
        _must_be_gone(subject, run)


def _must_be_gone(subject: Subject, run: Run) -> None:
    """Look for what the provider says to have deleted. Raises `ConflictError` if it stays."""
    waits = run.waits(GONE_WITHIN_S)
    while True:
        try:
            subject.look()
        except NotFound:
            return
        if not waits.wait():
            raise ConflictError(
                f"the provider says that the {subject.resource.type} is gone, and it is still"
                " there; bring what uses it to a stop, and try again",
                reason="still-there",
            )
