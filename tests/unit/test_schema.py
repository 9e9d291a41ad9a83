from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cimi_cim.errors import ConfigError
from cimi_cim.resources import mof_folder
from cimi_cim.schema import compile as schema_compile
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.extract import archive_classes, digest, facts, wanted_classes
from cimi_cim.schema.extract_recorded import main as write_recorded
from cimi_cim.schema.extract_recorded import recorded_classes
from cimi_cim.schema.mof import compile_folders
from tests.shared_files import SHARED, needs_shared


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIMI_CIM_CACHE", str(tmp_path / "cache"))
    schema_compile._load.cache_clear()
    return tmp_path / "cache"


def dmtf() -> Path:
    return mof_folder() / "dmtf"


def test_the_set_is_closed_and_holds_every_class_that_is_listed() -> None:
    schema = load_schema([dmtf()])
    for name in wanted_classes(dmtf()):
        assert schema.find(name) is not None, name
    for cls in schema.classes.values():
        assert cls.superclass is None or schema.find(cls.superclass) is not None
        for prop in cls.properties:
            assert prop.reference_class is None or schema.find(prop.reference_class) is not None


def test_value_maps_and_method_parameters_are_carried() -> None:
    schema = load_schema([dmtf()])
    state = schema.property("CIM_ComputerSystem", "EnabledState")
    assert state is not None
    assert state.values is not None
    assert state.values.label(9) == "Quiesce"
    assert state.values.label(40000) == "Vendor Reserved"
    call = schema.method("cim_computersystem", "requeststatechange")
    assert call is not None
    assert [(p.name, p.type, p.is_in, p.is_out) for p in call.parameters] == [
        ("RequestedState", "uint16", True, False),
        ("Job", "reference", False, True),
        ("TimeoutPeriod", "datetime", True, False),
    ]


def test_the_cache_gives_the_same_declarations_as_the_compiler(own_cache: Path) -> None:
    compiled = load_schema([dmtf()])
    assert list(own_cache.glob("schema-*.json"))
    schema_compile._load.cache_clear()
    assert load_schema([dmtf()]).classes == compiled.classes


def test_a_damaged_cache_is_compiled_again(own_cache: Path) -> None:
    compiled = load_schema([dmtf()])
    for path in own_cache.glob("schema-*.json"):
        path.write_bytes(b'{"format": 1, "classes": [{}]}')
    schema_compile._load.cache_clear()
    assert load_schema([dmtf()]).classes == compiled.classes


