"""The recorded servers with calls told so that each can be followed by itself.

What was recorded stays as it is, but for this: a call that was made twice is told by the time
whose effect was read; reads that were made once after two calls count for each; two settings
that were removed at once are removed one by one; addresses that the bridge leaves to the
server are left out of requests; and what the server was seen to do with one instance it does
with another of the same kind. Each change says which.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tapes import tape_folder

Call = dict[str, Any]
NEW_VOLUME = "/var/lib/libvirt/images/vol9.img"
DISK, NIC = "KVM_DiskResourceAllocationSettingData", "KVM_NetResourceAllocationSettingData"


class Retold:
    """A tape that is being changed."""

    def __init__(self, server: str, folder: Path) -> None:
        self.folder = folder / server
        shutil.copytree(tape_folder(server), self.folder)
        self.calls = self._read("methods.jsonl")
        self.shapes = self._read("shapes.jsonl")
        self.instances = self._read("instances.jsonl")
        self.answers = self._read("answers.jsonl")

    def _read(self, name: str) -> list[Any]:
        text = (self.folder / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def written(self) -> Path:
        """Write the tape, and return its folder."""
        for name, lines in (("methods", self.calls), ("instances", self.instances)):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (self.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        return self.folder

    def find(self, method: str, fits: Callable[[Call], bool] = lambda call: True) -> list[Call]:
        """The recorded calls of a method that the server did."""
        return [c for c in self.calls if c["call"] == method and "error" not in c and fits(c)]

    def copied(self, like: dict[str, str], **values: str) -> int:
        """Add an instance that is like one with the properties `like`, but for some values."""
        line = next(n for n in range(len(self.instances)) if like.items() <= self.all(n).items())
        made = copy.deepcopy(self.instances[line])
        names = [member.split(" ")[0] for member in self.shapes[made[0]][1:]]
        for name, value in values.items():
            if isinstance(made[3], dict):
                made[3][name] = value
            else:
                made[3][names.index(name)] = value
            if name in made[2]:
                made[2][name] = value
        self.instances.append(made)
        return len(self.instances) - 1

    def all(self, line: int) -> dict[str, Any]:
        """The properties of an instance, and `class`."""
        shape, _, _, values = self.instances[line][:4]
        names = [member.split(" ")[0] for member in self.shapes[shape][1:]]
        said = values if isinstance(values, dict) else dict(zip(names, values, strict=False))
        return {**said, "class": self.shapes[shape][0]}


def told_by_what_was_seen(tape: Retold) -> None:
    """Machines that are defined, in either form, and destroyed: what was read after one call."""
    plain = [call for call in tape.calls if "ReferenceConfiguration" not in call["in"]]
    [defined] = [c for c in plain if c["call"] == "DefineSystem" and c.get("then")]
    for call in tape.find("DefineSystem", lambda c: _meant(c) == _meant(defined)):
        call["then"] = defined["then"]
    seen = next(call for call in tape.find("DestroySystem") if call.get("then"))
    for call in tape.find("DestroySystem"):
        call["then"] = seen["then"]


def without_addresses(tape: Retold) -> None:
    """Cards get an address from the server (README of the captures: libvirt-cim, 9)."""
    for call in tape.calls:
        for setting in call["in"].get("ResourceSettings", []):
            if isinstance(setting, dict) and setting.get("instance") == NIC:
                setting["values"].pop("Address", None)


def memory_in_kilobytes(tape: Retold) -> None:
    """96 MegaBytes, said in the unit that the server took in DefineSystem."""
    for call in tape.find("ModifyResourceSettings"):
        for setting in call["in"]["ResourceSettings"]:
            if setting["values"].get("AllocationUnits") == "MegaBytes":
                setting["values"] |= {"AllocationUnits": "KiloBytes", "VirtualQuantity": "98304"}


def disks_seen(tape: Retold) -> None:
    """Both calls before the read: the disk is there after its own. The running one's is like it."""
    disk, nic = tape.find("AddResourceSettings", lambda c: "KVM:test03" in json.dumps(c["in"]))
    read = copy.deepcopy(nic["then"][0])
    read["found"] = [n for n in read["found"] if tape.all(n)["InstanceID"] != _CARD]
    disk["then"] = [read]
    [running] = tape.find("AddResourceSettings", lambda c: "KVM:web01" in json.dumps(c["in"]))
    line = tape.copied({"InstanceID": "test03/hdb"}, InstanceID="web01/vdc", VirtualDevice="vdc")
    running["then"] = [_get(tape, line)]


def removed_one_by_one(tape: Retold) -> None:
    """The disk and the card that were removed from test03 at once."""
    [both] = tape.find("RemoveResourceSettings", lambda c: len(c["in"]["ResourceSettings"]) == 2)
    tape.calls.remove(both)
    for setting in both["in"]["ResourceSettings"]:
        one = copy.deepcopy(both)
        one["in"]["ResourceSettings"] = [setting]
        name = setting["path"][1]["InstanceID"]
        gone = {"ask": "GetInstance", "ns": "root/virt", "of": setting["path"][:2]}
        one["then"] = [{**gone, "error": [6, f"No such instance ({name}): Error 0"]}]
        tape.calls.append(one)


def volumes_seen(tape: Retold) -> None:
    """The new volume shows as the others do, and is gone when it is deleted."""
    [walk] = [
        a for a in tape.answers
        if a["ask"] == "Associators" and a["of"][1] == {"InstanceID": "DiskPool/default"}
        and a.get("association") == "CIM_SettingsDefineCapabilities"
    ]  # fmt: skip
    like = {"class": DISK, "InstanceID": "Maximum", "Address": NEW_VOLUME.replace("vol9", "extra")}
    line = tape.copied(like, Address=NEW_VOLUME, VirtualQuantity="8388608")
    [made] = tape.find("CreateResourceInPool")
    made["then"] = [{**walk, "found": [*walk["found"], line]}]
    [deleted] = tape.find("DeleteResourceInPool")
    deleted["then"] = [walk]


def _meant(call: Call) -> str:
    """The parameters of a call, in whatever form embedded instances came."""
    return json.dumps(call["in"]).replace(', "as": "text"', "")


def _get(tape: Retold, line: int) -> dict[str, Any]:
    namespace, keys = tape.instances[line][1:3]
    return {
        "ask": "GetInstance", "ns": namespace, "of": [tape.all(line)["class"], keys],
        "found": [line],
    }  # fmt: skip


_CARD = "test03/52:54:00:aa:bb:20"
ALL = (
    told_by_what_was_seen, without_addresses, memory_in_kilobytes, disks_seen,
    removed_one_by_one, volumes_seen,
)  # fmt: skip


def retold(server: str, folder: Path) -> Path:
    """Return the folder of a recorded server's tape with all these changes."""
    tape = Retold(server, folder)
    for change in ALL:
        change(tape)
    return tape.written()
