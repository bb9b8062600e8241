"""A state with many files more than were ever fetched, made by the database itself: rows, and no files."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime, timedelta

from sqlalchemy import Table

from jwstwatch.store import tables
from tests.sync.bench import Bench

_APART = 1_000_000
"""Between the numbers of a row and of its first copy."""


def multiply(bench: Bench, times: int) -> int:
    """Give each observation `times` as many products, present files and events; returns how many files.

    All were asked for their validators some days ago. The observations stay as they are.
    """
    product = f"product_id + k * {_APART}"
    some_days_ago = (bench.clock - timedelta(days=3)).replace(tzinfo=None)
    with contextlib.closing(sqlite3.connect(bench.folder / "state.db")) as state, state:
        _copy(
            state,
            tables.product,
            times,
            id=f"id + k * {_APART}",
            uri="uri || '.' || k",
            name="name || '.' || k",
            sampled_at=_quoted(some_days_ago),
        )
        _copy(state, tables.listing, times, product_id=product)
        _copy(state, tables.file, times, id=f"id + k * {_APART}", product_id=product, path="path || k")
        _copy(state, tables.want, times, file_id=f"file_id + k * {_APART}", product_id=product)
        _copy(
            state,
            tables.event,
            times,
            id=f"id + k * {_APART}",
            file_id=f"file_id + k * {_APART}",
            product_id=product,
        )
        (files,) = state.execute("SELECT count(*) FROM file").fetchone()
    return int(files)


def _quoted(moment: datetime) -> str:
    return f"'{moment.isoformat(sep=' ', timespec='microseconds')}'"


def _copy(state: sqlite3.Connection, table: Table, times: int, **changes: str) -> None:
    names = [column.name for column in table.columns]
    values = [changes.get(name, f'"{name}"') for name in names]
    state.execute(
        f"WITH RECURSIVE number(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM number WHERE k < {times - 1}) "
        f'INSERT INTO "{table.name}" ({", ".join(names)}) '
        f'SELECT {", ".join(values)} FROM "{table.name}", number'
    )
