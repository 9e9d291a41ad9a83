"""Reads XML documents of CIMI (DSP0263 5.5; DSP8009 for 1.x), from the model tables alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lxml import etree

from cimi_cim.http.codec.decoding import (
    Rows,
    ignoring_what_is_fixed,
    inlined,
    reference,
    rows_at_the_other_end,
    rows_of,
    scalar,
    unknown,
    untyped,
)
from cimi_cim.http.codec.document import UNKNOWN
from cimi_cim.http.codec.expected import (
    Wanted,
    action_document,
    action_name,
    checked_action,
    checked_membership,
    creation,
    membership_document,
    resource_document,
)
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import read_xml, refuse
from cimi_cim.model.documents import ActionDocument, CreateDocument, MembershipDocument
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import (
    Action,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    XmlShape,
)

_OPERATIONS = ("operations", "operation")
_LINKS = (Kind.REF, Kind.COLLECTION, Kind.REF_OR_VALUE)


def decode(body: bytes, type_name: str, links: Links) -> dict[str, Value]:
    """Return the attributes in the document of a resource of a neutral type.

    As `json_decoder.decode`; an empty element is None. Of what has no rows (ANY) XML does not
    tell the types: what reads like an integer or a boolean is one, elements called item are
    a list, other elements a mapping.
    """
    return _document(read_xml(body), resource_document(type_name, links), _Reader(links))


def decode_create(body: bytes, type_name: str, links: Links) -> CreateDocument:
    """Return what a document creates, as `json_decoder.decode_create`."""
    root, expected = read_xml(body), creation(type_name, links)
    members = {etree.QName(child).localname for child in root}
    wanted = expected.wanted(etree.QName(root).localname, members)
    return expected.document(_document(root, wanted, _Reader(links, reads_copies=True)))


def action_in(body: bytes) -> str | None:
    """Return the name of the action that a document asks for, as `json_decoder.action_in`."""
    root = read_xml(body)
    if etree.QName(root).localname != "Action":
        return None
    return next((action_name(child.text or "") for child in root
                 if etree.QName(child).localname == "action"), "")  # fmt: skip


def decode_membership(body: bytes, type_name: str, action: str, links: Links) -> MembershipDocument:
    """Return what to insert or to remove, as `json_decoder.decode_membership`."""
    values = _document(read_xml(body), membership_document(type_name, links), _Reader(links))
    return checked_membership(type_name, action, values, links)


def decode_action(body: bytes, action: Action, links: Links) -> ActionDocument:
    """Return what an Action document says. Raises `BadRequest` with the place."""
    values = _document(read_xml(body), action_document(action, links), _Reader(links))
    return checked_action(action, values, links.version)


def _document(root: Any, wanted: Wanted, reader: _Reader) -> dict[str, Value]:
    name = reader.local_name(root, "")
    if name not in wanted.names:
        refuse(f"the document is a {name[:60]}; what belongs here is a {wanted.names[0]}")
    node = _Node(root, "", reader)
    for operations in _OPERATIONS:
        node.children.pop(operations, None)
    node.attributes.pop("resourceURI", None)
    found = reader.rows(node, wanted.rows)
    node.must_be_read(wanted.rows)
    found.pop(wanted.address or "", None)
    return found


class _Node:
    """An element while it is read: what has been read is taken out."""

    def __init__(self, element: Any, where: str, reader: _Reader) -> None:
        self.element = element
        self.where = where
        self.children: dict[str, list[Any]] = {}
        for child in element:
            self.children.setdefault(reader.local_name(child, where), []).append(child)
        # What has a namespace of its own (xsi:schemaLocation) is not of CIMI.
        self.attributes = {n: v for n, v in element.attrib.items() if not n.startswith("{")}
        self.text: str | None = self._own_text()

    def _own_text(self) -> str | None:
        pieces = [self.element.text, *(child.tail for child in self.element)]
        text = "".join(piece for piece in pieces if piece)
        return text or None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is in the element."""
        return not (self.children or self.attributes or self.text)

    def place(self, name: str) -> str:
        """Return where the child `name` stands."""
        return f"{self.where}.{name}" if self.where else name

    def one(self, name: str) -> Any:
        """Take the only child of a name, None if there is none."""
        found = self.children.pop(name, [])
        if len(found) > 1:
            refuse(f"{self.place(name)} stands twice, at line {found[1].sourceline}")
        return found[0] if found else None

    def must_be_read(self, rows: Rows) -> None:
        """Refuse what is left: elements, attributes and text that no row accounts for."""
        for name in (*self.children, *self.attributes):
            unknown(name, self.where, [form.xml_name for _, form in rows])
        if self.text is not None and self.text.strip():
            refuse(f"{self.where or 'the document'} holds the text {self.text.strip()[:40]!r}"
                   " where only elements belong")  # fmt: skip


