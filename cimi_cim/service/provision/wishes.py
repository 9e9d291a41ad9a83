"""Where clients want what is new: CIMI has no attribute for it, so `properties` say it."""

from __future__ import annotations

from cimi_cim.errors import BadRequest
from cimi_cim.mapping.results import Wish
from cimi_cim.model.resources import Value

TARGET, LABELS = "cimi-cim:target", "cimi-cim:labels"


def wish_of(*properties: Value) -> Wish:
    """Return the wish that the `properties` of a document say, or else those of its template.

    `cimi-cim:target` is the alias of a target, `cimi-cim:labels` labels that it has:
    `tier=gold, rack=12`. Raises `BadRequest`.
    """
    for said in properties:
        if isinstance(said, dict) and (TARGET in said or LABELS in said):
            return Wish(said.get(TARGET), _labels(str(said.get(LABELS, ""))))
    return Wish()


def _labels(text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, mark, value = pair.partition("=")
        if not mark or not name.strip():
            raise BadRequest(
                f"properties: {LABELS} is {text[:80]!r}; say it as name=value, and several"
                " separated by commas",
                reason="bad-labels",
            )
        found[name.strip()] = value.strip()
    return found
