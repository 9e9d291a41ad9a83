"""How a failure reads in a Job, and how an error is kept and raised again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from cimi_cim.errors import CimiCimError
from cimi_cim.service.jobs.bodies import JobStopped
from cimi_cim.service.jobs.records import DONE

BRIDGE_CODES = 10000
"""An error of the bridge itself is this plus its HTTP status; codes below are reserved."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a Job ends: the state, `returnCode`, and what makes up `statusMessage`.

    Args:
        state: SUCCESS, FAILED or STOPPED.
        code: The `returnCode`.
        message: Why.
        undone: What became of what it had done; follows the message.
        error: The error as JSON (`write_error`), None for none.
    """

    state: str
    code: int
    message: str
    undone: str = ""
    error: str | None = None

    @property
    def told(self) -> str:
        """The whole `statusMessage`."""
        return f"{self.message}{self.undone}"


SUCCESS = Failure("SUCCESS", DONE, "")
STOPPED = Failure("STOPPED", BRIDGE_CODES + JobStopped.status, "stopped on request")
UNTOLD = Failure("FAILED", BRIDGE_CODES + 500, "it failed")


def failure_of(exc: Exception, job: str) -> Failure:
    """Return how an error reads; what no caller can act upon is told to the log alone."""
    if isinstance(exc, JobStopped):
        return STOPPED
    if not isinstance(exc, CimiCimError):
        log.error("%s: the body failed", job, exc_info=exc)
        exc = CimiCimError(f"internal error; tell the operator the Job {job}")
    code = exc.fields.get("return_code")
    if not isinstance(code, int):
        code = BRIDGE_CODES + exc.status
    message = f"{exc.message} ({exc.reason})"
    return Failure("FAILED", code, message, error=write_error(exc))


def error_of(failure: Failure) -> CimiCimError:
    """Return the error that a failure was, its message with what became of what was done."""
    error = JobStopped(failure.message) if failure.error is None else read_error(failure.error)
    error.message = f"{error.message}{failure.undone}"
    return error


def write_failure(failure: Failure) -> str:
    """Return a failure as JSON text."""
    return json.dumps(asdict(failure))


def read_failure(text: str) -> Failure:
    """Return the failure that `write_failure` wrote."""
    return Failure(**json.loads(text))


def write_error(exc: CimiCimError) -> str:
    """Return an error as JSON text, with those of its attributes that JSON can hold."""
    names = [each.__name__ for each in type(exc).__mro__ if issubclass(each, CimiCimError)]
    fields = {name: value for name, value in exc.fields.items() if _is_plain(value)}
    kept = {name: value for name, value in vars(exc).items() if _is_plain(value)}
    return json.dumps({"class": names, "attributes": {**kept, "fields": fields}})


def read_error(text: str) -> CimiCimError:
    """Return the error that `write_error` wrote: of its class, or of the nearest one known."""
    kept = json.loads(text)
    known = {each.__name__: each for each in _errors(CimiCimError)}
    found = next((known[name] for name in kept["class"] if name in known), CimiCimError)
    error = found.__new__(found, kept["attributes"]["message"])  # each constructor is its own
    vars(error).update(kept["attributes"])
    return error


def _errors(above: type[CimiCimError]) -> Iterator[type[CimiCimError]]:
    yield above
    for each in above.__subclasses__():
        yield from _errors(each)


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
