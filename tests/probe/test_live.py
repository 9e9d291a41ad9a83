"""`check --live`: what a restart would run into is told before, with its place."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cimi_cim.credentials import Secret
from cimi_cim.lab.front import Account, WbemFront
from cimi_cim.lab.replay import ReplayBackend, load_recording
from tests.probe.running import Ran, Shell
from tests.probe.vendors import Alien, serving
from tests.tapes import tape_folder


@pytest.fixture(scope="module")
def alien() -> Iterator[str]:
    with serving(Alien()) as url:
        yield url


def bridge(folder: Path, *targets: str) -> str:
    """A configuration of targets, each said as flow YAML."""
    file = folder / "bridge.yaml"
    file.write_text("targets:\n" + "".join(f"  - {target}\n" for target in targets))
    return str(file)


def live(shell: Shell, file: str) -> Ran:
    return shell.run("check", "--live", "--config", file)


def test_servers_that_fit_have_no_mistakes(
    recorded: tuple[str, str], tmp_path: Path, shell: Shell
) -> None:
    software, url = recorded
    said = f"{{alias: kvm, url: '{url}', mapping: libvirt-cim, server: {software}}}"
    ran = live(shell, bridge(tmp_path, said))
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "1 target: no mistakes")
    assert all("note: " in line for line in ran.out.splitlines()[:-1])


def test_what_a_mapping_names_and_the_server_lacks_is_told_with_its_place(
    alien: str, tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "mof").mkdir()
    (tmp_path / "mof" / "zap.mof").write_text(
        "class ZAP_VirtualMachine { [Key] string Handle; string GuestLabel; string Gone;\n"
        "  uint32 Explode(); };\n"
        "class ZAP_Nowhere { [Key] string Id; };\n"
        "[Association] class ZAP_Loose { [Key] ZAP_VirtualMachine REF A;"
        " [Key] ZAP_Nowhere REF B; };\n"
    )
    (tmp_path / "zap.yaml").write_text(
        "language: 1\nname: zap\nmof: mof\nnamespaces: {impl: zap/vms}\nresources:\n"
        "  Machine:\n    collection: machines\n"
        "    anchor: {as: vm, class: ZAP_VirtualMachine}\n"
        "    id: {natural: [{target: vm.Handle}]}\n"
        "    join:\n"
        "      far: {class: ZAP_Nowhere, card: one, via: ZAP_Loose, role: A, result: B}\n"
        "      maybe: {class: ZAP_Nowhere, card: one, optional: true, match: {Id: vm.Handle}}\n"
        "    attributes:\n"
        "      name: {read: [vm.GuestLabel, vm.Gone]}\n"
        "      description: {read: vm.Gone}\n"
        "    operations:\n"
        "      start: {call: vm.Explode}\n"
    )
    ran = live(shell, bridge(tmp_path, f"{{alias: zap, url: '{alien}', mapping: zap.yaml}}"))
    assert ran.code == 1
    place = f"{tmp_path}/zap.yaml"
    lines = {line.removeprefix(place) for line in ran.out.splitlines()}
    assert lines == {
        ":11:20: Machine: zap/vms has no class ZAP_Nowhere (target zap)",
        ":11:49: Machine: zap/vms has no association ZAP_Loose (target zap)",
        ":12:22: note: Machine: zap/vms has no class ZAP_Nowhere (target zap)",
        ":14:13: note: Machine.name: ZAP_VirtualMachine has no property Gone (target zap)",
        ":15:20: Machine.description: ZAP_VirtualMachine has no property Gone (target zap)",
        ":17:14: Machine.start: ZAP_VirtualMachine has no method Explode (target zap)",
    }


def test_a_namespace_that_the_server_lacks_is_told_with_its_place(
    tmp_path: Path, shell: Shell
) -> None:
    overlay = "language: 1\nname: mine\nextends: libvirt-cim\nnamespaces: {impl: root/vurt}\n"
    (tmp_path / "mine.yaml").write_text(overlay)
    with WbemFront(ReplayBackend(load_recording(tape_folder("sfcb")))) as front:
        said = f"{{alias: kvm, url: '{front.url}', mapping: mine.yaml, server: sfcb}}"
        ran = live(shell, bridge(tmp_path, said))
    place = f"{tmp_path}/mine.yaml:4:20"
    assert ran.out.splitlines() == [f"{place}: the server has no namespace root/vurt (target kvm)"]
    assert ran.code == 1


def test_a_mistyped_name_of_a_namespace_is_told_before_anything_is_asked(
    tmp_path: Path, shell: Shell
) -> None:
    said = "{alias: kvm, url: 'http://127.0.0.1:1', namespaces: {impll: root/virt, interop: a}}"
    file = bridge(tmp_path, said)
    words = "the mapping base has no namespace 'impll'; did you mean 'impl'?"
    checked = live(shell, file)
    assert (checked.code, checked.out) == (1, f"target kvm (http://127.0.0.1:1): {words}\n")
    served = shell.run("serve", "--config", file, "--port", "0")
    assert (served.code, served.err) == (2, f"cimi-cim: target kvm: {words}\n")


def test_servers_that_cannot_be_used_are_a_line_each(tmp_path: Path, shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    backend = ReplayBackend(load_recording(tape_folder("sfcb")))
    with WbemFront(backend, account=Account("me", Secret("word"))) as front:
        url = front.url
        ran = live(shell, bridge(
            tmp_path,
            f"{{alias: dead, url: 'http://127.0.0.1:{port}', mapping: libvirt-cim}}",
            f"{{alias: locked, url: '{url}', mapping: libvirt-cim, user: me, password: no}}",
            f"{{alias: other, url: '{url}', mapping: base, user: me, password: word,"
            " namespaces: {impl: root/none}}",
            f"{{alias: odd, url: '{url}', mapping: libvrt, user: me, password: word}}",
        ))  # fmt: skip
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len(lines) == 4
    for line, alias, words in zip(
        lines,
        ("dead", "locked", "other", "odd"),
        ("cannot be reached", "refuses the target's user", "CIM error 3", "did you mean"),
        strict=True,
    ):
        assert line.startswith(f"target {alias} (")
        assert words in line
    assert "word" not in ran.out.replace("password", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--live"], "--config"),
        (["--live", "--config", "none.yaml"], "no such file"),
        (["--live", "--config", "empty.yaml"], "names no target"),
        (["--live", "--config", "empty.yaml", "base.yaml"], "no FILES"),
        ([], "FILES"),
    ],
)
def test_a_call_that_cannot_be_meant(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIMI_CIM_CONFIG", raising=False)
    (tmp_path / "empty.yaml").write_text("targets: []\n")
    ran = shell.run("check", *arguments)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert words in ran.err
