"""A copy of the state to try something on: whatever happens to it, the state itself does not change."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, select, update

from jwstwatch.core.model import Outcome
from jwstwatch.store import tables, triggers
from jwstwatch.store.engine import Database
from jwstwatch.store.runs import release_claims
from jwstwatch.store.store import Store

_LEFT_OUT = (tables.event, tables.keywords, tables.page, tables.page_part, tables.arrival)
"""Large, and nobody who plans reads them."""

_LOT = 2000


@contextlib.contextmanager
def scratch_copy(store: Store) -> Iterator[Store]:
    """Yield a copy of the state as it is at this moment; it is gone afterwards. For one thread."""
    # SQLite keeps a nameless database in memory, and what does not fit there in a file without a name.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    with contextlib.closing(connection):
        if store.database.is_sqlite:
            with store.database.read() as source:
                driver: Any = source.connection.driver_connection
                driver.backup(connection)
            engine = _engine(connection)
        else:
            engine = _engine(connection)
            with store.database.read() as source:
                _copy_rows(source, engine)
        yield Store(Database(engine))


def _engine(connection: sqlite3.Connection) -> Engine:
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def on_begin(begun: Connection) -> None:
        begun.exec_driver_sql("BEGIN")

    return engine


def _copy_rows(source: Connection, engine: Engine) -> None:
    tables.metadata.create_all(engine)
    with engine.begin() as target:
        for table in tables.metadata.sorted_tables:
            if table in _LEFT_OUT:
                continue
            rows = source.execution_options(yield_per=_LOT).execute(select(table))
            for lot in rows.mappings().partitions():
                target.execute(table.insert(), [dict(row) for row in lot])
        triggers.create(target)  # not above: the counts have been copied, too


def end_run_of(store: Store, profile: str) -> bool:
    """Take a profile's run that goes on for ended here and now; returns whether there was one."""
    run = tables.run
    with store.database.write() as connection:
        ended = connection.execute(
            update(run)
            .where(run.c.profile == profile, run.c.outcome.is_(None))
            .values(outcome=Outcome.CANCELLED.value, finished_at=run.c.heartbeat_at)
            .returning(run.c.id)
        ).scalars()
        ids = list(ended)
        for run_id in ids:
            release_claims(connection, run_id)
    return bool(ids)
