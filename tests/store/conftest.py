"""Each test gets an empty state: once in an SQLite file, once in a real PostgreSQL database.

The two states are made once for the session and emptied before each test: making one takes longer than most
tests, and an engine that is kept need not compile its statements again. A test that changes the schema, or
needs a state that nobody has touched, takes `own_url` or `empty_url`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jwstwatch.store import migrate
from jwstwatch.store.engine import Database, open_database
from jwstwatch.store.store import Store
from jwstwatch.store.tables import metadata
from jwstwatch.store.tallies import discrepancies
from tests.store.desk import Desk
from tests.store.postgres import Server, find_binaries, running

SQLITE = "sqlite"
POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)
BOTH = [SQLITE, POSTGRES]

_END_WHAT_IS_LEFT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
)
_EMPTY = [f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)]
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
        yield server


@pytest.fixture(scope="session")
def sqlite_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated state in an SQLite file."""
    yield from _migrated(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}")


@pytest.fixture(scope="session")
def postgres_state(server: Server) -> Iterator[Database]:
    """A migrated state in a PostgreSQL database."""
    server.execute("CREATE DATABASE state")
    yield from _migrated(server.url("state"))


def _migrated(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        migrate.upgrade(database)
        yield database
    finally:
        database.close()


@pytest.fixture(params=BOTH)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; a test takes `parametrize("backend", ...)` to run on one only."""
    return str(request.param)


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest) -> Database:
    """A state with the schema of today, and nothing in it."""
    database: Database = request.getfixturevalue("sqlite_state" if backend == SQLITE else "postgres_state")
    with database.engine.begin() as connection:
        # psycopg sends several statements together, SQLite's driver takes one at a time.
        for words in _EMPTY if database.is_sqlite else ["; ".join((_END_WHAT_IS_LEFT, *_EMPTY))]:
            connection.exec_driver_sql(words)
    return database


@pytest.fixture
def url(database: Database) -> str:
    """The URL of that state, for other engines and other processes."""
    return database.engine.url.render_as_string(hide_password=False)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """That state, open; whatever a test does to it, the counts that are kept must be right in the end."""
    yield Store(database)
    with database.read() as connection:
        assert list(discrepancies(connection)) == []


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """The state with a profile, a root and a run in progress."""
    return Desk.set_up(store, tmp_path / "data")


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
def own_url(empty_url: str) -> str:
    """The URL of a state whose schema the test may change: no later test gets it."""
    for _ in _migrated(empty_url):
        pass
    return empty_url


@pytest.fixture
def open_at() -> Iterator[Callable[..., Database]]:
    """Open databases that are closed after the test."""
    with ExitStack() as stack:

        def opened(url: str, **options: float) -> Database:
            database = open_database(url, **options)  # type: ignore[arg-type]
            stack.callback(database.close)
            return database

        yield opened
