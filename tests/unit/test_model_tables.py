"""The tables of the model agree with themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cimi_cim.errors import ConfigError
from cimi_cim.model.load import load_model
from cimi_cim.model.rows import ONLY_1X, Context, build_action, build_attribute, build_structure
from cimi_cim.model.types import (
    UNITS,
    Access,
    Action,
    Attribute,
    CimiVersion,
    Kind,
    ResourceType,
    XmlShape,
)

MODEL = load_model()
TYPES = list(MODEL.types.values())
CLAUSE = re.compile(r"5\.\d+(\.\d+)*\Z")
LINKS = (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION)


def every_row() -> Iterator[tuple[str, Attribute]]:
    """Every row there is: of types, of structures, of polymorphic maps."""
    owners = [(t.name, tuple(t.attributes.values())) for t in TYPES]
    owners += [(s.name, s.rows) for s in MODEL.structures.values()]
    for owner, rows in owners:
        for row in rows:
            yield f"{owner}.{row.name}", row
            for key, keys in row.keys.items():
                for inside in keys:
                    yield f"{owner}.{row.name}[{key}].{inside.name}", inside


def every_action() -> Iterator[tuple[ResourceType, Action]]:
    for resource in TYPES:
        for action in (*resource.actions.values(), *resource.collection_actions.values()):
            yield resource, action


def test_the_tables_have_every_type_of_both_versions() -> None:
    both = {v: [t.name for t in TYPES if t.form(v) is not None] for v in CimiVersion}
    assert len(both[CimiVersion.V2]) == 36
    assert len(both[CimiVersion.V1]) == 48
    assert all(t.forms for t in TYPES)


def test_references_lead_to_a_type_of_the_same_version() -> None:
    for name, row in every_row():
        assert (row.target is not None) is (row.kind in LINKS), name
        for version in row.forms:
            target = row.target_in(version)
            if target:
                assert MODEL[target].form(version) is not None, (name, version)


def test_a_collection_has_items_of_a_known_type() -> None:
    for name, row in every_row():
        if row.kind is Kind.COLLECTION:
            assert row.target, name
            assert not row.is_array, name


def test_structures_belong_to_structured_rows() -> None:
    for name, row in every_row():
        has_rows = row.kind in (Kind.STRUCT, Kind.VALUE_SCOPE)
        assert (row.structure is not None) is has_rows, name
        if row.structure is not None:
            assert row.structure is MODEL.structures[row.structure.name], name
    used = {row.structure.name for _, row in every_row() if row.structure is not None}
    assert used == set(MODEL.structures)


def test_quantities_count_something_known() -> None:
    for name, row in every_row():
        assert row.unit is None or row.unit in UNITS, name
        assert row.unit is None or row.kind is Kind.INTEGER, name
    assert {row.unit for _, row in every_row()} - {None} == UNITS


def test_enumerations_have_several_different_values() -> None:
    for name, row in every_row():
        assert len(set(row.values)) == len(row.values), name
        assert len(row.values) != 1 or row.is_open, name
        assert not row.is_open or row.values, name
        if row.default is not None and row.values:
            assert row.default in row.values, name


def test_words_of_a_version_translate_values_that_exist() -> None:
    for name, row in every_row():
        for form in row.forms.values():
            assert set(form.words) <= set(row.values), name
            assert len(set(form.words.values())) == len(form.words), name


def test_everything_is_told_in_one_short_sentence() -> None:
    told = [(name, row.doc) for name, row in every_row()]
    told += [(t.name, t.doc) for t in TYPES]
    told += [(s.name, s.doc) for s in MODEL.structures.values()]
    told += [(f"{t.name}/{a.name}", a.doc) for t, a in every_action()]
    told += [(f"{t.name}/{c.name}", c.doc) for t in TYPES for c in t.capabilities.values()]
    told += [(f"{t.name}/{a.name}", p.doc) for t, a in every_action() for p in a.parameters]
    for name, doc in told:
        assert doc.endswith("."), name
        assert doc[0].isupper() or doc[0].isdigit(), name
        assert len(doc) <= 130, name
        assert "\n" not in doc, name


def test_everything_names_its_clause() -> None:
    for name, row in every_row():
        is_in_2_0 = CimiVersion.V2 in row.forms
        assert (row.clause != ONLY_1X) is is_in_2_0, name
        assert row.clause == ONLY_1X or CLAUSE.match(row.clause), name
    for resource in TYPES:
        has_2_0 = resource.form(CimiVersion.V2) is not None
        assert (resource.clause == ONLY_1X) is not has_2_0, resource.name
        assert bool(resource.tables) is has_2_0, resource.name
    for resource, action in every_action():
        has_2_0 = CimiVersion.V2 in action.versions
        assert (action.clause == ONLY_1X) is not has_2_0, (resource.name, action.name)


def test_no_row_is_of_no_version_and_none_is_of_more_than_its_type() -> None:
    for resource in TYPES:
        for row in resource.attributes.values():
            assert row.forms, (resource.name, row.name)
            assert row.forms.keys() <= resource.forms.keys(), (resource.name, row.name)


def test_what_lives_inside_another_names_the_collection_that_it_is_in() -> None:
    for resource in TYPES:
        if resource.parent is None:
            continue
        owner, name = resource.parent
        row = MODEL[owner].attributes[name]
        assert row.kind is Kind.COLLECTION, resource.name
        items = {row.target_in(version) for version in row.forms}
        # Of a highreliability service the machines are RecoverableMachines (Table 11).
        assert resource.name in items | {"RecoverableMachine"}, resource.name


def test_every_type_can_be_reached_from_the_cloud_entry_point() -> None:
    for version in CimiVersion:
        reached, ahead = {"CloudEntryPoint"}, ["CloudEntryPoint"]
        while ahead:
            for row in MODEL[ahead.pop()].attributes.values():
                target = row.target_in(version)
                if row.kind is Kind.COLLECTION and row.form(version) and target not in reached:
                    reached.add(str(target))
                    ahead.append(str(target))
        types = {t.name for t in TYPES if t.form(version) is not None}
        # One is a variant of Machine; the other is declared in a schema, and in no Collection.
        assert types - reached <= {"RecoverableMachine", "ForwardingGroupNetwork"}


def test_wire_names_are_unique_within_a_document() -> None:
    for version in CimiVersion:
        for resource in TYPES:
            names = [f.json_name for r in resource.attributes.values() if (f := r.form(version))]
            assert len(names) == len(set(names)), resource.name
        types = [form for t in TYPES if (form := t.form(version)) is not None]
        segments = [form.cep_attribute for form in types if form.cep_attribute]
        assert len(segments) == len(set(segments))
        arrays = [form.json_array for form in types]
        assert len(arrays) == len(set(arrays))


def test_every_attribute_has_its_place_in_the_order() -> None:
    for resource in TYPES:
        for version, form in resource.forms.items():
            present = [r.name for r in resource.attributes.values() if r.form(version)]
            assert sorted(form.attribute_order) == sorted([*present, "operations"]), resource.name


def test_a_collection_is_owned_unless_the_standard_says_it_is_used() -> None:
    """DSP0263 5.10.2, and the notes in the tables."""
    used = {
        name for name, row in every_row() if row.kind is Kind.COLLECTION and not row.is_composition
    }
    assert used == {
        "Machine.volumes",
        "Machine.snapshots",
        "Volume.images",
        "SystemService.machines",
        "SystemService.volumes",
        "SystemService.systems",
        "NetworkInterface.endpoints",
        "NetworkInterfaceTemplate.endpoints",
        "NetworkService.endpoints",
        "NetworkService.segments",
    }


def test_what_refers_to_another_resource_always_has_the_reference() -> None:
    for resource in TYPES:
        if resource.refers_to is not None:
            row = resource.attributes[resource.refers_to]
            assert row.kind is Kind.REF
            assert row.minimum == 1
    joins = [t for t in TYPES if t.clause == ONLY_1X and t.refers_to is not None]
    assert len(joins) == 13
    assert all(len(t.attributes) == len(joins[0].attributes) for t in joins)


def test_a_1_x_collection_of_joins_leads_to_what_2_0_lists() -> None:
    for name, row in every_row():
        for version, form in row.forms.items():
            if row.kind is Kind.COLLECTION and form.type_name is not None:
                assert version is CimiVersion.V1, name
                join = MODEL[form.type_name]
                assert join.attributes[join.refers_to or ""].target == row.target, name


def test_polymorphic_rows_name_the_row_that_decides() -> None:
    for resource in TYPES:
        for row in resource.attributes.values():
            assert bool(row.keys) is (row.keyed_by is not None)
            if row.keyed_by is None:
                continue
            # An endpoint made from a template has the protocol of its segment.
            made = MODEL[resource.name.removesuffix("Template")]
            decides = resource.attributes.get(row.keyed_by) or made.attributes[row.keyed_by]
            for key in row.keys:
                known = not decides.values or any(key in value for value in decides.values)
                assert known, (resource.name, row.name, key)


def test_only_what_cannot_do_without_is_required_on_creation() -> None:
    """Of the types that are created by value, not from a template."""
    required = {
        f"{t.name}.{row.name}"
        for t in TYPES
        if t.create_template_attribute is None and t.refers_to is None
        for row in t.attributes.values()
        if row.is_required_on_create
    }
    assert required == {
        "ResourceMetadata.typeURI",
        "ResourceMetadata.name",
        "SystemService.serviceType",
        "Disk.capacity",
    }


def test_secrets_are_never_sent() -> None:
    secrets = {name for name, row in every_row() if row.access is Access.WRITE_ONLY}
    assert secrets == {"Credential.password", "CredentialTemplate.password"}


def test_states_of_actions_are_states_of_their_resource() -> None:
    for resource, action in every_action():
        named = {*action.from_states, action.transient_state, action.target_state} - {None}
        if named:
            assert named <= set(resource.attributes["state"].values), (resource.name, action.name)


def test_actions_that_send_a_creation_name_a_type() -> None:
    for resource, action in every_action():
        if action.body != "Action":
            rows = MODEL[action.body].attributes
            assert {p.name for p in action.parameters} <= rows.keys(), resource.name


def test_a_reference_that_is_merged_is_the_only_one_in_its_structure() -> None:
    for structure in MODEL.structures.values():
        for version in CimiVersion:
            merged = [r for r in structure.rows if (f := r.form(version)) and f.is_merged]
            assert len(merged) <= 1
            for row in structure.rows:
                form = row.form(version)
                if merged and form is not None and row not in merged:
                    assert form.xml_shape is XmlShape.ATTRIBUTE, (structure.name, row.name)


V1_AND_V2 = Context("T", "5.1", frozenset(CimiVersion), MODEL.structures)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"name": "a", "type": "string", "doc": "A.", "unti": "byte"}, "T.a has unti"),
        ({"name": "a", "type": "strnig", "doc": "A."}, "T.a is of type 'strnig'"),
        ({"name": "a", "type": "array of string", "doc": "A."}, "T.a is of type"),
        ({"name": "a", "type": "integer", "unit": "furlong", "doc": "A."}, "T.a counts furlong"),
        ({"name": "a", "type": "string", "doc": "A.", "v1": {"shap": "text"}}, "a has shap"),
    ],
)
def test_a_slip_in_a_row_is_found_when_the_tables_load(
    row: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        build_attribute(row, V1_AND_V2)


def test_a_slip_in_an_action_or_a_structure_is_found_too() -> None:
    with pytest.raises(ConfigError, match="T/start has form_states"):
        build_action({"name": "start", "form_states": []}, V1_AND_V2)
    with pytest.raises(ConfigError, match="disk has feilds"):
        build_structure("disk", {"feilds": []}, {})
