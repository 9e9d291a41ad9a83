"""The CIMI resource tables as frozen types: one row per attribute.

Both CIMI versions come from the same rows. A *neutral* resource type (`Machine`,
`NetworkInterface`, ...) has a form per version (`ResourceForm`): its wire name,
its collection, its place in the CloudEntryPoint. A row has a form per version too
(`AttributeForm`): a row without a form for a version is not served in it. Thus
`interfaces` of Machine is `networkInterfaces` in 1.x, and NetworkInterface is
`MachineNetworkInterface` there. Rows load from `data/*.yaml` (`load.py`); how one
reads is told in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

UNITS = frozenset({
    "bit per second", "byte", "count", "kibibyte", "kilobyte", "megahertz", "millisecond",
    "minute", "percent", "second",
})  # fmt: skip
"""What a quantity may count (DSP0263 5.6, and the words of the tables)."""

Default: TypeAlias = str | int | bool | None
"""What an absent value stands for."""


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
    """What a value is.

    `BYTES` is hexadecimal text; `ANY` is whatever JSON can hold; `VALUE_SCOPE` maps names
    of attributes to structures that say which values are allowed (DSP0263 5.5.14).
    """

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATETIME = "dateTime"
    DURATION = "duration"
    URI = "URI"
    BYTES = "byte[]"
    ANY = "any"
    MAP = "map"
    VALUE_SCOPE = "valueScope"
    STRUCT = "struct"
    REF = "ref"
    REF_OR_VALUE = "ref-or-value"
    COLLECTION = "collection"


class Home(Enum):
    """Where the resources of a type are."""

    COMPUTED = "computed"  # nowhere: the bridge itself, made anew for each answer
    PROVIDER = "provider"  # in WBEM servers alone
    STORE = "store"  # in the bridge's store, unless a mapping finds them in WBEM servers


class Access(Enum):
    """What a consumer may do with an attribute."""

    READ_ONLY = "read-only"
    READ_WRITE = "read-write"
    CREATE_ONLY = "create-only"
    WRITE_ONLY = "write-only"  # a secret: never returned, never logged


class XmlShape(Enum):
    """How a value stands in XML."""

    ELEMENT = "element"  # <memory>4</memory>, <machineImage href=""/>
    ATTRIBUTE = "attribute"  # an XML attribute of the enclosing element
    WRAPPED = "wrapped"  # <disks><disk/>...</disks>: array or map inside a wrapper
    REPEATED = "repeated"  # <disk/><disk/>: array or map without a wrapper
    TEXT = "text"  # the text of the enclosing element
    ABSENT = "absent"  # the schema of this version has no place for it; JSON has


@dataclass(frozen=True, slots=True)
class AttributeForm:
    """How one version writes an attribute.

    Args:
        json_name: The member name.
        xml_name: The element, the XML attribute, or the wrapper.
        xml_shape: Where in XML it stands.
        xml_item: The element of each item of an array or map, else None.
        type_name: The neutral type at the other end where this version refers to another
            one than the row says (a join type of 1.x), else None.
        is_mandatory_in_xml: The schema wants the element even when there is no value.
        xml_within: The child element of the resource that carries it, where it does not
            stand in the resource itself (`sample` of a 1.x Sample).
        is_merged: The reference has no member of its own: its href and inlined attributes
            stand in the enclosing structure (`<volume href="" initialLocation=""/>`).
        words: Neutral value -> the word of this version, where they differ.
    """

    json_name: str
    xml_name: str
    xml_shape: XmlShape = XmlShape.ELEMENT
    xml_item: str | None = None
    type_name: str | None = None
    is_mandatory_in_xml: bool = False
    xml_within: str | None = None
    is_merged: bool = False
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure: rows without an address of their own (DSP0263 5.5.8).

    Args:
        name: What the standard calls it: the item element of its arrays in XML.
        rows: Its attributes, in the order in which both versions write them.
        clause: Clause of DSP0263 2.0.0, or "1.x".
        doc: What it is, in a sentence.
    """

    name: str
    rows: tuple[Attribute, ...]
    clause: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a resource table.

    The four constraints of DSP0263 5.3 are `is_provider_mandatory`,
    `is_consumer_mandatory`, `is_mutable` and, derived, `is_consumer_writable`; where the
    standard states none, they have its defaults. What a provider really does is in its
    ResourceMetadata.

    Args:
        name: The neutral name: the 2.0 one, or the 1.x one where 2.0 has none.
        kind: What one value is; with `is_array`, what one item is.
        target: For REF, REF_OR_VALUE and COLLECTION the neutral type at the other end
            ("" for any type).
        structure: For STRUCT its rows; for VALUE_SCOPE those of one scope.
        unit: One of `UNITS`, or None.
        values: The enumeration, empty if free; `is_open` if more values are allowed.
        default: What an absent value means, None if nothing.
        initial: What a new resource of the store has, where its template says nothing.
        access: What a consumer may do with it.
        minimum: 1 where every complete representation has it, else 0.
        is_composition: COLLECTION whose items are children of the owner (5.10.2).
        is_cimi_uri: The value is, or may be, a URI under the namespace of the version.
        choice: Rows of one structure with the same word here exclude each other: exactly
            one of them is present.
        keys: For a polymorphic MAP or ANY: value of the attribute `keyed_by` -> the keys
            the standard defines for it. More keys are allowed.
        doc: What it is, in a sentence.
        clause: Clause of DSP0263 2.0.0, or "1.x".
        forms: Per version; a missing version does not have the attribute.
    """

    name: str
    kind: Kind
    is_array: bool = False
    target: str | None = None
    structure: Structure | None = None
    unit: str | None = None
    values: tuple[str, ...] = ()
    is_open: bool = False
    default: Default = None
    initial: Default = None
    access: Access = Access.READ_ONLY
    minimum: int = 0
    is_provider_mandatory: bool = True
    is_consumer_mandatory: bool = False
    is_mutable: bool = True
    is_composition: bool = False
    is_cimi_uri: bool = False
    choice: str | None = None
    keyed_by: str | None = None
    keys: Mapping[str, tuple[Attribute, ...]] = field(default_factory=dict)
    doc: str = ""
    clause: str = ""
    forms: Mapping[CimiVersion, AttributeForm] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[Attribute, ...]:
        """The rows of the structure, empty where there is none."""
        return self.structure.rows if self.structure is not None else ()

    @property
    def is_consumer_writable(self) -> bool:
        """Whether a consumer may change the value after creation."""
        return self.access in (Access.READ_WRITE, Access.WRITE_ONLY)

    @property
    def is_required_on_create(self) -> bool:
        """Whether a document that creates the resource by value must have it."""
        return self.minimum > 0 and self.access is not Access.READ_ONLY

    def form(self, version: CimiVersion) -> AttributeForm | None:
        """Return the form in `version`, None if that version lacks the attribute."""
        return self.forms.get(version)

    def target_in(self, version: CimiVersion) -> str | None:
        """Return the neutral type at the other end in `version`, None for no reference."""
        form = self.forms.get(version)
        return form.type_name if form is not None and form.type_name else self.target


@dataclass(frozen=True, slots=True)
class ActionParameter:
    """A parameter that stands beside `action` in an Action document.

    `target` is the neutral type that a REF leads to; `default` what its absence means.
    """

    name: str
    kind: Kind
    target: str | None = None
    is_required: bool = False
    values: tuple[str, ...] = ()
    default: Default = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """An operation of a resource beyond edit and delete (`start`, `capture`, ...).

    `from_states` is empty where any state will do. `versions` says who has it.
    `body` is "Action", or the type whose create document is sent (`MachineImage`).
    Every Action document may carry `properties` besides its parameters.
    """

    name: str
    parameters: tuple[ActionParameter, ...] = ()
    from_states: tuple[str, ...] = ()
    transient_state: str | None = None
    target_state: str | None = None
    body: str = "Action"
    versions: frozenset[CimiVersion] = frozenset(CimiVersion)
    doc: str = ""
    clause: str = ""

    def rel(self, version: CimiVersion) -> str:
        """The URI in `rel` and in the Action document."""
        return f"{version.namespace}/action/{self.name}"


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that the metadata of a resource type may say (DSP0263 5.11.1, Table 7).

    What is not said is false, or no restriction. `implies` names another capability of the
    same type that is then true as well, None for none.
    """

    resource: str
    name: str
    kind: Kind
    is_array: bool = False
    unit: str | None = None
    values: tuple[str, ...] = ()
    implies: str | None = None
    doc: str = ""

    def uri(self, version: CimiVersion) -> str:
        """What `uri` of the capability is."""
        return f"{version.namespace}/capability/{self.resource}/{self.name}"


