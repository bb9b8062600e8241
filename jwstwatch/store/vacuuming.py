"""The state, written anew without the room that deleted rows left."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from jwstwatch.errors import BusyError, StateError, StorageError
from jwstwatch.files import durable_replace, translate_storage_errors
from jwstwatch.store import migrate, tallies, triggers
from jwstwatch.store.backups import check_sound, give_away, unfinished
from jwstwatch.store.engine import (
    WRITE_LOCK,
    Database,
    sqlite_path,
    translate_database_errors,
    translate_sqlite_errors,
)
from jwstwatch.store.locks import exclusive
from jwstwatch.store.outlook import Outlook
from jwstwatch.store.restoring import alone_with
from jwstwatch.store.sizes import OUR_TABLES
from jwstwatch.store.sqlite_files import log_of, memory_of, real_file

Report = Callable[[str, float | None], None]
"""Told what is done now, and how much of it is done (0 to 1, None where that is not known)."""

_STEPS = 50_000
"""Instructions of SQLite's machine between two looks at the progress, and at a signal."""

_SPARE = 16_000_000
"""Bytes of free room beside those of the copy: other files grow meanwhile."""

_PATIENCE = 5.0
"""Seconds to wait for somebody who is just reading."""


def vacuum(database: Database, *, now: datetime, report: Report) -> None:
    """Give back the room of deleted rows, and count anew what is counted as it changes.

    Nobody else may work with the state meanwhile: raises `BusyError` where somebody does, `StateError` where
    it is damaged or of another schema, `StorageError` where its disk has no room for the copy. Whatever ends
    it early, the state is as it was.
    """
    path = sqlite_path(database.engine.url)
    if path is None:
        _vacuum_server(database, now=now, report=report)
        return
    place = real_file(path)
    _require_owner(place)
    with alone_with(place, now=now, aim="vacuum it"):
        _require_sound(place, report)
        migrate.require_current(database)
        _recount(database, report)
        # Each connection of ours would hold the log open that is about to go.
        database.engine.dispose()
        _rewrite(place, report)


def sweep(path: Path) -> None:
    """Remove what a killed vacuum left beside the SQLite state at `path`; nobody may be at work on it."""
    with unfinished(real_file(path)) as (temporary, _):
        temporary.unlink()


def _recount(database: Database, report: Report) -> None:
    report("counting", None)
    with database.write() as connection:
        triggers.put_back(connection)
        tallies.recount(connection)


# -- SQLite


def _require_owner(path: Path) -> None:
    """The copy belongs to whoever makes it: the service whose state it is could not open it any more."""
    with translate_storage_errors(path):
        owner = path.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise StorageError(
            f"the state {path} belongs to another user (number {owner})",
            hint="Nothing was changed. Vacuum it as that user, or as root.",
        )


def _require_sound(path: Path, report: Report) -> None:
    """A copy of what is damaged would look sound."""
    with _connected(path, "checking", report) as connection:
        problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if problems != ["ok"]:
        raise StateError(
            f"{path} is damaged: {'; '.join(problems)}",
            hint="Nothing was changed. Restore it from a backup: `jwstwatch db restore FILE`.",
        )


def _rewrite(path: Path, report: Report) -> None:
    """Write a copy beside the state and let it take its place; until then the state is not touched."""
    with unfinished(path) as (temporary, handle):
        with _connected(path, "writing", report, watched=temporary) as connection:
            _fold_log(connection, path)
            _require_room(connection, path)
            before = _version(connection)
            connection.execute("VACUUM INTO ?", (str(temporary),))
            if _version(connection) != before:
                raise BusyError(f"somebody wrote {path} meanwhile", hint="Try it again.")
        with _connected(temporary, "checking the copy", report) as copy:
            check_sound(copy, temporary)
        with translate_storage_errors(path):
            give_away(handle, path)
            os.fsync(handle)
            # Empty, as is the memory of it: nothing of the former file may pass for the new one's.
            for left in (log_of(path), memory_of(path)):
                left.unlink(missing_ok=True)
            durable_replace(temporary, path)


@contextlib.contextmanager
def _connected(
    path: Path, doing: str, report: Report, *, watched: Path | None = None
) -> Iterator[sqlite3.Connection]:
    """Yield a connection that tells how far it is (as `watched` grows), and that a signal ends."""
    raised: list[BaseException] = []
    expected = 1

    def look() -> bool:
        try:
            report(doing, None if watched is None else min(1.0, watched.stat().st_size / expected))
        except BaseException as error:  # noqa: BLE001 - SQLite would swallow it
            raised.append(error)
        return bool(raised)

    report(doing, None)
    with (
        translate_sqlite_errors(path),
        contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection,
    ):
        expected = max(1, _size_of_copy(connection))
        connection.set_progress_handler(look, _STEPS)
        try:
            yield connection
        except sqlite3.OperationalError:
            if raised:
                raise raised[0] from None
            raise


def _fold_log(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise BusyError(
            f"another process reads the state {path}",
            hint=f"`fuser {path}` shows which; wait for it to end, or end it. Then vacuum again.",
        )


def _require_room(connection: sqlite3.Connection, path: Path) -> None:
    needed, room = _size_of_copy(connection) + _SPARE, shutil.disk_usage(path.parent).free
    if room < needed:
        raise StorageError(
            f"the disk of the state {path} has {_megabytes(room)} free, a copy needs {_megabytes(needed)}",
            hint="Nothing was changed. Free some room there, and vacuum again.",
        )


def _size_of_copy(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {what}").fetchone()[0])
        for what in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _version(connection: sqlite3.Connection) -> int:
    """Return what changes when somebody else writes."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


# -- PostgreSQL


def _vacuum_server(database: Database, *, now: datetime, report: Report) -> None:
    """Rewrite each of our tables, one after the other; the server keeps each whole whatever happens."""
    with exclusive(database, "daemon"):
        migrate.require_current(database)
        _refuse_while_running(database, now=now)
        _recount(database, report)
        with (
            translate_database_errors(database.engine.url),
            database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            key = {"key": WRITE_LOCK}
            # Whoever would write waits for this one, and not for one table after the other.
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one():
                raise BusyError("somebody writes the state at this moment", hint="Try it again.")
            try:
                for number, name in enumerate(OUR_TABLES):
                    report("writing", number / len(OUR_TABLES))
                    # With the statistics, which go with the old rows: the server plans by them.
                    connection.execute(text(f'VACUUM (FULL, ANALYZE) "{name}"'))
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def _refuse_while_running(database: Database, *, now: datetime) -> None:
    for run in Outlook(database).open_runs(now=now):
        if run.lives:
            raise BusyError(
                f"{run.profile}: a run goes on (process {run.pid} on {run.host})",
                hint="Wait for it to end, or stop it; then vacuum again.",
            )
