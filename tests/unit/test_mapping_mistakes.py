"""A mistake in a mapping is told with file, line and the nearest name; all of them at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from cimi_cim.cli.main import commands
from cimi_cim.mapping.compiler import check_file
from cimi_cim.mapping.source import find_mapping, shipped_mappings
from cimi_cim.model.load import load_model
from cimi_cim.resources import mappings_folder

HEAD = "language: 1\nname: mine\nextends: base\n"


def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return [line.replace(f"{tmp_path}/", "") for line in check_file(path, load_model())]


@pytest.mark.parametrize("name", shipped_mappings())
def test_shipped_mappings_have_no_mistakes(name: str) -> None:
    assert check_file(find_mapping(name), load_model()) == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("resorces: {}\n", "mine.yaml:4:1: unknown key 'resorces'; did you mean 'resources'?"),
        (
            "resources: {Machin: {collection: machines}}\n",
            "mine.yaml:4:13: CIMI has no resource 'Machin'; did you mean 'Machine'?",
        ),
        (
            "resources: {Machine: {attributes: {cpu: {read: sum(proc.VirtualQuantityy)}}}}\n",
            "has no property 'VirtualQuantityy'; did you mean 'VirtualQuantity'?",
        ),
        (
            "resources: {Machine: {attributes: {cpuu: {const: 1}}}}\n",
            "CIMI has no attribute 'cpuu' here; did you mean 'cpu'?",
        ),
        (
            "resources: {Machine: {join: {mem: {where: {ResourceType: 99}}}}}\n",
            "CIM_ResourceAllocationSettingData.ResourceType has no value 99",
        ),
        (
            "resources: {Machine: {anchor: {class: CIM_ComputerSistem}}}\n",
            "no class 'CIM_ComputerSistem' is declared; did you mean 'CIM_ComputerSystem'?",
        ),
        (
            "resources: {Machine: {join: {vssd: {role: ManagedElemen}}}}\n",
            "CIM_SettingsDefineState has no property 'ManagedElemen'; did you mean",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChang}}}}\n",
            "CIM_ComputerSystem has no method 'RequestStateChang'; did you mean",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChange,"
            " in: {RequestdState: 2}}}}}\n",
            "RequestStateChange has no parameter 'RequestdState'; did you mean 'RequestedState'?",
        ),
        (
            "resources: {Machine: {attributes: {memory: {read: mem.VirtualQuantity}}}}\n",
            "mem has many rows: reduce them with sum, max, min, first or count",
        ),
        (
            "resources: {Machine: {attributes: {state: {rules: machine_stat}}}}\n",
            "no rules are called 'machine_stat'; did you mean 'machine_state'?",
        ),
        (
            "resources: {Machine: {operations: {pause: {when: [RUNNING]}}}}\n",
            "CIMI has no state 'RUNNING'",
        ),
        (
            "resources: {Machine: {operations: {pause: {during: PAUZING}}}}\n",
            "CIMI has no state 'PAUZING'; did you mean 'PAUSING'?",
        ),
        (
            "resources: {Machine: {operations: {stop: {choose: [{if: 'state == PAUSD',"
            " call: cs.RequestStateChange, in: {RequestedState: 2}}]}}}}\n",
            "CIMI has no state 'PAUSD'; did you mean 'PAUSED'?",
        ),
        (
            "resources: {Machine: {operations: {starts: {when: any, call: cs.RequestStateChange,"
            " in: {RequestedState: 2}}}}}\n",
            "mine.yaml:4:36: CIMI has no operation 'starts' here; did you mean 'start'?",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChange,"
            " in: {RequestedState: Enabled}}}}}\n",
            "RequestedState is uint16: 'Enabled' is no such value",
        ),
        (
            "resources: {Machine: {operations: {start: {call: cs.RequestStateChange,"
            " in: {RequestedState: 99}}}}}\n",
            "RequestedState has no value 99; it has 2 Enabled;",
        ),
        (
            "resources: {Machine: {advertise: {parameter: RequestedStat}}}\n",
            "no operation sends a parameter 'RequestedStat'; did you mean 'RequestedState'?",
        ),
        (
            "rules: {machine_state: [{if: {cs.EnabledState: 2}, is: RUNNING}]}\n",
            "mine.yaml:4:56: CIMI has no state 'RUNNING'",
        ),
        (
            "resources: {Network: {attributes: {state: {rules: null, const: UP}}}}\n",
            "CIMI has no state 'UP'; it has ",
        ),
        (
            "maps: {switch: {'2': STARTTED}}\nresources: {Network: {attributes: {state:"
            " {rules: null, read: net.EnabledState, map: switch}}}}\n",
            "mine.yaml:4:22: CIMI has no state 'STARTTED'; did you mean 'STARTED'?",
        ),
        (
            "resources: {Machine: {attributes: {memory: {convert: {quantity:"
            " {to: 'byte*10^3'}}}}}}\n",
            "CIMI counts memory in 'byte*2^10', not in 'byte*10^3'",
        ),
        (
            "resources: {Machine: {attributes: {memory: {convert: {quantity:"
            " {default: bite}}}}}}\n",
            "'bite' cannot be turned into 'byte*2^10'",
        ),
        (
            "resources: {Machine: {takes: {memry_pool: memory}}}\n",
            "mine.yaml:4:31: no pool 'memry_pool' is declared; did you mean 'memory_pool'?",
        ),
        (
            "resources: {Machine: {takes: {memory_pool: memori}}}\n",
            "mine.yaml:4:44: Machine has no attribute 'memori'; did you mean 'memory'?",
        ),
        (
            "resources: {Machine: {takes: {storage_pool: disks.capacty}}}\n",
            "Disk has no attribute 'capacty'; did you mean 'capacity'?",
        ),
        (
            "resources: {Machine: {takes: {memory_pool: name}}}\n",
            "name is no quantity: CIMI gives it no unit",
        ),
        (
            "resources: {Machine: {takes: {cpu_pool: memory}}}\n",
            "memory counts in kibibyte, and the pool: byte cannot be turned into count",
        ),
        (
            "pools: {mine: {where: {Primordial: false}}}\n",
            "the pool 'mine' names no `class`",
        ),
        (
            "pools: {mine: {class: CIM_StoragePool, free: RemainingSpace}}\n",
            "CIM_StoragePool has no property 'RemainingSpace'; did you mean",
        ),
        (
            "resources: {Volume: {each: imag}}\n",
            "no relation is called 'imag'; did you mean 'img'?",
        ),
        (
            "resources: {Disk: {each: vol}}\n",
            "`each` of a part stands in its `parent`",
        ),
        (
            "resources: {Volume: {join: {img: {named: {class: CIM_StorageVolume,"
            " keys: {Nam: Name}}}}}}\n",
            "CIM_StorageVolume has no key 'Nam'",
        ),
        (
            "resources: {Volume: {operations: {delete: {unless: imgs}}}}\n",
            "no relation is called 'imgs'; did you mean 'img'?",
        ),
        (
            "resources: {Disk: {operations: {delete: {while: [RUNNING]}}}}\n",
            "CIMI has no state 'RUNNING'",
        ),
        (
            "resources: {Machine: {writers: {resource: {when: [STOPED]}}}}\n",
            "CIMI has no state 'STOPED'; did you mean 'STOPPED'?",
        ),
        (
            "resources: {Machine: {collection: machine}}\n",
            "no collection 'machine' of Machine is in a CloudEntryPoint; it is machines",
        ),
        (
            "resources: {Disk: {parent: {resource: Machin, each: disk}}}\n",
            "no resource 'Machin' is mapped; did you mean 'Machine'?",
        ),
        (
            "resources: {Disk: {parent: {resource: Machine, each: diks}}}\n",
            "Machine has no relation 'diks'; did you mean 'disk'?",
        ),
        (
            "resources: {Machine: {join: {vol: {class: CIM_StorageVolume, refers: SystemNam}}}}\n",
            "CIM_StorageVolume has no property 'SystemNam'; did you mean 'SystemName'?",
        ),
        (
            "resources: {Machine: {join: {part: {of: cs, items: {Role: cs.Roless}}}}}\n",
            "CIM_ComputerSystem has no property 'Roless'; did you mean 'Roles'?",
        ),
        (
            "resources: {Machine: {join: {part: {of: cs, items: {Role: vssd.Notes}}}}}\n",
            "`items` of cs read cs, not vssd",
        ),
        (
            "resources: {Machine: {join: {part: {of: cs, items: {Role: cs.Roles}}},"
            " attributes: {cpuArch: {read: first(part.Rol), optional: false}}}}\n",
            "the items of part have no property 'Rol'; did you mean 'Role'?",
        ),
        (
            "resources: {Machine: {join: {part: {items: {Role: cs.Roles}, match: {}}}}}\n",
            "`items` are of a relation: say it with `of`",
        ),
        (
            "resources: {Machine: {attributes: {cpu: {read:"
            " \"in_unit(vssd.Notes, 'bite*2', 'byte')\"}}}}\n",
            "bite cannot be turned into byte",
        ),
        ("jobs: {state: JobStat}\n", "CIM_ConcreteJob has no property 'JobStat'; did you mean"),
        ("jobs: {done: [Finished]}\n", "JobState is uint16: 'Finished' is no such value"),
        ("jobs: {parameter: Jobb}\n", "no method has an out parameter 'Jobb'; did you mean 'Job'?"),
        (
            "rules: {machine_state: [{if: {cs.EnabledState: {like: 'on*'}}, is: STARTED}]}\n",
            "EnabledState is uint16: `like` is for texts",
        ),
        (
            "rules: {machine_state: [{if: {cs.InstallDate: {bits: 1}}, is: STARTED}]}\n",
            "InstallDate is datetime: `bits` is for numbers",
        ),
        ("jobs: {made: Resultt}\n", "CIM_ConcreteJob has no property 'Resultt'"),
        ("jobs: {progress: Percent}\n", "CIM_ConcreteJob has no property 'Percent'; did you mean"),
        ("jobs: {class: CIM_ConcretJob}\n", "did you mean 'CIM_ConcreteJob'?"),
        ("jobs: {class: CIM_Processor}\n", "CIM_Processor has no property 'JobState'"),
        (
            "jobs: {cancel: {call: job.KillJobb}}\n",
            "has no method 'KillJobb'; did you mean 'KillJob'",
        ),
        (
            "jobs: {cancel: {call: job.KillJob, in: {Delete: 1}}}\n",
            "KillJob has no parameter 'Delete'; did you mean 'DeleteOnKill'?",
        ),
        ("units: {'bite^^2': Bites}\n", "'bite^^2' is no programmatic unit"),
        ("jobs: {failed: {ErrCode: not 0}}\n", "CIM_ConcreteJob has no property 'ErrCode'"),
        (
            "faults: [{call: cs.RequestStateChang, status: 1, is: conflict}]\n",
            "no class has a method 'RequestStateChang'; did you mean 'RequestStateChange'?",
        ),
        (
            "resources: {Machine: {attributes: {memory: {read: product(mem.X, mem.Y)}}}}\n",
            "in {...} a value with a comma wants quotes",
        ),
        ("resources: {Machine: {join: {Disk: {of: rasd}}}}\n", "mine.yaml:4:30: 'Disk' does not"),
        ("resources: {Machine: 7}\n", "mine.yaml:4:22: must be a table of keys, not 7"),
        ("mof: libvirt-cin\n", "did you mean 'libvirt-cim'? Shipped are dmtf, lab, libvirt-cim"),
        ("classes: {CIM_: on}\nclasses: {}\n", "the key 'classes' stands twice"),
        ("name: other\n", "the key 'name' stands twice; first on"),
    ],
)
def test_a_mistake_names_its_place_and_the_nearest_name(
    tmp_path: Path, body: str, expected: str
) -> None:
    assert any(expected in line for line in mistakes(tmp_path, HEAD + body))


MANY = """\
language: 1
name: mine
extends: base
namespace: {impl: root/virt}
name: twice
rules:
  machine_state:
    - {if: {cs.EnabledStat: 2}, is: STARTED}
