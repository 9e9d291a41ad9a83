"""Stored resources: nothing lost, nothing half done, references that vanish with their target."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, text

from cimi_cim.errors import ConfigError, ConflictError, StoreUnavailable
from cimi_cim.model.resources import Ref
from cimi_cim.service.store.database import Database, open_database
from cimi_cim.service.store.documents import read_document, write_document
from cimi_cim.service.store.migrations import STEPS, migrate
from cimi_cim.service.store.reading import Stored
from cimi_cim.service.store.references import targets_of, without_targets
from cimi_cim.service.store.secrets import Sealed
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.tables import MIGRATIONS
from tests.services import new_secrets

CONFIGS = "machineConfigs"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def stored(database: Database) -> Store:
    return Store(database, new_secrets(), Clock())


def add(
    store: Store, type_name: str, collection: str, values: dict[str, Any], token: str | None = None
) -> Stored:
    with store.writing() as writing:
        return writing.add(type_name, collection, values, token)


def config(store: Store, name: str, **values: Any) -> Stored:
    return add(store, "MachineConfiguration", CONFIGS, {"name": name, **values})


def find(store: Store, path: str) -> Stored | None:
    with store.reading() as reading:
        return reading.find(path)


def name_at(store: Store, path: str) -> str:
    found = find(store, path)
    assert found is not None
    return str(found.resource.values["name"])


def change(store: Store, path: str, make: Callable[[Stored], dict[str, Any]]) -> Stored:
    with store.writing() as writing:
        now = writing.find(path)
        assert now is not None
        return writing.replace(path, make(now))


def remove(store: Store, path: str) -> None:
    with store.writing() as writing:
        writing.remove(path)


def test_what_was_created_is_found_again_by_a_new_start(store_url: str) -> None:
    first = open_database(store_url)
    values = {"name": "ünï", "cpu": 4, "disks": [{"capacity": 5}], "properties": {"$ref": "x"}}
    made = add(Store(first, new_secrets()), "MachineConfiguration", CONFIGS, values)
    first.close()
    second = open_database(store_url)
    found = find(Store(second, new_secrets()), made.resource.path)
    assert found == made
    assert {k: made.resource.values[k] for k in values} == values
    assert made.resource.values["parent"] == Ref(CONFIGS)
    assert made.resource.values["created"] == made.resource.values["updated"]
    second.close()


def test_a_collection_is_in_the_order_of_creation(stored: Store) -> None:
    made = [config(stored, f"c{n}").resource.path for n in range(12)]
    add(stored, "VolumeConfiguration", "volumeConfigs", {"name": "v"})
    with stored.reading() as reading:
        assert [item.path for item in reading.in_collection(CONFIGS)] == made
        assert [item.path for item in reading.in_collection(CONFIGS, 3, 5)] == made[2:5]
        assert list(reading.in_collection(CONFIGS, 5, 3)) == []
        assert reading.count(CONFIGS) == 12


def test_what_waits_for_the_commit_is_called_after_it_and_only_then(stored: Store) -> None:
    seen: list[int] = []

    def look() -> None:
        with stored.reading() as reading:
            seen.append(reading.count(CONFIGS))

    with stored.writing() as writing:
        writing.after_commit.append(look)
        writing.add("MachineConfiguration", CONFIGS, {"name": "a"})
        assert seen == []
    assert seen == [1]
    with suppress(LookupError), stored.writing() as writing:
        writing.after_commit.append(look)
        raise LookupError
    assert seen == [1]


def test_what_was_walked_through_can_be_changed_in_the_same_transaction(stored: Store) -> None:
    config(stored, "a")
    with stored.writing() as writing:
        for found in list(writing.in_collection(CONFIGS)):
            writing.replace(found.path, {"name": "b"})
        assert [item.values["name"] for item in writing.in_collection(CONFIGS)] == ["b"]


def test_a_change_counts_and_is_dated(stored: Store) -> None:
    path = config(stored, "a", cpu=1).resource.path
    changed = change(stored, path, lambda now: {**now.resource.values, "cpu": 2, "name": None})
    assert changed.revision == 2
    assert changed.resource.values["cpu"] == 2
    assert "name" not in changed.resource.values
    assert changed.resource.values["updated"] > changed.resource.values["created"]


def test_a_change_that_is_refused_changes_nothing(stored: Store) -> None:
    made = config(stored, "a")

    def refused() -> None:
        with stored.writing() as writing:
            writing.replace(made.resource.path, {"name": "b"})
            writing.add("MachineConfiguration", CONFIGS, {})
            writing.remove(made.resource.path)
            raise ConflictError("no")

    with pytest.raises(ConflictError):
        refused()
    assert find(stored, made.resource.path) == made


def test_changes_at_the_same_time_all_count(stored: Store) -> None:
    path = config(stored, "a", cpu=0).resource.path

    def add_one(_: int) -> None:
        change(stored, path, lambda now: {"cpu": now.resource.values.get("cpu", 0) + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(24)))
    found = find(stored, path)
    assert found is not None
    assert (found.resource.values["cpu"], found.revision) == (24, 25)


def test_references_vanish_with_what_they_lead_to(stored: Store) -> None:
    kept, gone = config(stored, "kept").resource.path, config(stored, "gone").resource.path
    volumes = [
        {"volume": Ref("volumes/1"), "credential": Ref("credentials/1")},
        {"volume": Ref("volumes/2"), "initialLocation": "/dev/vdb"},
    ]
    image = Ref("machineImages/1", values={"name": "override", "description": None})
    said = {"machineConfig": Ref(gone), "machineImage": image, "volumes": volumes}
    template = add(stored, "MachineTemplate", "machineTemplates", {"name": "t", **said})
    for path in (gone, gone, "credentials/1", "volumes/2"):
        remove(stored, path)
    found = find(stored, template.resource.path)
    assert found is not None
    assert found.resource.values.keys() & said.keys() == {"machineImage", "volumes"}
    assert found.resource.values["machineImage"] == image
    # a Volume to connect is nothing without the Volume
    assert found.resource.values["volumes"] == [{"volume": Ref("volumes/1")}]
    assert found.resource.values["updated"] == template.resource.values["updated"]
    change(stored, template.resource.path, lambda now: {**now.resource.values, "name": "u"})
    again = add(stored, "MachineConfiguration", CONFIGS, {}, gone.rpartition("/")[2])
    assert again.resource.path == gone
    found = find(stored, template.resource.path)
    assert found is not None
    assert "machineConfig" not in found.resource.values
    assert find(stored, kept) is not None


def test_a_deletion_costs_the_same_however_many_jobs_tell_of_it(
    stored: Store, database: Database
) -> None:
    counted: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda *said: counted.append(said[2]))
    costs = []
    for jobs in (1, 400):
        path = config(stored, "a").resource.path
        with stored.writing() as writing:
            made = [
                writing.add("Job", "jobs", {"affectedResources": [Ref(path), Ref(CONFIGS)]})
                for _ in range(jobs)
            ]
        with stored.writing() as writing:
            counted.clear()
            assert writing.dependents(path) == []
            writing.remove(path)
            costs.append(len(counted))
        job = find(stored, made[-1].resource.path)
        assert job is not None
        assert job.resource.values["affectedResources"] == [Ref(CONFIGS)]
    assert costs[0] == costs[1]


def test_what_is_below_goes_with_its_owner(stored: Store) -> None:
    owner = add(stored, "EventLog", "eventLogs", {}).resource.path
    event = add(stored, "Event", f"{owner}/events", {}).resource.path
    other = add(stored, "Event", f"{owner}x/events", {}).resource.path
    remove(stored, owner)
    assert find(stored, event) is None
    assert find(stored, other) is not None


def test_a_collection_lists_what_lives_elsewhere_until_it_is_gone(stored: Store) -> None:
    one, other = config(stored, "one").resource.path, "machines/7"
    system = add(stored, "System", "systems", {}).resource.path
    listing = f"{system}/machines"
    with stored.writing() as writing:
        assert writing.list_in(listing, other, {"initialLocation": "/dev/vdb"})
        assert writing.list_in(listing, one)
        assert not writing.list_in(listing, one)
        assert [row.member for row in writing.listed(listing)] == [other, one]
        assert writing.listed(listing)[0].values == {"initialLocation": "/dev/vdb"}
        assert writing.listings_of([one, "machines/8"]) == {one: [listing]}
        assert writing.updated(listing)
        [resource], count = writing.listed_resources(listing)
        assert (resource.path, count) == (one, 1)
        assert writing.listed_resources(listing, 2) == ([], 1)
        writing.remove(one)
        assert [row.member for row in writing.listed(listing)] == [other]
        assert writing.unlist(listing, other)
        assert not writing.unlist(listing, other)
        writing.list_in(listing, other)
        writing.remove(system)
        assert writing.listed(listing) == []


def test_overlays_are_kept_for_what_lives_elsewhere(stored: Store) -> None:
    log = add(stored, "EventLog", "eventLogs", {}).resource.path
    with stored.writing() as writing:
        writing.set_overlay("machines/1", {"name": "web", "eventLog": Ref(log)})
        writing.set_overlay("machines/1/disks/1", {"name": "disk"})
    with stored.reading() as reading:
        assert reading.overlays(["machines/1", "machines/2"]) == {
            "machines/1": reading.overlay("machines/1")
        }
        assert reading.overlay("machines/1")["eventLog"] == Ref(log)
        assert reading.overlay("machines/2") == {}
    remove(stored, log)
    with stored.reading() as reading:
        found = reading.overlay("machines/1")
    assert found.keys() == {"name", "updated"}


def test_what_goes_with_an_owner_is_told_with_what_goes_with_that(stored: Store) -> None:
    def child(of: str) -> str:
        return add(stored, "System", "systems", {"parent": Ref(of)}).resource.path

    top = add(stored, "System", "systems", {}).resource.path
    one = child(f"{top}/systems")
    two = child(f"{one}/systems")
    log = add(stored, "EventLog", "eventLogs", {"targetResource": Ref(two)}).resource.path
    add(stored, "Job", "jobs", {"targetResource": Ref(two)})
    add(stored, "Event", f"{log}/events", {"content": {"resource": Ref(log)}})
    with stored.writing() as writing:
        writing.replace(top, {"parent": Ref(f"{two}/systems")})  # a ring, come to the worst
        assert writing.dependents(top) == [one, two, log]
        assert writing.dependents(log) == []


def test_chains_of_children_may_be_long(stored: Store) -> None:
    with stored.writing() as writing:
        path = first = writing.add("System", "systems", {}).resource.path
        for _ in range(1010):
            path = writing.add("System", "systems", {"parent": Ref(path)}).resource.path
        assert len(writing.dependents(first)) == 1010


def test_a_reader_sees_one_state_of_the_store(stored: Store) -> None:
    made = config(stored, "a").resource.path
    with stored.reading() as reading, ThreadPoolExecutor(1) as other:
        assert reading.count(CONFIGS) == 1
        other.submit(config, stored, "b").result()
        other.submit(change, stored, made, lambda _: {"name": "c"}).result()
        found = reading.find(made)
        assert found is not None
        assert (reading.count(CONFIGS), found.resource.values["name"]) == (1, "a")


def test_what_a_writer_has_read_stays_true(stored: Store) -> None:
    def ensure_one(_: int) -> None:
        with stored.writing() as writing:
            if not writing.count(CONFIGS):
                writing.add("MachineConfiguration", CONFIGS, {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ensure_one, range(16)))
    with stored.reading() as reading:
        assert reading.count(CONFIGS) == 1


def test_what_only_reads_waits_for_no_writer(stored: Store) -> None:
    made = config(stored, "a").resource.path
    with stored.writing() as writing:
        writing.replace(made, {"name": "b"})
        assert name_at(stored, made) == "b"  # its own changes it sees
        with ThreadPoolExecutor(1) as other:
            assert other.submit(name_at, stored, made).result() == "a"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.builds(Ref, st.text(min_size=1)) | st.builds(lambda url: Ref(url=url), st.text())
    | st.builds(Sealed, st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(min_size=1), VALUE, max_size=4))
def test_documents_come_back_as_they_were_written(values: dict[str, Any]) -> None:
    kept = {name: value for name, value in values.items() if value is not None}
    assert read_document(write_document(values)) == kept


@given(VALUE)
def test_no_reference_to_a_target_is_left(value: Any) -> None:
    for target in set(targets_of(value)):
        assert target not in set(targets_of(without_targets({}, {"x": value}, {target})))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_is_kept(stored: Store, name: str) -> None:
    assert config(stored, name).resource.values["name"] == name


def test_bridges_that_start_together_migrate_once(store_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_database(store_url), range(4)))
    assert [config(Store(each, new_secrets()), "x").revision for each in opened] == [1] * 4
    for each in opened:
        each.close()


def test_a_store_of_version_5_is_brought_up_to_date(store_url: str) -> None:
    database = open_database(store_url)
    store = Store(database, new_secrets())
    owner = add(store, "System", "systems", {}).resource.path
    child = add(store, "Credential", "credentials", {"parent": Ref(owner)}).resource.path
    with store.writing() as writing:
        writing.list_in(f"{owner}/machines", "machines/1")
        writing.set_overlay("machines/1", {"parent": Ref(f"{owner}/machines")})
    with database.transaction() as connection:
        for statement in (
            "DROP TABLE links",
            "CREATE TABLE links (source TEXT, target TEXT, PRIMARY KEY (source, target))",
            "CREATE INDEX links_by_target ON links (target)",
            "DROP TABLE collections",
            "DROP INDEX listings_in_order",
            "DROP TABLE job_claims",
            "DELETE FROM migrations WHERE number > 5",
        ):
            connection.execute(text(statement))
    migrate(database._engine)
    with store.reading() as reading:
        assert reading.dependents(owner) == [child, "machines/1"]
    remove(store, owner)
    found = find(store, child)
    assert found is not None
    assert found.resource.values["parent"] == Ref("credentials")
    database.close()


def test_a_store_of_a_newer_program_is_refused(store_url: str) -> None:
    database = open_database(store_url)
    with database.transaction() as connection:
        connection.execute(insert(MIGRATIONS).values(number=len(STEPS) + 1, applied="later"))
    with pytest.raises(ConfigError, match="start the newer program"):
        migrate(database._engine)
    database.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no database URL"),
        ("mysql://h/x", "SQLite and PostgreSQL"),
        ("sqlite:////no/such/folder/x.db", "cannot be used"),
        ("postgresql://u:secret@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_a_store_that_cannot_be_opened_is_told_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        open_database(url)
    assert said in error.value.message
    assert "secret" not in error.value.message


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(ConfigError, match="not a database"):
        open_database(f"sqlite:///{path}")


def test_a_full_disk_loses_nothing_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    database = open_database(f"sqlite:///{path}")
    stored = Store(database, new_secrets())
    made = config(stored, "kept")
    with database.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreUnavailable, match="try again"):
        config(stored, "x" * 100_000)
    assert find(stored, made.resource.path) == made
    database.close()
    with sqlite3.connect(path) as check:
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
