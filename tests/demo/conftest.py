"""The demo archive, made once for the tests that only read it, and a server in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer

NOW = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)
TOKEN = "the-token"


@pytest.fixture(scope="session")
def demo() -> Catalogue:
    """The demo archive; not to be changed."""
    return demo_catalogue(now=NOW)


@pytest.fixture(scope="module")
def demo_server(demo: Catalogue) -> Iterator[ArchiveServer]:
    """A server of the unchanged demo archive, without faults."""
    with ArchiveServer(demo, token=TOKEN) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def small() -> Catalogue:
    """A cheap archive of its own for each test: 6 files."""
    return scaled_catalogue(observations=2, now=NOW, sizes=(20_000, 60_000))


@pytest.fixture
def server(small: Catalogue) -> Iterator[ArchiveServer]:
    """A server of the cheap archive."""
    with ArchiveServer(small, token=TOKEN) as running:
        yield running
    assert running.errors == []
