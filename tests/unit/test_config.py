"""The configuration: three places, one table of keys, every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimi_cim.config import Config, HttpConfig, TargetConfig, load_config
from cimi_cim.config.tables import SECTIONS, keys_of, variable
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError

SECRET = "s3cret-word"
TARGET = "alias: a, url: 'http://h'"


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "bridge.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def mistakes(
    file: Path | None, environment: Mapping[str, str] | None = None, **flags: Any
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(file, environment=environment, flags=flags)
    assert SECRET not in caught.value.message
    return [line.removeprefix(f"{file}:") for line in caught.value.message.splitlines()]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_without_anything_said_the_defaults_hold() -> None:
    assert load_config() == Config()


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "http: {host: localhost, port: 1, threads: 3}")
    config = load_config(
        file,
        environment={"CIMI_CIM_HTTP_PORT": "2", "CIMI_CIM_HTTP_HOST": "::1", "HOME": "/"},
        flags={"http.port": 0, "http.host": None},
    )
    assert config.http == HttpConfig(host="::1", port=0, threads=3)


def test_a_target_says_what_differs_of_its_breaker(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "breaker: {failures: 2, probe_s: 3}\n"
        f"targets: [{{{TARGET}, max_reply_mib: 4, breaker: {{failures: 9, silence_s: 40}}}}]",
    )
    (target,) = load_config(file).targets
    assert target.breaker == {"failures": 9, "silence_s": 40}
    assert target.max_reply_mib == 4


def test_mistakes_in_the_breaker_of_a_target_have_their_places(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"targets:\n- {{{TARGET},\n   breaker: {{failures: 0,\n   silence: 3}}}}",
    )
    failures, silence = mistakes(file)
    assert failures == "3:24: breaker: failures must be a whole number from 1 to 1000"
    assert silence.startswith("4:13: breaker: unknown key 'silence'; did you mean 'silence_s'?")
    file = write(tmp_path, f"targets: [{{{TARGET}, breaker: 3}}]")
    assert "must be a table of keys: failures, silence_s" in only(mistakes(file))


def test_labels_of_placement_that_no_target_has_are_refused(tmp_path: Path) -> None:
    targets = f"targets: [{{{TARGET}, labels: {{tier: gold}}}}]"
    file = write(tmp_path, f"placement: {{labels: {{tier: gold}}}}\n{targets}")
    assert load_config(file).placement.labels == {"tier": "gold"}
    file = write(tmp_path, f"placement:\n  labels: {{tier: gold, rack: '7'}}\n{targets}")
    said = only(mistakes(file))
    assert said.startswith("2:11: labels: no target has all of tier=gold, rack=7")
    assert "there are tier=gold" in said
    variable_name = {"CIMI_CIM_PLACEMENT_LABELS": "tier=silver"}
    file = write(tmp_path, targets)
    assert "CIMI_CIM_PLACEMENT_LABELS: no target has tier=silver" in only(
        mistakes(file, variable_name)
    )


def test_every_key_that_stands_once_has_a_variable() -> None:
    said = {
        "store": ("postgresql://me@db/cimi", "postgresql://me@db/cimi"),
        "store_key": ("a key", "a key"),
        "store_key_file": ("/a/key", Path("/a/key")),
        "log_level": ("info", "info"),
        "host": ("localhost", "localhost"),
        "port": ("81", 81),
        "base_url": ("https://cloud.example/x/", "https://cloud.example/x"),
        "trusted_proxies": (
            "10.0.0.0/8, ::1",
            (ip_network("10.0.0.0/8"), ip_network("::1")),
        ),
        "authentication": ("on", "on"),
        "public_entry_point": ("true", True),
        "threads": ("5", 5),
        "max_connections": ("6", 6),
        "max_body_bytes": ("7", 7),
        "drain_s": ("0.5", 0.5),
        "workers": ("8", 8),
        "retention_minutes": ("9", 9),
        "lease_s": ("1.5", 1.5),
        "settle_s": ("0", 0),
        "outage_s": ("2", 2),
        "failures": ("10", 10),
        "silence_s": ("2.5", 2.5),
        "probe_s": ("0.5", 0.5),
        "longest_probe_s": ("30", 30),
        "rule": ("most-free", "most-free"),
        "labels": ("tier=gold, rack=12", {"tier": "gold", "rack": "12"}),
    }
    for section, table in SECTIONS.items():
        for key in keys_of(table):
            text, value = said.pop(key)
            config = load_config(environment={variable(section, key): text})
            found = getattr(getattr(config, section) if section else config, key)
            assert (found.reveal() if isinstance(found, Secret) else found) == value
    assert not said


def test_a_target_may_say_everything(tmp_path: Path) -> None:
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).write_text("")
    (tmp_path / "password").write_text(f"{SECRET}\n")
    file = write(
        tmp_path,
        """
