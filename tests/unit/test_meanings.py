"""What providers' answers mean: labels of return codes, CIM errors, the mapping's faults."""

from __future__ import annotations

import re

import pytest

from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.compiled import Fault
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.meanings import (
    Meaning,
    error_of,
    meaning_of_answer,
    meaning_of_fault,
    meaning_of_return,
    meaning_of_status,
)
from cimi_cim.model.load import load_model
from cimi_cim.schema.declarations import MethodDeclaration, ValueMap
from cimi_cim.wbem.errors import status_error

SCHEMA = load_mapping("base", load_model()).schema


def declared(classname: str, name: str) -> MethodDeclaration:
    method = SCHEMA.method(classname, name)
    assert method is not None
    return method


@pytest.mark.parametrize(
    ("classname", "name", "code", "meaning"),
    [
        ("CIM_ComputerSystem", "RequestStateChange", 0, Meaning.DONE),
        ("CIM_ComputerSystem", "RequestStateChange", 1, Meaning.UNSUPPORTED),
        ("CIM_ComputerSystem", "RequestStateChange", 2, Meaning.FAILED),
        ("CIM_ComputerSystem", "RequestStateChange", 3, Meaning.TIMEOUT),
        ("CIM_ComputerSystem", "RequestStateChange", 5, Meaning.BAD_REQUEST),
        ("CIM_ComputerSystem", "RequestStateChange", 6, Meaning.CONFLICT),
        ("CIM_ComputerSystem", "RequestStateChange", 4096, Meaning.STARTED),
        ("CIM_ComputerSystem", "RequestStateChange", 4097, Meaning.CONFLICT),
        ("CIM_ComputerSystem", "RequestStateChange", 4098, Meaning.NO_TIMEOUT_PARAMETER),
        ("CIM_ComputerSystem", "RequestStateChange", 4099, Meaning.BUSY),
        ("CIM_ComputerSystem", "RequestStateChange", 40000, Meaning.FAILED),
        ("CIM_VirtualSystemManagementService", "DestroySystem", 5, Meaning.CONFLICT),
        ("CIM_ResourcePoolConfigurationService", "CreateChildResourcePool", 8, Meaning.CAPACITY),
        ("CIM_ResourcePoolConfigurationService", "CreateChildResourcePool", 5, Meaning.BAD_REQUEST),
        ("CIM_StorageConfigurationService", "ModifySynchronization", 4096, Meaning.STARTED),
    ],
)
def test_the_same_number_means_what_its_label_says(
    classname: str, name: str, code: int, meaning: Meaning
) -> None:
    assert meaning_of_return(declared(classname, name), code)[0] is meaning


def test_a_vendors_own_value_map_decides_against_the_usual_numbers() -> None:
    values = ValueMap((("0", "Failed"), ("7", "Success"), ("9", "Method_Not_Supported")))
    method = MethodDeclaration("M", "uint32", (), values)
    assert meaning_of_return(method, 0) == (Meaning.FAILED, 0, "Failed")
    assert meaning_of_return(method, 7)[0] is Meaning.DONE
    assert meaning_of_return(method, "9")[:2] == (Meaning.UNSUPPORTED, 9)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [(0, Meaning.DONE), (4096, Meaning.STARTED), (1, Meaning.FAILED), (None, Meaning.DONE),
     ("", Meaning.DONE), ("no", Meaning.FAILED)],
)  # fmt: skip
def test_a_method_without_a_value_map_speaks_as_the_schema_does(
    value: int | str | None, meaning: Meaning
) -> None:
    assert meaning_of_return(MethodDeclaration("M", "uint32"), value)[0] is meaning


def test_every_declared_success_and_job_label_is_known() -> None:
    """A label that says success or job in the declarations is never taken for a failure."""
    told = re.compile(r"\b(success|completed|no error|job started|transition started)\b", re.I)
    for cls in SCHEMA.classes.values():
        for method in cls.methods:
            for key, label in method.values.entries if method.values is not None else ():
                if told.search(label) and ".." not in key:
                    meaning, _, _ = meaning_of_return(method, int(key, 0))
                    assert meaning in (Meaning.DONE, Meaning.STARTED), (cls.name, method.name, key)


