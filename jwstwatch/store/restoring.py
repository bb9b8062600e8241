"""A backup takes the place of the state: prepared beside it, and put there in one step."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from jwstwatch.core.model import Outcome
from jwstwatch.errors import BusyError, StateError
from jwstwatch.files import durable_replace, locked, sync_folder, temporary_name, translate_storage_errors
from jwstwatch.store import tables
from jwstwatch.store.backups import check_sound, copy_state, give_away
from jwstwatch.store.engine import Database, translate_sqlite_errors
from jwstwatch.store.liveness import ProcessMark, is_surely_dead, own_mark
from jwstwatch.store.locks import exclusively, replacing
from jwstwatch.store.pagemarks import mark_all_pages_due
from jwstwatch.store.runs import SILENCE, release_claims
from jwstwatch.store.sqlite_files import connect_to_read, log_of, memory_of

_PATIENCE = 5.0
"""Seconds to wait for somebody who is just reading; a longer look is told."""

_RESTORED = "the state was restored from a backup that was made while this run went on"


@contextlib.contextmanager
def alone_with(path: Path, *, now: datetime, aim: str = "restore") -> Iterator[None]:
    """Keep every daemon, run and command away from the SQLite state at `path`, or raise `BusyError`.

    `aim` is what is done meanwhile, a verb for the hints.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusively(path, "daemon"))
        except BusyError as error:
            who = error.message.partition(": ")[2]
            raise BusyError(f"a daemon works with the state {path}: {who}", hint=_stop_it(aim)) from None
        # Whoever runs holds off the replacing too, but does not say who it is.
        _refuse_while_running(path, now=now, aim=aim)
        stack.enter_context(replacing(path))
        yield


def _stop_it(aim: str) -> str:
    """Return what to do about a daemon that is in the way."""
    return f"Stop it (`systemctl stop jwstwatch`), {aim}, and start it again."


def _refuse_while_running(path: Path, *, now: datetime, aim: str) -> None:
    """Raise `BusyError` while a run goes on in the state that is to be replaced; a damaged one has none."""
    if not path.exists():
        return
    query = "SELECT profile, host, pid, process_start, heartbeat_at FROM run WHERE outcome IS NULL"
    try:
        # Not even its log may change: of a damaged state it may be what is left.
        with contextlib.closing(connect_to_read(path, timeout=_PATIENCE)) as connection:
            rows = connection.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        _refuse_if_busy(error, path)
        return
    for profile, host, pid, start, heartbeat in rows:
        heard_at = datetime.fromisoformat(heartbeat).replace(tzinfo=UTC)
        dead = is_surely_dead(ProcessMark(host, pid, start))
        if not dead and (host == own_mark().host or now - heard_at < SILENCE):
            raise BusyError(
                f"{profile}: a run goes on (process {pid} on {host})",
                hint=f"Wait for it to end, or stop it; then {aim}.",
            )


def settle(database: Database, *, now: datetime) -> int:
    """Make a restored state fit to go on from: nothing in it is under way, and everything is asked for anew.

    Returns how many runs were closed.
    """
    run, profile = tables.run, tables.profile
    with database.write() as connection:
        closed = connection.execute(
            update(run)
            .where(run.c.outcome.is_(None))
            .values(
                outcome=Outcome.CANCELLED.value,
                finished_at=run.c.heartbeat_at,
                error_kind="restored",
                error_message=_RESTORED,
                error_hint="",
            )
            .returning(run.c.id)
        ).scalars()
        ids = list(closed)
        for run_id in ids:
            release_claims(connection, run_id)
        # No query has this digest: the next run of every profile asks for all of it, from its floor.
        connection.execute(update(profile).values(query_digest=""))
        mark_all_pages_due(connection)
        connection.execute(
            update(tables.notice).where(tables.notice.c.cleared_at.is_(None)).values(cleared_at=now)
        )
    return len(ids)


def put_in_place(prepared: Path, path: Path, *, now: datetime) -> Path | None:
    """Let a prepared state take the place of the one at `path`; returns where the former one is kept.

    A kill leaves the one or the other, whole. Nobody else may have the state open for writing.
    """
    with translate_storage_errors(path):
        kept = _set_aside(path, now) if path.exists() else None
        durable_replace(prepared, path)
    return kept


