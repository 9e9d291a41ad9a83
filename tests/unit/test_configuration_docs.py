"""docs/configuration.md is the table of keys, no more and no less."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cimi_cim.config import TargetConfig, load_config
from cimi_cim.config.load import OTHER_VARIABLES
from cimi_cim.config.tables import SECTIONS, keys_of, variable

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "configuration.md").read_text(encoding="utf-8")


def shown_default(table: type, key: str) -> str:
    field = next(f for f in dataclasses.fields(table) if f.name == key)
    if field.default is dataclasses.MISSING:
        return "" if field.default_factory is not dataclasses.MISSING else "required"
    if field.default in (None, ()):
        return ""
    return f"`{str(field.default).lower()}`"


def rows_of_keys() -> list[str]:
    rows = []
    for section, table in SECTIONS.items():
        for key, row in keys_of(table).items():
            dotted = f"{section}.{key}".removeprefix(".")
            rows.append(
                f"| `{dotted}` | `{variable(section, key)}` | {row.kind.what}"
                f" | {shown_default(table, key)} | {row.meaning} |"
            )
    for key, row in keys_of(TargetConfig).items():
        default = shown_default(TargetConfig, key)
        rows.append(f"| `{key}` | {row.kind.what} | {default} | {row.meaning} |")
    rows += [f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items()]
    return [row.replace("|  |", "| |") for row in rows]


def test_the_reference_has_the_row_of_every_key_and_no_other() -> None:
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]
    assert rows == rows_of_keys()


def test_the_example_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = REFERENCE.partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "bridge.yaml"
    file.write_text(example)
    (tmp_path / "wbem.password").write_text("secret\n")
    config = load_config(file, environment={"ARRAY_PASSWORD": "secret"})
    assert [target.alias for target in config.targets] == ["kvm", "array"]


def test_every_link_of_the_index_leads_somewhere() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = {part.partition(")")[0] for part in index.split("](")[1:]}
    assert {"configuration.md", "operating.md"} <= linked
    assert all((DOCS / target).is_file() for target in linked)
