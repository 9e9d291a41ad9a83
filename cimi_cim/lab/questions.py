"""Intrinsic calls as the questions of a tape."""

from __future__ import annotations

from typing import Any

from cimi_cim.lab.backend import IntrinsicCall
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import Question
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath

CLASSIC = {
    "OpenEnumerateInstances": "EnumerateInstances",
    "OpenEnumerateInstancePaths": "EnumerateInstanceNames",
    "OpenAssociatorInstances": "Associators",
    "OpenAssociatorInstancePaths": "AssociatorNames",
    "OpenReferenceInstances": "References",
    "OpenReferenceInstancePaths": "ReferenceNames",
    "OpenQueryInstances": "ExecQuery",
}
"""What answers the same as an Open... operation, at once."""

_OF_PULLS = {"MaxObjectCount", "OperationTimeout", "ContinueOnError"}
_RENAMED = {"FilterQuery": "Query", "FilterQueryLanguage": "QueryLanguage"}
_LINKS = ("References", "ReferenceNames")


def question_of(call: IntrinsicCall) -> Question:
    """Return what a call asks, apart from its property list and the like."""
    sent = call.parameters
    association, result = sent.get("AssocClass"), sent.get("ResultClass")
    if call.operation in _LINKS:
        association, result = result, None
    return Question(
        call.operation,
        call.namespace,
        _subject(sent, call.namespace),
        association,
        result,
        sent.get("Role"),
        sent.get("ResultRole"),
    )


def classic_call(call: IntrinsicCall) -> IntrinsicCall | None:
    """Return a call that finds the same, whole and at once; None for one that finds nothing."""
    operation = CLASSIC.get(call.operation, call.operation)
    sent = {_RENAMED.get(name, name): value for name, value in call.parameters.items()}
    is_filtered = "Query" in sent and operation != "ExecQuery"
    is_of_classes = isinstance(sent.get("ObjectName"), str)
    if is_filtered or is_of_classes or operation.startswith(("Pull", "CloseEnum")):
        return None
    whole = {n: value for n, value in sent.items() if n not in _OF_PULLS | {"PropertyList"}}
    return IntrinsicCall(operation, call.namespace, whole)


def _subject(sent: Any, namespace: str) -> str | TapePath:
    for name in ("ObjectName", "InstanceName"):
        path = sent.get(name)
        if isinstance(path, InstancePath):
            return _path(path, namespace)
        if isinstance(path, str):
            return path
    if isinstance(sent.get("NewInstance"), EmbeddedInstance):
        return str(sent["NewInstance"].classname)
    if isinstance(sent.get("ModifiedInstance"), tuple):
        return _path(sent["ModifiedInstance"][0], namespace)
    if "Query" in sent:
        return f"{sent.get('QueryLanguage')}: {sent['Query']}"
    if "FilterQuery" in sent:
        return f"{sent.get('FilterQueryLanguage')}: {sent['FilterQuery']}"
    return str(sent.get("ClassName") or sent.get("QualifierName") or "")


def _path(path: InstancePath, namespace: str) -> TapePath:
    found = TapePath.of_path(path)
    return found.name() if path.namespace == namespace else found
