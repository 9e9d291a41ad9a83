"""The type of options that bound how long something may take."""

from __future__ import annotations

import math
from typing import Any

import click

_LONGEST_S = 3600  # as for a target's deadline_s


class Seconds(click.FloatRange):
    """Seconds, from a tenth of one to an hour; what is no number is refused."""

    def __init__(self) -> None:
        super().__init__(min=0.1, max=_LONGEST_S)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return them as a float."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is not in the range 0.1<=x<={_LONGEST_S}.", param, ctx)
        return found
