"""Run by alembic: with the engine that jwstwatch hands over, or a developer's from alembic.ini."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from alembic import context
from sqlalchemy import Connection, Engine, text

from jwstwatch.errors import StateError
from jwstwatch.store.engine import WRITE_LOCK, open_database
from jwstwatch.store.tables import metadata


def run_migrations() -> None:
    """Apply the migrations in one transaction, holding the write lock from its beginning."""
    engine: Engine | None = context.config.attributes.get("engine")
    if engine is None:
        engine = open_database(context.config.get_main_option("sqlalchemy.url") or "").engine
    with engine.connect() as connection, _tables_may_be_built_anew(connection):
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            _keep_writers_away(connection)
            context.run_migrations()
            _check_references(connection)
        connection.commit()


def _keep_writers_away(connection: Connection) -> None:
    """Take on a server the lock that `Database.write` takes: a run of the former version may go on there.

    What it did between a migration's look at the rows and the triggers that follow would never be counted.
    """
    if connection.dialect.name != "sqlite":  # its transactions hold the lock from their beginning
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})


@contextlib.contextmanager
def _tables_may_be_built_anew(connection: Connection) -> Iterator[None]:
    """Turn SQLite's foreign keys off: dropping the old form of a table would take along what refers to it."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")  # without effect once a transaction has begun
    # Else none gets the name of its old form while triggers of other tables name that. A table that is built
    # anew has lost its own triggers: whoever does that makes them again.
    driver.execute("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA legacy_alter_table = OFF")
        driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    astray = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if astray:
        tables = ", ".join(sorted({row[0] for row in astray}))
        raise StateError(
            f"the upgrade would leave {len(astray)} rows that refer to nothing (in {tables})",
            hint="Nothing was changed. Please report it, with the version you upgrade from.",
        )


run_migrations()
