"""What a SystemTemplate says of the components of a System (DSP0263 5.13.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Model, Structure
from cimi_cim.service.checks import items_of
from cimi_cim.service.templates import made_from

COMPONENTS, SERVICES = "componentDescriptors", "serviceDescriptors"
SYMBOL = "#"
OWN = ("name", "description", "properties")
"""What a descriptor says of the component itself."""

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a System.

    Args:
        place: Where its descriptor stands, for messages.
        type: Its neutral type.
        said: The template it is made from, by value or by reference; or the reference to it.
        is_made: Whether it is made, else it is there already.
        own: Its name, description and properties, as far as they are given.
    """

    place: str
    type: str
    said: Ref | Mapping[str, Value]
    is_made: bool
    own: Mapping[str, Value]

    @property
    def name(self) -> str | None:
        """What others may refer to it by, as #name."""
        name: str | None = self.own.get("name")
        return name


@dataclass(frozen=True, slots=True)
class LiveComponent:
    """A component that a WBEM server is to make, once the System is there.

    Args:
        placeholder: What stands for its path until it is made, in other components too.
        type: Its neutral type.
        listing: The Collection of the System that it goes into.
        own: Its name, description and properties.
        template: What it is made from, with placeholders for #names.
    """

    placeholder: str
    type: str
    listing: str
    own: Mapping[str, Value]
    template: Mapping[str, Value]


def read_components(model: Model, template: Mapping[str, Value]) -> list[Component]:
    """Return the components that a SystemTemplate describes, each as often as it says.

    Raises `BadRequest` for a descriptor whose type is another one than that of what it makes.
    """
    row = model["SystemTemplate"].attributes[COMPONENTS]
    found: list[Component] = []
    for place, said in items_of(row, template.get(COMPONENTS), COMPONENTS):
        one = _component(model, model.structures["componentDescriptor"], said, place)
        found += _counted(one, said.get("quantity", 1)) if one.is_made else [one]
    return found


def _component(
    model: Model, structure: Structure, said: Mapping[str, Value], place: str
) -> Component:
    row = next((r for r in structure.rows if r.choice and said.get(r.name) is not None), None)
    if row is None:
        raise BadRequest(f"{place} has no component; name or inline one", reason="bad-choice")
    made = made_from(model, row.target)
    type_name = made.name if made is not None else row.target or ""
    names = {form.type_name for form in model[type_name].forms.values()}
    if str(said.get("type", "")).rpartition("/")[2] not in names:
        raise BadRequest(
            f"{place}.type is {str(said.get('type'))[:80]!r}, but {row.name} is for a {type_name}",
            reason="bad-value",
        )
    own = {name: said[name] for name in OWN if said.get(name) is not None}
    return Component(f"{place}.{row.name}", type_name, said[row.name], made is not None, own)


def _counted(one: Component, quantity: int) -> Iterator[Component]:
    if quantity > _MOST:
        raise BadRequest(f"{one.place}: quantity is {_MOST} at most", reason="too-many-resources")
    for number in range(1, quantity + 1):
        name = one.own.get("name")
        is_numbered = name is not None and quantity > 1
        yield replace(one, own={**one.own, "name": f"{name}{number}"}) if is_numbered else one


def symbols(components: Sequence[tuple[Component, str]]) -> dict[str, Ref]:
    """Return what each #name stands for, from components with their paths.

    A name that two of them have stands for nothing.
    """
    found: dict[str, Ref] = {}
    names = [each.name for each, _ in components]
    for each, path in components:
        if each.name is not None and names.count(each.name) == 1:
            found[f"{SYMBOL}{each.name}"] = Ref(path)
    return found


def substituted(value: Value, named: Mapping[str, Ref]) -> Value:
    """Return a value with #names replaced by what they stand for, however deep.

    The descriptors of a SystemTemplate inside keep theirs: they name its own components.
    """
    if isinstance(value, Ref):
        if value.url is not None and value.url in named:
            return replace(named[value.url], values=value.values)
        return replace(value, values=substituted(dict(value.values), named))
    if isinstance(value, dict):
        return {
            name: inside if name in (COMPONENTS, SERVICES) else substituted(inside, named)
            for name, inside in value.items()
        }
    if isinstance(value, list | tuple):
        return [substituted(inside, named) for inside in value]
    return value


def component_types(model: Model, template: Mapping[str, Value]) -> dict[str, str]:
    """Return the type of every component that has a name, by #name, of inner Systems too."""
    found: dict[str, str] = {}
    for each in read_components(model, template):
        inside = each.said.values if isinstance(each.said, Ref) else each.said
        if each.is_made and each.type == "System":
            found |= component_types(model, inside)
        if each.name is not None:
            found[f"{SYMBOL}{each.name}"] = each.type
    return found


def names_in(text: str) -> list[str]:
    """Return the #names in a text that lists some, as the parameters of a service do."""
    return re.findall(r"#[^\s,;#]+", text)
