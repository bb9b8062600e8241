"""What is forgotten in time: runs that did nothing to any file, and notices that are over.

The history of files is not: what is new, reprocessed or merely back is told from it, and `why` reads it. So
the runs that it names stay too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, or_, select

from jwstwatch.core.model import Outcome
from jwstwatch.store import bulk, tables, tellings
from jwstwatch.store.engine import Database

LAST_RUNS = 100
"""Runs of each profile that stay however old they are: what follows looks back to them."""

SUMS = "sums"
"""Kind of the notices (never holding) that keep what forgotten runs of a profile came to."""

_AT_ONCE = 500
"""Runs that are looked at in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What runs came to; bytes received."""

    runs: int = 0
    files: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.runs} {self.files} {self.bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many rows went."""

    runs: int = 0
    notices: int = 0


def forget(database: Database, *, before: datetime, stop: Callable[[], bool]) -> Forgotten:
    """Remove runs that ended before a moment, and notices that were over by then, in short transactions.

    Kept are the last runs of each profile, those since its last whole listing, and each that the history, a
    claim or a replacement in progress names; what the others came to stays in the totals. Ends early once
    `stop` says so.
    """
    kept = _last_runs(database)
    runs, after = 0, 0
    while not stop():
        with database.write() as connection:
            rows = _next(connection, after, before)
            removed = [row for row in rows if row.free and row.id not in kept]
            _add_to_sums(connection, removed, now=before)
            for ids in bulk.chunks(row.id for row in removed):
                connection.execute(delete(tables.run).where(tables.run.c.id.in_(ids)))
        runs += len(removed)
        if len(rows) < _AT_ONCE:
            break
        after = rows[-1].id
    return Forgotten(runs=runs, notices=0 if stop() else _forget_notices(database, before))


def sums_of_forgotten(connection: Connection) -> dict[str, Sums]:
    """Return what the runs that were forgotten came to, by profile."""
    notice = tables.notice
    rows = connection.execute(select(notice.c.profile, notice.c.text).where(notice.c.kind == SUMS))
    found = {}
    for row in rows:
        runs, files, size = map(int, row.text.split())
        found[row.profile] = Sums(runs=runs, files=files, bytes=size)
    return found


def _last_runs(database: Database) -> set[int]:
    """Return the newest runs of each profile, and those with which an outcome is compared."""
    run = tables.run
    place = func.row_number().over(partition_by=run.c.profile, order_by=run.c.id.desc())
    numbered = select(run.c.id, place.label("place")).subquery()
    ended = run.c.outcome.is_not(None)
    # News compares the error of a run with that of the one before, and passes over those that were stopped.
    newest = (
        select(func.max(run.c.id)).where(condition).group_by(run.c.profile)
        for condition in (ended, ended & (run.c.outcome != Outcome.CANCELLED.value))
    )
    with database.read() as connection:
        kept = set(connection.execute(select(numbered.c.id).where(numbered.c.place <= LAST_RUNS)).scalars())
        for query in newest:
            kept.update(connection.execute(query).scalars())
    return kept


def _next(connection: Connection, after: int, before: datetime) -> Sequence[Any]:
    """Return the next runs that ended long ago; `free` are those that nothing names."""
    run, file, profile = tables.run, tables.file, tables.profile
    named = or_(
        exists().where(tables.event.c.run_id == run.c.id),
        exists().where(file.c.claimed_by == run.c.id),
        exists().where(tables.intent.c.run_id == run.c.id),
        # Before a copy is removed, each of these is asked whether it may have planned by other rules.
        exists().where(profile.c.name == run.c.profile, run.c.started_at > profile.c.completed_at),
    )
    query = (
        select(run.c.id, run.c.profile, run.c.downloaded, run.c.bytes, (~named).label("free"))
        .where(run.c.id > after, run.c.outcome.is_not(None), run.c.finished_at < before)
        .order_by(run.c.id)
        .limit(_AT_ONCE)
    )
    return connection.execute(query).all()


def _add_to_sums(connection: Connection, removed: Sequence[Any], *, now: datetime) -> None:
    """Keep what the runs came to: a total that falls would pass for a new one's beginning."""
    of_profile: dict[str, list[Any]] = defaultdict(list)
    for row in removed:
        of_profile[row.profile].append(row)
    known: Mapping[str, Sums] = sums_of_forgotten(connection) if removed else {}
    rows = []
    for profile, runs in of_profile.items():
        former = known.get(profile, Sums())
        sums = Sums(
            runs=former.runs + len(runs),
            files=former.files + sum(row.downloaded for row in runs),
            bytes=former.bytes + sum(row.bytes for row in runs),
        )
        rows.append(
            {
                "cause": f"runs forgotten {profile}",
                "kind": SUMS,
                "profile": profile,
                "text": str(sums),
                "first_at": now,
                "last_at": now,
                "times": 1,
                "cleared_at": now,
            }
        )
    bulk.upsert(connection, tables.notice, rows, update=("text", "last_at"))


def _forget_notices(database: Database, before: datetime) -> int:
    notice = tables.notice
    over = notice.c.cleared_at < before
    with database.write() as connection:
        gone = connection.execute(
            delete(notice).where(over, notice.c.kind.not_in((tellings.KIND, SUMS))).returning(notice.c.cause)
        ).all()
    return len(gone)
