"""Where `cimi-cim probe --out` writes: an overlay, its class declarations, a configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cimi_cim.errors import ConfigError
from cimi_cim.mapping.probing.draft import Draft
from cimi_cim.mapping.probing.probe import Probed
from cimi_cim.mapping.probing.writing import (
    CONFIGURATION,
    NAME,
    files_of,
    refuse_existing,
    stanza,
    write_files,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, and the name of the overlay in it where the operator says one."""

    folder: Path
    name: str | None
    force: bool

    @classmethod
    def at(cls, out: Path, *, force: bool) -> Place:
        """Return the place that --out names: a folder, or the overlay's file in one.

        Raises `ConfigError`.
        """
        if out.suffix not in (".yaml", ".yml"):
            if out.exists() and not out.is_dir():
                raise ConfigError(f"--out {out}: is no folder; say a folder, or a file.yaml")
            return cls(out, None, force)._free()
        if not NAME.fullmatch(out.stem):
            raise ConfigError(
                f"--out {out}: a mapping is called by lower-case letters, digits, dots and dashes"
            )
        if out.suffix != ".yaml" or out.name == CONFIGURATION:
            raise ConfigError(f"--out {out}: say another name, ending in .yaml")
        return cls(out.parent, out.stem, force)._free()

    def _free(self) -> Place:
        """Refuse before the server is asked anything what would be refused at the end."""
        names = [CONFIGURATION, *([f"{self.name}.yaml"] if self.name is not None else [])]
        refuse_existing(self.folder, names, force=self.force)
        return self

    def write(self, probed: Probed) -> dict[str, str]:
        """Write all files; returns what each is, by its path. Raises `ConfigError`."""
        draft = probed.draft if self.name is None else renamed(probed.draft, self.name)
        server = f"{draft.name}-server.yaml" if probed.dialect is not None else probed.server
        config = replace(probed.config, namespaces={}, server=server)  # the overlay says them
        files = files_of(draft) | {CONFIGURATION: stanza(config, f"{draft.name}.yaml")}
        if probed.dialect is not None:
            files[server] = probed.dialect
        replaced = write_files(self.folder, files, force=self.force)
        said = {f"{draft.name}.yaml": "overlay", CONFIGURATION: "configuration"}
        if probed.dialect is not None:
            said[server] = "server dialect"
        if draft.mof:
            said[f"{draft.name}-mof"] = "class declarations"
        return {
            str(self.folder / name): f"{what}{', replaced' if name in replaced else ''}"
            for name, what in said.items()
        }


def renamed(draft: Draft, name: str) -> Draft:
    """Return a draft under another name; its folder of declarations is called after it."""
    tree = {**draft.tree, "name": name}
    if "mof" in tree:
        tree["mof"] = f"{name}-mof"
    return Draft(name, tree, draft.comments, draft.notes, draft.mof)
