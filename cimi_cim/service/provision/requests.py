"""From the documents of clients to the arguments of Jobs: everything is checked here first.

What is refused here has changed nothing. What only the WBEM server can tell (a full pool, a
name that is taken) fails the Job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cimi_cim.errors import BadRequest
from cimi_cim.mapping.results import ANYWHERE, Engine, Wish
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, CimiVersion, Home, Kind, ResourceType
from cimi_cim.service.checks import check_values
from cimi_cim.service.creation import OF_THE_DOCUMENT, Creation
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.provision.cards import must_come_with_machine, network_of
from cimi_cim.service.provision.wishes import wish_of
from cimi_cim.service.templates import merged
from cimi_cim.wbem.deadline import Deadline

_IMAGE_OF = {"MachineImage": "Machine", "VolumeImage": "Volume"}
_PARTS = frozenset({"Disk", "locatedVolume", "NetworkInterface"})
_MOST_SUBNETWORKS = 100
_UNDELIVERED = {
    "userData": "no provider here takes data for the guest",
    "credential": "no provider here sets a login of the guest",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made in WBEM: variables of the mapping, and what goes with it.

    Args:
        values: The `$variables` of the mapping's "add", references as `Ref`s.
        overlay: What the store keeps of the new resource.
        state: Which state to bring it to, None for that in which it is made.
        volumes: Volumes to make first and to connect: (variables, overlay, location).
        subnetworks: Networks to make inside of a new Network.
        parts: Attributes of the template by which the store makes, or lists, what goes with it.
        wish: Where the client wants it.
    """

    values: dict[str, Value]
    overlay: dict[str, Value] = field(default_factory=dict)
    state: str | None = None
    volumes: Sequence[tuple[dict[str, Value], dict[str, Value], str | None]] = ()
    subnetworks: Sequence[Order] = ()
    parts: Mapping[str, Value] = field(default_factory=dict)
    wish: Wish = ANYWHERE


