"""Sets of rows in few statements: look-ups by many keys, and upserts, in both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Item = TypeVar("Item")

CHUNK = 500
"""Keys in one IN list: far below the limits of both databases, large enough to be few statements."""


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Cut `items` into lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


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
    build: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = build(table)
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in update}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for chunk in chunks(rows, 1000):
        connection.execute(statement, [dict(row) for row in chunk])
