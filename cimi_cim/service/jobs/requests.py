"""Repeated requests: the same Idempotency-Key returns the first Job, as long as that is kept."""

from __future__ import annotations

from sqlalchemy import insert, select

from cimi_cim.errors import ConflictError
from cimi_cim.service.jobs.asking import Request
from cimi_cim.service.store.job_tables import KEYS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing


def earlier(reading: Reading, request: Request) -> str | None:
    """Return the Job of the same request if it was made before; see `Jobs.earlier`."""
    if request.key is None:
        return None
    where = KEYS.c.principal == (request.principal or ""), KEYS.c.key == request.key
    row = reading.connection.execute(select(KEYS).where(*where)).first()
    if row is None:
        return None
    if row.fingerprint != request.fingerprint:
        raise ConflictError(
            "this Idempotency-Key was used for another request; take a new key for a new request",
            reason="idempotency-key-reused",
        )
    return str(row.job)


def remember(writing: Writing, request: Request, job: str) -> None:
    """Keep the key of a request with its Job."""
    if request.key is None:
        return
    row = {
        "principal": request.principal or "", "key": request.key,
        "fingerprint": request.fingerprint, "job": job,
    }  # fmt: skip
    writing.connection.execute(insert(KEYS).values(row))
