"""Locks that vanish with their process: one daemon per state, one migration at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from jwstwatch import __version__
from jwstwatch.errors import BusyError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.engine import Database, sqlite_path, translate_database_errors
from jwstwatch.store.liveness import own_mark

_REPLACEMENT = "restore"

_GLANCES = 25
_GLANCE = 0.02
"""Somebody who only asks for the holder has the lock for a moment: seconds between two attempts."""


@contextlib.contextmanager
def exclusive(database: Database, purpose: str, *, note: Mapping[str, str] | None = None) -> Iterator[None]:
    """Hold the state's lock for `purpose` ("daemon", "migration"), or raise `BusyError` naming who has it.

    `note` is kept in an SQLite state's lock file, beside the process, for whoever looks there.
    """
    path = sqlite_path(database.engine.url)
    if path is not None:
        with _file_lock(lock_path(path, purpose), purpose, note or {}):
            yield
    elif database.is_sqlite:
        yield  # a state in memory belongs to this process alone
    else:
        with _advisory_lock(database, purpose):
            yield


@contextlib.contextmanager
def exclusively(path: Path, purpose: str) -> Iterator[None]:
    """The same for the SQLite state at `path`, which need not be there."""
    with _file_lock(lock_path(path, purpose), purpose, {}):
        yield


def lock_path(state: Path, purpose: str) -> Path:
    """Return the lock file of an SQLite state for `purpose`."""
    return state.with_name(f"{state.name}.{purpose}.lock")


@contextlib.contextmanager
def _file_lock(path: Path, purpose: str, note: Mapping[str, str]) -> Iterator[None]:
    with translate_storage_errors(path):
        handle = _open(path, os.O_RDWR)
    try:
        if not _take(handle):
            who = _read_mark(handle)
            raise BusyError(
                f"another {purpose} works on this state: process {who.get('pid')} on {who.get('host')}",
                hint="Stop it first, or give this one a state of its own.",
            )
        mark = own_mark()
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = {"pid": mark.pid, "host": mark.host, "since": since, "version": __version__, **note}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(content).encode(), 0)
        yield
    finally:
        os.close(handle)


def _open(path: Path, flags: int) -> int:
    """Open a lock file; one that root makes belongs to whoever has the folder, who is to use it too."""
    handle = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    if os.geteuid() == 0 and os.fstat(handle).st_uid == 0:
        folder = path.parent.stat()
        os.fchown(handle, folder.st_uid, folder.st_gid)
    return handle


@contextlib.contextmanager
def in_use(database: Database) -> Iterator[None]:
    """Hold off that an SQLite state is replaced by a backup, for as long as the block lasts."""
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
            raise BusyError(f"the state {path} is being replaced by a backup", hint="Try it again.")
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
        return nobody if database.is_sqlite else nobody | {"running": _is_held(database, purpose)}
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


def _is_held(database: Database, purpose: str) -> bool:
    """Ask PostgreSQL whether any session holds the advisory lock (its key is kept in two halves)."""
    key = _key(purpose) & (2**64 - 1)
    query = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = :high "
        "AND objid::bigint = :low AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.read() as connection:
        held = connection.execute(query, {"high": key >> 32, "low": key & 0xFFFFFFFF}).scalar_one()
    return bool(held)


@contextlib.contextmanager
def _advisory_lock(database: Database, purpose: str) -> Iterator[None]:
    key = _key(purpose)
    with (
        translate_database_errors(database.engine.url),
        database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
            raise BusyError(
                f"another {purpose} works on this state",
                hint="Stop it first, or give this one a state of its own.",
            )
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
