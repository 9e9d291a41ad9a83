from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cimi_cim.errors import ConfigError
from cimi_cim.resources import mof_folder
from cimi_cim.schema import compile as schema_compile
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.extract import wanted_classes
from cimi_cim.schema.extract_recorded import recorded_classes
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
