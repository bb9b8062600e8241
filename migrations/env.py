"""Run by alembic: with the engine that jwstwatch hands over, or a developer's from alembic.ini."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine, create_engine

from jwstwatch.store.tables import metadata


def run_migrations() -> None:
    """Apply the migrations in one transaction, holding the write lock from its beginning."""
    engine: Engine | None = context.config.attributes.get("engine")
    if engine is None:
        engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "")
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run_migrations()
