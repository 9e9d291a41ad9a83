"""Pages of a long stored Collection: read as far as needed, in memory that stays small."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import insert

from cimi_cim.model.filters import parse_filter
from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.paging import page_of
from cimi_cim.service.query import OrderKey, Query
from cimi_cim.service.read import neutral_path
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.tables import RESOURCES
from tests.services import new_secrets

ITEMS = 10_000
CONFIGS = "machineConfigs"
RESOURCE = load_model()["MachineConfiguration"]
PADDING = "x" * 1000  # so that all items together are some 11 MB


@pytest.fixture
def store(database: Database) -> Store:
    rows = [
        {
            "path": f"{CONFIGS}/{n:05}", "type": "MachineConfiguration", "collection": CONFIGS,
            "position": n, "created": "", "updated": "", "revision": 1,
            "document": f'{{"name":"c{n:05}","cpu":{n % 7},"description":"{PADDING}"}}',
        }
        for n in range(1, ITEMS + 1)
    ]  # fmt: skip
    with database.transaction() as connection:
        connection.execute(insert(RESOURCES), rows)
    return Store(database, new_secrets())


@contextmanager
def peak_bytes() -> Iterator[list[int]]:
    """The most memory that the block takes at a time."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def names(store: Store, query: Query) -> tuple[list[str], int]:
    with store.reading() as reading:
        items, count = page_of(reading, CONFIGS, query, neutral_path)
    return [str(item.values["name"]) for item in items], count


def test_a_page_reads_its_own_rows_alone(store: Store) -> None:
    with peak_bytes() as peak:
        found = names(store, Query(first=9_001, last=9_050))
    assert found == ([f"c{n:05}" for n in range(9_001, 9_051)], ITEMS)
    assert peak[0] < 2**20  # fifty rows, and not ten thousand


def test_filter_and_order_keep_what_they_compare_and_nothing_else(store: Store) -> None:
    cpu = RESOURCE.attributes["cpu"]
    query = Query(
        filters=(parse_filter("cpu>=2", RESOURCE, CimiVersion.V2),),
        order=(OrderKey(cpu, is_descending=True),),
        first=1,
        last=3,
    )
    with peak_bytes() as peak:
        found, count = names(store, query)
    assert found == ["c00006", "c00013", "c00020"]
    assert count == sum(n % 7 >= 2 for n in range(1, ITEMS + 1))
    assert peak[0] < 8 * 2**20  # the whole Collection is more
