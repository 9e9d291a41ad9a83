"""Which keys a store's secrets are sealed with: known by the store, but never kept in it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy import Connection, select, text, update

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError, StoreUnavailable
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.documents import read_document, with_sealed, write_document
from cimi_cim.service.store.secrets import Sealed, SecretBox
from cimi_cim.service.store.tables import KEY_CHECK, LISTINGS, OVERLAYS, RESOURCES

_CHECK = "cimi-cim"
_LONGEST_FILE = 64 * 1024


def read_keys(said: Secret) -> list[Secret]:
    """Return the keys of a text, separated by commas or white space, the newest first."""
    return [Secret(word) for word in re.split(r"[\s,]+", said.reveal()) if word]


def read_key_file(file: Path) -> list[Secret]:
    """Return the keys in a file, the newest first. Raises `ConfigError`."""
    try:
        with file.open(encoding="ascii") as stream:
            return read_keys(Secret(stream.read(_LONGEST_FILE)))
    except OSError as exc:
        raise ConfigError(f"the key file {file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the key file {file} holds something else than keys") from exc


def made_key_file(file: Path) -> list[Secret]:
    """Return the keys in a file, which is made with a new key if it is not there.

    It appears in one piece, for its owner alone to read. Raises `ConfigError`.
    """
    if file.exists():
        return read_key_file(file)
    try:
        # Readable by its owner alone from the first moment on.
        with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.") as stream:
            stream.write(f"{SecretBox.new_key().reveal()}\n")
            stream.flush()
            os.fsync(stream.fileno())
            with suppress(FileExistsError):  # another process that starts was faster
                os.link(stream.name, file)
    except OSError as exc:
        raise ConfigError(f"the key file {file} cannot be made: {exc.strerror}") from exc
    return read_key_file(file)


def has_sealed(database: Database) -> bool:
    """Whether the store knows a key already: then no other one can take its place."""
    with database.transaction(writes=False) as connection:
        return connection.scalar(select(KEY_CHECK.c.sealed)) is not None


def open_box(database: Database, keys: Sequence[Secret]) -> SecretBox:
    """Return what seals and opens the secrets of a store.

    The first key seals; what others of them sealed is sealed with the first one before this
    returns. Raises `ConfigError` for keys of which none is the store's.
    """
    box = SecretBox(keys)
    with database.transaction() as connection:
        kept = _check_of(connection, box)
        try:
            is_newest = box.is_newest(kept)
        except StoreUnavailable as exc:
            raise ConfigError(
                "the secrets in the store are sealed with another key than the one that is"
                " configured; name the key that the store was used with, behind the new one if the"
                " key is to change"
            ) from exc
        if not is_newest:
            _seal_again(connection, box)
    return box


def _check_of(connection: Connection, box: SecretBox) -> str:
    """What the store's key sealed, to know it by; the first to come says which key it is."""
    connection.execute(
        text("INSERT INTO key_check (number, sealed) VALUES (1, :sealed) ON CONFLICT DO NOTHING"),
        {"sealed": box.seal(_CHECK)},
    )
    return str(connection.scalars(select(KEY_CHECK.c.sealed)).one())


def _seal_again(connection: Connection, box: SecretBox) -> None:
    def again(sealed: Sealed) -> Sealed:
        try:
            return Sealed(box.seal(box.open(sealed.token)))
        except StoreUnavailable:
            return sealed  # of a key that was lost before; it must not stop those that follow

    for table in (RESOURCES, OVERLAYS, LISTINGS):
        keys = tuple(table.primary_key.columns)
        holding = select(*keys).where(table.c.document.contains('"$sealed"'))
        for row in connection.execute(holding).all():
            this = [column == value for column, value in zip(keys, row, strict=True)]
            query = select(table.c.document).where(*this).with_for_update()
            values = read_document(connection.scalars(query).one())
            document = write_document({n: with_sealed(v, again) for n, v in values.items()})
            connection.execute(update(table).where(*this).values(document=document))
    connection.execute(update(KEY_CHECK).values(sealed=box.seal(_CHECK)))
