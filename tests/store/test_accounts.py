"""Users: what the store keeps of them, and who is let in at which cost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from cimi_cim.credentials import Secret
from cimi_cim.errors import BadRequest, CimiCimError, ConflictError, NotFound
from cimi_cim.service import passwords
from cimi_cim.service.accounts import Accounts, Principal, Role, checked_name
from cimi_cim.service.passwords import Passwords
from cimi_cim.service.store.database import Database, open_database
from cimi_cim.service.store.tables import USERS

GOOD, WRONG = Secret("correct horse"), Secret("battery staple")
ADA = Principal("ada", Role.ADMINISTRATOR)


class CountingHasher(PasswordHasher):
    """Cheap argon2, and how often it was asked with which hash."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost, CHEAPEST.memory_cost, CHEAPEST.parallelism)
        self.verified: list[str | bytes] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified.append(hash)
        return super().verify(hash, password)


class Time:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def accounts(database: Database, hasher: CountingHasher, time: Time) -> Accounts:
    made = Accounts(database, Passwords(hasher, time.monotonic), time.wall)
    made.add("ada", GOOD, Role.ADMINISTRATOR)
    return made


def test_a_user_is_let_in_with_the_password_and_with_no_other(accounts: Accounts) -> None:
    assert accounts.verify("ada", GOOD) == ADA
    assert accounts.verify("ada", WRONG) is None
    assert accounts.verify("Ada", GOOD) is None
    assert accounts.verify("bob", GOOD) is None


def test_a_user_is_no_administrator_unless_that_is_said(accounts: Accounts) -> None:
    accounts.add("bob", GOOD)
    assert accounts.verify("bob", GOOD) == Principal("bob", Role.USER)
    assert [(user.name, user.role) for user in accounts.users()] == [
        ("ada", Role.ADMINISTRATOR),
        ("bob", Role.USER),
    ]


def test_a_user_is_known_to_the_next_start(accounts: Accounts, store_url: str) -> None:
    second = open_database(store_url)
    assert Accounts(second, Passwords(CountingHasher())).verify("ada", GOOD) == ADA
    second.close()


def test_the_store_holds_an_argon2id_hash_and_no_password(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'users.db'}")
    Accounts(database).add("ada", GOOD)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in kept
    assert GOOD.reveal().encode() not in kept
    database.close()


def test_a_new_password_counts_at_once_and_the_old_one_no_longer(
    accounts: Accounts, time: Time
) -> None:
    assert accounts.verify("ada", GOOD)
    time.seconds = 60
    accounts.set_password("ada", WRONG)
    assert accounts.verify("ada", GOOD) is None
    assert accounts.verify("ada", WRONG) == ADA
    (user,) = accounts.users()
    assert (user.created, user.updated) == (
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:01:00+00:00",
    )


def test_what_another_process_changes_counts_at_once(accounts: Accounts, store_url: str) -> None:
    """The operator's command is another process than the bridge."""
    assert accounts.verify("ada", GOOD)
    second = open_database(store_url)
    other = Accounts(second, Passwords(CountingHasher()))
    other.set_password("ada", WRONG)
    assert accounts.verify("ada", GOOD) is None
    other.set_password("ada", GOOD)
    assert accounts.verify("ada", GOOD) == ADA
    other.remove("ada")
    assert accounts.verify("ada", GOOD) is None
    assert not accounts.are_there()
    second.close()


def test_a_user_who_was_removed_is_out_at_once(accounts: Accounts) -> None:
    assert accounts.verify("ada", GOOD)
    assert accounts.are_there()
    accounts.remove("ada")
    assert accounts.verify("ada", GOOD) is None
    assert not accounts.are_there()
    assert accounts.users() == []


def test_unknown_users_and_wrong_passwords_cost_the_same(
    accounts: Accounts, hasher: CountingHasher
) -> None:
    """One run of argon2 each, with the same parameters."""
    for name in ("ada", "nobody", "no:name", "nul\0", "", "x" * 300):
        hasher.verified.clear()
        assert accounts.verify(name, WRONG) is None
        (asked,) = hasher.verified
        assert not hasher.check_needs_rehash(asked), name


