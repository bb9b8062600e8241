"""Profiles as the state knows them: which there are, and another name for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from jwstwatch.errors import BusyError, UsageError
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_where
from jwstwatch.store.runs import RunRecord, as_it_is, bury_dead
from jwstwatch.store.tallies import tallies

ONE_OFF = "one-off:"
"""What the names of downloads begin with that were typed; no saved profile can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRecord:
    """What the state has of a profile: the files it wants, those that are there, and its newest run.

    `size` in bytes, of the copies that are there.
    """

    name: str
    files: int = 0
    present: int = 0
    size: int = 0
    last: RunRecord | None = None

    @property
    def is_one_off(self) -> bool:
        """Whether it stands for a download that was typed."""
        return self.name.startswith(ONE_OFF)


class Profiles:
    """Everything that is kept by a profile's name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ProfileRecord]:
        """Return every profile that left something in the state, by name."""
        with self._database.read() as connection:
            names = _known(connection)
            files = _files(connection)
            last = _last_runs(connection)
        return [
            ProfileRecord(name=name, last=last.get(name), **files.get(name, {})) for name in sorted(names)
        ]

    def names(self) -> list[str]:
        """Return the names of the saved profiles that left something in the state."""
        with self._database.read() as connection:
            return sorted(name for name in _known(connection) if not name.startswith(ONE_OFF))

    def knows(self, name: str) -> bool:
        """Return whether a profile, or a typed download, of this name left something in the state."""
        with self._database.read() as connection:
            return name in _known(connection)

    def rename(self, old: str, new: str, *, now: datetime) -> ProfileRecord:
        """Call a profile otherwise: its floor, runs, files and notices go with it.

        Raises `UsageError` where the state does not know `old`, or knows `new` already, and `BusyError` while
        a run of one of them goes on.
        """
        with self._database.write() as connection:
            known = _known(connection)
            if old not in known:
                raise UsageError(f"the state knows no profile {old!r}", hint=_those(known))
            bury_dead(connection, now)
            _refuse_while_running(connection, old, new)
            if new in known:
                raise UsageError(
                    f"{new} has a history of its own already",
                    hint="Two histories cannot be made one. Choose another name.",
                )
            for table in (tables.profile, tables.run, tables.interest, tables.want):
                column = table.c.name if table is tables.profile else table.c.profile
                connection.execute(update(table).where(column == old).values({column.name: new}))
            connection.execute(delete(tables.folder).where(tables.folder.c.profile.in_((old, new))))
            _rename_notices(connection, old, new)
            mine = select(tables.want.c.file_id).where(tables.want.c.profile == new)
            mark_pages_due_where(connection, tables.file.c.id.in_(mine))
            files = _files(connection).get(new, {})
            return ProfileRecord(name=new, last=_last_runs(connection).get(new), **files)


def _known(connection: Connection) -> set[str]:
    columns = (tables.profile.c.name, tables.run.c.profile, tables.interest.c.profile)
    names = {name for column in columns for name in connection.execute(select(column).distinct()).scalars()}
    return names | {tally.profile for tally in tallies(connection)}


def _files(connection: Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for tally in tallies(connection):
        if not tally.declined:
            mine = found.setdefault(tally.profile, {"files": 0, "present": 0, "size": 0})
            mine["files"] += tally.files
            if tally.state.value in tables.HAS_COPY:
                mine["present"] += tally.files
                mine["size"] += tally.present
    return found


def _last_runs(connection: Connection) -> dict[str, RunRecord]:
    run = tables.run
    newest = select(func.max(run.c.id)).group_by(run.c.profile)
    return {row.profile: as_it_is(row) for row in connection.execute(select(run).where(run.c.id.in_(newest)))}


def _those(known: set[str]) -> str:
    saved = sorted(name for name in known if not name.startswith(ONE_OFF))
    return f"It knows: {', '.join(saved)}." if saved else "No profile has run yet."


def _refuse_while_running(connection: Connection, *names: str) -> None:
    run = tables.run
    query = select(run.c.profile, run.c.pid, run.c.host)
    row: Any = connection.execute(query.where(run.c.profile.in_(names), run.c.outcome.is_(None))).first()
    if row is not None:
        raise BusyError(
            f"{row.profile}: a run goes on (process {row.pid} on {row.host})",
            hint="Wait for it to end; `jwstwatch status` shows it.",
        )


def _rename_notices(connection: Connection, old: str, new: str) -> None:
    """A cause that ends in the profile's name, such as `plan waits NAME`, is about the new one now."""
    notice = tables.notice
    for row in connection.execute(select(notice).where(notice.c.profile == old)).all():
        stem = row.cause.removesuffix(f" {old}")
        cause = f"{stem} {new}"[:200] if stem != row.cause else row.cause
        if cause != row.cause:
            connection.execute(notice.delete().where(notice.c.cause == cause))
        connection.execute(update(notice).where(notice.c.cause == row.cause).values(cause=cause, profile=new))
