"""Locks that vanish with their process: one daemon per state, one migration at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from jwstwatch import __version__
from jwstwatch.errors import BusyError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.engine import Database, sqlite_path, translate_database_errors
from jwstwatch.store.liveness import own_mark
from jwstwatch.store.sqlite_files import real_file

_REPLACEMENT = "restore"

_GLANCES = 25
_GLANCE = 0.02
"""Somebody who only asks for the holder has the lock for a moment: seconds between two attempts."""


@contextlib.contextmanager
def exclusive(
    database: Database, purpose: str, *, note: Mapping[str, str] | None = None
) -> Iterator[Callable[[], bool]]:
    """Hold the state's lock for `purpose` ("daemon", "migration"), or raise `BusyError` naming who has it.

    Yields what tells whether it is held still: on a server it is lost with its connection.
    `note` is kept in an SQLite state's lock file, beside the process, for whoever looks there.
    """
    path = sqlite_path(database.engine.url)
    if path is not None:
        with _file_lock(lock_path(path, purpose), purpose, note or {}):
            yield _always
    elif database.is_sqlite:
        yield _always  # a state in memory belongs to this process alone
    else:
        with _advisory_lock(database, purpose) as holds:
            yield holds


def _always() -> bool:
    return True


@contextlib.contextmanager
def exclusively(path: Path, purpose: str) -> Iterator[None]:
    """The same for the SQLite state at `path`, which need not be there."""
    with _file_lock(lock_path(path, purpose), purpose, {}):
        yield


def lock_path(state: Path, purpose: str) -> Path:
    """Return the lock file of an SQLite state for `purpose`: beside the file itself, not a link to it."""
    place = real_file(state)
    return place.with_name(f"{place.name}.{purpose}.lock")


@contextlib.contextmanager
def _file_lock(path: Path, purpose: str, note: Mapping[str, str]) -> Iterator[None]:
    with translate_storage_errors(path):
        handle = _open(path, os.O_RDWR)
    try:
        if not _take(handle):
            raise _refusal(purpose, _read_mark(handle))
        mark = own_mark()
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = {"pid": mark.pid, "host": mark.host, "since": since, "version": __version__, **note}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(content).encode(), 0)
        yield
    finally:
        os.close(handle)


def _refusal(purpose: str, who: Mapping[str, object]) -> BusyError:
    known = f": process {who['pid']} on {who['host']}" if {"pid", "host"} <= who.keys() else ""
    return BusyError(
        f"another {purpose} works on this state{known}",
        hint="Stop it first, or give this one a state of its own.",
    )


def _open(path: Path, flags: int) -> int:
    """Open a lock file; one that root makes belongs to whoever has the folder, who is to use it too."""
    handle = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    if os.geteuid() == 0 and os.fstat(handle).st_uid == 0:
        folder = path.parent.stat()
        os.fchown(handle, folder.st_uid, folder.st_gid)
    return handle


@contextlib.contextmanager
def in_use(database: Database) -> Iterator[None]:
    """Hold off that an SQLite state is replaced (restored, vacuumed) for as long as the block lasts."""
    path = sqlite_path(database.engine.url)
    if path is None:
        yield
        return
    try:
        handle = _open(lock_path(path, _REPLACEMENT), os.O_RDONLY)
    except OSError:
        yield  # whoever may not put a file there cannot replace the state either
        return
    try:
        if not _take(handle, fcntl.LOCK_SH):
            raise BusyError(f"the state {path} is being restored or vacuumed", hint="Try it again.")
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[None]:
    """Keep everybody else from opening the SQLite state at `path`, or raise `BusyError`."""
    with translate_storage_errors(path):
        handle = _open(lock_path(path, _REPLACEMENT), os.O_RDONLY)
    try:
        if not _take(handle):
            raise BusyError(
                f"another process works with the state {path}",
                hint="Wait for its run or command to end, or stop it (`systemctl stop jwstwatch`).",
            )
        yield
    finally:
        os.close(handle)


def _take(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    for _ in range(_GLANCES):
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_GLANCE)
    return False


def holder(database: Database, purpose: str) -> dict[str, object]:
    """Return who holds the lock for `purpose`: running, pid, since, version (None where not known)."""
    nobody: dict[str, object] = {"running": False, "pid": None, "since": None, "version": None}
    path = sqlite_path(database.engine.url)
    if path is None:
        session = None if database.is_sqlite else _session_that_holds(database, purpose)
        if session is None:
            return nobody
        return nobody | {"running": True, "pid": session.get("pid")}
    try:
        handle = os.open(lock_path(path, purpose), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return nobody
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        who = _read_mark(handle)
        return {"running": True} | {name: who.get(name) for name in ("pid", "since", "version")}
    finally:
        os.close(handle)
    return nobody


def _read_mark(handle: int) -> dict[str, object]:
    try:
        content = json.loads(os.pread(handle, 1000, 0))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _key(purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"jwstwatch {purpose}".encode()).digest()[:8], "big", signed=True)


def _session_that_holds(database: Database, purpose: str) -> dict[str, object] | None:
    """Return the process whose session holds the advisory lock (empty where it has no name of ours), or None.

    PostgreSQL keeps the lock's key in two halves.
    """
    key = _key(purpose) & (2**64 - 1)
    query = text(
        "SELECT activity.application_name FROM pg_locks LEFT JOIN pg_stat_activity AS activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND classid::bigint = :high "
        "AND objid::bigint = :low AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.read() as connection:
        row = connection.execute(query, {"high": key >> 32, "low": key & 0xFFFFFFFF}).first()
    if row is None:
        return None
    named = re.fullmatch(r"jwstwatch (\d+)@(.+)", row[0] or "")
    return {"pid": int(named[1]), "host": named[2]} if named else {}


@contextlib.contextmanager
def _advisory_lock(database: Database, purpose: str) -> Iterator[Callable[[], bool]]:
    key, mark = _key(purpose), own_mark()
    with (
        translate_database_errors(database.engine.url),
        database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        # Before the lock, for whoever is refused right after; every user of the server may read it.
        name = {"name": f"jwstwatch {mark.pid}@{mark.host}"}
        connection.execute(text("SELECT set_config('application_name', :name, false)"), name)
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
            raise _refusal(purpose, _session_that_holds(database, purpose) or {})
        session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

        def holds() -> bool:
            try:
                return bool(connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == session)
            except SQLAlchemyError:
                return False

        try:
            yield holds
        finally:
            with contextlib.suppress(SQLAlchemyError):  # lost with its session
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
