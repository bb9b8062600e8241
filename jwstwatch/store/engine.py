"""Open the state database so that it keeps what it is told, and says plainly when it cannot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from jwstwatch.errors import BusyError, ConfigurationError, StateError, StorageError

BUSY_TIMEOUT = 20.0
"""Seconds to wait for another process that is writing."""

STATE_MODE = 0o640
"""For its owner, and for the team to read."""

_WRITE_LOCK = 0x6A777374
"""Key of the advisory lock that writers of one PostgreSQL database take in turn."""

_NETWORK_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "9p",
        "pvfs2",
    ]
)


class Database:
    """One engine with two ways in: `write()` is one short transaction, `read()` a consistent look."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that holds the write lock from its beginning.

        So what it reads stays true until it has written: two runs never insert one row twice.
        """
        with translate_database_errors(self.engine.url), self.engine.begin() as connection:
            if not self.is_sqlite:  # SQLite's BEGIN IMMEDIATE has it already
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK})
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

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


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


def sqlite_path(url: URL) -> Path | None:
    """Return the file of an SQLite state; None for memory and for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def open_database(
    url: str, *, allow_network_state: bool = False, busy_timeout: float = BUSY_TIMEOUT
) -> Database:
    """Return a `Database` for `url`; an SQLite file and its folder are made where they are missing."""
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None:
        _prepare_file(path, allow_network_state=allow_network_state)
    try:
        engine = create_engine(parsed, **_options(parsed, busy_timeout))
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            f"the driver for {parsed.drivername} is not installed",
            hint="pip install 'jwstwatch[postgres]'",
        ) from error
    if parsed.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, busy_timeout)
    return Database(engine)


def _options(url: URL, busy_timeout: float) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": busy_timeout, "check_same_thread": False}}
    wait = f"-c lock_timeout={int(busy_timeout * 1000)} -c timezone=UTC"
    return {"connect_args": {"options": wait, "connect_timeout": 10}, "pool_pre_ping": True}


def _prepare_file(path: Path, *, allow_network_state: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = file_system_of(path.parent)
        if kind in _NETWORK_FILE_SYSTEMS and not allow_network_state:
            raise StateError(
                f"the state {path} lies on a network file system ({kind}), where SQLite loses data",
                hint="Put it on a local disk (state: in jwstwatch.yaml), use PostgreSQL, "
                "or take the risk with --allow-network-state.",
            )
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, STATE_MODE))
    except OSError as error:
        raise StorageError(
            f"the state {path} cannot be made: {error.strerror}",
            hint="Check the folder's owner and modes, or name another file (`state:`, $JWSTWATCH_STATE).",
        ) from error


def file_system_of(folder: Path) -> str | None:
    """Return the type of the file system that `folder` lies on (Linux), None where it cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return None
    resolved = str(folder.resolve())
    best: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(b" - ")
        # A blank is written as \040 there.
        mount = os.fsdecode(left.split()[4].decode("unicode_escape").encode("latin-1"))
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and (best is None or len(mount) >= best[0]):
            best = (len(mount), right.split()[0].decode())
    return best[1] if best else None


def _prepare_sqlite(engine: Engine, busy_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # The driver's own transactions begin too late to hold a lock from the first read on.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
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


_NOT_WRITABLE = ("readonly database", "read-only transaction", "unable to open", "permission denied")


def _foresee(error: DBAPIError, url: URL) -> Exception | None:
    said = str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else ""
    path = sqlite_path(url)
    # A password may stand in the query too.
    where = path or url.set(query={}).render_as_string(hide_password=True)
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
    if isinstance(error, OperationalError):
        hint = "Is the database server up?" if path is None else "Restore it from a backup, or set it aside."
        return StateError(f"the state {where} cannot be used: {said}", hint=hint)
    return None
