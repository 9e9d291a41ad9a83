"""Documents that create, as a client would write them; the codec only reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lxml import etree

from cimi_cim.http.codec import json_codec, xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.model.types import ResourceType


def json_body(type_name: str, document: CreateDocument, links: Links) -> bytes:
    """Return the JSON of a document that creates a resource of the type."""
    resource = links.model[type_name]
    body = _members(type_name, document.values, links)
    body["resourceURI"] = f"{links.version.namespace}/{_root(resource, links)}"
    template, name = document.template, resource.create_template_attribute
    if template is not None and name is not None:
        said = template.values if isinstance(template, Ref) else template
        inside = _members(str(resource.create_template_type), said, links)
        href = {"href": links.of(template)} if isinstance(template, Ref) else {}
        body[name] = href | inside
    return json.dumps(body).encode()


def xml_body(type_name: str, document: CreateDocument, links: Links) -> bytes:
    """Return the XML of a document that creates a resource of the type."""
    resource, namespace = links.model[type_name], links.version.namespace
    root = etree.Element(f"{{{namespace}}}{_root(resource, links)}", nsmap={None: namespace})  # type: ignore[dict-item]
    root.extend(_elements(type_name, document.values, links))
    template, name = document.template, resource.create_template_attribute
    if template is not None and name is not None:
        element = etree.SubElement(root, f"{{{namespace}}}{name}")
        if isinstance(template, Ref):
            element.set("href", links.of(template))
        said = template.values if isinstance(template, Ref) else template
        element.extend(_elements(str(resource.create_template_type), said, links))
    return etree.tostring(root)


def _root(resource: ResourceType, links: Links) -> str:
    form = resource.form(links.version)
    assert form is not None
    wrapper = "Create" if resource.create_template_attribute else ""
    return f"{form.type_name}{wrapper}"


def _members(type_name: str, values: Mapping[str, Value], links: Links) -> dict[str, Any]:
    resource = Resource(type_name, "", {n: v for n, v in values.items() if v is not None})
    body: dict[str, Any] = json.loads(json_codec.encode(resource, links))
    del body["resourceURI"], body["id"]
    return body | {n: None for n in _erased(type_name, values, links, "json_name")}


def _elements(type_name: str, values: Mapping[str, Value], links: Links) -> list[Any]:
    resource = Resource(type_name, "", {n: v for n, v in values.items() if v is not None})
    root = etree.fromstring(xml_codec.encode(resource, links))
    found = [child for child in root if etree.QName(child).localname != "id"]
    empty = _erased(type_name, values, links, "xml_name")
    return found + [etree.Element(f"{{{links.version.namespace}}}{name}") for name in empty]


def _erased(type_name: str, values: Mapping[str, Value], links: Links, name: str) -> list[str]:
    """Return what the version calls the attributes that are None."""
    rows = links.model[type_name].attributes
    return [getattr(rows[n].form(links.version), name) for n, v in values.items() if v is None]
