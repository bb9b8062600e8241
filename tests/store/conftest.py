"""Each test gets a state of its own: once in an SQLite file, once in a real PostgreSQL database."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jwstwatch.store import migrate
from jwstwatch.store.engine import Database, open_database
from jwstwatch.store.store import Store
from jwstwatch.store.tables import metadata
from tests.store.desk import Desk
from tests.store.postgres import Server, find_binaries, running

SQLITE = "sqlite"
POSTGRES = "postgresql"
BOTH = [SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres)]

SHARED = "state"
"""The migrated database of the server that the tests use one after the other: making one takes too long."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for this session (under xdist: one for each worker)."""
    binaries = find_binaries()
    if binaries is None:
        missing = "PostgreSQL's server programs are not on this machine (Debian: postgresql)"
        if os.environ.get("CI"):
            pytest.fail(f"CI must prove the state on PostgreSQL, and {missing}")
        pytest.skip(missing)
    with running(binaries) as server:
        server.execute(f"CREATE DATABASE {SHARED}")
        _migrate(server.url(SHARED))
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite state that nothing was written to yet."""
    path = tmp_path_factory.mktemp("migrated") / "state.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    database = open_database(url)
    try:
        migrate.upgrade(database)
    finally:
        database.close()


@pytest.fixture(params=BOTH)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; a test takes `parametrize("backend", ...)` to run on one only."""
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a state with the schema of today, and nothing in it."""
    if backend == SQLITE:
        path = tmp_path / "state.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
    else:
        server: Server = request.getfixturevalue("server")
        server.clear(SHARED, tables=[table.name for table in reversed(metadata.sorted_tables)])
        yield server.url(SHARED)


@pytest.fixture
def own_url(empty_url: str) -> str:
    """The URL of a state whose schema the test may change: no later test gets it."""
    _migrate(empty_url)
    return empty_url


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if backend == SQLITE:
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Server = request.getfixturevalue("server")
        name = f"empty_{next(_numbers)}"
        server.execute(f"CREATE DATABASE {name}")
        yield server.url(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_at() -> Iterator[Callable[[str], Database]]:
    """Open databases that are closed after the test."""
    with ExitStack() as stack:

        def opened(url: str, **options: float) -> Database:
            database = open_database(url, **options)
            stack.callback(database.close)
            return database

        yield opened


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open state."""
    with Store(open_database(url)) as store:
        yield store


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """The state with a profile, a root and a run in progress."""
    return Desk.set_up(store, tmp_path / "data")
