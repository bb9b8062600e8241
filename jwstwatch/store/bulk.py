"""Sets of rows in few statements: look-ups by many keys, and upserts, in both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, false, or_
from sqlalchemy.sql import ColumnElement

Item = TypeVar("Item")

CHUNK = 500
"""Keys in one IN list: far below the limits of both databases, large enough to be few statements."""


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Cut `items` into lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def any_of(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return a condition that holds where one of them does; of none it never holds."""
    return or_(*conditions) if conditions else false()


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    update: Sequence[str] | None = None,
) -> None:
    """Insert `rows`; where the primary key is there already, set the columns named in `update`.

    `update=None` sets every column that the rows give, `()` leaves existing rows alone.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    if update is None:
        update = [name for name in rows[0] if name not in keys]
    statement = _insert(connection, table)
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in update}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for chunk in chunks(rows, 1000):
        connection.execute(statement, [dict(row) for row in chunk])


def add_up(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`; where the primary key is there already, add their values to those of the row."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table)
    sums = {name: table.c[name] + statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=sums)
    for chunk in chunks(rows, 1000):
        connection.execute(statement, [dict(row) for row in chunk])


def _insert(connection: Connection, table: Table) -> Any:
    """Return an insert that knows what to do upon a conflict; only its own database's dialect is loaded."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
