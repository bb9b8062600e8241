"""Bring the schema of a state up to date: a copy first, never backwards by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from jwstwatch.errors import StateError, StorageError
from jwstwatch.store import schema
from jwstwatch.store.engine import Database, sqlite_path, translate_database_errors
from jwstwatch.store.locks import exclusive

if TYPE_CHECKING:
    from alembic.config import Config

_PACKAGE = Path(__file__).resolve().parent.parent


def alembic_config() -> Config:
    """Return alembic's settings: those of the wheel, or of the source tree."""
    from alembic.config import Config

    folder = _PACKAGE if (_PACKAGE / "migrations" / "env.py").is_file() else _PACKAGE.parent
    config = Config(str(folder / "alembic.ini"))
    config.set_main_option("script_location", str(folder / "migrations").replace("%", "%%"))
    return config


def current_revision(database: Database) -> str | None:
    """Return the schema revision of the database, None for an empty one."""
    there = "SELECT to_regclass('alembic_version') IS NOT NULL"
    if database.is_sqlite:
        there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    with database.read() as connection:
        if not connection.execute(text(there)).scalar():
            return None
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def upgrade(database: Database) -> Path | None:
    """Upgrade the schema where it is behind; returns the copy that was made of the old one (SQLite)."""
    if is_current(database):
        return None
    with exclusive(database, "migration"):
        if is_current(database):  # another process was quicker
            return None
        copy = _copy(database)
        apply(database)
    return copy


def apply(database: Database) -> None:
    """Bring the schema of a database that nobody else uses up to date, without a copy."""
    # Not above: a state that is current is opened at every command.
    from alembic import command

    config = alembic_config()
    config.attributes["engine"] = database.engine
    with translate_database_errors(database.engine.url):
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """True where nothing is to be done; raises `StateError` for a schema newer than this program."""
    revision = current_revision(database)
    if revision is not None:
        require_known(revision, "the state")
    return revision == schema.NEWEST


def require_known(revision: str, what: str) -> None:
    """Raise `StateError` where a schema is of a newer program; `what` has it."""
    if revision not in schema.SCHEMAS:
        raise StateError(
            f"{what} was written by a newer jwstwatch (schema {revision})",
            hint="Install that version again (pip install -U jwstwatch), or restore an older copy.",
        )


def require_current(database: Database) -> None:
    """Raise `StateError` where the schema is not the one this program knows."""
    if not is_current(database):
        raise StateError(
            "the state has not been set up, or was written by an older jwstwatch",
            hint="`jwstwatch db upgrade` brings it up to date, as do `jwstwatch run-now` and "
            "`jwstwatch daemon`.",
        )


def _copy(database: Database) -> Path | None:
    """Copy an SQLite state beside itself before its schema changes; PostgreSQL has its own backups."""
    from jwstwatch.store.backups import copy_state

    path = sqlite_path(database.engine.url)
    revision = current_revision(database)
    if path is None or revision is None:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.{revision}.{stamp}.bak")
    try:
        copy_state(path, copy, owner=path)
    except StorageError as error:
        raise StorageError(
            f"the state cannot be copied before its upgrade: {error.message}",
            hint=f"Nothing was changed. {error.hint}",
        ) from error
    return copy
