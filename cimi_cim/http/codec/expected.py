"""Which documents clients may send: the names of their roots, their rows, what they come to."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from cimi_cim.http.codec.decoding import Rows, can_be_given, rows_of
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import refuse
from cimi_cim.model.documents import ActionDocument, CreateDocument, MembershipDocument
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import (
    Access,
    Action,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    ResourceForm,
    ResourceType,
    Structure,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document should be: the names that its root may have, and its rows.

    The first name is the one that messages tell. `address` is the row that is the
    document's own URI, which is not read.
    """

    names: tuple[str, ...]
    rows: Rows
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """What a document that creates a resource in a Collection may be (DSP0263 5.5.12.1).

    Args:
        names: What its root may be called: the Create wrapper, or the type itself.
        direct: The rows that may stand beside a template.
        whole: The rows of a document that is the representation of the new resource.
        template: The row of the template; none where the type has none.
        item: The row that refers to what an enhanced Collection lists; a new resource may
            stand in its place. None for any other Collection.
    """

    names: tuple[str, ...]
    direct: Rows
    whole: Rows
    template: Rows = ()
    item: str | None = None

    def wanted(self, root: str | None, members: Container[str]) -> Wanted:
        """Return what a document should be whose root has this name, and these members."""
        is_wrapper = root is not None and root.endswith("Create")
        has_template = any(form.json_name in members for _, form in self.template)
        is_direct = has_template or (is_wrapper and bool(self.template))
        return Wanted(self.names, (self.direct if is_direct else self.whole) + self.template, "id")

    def document(self, found: dict[str, Value]) -> CreateDocument:
        """Return what a document comes to. Raises `BadRequest`."""
        templates = [found.pop(row.name, None) for row, _ in self.template]
        given = {row.name for row, _ in self.direct + self.whole if can_be_given(row)}
        values = {n: v for n, v in found.items() if n in given and v is not None}
        item = values.pop(self.item, None) if self.item is not None else None
        if isinstance(item, dict):  # a new resource, in this place
            templates += [item.pop(row.name, None) for row, _ in self.template]
            values = item | values
        elif item is not None:
            values[str(self.item)] = Ref(item.path, item.url)
            templates += [item]
        said = [template for template in templates if template is not None]
        if len(said) > 1:
            refuse(f"the document says twice what its {self.names[-1]} is to be")
        return CreateDocument(values, said[0] if said and said[0] is not item else None)


def resource_document(type_name: str, links: Links) -> Wanted:
    """Return what the document of a resource of a neutral type may have."""
    form = _form(type_name, links)
    return Wanted((form.type_name,), _rows(form), "id")


def creation(type_name: str, links: Links) -> Creation:
    """Return what a document that creates an item of a Collection of a neutral type may be.

    In 2.0 the new item of an enhanced Collection is the resource that it refers to, with
    accessory attributes; in 1.x it is the join itself.
    """
    resource, form = links.model[type_name], _form(type_name, links)
    row = resource.attributes.get(resource.refers_to or "")
    if row is None or links.version is CimiVersion.V1:
        template = _template(resource, links)
        wrapper_first = (f"{form.type_name}Create", form.type_name)
        names = wrapper_first if template else wrapper_first[::-1]
        return Creation(names, _common(form, links), _rows(form), template)
    made = creation(row.target or "", links)
    place = replace(
        row, kind=Kind.REF_OR_VALUE,
        structure=Structure(row.name, tuple(r for r, _ in made.whole + made.template)),
    )  # fmt: skip
    accessory = tuple((place if r is row else r, f) for r, f in _rows(form)
                      if (r, f) not in _common(form, links))  # fmt: skip
    return Creation(
        (f"{form.type_name}Create", form.type_name, *made.names),
        made.direct + accessory, made.whole + accessory, made.template, row.name,
    )  # fmt: skip


def action_document(action: Action, links: Links) -> Wanted:
    """Return what the Action document of an action may have (DSP0263 5.14.1.2 and others)."""
    names: list[tuple[str, Kind, str | None]] = [("action", Kind.URI, None)]
    names += [(p.name, p.kind, p.target) for p in action.parameters]
    return Wanted(("Action",), _rows_named(names, links) + _properties(links))


