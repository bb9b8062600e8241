"""Copies of an SQLite state: of one moment, checked, and whole or not there at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.errors import BusyError, StateError
from jwstwatch.files import durable_replace, temporary_name, translate_storage_errors
from jwstwatch.store.engine import BUSY_TIMEOUT, translate_sqlite_errors
from jwstwatch.store.sqlite_files import STATE_MODE, connect_to_read, log_of, may_write

_STEP = 2000
"""Pages that are copied at a time; in between a signal is heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a sound state holds; `schema` is its revision, `files` the copies it knows on disk."""

    schema: str
    profiles: int
    runs: int
    files: int


def copy_state(source: Path, target: Path, *, owner: Path) -> None:
    """Copy the state at `source`, as it is at one moment, to `target`, which appears whole and durable.

    Others may write the source meanwhile. The copy belongs to the same user and group as `owner`, if that
    is there. Raises `StateError` where the source is damaged, `StorageError` where a disk says no.
    """
    with unfinished(target) as (temporary, handle):
        with translate_sqlite_errors(target), contextlib.closing(sqlite3.connect(temporary)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # all of it is made durable at the end
            _fill(copy, source)
            # One file, without a log beside it, that can be read where nothing may be written.
            copy.execute("PRAGMA journal_mode = DELETE")
            check_sound(copy, source)
        with translate_storage_errors(target):
            give_away(handle, owner)
            os.fsync(handle)
            durable_replace(temporary, target)


def summarise(path: Path, *, check: bool = True) -> Summary:
    """Return what the state in a file holds, or raise `StateError` where it is damaged, or none of ours.

    Without `check` the damage that does not show at a glance is not looked for.
    """
    with (
        translate_sqlite_errors(path),
        contextlib.closing(connect_to_read(path, timeout=BUSY_TIMEOUT)) as connection,
    ):
        if check:
            check_sound(connection, path)
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not {"alembic_version", "profile", "run", "product", "file"} <= names:
            raise StateError(f"{path} holds no state of jwstwatch", hint="Name another file.")
        revision = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0]
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM profile), (SELECT count(*) FROM run), "
            "(SELECT count(*) FROM file WHERE sha256 IS NOT NULL)"
        ).fetchone()
    return Summary(schema=str(revision), profiles=counts[0], runs=counts[1], files=counts[2])


def check_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StateError` where SQLite finds its own structures damaged; `path` names the database."""
    problems = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if problems != ["ok"]:
        raise StateError(
            f"{path} is damaged: {'; '.join(problems)}", hint="Use another copy: `jwstwatch db restore FILE`."
        )


def give_away(handle: int, owner: Path) -> None:
    """Let a new file belong to whoever has `owner`, so that a service can use what root has made."""
    try:
        status = owner.stat()
    except FileNotFoundError:
        os.fchmod(handle, STATE_MODE)
        return
    if os.geteuid() == 0:
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, status.st_mode & 0o666 if stat.S_ISREG(status.st_mode) else STATE_MODE)


@contextlib.contextmanager
def unfinished(target: Path) -> Iterator[tuple[Path, int]]:
    """Yield a temporary name beside `target`, held against everybody else, and its open, empty file.

    It stays open until SQLite has let go of it: closing it earlier would drop SQLite's own locks.
    """
    temporary = temporary_name(target)
    with translate_storage_errors(target.parent):
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _is_ours(handle, temporary):
            raise BusyError(f"another process writes {target} at this moment", hint="Wait for it to finish.")
        try:
            # What a kill left: a journal of other content would be taken for this one's.
            _clear(temporary)
            os.ftruncate(handle, 0)
            yield temporary, handle
        except BaseException:
            _clear(temporary)
            temporary.unlink(missing_ok=True)
            raise
    finally:
        os.close(handle)


def _is_ours(handle: int, temporary: Path) -> bool:
    """Lock the file; one that took its final name between opening and locking is finished, not ours."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), temporary.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _clear(temporary: Path) -> None:
    for end in ("-journal", "-wal", "-shm"):
        temporary.with_name(temporary.name + end).unlink(missing_ok=True)


def _fill(copy: sqlite3.Connection, source: Path) -> None:
    log = log_of(source.resolve())
    # Read without locks then, as something that does not change.
    resting = not may_write(source) and not log.exists()
    with contextlib.closing(_open(source)) as origin:
        with translate_sqlite_errors(source):
            # Held for the whole copy: else what others write makes it begin again and again.
            origin.execute("BEGIN")
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            origin.backup(copy, pages=_STEP, progress=lambda *_: None)
        except sqlite3.DatabaseError as error:
            if "malformed" not in str(error):
                raise  # of the copy's disk
            with translate_sqlite_errors(source):
                raise
    if resting and log.exists():
        raise BusyError(f"somebody began to write {source} meanwhile", hint="Try it again.")


def _open(source: Path) -> sqlite3.Connection:
    if not may_write(source):
        return connect_to_read(source, timeout=BUSY_TIMEOUT)
    return sqlite3.connect(source, timeout=BUSY_TIMEOUT, isolation_level=None)