def test_only_the_first_of_many_requests_pays_for_argon2(
    accounts: Accounts, hasher: CountingHasher, time: Time
) -> None:
    for _ in range(5):
        assert accounts.verify("ada", GOOD)
    assert len(hasher.verified) == 1
    assert accounts.verify("ada", WRONG) is None
    assert accounts.verify("ada", GOOD)
    assert len(hasher.verified) == 2
    time.seconds += passwords.KNOWN_S
    assert accounts.verify("ada", GOOD)
    assert len(hasher.verified) == 3


def test_requests_of_many_users_keep_a_bounded_memory(
    database: Database, hasher: CountingHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MOST_KNOWN", 2)
    accounts = Accounts(database, Passwords(hasher))
    for name in ("a", "b", "c"):
        accounts.add(name, GOOD)
        assert accounts.verify(name, GOOD)
    assert accounts.verify("c", GOOD)
    assert len(hasher.verified) == 3
    assert accounts.verify("a", GOOD)
    assert len(hasher.verified) == 4


def test_many_first_requests_at_once_are_all_let_in(accounts: Accounts) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: accounts.verify("ada", GOOD), range(24))) == [ADA] * 24


def test_a_hash_of_older_parameters_is_renewed_by_the_next_login(
    accounts: Accounts, database: Database
) -> None:
    stronger = CountingHasher(time_cost=2)
    later = Accounts(database, Passwords(stronger))
    assert later.verify("ada", WRONG) is None
    assert later.verify("ada", GOOD) == ADA
    with database.transaction() as connection:
        kept = connection.scalars(USERS.select().with_only_columns(USERS.c.password)).one()
    assert not stronger.check_needs_rehash(kept)
    assert later.verify("ada", GOOD) == ADA
    assert len(stronger.verified) == 2
    assert accounts.verify("ada", GOOD) == ADA


def test_a_damaged_hash_lets_nobody_in(accounts: Accounts, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(update(USERS).values(password="$argon2id$nonsense"))
    assert accounts.verify("ada", GOOD) is None


def test_letters_are_the_same_however_they_are_composed(accounts: Accounts) -> None:
    accounts.add("Zo\u00eb", Secret("gr\u00fcn"))
    assert accounts.verify("Zoe\u0308", Secret("gru\u0308n"))
    with pytest.raises(ConflictError):
        accounts.add("Zoe\u0308", GOOD)
    accounts.set_password("Zoe\u0308", GOOD)
    accounts.remove("Zoe\u0308")


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        (lambda a: a.add("ada", GOOD), ConflictError, "a user 'ada' already"),
        (lambda a: a.add("", GOOD), BadRequest, "must not be empty"),
        (lambda a: a.add(" a", GOOD), BadRequest, "begin or end with a space"),
        (lambda a: a.add("a:b", GOOD), BadRequest, "colon"),
        (lambda a: a.add("a\nb", GOOD), BadRequest, "control characters"),
        (lambda a: a.add("a" * 256, GOOD), BadRequest, "255 characters at most"),
        (lambda a: a.add("a", Secret("")), BadRequest, "the password must not be empty"),
        (lambda a: a.add("a", Secret("x\0")), BadRequest, "control characters"),
        (lambda a: a.add("a", Secret("x\ud800")), BadRequest, "control characters"),
        (lambda a: a.add("a", Secret("x" * 1025)), BadRequest, "1024 characters at most"),
        (lambda a: a.set_password("bob", GOOD), NotFound, "there is no user 'bob'"),
        (lambda a: a.set_password("nul\0", GOOD), NotFound, "there is no user"),
        (lambda a: a.set_password("ada", Secret("")), BadRequest, "must not be empty"),
        (lambda a: a.remove("bob"), NotFound, "there is no user 'bob'"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    accounts: Accounts, act: Callable[[Accounts], None], error: type[CimiCimError], said: str
) -> None:
    with pytest.raises(error, match=said):
        act(accounts)
    assert [user.name for user in accounts.users()] == ["ada"]
    assert accounts.verify("ada", GOOD) == ADA


@given(st.text())
def test_a_name_that_is_taken_is_one_that_basic_can_say(name: str) -> None:
    try:
        checked = checked_name(name)
    except BadRequest:
        return
    assert checked
    assert ":" not in checked
    assert checked_name(checked) == checked
    assert f"{checked}:x".encode().decode().partition(":") == (checked, ":", "x")