def test_without_a_place_for_a_cache_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = load_schema([dmtf()])
    for variable in ("CIMI_CIM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    schema_compile._load.cache_clear()
    assert load_schema([dmtf()]).classes == compiled.classes


def test_a_mistake_in_mof_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.mof").write_text("class ACME_Thing : CIM_ComputerSystem {\n  strin X;\n};\n")
    with pytest.raises(ConfigError, match=r"bad\.mof:2"):
        load_schema([dmtf(), tmp_path])


def test_files_compile_in_whatever_order_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.mof").write_text("class ACME_B : ACME_A { string Extra; };\n")
    (tmp_path / "b.mof").write_text("class ACME_A : CIM_ComputerSystem { uint32 Slots; };\n")
    schema = load_schema([dmtf(), tmp_path])
    assert schema.is_subclass("ACME_B", "CIM_ManagedElement")
    assert "Slots" in schema.properties("ACME_B")


def test_a_tree_renamed_to_another_vendor_compiles(tmp_path: Path) -> None:
    for path in dmtf().glob("*.mof"):
        text = path.read_text(encoding="utf-8").replace("CIM_", "ACME_")
        (tmp_path / path.name.replace("CIM_", "ACME_")).write_text(text, encoding="utf-8")
    schema = load_schema([tmp_path])
    assert schema.is_subclass("ACME_ComputerSystem", "ACME_ManagedElement")
    assert all(name.startswith("ACME_") for name in schema.classes)


@needs_shared
@pytest.mark.parametrize("server", ["pegasus", "sfcb"])
def test_every_recorded_property_of_a_vendor_class_is_declared(server: str) -> None:
    schema = load_schema([dmtf(), mof_folder() / "libvirt-cim"])
    recorded = recorded_classes(SHARED / "captures" / "libvirt-cim" / server / "schema")
    assert len(recorded) > 50
    for name, cls in recorded.items():
        if not name.startswith("KVM_"):
            continue
        for prop in cls.properties.values():
            ours = schema.property(name, prop.name)
            if prop.name.startswith("Is") and name == "KVM_ElementSettingData":
                continue  # IsMinimum and IsMaximum left CIM after the recorded 2.41
            assert ours is not None, f"{name}.{prop.name}"
            assert (ours.type, ours.is_array) == (prop.type, bool(prop.is_array)), f"{name}.{prop}"


@needs_shared
def test_the_kept_command_makes_the_vendors_declarations(tmp_path: Path) -> None:
    made, kept = tmp_path / "libvirt-cim", mof_folder() / "libvirt-cim"
    write_recorded(SHARED / "captures" / "libvirt-cim" / "pegasus" / "schema", made)
    assert {p.name: p.read_text() for p in made.iterdir()} == {
        p.name: p.read_text() for p in kept.iterdir()
    }


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("extract", (), "usage: "),
        ("extract", ("no.zip", "."), "no.zip: no zip archive"),
        ("extract_recorded", ("only-one",), "usage: "),
        ("extract_recorded", (".", "acme"), ".: no answers to GetClass"),
    ],
)
def test_a_kept_command_says_what_it_wants(
    tmp_path: Path, command: str, arguments: tuple[str, ...], said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"cimi_cim.schema.{command}", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(said)


def test_recordings_may_be_compressed(tmp_path: Path) -> None:
    (tmp_path / "class.X.response.xml.gz").write_bytes(
        gzip.compress(
            b'<?xml version="1.0"?><CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1"'
            b' PROTOCOLVERSION="1.0"><SIMPLERSP><IMETHODRESPONSE NAME="GetClass"><IRETURNVALUE>'
            b'<CLASS NAME="X"><PROPERTY NAME="P" TYPE="string"/></CLASS></IRETURNVALUE>'
            b"</IMETHODRESPONSE></SIMPLERSP></MESSAGE></CIM>"
        )
    )
    assert list(recorded_classes(tmp_path)) == ["X"]


def test_every_class_declares_what_dmtfs_archive_declares() -> None:
    """`digests.txt` was made from the archive, not from our files."""
    lines = (dmtf() / "digests.txt").read_text(encoding="utf-8").splitlines()
    archived = dict(line.split() for line in lines)
    classes, _ = compile_folders([dmtf()])
    assert {cls.classname: digest(cls) for cls in classes} == archived
    assert set(wanted_classes(dmtf())) <= set(archived)


@pytest.mark.skipif("DMTF_SCHEMA_ARCHIVE" not in os.environ, reason="DMTF_SCHEMA_ARCHIVE unset")
def test_every_class_equals_the_archives_line_by_line() -> None:
    archive = Path(os.environ["DMTF_SCHEMA_ARCHIVE"])
    archived = archive_classes(archive, wanted_classes(dmtf()))
    classes, _ = compile_folders([dmtf()])
    assert {c.classname: facts(c) for c in classes} == {n: facts(c) for n, c in archived.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uint16 RequestedState", "uint32 RequestedState"),
        ('"9", "10"', '"10", "9"'),
        ("CIM_EnabledLogicalElement : CIM_LogicalElement", "CIM_EnabledLogicalElement"),
        ("datetime TimeoutPeriod", "datetime Timeout"),
    ],
)
def test_a_changed_declaration_is_noticed(tmp_path: Path, old: str, new: str) -> None:
    copy = tmp_path / "dmtf"
    shutil.copytree(dmtf(), copy)
    changed = copy / "CIM_EnabledLogicalElement.mof"
    text = changed.read_text(encoding="utf-8")
    assert old in text
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    by_name = {cls.classname: digest(cls) for cls in compile_folders([copy])[0]}
    kept = dict(
        line.split() for line in (dmtf() / "digests.txt").read_text(encoding="utf-8").splitlines()
    )
    differing = {name for name in kept if by_name[name] != kept[name]}
    assert differing == {"CIM_EnabledLogicalElement"}


def test_an_end_of_an_association_is_a_key_though_an_override_does_not_repeat_it() -> None:
    schema = load_schema([dmtf()])
    assert [key.name for key in schema.keys("CIM_SystemDevice")] == [
        "GroupComponent",
        "PartComponent",
    ]
    assert schema.property("CIM_SystemDevice", "PartComponent").reference_class == (  # type: ignore[union-attr]
        "CIM_LogicalDevice"
    )
