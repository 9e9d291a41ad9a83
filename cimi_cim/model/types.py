"""The CIMI resource tables as frozen types: one row per attribute.

Both CIMI versions come from the same rows. A *neutral* resource type (`Machine`,
`NetworkInterface`, ...) has a form per version (`ResourceForm`): its wire name,
its collection, its place in the CloudEntryPoint. A row has a form per version too
(`AttributeForm`): a row without a form for a version is not served in it. Thus
`interfaces` of Machine is `networkInterfaces` in 1.x, and NetworkInterface is
`MachineNetworkInterface` there. Rows load from `data/*.yaml` (`load.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class CimiVersion(Enum):
    """The two families of CIMI that are served; the value is the path segment."""

    V1 = "1"
    V2 = "2"

    @property
    def namespace(self) -> str:
        """The XML namespace and base of type URIs, without a final slash."""
        return f"http://schemas.dmtf.org/cimi/{self.value}"

    @property
    def specification(self) -> str:
        """What `CIMI-Specification-Version` says: `1.0.1` or `2.0.0`."""
        return "2.0.0" if self is CimiVersion.V2 else "1.0.1"


class Kind(Enum):
    """What a value is. `BYTES` is hexadecimal text; `ANY` is whatever JSON can hold."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATETIME = "dateTime"
    DURATION = "duration"
    URI = "URI"
    BYTES = "byte[]"
    ANY = "any"
    MAP = "map"
    STRUCT = "struct"
    REF = "ref"
    REF_OR_VALUE = "ref-or-value"
    COLLECTION = "collection"


class Access(Enum):
    """What a consumer may do with an attribute."""

    READ_ONLY = "read-only"
    READ_WRITE = "read-write"
    CREATE_ONLY = "create-only"
    WRITE_ONLY = "write-only"


class XmlShape(Enum):
    """How a value stands in XML."""

    ELEMENT = "element"  # <memory>4</memory>, <machineImage href=""/>
    ATTRIBUTE = "attribute"  # an XML attribute of the enclosing element
    WRAPPED = "wrapped"  # <disks><disk/>...</disks>: array or map inside a wrapper
    REPEATED = "repeated"  # <disk/><disk/>: array or map without a wrapper
    TEXT = "text"  # the text of the enclosing element


@dataclass(frozen=True, slots=True)
class AttributeForm:
    """How one version writes an attribute.

    `xml_name` is the element (or XML attribute); `xml_item` the element of each item
    of an array or map; both None where the attribute does not appear in XML.
    `json_name` is the member name. `type_name` is the neutral type at the other end
    in this version where it differs (a join type of 1.x), else None.
    """

    json_name: str
    xml_name: str
    xml_shape: XmlShape = XmlShape.ELEMENT
    xml_item: str | None = None
    type_name: str | None = None
    is_mandatory_in_xml: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a resource table.

    Args:
        name: The neutral name: the 2.0 one, or the 1.x one where 2.0 has none.
        kind: What one value is; with `is_array`, what one item is.
        target: For REF, REF_OR_VALUE and COLLECTION the neutral type at the other end
            ("" for any type).
        fields: For STRUCT its rows, in order.
        unit: `kibibyte`, `kilobyte`, `megahertz`, `byte`, ... or None.
        values: The enumeration, empty if free; `is_open` if more values are allowed.
        minimum: 1 where the attribute is mandatory for a provider, else 0.
        is_composition: COLLECTION whose items are children of the owner.
        clause: Clause of DSP0263 2.0.0, or "1.x".
        forms: Per version; a missing version does not have the attribute.
    """

    name: str
    kind: Kind
    is_array: bool = False
    target: str | None = None
    fields: tuple[Attribute, ...] = ()
    unit: str | None = None
    values: tuple[str, ...] = ()
    is_open: bool = False
    access: Access = Access.READ_ONLY
    minimum: int = 0
    is_composition: bool = False
    doc: str = ""
    clause: str = ""
    forms: Mapping[CimiVersion, AttributeForm] = ()  # type: ignore[assignment]

    def form(self, version: CimiVersion) -> AttributeForm | None:
        """Return the form in `version`, None if that version lacks the attribute."""
        return self.forms.get(version)


@dataclass(frozen=True, slots=True)
class ActionParameter:
    """A parameter that stands beside `action` in an Action document."""

    name: str
    kind: Kind
    target: str | None = None
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """An operation of a resource beyond edit and delete (`start`, `capture`, ...).

    `from_states` is empty where any state will do. `versions` says who has it.
    `body` is "Action", or the type whose create document is sent (`MachineImage`).
    """

    name: str
    parameters: tuple[ActionParameter, ...] = ()
    from_states: tuple[str, ...] = ()
    transient_state: str | None = None
    target_state: str | None = None
    body: str = "Action"
    versions: frozenset[CimiVersion] = frozenset(CimiVersion)

    def rel(self, version: CimiVersion) -> str:
        """The URI in `rel` and in the Action document."""
        return f"{version.namespace}/action/{self.name}"


@dataclass(frozen=True, slots=True)
class ResourceForm:
    """A resource type in one version.

    `json_array` and `xml_wrapper` name the list inside its Collection document;
    `xml_wrapper` is None in 1.x, where items stand directly under <Collection>.
    `collection_segment` is the attribute of the CloudEntryPoint, or of the parent,
    that leads to it: also its path segment. None where there is no such collection.
    `attribute_order` are neutral attribute names in the order in which XML and JSON
    are written, `operations` included.
    """

    type_name: str
    json_name: str
    json_array: str
    xml_wrapper: str | None
    cep_attribute: str | None
    attribute_order: tuple[str, ...]
    has_common_attributes: bool = True
    has_operations: bool = True

    def type_uri(self, version: CimiVersion) -> str:
        """The `resourceURI` of one resource."""
        return f"{version.namespace}/{self.type_name}"

    def collection_uri(self, version: CimiVersion) -> str:
        """The `resourceURI` of a Collection of them."""
        return f"{version.namespace}/{self.type_name}Collection"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A neutral resource type: its rows (common attributes included) and its actions."""

    name: str
    clause: str
    attributes: Mapping[str, Attribute]
    actions: Mapping[str, Action]
    forms: Mapping[CimiVersion, ResourceForm]
    doc: str = ""
    parent: tuple[str, str] | None = None  # (neutral type, attribute) it is a child under
    crud: frozenset[str] = frozenset()  # of "read", "update", "delete"
    collection_operations: frozenset[str] = frozenset()  # of "add", "insert", "remove"
    create_template_attribute: str | None = None

    def form(self, version: CimiVersion) -> ResourceForm | None:
        """Return the form in `version`, None if that version lacks the type."""
        return self.forms.get(version)


@dataclass(frozen=True)
class Model:
    """All resource types by neutral name."""

    types: Mapping[str, ResourceType]

    def __getitem__(self, name: str) -> ResourceType:
        return self.types[name]