@dataclass(frozen=True, slots=True)
class ResourceForm:
    """A resource type in one version.

    `json_array` and `xml_wrapper` name the list inside its Collection document;
    `xml_wrapper` is None in 1.x, where items stand directly under <Collection>.
    `cep_attribute` is the attribute of the CloudEntryPoint that leads to the Collection
    of all of them: also its path segment. None where there is no such Collection.
    `attribute_order` are neutral attribute names in the order in which XML and JSON
    are written, `operations` included; `rows` are the same rows with their forms, None
    where the operations stand. `has_operations` and `has_common_attributes`
    say what XML has room for: the schema of 1.x gives a Disk neither.
    """

    type_name: str
    json_name: str
    json_array: str
    xml_wrapper: str | None
    cep_attribute: str | None
    attribute_order: tuple[str, ...]
    rows: tuple[tuple[Attribute, AttributeForm] | None, ...] = ()
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
    """A neutral resource type: its rows (common attributes included) and its actions.

    Args:
        name: The neutral name: the 2.0 one, or the 1.x one where 2.0 has none.
        clause: Clause of DSP0263 2.0.0, or "1.x".
        attributes: Rows by neutral name, the common ones first.
        actions: Operations of one resource, by name.
        forms: Per version; a missing version does not have the type.
        doc: What it is, in a sentence.
        parent: (neutral type, attribute) of the Collection that it lives in, where that
            is not one of the CloudEntryPoint.
        crud: Of "read", "update", "delete".
        collection_operations: Of "add", "insert", "remove".
        collection_actions: Actions on the Collection of them, by name (`import`).
        capabilities: What its metadata may say of the provider, by name.
        create_template_attribute: What an XCreate document names or inlines
            (`machineTemplate`); None where the representation itself is sent.
        refers_to: The row that is a reference to the real item, where the type only adds
            accessory attributes to it (`volume` of locatedVolume), or only joins it to a
            Collection (`machine` of a 1.x SystemMachine).
        tables: The tables of DSP0263 2.0.0 that the rows come from.
        home: Where its resources are.
    """

    name: str
    clause: str
    attributes: Mapping[str, Attribute]
    actions: Mapping[str, Action]
    forms: Mapping[CimiVersion, ResourceForm]
    doc: str = ""
    parent: tuple[str, str] | None = None
    crud: frozenset[str] = frozenset()
    collection_operations: frozenset[str] = frozenset()
    create_template_attribute: str | None = None
    collection_actions: Mapping[str, Action] = field(default_factory=dict)
    capabilities: Mapping[str, Capability] = field(default_factory=dict)
    refers_to: str | None = None
    tables: tuple[int, ...] = ()
    home: Home = Home.STORE

    @property
    def create_template_type(self) -> str | None:
        """The neutral type of the template, None where there is none."""
        name = self.create_template_attribute
        return name[0].upper() + name[1:] if name else None

    def form(self, version: CimiVersion) -> ResourceForm | None:
        """Return the form in `version`, None if that version lacks the type."""
        return self.forms.get(version)


@dataclass(frozen=True)
class Model:
    """All resource types and structures by neutral name."""

    types: Mapping[str, ResourceType]
    structures: Mapping[str, Structure] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ResourceType:
        return self.types[name]

    @property
    def common_names(self) -> frozenset[str]:
        """The attributes that every resource has (DSP0263 5.7.1)."""
        rows = self.types["Machine"].attributes
        return frozenset(name for name, row in rows.items() if row.clause == rows["id"].clause)
