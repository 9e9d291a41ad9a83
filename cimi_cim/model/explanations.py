"""An explanation as it is handed from what knows WBEM servers to what shows it: texts and values.

Values are plain: None, booleans, numbers, texts, lists, dicts by text. What a server calls
something stands in texts; nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cimi_cim.model.resources import Value


@dataclass(frozen=True, slots=True)
class ExplainedRelation:
    """How the rows of one alias of a mapping are found.

    Args:
        alias: Its name in the mapping.
        classname: The class that is asked for.
        properties: The wanted ones.
        way: How it is read.
        why: Why in this way; what the mapping says.
    """

    alias: str
    classname: str
    properties: Sequence[str]
    way: str
    why: str


@dataclass(frozen=True, slots=True)
class ExplainedPlan:
    """What was read for one type of resource on one server.

    Args:
        server: Alias of the target.
        mapping: Its mapping.
        layers: The mappings that this one is made of, the base first.
        type: The type of resource, neutral.
        mode: batch (whole classes) or single (from one instance).
        start: The instance a single one starts from, "" for none.
        relations: In the order in which they are established.
        rows: How many candidates for resources there were, None if it failed before.
        made: How many of them became resources.
    """

    server: str
    mapping: str
    layers: Sequence[str]
    type: str
    mode: str
    start: str
    relations: Sequence[ExplainedRelation]
    rows: int | None = None
    made: int = 0


@dataclass(frozen=True, slots=True)
class ExplainedOperation:
    """One operation on a server; times are milliseconds, `began_ms` of the request's beginning.

    `rows` is None where nothing came back, `error` where it did not fail. `is_sent` is False
    for what would change something, where the request is only explained; `parameters` are
    what it is sent with, `returned` what it answered. `reads` are the aliases whose rows it
    reads, as far as the plans tell.
    """

    server: str
    name: str
    on: str
    began_ms: float
    elapsed_ms: float
    messages: Mapping[str, int]
    sent_bytes: int
    received_bytes: int
    properties: Sequence[str] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    error: str | None = None
    is_sent: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    returned: Any = None
    reads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ExplainedRead:
    """A raw value: `alias.Property` of which instance; None where it has none."""

    property: str
    instance: str
    value: Any


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step from raw values to the value: what was done, and what came of it."""

    kind: str
    said: str
    value: Any


@dataclass(frozen=True, slots=True)
class ExplainedAttribute:
    """Where one attribute of a resource comes from.

    Args:
        name: Neutral name.
        source: server, const, reference, child, store, job or computed.
        value: As it is served; None where the resource does not have it.
        where: The place in the mapping, `FILE:LINE`; "" for none.
        reads: The raw values that were looked at, in this order.
        steps: From these to the value.
    """

    name: str
    source: str
    value: Value
    where: str = ""
    reads: Sequence[ExplainedRead] = ()
    steps: Sequence[ExplainedStep] = ()


@dataclass(frozen=True, slots=True)
class ExplainedResource:
    """One resource that was served; `server` is "" where none has it.

    `operations` are the actions that its mapping has, each with why it is offered or not;
    `absent` the attributes that it could have by its type, each with why it does not.
    """

    type: str
    path: str
    server: str
    attributes: Mapping[str, ExplainedAttribute]
    operations: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExplainedIntent:
    """A call that a Job would write down before it sends it.

    `token` is what the new instance would carry, None for none; `before` says how many
    instances there are, where only that tells the new one.
    """

    key: str
    server: str
    method: str
    on: str
    token: str | None = None
    before: int = 0


@dataclass(slots=True)
class ExplainedJob:
    """A Job that the request would begin, as far as it can be told without carrying it out.

    Args:
        kind: Of its body.
        action: What it does.
        target: The neutral path that it is about.
        intents: The calls, in order.
        undo: What it would do if it failed or were stopped, the last one first.
        nested: Jobs within it.
        then: What comes next, and cannot be told yet.
        error: Why it would fail at once, None if it would not.
    """

    kind: str
    action: str
    target: str
    intents: list[ExplainedIntent] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    nested: list[ExplainedJob] = field(default_factory=list)
    then: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a request is, or would be, answered.

    `stored` tells what the bridge would keep otherwise, a line each; `elapsed_ms` is the time
    it took.
    """

    plans: Sequence[ExplainedPlan]
    operations: Sequence[ExplainedOperation]
    resources: Sequence[ExplainedResource]
    jobs: Sequence[ExplainedJob] = ()
    stored: Sequence[str] = ()
    elapsed_ms: float = 0.0
