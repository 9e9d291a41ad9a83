"""One provider for all contract tests: building it costs more than asking it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Maker
from tests.contract.plant import Plant
from tests.contract.provider import Provider


@pytest.fixture(scope="session")
def makers() -> Iterator[dict[CimiVersion, Maker]]:
    """What makes resources in the provider, for either version.

    There is an example of every type, and all links are followed before the first test.
    """
    with ExitStack() as stack:
        provider = Provider(stack)
        found = {version: Maker(provider, version) for version in (CimiVersion.V2, CimiVersion.V1)}
        for maker in found.values():
            maker.populate()
        for version in CimiVersion:
            assert provider.pages(version)
        yield found


@pytest.fixture(scope="session")
def provider(makers: dict[CimiVersion, Maker]) -> Provider:
    """The provider; what a test changes in it, it changes in resources of its own."""
    return makers[CimiVersion.V2].provider


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    """A provider of a module's own that makes things on its platform, at once."""
    with ExitStack() as stack:
        yield Plant(stack, with_jobs=True)
