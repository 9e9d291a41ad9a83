"""Holds what a consumer writes against the metadata that apply (DSP0263 5.3, 5.5.14, 5.11)."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import Value
from cimi_cim.model.types import CimiVersion, ResourceType
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.metadata.metadata import Metadata
from cimi_cim.service.metadata.rules import Effective
from cimi_cim.service.scopes import check_scopes
from cimi_cim.service.store.reading import Reading


class Constraints:
    """What every write asks before it changes anything; one per bridge."""

    def __init__(self, catalog: Catalog, metadata: Metadata) -> None:
        self._catalog = catalog
        self._metadata = metadata

    def check(
        self,
        reading: Reading,
        type_name: str,
        version: CimiVersion,
        values: Mapping[str, Value],
        before: Mapping[str, Value] | None = None,
    ) -> dict[str, Value]:
        """Return the attributes that a resource of a type gets, of those it would get.

        Args:
            reading: The transaction that will write.
            type_name: Neutral type of the resource.
            version: The version spoken, for names in messages.
            values: All attributes after the write, by neutral name: what was said, merged
                with the template or with what was there. Absent and None are the same.
            before: All attributes before an update; None at creation.

        The metadata that a resource refers to hold (`resourceMetadata`: before an update, or
        as the template gives it at creation), else those of its type.

        At creation the result has the defaults of value scopes. In an update an attribute
        that consumers cannot change keeps its value without an error (4.2.1.3). What a value
        scope says of attributes that an update leaves alone is not asked again.

        Raises `BadRequest`: `value-scope` (the attribute, its value, what is allowed),
        `missing-attribute` (it is consumerMandatory, and not given, or removed), and
        `unsupported-attribute` (an update says what nothing provides here; 5.3).
        """
        resource = self._catalog.model[type_name]
        known = values if before is None else before
        effective = self._metadata.effective(reading, type_name, known.get("resourceMetadata"))
        taken = {name: value for name, value in values.items() if value is not None}
        if before is not None:
            taken = _unchangeable_kept(effective, taken, before)
            _refuse_unsupported(resource, version, effective, taken, before)
        scoped = {name for scope in effective.scopes for name in scope}
        if before is None or any(taken.get(n) != before.get(n) for n in scoped):
            taken = check_scopes(
                effective.scopes, taken, resource.attributes, version, creating=before is None
            )
        _refuse_missing(resource, version, effective, taken, before)
        return taken

    def check_item(
        self,
        reading: Reading,
        collection: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
    ) -> dict[str, Value]:
        """Return the attributes of what is put into a Collection: an item, or beside a reference.

        The metadata of the resource that the Collection belongs to may scope its items
        (`item` of 5.5.14), as at creation. Raises `BadRequest` (`value-scope`).
        """
        model = self._catalog.model
        owner, attribute = owner_of(model, collection), collection.steps[-1][0]
        stored = reading.find(owner.path)
        kept = stored.resource.values if stored is not None else reading.overlay(owner.path)
        effective = self._metadata.effective(reading, owner.type, kept.get("resourceMetadata"))
        scopes = [scope.get(attribute, {}).get("item", {}) for scope in effective.scopes]
        item = model.types.get(model[owner.type].attributes[attribute].target or "")
        rows = item.attributes if item is not None else {}
        return check_scopes(scopes, values, rows, version, creating=True)


def _unchangeable_kept(
    effective: Effective, taken: Mapping[str, Value], before: Mapping[str, Value]
) -> dict[str, Value]:
    """What a consumer cannot change is as it was; that it was said is no error."""
    kept = dict(taken)
    for name, rule in effective.rules.items():
        if not rule.consumer_writable and (rule.is_provided or not rule.may_be_set):
            kept.pop(name, None)
            if before.get(name) is not None:
                kept[name] = before[name]
    return kept


def _refuse_unsupported(
    resource: ResourceType,
    version: CimiVersion,
    effective: Effective,
    taken: Mapping[str, Value],
    before: Mapping[str, Value],
) -> None:
    for name, rule in effective.rules.items():
        is_new = name in taken and taken[name] != before.get(name)
        if is_new and rule.may_be_set and not rule.is_provided:
            raise BadRequest(
                f"{_wire(resource, name, version)}: no {resource.name} has this attribute here;"
                " its ResourceMetadata tells which are provided",
                reason="unsupported-attribute",
            )


def _refuse_missing(
    resource: ResourceType,
    version: CimiVersion,
    effective: Effective,
    taken: Mapping[str, Value],
    before: Mapping[str, Value] | None,
) -> None:
    for name, rule in effective.rules.items():
        is_due = rule.consumer_mandatory and rule.may_be_set
        was_there = before is None or before.get(name) is not None
        if is_due and was_there and taken.get(name) in (None, "", [], {}):
            raise BadRequest(
                f"{_wire(resource, name, version)} is missing; consumers must send it, say the"
                " metadata that apply",
                reason="missing-attribute",
            )


def _wire(resource: ResourceType, name: str, version: CimiVersion) -> str:
    form = resource.attributes[name].form(version)
    return form.json_name if form is not None else name
