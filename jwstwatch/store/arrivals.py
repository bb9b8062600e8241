"""What arrived in a root and how it grew, by the hour: kept in the transactions that make it so."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, func, select

from jwstwatch.core.home import (
    DAYS_SHOWN,
    HOURS_SHOWN,
    DailyArrivals,
    HourlyArrivals,
    beginning_of_hour,
)
from jwstwatch.store import bulk, tables
from jwstwatch.store.pagemarks import NO_PROPOSAL

if TYPE_CHECKING:
    from jwstwatch.store.placements import Placed

_TRUSTED = timedelta(days=1)
"""What is said to have come later than this ahead of now was told by a clock that went wrong."""

_COUNTED = ("files", "bytes", "reprocessed", "growth")


@dataclass(slots=True)
class _Sum:
    files: int = 0
    bytes: int = 0
    reprocessed: int = 0
    growth: int = 0


def record_placed(connection: Connection, placed: Placed, *, how: str, now: datetime) -> None:
    """Count verified files that take their places; to be called while the rows still tell of former copies.

    What was `adopted` is growth, not news: it had been there before anybody knew of it.
    """
    sums: dict[tuple[int, int], _Sum] = defaultdict(_Sum)
    intents = {intent.file_id: intent for intent, _ in placed}
    for row in _rows_of(connection, intents):
        intent, entry = intents[row.id], sums[row.root_id, row.proposal]
        entry.growth += intent.size - row.size
        if how != "adopted":
            entry.files += 1
            entry.bytes += intent.size
            entry.reprocessed += row.revision is not None and row.revision < intent.revision
    _add(connection, sums, now)


def record_growth(connection: Connection, growth: Mapping[int, int], *, now: datetime) -> None:
    """Count copies that were found (bytes above nought) or went (below it), by file; their rows are there."""
    changed = {file_id: size for file_id, size in growth.items() if size}
    sums: dict[tuple[int, int], _Sum] = defaultdict(_Sum)
    for row in _rows_of(connection, changed):
        sums[row.root_id, row.proposal].growth += changed[row.id]
    _add(connection, sums, now)


@contextlib.contextmanager
def growth_recorded(connection: Connection, file_ids: Collection[int], *, now: datetime) -> Iterator[None]:
    """Count by how much the copies of these files change in between; none of the rows may go."""
    before = _sizes(connection, file_ids)
    yield
    after = _sizes(connection, file_ids)
    record_growth(connection, {key: size - before[key] for key, size in after.items()}, now=now)


def record_removed(connection: Connection, file_ids: Collection[int], *, now: datetime) -> None:
    """Count copies whose rows are about to go."""
    sizes = _sizes(connection, file_ids)
    record_growth(connection, {file_id: -size for file_id, size in sizes.items()}, now=now)


def _sizes(connection: Connection, file_ids: Collection[int]) -> dict[int, int]:
    """Return the bytes of the copies of files; nought where none is taken to be there."""
    return {row.id: row.size for row in _rows_of(connection, file_ids)}


def _rows_of(connection: Connection, file_ids: Iterable[int]) -> Iterable[Any]:
    """Yield root, proposal, size and revision of files; nought bytes and no revision where no copy is."""
    file, product = tables.file, tables.product
    there = file.c.state.in_(tables.HAS_COPY)
    for ids in bulk.chunks(file_ids):
        query = (
            select(
                file.c.id,
                file.c.root_id,
                func.coalesce(product.c.proposal, NO_PROPOSAL).label("proposal"),
                case((there, func.coalesce(file.c.size, 0)), else_=0).label("size"),
                case((there, file.c.revision), else_=None).label("revision"),
            )
            .join(product, product.c.id == file.c.product_id)
            .where(file.c.id.in_(ids))
        )
        yield from connection.execute(query).all()


def _add(connection: Connection, sums: Mapping[tuple[int, int], _Sum], now: datetime) -> None:
    """Raise the counts of this hour: one row for each root and proposal."""
    hour = beginning_of_hour(now)
    rows = [
        {"root_id": root_id, "hour": hour, "proposal": proposal}
        | {name: int(getattr(entry, name)) for name in _COUNTED}
        for (root_id, proposal), entry in sums.items()
    ]
    bulk.add_up(connection, tables.arrival, rows)


def _newest_hour(connection: Connection, root_id: int, now: datetime, *conditions: Any) -> datetime | None:
    table = tables.arrival
    query = select(table.c.hour).where(
        table.c.root_id == root_id, table.c.hour <= now + _TRUSTED, *conditions
    )
    found: datetime | None = connection.execute(query.order_by(table.c.hour.desc()).limit(1)).scalar()
    return found


def read_hours(connection: Connection, root_id: int, *, now: datetime) -> tuple[HourlyArrivals, ...]:
    """Return what arrived in the last hours before the newest arrival, newest first."""
    table = tables.arrival
    newest = _newest_hour(connection, root_id, now, table.c.files > 0)
    if newest is None:
        return ()
    query = (
        select(table)
        .where(
            table.c.root_id == root_id,
            table.c.hour > newest - timedelta(hours=HOURS_SHOWN),
            table.c.hour <= newest,
            table.c.files > 0,
        )
        .order_by(table.c.hour.desc(), table.c.proposal)
    )
    return tuple(
        HourlyArrivals(
            hour=row.hour, proposal=row.proposal, files=row.files, size=row.bytes, reprocessed=row.reprocessed
        )
        for row in connection.execute(query)
    )


def read_days(
    connection: Connection, root_id: int, *, now: datetime
) -> tuple[int, tuple[DailyArrivals, ...]]:
    """Return the days on which something happened, oldest first, and the bytes on disk before them."""
    table = tables.arrival
    newest = _newest_hour(connection, root_id, now)
    if newest is None:
        return 0, ()
    begin = newest.replace(hour=0) - timedelta(days=DAYS_SHOWN - 1)
    mine = table.c.root_id == root_id
    before = connection.execute(select(func.sum(table.c.growth)).where(mine, table.c.hour < begin)).scalar()
    query = (
        select(table.c.hour, *(func.sum(table.c[name]).label(name) for name in _COUNTED))
        .where(mine, table.c.hour >= begin, table.c.hour <= newest)
        .group_by(table.c.hour)
        .order_by(table.c.hour)
    )
    on_disk = earlier = int(before or 0)
    days: dict[Any, DailyArrivals] = {}
    for row in connection.execute(query):
        day, on_disk = row.hour.date(), on_disk + int(row.growth)
        former = days.get(day)
        days[day] = DailyArrivals(
            day=day,
            files=int(row.files) + (former.files if former else 0),
            size=int(row.bytes) + (former.size if former else 0),
            reprocessed=int(row.reprocessed) + (former.reprocessed if former else 0),
            on_disk=max(0, on_disk),
        )
    return max(0, earlier), tuple(days.values())