@pytest.mark.parametrize(
    ("code", "status"),
    [(1, 502), (2, 502), (3, 502), (4, 400), (5, 502), (6, 404), (7, 501), (11, 409),
     (12, 400), (13, 400), (16, 501), (17, 501)],
)  # fmt: skip
def test_cim_errors_have_a_status_of_http(code: int, status: int) -> None:
    error = error_of(meaning_of_status(status_error(code, "no")), "no", 12000 + code)
    assert (error.status, error.fields["return_code"]) == (status, 12000 + code)
    assert "no" in error.message


@pytest.mark.parametrize(
    "meaning", [m for m in Meaning if m not in (Meaning.DONE, Meaning.STARTED)]
)
def test_every_bad_meaning_is_an_error_a_person_can_act_on(meaning: Meaning) -> None:
    error = error_of(meaning, "", None)
    assert isinstance(error, CimiCimError)
    assert error.status >= 400
    assert error.reason != "internal-error"


def test_the_first_fault_that_fits_decides_and_a_fault_names_only_what_it_must() -> None:
    faults = (
        Fault("gone", "DestroySystem", None, None),
        Fault("conflict", None, 1, re.compile("transition", re.I)),
        Fault("capacity", "cs.RequestStateChange", None, re.compile("memory")),
    )
    assert meaning_of_fault(faults, "DestroySystem", 1, "any") is Meaning.GONE
    assert meaning_of_fault(faults, "X", 1, "Invalid Transition") is Meaning.CONFLICT
    assert meaning_of_fault(faults, "X", 2, "Invalid Transition") is None
    assert meaning_of_fault(faults, "RequestStateChange", 1, "no memory") is Meaning.CAPACITY
    assert meaning_of_fault(faults, "X", 1, "no memory") is None


@pytest.mark.parametrize(
    ("code", "label", "meaning"),
    [
        ("0", "Fine", Meaning.DONE),
        ("0", "Done without any error", Meaning.DONE),
        ("0", "No", Meaning.FAILED),
        ("0", "Nothing was done, not found", Meaning.FAILED),
        ("4096", "Task queued", Meaning.STARTED),
        ("4096", "Task aborted", Meaning.FAILED),
        ("1", "Fine", Meaning.FAILED),
    ],
)
def test_a_vendors_own_label_of_the_usual_numbers_is_believed_unless_it_sounds_bad(
    code: str, label: str, meaning: Meaning
) -> None:
    method = MethodDeclaration("M", "uint32", (), ValueMap(((code, label),)))
    assert meaning_of_return(method, int(code))[0] is meaning


def test_a_fault_may_be_told_by_the_return_value_or_its_label() -> None:
    method = MethodDeclaration("Power", "uint32", (), ValueMap((("0", "Fine"), ("3", "Is So"))))
    faults = (
        Fault("done", None, None, None, "is so"),
        Fault("conflict", "vm.Power", None, None, "17"),
        Fault("done", "Power", None, None, "fine"),
        Fault("started", "Move", None, None, "17"),
    )
    assert meaning_of_answer(faults, method, 0)[0] is Meaning.DONE
    assert meaning_of_answer(faults, method, 3) == (Meaning.DONE, 3, "Is So")
    assert meaning_of_answer(faults, method, "17")[0] is Meaning.CONFLICT
    assert meaning_of_answer(faults, MethodDeclaration("Move", "uint32"), 17)[0] is Meaning.STARTED
    assert meaning_of_answer(faults, method, 5)[0] is Meaning.FAILED


def test_a_fault_of_return_values_says_nothing_of_errors() -> None:
    assert meaning_of_fault((Fault("conflict", None, None, None, "1"),), "Power", 1, "1") is None
