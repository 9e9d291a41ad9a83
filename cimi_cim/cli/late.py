"""Commands that are imported when they are run: each brings a part of the bridge with it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click


class LateCommand(click.Command):
    """Stands for a command in its group, and makes way for it as soon as it is run.

    Args:
        name: What the command is called, and its module in `cimi_cim.cli`.
        help: The first sentence of its help, for the list of commands.
        attribute: What the module calls it, if not by its name.
    """

    def __init__(self, name: str, help: str, attribute: str | None = None) -> None:
        super().__init__(name, help=help)
        self._module, self._attribute = f"cimi_cim.cli.{name}", attribute or name

    def load(self) -> click.Command:
        """Return the command itself."""
        found: click.Command = getattr(import_module(self._module), self._attribute)
        return found

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the words after the name as the command itself does.

        All else that click does with a command that was chosen it asks this context for.
        """
        return self.load().make_context(info_name, args, parent, **extra)
