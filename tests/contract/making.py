"""Makes resources of every type that the store keeps, as a client would: by `add`.

A sample has a value for every attribute that a consumer may give; the tables say which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cimi_cim.model.types import Access, Attribute, CimiVersion, Home, Kind
from tests.contract.provider import MODEL, Answer, Provider, operation
from tests.contract.values import items

Document = dict[str, Any]
COMMON = MODEL.common_names
GIVEN = {"name": "mine", "description": "a sample", "properties": {"colour": "red", "Colour": "x"}}
TEXTS = {
    "userData": "aGVsbG8=",
    "address": "00:16:3e:00:00:01",
    "parameters": {"speed": "1000", "mtu": "1500"},
    "component": "credentialTemplate",
}


JOINS = {"machines": "Machine", "volumes": "Volume", "networks": "Network", "systems": "System",
         "credentials": "Credential", "networkPorts": "NetworkPort", "addresses": "Address",
         "forwardingGroups": "ForwardingGroup"}  # fmt: skip
MEMBERS = {"machines": "Machine", "volumes": "Volume", "networks": "Network",
           "credentials": "Credential"}  # fmt: skip


def creatable(version: CimiVersion) -> list[str]:
    """The types with a Collection in the CloudEntryPoint that takes `add`."""
    return [
        name
        for name, type in MODEL.types.items()
        if type.home is Home.STORE
        and "add" in type.collection_operations
        and (form := type.form(version)) is not None
        and form.cep_attribute is not None
    ]


EVERY = [(name, version) for version in CimiVersion for name in creatable(version)]


def named(pair: Any) -> str:
    """The id of a parameter that is a type or a version."""
    return f"{pair.value}.x" if isinstance(pair, CimiVersion) else str(pair)


@dataclass
class Maker:
    """Makes resources in one version of a provider; one example of each type is kept."""

    provider: Provider
    version: CimiVersion
    examples: dict[str, str | None] = field(default_factory=dict)

    def collection(self, type_name: str) -> str:
        """The Collection of the CloudEntryPoint for a type."""
        form = MODEL[type_name].form(self.version)
        assert form is not None
        assert form.cep_attribute is not None
        return self.provider.collection(form.cep_attribute, self.version)

    def add_uri(self, type_name: str) -> str:
        """Where the Collection says that new resources are asked for."""
        href = operation(self.provider.get(self.collection(type_name)), "add")
        assert href is not None, f"{type_name} cannot be added"
        return href

    def add(self, type_name: str, document: Any) -> Answer:
        """Ask for a new resource."""
        return self.provider.send("POST", self.add_uri(type_name), document)

    def make(self, type_name: str, **attributes: Any) -> Document:
        """Make a sample with attributes of its own; return its representation.

        Where there is a template, the attributes are the template's.
        """
        answer = self.add(type_name, self.document(type_name, **attributes))
        assert answer.status == 201, (type_name, answer.body)
        return self.provider.get(answer.headers["location"])

    def document(self, type_name: str, **attributes: Any) -> Document:
        """A document that creates a sample, its template by value."""
        template = MODEL[type_name].create_template_attribute
        name = type_name if template is None else f"{type_name}Create"
        uri = {"resourceURI": f"{self.version.namespace}/{name}"}
        if template is None:
            return {**uri, **GIVEN, **self.sample(type_name), **attributes}
        inside = {**self.sample(template[0].upper() + template[1:]), **attributes}
        return {**uri, **GIVEN, template: inside}

    def sample(self, type_name: str) -> Document:
        """A value for each attribute of a type's own that a consumer may give."""
        rows = [row for row in MODEL[type_name].attributes.values() if row.name not in COMMON]
        return self._values(rows, 0)

    def example(self, type_name: str) -> str | None:
        """The URI of some resource of a type, made if there is none; None if it cannot be."""
        if type_name not in self.examples:
            self.examples[type_name] = None  # what would need itself goes without
            form = MODEL[type_name].form(self.version)
            if form is None or form.cep_attribute is None:
                return None
            if type_name in creatable(self.version):
                self.examples[type_name] = str(self.make(type_name)["id"])
            else:
                found = items(self.provider.get(self.collection(type_name)))
                self.examples[type_name] = str(found[0]["id"]) if found else None
        return self.examples[type_name]

    def populate(self) -> None:
        """Make an example of every type, and put some into a System."""
        for type_name in creatable(self.version):
            assert self.example(type_name) is not None, type_name
        system = self.provider.get(str(self.example("System")))
        if self.version is CimiVersion.V1:
            for attribute, name in JOINS.items():
                add = operation(self.provider.get(system[attribute]["href"]), "add")
                item = {"href": self.example(MODEL[name].name)}
                reference = name[0].lower() + name[1:]
                answer = self.provider.send("POST", str(add), {reference: item})
                assert answer.status == 201, (attribute, answer.body)
            return
        for attribute, name in MEMBERS.items():
            collection = self.provider.get(system[attribute]["href"])
            answer = self.insert(collection, str(self.example(name)))
            assert answer.status == 200, (attribute, answer.body)
        services = operation(self.provider.get(system["services"]["href"]), "add")
        kind = f"{self.version.namespace}/SystemService/disasterrecovery"
        document = {"name": "recovery", "serviceType": kind, "parameters": {"site": "elsewhere"}}
        assert self.provider.send("POST", str(services), document).status == 201

    def insert(self, collection: Document, item: str, name: str = "insert") -> Answer:
        """Ask a Collection to list a resource, or (`remove`) not to list it any more."""
        item_type = str(collection["resourceURI"]).rpartition("/")[2].removesuffix("Collection")
        reference = item_type[0].lower() + item_type[1:]
        document = {
            "resourceURI": f"{self.version.namespace}/Action",
            "action": f"{self.version.namespace}/action/{name}",
            reference: {"href": item},
        }
        href = operation(collection, name)
        assert href is not None, f"{collection['id']} does not offer {name}"
        return self.provider.send("POST", href, document)

    def _values(self, rows: Iterable[Attribute], depth: int) -> Document:
        found = {}
        for row in rows:
            form = row.form(self.version)
            if form is None or row.access is Access.READ_ONLY or row.kind is Kind.COLLECTION:
                continue
            if row.choice is not None and row.name != TEXTS["component"]:
                continue
            value = self._value(row, depth)
            if value is None:
                continue
            if form.is_merged:
                found.update(value)
            else:
                found[form.json_name] = [value] if row.is_array else value
        return found

    def _value(self, row: Attribute, depth: int) -> Any:
        namespace = self.version.namespace
        if row.kind is Kind.REF:
            href = self.example(row.target or "Machine")
            return {"href": href} if href else None
        if row.kind is Kind.REF_OR_VALUE:
            own = [r for r in MODEL[str(row.target)].attributes.values() if r.name not in COMMON]
            return self._values(own, depth + 1) or None if depth < 3 else None
        if row.kind is Kind.STRUCT:
            return self._values(row.fields, depth + 1)
        if row.name == "serviceType":
            return f"{namespace}/SystemService/disasterrecovery"
        if row.name == "associatedResources" and depth > 0:
            return None  # inside of a template it is for whatever the Meter measures
        if row.kind is Kind.URI and row.is_cimi_uri:
            type_name = "Credential" if row.name == "type" else "Machine"
            first = row.values[0] if row.values else f"{CimiVersion.V2.namespace}/{type_name}"
            return first.replace(CimiVersion.V2.namespace, namespace)
        if row.name in TEXTS and row.kind in (Kind.STRING, Kind.MAP):
            return TEXTS[row.name]
        plain: dict[Kind, Any] = {
            Kind.STRING: row.values[0] if row.values else f"{row.name} of it",
            Kind.INTEGER: 7,
            Kind.BOOLEAN: True,
            Kind.DATETIME: "2030-01-31T12:00:00+01:00",
            Kind.DURATION: "PT1H",
            Kind.URI: "http://elsewhere.example/thing",
            Kind.BYTES: "0a0b",
            Kind.MAP: {"key": "value", "Key": "other"},
        }
        return plain.get(row.kind)
