"""An explanation as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimi_cim.http.codec import json_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.explanations import (
    ExplainedAttribute,
    ExplainedJob,
    ExplainedOperation,
    ExplainedPlan,
    ExplainedResource,
    Explanation,
)
from cimi_cim.model.resources import Resource


def document_of(explanation: Explanation, links: Links) -> dict[str, Any]:
    """Return the parts of the document that tell how an answer comes about."""
    operations = explanation.operations
    return {
        "elapsedMs": explanation.elapsed_ms,
        "plans": [_plan(plan) for plan in explanation.plans],
        "operations": [_operation(one) for one in operations if one.is_sent],
        "calls": [_call(one) for one in operations if not one.is_sent],
        "jobs": [_job(job) for job in explanation.jobs],
        "store": list(explanation.stored),
        "resources": [_resource(one, links) for one in explanation.resources],
    }


def _plan(plan: ExplainedPlan) -> dict[str, Any]:
    said: dict[str, Any] = {
        "server": plan.server,
        "mapping": plan.mapping,
        "layers": list(plan.layers),
        "type": plan.type,
        "mode": plan.mode,
    }
    if plan.start:
        said["start"] = plan.start
    if plan.rows is not None:
        said |= {"rows": plan.rows, "resources": plan.made}
    said["relations"] = [
        {
            "alias": relation.alias,
            "class": relation.classname,
            "properties": list(relation.properties),
            "way": relation.way,
            "why": relation.why,
        }
        for relation in plan.relations
    ]
    return said


def _operation(told: ExplainedOperation) -> dict[str, Any]:
    said: dict[str, Any] = {"server": told.server, "operation": told.name, "on": told.on}
    if told.reads:
        said["reads"] = list(told.reads)
    if told.properties is not None:
        said["properties"] = list(told.properties)
    if told.filters:
        said["filters"] = dict(told.filters)
    said |= {
        "beganMs": told.began_ms,
        "elapsedMs": told.elapsed_ms,
        "messages": dict(told.messages),
        "sentBytes": told.sent_bytes,
        "receivedBytes": told.received_bytes,
    }
    if told.rows is not None:
        said["rows"] = told.rows
    if told.error is not None:
        said["error"] = told.error
    return said


def _call(told: ExplainedOperation) -> dict[str, Any]:
    name = told.filters.get("Method", told.name)
    return {
        "server": told.server,
        "method": name,
        "on": told.on,
        "parameters": dict(told.parameters),
    }


def _job(job: ExplainedJob) -> dict[str, Any]:
    said: dict[str, Any] = {
        "action": job.action,
        "target": job.target,
        "intents": [
            {
                "key": intent.key,
                "server": intent.server,
                "method": intent.method,
                "on": intent.on,
                **({"token": intent.token} if intent.token is not None else {}),
                **({"before": intent.before} if intent.before else {}),
            }
            for intent in job.intents
        ],
    }
    if job.undo:
        said["undo"] = list(job.undo)
    if job.nested:
        said["nested"] = [_job(inner) for inner in job.nested]
    if job.then:
        said["then"] = list(job.then)
    if job.error is not None:
        said["error"] = job.error
    return said


def _resource(told: ExplainedResource, links: Links) -> dict[str, Any]:
    form = links.model[told.type].form(links.version)
    rows = {pair[0].name: pair[1].json_name for pair in form.rows if pair} if form else {}
    values = {name: a.value for name, a in told.attributes.items() if a.value is not None}
    served = json_codec.as_object(Resource(told.type, told.path, values), links)
    said: dict[str, Any] = {"id": links.href(told.path), "type": told.type}
    if told.server:
        said["server"] = told.server
    in_order = [name for name in rows if name in told.attributes]
    said["attributes"] = {
        rows[name]: _attribute(told.attributes[name], served, rows[name]) for name in in_order
    }
    if told.absent:
        said["absent"] = {rows[name]: why for name, why in told.absent.items()}
    if told.operations:
        said["operations"] = dict(told.operations)
    return said


def _attribute(
    told: ExplainedAttribute, served: Mapping[str, Any], wire_name: str
) -> dict[str, Any]:
    said: dict[str, Any] = {"source": told.source}
    if told.where:
        said["where"] = told.where
    if told.reads:
        said["reads"] = [
            {"property": read.property, "instance": read.instance, "value": read.value}
            for read in told.reads
        ]
    if told.steps:
        said["steps"] = [
            {"kind": step.kind, "said": step.said, "value": step.value} for step in told.steps
        ]
    if wire_name in served:
        said["value"] = served[wire_name]
    return said
