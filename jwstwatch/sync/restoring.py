"""Go back to a backup of the state, in such a way that no file is lost or fetched twice for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jwstwatch.disk import markers
from jwstwatch.errors import StateError, UsageError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store import migrate, restoring
from jwstwatch.store.backups import Summary, summarise
from jwstwatch.store.engine import Database, open_database, sqlite_url
from jwstwatch.store.roots import Copy, Loss, RootRecord
from jwstwatch.store.sqlite_files import require_local
from jwstwatch.store.store import Store

CHANGED = "changed on disk since the backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of it: where the former state is `kept` (None: there was none), and what the backup held.

    `changed` counts copies that were replaced since the backup was made; in the folders `away` nobody could
    look.
    """

    kept: Path | None
    backup: Summary
    runs_closed: int
    changed: int
    away: tuple[Path, ...]


def restore(path: Path, source: Path, *, now: datetime, allow_network_state: bool = False) -> Restored:
    """Let the backup `source` take the place of the SQLite state at `path`, which is kept beside it.

    Raises `BusyError` while anybody works with the state, `StateError` for a backup that is damaged, newer
    than this program or none. Until all is prepared nothing is changed; then it is one step.
    """
    path, source = path.resolve(), source.resolve()
    if source == path:
        raise UsageError(f"{source} is the state itself", hint="Name a backup of it.")
    require_local(path, allowed=allow_network_state)
    try:
        backup = summarise(source)
    except StateError as error:
        raise StateError(error.message, hint="Nothing was changed. Name another backup.") from error
    migrate.require_known(backup.schema, str(source))
    with translate_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with restoring.alone_with(path, now=now):
        restoring.sweep(path)
        prepared = restoring.prepare(source, path)
        try:
            runs_closed, changed, away = _prepare(prepared, now=now)
            restoring.seal(prepared)
            kept = restoring.put_in_place(prepared, path, now=now)
        finally:
            restoring.discard(prepared)
    return Restored(kept=kept, backup=backup, runs_closed=runs_closed, changed=changed, away=away)


def _prepare(prepared: Path, *, now: datetime) -> tuple[int, int, tuple[Path, ...]]:
    database = open_database(sqlite_url(prepared), allow_network_state=True)
    try:
        migrate.apply(database)
        closed = restoring.settle(database, now=now)
        return closed, *_doubt_what_changed(database, now=now)
    finally:
        database.close()


def _doubt_what_changed(database: Database, *, now: datetime) -> tuple[int, tuple[Path, ...]]:
    """What was replaced since the backup is not what it says: the next run takes it in as it is now.

    What is missing is left for the next run, which knows when too much of it is.
    """
    store = Store(database)
    changed, away = 0, []
    for root in store.roots.all():
        if not markers.is_mounted(root.path, root.uuid):
            away += [root.path] if root.files else []
            continue
        for copies in store.roots.copies(root.id):
            losses = [Loss.of(copy, CHANGED) for copy in copies if _has_changed(root, copy)]
            changed += store.roots.record_losses(None, losses, now=now)
    return changed, tuple(away)


def _has_changed(root: RootRecord, copy: Copy) -> bool:
    place = root.path / copy.path
    with translate_storage_errors(place):
        try:
            found = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            return False
    same_time = copy.modified_ns is None or found.st_mtime_ns == copy.modified_ns
    return not same_time or (copy.size is not None and found.st_size != copy.size)
