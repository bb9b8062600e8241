"""How large the state is, and for how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text

from jwstwatch.store import tables
from jwstwatch.store.engine import Database, sqlite_path
from jwstwatch.store.sqlite_files import log_of, real_file

OUR_TABLES = (*(table.name for table in tables.metadata.sorted_tables), "alembic_version")
"""Every table of a state, none before those that it refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a state holds: rows, and the bytes of all its tables, indexes and its log.

    `listings` are pairs of product and observation, `events` the history of files, `since` its beginning.
    """

    bytes: int
    products: int
    files: int
    listings: int
    events: int
    runs: int
    since: datetime | None

    @property
    def bytes_per_product(self) -> int | None:
        """Return what a product costs with its file, listings and history; None where there is none."""
        return round(self.bytes / self.products) if self.products else None


def bytes_now(database: Database) -> int:
    """Return the bytes that a state, of whatever schema, takes on its disk."""
    with database.read() as connection:
        return bytes_of(database, connection)


def measure(database: Database) -> Size:
    """Return how large a state of today's schema is; counts rows, in a fraction of a second for a million."""
    with database.read() as connection:
        first = select(tables.event.c.at).order_by(tables.event.c.id).limit(1)
        return Size(
            bytes=bytes_of(database, connection),
            products=_count(connection, tables.product),
            files=_count(connection, tables.file),
            listings=_count(connection, tables.listing),
            events=_count(connection, tables.event),
            runs=_count(connection, tables.run),
            since=connection.execute(first).scalar(),
        )


def bytes_of(database: Database, connection: Connection) -> int:
    """Return the bytes that a state takes on its disk."""
    path = sqlite_path(database.engine.url)
    if path is not None:
        return bytes_of_file(path)
    if database.is_sqlite:
        pages, page = (
            connection.exec_driver_sql(f"PRAGMA page_{what}").scalar_one() for what in ("count", "size")
        )
        return int(pages) * int(page)
    # A name that is not there has no size: the schema may be an older one.
    each = text(
        "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) "
        "FROM unnest(CAST(:names AS text[])) AS name"
    )
    return int(connection.execute(each, {"names": [f'"{name}"' for name in OUR_TABLES]}).scalar_one())


def bytes_of_file(path: Path) -> int:
    """Return the bytes of an SQLite state and of its log."""
    place, size = real_file(path), 0
    for part in (place, log_of(place)):
        if part.exists():
            size += part.stat().st_size
    return size


def _count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
