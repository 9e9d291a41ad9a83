"""The bridge keeps what its OpenAPI document says, whatever is sent.

`FUZZ_CASES` is how many requests are sent, 300 where it is not said; `FUZZ_SEED` is a number,
and another one sends others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.fuzz.bridge import bridge
from tests.fuzz.fuzzing import Fuzzer
from tests.fuzz.lives import Lives

pytestmark = pytest.mark.filterwarnings(
    # Hypothesis notices that another thread, which carries out a Job, drew a random number.
    "ignore:Do not use the `random` module inside strategies"
)
CASES = int(os.environ.get("FUZZ_CASES", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
MACHINE = "/cimi/2/machines/{machineId}"
SHARES = 4 if CASES > 1000 else 2


@pytest.mark.parametrize("share", range(SHARES))
def test_no_request_gets_an_answer_that_is_not_described(
    share: int, record_property: Callable[[str, object], None]
) -> None:
    with bridge() as found:
        fuzzer = Fuzzer(found, seed=SEED)
        fuzzer.run(share, SHARES, -(-CASES // SHARES))
    record_property("cases", fuzzer.executed)
    record_property("statuses", dict(fuzzer.statuses))
    assert not fuzzer.failures, "\n\n".join(fuzzer.failures.values())
    assert fuzzer.statuses[200] > fuzzer.executed / 10  # not everything is refused
    assert fuzzer.executed >= CASES // SHARES


def test_a_document_that_says_something_else_is_found_out() -> None:
    with bridge() as found:
        lie = deepcopy(found.document)
        del lie["components"]["schemas"]["V2.Machine"]["properties"]["name"]
        del lie["paths"][MACHINE]["get"]["responses"]["404"]
        lie["paths"] = {
            p: i for p, i in lie["paths"].items() if p.startswith("/cimi/2/machines/{m")
        }
        found.document = lie
        fuzzer = Fuzzer(found)
        fuzzer.run(0, 1, 120)
    kinds = {failure.partition(" ")[0] for failure in fuzzer.failures}
    assert {"JsonSchemaError", "UndefinedStatusCode"} <= kinds


def test_what_can_be_created_can_be_read_sent_back_and_deleted(
    record_property: Callable[[str, object], None],
) -> None:
    with bridge() as found:
        lives = Lives(Fuzzer(found, seed=SEED))
        lives.run()
    record_property("cases", lives.requests)
    assert not lives.failures, "\n\n".join(lives.failures)
    assert lives.lived > 40
