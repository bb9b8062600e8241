"""How far the history has been told.

Nothing that waits to be told is kept apart: a row of the notice table (kind `news`, never holding) marks the
end of what was told, so that neither a restart nor a message that could not be sent loses anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database

KIND = "news"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the history has been told: the last event and the last run."""

    event: int = 0
    run: int = 0

    def __str__(self) -> str:
        return f"{self.event} {self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of the telling of one cause, a notice or news."""

    first_at: datetime
    cleared_at: datetime | None
    told_at: datetime | None
    mark: Mark


class Tellings:
    """The notice table, as far as it is about what was told when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, causes: Mapping[str, str | None], *, now: datetime) -> None:
        """Mark, for causes (each with its profile) that were never told of, that the past is no news."""
        table = tables.notice
        with self._database.read() as connection:
            known = set(connection.execute(select(table.c.cause).where(table.c.kind == KIND)).scalars())
        if known.issuperset(causes):
            return
        with self._database.write() as connection:
            newest, running = _newest(connection), _running(connection)
            rows = [
                {
                    "cause": cause,
                    "kind": KIND,
                    "profile": profile,
                    # A run in progress is told of at its end.
                    "text": str(Mark(newest.event, running.get(profile, newest.run + 1) - 1)),
                    "first_at": now,
                    "last_at": now,
                    "times": 1,
                    "cleared_at": now,
                }
                for cause, profile in causes.items()
            ]
            bulk.upsert(connection, table, rows, update=())

    def told(self, causes: Collection[str]) -> dict[str, Told]:
        """Return what is known of each of the causes that has a row."""
        table = tables.notice
        query = select(table).where(table.c.cause.in_(list(causes)))
        with self._database.read() as connection:
            return {row.cause: _told(row) for row in connection.execute(query)}

    def move(self, cause: str, mark: Mark, *, now: datetime) -> None:
        """Everything up to `mark` has been told."""
        table = tables.notice
        with self._database.write() as connection:
            connection.execute(
                update(table).where(table.c.cause == cause).values(text=str(mark), last_at=now)
            )

    def newest(self, profile: str) -> Mark | None:
        """Return how far the history goes; None while the profile runs, whose run is told as a whole."""
        run = tables.run
        with self._database.read() as connection:
            running = select(run.c.id).where(run.c.profile == profile, run.c.outcome.is_(None))
            if connection.execute(running).first() is not None:
                return None
            return _newest(connection)


def _told(row: Row[Any]) -> Told:
    words = row.text.split() if row.kind == KIND else ["0", "0"]
    return Told(
        first_at=row.first_at,
        cleared_at=row.cleared_at,
        told_at=row.told_at,
        mark=Mark(int(words[0]), int(words[1])),
    )


def _running(connection: Connection) -> dict[str | None, int]:
    """Return the run in progress of each profile that has one."""
    run = tables.run
    rows = connection.execute(select(run.c.profile, run.c.id).where(run.c.outcome.is_(None)))
    return {row.profile: row.id for row in rows}


def _newest(connection: Connection) -> Mark:
    last = [
        connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        for table in (tables.event, tables.run)
    ]
    return Mark(*last)