class _Reader:
    """Reads values by rows; `reads_copies` as in `json_decoder`."""

    def __init__(self, links: Links, *, reads_copies: bool = False) -> None:
        self._links = links
        self._reads_copies = reads_copies

    def local_name(self, element: Any, where: str) -> str:
        """Return the name of an element of CIMI.

        It may be in no namespace at all: clients of 1.x leave it out, and the standard
        itself prints a document so (4.2.1.3.1).
        """
        name, wanted = etree.QName(element), self._links.version.namespace
        if name.namespace and name.namespace != wanted:
            place = f"{where}: " if where else ""
            refuse(
                f"{place}{name.localname[:60]} is in the namespace {name.namespace[:100]},"
                f" not in {wanted}, at line {element.sourceline}"
            )
        return str(name.localname)

    def rows(self, node: _Node, rows: Rows, *, erases: bool = False) -> dict[str, Value]:
        """Take the values of the rows out of a node.

        An empty element is None; in the place of a reference it stands for a value that says
        nothing, unless it erases one (4.2.1.1).
        """
        found: dict[str, Value] = {}
        for name in {form.xml_within for _, form in rows if form.xml_within is not None}:
            carrier = node.one(name)
            if carrier is not None:
                inner = tuple(
                    (row, replace(form, xml_within=None))
                    for row, form in rows if form.xml_within == name
                )  # fmt: skip
                inside = _Node(carrier, node.place(name), self)
                found |= self.rows(inside, inner)
                inside.must_be_read(inner)
        merged = [(row, form) for row, form in rows if form.is_merged]
        for row, form in rows:
            if form.xml_within is None and not form.is_merged:
                with ignoring_what_is_fixed(row, found):
                    self._take(node, row, form, rows, found)
                if row.kind is Kind.REF_OR_VALUE and not erases and row.name in found:
                    found[row.name] = _said(row, found[row.name])
        for row, _ in merged:  # last: theirs is what no other row took
            is_inline = row.kind is Kind.REF_OR_VALUE  # empty where there is nothing to show
            if is_inline or "href" in node.attributes or node.children:
                found[row.name] = self._reference(row, node)
        return found

    def _take(
        self, node: _Node, row: Attribute, form: AttributeForm, rows: Rows, found: dict[str, Value]
    ) -> None:
        shape = form.xml_shape
        if shape is XmlShape.ATTRIBUTE:
            if form.xml_name in node.attributes:
                text = node.attributes.pop(form.xml_name)
                found[row.name] = scalar(row, form, text, node.place(form.xml_name))
        elif shape is XmlShape.TEXT:
            if row.kind is Kind.ANY and node.children:  # a list is no text
                found[row.name] = self._any(node)
                node.children.clear()
            elif node.text is not None:
                found[row.name] = (
                    untyped(node.text)
                    if row.kind is Kind.ANY
                    else scalar(row, form, node.text, node.where)
                )
                node.text = None
        elif row.is_array or row.kind is Kind.MAP:
            self._take_items(node, row, form, rows, found)
        elif shape in (XmlShape.ELEMENT, XmlShape.ABSENT) and not self._is_list_of(
            node, form, rows
        ):
            child = node.one(form.xml_name)
            if child is not None:
                inside = _Node(child, node.place(form.xml_name), self)
                found[row.name] = None if inside.is_empty else self._value(row, form, inside)
                if form.is_mandatory_in_xml and found[row.name] == UNKNOWN:
                    del found[row.name]

    def _is_list_of(self, node: _Node, form: AttributeForm, rows: Rows) -> bool:
        """Whether the elements of a name are the items of the list that shares it."""
        return len(node.children.get(form.xml_name, ())) > 1 and any(
            other.xml_shape is XmlShape.REPEATED and other.xml_name == form.xml_name
            for _, other in rows
        )

    def _take_items(
        self, node: _Node, row: Attribute, form: AttributeForm, rows: Rows, found: dict[str, Value]
    ) -> None:
        item = form.xml_item or form.xml_name
        within, elements = node, list[Any]()
        if form.xml_shape is XmlShape.WRAPPED:
            wrapper = node.one(form.xml_name)
            if wrapper is not None:
                within = _Node(wrapper, node.place(form.xml_name), self)
                for name in _item_names(row, item):
                    elements += within.children.pop(name, [])
                within.must_be_read(((row, replace(form, xml_name=item)),))
                found[row.name] = None
        # 2.0 itself prints <property> without its wrapper in Collections.
        names = {other.xml_name for other_row, other in rows if other_row is not row}
        if within is node and (form.xml_shape is XmlShape.REPEATED or item not in names):
            elements = node.children.pop(item, [])
        if not elements:
            return
        place = within.place(item)
        nodes = [_Node(e, f"{place}[{i}]", self) for i, e in enumerate(elements)]
        if within is node and len(nodes) == 1 and nodes[0].is_empty:
            found[row.name] = None  # without a wrapper, this is how an empty list is said
        elif row.kind is Kind.MAP:
            found[row.name] = self._map(nodes)
        else:
            found[row.name] = [self._value(row, form, inside) for inside in nodes]

    def _map(self, nodes: list[_Node]) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in nodes:
            key = node.attributes.pop("key", None)
            if key is None:
                refuse(f"{node.where} has no key")
            if key in found:
                refuse(f"{node.where}: the key {key[:60]!r} stands twice")
            found[key], node.text = node.text or "", None
            node.must_be_read(())
        return found

    def _value(self, row: Attribute, form: AttributeForm, node: _Node) -> Value:
        """Return the value that an element is."""
        if row.kind in _LINKS:
            found: Value = self._reference(row, node)
        elif row.kind is Kind.STRUCT:
            found = self._structure(row, node)
        elif row.kind is Kind.VALUE_SCOPE:
            found = {}
            for name in list(node.children):
                inside = _Node(node.one(name), node.place(name), self)
                found[name] = self._structure(row, inside)
        elif row.kind is Kind.ANY:
            return self._any(node)
        else:
            found, node.text = scalar(row, form, self._text(row, node.text), node.where), None
        is_inline = row.kind is Kind.REF_OR_VALUE
        node.must_be_read(rows_at_the_other_end(row, self._links) if is_inline else ())
        return found

    def _text(self, row: Attribute, text: str | None) -> str:
        """A text as it is meant: clients of 1.x pad what they create as the standard prints it."""
        is_padded = self._reads_copies and self._links.version is CimiVersion.V1
        return (text or "").strip() if is_padded and row.kind is Kind.STRING else text or ""

    def _structure(self, row: Attribute, node: _Node) -> dict[str, Value]:
        rows = rows_of(row.fields, self._links.version)
        found = self.rows(node, rows)
        node.must_be_read(rows)
        return {name: value for name, value in found.items() if value is not None}

    def _reference(self, row: Attribute, node: _Node) -> Value:
        """An href, with what stands beside it; or the value in its place."""
        href = node.attributes.pop("href", None)
        if row.kind is not Kind.REF_OR_VALUE:
            if href is None:
                href, node.text = node.text, None
            if row.kind in _LINKS and not self._is_merged(row):
                node.children.clear()  # expansions are not read
            return reference(href, self._links, node.where)
        if href is not None and "id" in node.children and not self._reads_copies:
            node.children.clear()
            return reference(href, self._links, node.where)
        for operations in _OPERATIONS:
            node.children.pop(operations, None)
        rows = rows_at_the_other_end(row, self._links)
        erases = href is not None
        values = inlined(self.rows(node, rows, erases=erases), rows, erases=erases)
        return values if href is None else reference(href, self._links, node.where, values)

    def _is_merged(self, row: Attribute) -> bool:
        form = row.form(self._links.version)
        return form is not None and form.is_merged

    def _any(self, node: _Node) -> Value:
        """Read what has no rows, as `xml_codec` writes it (5.5.13)."""
        if "href" in node.attributes and not node.children:
            found: Ref = reference(node.attributes["href"], self._links, node.where)
            return found
        if not node.children:
            return untyped(node.text or "")
        if set(node.children) == {"item"}:
            return [self._any(_Node(c, node.place("item"), self)) for c in node.children["item"]]
        return {
            name: self._any(_Node(node.one(name), node.place(name), self))
            for name in list(node.children)
        }


def _said(row: Attribute, value: Value) -> Value:
    """What an empty element says where a value could stand inline."""
    return {} if value is None and not row.is_array else value


def _item_names(row: Attribute, item: str) -> tuple[str, ...]:
    """Return what an item may be called: by its attribute, or by the letter of 5.5.11 its type."""
    target = row.target
    return (item, target, target[0].lower() + target[1:]) if target else (item,)
