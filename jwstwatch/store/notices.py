"""What the people who run this should know: one row for each cause, until it is over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from jwstwatch.store import tables
from jwstwatch.store.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One cause for attention; `cleared_at` is None while it holds, `times` how often it was seen since."""

    cause: str
    kind: str
    profile: str | None
    text: str
    first_at: datetime
    last_at: datetime
    times: int
    cleared_at: datetime | None


class Notices:
    """The notice table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def raise_(
        self, cause: str, *, kind: str, text: str, now: datetime, profile: str | None = None
    ) -> Notice:
        """Keep that something holds; a cause that was cleared begins anew."""
        table = tables.notice
        with self._database.write() as connection:
            row = connection.execute(select(table).where(table.c.cause == cause[:200])).first()
            values: dict[str, Any] = {"kind": kind, "profile": profile, "text": text, "last_at": now}
            if row is None or row.cleared_at is not None:
                values |= {"first_at": now, "times": 1, "cleared_at": None}
            else:
                values |= {"times": row.times + 1}
            if row is None:
                connection.execute(table.insert().values(cause=cause[:200], **values))
            else:
                connection.execute(update(table).where(table.c.cause == row.cause).values(values))
            row = connection.execute(select(table).where(table.c.cause == cause[:200])).one()
        return _notice(row)

    def clear(self, cause: str, *, now: datetime) -> bool:
        """Keep that it is over; returns whether it held until now."""
        table = tables.notice
        with self._database.read() as connection:
            holds = select(table.c.cause).where(table.c.cause == cause[:200], table.c.cleared_at.is_(None))
            if connection.execute(holds).first() is None:
                return False  # the usual case costs no write
        with self._database.write() as connection:
            cleared = connection.execute(
                update(table)
                .where(table.c.cause == cause[:200], table.c.cleared_at.is_(None))
                .values(cleared_at=now)
                .returning(table.c.cause)
            ).all()
        return bool(cleared)

    def which_hold(self, causes: Collection[str]) -> set[str]:
        """Return those of the causes that hold now."""
        table = tables.notice
        asked = {cause[:200]: cause for cause in causes}
        query = select(table.c.cause).where(table.c.cause.in_(list(asked)), table.c.cleared_at.is_(None))
        with self._database.read() as connection:
            return {asked[cause] for cause in connection.execute(query).scalars()}

    def holding(self) -> list[Notice]:
        """Return what holds now, the oldest first."""
        table = tables.notice
        query = select(table).where(table.c.cleared_at.is_(None)).order_by(table.c.first_at, table.c.cause)
        with self._database.read() as connection:
            return [_notice(row) for row in connection.execute(query)]

    def may_tell(self, cause: str, *, now: datetime, pause: timedelta) -> bool:
        """Return whether a message about a known cause may be sent now, and if so, note that it is.

        False for a cause about which one was sent less than `pause` ago. A clock that was set back does
        not silence it.
        """
        table = tables.notice
        with self._database.write() as connection:
            row = connection.execute(select(table.c.told_at).where(table.c.cause == cause[:200])).first()
            if row is None or (row.told_at is not None and timedelta(0) <= now - row.told_at < pause):
                return False
            connection.execute(update(table).where(table.c.cause == cause[:200]).values(told_at=now))
        return True


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        cause=row.cause,
        kind=row.kind,
        profile=row.profile,
        text=row.text,
        first_at=row.first_at,
        last_at=row.last_at,
        times=row.times,
        cleared_at=row.cleared_at,
    )
