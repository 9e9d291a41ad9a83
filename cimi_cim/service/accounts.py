"""Users: who may log in, kept in the store."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from cimi_cim.credentials import Secret
from cimi_cim.errors import BadRequest, ConflictError, NotFound
from cimi_cim.service.passwords import Passwords
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.tables import USERS

LONGEST_NAME = 255
LONGEST_PASSWORD = 1024


class Role(StrEnum):
    """What a user is; what each may do is decided elsewhere."""

    ADMINISTRATOR = "administrator"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a request is; the name is empty if nobody logged in."""

    name: str
    role: Role

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody logged in."""
        return not self.name


ANYBODY = Principal("", Role.ADMINISTRATOR)
"""Whoever can reach a bridge at which nobody has to log in: may do everything."""

STRANGER = Principal("", Role.USER)
"""Whoever did not log in where others have to, and reads what is public."""


@dataclass(frozen=True, slots=True)
class User:
    """A user as the operator sees one; the times are xs:dateTime in UTC."""

    name: str
    role: Role
    created: str
    updated: str


class Accounts:
    """The users of one store; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._passwords = passwords or Passwords()
        self._clock = clock

    def add(self, name: str, password: Secret, role: Role = Role.USER) -> None:
        """Add a user. Raises `BadRequest` for what is no name or password, `ConflictError`."""
        name = checked_name(name)
        row = {"name": name, "role": role.value, "password": self._hashed(password)}
        with self._database.transaction() as connection:
            if _row(connection, name) is not None:
                raise ConflictError(
                    f"there is a user {name!r} already; `cimi-cim user passwd` sets another"
                    " password, `cimi-cim user remove` removes the user",
                    reason="user-exists",
                )
            now = self._now()
            connection.execute(insert(USERS).values(**row, created=now, updated=now))

    def users(self) -> list[User]:
        """Return all users by name."""
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(select(USERS)).all()
        users = [User(row.name, Role(row.role), row.created, row.updated) for row in rows]
        return sorted(users, key=lambda user: user.name)

    def are_there(self) -> bool:
        """Whether there is any user."""
        with self._database.transaction(writes=False) as connection:
            return connection.scalar(select(USERS.c.name).limit(1)) is not None

    def set_password(self, name: str, password: Secret) -> None:
        """Give a user another password; the old one fits no longer. Raises `NotFound`."""
        hashed = self._hashed(password)
        self._one(name, update(USERS).values(password=hashed, updated=self._now()))

    def remove(self, name: str) -> None:
        """Remove a user, who is out at once. Raises `NotFound`."""
        self._one(name, delete(USERS))

    def verify(self, name: str, password: Secret) -> Principal | None:
        """Return the user whose name and password these are, None if they are nobody's.

        A wrong password and an unknown user take the same time.
        """
        row = None
        name = unicodedata.normalize("NFC", name)
        if not _complaint(name):
            with self._database.transaction(writes=False) as connection:
                row = _row(connection, name)
        # Asked for unknown users, too: that is what makes the time equal.
        has_fitted = self._passwords.fits(name, password, None if row is None else row.password)
        if row is None or not has_fitted:
            return None
        if self._passwords.is_outdated(row.password):
            self._renew(name, password, row.password)
        return Principal(row.name, Role(row.role))

    def _renew(self, name: str, password: Secret, outdated: str) -> None:
        """Keep a hash with the parameters of today, unless the password changed meanwhile."""
        hashed = self._passwords.hash(password)
        is_same = (USERS.c.name == name) & (USERS.c.password == outdated)
        with self._database.transaction() as connection:
            connection.execute(update(USERS).where(is_same).values(password=hashed))
        self._passwords.remember(name, password, hashed)

    def _one(self, name: str, change: Any) -> None:
        name = unicodedata.normalize("NFC", name)
        with self._database.transaction() as connection:
            if _complaint(name) or _row(connection, name) is None:
                raise NotFound(
                    f"there is no user {name[:60]!r}; `cimi-cim user list` shows those there are",
                    reason="no-such-user",
                )
            connection.execute(change.where(USERS.c.name == name))

    def _hashed(self, password: Secret) -> str:
        _check_password(password.reveal())
        return self._passwords.hash(password)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="seconds")


def checked_name(name: str) -> str:
    """Return a name as it is kept. Raises `BadRequest` for what Basic cannot say (RFC 7617 2)."""
    name = unicodedata.normalize("NFC", name)
    wrong = _complaint(name)
    if wrong:
        raise BadRequest(f"the name of a user {wrong}", reason="bad-user-name")
    return name


def _complaint(name: str) -> str:
    if not name or name != name.strip():
        return "must not be empty, nor begin or end with a space"
    if ":" in name:
        return "must not hold a colon (RFC 7617 2)"
    if len(name) > LONGEST_NAME:
        return f"has {LONGEST_NAME} characters at most"
    return "" if name.isprintable() else "must not hold control characters"


def _check_password(text: str) -> None:
    wrong = ""
    if not text:
        wrong = "must not be empty"
    elif len(text) > LONGEST_PASSWORD:
        wrong = f"has {LONGEST_PASSWORD} characters at most"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        wrong = "must not hold control characters (RFC 7617 2)"
    if wrong:
        raise BadRequest(f"the password {wrong}", reason="bad-password")


def _row(connection: Connection, name: str) -> Any:
    return connection.execute(select(USERS).where(USERS.c.name == name)).first()