targets:
  - alias: kvm-1
    url: https://[::1]:5989/cimom
    mapping: mine.yaml
    server: sfcb
    user: me
    password_file: password
    ca: ca.pem
    client_cert: me.pem
    client_key: me.key
    verify: false
    namespaces: {interop: root/interop}
    deadline_s: 1.5
    max_concurrency: 2
    labels: {rack: "12"}
    settings: {vstype: Xen, depth: 3, deep: true}
""",
    )
    (target,) = load_config(file).targets
    assert target.password is not None
    assert target.password.reveal() == SECRET
    assert target.ca == tmp_path / "ca.pem"
    assert target.beside == tmp_path
    assert (target.labels, target.settings["depth"]) == ({"rack": "12"}, 3)
    assert SECRET not in repr(target)


def test_a_password_may_come_from_a_variable(tmp_path: Path) -> None:
    file = write(tmp_path, f"targets: [{{{TARGET}, user: me, password_env: CIMI_CIM_KVM}}]")
    (target,) = load_config(file, environment={"CIMI_CIM_KVM": SECRET}).targets
    assert target.password is not None
    assert target.password.reveal() == SECRET
    assert "CIMI_CIM_KVM is not set" in only(mistakes(file, {}))


@pytest.mark.parametrize(
    ("said", "place", "wrong"),
    [
        ("user: me, password: x, password_file: y", "1:", "not both"),
        ("user: me, password_file: nowhere", "1:", "No such file or directory"),
        ("user: me, password_file: .", "1:", "Is a directory"),
        ("user: me, password_file: empty", "1:", "its only line"),
        ("user: me, password_file: binary", "1:", "not UTF-8"),
        ("password: x", "1:", "a password wants a user"),
        ("user: 'a:b', password: x", "1:", "colon"),
        ("ca: nowhere", "1:", "no such file"),
        ("client_key: empty", "1:", "a key wants its certificate"),
        ("deadline_s: 0", "1:", "seconds above 0"),
        ("deadline_s: 9.0e999", "1:", "seconds above 0"),
        ("deadline_s: true", "1:", "seconds above 0"),
        ("max_concurrency: 1.5", "1:", "a whole number from 1 to 256"),
        ("verify: off", "1:", "true or false"),
        ("namespaces: [root]", "1:", "must be a table"),
        ("namespaces: {a: root, b: /x/, c: 1}", "1:", "the value of 'b'"),
        ("labels: {rack: 12}", "1:", "a number wants quotes"),
        ("settings: {a: {b: c}}", "1:", "the value of 'a'"),
        ("settings: {a: null}", "1:", "the value of 'a'"),
        ("password_env: $X, user: me", "1:", "the name of an environment variable"),
        ("pasword: x", "1:", "did you mean 'password'?"),
        ("zzz: x", "1:", "known are alias, url"),
    ],
)
def test_a_mistake_in_a_target_is_told_at_its_place(
    tmp_path: Path, said: str, place: str, wrong: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    line = mistakes(write(tmp_path, f"targets: [{{{TARGET}, {said}}}]"), {})[0]
    assert line.startswith(place)
    assert wrong in line


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("h:5988", "begins with http://"),
        ("ftp://h", "begins with http://"),
        ("http://", "its host"),
        ("http://:5988", "its host"),
        ("http://h_/..", ""),
        ("http://-h-", "its host"),
        ("http://h:0", "its port"),
        ("http://h:65536", "its port"),
        ("http://h:five", "its port"),
        ("http://[::1", "in brackets"),
        ("http://h/?a=b", "without ?"),
        ("http://h/#x", "without ?"),
        ("http://a b", "must be a URL"),
        (f"http://me:{SECRET}@h", "user and password_file"),
        (f"http://me:{SECRET}@h:five", "user and password_file"),
        ("12", "must be a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_what_to_do(
    tmp_path: Path, url: str, wrong: str
) -> None:
    file = write(tmp_path, f"targets: [{{alias: a, url: {url!r}}}]")
    if wrong:
        assert wrong in only(mistakes(file))
    else:
        assert load_config(file).targets[0].url == url


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["says nothing"]),
        ("# only a comment\n", ["says nothing"]),
        ("- a\n", ["must be a table of keys"]),
        ("targets: {}\n", ["must be a list"]),
        ("targets: [a]\n", ["must be a table of keys"]),
        ("targets: [{}]\n", ["wants the key alias", "wants the key url"]),
        ("http: 1\n", ["must be a table of keys"]),
        ("http: {}\nhttp: {}\n", ["stands twice"]),
        ("a: 'b\n", ["not valid YAML"]),
        (b"a: \xff", ["not UTF-8"]),
        (b"http: {}\na: \0", ["2: not valid YAML: the character U+0000"]),
        ("a: " + "[" * 5000, ["nested deeper"]),
        ("http: {port: " + "1" * 5000 + "}", ["a number of more than 100 digits"]),
        (
            f"targets: [{{{TARGET}}},\n {{{TARGET}}}]\n",
            ["2:10: alias: another target is called 'a'"],
        ),
        (
            "target: []\nhttp:\n  prot: 1\n  port: 70000\n  trusted_proxies: [10.0.0.0/8,\n  x]\n",
            ["1:1: unknown key", "3:3: unknown key 'prot'; did you mean 'port'?", "4:9", "6:3"],
        ),
    ],
    ids=range(15),
)
def test_every_mistake_of_a_file_is_told_at_once(
    tmp_path: Path, text: str | bytes, lines: list[str]
) -> None:
    found = mistakes(write(tmp_path, text))
    assert len(found) == len(lines), found
    for line, wanted in zip(found, lines, strict=True):
        assert wanted in line


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "no such file; check the path" in only(mistakes(tmp_path / "none.yaml"))
    assert "Is a directory" in only(mistakes(tmp_path))


def test_mistakes_of_all_places_come_together(tmp_path: Path) -> None:
    file = write(tmp_path, "http: {port: x}")
    found = mistakes(file, {"CIMI_CIM_HTTP_PROT": "1", "CIMI_CIM_HTTP_THREADS": "many"},
                     **{"http.port": 70000})  # fmt: skip
    assert found == [
        "1:14: port: must be a whole number from 0 to 65535",
        "CIMI_CIM_HTTP_PROT: unknown environment variable; did you mean 'CIMI_CIM_HTTP_PORT'?",
        "CIMI_CIM_HTTP_THREADS: must be a whole number from 1 to 256",
        "--port: must be a whole number from 0 to 65535",
    ]


def test_variables_of_other_parts_are_let_alone() -> None:
    assert load_config(environment={"CIMI_CIM_CACHE": "x", "CIMI_CIM_CONFIG": "y"}) == Config()


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("oracle://h/x", "must be sqlite"),
        (f"postgres://me:{SECRET}@h/x", "write postgresql://"),
        (f"postgresql://me:{SECRET}@h", "names no database"),
        (f"postgresql://me:{SECRET}@h:port/x", "not a host and a port"),
        ("sqlite://file.db", "three slashes"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("/var/lib/cimi.db", "must be sqlite"),
    ],
)
def test_a_store_that_cannot_be_is_refused(tmp_path: Path, url: str, wrong: str) -> None:
    assert wrong in only(mistakes(write(tmp_path, f"store: {url!r}")))
    assert wrong in only(mistakes(None, {"CIMI_CIM_STORE": url}))


def test_an_sqlite_file_stands_beside_the_configuration(tmp_path: Path) -> None:
    store = load_config(write(tmp_path, "store: sqlite:///cimi.db?timeout=5")).store
    assert store is not None
    assert store.reveal() == f"sqlite:///{tmp_path}/cimi.db?timeout=5"
    absolute = load_config(write(tmp_path, "store: sqlite:////data/cimi.db")).store
    assert absolute is not None
    assert absolute.reveal() == "sqlite:////data/cimi.db"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"store: postgresql://me:{SECRET}@h/x\n"
        f"targets: [{{{TARGET}, user: me, password: {SECRET}}}]",
    )
    assert SECRET not in repr(load_config(file))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:/@[]%é\x7f ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=3,
)


@given(key=st.sampled_from(sorted(keys_of(TargetConfig))), value=_values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_a_key_holds_there_is_a_target_or_a_complaint(
    tmp_path: Path, key: str, value: object
) -> None:
    import json

    target = {"alias": "a", "url": "http://h", key: value}
    file = write(tmp_path, json.dumps({"targets": [target]}))
    try:
        load_config(file, environment={})
    except ConfigError as exc:
        for line in exc.message.splitlines():
            assert line.startswith(f"{file}:1:")


def test_a_key_file_stands_beside_the_configuration_and_alone(tmp_path: Path) -> None:
    file = write(tmp_path, "store_key_file: keys/store.key")
    assert load_config(file).store_key_file == tmp_path / "keys/store.key"
    wrong = only(mistakes(file, {"CIMI_CIM_STORE_KEY": SECRET}))
    assert wrong == "say one of store_key and store_key_file, not both"
