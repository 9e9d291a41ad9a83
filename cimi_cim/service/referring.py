"""What the references of one request lead to, and whether they still do when it is carried out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.attempts import Overtaken
from cimi_cim.service.checks import Referred, Tables
from cimi_cim.service.components import SYMBOL, component_types
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.store.reading import Reading
from cimi_cim.wbem.deadline import Deadline


class References:
    """Looks up what a request refers to; WBEM servers are asked once for each.

    What the store has may go while the request is planned: `must_still_lead` asks again, in
    the transaction that carries it out.
    """

    def __init__(self, holdings: Holdings, version: CimiVersion, deadline: Deadline) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._version = version
        self._deadline = deadline
        self._found: set[str] = set()
        self._kept: set[str] = set()
        self.planned: dict[str, str] = {}
        """Path -> type of what the request is going to make."""

    def existing(
        self, reference: Ref, types: Collection[str] = (), place: str = "the document"
    ) -> Location:
        """Return where a reference leads. Raises `BadRequest` where that is no resource.

        `types` are those that may be there, none for any; a Collection is a resource, too.
        """
        location = None
        if reference.url is None:
            made = self.planned.get(reference.path)
            version = self._catalog.version_with(made, self._version) if made else self._version
            location = self._catalog.locate(reference.path, version)
        if location is None or (types and (location.is_collection or location.type not in types)):
            raise BadRequest(
                f"{place} refers to {_shown(reference)}, which is no {self._said(types)} of this"
                " provider; follow the links of the CloudEntryPoint to one",
                reason="bad-reference",
            )
        if not self._is_there(location):
            raise BadRequest(
                f"{place} refers to {location.path}, and there is no such {location.type}; it may"
                " have been deleted",
                reason="unknown-reference",
            )
        return location

    def check(self, type_name: str, values: Mapping[str, Value]) -> None:
        """Refuse references to what is not there, or of another type. Raises `BadRequest`.

        `parent` is not looked at.
        """
        tables = Tables(self._catalog.model, self._catalog.version_with(type_name, self._version))
        found = [said for said in tables.references(type_name, values) if said.place != "parent"]
        self._look_up([said.ref for said in found])
        components = component_types(self._catalog.model, values)
        for said in found:
            if (said.ref.url or "").startswith(SYMBOL) and components:
                _check_symbol(said, components)
            else:
                self.existing(said.ref, said.types, said.place)

    def must_have_owner(self, location: Location) -> None:
        """Raise `NotFound` if a Collection is in a resource that does not exist."""
        owner = owner_of(self._catalog.model, location)
        self._holdings.must_have_owner(location, self._version, self._deadline)
        self._remember(owner)

    def must_still_lead(self, reading: Reading) -> None:
        """Raise `Overtaken` unless all that was found is there in a transaction."""
        if not self._kept <= reading.present(self._kept):
            raise Overtaken

    def _look_up(self, references: Iterable[Ref]) -> None:
        """Find those that WBEM servers have, all at once: a document may have hundreds."""
        paths = {ref.path for ref in references if ref.url is None} - self._found
        self._found |= self._holdings.living.among(paths, self._version, self._deadline)

    def _is_there(self, location: Location) -> bool:
        at = owner_of(self._catalog.model, location) if location.is_collection else location
        if at.path in self.planned or at.path in self._found:
            return True
        if not self._holdings.exists(location, self._version, self._deadline):
            return False
        self._found.add(at.path)
        self._remember(at)
        return True

    def _remember(self, location: Location) -> None:
        if location.steps and self._catalog.lives_in_store(location.type):
            self._kept.add(location.path)

    def _said(self, types: Collection[str]) -> str:
        forms = (self._catalog.model[name].form(self._version) for name in sorted(types))
        return " or ".join(form.type_name for form in forms if form is not None) or "resource"


def _shown(reference: Ref) -> str:
    """A reference as messages show it; a foreign one in the client's own words."""
    return repr((reference.url or reference.path)[:120])


def _check_symbol(said: Referred, components: Mapping[str, str]) -> None:
    """Refuse a #name that no component has, or one of another type (5.13.4)."""
    found = components.get(str(said.ref.url))
    if found is None:
        raise BadRequest(
            f"{said.place} refers to {_shown(said.ref)}, and no component has this name; its"
            f" components are {', '.join(sorted(components))}",
            reason="unknown-reference",
        )
    if said.types and found not in said.types:
        raise BadRequest(f"{said.place} refers to {_shown(said.ref)}, which is a {found}",
                         reason="bad-reference")  # fmt: skip
