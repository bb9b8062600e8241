"""Bring the schema of a state up to date: a copy first, never backwards by itself."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.errors import StateError, StorageError
from jwstwatch.store.engine import STATE_MODE, Database, sqlite_path, translate_database_errors
from jwstwatch.store.locks import exclusive

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

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
    from alembic.runtime.migration import MigrationContext

    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> Path | None:
    """Upgrade the schema where it is behind; returns the copy that was made of the old one (SQLite)."""
    if is_current(database):
        return None
    from alembic import command

    with exclusive(database, "migration"):
        if is_current(database):  # another process was quicker
            return None
        copy = _copy(database)
        config = alembic_config()
        config.attributes["engine"] = database.engine
        with translate_database_errors(database.engine.url):
            command.upgrade(config, "head")
    return copy


def is_current(database: Database) -> bool:
    """True where nothing is to be done; raises `StateError` for a schema newer than this program."""
    revision = current_revision(database)
    script = _script()
    if revision is not None and revision not in {entry.revision for entry in script.walk_revisions()}:
        raise StateError(
            f"the state was written by a newer jwstwatch (schema {revision})",
            hint="Install that version again (pip install -U jwstwatch), or restore an older copy.",
        )
    return revision == script.get_current_head()


def require_current(database: Database) -> None:
    """Raise `StateError` where the schema is not the one this program knows."""
    if not is_current(database):
        raise StateError(
            "the state has not been set up, or was written by an older jwstwatch",
            hint="`jwstwatch run-now` or `jwstwatch daemon` brings it up to date.",
        )


def _script() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config())


def _copy(database: Database) -> Path | None:
    """Copy an SQLite state beside itself before its schema changes; PostgreSQL has its own backups."""
    path = sqlite_path(database.engine.url)
    if path is None or current_revision(database) is None:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.{current_revision(database)}.{stamp}.bak")
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT, STATE_MODE))
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise StorageError(
            f"the state {path} cannot be copied before its upgrade: {error}",
            hint="Nothing was changed. Free some space in its folder, or check the folder's modes.",
        ) from error
    return copy
