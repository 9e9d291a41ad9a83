"""How long the state machines run: `STATE_STEPS` says how many steps each; a few by default."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

STEPS_AT_ONCE = 25
STEPS = int(os.environ.get("STATE_STEPS", "100"))


def run(machine: Any) -> None:
    """Run a state machine: by default always the same steps, else others each time."""
    is_long = "STATE_STEPS" in os.environ
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(STEPS // STEPS_AT_ONCE, 1),
            stateful_step_count=STEPS_AT_ONCE,
            derandomize=not is_long,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink) if is_long else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
