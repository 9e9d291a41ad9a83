"""Method calls: found, checked, counted, handed to the service, and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pywbem import (
    CIM_ERR_INVALID_NAMESPACE,
    CIM_ERR_METHOD_NOT_AVAILABLE,
    CIM_ERR_METHOD_NOT_FOUND,
    CIM_ERR_NOT_FOUND,
)

from cimi_cim.lab.backend import CimError, MethodCall, Reply
from cimi_cim.lab.failures import Called, Effect, Failure, Failures, suffer
from cimi_cim.lab.instance_xml import parameter_xml
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.ledger import CallRecord, Ledger
from cimi_cim.lab.outcomes import Declined, Refusal, Result, return_code
from cimi_cim.lab.parameters import Parameters, read_parameters
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.works import Trouble
from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.values import CimValue, InstancePath

Handler: TypeAlias = Callable[[Instance, Parameters], Result]
Handlers: TypeAlias = Mapping[tuple[str, str], Handler]
"""By class, without the vendor's prefix, and method."""


class Methods:
    """Answers method calls, one after the other; only delays do not wait for each other."""

    def __init__(
        self, platform: Platform, ledger: Ledger, failures: Failures, handlers: Handlers
    ) -> None:
        self._platform = platform
        self._repository = platform.repository
        self._prefix = platform.personality.prefix
        self._namespaces = {
            platform.personality.implementation.lower(), platform.personality.interop.lower(),
        }  # fmt: skip
        self._ledger = ledger
        self._failures = failures
        self._handlers = handlers

    def answer(self, call: MethodCall, sleep: Callable[[float], None]) -> Reply:
        """Return the reply to a method call. Raises `CimError` and `Unanswered`."""
        declared = self._declared(call)
        with self._repository.lock:
            name = call.method if declared is None else declared.name
            record = self._ledger.open(call, name, self._platform.clock())
            happening = self._failures.happening(self._called(record))
            record.failure = ", ".join(failure.spec for failure in happening) or None

        def work(trouble: Trouble | None) -> Reply:
            with self._repository.lock, self._platform.works.troubled(trouble):
                self._platform.works.settle()
                return self._answer(call, declared, record)

        try:
            reply = suffer(happening, work, sleep)
        except CimError as error:
            record.status, record.was_answered = error.code, True
            raise
        else:
            record.was_answered = True
            record.return_code = _given_code(happening, record.return_code)
            return reply
        finally:
            with self._repository.lock:
                self._ledger.close(record)

    def _called(self, record: CallRecord) -> Called:
        found = self._repository.classes.find(record.path.classname)
        lineage = frozenset[str]() if found is None else found.lineage
        return Called(record.method, lineage, (*record.names, *record.tokens))

    def _declared(self, call: MethodCall) -> MethodDeclaration | None:
        return self._repository.classes.schema.method(call.path.classname, call.method)

    def _answer(
        self, call: MethodCall, declared: MethodDeclaration | None, record: CallRecord
    ) -> Reply:
        if call.path.namespace.lower() not in self._namespaces:
            raise CimError(CIM_ERR_INVALID_NAMESPACE, f"no namespace {call.path.namespace}")
        found = self._repository.get(call.path)
        if found is None:
            raise CimError(CIM_ERR_NOT_FOUND, f"no instance {call.path.canonical}")
        if declared is None:
            raise CimError(CIM_ERR_METHOD_NOT_FOUND, f"{found.cls.name} has no {call.method}")
        parameters = read_parameters(declared, call.parameters, call.path.namespace)
        handler = self._handlers.get((found.cls.name.removeprefix(self._prefix), declared.name))
        if handler is None:
            raise CimError(
                CIM_ERR_METHOD_NOT_AVAILABLE, f"{found.cls.name} does not implement {declared.name}"
            )
        try:
            result = handler(found, parameters)
        except Declined as declined:
            result = declined.result
        except Refusal as refusal:
            raise CimError(refusal.reason.status, refusal.message) from refusal
        record.return_code = return_code(declared, result.outcome)
        job = result.out.get("Job")
        record.job = job if isinstance(job, InstancePath) else None
        return _reply(declared, record.return_code, result.out)


def _given_code(happening: Sequence[Failure], code: int | None) -> int | None:
    """The return code of a failure that is one, else what the method returned."""
    given = [int(f.number) for f in happening if f.effect is Effect.RETURN]
    return given[0] if given else code


def _reply(declared: MethodDeclaration, code: int, out: Mapping[str, CimValue]) -> Reply:
    rendered = []
    for name, value in out.items():
        parameter = declared.parameter(name)
        if parameter is None or not parameter.is_out or value is None:
            continue
        kind = "instance" if parameter.embedded is not None else parameter.type
        rendered.append(parameter_xml(name, kind + "[]" * parameter.is_array, value))
    return Reply([f"<VALUE>{code}</VALUE>".encode()], tuple(rendered))
