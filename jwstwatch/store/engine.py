"""Open the state database so that it keeps what it is told, and says plainly when it cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from jwstwatch.errors import (
    BusyError,
    ConfigurationError,
    JwstwatchError,
    StateAwayError,
    StateError,
    StorageError,
)
from jwstwatch.store.sqlite_files import (
    connect_to_read,
    log_of,
    may_write,
    prepare_file,
    real_file,
    require_local,
)

BUSY_TIMEOUT = 60.0
"""Seconds to wait for another process that is writing."""

WRITE_LOCK = 0x6A777374
"""Key of the advisory lock that writers of one PostgreSQL database take in turn."""

LOG_KEPT = 16_000_000
"""Bytes that an SQLite state's log keeps once it has been emptied; what a large transaction added goes."""


class Database:
    """One engine with two ways in: `write()` is one short transaction, `read()` a consistent look."""

    def __init__(self, engine: Engine, *, looks: bool = False) -> None:
        self.engine = engine
        self._looks = looks
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.kept = contextlib.ExitStack()
        """What is held for as long as the database is open."""

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that holds the write lock from its beginning.

        So what it reads stays true until it has written: two runs never insert one row twice.
        """
        with translate_database_errors(self.engine.url), self.engine.begin() as connection:
            if not self.is_sqlite:  # SQLite's BEGIN IMMEDIATE has it already
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one moment of the database."""
        options: dict[str, Any] = {"jwstwatch_read": True}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            translate_database_errors(self.engine.url),
            self.engine.connect().execution_options(**options) as connection,
        ):
            yield connection

    def answers(self) -> bool:
        """Return whether the database answers a question; another process that writes is no hindrance."""
        try:
            with self.read() as connection:
                connection.execute(text("SELECT 1")).scalar_one()
        except JwstwatchError:
            return False
        return True

    def fold_log(self) -> bool:
        """Bring the log of an SQLite state into the state itself, and empty it; returns whether it is empty.

        Nobody is waited for: while others read or write it stays for another time, and so does what fails.
        """
        path = sqlite_path(self.engine.url)
        try:
            if path is None or self._looks or log_of(real_file(path)).stat().st_size == 0:
                return True
            # Not one of ours with a transaction around it: there it is refused.
            with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
                row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except FileNotFoundError:
            return True
        except (OSError, sqlite3.Error):
            return False
        return not row[0]

    def close(self) -> None:
        """Give back every connection, and whatever was held beside them."""
        self.fold_log()  # SQLite does it where we are the last; beside others we are to leave no large log
        self.engine.dispose()
        self.kept.close()


def parse_url(url: str) -> URL:
    """Return the parsed SQLAlchemy URL of a state, or say why it is none."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "state: this is no database URL",
            hint="Write a path, sqlite:////absolute/path/state.db or postgresql+psycopg://user@host/name.",
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"state: {parsed.get_backend_name()} is not supported", hint="Use SQLite or PostgreSQL."
        )
    if parsed.host is not None and "@" in parsed.host:
        raise ConfigurationError(
            "state: the URL has more than one @", hint="In a user's name or a password write %40 instead."
        )
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite state at `path`, whatever its name holds."""
    literal = str(path).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{literal}"


def sqlite_path(url: URL) -> Path | None:
    """Return the file of an SQLite state; None for memory and for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def open_database(
    url: str, *, allow_network_state: bool = False, busy_timeout: float = BUSY_TIMEOUT, look: bool = False
) -> Database:
    """Return a `Database` for `url`; an SQLite file and its folder are made where they are missing.

    With `look` nothing is made or changed, and whoever may not write an SQLite file reads it all the same.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None:
        require_local(path, allowed=allow_network_state)
    if path is not None and not look:
        prepare_file(path)
    options = _options(parsed, busy_timeout)
    if path is not None and look:
        # A connection for each look: none is held while the file may be replaced by a backup.
        options["poolclass"] = NullPool
        options.pop("max_overflow", None)
        if not may_write(path):
            options["creator"] = lambda: connect_to_read(path, timeout=busy_timeout)
    try:
        engine = create_engine(parsed, **options)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            f"the driver for {parsed.drivername} is not installed",
            hint="pip install 'jwstwatch[postgres]'",
        ) from error
    if parsed.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, busy_timeout, look=look)
    return Database(engine, looks=look)


def _options(url: URL, busy_timeout: float) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        connect: dict[str, Any] = {"timeout": busy_timeout, "check_same_thread": False}
        return {"connect_args": connect, "max_overflow": -1} if url.database else {"connect_args": connect}
    wait = f"-c lock_timeout={int(busy_timeout * 1000)} -c timezone=UTC"
    # As many as there are threads that ask: none of them is to wait for another that waits for a lock.
    connect = {"options": wait, "connect_timeout": 10}
    return {"connect_args": connect, "pool_pre_ping": True, "max_overflow": -1}


def _prepare_sqlite(engine: Engine, busy_timeout: float, *, look: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # The driver's own transactions begin too late to hold a lock from the first read on.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        if not look:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA journal_size_limit = {LOG_KEPT}")
            cursor.execute(f"PRAGMA cache_size = -{_CACHE}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("jwstwatch_read")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextlib.contextmanager
def translate_database_errors(url: URL) -> Iterator[None]:
    """Turn what a database driver says into one of ours; what we do not foresee stays a bug."""
    try:
        yield
    except DBAPIError as error:
        foreseen = _foresee(error, url)
        if foreseen is None:
            raise
        raise foreseen from error


@contextlib.contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """The same for what SQLite's own driver says of the database at `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(str(error), str(path), operational=True, is_file=True) or error from error


_CACHE = 8_000
"""KiB of an SQLite state that each connection that may write keeps in memory.

Among a million files it saves a seventh of what writing costs against 2,000; more saves nothing.
"""

_NOT_WRITABLE = ("readonly database", "read-only transaction", "unable to open", "permission denied")


def _foresee(error: DBAPIError, url: URL) -> Exception | None:
    said = str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else ""
    path = sqlite_path(url)
    # A password may stand in the query too.
    where = str(path or url.set(query={}).render_as_string(hide_password=True))
    operational = isinstance(error, OperationalError)
    return _explain(said, where, operational=operational, is_file=path is not None)


def _explain(said: str, where: str, *, operational: bool, is_file: bool) -> Exception | None:
    lowered = said.lower()
    if "database is locked" in lowered or "lock timeout" in lowered:
        return BusyError(
            f"the state {where} is locked by another process",
            hint="Wait for it to finish, or find it with `fuser` and stop it.",
        )
    if "disk is full" in lowered or "no space left" in lowered:
        return StorageError(f"the disk of the state {where} is full", hint="Free some space there.")
    if "disk i/o error" in lowered:
        return StorageError(
            f"the disk of the state {where} is full, or does not do its work ({said})",
            hint="Free some space there, and look at the system log.",
        )
    if any(words in lowered for words in _NOT_WRITABLE):
        return StorageError(
            f"the state {where} may not be written by this user: {said}",
            hint="Check its owner and modes, and those of its folder.",
        )
    if "not a database" in lowered or "malformed" in lowered:
        return StateError(f"{where} is not a sound SQLite database: {said}", hint="Restore it from a backup.")
    if operational:
        hint = "Restore it from a backup, or set it aside." if is_file else "Is the database server up?"
        away = StateError if is_file else StateAwayError
        return away(f"the state {where} cannot be used: {said}", hint=hint)
    return None
