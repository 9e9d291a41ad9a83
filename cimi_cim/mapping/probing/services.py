"""Which services there are, with their methods and what their capabilities say."""

from __future__ import annotations

from cimi_cim.mapping.probing.asking import Asker
from cimi_cim.mapping.probing.facts import NamespaceFacts, Refusal, ServiceFacts
from cimi_cim.mapping.probing.words import words
from cimi_cim.schema.declarations import Schema
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

_ALWAYS = frozenset({"instanceid", "elementname", "description", "caption"})


def find_services(
    asker: Asker, namespace: NamespaceFacts, declared: Schema
) -> tuple[ServiceFacts, ...]:
    """Return the services that have an instance; `declared` are our own declarations."""
    via = next(iter(namespace.named(words()["capabilities"]["via"])), "")
    return tuple(_service(asker, path, declared, via) for path in _paths(asker, namespace))


def _paths(asker: Asker, namespace: NamespaceFacts) -> list[InstancePath]:
    """One instance of each class: of all services, else of each class called one."""
    every = asker.instances(words()["services"], namespace.name)
    found = [] if isinstance(every, Refusal) else [path for path, _ in every]
    if not found:
        for name in namespace.classes:
            if name.endswith(words()["service_names"]):
                some = asker.instances(name, namespace.name)
                found += [] if isinstance(some, Refusal) else [path for path, _ in some]
    by_class = {path.classname: path for path in reversed(found)}
    return [by_class[name] for name in sorted(by_class)]


def _service(asker: Asker, path: InstancePath, declared: Schema, via: str) -> ServiceFacts:
    own = asker.declaration(path.classname, path.namespace)
    if not isinstance(own, Refusal):
        methods, who = [method.name for method in own.methods], "the server"
    elif declared.find(path.classname) is not None:
        lineage = declared.lineage(path.classname)
        methods = [method.name for cls in lineage for method in cls.methods]
        who = "our declarations"
    else:
        methods, who = [], "nobody"
    rule = words()["capabilities"]
    ends = asker.walk(path, via, rule["role"], rule["result"]) if via else Refusal("")
    said: dict[str, dict[str, CimValue]] = {}
    for end in [] if isinstance(ends, Refusal) else ends[:4]:
        whole = asker.whole(end)
        if not isinstance(whole, Refusal):
            said[end.classname] = _what_it_says(whole)
    return ServiceFacts(path.classname, tuple(sorted(set(methods))), who, said)


def _what_it_says(instance: EmbeddedInstance) -> dict[str, CimValue]:
    return {
        name: value
        for name, value in instance.values.items()
        if value is not None and value != () and name.lower() not in _ALWAYS
    }
