"""Is the state sound, current, and free of what only a kill can leave?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from jwstwatch.core.model import FileState
from jwstwatch.errors import StateError
from jwstwatch.store import migrate, schema, tables, tallies, triggers
from jwstwatch.store.engine import Database
from jwstwatch.store.liveness import ProcessMark, is_surely_dead

_MOST = 20
"""Problems of one kind that are told."""

_RESTORE = "Restore it from a backup: `jwstwatch db restore FILE`."
_REPORT = "No run leaves this behind: please report it, with what happened before."
_MENDS_ITSELF = "The next run settles it: `jwstwatch run-now`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it should be, and what to do about it."""

    text: str
    hint: str


def check(database: Database) -> list[Problem]:
    """Return what is wrong with a state, of whatever schema; nothing is changed.

    Raises `StateError` for one that a newer program wrote.
    """
    try:
        problems = list(_damage(database)) if database.is_sqlite else []
        revision = migrate.current_revision(database)
    except StateError as error:
        return [Problem(text=error.message, hint=_RESTORE)]
    if revision is not None:
        migrate.require_known(revision, "the state")
    if revision != schema.NEWEST:
        was = "was never set up" if revision is None else f"has schema {revision}, not {schema.NEWEST}"
        problems.append(Problem(text=f"the state {was}", hint="`jwstwatch db upgrade` brings it up to date."))
    elif not problems:
        with database.read() as connection:
            problems += [
                *_dead_runs(connection),
                *_claims_of_ended_runs(connection),
                *_open_intents(connection),
                *_odd_pages(connection),
                *_odd_copies(connection),
                *_odd_counts(connection),
            ]
    return problems


def _damage(database: Database) -> Iterator[Problem]:
    with database.read() as connection:
        found = connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST})").scalars().all()
        astray = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    for text in found:
        if text != "ok":
            yield Problem(text=f"damaged: {text}", hint=_RESTORE)
    for table in sorted({str(row[0]) for row in astray}):
        count = sum(row[0] == table for row in astray)
        yield Problem(text=f"{_counted(count, 'row')} of table {table} refer to nothing", hint=_RESTORE)


def _dead_runs(connection: Connection) -> Iterator[Problem]:
    run = tables.run
    for row in connection.execute(select(run).where(run.c.outcome.is_(None)).order_by(run.c.id)):
        if is_surely_dead(ProcessMark(row.host, row.pid, row.process_start)):
            text = f"run {row.id} of {row.profile} was never ended, and its process {row.pid} is dead"
            yield Problem(text=text, hint="The next run of any profile closes it.")


def _claims_of_ended_runs(connection: Connection) -> Iterator[Problem]:
    file, run = tables.file, tables.run
    live = select(run.c.id).where(run.c.outcome.is_(None))
    left = and_(file.c.claimed_by.is_not(None), file.c.claimed_by.not_in(live))
    count = _count(connection, select(func.count()).select_from(file).where(left))
    if count:
        text = f"{_counted(count, 'file')} claimed by a run that has ended"
        yield Problem(text=text, hint=_MENDS_ITSELF)


def _open_intents(connection: Connection) -> Iterator[Problem]:
    intent, run = tables.intent, tables.run
    live = exists().where(run.c.id == intent.c.run_id, run.c.outcome.is_(None))
    count = _count(connection, select(func.count()).select_from(intent).where(~live))
    if count:
        text = f"{_counted(count, 'file')} about to be put in place when a run was cut"
        yield Problem(text=text, hint=_MENDS_ITSELF)


def _odd_pages(connection: Connection) -> Iterator[Problem]:
    page, part = tables.page, tables.page_part
    count = 0
    for table in (page, part):
        odd = or_(table.c.written > table.c.changes, table.c.changes < 0, table.c.proposal < 0)
        count += _count(connection, select(func.count()).select_from(table).where(odd))
    if count:
        text = f"{_counted(count, 'page')} marked as written later than changed"
        yield Problem(text=text, hint=_REPORT)


def _odd_copies(connection: Connection) -> Iterator[Problem]:
    """Every copy has a length and a digest; what is not there has neither."""
    file = tables.file
    there = file.c.state.in_((FileState.PRESENT.value, FileState.STALE.value))
    bare = and_(there, or_(file.c.size.is_(None), file.c.sha256.is_(None)))
    ghost = and_(file.c.state.not_in(tables.HAS_COPY), file.c.sha256.is_not(None))
    for condition, text in (
        (bare, "present without a size or a checksum"),
        (ghost, "not there, but with a checksum"),
    ):
        count = _count(connection, select(func.count()).select_from(file).where(condition))
        if count:
            yield Problem(
                text=f"{_counted(count, 'file')} {text}",
                hint=_REPORT,
            )


def _odd_counts(connection: Connection) -> Iterator[Problem]:
    missing = triggers.missing(connection)
    if missing:
        text = f"of what keeps the counts is missing or off: {', '.join(missing)}"
        yield Problem(text=text, hint="`jwstwatch db vacuum` puts it back, and counts anew.")
    for text in tallies.discrepancies(connection):
        yield Problem(text=text, hint="`jwstwatch db vacuum` counts them anew. Please report it, too.")


def _count(connection: Connection, query: Any) -> int:
    return int(connection.execute(query).scalar_one())


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
