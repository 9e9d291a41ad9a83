"""The example output in docs/your-own-server.md: made here, held against the page by a test.

    python -m tests.probe.example

writes it into the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from cimi_cim.cli.probe_report import print_coverage
from cimi_cim.config import TargetConfig
from cimi_cim.mapping.probing.probe import asked, probe
from cimi_cim.mapping.probing.writing import stanza
from cimi_cim.model.load import load_model
from tests.probe.vendors import Alien, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-own-server.md"
URL = "http://hypervisor.example:5988"


def blocks() -> dict[str, str]:
    """The blocks of the page by name: coverage, overlay, configuration."""
    with serving(Alien()) as url:
        config = TargetConfig("zap", url, deadline_s=30)
        with asked(config, lambda what: None, 30) as asker:
            probed = probe(asker, config, "zap/vms", load_model(), 30)
    paper = StringIO()
    print_coverage(probed.coverage.lines, Console(file=paper, width=120, highlight=False))
    lines = [line.rstrip() for line in paper.getvalue().splitlines()]
    return {
        "coverage": "\n".join(lines).strip(),
        "overlay": probed.draft.text().strip(),
        "configuration": stanza(replace(probed.config, url=URL), "zap.yaml").strip(),
    }


def found(page: str) -> dict[str, str]:
    """The blocks as the page has them: fenced, behind a comment with their name."""
    return {name: body.strip() for name, _, body in _BLOCK.findall(page)}


def rewritten(page: str, made: Mapping[str, str]) -> str:
    """The page with other blocks."""
    return _BLOCK.sub(lambda m: f"<!-- {m[1]} -->\n```{m[2]}\n{made[m[1]]}\n```", page)


_BLOCK = re.compile(r"<!-- (\w+) -->\n```(\w*)\n(.*?)\n```", re.DOTALL)

if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), blocks()), encoding="utf-8")
