"""Trying again now what failed, whenever its next attempt would have been."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED
from jwstwatch.store import bulk, events, tables
from jwstwatch.store.choosing import Choice, choose
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.profiles import ONE_OFF

ASKED_AGAIN = "to be tried again, as asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Untried:
    """A named file that there is nothing to try again for, and the sentence that says why."""

    file: Choice
    why: str


class Retries:
    """What is said of files that are named to be tried again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pointless(self, names: Sequence[str], *, profiles: Collection[str] = ()) -> list[Untried]:
        """Return those of the named files that `retry` leaves as they are. `UsageError` as for `retry`."""
        file, untried = tables.file, []
        with self._database.read() as connection:
            chosen = {choice.file_id: choice for choice in choose(connection, names, profiles=profiles)}
            for ids in bulk.chunks(chosen):
                for row in connection.execute(select(file).where(file.c.id.in_(ids), ~_retried())):
                    untried.append(Untried(file=chosen[row.id], why=_why_not(row)))
        return sorted(untried, key=lambda each: each.file.full)


def retry(
    connection: Connection, names: Sequence[str], *, profiles: Collection[str], now: datetime
) -> tuple[int, list[str]]:
    """Forget what was tried for failed files; returns how many, and the saved profiles that want them."""
    file, want = tables.file, tables.want
    query = select(file.c.id, file.c.product_id).where(_retried())
    if profiles:
        query = query.where(exists().where(want.c.file_id == file.c.id, want.c.profile.in_(profiles)))
    waiting = {row.id: row.product_id for row in connection.execute(query)}
    if names:
        meant = {choice.file_id for choice in choose(connection, names, profiles=profiles)}
        waiting = {key: product_id for key, product_id in waiting.items() if key in meant}
    stale = file.c.state == FileState.STALE.value
    for ids in bulk.chunks(waiting):
        connection.execute(
            update(file)
            .where(file.c.id.in_(ids))
            .values(
                # Where a readable copy is there, it stays what it is.
                state=case((stale, FileState.STALE.value), else_=FileState.WANTED.value),
                reason=case((stale, file.c.reason), else_=ASKED_AGAIN),
                **tables.NEVER_TRIED,
                changed_at=now,
            )
        )
    happened = [
        events.Event(product_id=product_id, file_id=key, kind="retry") for key, product_id in waiting.items()
    ]
    events.record(connection, happened, now=now)
    mark_pages_due_for_files(connection, list(waiting))
    return len(waiting), _wanted_by(connection, waiting, profiles)


def _retried() -> Any:
    """Something was tried and did not succeed."""
    file = tables.file
    failed = or_(
        file.c.state == FileState.FAILED.value,
        and_(file.c.state == FileState.STALE.value, file.c.attempts > 0),
        # A reason may be absent: what is compared with nothing is neither true nor false.
        and_(file.c.state == FileState.WITHHELD.value, func.coalesce(file.c.reason, "") == NOT_AUTHORISED),
    )
    return and_(~file.c.declined, failed)


def _why_not(row: Any) -> str:
    if row.declined:
        return "it was dropped on purpose; `jwstwatch undrop` wants it again"
    return _WHY_NOT[FileState(row.state)](row)


def _of_gone(row: Any) -> str:
    if row.size is None:
        return "the archive has it no more, so nothing can be fetched, and no copy is here"
    return "the archive has it no more, so nothing can be fetched; the copy is kept"


def _of_present(row: Any) -> str:
    if row.damage is not None:
        return f"its copy is damaged ({row.damage}); `jwstwatch verify --repair` has it fetched again"
    return "it is there, in the revision that the archive lists; `jwstwatch verify --deep` reads it through"


def _of_withheld(row: Any) -> str:
    token = " (`jwstwatch token set` keeps one)" if row.reason == NO_TOKEN else ""
    return f"it is withheld ({row.reason or 'exclusive access'}): a token{token} or its release lets it come"


def _of_stale(row: Any) -> str:
    return (
        f"the next run fetches it anyway ({row.reason or 'a newer revision'}); the copy here stays until then"
    )


def _of_wanted(row: Any) -> str:
    return f"nothing failed, and the next run fetches it anyway ({row.reason or 'wanted'})"


_WHY_NOT: Mapping[FileState, Callable[[Any], str]] = {
    FileState.GONE: _of_gone,
    FileState.PRESENT: _of_present,
    FileState.WITHHELD: _of_withheld,
    FileState.STALE: _of_stale,
    FileState.WANTED: _of_wanted,
}


def _wanted_by(connection: Connection, file_ids: Collection[int], profiles: Collection[str]) -> list[str]:
    want = tables.want
    found: set[str] = set()
    for ids in bulk.chunks(file_ids):
        query = select(want.c.profile).where(want.c.file_id.in_(ids)).distinct()
        found.update(connection.execute(query).scalars())
    return sorted(
        name for name in found if not name.startswith(ONE_OFF) and (not profiles or name in profiles)
    )
