"""Method calls: found, checked, counted, handed to the service, and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pywbem import (
    CIM_ERR_INVALID_NAMESPACE,
    CIM_ERR_METHOD_NOT_AVAILABLE,
    CIM_ERR_METHOD_NOT_FOUND,
    CIM_ERR_NOT_FOUND,
)

from cimi_cim.lab.backend import CimError, MethodCall, Reply
from cimi_cim.lab.instance_xml import parameter_xml
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.ledger import CallRecord, Ledger
from cimi_cim.lab.outcomes import Declined, Refusal, Result, return_code
from cimi_cim.lab.parameters import Parameters, read_parameters
from cimi_cim.lab.platform import Platform
from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.values import CimValue, InstancePath

Handler: TypeAlias = Callable[[Instance, Parameters], Result]
Handlers: TypeAlias = Mapping[tuple[str, str], Handler]
"""By class, without the vendor's prefix, and method."""


class Methods:
    """Answers method calls, one after the other."""

    def __init__(self, platform: Platform, ledger: Ledger, handlers: Handlers) -> None:
        self._platform = platform
        self._repository = platform.repository
        self._prefix = platform.personality.prefix
        self._namespaces = {
            platform.personality.implementation.lower(), platform.personality.interop.lower(),
        }  # fmt: skip
        self._ledger = ledger
        self._handlers = handlers

    def answer(self, call: MethodCall) -> Reply:
        """Return the reply to a method call. Raises `CimError`."""
        with self._repository.lock:
            self._platform.works.settle()
            declared = self._declared(call)
            name = call.method if declared is None else declared.name
            record = self._ledger.open(call, name, self._platform.clock())
            try:
                reply = self._answer(call, declared, record)
                record.was_answered = True
                return reply
            except CimError as error:
                record.status, record.was_answered = error.code, True
                raise
            finally:
                self._ledger.close(record)

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


def _reply(declared: MethodDeclaration, code: int, out: Mapping[str, CimValue]) -> Reply:
    rendered = []
    for name, value in out.items():
        parameter = declared.parameter(name)
        if parameter is None or not parameter.is_out or value is None:
            continue
        kind = "instance" if parameter.embedded is not None else parameter.type
        rendered.append(parameter_xml(name, kind + "[]" * parameter.is_array, value))
    return Reply([f"<VALUE>{code}</VALUE>".encode()], tuple(rendered))