def checked_action(
    action: Action, values: dict[str, Value], version: CimiVersion
) -> ActionDocument:
    """Return the parameters, once `action` is the one that was posted to."""
    properties = _checked(action.name, values, version)
    return ActionDocument({n: v for n, v in values.items() if v is not None}, properties)


def membership_document(type_name: str, links: Links) -> Wanted:
    """Return what the Action document of insert and remove may have (DSP0263 5.5.12.2).

    The item is named after its type in lower camel case; in an enhanced Collection after
    the type of the resource that it refers to, and accessory attributes stand beside it.
    """
    form = _form(type_name, links)
    rows = _rows_named([("action", Kind.URI, None)], links) + _properties(links)
    if links.model[type_name].refers_to is None:
        return Wanted(("Action",), rows + _rows_named([(form.json_name, Kind.REF, "")], links))
    common = _common(form, links)
    return Wanted(("Action",), rows + tuple(pair for pair in _rows(form) if pair not in common))


def checked_membership(
    type_name: str, action: str, values: dict[str, Value], links: Links
) -> MembershipDocument:
    """Return what to insert or to remove, once `action` says so. Raises `BadRequest`."""
    properties = _checked(action, values, links.version)
    resource = links.model[type_name]
    name = resource.refers_to or _form(type_name, links).json_name
    item = values.pop(name, None)
    if item is None:
        refuse(f"the document names no {name}; it should have its href")
    fixed = {n for n, row in resource.attributes.items() if not can_be_given(row)}
    accessory = {n: v for n, v in values.items() if v is not None and n not in fixed}
    return MembershipDocument(item, accessory, properties)


def action_name(uri: object) -> str:
    """Return the name of an action: the end of its URI."""
    return str(uri).strip().rstrip("/").rpartition("/")[2]


def _checked(name: str, values: dict[str, Value], version: CimiVersion) -> dict[str, str]:
    """Take out `properties`, and `action`, which must be the one that is meant.

    In 1.x the last segment of the URI alone counts: its clients write what they like in
    front of it.
    """
    said, meant = values.pop("action", None), f"{version.namespace}/action/{name}"
    if said is None:
        refuse(f"the document has no action; it should be {meant}")
    is_meant = action_name(said) == name if version is CimiVersion.V1 else said == meant
    if not is_meant:
        refuse(f"the action is {str(said)[:80]!r}; what was posted to is {meant}")
    return values.pop("properties", None) or {}


def _form(type_name: str, links: Links) -> ResourceForm:
    form = links.model[type_name].form(links.version)
    if form is None:
        refuse(f"CIMI {links.version.specification} has no {type_name}")
    return form


def _rows(form: ResourceForm) -> Rows:
    return tuple(pair for pair in form.rows if pair is not None)


def _common(form: ResourceForm, links: Links) -> Rows:
    """Return the rows that every resource has (DSP0263 5.7.1)."""
    names = links.model.common_names
    return tuple((row, f) for row, f in _rows(form) if row.name in names)


def _properties(links: Links) -> Rows:
    return rows_of((links.model["Machine"].attributes["properties"],), links.version)


def _template(resource: ResourceType, links: Links) -> Rows:
    """Return the row of the template that a type is made from, in the version."""
    name, target = resource.create_template_attribute, resource.create_template_type
    if name is None or target is None or links.model[target].form(links.version) is None:
        return ()
    return _rows_named([(name, Kind.REF_OR_VALUE, target)], links)


def _rows_named(said: Sequence[tuple[str, Kind, str | None]], links: Links) -> Rows:
    """Return rows that stand in no table but in requests; XML and JSON name them alike."""
    form = {name: AttributeForm(name, name) for name, _, _ in said}
    return tuple(
        (
            Attribute(name, kind, target=target, access=Access.CREATE_ONLY,
                      forms={links.version: form[name]}),
            form[name],
        )
        for name, kind, target in said
    )  # fmt: skip
