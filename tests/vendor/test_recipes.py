"""Every example of docs/mapping-recipes.md compiles, and reads from a server what it promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pywbem
from pywbem_mock import FakedWBEMConnection

from cimi_cim.config import TargetConfig
from cimi_cim.lab.front import WbemFront
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.resources import mof_folder
from cimi_cim.wbem.deadline import Deadline
from tests.vendor.backend import MockBackend

PAGE = (Path(__file__).resolve().parents[2] / "docs/mapping-recipes.md").read_text("utf-8")
[CLASSES] = re.findall(r"```mof\n(.*?)```", PAGE, re.DOTALL)
HEAD, *_ = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
RECIPES = {
    title: yaml
    for title, yaml in re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```yaml\n(.*?)```", PAGE,
                                  re.DOTALL | re.MULTILINE)
}  # fmt: skip
NAMESPACE = "root/strange"
URI = "//host/root/strange:strange_vm.no=2"

INSTANCES: dict[str, list[dict[str, Any]]] = {
    "STRANGE_Vm": [
        {
            "No": 1, "Caption": "first", "Power": "on", "Health": 0, "Flags": 9, "Code": 110,
            "Memory": "4 GB", "DimmMB": [1024, 512], "Pages": 1024, "PageSize": 4096, "Cpus": " 4 ",
            "BornAt": 1763953200, "IsTemplate": False, "DiskFiles": ["/vol/a.img", "/vol/b.img"],
            "DiskMB": [10, 20], "Drives": "vda=10 GB; vdb=512 MB;",
        },
        {
            "No": 2, "Tag": "eu/rack 3/second", "Power": "OFF since Monday", "Health": 7,
            "Flags": 13, "Code": 100, "Memory": "2048MB", "DimmMB": [], "Pages": 0,
            "PageSize": 4096, "Cpus": "two", "BornOn": "2026-11-24 03:15:00Z", "IsTemplate": False,
            "DiskFiles": ["/vol/c.img"], "CardNos": ["8", "7", "77"],
        },
        {"No": 3, "Caption": "gold", "Code": 999, "Memory": "512", "IsTemplate": True, "Flags": 0},
    ],
    "STRANGE_Identity": [{"Guid": "{6F9619FF8B86D011B42D00C04FC964FF}", "OwnerUri": URI}],
    "STRANGE_Card": [
        {"No": 7, "VmNo": 1, "Address": "00163EAABBCC", "Connected": "yes"},
        {"No": 8, "VmNo": 1, "Address": "00-16-3e-aa-bb-cd", "Connected": "unplugged"},
        {"No": 9, "VmNo": 2},
    ],
    "STRANGE_Lun": [
        {"Serial": "s1", "Size": "1.5 TB", "Bootable": "Yes"},
        {"Serial": "s2", "Size": "1 GiB", "Bootable": "no"},
    ],
}  # fmt: skip

MACHINES: dict[str, tuple[str, dict[str, Any]]] = {
    "The state is in two properties": ("state", {"1": "STARTED", "2": "ERROR", "3": "FAILED"}),
    "The state is a bit mask": ("state", {"1": "STARTED", "2": "ERROR", "3": "STOPPED"}),
    "The state is a text with more in it": (
        "state", {"1": "STARTED", "2": "STOPPED", "3": "ERROR"},
    ),
    "Numbers nobody told us of": ("state", {"1": "STARTED", "2": "STOPPED", "3": "ERROR"}),
    "A number and its unit in one text": ("memory", {"1": 4 * 2**20, "2": 2**21, "3": 512 * 1024}),
    "Memory is the sum of an array": ("memory", {"1": 1536 * 1024, "2": None, "3": None}),
    "Memory is a number of pages": ("memory", {"1": 4096, "2": None, "3": None}),
    "Numbers as text": ("cpu", {"1": 4, "2": None, "3": None}),
    "Dates in other forms": (
        "created",
        {"1": "2025-11-24T03:00:00+00:00", "2": "2026-11-24T03:15:00+00:00", "3": None},
    ),
    "The name is somewhere else": ("name", {"1": "first", "2": "second", "3": "gold"}),
    "The identifier is in another class": (
        "name", {"1": "first", "6f9619ff-8b86-d011-b42d-00c04fc964ff": None, "3": "gold"},
    ),
    "Some instances are no machines": ("name", {"1": "first", "2": None}),
}  # fmt: skip
CHILDREN: dict[str, tuple[str, str, tuple[str, ...], dict[str, dict[str, tuple[Any, ...]]]]] = {
    "No association, but a number": (
        "NetworkInterface", "interfaces", ("state", "macAddress"),
        {
            "1": {"7": ("ENABLED", "00:16:3e:aa:bb:cc"), "8": ("DISABLED", "00:16:3e:aa:bb:cd")},
            "2": {"9": (None, None)},
            "3": {},
        },
    ),
    "The numbers are in an array": (
        "NetworkInterface", "interfaces", ("macAddress",),
        {"1": {}, "2": {"8": ("00:16:3e:aa:bb:cd",), "7": ("00:16:3e:aa:bb:cc",)}, "3": {}},
    ),
    "Disks are no instances, but arrays": (
        "Disk", "disks", ("name", "capacity"),
        {"1": {"0": ("a.img", 10000), "1": ("b.img", 20000)}, "2": {"0": ("c.img", None)}, "3": {}},
    ),
    "Disks are embedded instances": (
        "Disk", "disks", ("name", "capacity"),
        {"1": {"sda": ("sda", 10**6), "sdb": ("sdb", None)}, "2": {}, "3": {}},
    ),
    "Disks are one text": (
        "Disk", "disks", ("name", "capacity"),
        {"1": {"vda": ("vda", 10**7), "vdb": ("vdb", 512000)}, "2": {}, "3": {}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    connection = FakedWBEMConnection(default_namespace=NAMESPACE)
    connection.compile_mof_file(str(mof_folder() / "dmtf/qualifiers.mof"), NAMESPACE)
    connection.compile_mof_string(CLASSES, NAMESPACE)
    slots = [
        pywbem.CIMInstance("STRANGE_Slot", {"NAME": "sda", "SIZE": "1 GB"}),
        pywbem.CIMInstance("STRANGE_Slot", {"NAME": "sdb"}),
    ]
    INSTANCES["STRANGE_Vm"][0]["Slots"] = slots
    for classname, every in INSTANCES.items():
        cls = connection.GetClass(classname, NAMESPACE, LocalOnly=False)
        for values in every:
            connection.add_cimobjects(
                pywbem.CIMInstance.from_class(
                    cls, NAMESPACE, property_values=values, include_missing_properties=False,
                    include_path=True,
                ),
                NAMESPACE,
            )  # fmt: skip
    backend = MockBackend(connection, frozenset(), frozenset(), lambda call: None)
    with WbemFront(backend) as front:
        yield front.url


@contextmanager
def read_by(title: str, url: str, folder: Path) -> Iterator[Any]:
    """What reads a Collection by the mapping of a recipe."""
    (folder / "strange").mkdir()
    (folder / "strange/classes.mof").write_text(CLASSES, "utf-8")
    (folder / "mapping.yaml").write_text(HEAD + RECIPES[title], "utf-8")
    with ExitStack() as stack:
        engine = open_engine([TargetConfig("t", url, str(folder / "mapping.yaml"))], load_model())
        stack.callback(engine.close)

        def read(type_name: str, *steps: tuple[str, str | None]) -> dict[str, Resource]:
            location = Location(type_name, steps)
            found = engine.read_collection(location, None, Deadline.after(30)).items
            return {item.path.rpartition("/")[2].removeprefix("t."): item for item in found}

        yield read


def test_every_recipe_is_tried() -> None:
    assert RECIPES.keys() == {*MACHINES, *CHILDREN, "Yes and no"}


@pytest.mark.parametrize("title", MACHINES)
def test_a_recipe_for_machines_gives_what_it_promises(title: str, url: str, tmp_path: Path) -> None:
    attribute, expected = MACHINES[title]
    with read_by(title, url, tmp_path) as read:
        found = read("Machine", ("machines", None))
    assert {key: item.values.get(attribute) for key, item in found.items()} == expected


@pytest.mark.parametrize("title", CHILDREN)
def test_a_recipe_for_parts_gives_what_it_promises(title: str, url: str, tmp_path: Path) -> None:
    type_name, collection, attributes, expected = CHILDREN[title]
    with read_by(title, url, tmp_path) as read:
        read("Machine", ("machines", None))
        found = {
            machine: {
                key: tuple(item.values.get(name) for name in attributes)
                for key, item in read(type_name, ("machines", f"t.{machine}"),
                                      (collection, None)).items()
            }
            for machine in expected
        }  # fmt: skip
    assert found == expected


def test_the_recipe_for_booleans_gives_what_it_promises(url: str, tmp_path: Path) -> None:
    with read_by("Yes and no", url, tmp_path) as read:
        found = read("Volume", ("volumes", None))
    assert {key: (v.values["bootable"], v.values["capacity"]) for key, v in found.items()} == {
        "s1": (True, 1_500_000_000), "s2": (False, 2**30 // 1000),
    }  # fmt: skip
