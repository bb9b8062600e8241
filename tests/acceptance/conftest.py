"""Archives in a box, and worlds to run the program in."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import World

WATCH = {"watch": {"propID": 9001}}
"""A profile for everything that the small archive has."""


@pytest.fixture(scope="session")
def now() -> datetime:
    """When the tests began."""
    return datetime.now(UTC)


def small_catalogue(now: datetime) -> Catalogue:
    """Return four exposures with three files each, a few hours old."""
    return scaled_catalogue(observations=4, now=now, sizes=(6_000, 20_000))


@pytest.fixture
def archive(now: datetime) -> Iterator[ArchiveServer]:
    with ArchiveServer(small_catalogue(now)) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def world(tmp_path: Path, archive: ArchiveServer) -> World:
    """A user who watches the small archive and has never run the program."""
    found = World(tmp_path / "world", archive.url)
    found.configure(WATCH)
    return found


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> World:
    """The world after a whole first run; tests get copies of it."""
    with ArchiveServer(small_catalogue(now)) as server:
        found = World(tmp_path_factory.mktemp("first") / "world", server.url)
        found.configure(WATCH)
        (run,) = found.run_now()
        assert run["downloaded"] == 12
    return found


@pytest.fixture
def synced(tmp_path: Path, first_run: World, archive: ArchiveServer) -> World:
    """A user whose first run was whole, with an archive that nobody has asked since."""
    folder = tmp_path / "synced"
    shutil.copytree(first_run.folder, folder)
    found = World(folder, archive.url)
    found.configure(WATCH)
    with contextlib.closing(sqlite3.connect(found.state)) as connection, connection:
        connection.execute("UPDATE root SET path = ?", (str(found.root),))
    return found


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The words that run a shell script where it may mount; without them these tests skip out loud."""
    folder = tmp_path_factory.mktemp("mount")
    flags = "--mount" if os.geteuid() == 0 else "--mount --map-root-user"
    words = ["unshare", *flags.split(), "sh", "-c"]
    if shutil.which("unshare"):
        tried = subprocess.run([*words, f"mount -t tmpfs -o size=1m none {folder}"], capture_output=True)
        if tried.returncode == 0:
            return words
    if os.environ.get("CI"):
        pytest.fail("CI must be able to mount a tmpfs in a name space of its own")
    pytest.skip("this user may not mount anything (unshare --mount)")