resources:
  Machine:
    collection: machins
    anchor: {class: CIM_ComputerSytem}
    join:
      vssd: {class: CIM_VirtualSystemSettingDat}
      mem: {of: rasdd}
      disk: {where: {ResourceTyp: 17}}
      nic: {frm: vssd}
    attributes:
      cpuu: {const: 1}
      cpu: {read: smu(proc.VirtualQuantity)}
      memory: {read: sum(mem.VirtualQuantity), convert: kilo}
      state: {rules: machine_stat}
    operations:
      start: {when: [STOPED], call: vsms.DefineSystm}
  Disk:
    attributes:
      capacity: {read: disk.Size}
  Machin: {}
"""


def test_mistakes_of_every_kind_are_told_at_once(tmp_path: Path) -> None:
    """Neither of the YAML, nor of the language, nor in the names of classes hides another."""
    told = [line.split(":")[1] for line in mistakes(tmp_path, MANY)]
    lines = ["4", "5", "11", "12", "14", "15", "16", "17", "19", "20", "21", "22", "24", "24"]
    assert told == [*lines, "27", "28"]


@pytest.mark.parametrize(
    "body",
    [
        "resources: {Machine: {anchor: {class: CIM_ComputerSistem}}}\n",
        "resources: {Machine: {join: {rasd: {class: CIM_ResourceAlocationSettingData}}}}\n",
        "resources: {Machine: {join: {rasd: {via: CIM_NoComponent}}}}\n",
        "resources: {Machine: {join: {rasd: {of: vsssd, class: null, via: null}}}}\n",
        "resources: {Machine: {join: {rasd: {role: GroupComponentt}}}}\n",
        "resources: {Machine: {join: {rasd: 7}}}\n",
        "services: {vsms: {class: CIM_NoService}}\n",
        "rules: {machine_state: 7}\n",
        "resources: {Machine: {id: {natural: [{global: cs.Nothing}]}}}\n",
        "mof: [acme]\nclasses: {CIM_: ACME_}\nresources: {Machine: {anchor: {class: ACME_X}}}\n",
    ],
)
def test_one_mistake_is_told_once(tmp_path: Path, body: str) -> None:
    """What hangs on a class or a relation that is misspelled is no mistake of its own."""
    assert len(mistakes(tmp_path, HEAD + body)) == 1


def test_mistakes_in_mof_do_not_hide_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "bad.mof").write_text("class ACME_X {\n  strin Y;\n};\n")
    found = mistakes(tmp_path, HEAD + "mof: acme\nresorces: {}\n")
    assert len(found) == 2
    assert "mine.yaml:5:1: unknown key 'resorces'" in found[0]
    assert "acme/bad.mof:2" in found[1]


def test_an_optional_attribute_may_read_what_the_vendor_does_not_declare(tmp_path: Path) -> None:
    body = "resources: {Machine: {attributes: {cpuArch: {read: first(proc.NoSuchProperty)%s}}}}\n"
    assert mistakes(tmp_path, HEAD + body % "") == []  # base says optional
    assert len(mistakes(tmp_path, HEAD + body % ", optional: false")) == 1
    assert len(mistakes(tmp_path, HEAD + body % " +")) == 1  # no expression, optional or not


def test_words_that_old_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    assert mistakes(tmp_path, HEAD + "settings: {mode: on}\n") == []


def test_a_mapping_that_extends_itself_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "language: 1\nname: mine\nextends: mine.yaml\n")
    assert any("extends itself" in line for line in found)


def test_an_unknown_base_lists_the_shipped_ones(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path, "language: 1\nname: mine\nextends: libvirt-cin\n")
    assert "did you mean 'libvirt-cim'?" in found


def test_the_command_prints_mistakes_and_exits_non_zero(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + "resorces: {}\n", encoding="utf-8")
    result = CliRunner().invoke(commands, ["check", str(path), str(find_mapping("base"))])
    assert result.exit_code == 1
    assert f"{path}:4:1: unknown key 'resorces'" in result.output
    assert CliRunner().invoke(commands, ["check", str(find_mapping("base"))]).exit_code == 0


def test_a_missing_file_is_a_mistake_not_a_traceback(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands, ["check", str(tmp_path / "no.yaml")])
    assert result.exit_code == 1
    assert result.output == f"{tmp_path}/no.yaml:1:1: no such file; check the path\n"


def test_the_published_schema_is_one_and_accepts_the_shipped_mappings() -> None:
    result = CliRunner().invoke(commands, ["check", "--schema"])
    schema = json.loads(result.output)
    Draft202012Validator.check_schema(schema)
    for name in shipped_mappings():
        text = find_mapping(name).read_text(encoding="utf-8")
        Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_a_dialect_is_checked_as_one(tmp_path: Path) -> None:
    shipped = sorted((mappings_folder() / "servers").glob("*.yaml"))
    assert CliRunner().invoke(commands, ["check", *map(str, shipped)]).exit_code == 0
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nembed: txt\npul: true\nproperty_list: no\n", encoding="utf-8")
    result = CliRunner().invoke(commands, ["check", str(path)])
    assert result.exit_code == 1
    embed, pull, property_list = result.output.replace(f"{tmp_path}/", "").splitlines()
    assert embed == "mine.yaml:2:8: embed must be instance or text, not 'txt'"
    assert pull.startswith("mine.yaml:3:1: unknown key 'pul'; did you mean 'pull'? Known are name,")
    assert property_list == "mine.yaml:4:16: property_list must be true or false, not 'no'"
