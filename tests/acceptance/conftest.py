"""Archives in a box, and worlds to run the program in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import World

WATCH = {"watch": {"propID": 9001}}
"""A profile for everything that the small archive has."""


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def archive(now: datetime) -> Iterator[ArchiveServer]:
    """A small archive: four exposures, twelve files, a few hours old."""
    catalogue = scaled_catalogue(observations=4, now=now, sizes=(6_000, 20_000))
    with ArchiveServer(catalogue) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def world(tmp_path: Path, archive: ArchiveServer) -> World:
    """A user who watches the small archive and has never run the program."""
    found = World(tmp_path / "world", archive.url)
    found.configure(WATCH)
    return found