def _set_aside(path: Path, now: datetime) -> Path:
    """Keep the former state under another name, with nothing left of it that could pass for the new one's."""
    kept = _free_name(path, now)
    if _is_sound(path):
        _fold_log(path)  # first: where somebody is in the way, nothing is to be copied in vain
        copy_state(path, kept, owner=path)
    else:
        _copy_as_it_is(path, kept)
        with contextlib.suppress(BusyError):  # whoever reads what is damaged may read on
            _fold_log(path)
    for left in (log_of(path), memory_of(path)):
        left.unlink(missing_ok=True)
    sync_folder(path.parent)
    return kept


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(connect_to_read(path, timeout=_PATIENCE)) as connection:
            check_sound(connection, path)
    except StateError:
        return False
    except sqlite3.DatabaseError as error:
        _refuse_if_busy(error, path)
        return False
    return True


def _refuse_if_busy(error: sqlite3.DatabaseError, path: Path) -> None:
    # The upper bits say why it is busy.
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF == sqlite3.SQLITE_BUSY:
        raise _in_the_way(path) from error


def _in_the_way(path: Path) -> BusyError:
    return BusyError(
        f"another process reads the state {path}",
        hint=f"`fuser {path}` shows which; wait for it to end, or end it. Then restore.",
    )


def _free_name(path: Path, now: datetime) -> Path:
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    kept, number = path.with_name(f"{path.name}.{stamp}.bak"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.{stamp}-{number}.bak")
    return kept


def _copy_as_it_is(path: Path, kept: Path) -> None:
    """Of a damaged state, its log may be what is left of it: it is kept too."""
    if log_of(path).exists():
        _copy_bytes(log_of(path), log_of(kept))
    _copy_bytes(path, kept)


def _copy_bytes(source: Path, target: Path) -> None:
    copied = temporary_name(target)
    with open(source, "rb") as original, open(copied, "wb", opener=_open_for_us) as copy:
        shutil.copyfileobj(original, copy)
        copy.flush()
        give_away(copy.fileno(), source)
        os.fsync(copy.fileno())
    durable_replace(copied, target)


def _open_for_us(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _fold_log(path: Path) -> None:
    """Bring what is in the log into the database itself, so that a kill now leaves nothing out."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as former:
            busy = former.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        _refuse_if_busy(error, path)
        return  # damaged, and kept as it is
    if busy:
        raise _in_the_way(path)


def sweep(path: Path) -> None:
    """Remove the unfinished copies of the state at `path` that killed tries left beside it."""
    unfinished = re.compile(
        rf"\.{re.escape(path.name)}\.(\w+\.)?\d{{8}}T\d{{6}}Z(-\d+)?\.bak(-wal)?\.tmp(-journal|-wal|-shm)?"
    )
    with translate_storage_errors(path.parent):
        for left in path.parent.iterdir():
            if unfinished.fullmatch(left.name) and not _is_being_written(left):
                left.unlink(missing_ok=True)


def _is_being_written(left: Path) -> bool:
    """Return whether somebody holds an unfinished copy, as `copy_state` does."""
    copy = left.with_name(left.name.rpartition(".tmp")[0] + ".tmp")
    try:
        with locked(copy, wait=False) as free:
            return not free
    except FileNotFoundError:
        return False


def prepare(source: Path, path: Path) -> Path:
    """Copy a backup beside the state at `path`, under a name that nobody uses, for whoever has that state."""
    prepared = path.with_name(f".{path.name}.restored")
    discard(prepared)
    copy_state(source, prepared, owner=path if path.exists() else path.parent)
    return prepared


def seal(prepared: Path) -> None:
    """Make one durable file of what was prepared, without a log."""
    with (
        translate_sqlite_errors(prepared),
        contextlib.closing(sqlite3.connect(prepared, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode = DELETE")
        check_sound(connection, prepared)
    with translate_storage_errors(prepared):
        handle = os.open(prepared, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def discard(prepared: Path) -> None:
    """Remove what was prepared, if it is there still."""
    for left in (prepared, log_of(prepared), memory_of(prepared)):
        left.unlink(missing_ok=True)