class Orders:
    """Reads what clients want to be made, for one request."""

    def __init__(
        self, holdings: Holdings, engine: Engine, version: CimiVersion, deadline: Deadline
    ) -> None:
        self._holdings = holdings
        self._model = holdings.catalog.model
        self._engine = engine
        self._version = version
        self._deadline = deadline
        self._creation = Creation(holdings, version, deadline)
        self._properties: Value = None  # of the template
        self._at: Location | None = None
        self._inside: list[str] = []
        self._subnetworks = 0
        self._readers: dict[str, Callable[[CreateDocument], Order]] = {
            "Machine": self._machine, "Volume": self._volume, "Network": self._network,
            "Disk": self._part, "locatedVolume": self._part, "NetworkInterface": self._interface,
        }  # fmt: skip

    def expect(self, planned: Mapping[str, str]) -> None:
        """Take paths (by type) for resources that are there: they are made with the order."""
        self._creation.references.planned.update(planned)

    def read(self, location: Location, document: CreateDocument) -> Order:
        """Return what a document asks for in the Collection at a location.

        Raises `BadRequest` for what cannot be.
        """
        reader = self._readers.get(location.type)
        if reader is None:
            raise BadRequest(f"no {location.type} can be created here", reason="cannot-create")
        self._at = location
        order = reader(document)
        if location.type in _PARTS:
            return replace(order, values=self._put_into(location, order.values))
        wish = wish_of(document.values.get("properties"), self._properties)
        return replace(order, wish=wish)

    def _parts(self, type_name: str, template: Mapping[str, Value]) -> dict[str, Value]:
        """What of a template is for the store to make: meters, an event log, segments, ...

        It is planned here once for a resource that is not there yet, so that what is wrong
        in it is refused before anything is made.
        """
        resource = self._model[type_name]
        rows = self._model[resource.create_template_type or ""].attributes
        kept = {
            name: value
            for name, value in template.items()
            if name in rows and self._is_kept(resource, rows[name])
        }
        planned = Creation(self._holdings, self._version, self._deadline)
        planned.plan_parts(type_name, self._new(type_name), kept)
        return kept

    def _new(self, type_name: str) -> str:
        """A path that a new resource of a type could have."""
        parent = self._model[type_name].parent
        collection = self._holdings.catalog.global_collection(parent[0] if parent else type_name)
        return f"{collection}/new/{parent[1]}/new" if parent else f"{collection}/new"

    def _is_kept(self, resource: ResourceType, row: Attribute) -> bool:
        if row.kind is Kind.REF and row.is_array:
            here = resource.attributes.get(row.name)
            return here is not None and here.kind is Kind.COLLECTION
        made = next(
            (t for t in self._model.types.values() if t.create_template_type == row.target), None
        )
        return row.kind is Kind.REF_OR_VALUE and made is not None and made.home is Home.STORE

    def image_of(
        self, location: Location, document: CreateDocument, find: Callable[[str], Location | None]
    ) -> Location | None:
        """Return the Machine or Volume that a new image is to be taken from, None for none.

        `find` tells where a URI leads. Raises `BadRequest` for one that is not there.
        """
        said = document.values.get("imageLocation")
        at = find(str(said)) if said is not None else None
        if at is None or at.type != _IMAGE_OF.get(location.type):
            return None
        self._creation.existing(Ref(at.path), at.type)
        return at

    def image_for(self, of: Location, image: Ref) -> Location:
        """Return where the image is that a Machine or Volume is to go back to.

        Raises `BadRequest` for what is none, or not held by the provider.
        """
        type_name = next(name for name, owner in _IMAGE_OF.items() if owner == of.type)
        path = self._image(image, type_name).path
        return self._creation.references.existing(Ref(path), {type_name})

    def _template(self, type_name: str, document: CreateDocument) -> dict[str, Value]:
        resource = self._model[type_name]
        template_type = resource.create_template_type or ""
        if document.template is None:
            raise BadRequest(
                f"{resource.create_template_attribute} is missing; send it by value, or refer to"
                " one by its href",
                reason="missing-attribute",
            )
        found = self._whole(template_type, document.template)
        self._properties = found.get("properties")
        return found

    def _whole(self, type_name: str, said: Ref | Mapping[str, Value]) -> dict[str, Value]:
        """A template or configuration with its overrides, held against its table."""
        found = merged(said, type_name, self._creation.find)
        resource = self._model[type_name]
        check_values(resource, self._version, found, is_whole=False)
        own = {n: v for n, v in found.items() if n in resource.attributes and n != "parent"}
        self._creation.check_references(resource, own)
        return own

    def _allowed(
        self,
        type_name: str,
        said: Mapping[str, Value],
        template: Mapping[str, Value],
        attributes: Mapping[str, Value],
    ) -> dict[str, Value]:
        """Return the attributes of what is to be made, as its metadata allow (5.11).

        `said` are those of the document itself, `attributes` those that the template gives.
        """
        wanted = {**attributes, **{n: said[n] for n in OF_THE_DOCUMENT if n in said}}
        wanted["resourceMetadata"] = template.get("genResourceMetadata")
        constraints, at = self._holdings.constraints, self._at
        with self._holdings.store.reading() as reading:
            wanted = constraints.check(reading, type_name, self._version, wanted)
            if at is not None and at.type == type_name and len(at.steps) > 1:
                wanted = constraints.check_item(reading, at, self._version, wanted)
        return wanted

    def _put_into(self, location: Location, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the attributes of a part of a Machine, as the metadata of both allow."""
        with self._holdings.store.reading() as reading:
            constraints = self._holdings.constraints
            own = constraints.check(reading, location.type, self._version, values)
            return constraints.check_item(reading, location, self._version, own)

    def _machine(self, document: CreateDocument) -> Order:
        template = self._template("Machine", document)
        for name, why in _UNDELIVERED.items():
            if name in template:
                raise BadRequest(f"{name}: {why}; leave it out", reason="not-supported")
        config = self._part_of(template, "machineConfig", "MachineConfiguration")
        hardware: dict[str, Value] = {
            name: config[name] for name in ("cpu", "memory") if name in config
        }
        wanted = self._allowed("Machine", document.values, template, hardware)
        values: dict[str, Value] = {
            "name": wanted.get("name"),
            **{name: wanted[name] for name in ("cpu", "memory") if name in wanted},
            "processors": [{"cpu": wanted["cpu"]}] if "cpu" in wanted else [],
            "memories": [{"memory": wanted["memory"]}] if "memory" in wanted else [],
            "disks": config.get("disks", []),
            "volumes": list(template.get("volumes", [])),
            "interfaces": self._interfaces(template),
        }
        if "machineImage" in template:
            values["image"] = self._image(template["machineImage"], "MachineImage")
        state = template.get("initialState")
        self._must_reach("Machine", state)
        volumes = [
            (*self._volume_of(self._whole("VolumeTemplate", one["volumeTemplate"]), {}),
             one.get("initialLocation"))
            for one in template.get("volumeTemplates", [])
        ]  # fmt: skip
        return Order(values, _kept(wanted), state, volumes, parts=self._parts("Machine", template))

    def _part_of(
        self, template: Mapping[str, Value], name: str, type_name: str
    ) -> dict[str, Value]:
        said = template.get(name)
        return {} if said is None else self._whole(type_name, said)

    def _image(self, said: Value, type_name: str) -> Ref:
        """An image that the provider holds; others it cannot read."""
        if not isinstance(said, Ref) or said.values:
            raise BadRequest(
                f"the {type_name} must be referred to by its href alone", reason="not-supported"
            )
        path = self._creation.existing(said, type_name)
        with self._holdings.store.reading() as reading:
            if reading.find(path) is not None:
                raise BadRequest(
                    f"{path} is kept by this bridge alone, and its provider cannot read it; use an"
                    f" image that was taken here",
                    reason="foreign-image",
                )
        return Ref(path)

    def _must_reach(self, type_name: str, state: Value) -> None:
        if state is not None and not self._holdings.catalog.reaches(type_name, str(state)):
            raise BadRequest(
                f"initialState: no {type_name} here can be brought to {state}",
                reason="state-not-reachable",
            )

    def _interfaces(self, template: Mapping[str, Value]) -> list[dict[str, Value]]:
        """One card per template of 2.0, or per interface of 1.x, with its Network."""
        cards: list[dict[str, Value]] = []
        for said in template.get("interfaceTemplates", []):
            whole = self._whole("NetworkInterfaceTemplate", said)
            must_come_with_machine(whole, template.get("initialState"))
            cards.append(self._card(said))
        for said in template.get("networkInterfaces", []):
            cards.append({"network": said.get("network"), "mtu": said.get("mtu")})
        return cards

    def _card(self, said: Ref | Mapping[str, Value]) -> dict[str, Value]:
        """A card by a template, on the Network of its endpoints."""
        whole = self._whole("NetworkInterfaceTemplate", said)
        endpoints = whole.get("endpoints")
        if endpoints is None and isinstance(said, Ref):
            endpoints = Ref(f"{said.path}/endpoints")
        with self._holdings.store.reading() as reading:
            network = network_of(reading, endpoints.path) if isinstance(endpoints, Ref) else None
        return {"mtu": whole.get("mtu"), "network": network}

    def _volume(self, document: CreateDocument) -> Order:
        template = self._template("Volume", document)
        values, kept = self._volume_of(template, document.values)
        return Order(values, kept, parts=self._parts("Volume", template))

    def _volume_of(
        self, template: Mapping[str, Value], said: Mapping[str, Value]
    ) -> tuple[dict[str, Value], dict[str, Value]]:
        """Variables of a new Volume, and what the store keeps of it."""
        config = self._part_of(template, "volumeConfig", "VolumeConfiguration")
        if "volumeImage" in template:
            raise BadRequest("no Volume can be made from an image here", reason="not-supported")
        size = {"capacity": config["capacity"]} if "capacity" in config else {}
        wanted = self._allowed("Volume", said, template, size)
        if "capacity" not in wanted:
            raise BadRequest(
                "capacity is missing; say it in volumeConfig", reason="missing-attribute"
            )
        return {"name": wanted.get("name"), "capacity": wanted["capacity"]}, _kept(wanted)

    def _network(self, document: CreateDocument) -> Order:
        if isinstance(document.template, Ref):
            self._inside.append(document.template.path)
        return self._network_by(self._template("Network", document), document.values)

    def _network_by(self, template: Mapping[str, Value], said: Mapping[str, Value]) -> Order:
        state = template.get("initialState")
        self._must_reach("Network", state)
        wanted = self._allowed("Network", said, template, {})
        parts = self._parts("Network", template)
        rows = self._model["Network"].attributes
        config = self._part_of(template, "networkConfig", "NetworkConfiguration")
        kept = {n: v for n, v in config.items() if n in rows and n not in self._model.common_names}
        return Order(
            {"name": wanted.get("name")},
            kept | _kept(wanted),
            state,
            subnetworks=[self._subnetwork(one) for one in template.get("subnetworkTemplates", ())],
            parts=parts,
        )

    def _subnetwork(self, said: Ref | Mapping[str, Value]) -> Order:
        """A Network inside of a new one. Raises `BadRequest` for one that is inside itself."""
        path = said.path if isinstance(said, Ref) else ""
        if path and path in self._inside:
            raise BadRequest(
                f"subnetworkTemplates: {path} is part of itself", reason="inside-itself"
            )
        self._subnetworks += 1
        if self._subnetworks > _MOST_SUBNETWORKS:
            raise BadRequest(
                f"one request makes {_MOST_SUBNETWORKS} subnetworks at most; ask for fewer",
                reason="too-many-resources",
            )
        self._inside.append(path)
        order = self._network_by(self._whole("NetworkTemplate", said), {})
        self._inside.pop()
        return order

    def _part(self, document: CreateDocument) -> Order:
        """A Disk, or a Volume to connect: the document says all of it."""
        return Order(dict(document.values), _kept(document.values, "name"))

    def _interface(self, document: CreateDocument) -> Order:
        """A card; what 1.x says of it stands in the document itself."""
        values = dict(document.values)
        if self._version is not CimiVersion.V2:
            return Order(values, _kept(values, "name"))
        template = self._template("NetworkInterface", document)
        values |= self._card(template)
        wanted = self._allowed("NetworkInterface", document.values, template, {})
        state = template.get("initialState")
        self._must_reach("NetworkInterface", state)
        return Order(
            values,
            _kept(wanted, "name"),
            state or self._holdings.catalog.default_state("NetworkInterface"),
            parts=self._parts("NetworkInterface", template),
        )


def _kept(wanted: Mapping[str, Value], *more: str) -> dict[str, Value]:
    """What the store keeps of a new resource, and no WBEM server does."""
    names = ("description", "properties", "resourceMetadata", *more)
    return {name: wanted[name] for name in names if name in wanted}
