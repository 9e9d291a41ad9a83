"""Secrets of consumers: never in the store as they are, never in an answer, never lost quietly."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import falcon.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, delete, select

from cimi_cim.cli.stores import opened_box, opened_store
from cimi_cim.config import Config
from cimi_cim.credentials import Secret
from cimi_cim.errors import CimiCimError, ConfigError, StoreUnavailable
from cimi_cim.http.app import make_app
from cimi_cim.mapping.engine import Engine
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import Access, Kind
from cimi_cim.service.service import make_service
from cimi_cim.service.store.database import Database, open_database
from cimi_cim.service.store.keys import made_key_file, open_box, read_keys
from cimi_cim.service.store.secrets import Sealed, SecretBox, Secrets
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.tables import KEY_CHECK, METADATA

PASSWORD = "Tr0ub4dor&3"
OLD, NEW = SecretBox.new_key(), SecretBox.new_key()
MODEL = load_model()
CREDENTIAL = {"name": "c", "userName": "ada", "password": PASSWORD}
INLINED = {
    "name": "s",
    "componentDescriptors": [
        {"name": "m", "machineTemplate": {
            "credential": {"userName": "ada", "password": PASSWORD},
            "machineImage": Ref("machineImages/1", values={"name": "override"}),
        }},
        {"name": "r", "machineTemplate": Ref("machineTemplates/1", values={
            "credential": Ref("credentials/1", values={"password": PASSWORD}),
        })},
        {"name": "t", "credentialTemplate": {"password": PASSWORD, "properties": {"a": "b"}}},
        {"name": "s", "systemTemplate": {
            "componentDescriptors": [{"credentialTemplate": {"password": PASSWORD}}],
        }},
    ],
}  # fmt: skip


@pytest.fixture
def secrets(database: Database) -> Secrets:
    return Secrets(MODEL, open_box(database, [OLD]))


@pytest.fixture
def store(database: Database, secrets: Secrets) -> Store:
    return Store(database, secrets)


def contents(database: Database) -> str:
    """All that any table holds, as text."""
    with database.transaction(writes=False) as connection:
        found = MetaData()
        found.reflect(connection)
        assert set(METADATA.tables) <= set(found.tables)
        tables: list[Table] = list(found.tables.values())
        return "".join(str(row) for table in tables for row in connection.execute(select(table)))


def sealed_in(value: Any) -> Iterator[Sealed]:
    if isinstance(value, Sealed):
        yield value
    elif isinstance(value, Ref):
        yield from sealed_in(dict(value.values))
    elif isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from sealed_in(inside)


# What is sealed.


def test_a_secret_is_stored_sealed_and_revealed_on_request(
    store: Store, secrets: Secrets, database: Database
) -> None:
    with store.writing() as writing:
        path = writing.add("Credential", "credentials", CREDENTIAL).resource.path
    with store.reading() as reading:
        stored = reading.find(path)
    assert stored is not None
    values = stored.resource.values
    assert values["userName"] == "ada"
    assert isinstance(values["password"], Sealed)
    assert secrets.reveal(values["password"]) == Secret(PASSWORD)
    assert PASSWORD not in contents(database)
    assert PASSWORD not in repr(stored)


def test_a_secret_that_is_changed_is_sealed_and_one_that_is_not_stays(
    store: Store, secrets: Secrets, database: Database
) -> None:
    with store.writing() as writing:
        made = writing.add("Credential", "credentials", {**CREDENTIAL, "password": "first"})
        renamed = writing.replace(made.resource.path, {**made.resource.values, "name": "d"})
        assert renamed.resource.values["password"] == made.resource.values["password"]
        changed = writing.replace(made.resource.path, {**CREDENTIAL, "name": "d"})
    assert secrets.reveal(changed.resource.values["password"]) == Secret(PASSWORD)
    assert PASSWORD not in contents(database)


def test_secrets_are_sealed_however_deep_they_are(
    store: Store, secrets: Secrets, database: Database
) -> None:
    with store.writing() as writing:
        values = writing.add("SystemTemplate", "systemTemplates", INLINED).resource.values
    assert PASSWORD not in contents(database)
    found = list(sealed_in(values))
    assert [secrets.reveal(each) for each in found] == [Secret(PASSWORD)] * 4
    descriptors = values["componentDescriptors"]
    assert descriptors[0]["machineTemplate"]["credential"]["userName"] == "ada"
    assert descriptors[2]["credentialTemplate"]["properties"] == {"a": "b"}


def test_references_that_vanish_leave_secrets_as_they_are(store: Store) -> None:
    with store.writing() as writing:
        gone = writing.add("MachineImage", "machineImages", {}).resource.path
        template = {"machineImage": Ref(gone), "credential": {"password": PASSWORD}}
        made = writing.add("MachineTemplate", "machineTemplates", template)
        writing.remove(gone)
        left = writing.find(made.resource.path)
    assert left is not None
    assert "machineImage" not in left.resource.values
    assert left.resource.values["credential"] == made.resource.values["credential"]


def test_nothing_but_secrets_is_sealed() -> None:
    sealed = Secrets(MODEL, SecretBox([OLD])).sealed
    values = {**CREDENTIAL, "password": None, "properties": {"password": "mine"}}
    assert sealed("Credential", values) == values
    config = {"name": "password", "disks": [{"format": "password"}], "unknown": [1, {"a": None}]}
    assert sealed("MachineConfiguration", config) == config


def test_the_tables_have_secrets_only_where_they_are_sealed() -> None:
    """Text, in types of the store: overlays of what lives in WBEM servers hold none."""
    found = {
        (resource.name, row.name, row.kind)
        for resource in MODEL.types.values()
        for row in resource.attributes.values()
        if row.access is Access.WRITE_ONLY
    }
    types = ("Credential", "CredentialTemplate")
    assert found == {(name, "password", Kind.STRING) for name in types}
    structures = [row for each in MODEL.structures.values() for row in each.rows]
    assert not [row for row in structures if row.access is Access.WRITE_ONLY]


def test_no_file_of_the_store_holds_a_secret(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cimi.db'}"
    database = open_database(url)
    store = Store(database, Secrets(MODEL, open_box(database, [OLD])))
    for values in (CREDENTIAL, {**CREDENTIAL, "password": f"{PASSWORD}x"}):
        with store.writing() as writing:
            made = writing.add("Credential", "credentials", values)
            writing.replace(made.resource.path, values)
    files = sorted(tmp_path.iterdir())
    assert "cimi.db-wal" in [file.name for file in files]
    for file in files:
        assert PASSWORD.encode() not in file.read_bytes()
        assert OLD.reveal().encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    database.close()
    assert PASSWORD.encode() not in (tmp_path / "cimi.db").read_bytes()


# What is shown.


def test_no_answer_and_no_log_shows_a_secret(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="cimi_cim")
    with store.writing() as writing:
        paths = [
            writing.add("Credential", "credentials", CREDENTIAL).resource.path,
            writing.add("CredentialTemplate", "credentialTemplates", CREDENTIAL).resource.path,
            writing.add("SystemTemplate", "systemTemplates", INLINED).resource.path,
        ]
        tokens = [
            each.token
            for path in paths
            for each in sealed_in(writing.find(path).resource.values)  # type: ignore[union-attr]
        ]
    assert len(tokens) == 6
    client = falcon.testing.TestClient(make_app(make_service(MODEL, Engine([]), store)))
    for version in ("1", "2"):
        for path in [*paths, *(path.partition("/")[0] for path in paths), ""]:
            for query in ("", "$select=password,name", "$expand=*"):
                for accept in ("application/json", "application/xml"):
                    reply = client.simulate_get(
                        f"/cimi/{version}/{path}".rstrip("/"),
                        query_string=query,
                        headers={"Accept": accept},
                    )
                    assert reply.status_code == 200
                    assert not any(word in reply.text for word in (PASSWORD, *tokens))
                    is_told = query == "$expand=*"  # by the metadata, as an attribute
                    assert not path or is_told or "password" not in reply.text
    assert "/credentials/" in caplog.text
    assert PASSWORD not in caplog.text


NS = "http://schemas.dmtf.org/cimi/2"
CREATES = {
    "application/json": (
        f'{{"resourceURI": "{NS}/CredentialCreate", "name": "c", "credentialTemplate":'
        f' {{"userName": "ada", "password": "{PASSWORD}"}}}}'
    ),
    "application/xml": (
        f'<CredentialCreate xmlns="{NS}"><name>c</name><credentialTemplate><userName>ada</userName>'
        f"<password>{escape(PASSWORD)}</password></credentialTemplate></CredentialCreate>"
    ),
}


@pytest.mark.parametrize("media", list(CREATES))
def test_a_secret_goes_in_over_http_and_never_out(
    store: Store, secrets: Secrets, database: Database, media: str
) -> None:
    client = falcon.testing.TestClient(make_app(make_service(MODEL, Engine([]), store)))
    headers = {"Content-Type": media, "Accept": media}
    made = client.simulate_post("/cimi/2/credentials", body=CREATES[media], headers=headers)
    assert made.status_code == 201, made.text
    assert "ada" in made.text
    path = made.headers["Location"].partition("/cimi/2/")[2]
    update = {"resourceURI": f"{NS}/Credential", "name": "d", "userName": "eve"}
    changed = client.simulate_put(f"/cimi/2/{path}", json=update)
    assert "eve" in changed.text
    with store.reading() as reading:
        stored = reading.find(path)
    assert stored is not None
    assert secrets.reveal(stored.resource.values["password"]) == Secret(PASSWORD)
    job = client.simulate_get(f"/cimi/2/{made.headers['CIMI-Job-URI'].partition('/cimi/2/')[2]}")
    assert job.json["state"] == "SUCCESS"
    told = made.text + changed.text + job.text + contents(database)
    assert not any(word in told for word in (PASSWORD, escape(PASSWORD)))


def test_a_credential_made_from_a_template_has_its_secret(store: Store, secrets: Secrets) -> None:
    client = falcon.testing.TestClient(make_app(make_service(MODEL, Engine([]), store)))
    template = client.simulate_post("/cimi/2/credentialTemplates", json=CREDENTIAL)
    assert template.status_code == 201, template.text
    create = {"credentialTemplate": {"href": template.headers["Location"]}}
    made = client.simulate_post("/cimi/2/credentials", json=create)
    assert made.status_code == 201, made.text
    with store.reading() as reading:
        stored = reading.find(made.headers["Location"].partition("/cimi/2/")[2])
    assert stored is not None
    assert secrets.reveal(stored.resource.values["password"]) == Secret(PASSWORD)


@pytest.mark.parametrize(
    "query",
    [
        f"$filter=password='{PASSWORD}'",
        "$filter=password!='x'",
        "$filter='x'=password or name='c'",
        "$orderby=password",
        "$orderby=name,password:desc",
    ],
)
@pytest.mark.parametrize("version", ["1", "2"])
def test_nothing_can_be_asked_about_a_secret(store: Store, version: str, query: str) -> None:
    """Else whoever may read could find it out, a comparison at a time."""
    with store.writing() as writing:
        writing.add("Credential", "credentials", CREDENTIAL)
    client = falcon.testing.TestClient(make_app(make_service(MODEL, Engine([]), store)))
    reply = client.simulate_get(f"/cimi/{version}/credentials", query_string=query)
    assert reply.status_code == 400
    assert PASSWORD not in reply.text


# Keys.


@given(st.text())
def test_any_text_is_sealed_and_opened_again(text: str) -> None:
    box = SecretBox([OLD])
    token = box.seal(text)
    assert box.open(token) == text
    assert token != box.seal(text)


def test_what_was_changed_or_sealed_by_another_key_does_not_open() -> None:
    token = SecretBox([OLD]).seal(PASSWORD)
    for box, broken in ((SecretBox([NEW]), token), (SecretBox([OLD]), token[:-6] + "AAAA=="),
                        (SecretBox([OLD]), ""), (SecretBox([OLD]), PASSWORD)):  # fmt: skip
        with pytest.raises(StoreUnavailable) as caught:
            box.open(broken)
        assert caught.value.reason == "secret-unreadable"


def test_both_alphabets_of_base64_are_taken() -> None:
    raw = b"\xfb\xff" * 16
    url_safe = SecretBox([Secret(base64.urlsafe_b64encode(raw).decode())])
    standard = SecretBox([Secret(f"{base64.b64encode(raw).decode()}\n")])
    assert standard.open(url_safe.seal(PASSWORD)) == PASSWORD


@pytest.mark.parametrize(
    "key", ["", PASSWORD, "A" * 44, "A" * 42 + "==", "A" * 44 + "=", "ä" * 43 + "=", "A" * 64]
)
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="openssl rand -base64 32") as caught:
        SecretBox([Secret(key)])
    assert not key or key not in caught.value.message


def test_keys_stand_one_behind_the_other() -> None:
    assert read_keys(Secret("a, b\nc\r\n\n")) == [Secret("a"), Secret("b"), Secret("c")]
    with pytest.raises(ConfigError, match="no key"):
        SecretBox(read_keys(Secret(" \n")))


def test_another_key_than_the_stores_is_refused_at_the_start(database: Database) -> None:
    open_box(database, [OLD])
    with pytest.raises(ConfigError, match="sealed with another key"):
        open_box(database, [NEW])
    open_box(database, [OLD])


def test_a_new_key_takes_over_what_the_old_one_sealed(database: Database) -> None:
    with Store(database, Secrets(MODEL, open_box(database, [OLD]))).writing() as writing:
        made = writing.add("SystemTemplate", "systemTemplates", INLINED)
        plain = writing.add("Credential", "credentials", {"name": 'a "$sealed" name'})
    open_box(database, [NEW, OLD])
    with pytest.raises(ConfigError, match="sealed with another key"):
        open_box(database, [OLD])
    secrets = Secrets(MODEL, open_box(database, [NEW]))
    with Store(database, secrets).reading() as reading:
        found = reading.find(made.resource.path)
        assert reading.find(plain.resource.path) == plain
    assert found is not None
    assert (found.revision, found.resource.values["updated"]) == (
        1,
        made.resource.values["updated"],
    )
    opened = [secrets.reveal(each) for each in sealed_in(found.resource.values)]
    assert opened == [Secret(PASSWORD)] * 4


def test_what_a_lost_key_sealed_is_told_and_stops_nothing(database: Database) -> None:
    with Store(database, Secrets(MODEL, open_box(database, [SecretBox.new_key()]))).writing() as w:
        lost = w.add("Credential", "credentials", CREDENTIAL).resource.path
    with database.transaction() as connection:
        connection.execute(delete(KEY_CHECK))
    with Store(database, Secrets(MODEL, open_box(database, [OLD]))).writing() as writing:
        kept = writing.add("Credential", "credentials", CREDENTIAL).resource.path
    secrets = Secrets(MODEL, open_box(database, [NEW, OLD]))
    with Store(database, secrets).writing() as writing:
        found = writing.find_many([lost, kept])
        assert secrets.reveal(found[kept].values["password"]) == Secret(PASSWORD)
        with pytest.raises(StoreUnavailable, match="set the secret again"):
            secrets.reveal(found[lost].values["password"])
        again = writing.replace(lost, CREDENTIAL)
    assert secrets.reveal(again.resource.values["password"]) == Secret(PASSWORD)


def test_bridges_that_start_together_agree_on_one_key(store_url: str) -> None:
    opened = [open_database(store_url) for _ in range(4)]

    def starts(database: Database) -> bool:
        try:
            open_box(database, [SecretBox.new_key()])
        except CimiCimError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(starts, opened)) == [False, False, False, True]
    for each in opened:
        each.close()


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "cimi.db.key"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: made_key_file(file), range(8)))
    assert made == [made[0]] * 8
    assert SecretBox(made[0])
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


# Where the key comes from.


def test_a_file_store_has_its_key_beside_it(tmp_path: Path) -> None:
    config = Config(store=Secret(f"sqlite:///{tmp_path / 'cimi.db'}"))
    with opened_store(config) as database:
        token = opened_box(config, database).seal(PASSWORD)
        assert opened_box(config, database).open(token) == PASSWORD
        key = (tmp_path / "cimi.db.key").read_text()
        (tmp_path / "cimi.db.key").unlink()
        with pytest.raises(ConfigError, match=r"cimi\.db\.key is not there; bring it back"):
            opened_box(config, database)
        assert not (tmp_path / "cimi.db.key").exists()
        named = Config(store=config.store, store_key=Secret(key))
        assert opened_box(named, database).open(token) == PASSWORD


def test_a_key_may_be_named(store_url: str, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "named.key"
    file.write_text(f"{NEW.reveal()}\n{OLD.reveal()}\n")
    by_file = Config(store=Secret(store_url), store_key_file=file)
    token = opened_box(by_file, database).seal(PASSWORD)
    by_text = Config(store=Secret(store_url), store_key=NEW)
    assert opened_box(by_text, database).open(token) == PASSWORD
    assert not list(tmp_path.glob("*.db.key"))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"\xff", "something else than keys"), (b"", "no key"),
     (b"x", "32 bytes in base64")],
)  # fmt: skip
def test_a_key_file_that_is_none_is_told(
    database: Database, store_url: str, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "named.key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        opened_box(Config(store=Secret(store_url), store_key_file=file), database)


def test_a_store_of_several_bridges_wants_a_key_to_be_named(database: Database) -> None:
    config = Config(store=Secret("postgresql://me@db.example/cimi"))
    with pytest.raises(ConfigError, match="openssl rand -base64 32"):
        opened_box(config, database)


def test_a_temporary_store_has_a_key_that_nobody_keeps() -> None:
    with opened_store(Config()) as database:
        box = opened_box(Config(), database)
        assert box.open(box.seal(PASSWORD)) == PASSWORD
        with pytest.raises(ConfigError):
            opened_box(Config(), database)
