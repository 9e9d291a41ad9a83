"""How a method of the simulated server ends: a return code, or work refused in words.

Return codes differ between methods (2 is "Failed" here and "Unknown" there), so code
that implements them says what it means, and the method's own value map has the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pywbem import CIM_ERR_ALREADY_EXISTS, CIM_ERR_FAILED

from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.values import CimValue

_UNLISTED = 32768  # the first vendor specific code of every method


class Outcome(Enum):
    """What a return code means: its labels in CIM Schema 2.49, the best first.

    A method that has none of them gets the next that says something like it.
    """

    DONE = (
        "Completed with No Error", "Job Completed with No Error", "Success", "Method completed OK",
    )  # fmt: skip
    STARTED = (
        "Method Parameters Checked - Job Started",
        "Method Parameters Checked - Transition Started",
    )
    NOT_SUPPORTED = ("Not Supported", "Method not supported")
    FAILED = ("Failed", "Unspecified Error")
    INVALID_PARAMETER = ("Invalid Parameter", "Failed")
    INVALID_STATE = ("Invalid State", "In Use", "Failed")
    INCOMPATIBLE = ("Incompatible Parameters", "Invalid Parameter", "Failed")
    INVALID_TYPE = ("Invalid Type", "Invalid Parameter")
    IN_USE = ("In Use", "Invalid State", "Failed")
    SIZE = ("Size Not Supported", "Invalid Parameter")
    OTHER_SIZES = ("Use GetSupportedSizeRange instead",)
    ELEMENT_TYPE = ("Invalid Element Type", "Invalid Parameter")
    INVALID_TRANSITION = ("Invalid State Transition", "Invalid State")
    NO_TIMEOUT = ("Use of Timeout Parameter Not Supported", "Invalid Parameter")


@dataclass(frozen=True, slots=True)
class Result:
    """What a method returned, and its output parameters by name."""

    outcome: Outcome
    out: Mapping[str, CimValue] = field(default_factory=dict)


class Declined(Exception):
    """A method that says no with a return code; nothing was changed."""

    def __init__(self, outcome: Outcome, **out: CimValue) -> None:
        super().__init__(outcome.name)
        self.result = Result(outcome, out)


class Reason(Enum):
    """Why work is refused, as a client can tell it from the text and from CIM_Error.

    The label begins the message; CIM status, ErrorType and ProbableCause follow.
    """

    FULL = (
        "Insufficient Resources", CIM_ERR_FAILED,
        "Oversubscription Error", "Resource at or Nearing Capacity",
    )  # fmt: skip
    DUPLICATE = (
        "Already Exists", CIM_ERR_ALREADY_EXISTS, "Software Error", "Identifier Duplication",
    )  # fmt: skip
    IN_USE = (
        "In Use", CIM_ERR_FAILED, "Unavailable Resource Error", "Underlying Resource Unavailable",
    )  # fmt: skip
    FAILED = ("Failed", CIM_ERR_FAILED, "Software Error", "Software Error")

    def __init__(self, label: str, status: int, error_type: str, cause: str) -> None:
        self.label = label
        self.status = status
        self.error_type = error_type
        self.cause = cause


class Refusal(Exception):
    """Work that cannot be done: a CIM error where the caller waits, else the job's error.

    A return code alone ("Failed") could not say why.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason.label}: {text}")
        self.reason = reason
        self.message = f"{reason.label}: {text}"


def return_code(method: MethodDeclaration, outcome: Outcome) -> int:
    """Return the number that an outcome has among the return codes of a method."""
    entries = () if method.values is None else method.values.entries
    codes = {label.lower(): key for key, label in entries if ".." not in key}
    for label in outcome.value:
        code = codes.get(label.lower())
        if code is not None:
            return int(code, 0)
    return 0 if outcome is Outcome.DONE else _UNLISTED
