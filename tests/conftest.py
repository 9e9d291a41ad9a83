"""Fixtures that tests of several folders share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from cimi_cim.lab.front import Certificate

pytest_plugins = ["tests.databases"]


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Certificate, Path]:
    """A certificate for 127.0.0.1, and the file of the authority that signed it."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they overrule a client's ca_certs
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, trusted = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    trusted.write_bytes(authority.cert_pem.bytes())
    return Certificate(chain, key), trusted


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell how many requests tests made that count them (tests/fuzz)."""
    reports = [r for each in terminalreporter.stats.values() for r in each]
    said = [p for r in reports for p in getattr(r, "user_properties", ()) if r.when == "call"]
    cases = sum(value for name, value in said if name == "cases")
    if cases:
        terminalreporter.write_line(f"{cases} requests by the OpenAPI document")
