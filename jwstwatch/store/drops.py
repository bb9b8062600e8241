"""Files that were given up on purpose: never fetched, never missed, until somebody wants them again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, or_, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.errors import BusyError
from jwstwatch.store import arrivals, bulk, events, folders, tables
from jwstwatch.store.choosing import GROUP, Choice, at_same_place, choose
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.profiles import ONE_OFF
from jwstwatch.store.roots import has_copy
from jwstwatch.store.runs import bury_dead
from jwstwatch.store.transfers import in_transfer

DROPPED = "dropped on purpose"
WANTED_AGAIN = "wanted again"
SINCE_UNDROPPED = "it was wanted again meanwhile"


class Drops:
    """The `declined` flag of the file table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def choose(self, names: Sequence[str], *, profiles: Collection[str] = ()) -> list[Choice]:
        """Return the files that are meant, or raise `UsageError` naming those that nobody knows."""
        with self._database.read() as connection:
            return choose(connection, names, profiles=profiles)

    def drop(self, chosen: Sequence[Choice], *, now: datetime) -> list[Choice]:
        """Give files up; returns those that were not given up before. Their copies are no longer watched.

        Raises `BusyError` where one is in transfer.
        """
        file = tables.file
        by_id = {choice.file_id: choice for choice in chosen}
        with self._database.write() as connection:
            bury_dead(connection, now)
            busy = [by_id[key].name for key in in_transfer(connection, list(by_id))]
            if busy:
                raise BusyError(
                    f"{busy[0]} is being fetched at this moment"
                    + (f", and {len(busy) - 1} more of them" if len(busy) > 1 else ""),
                    hint="Wait for the run to end, or stop it; nothing was dropped.",
                )
            changed = _change(
                connection, by_id, file.c.declined.is_(False), {"declined": True, "reason": DROPPED}, now
            )
            _record(connection, changed, kind="dropped", detail=None, now=now)
        return changed

    def remove_copies(
        self,
        chosen: Sequence[Choice],
        *,
        remove: Callable[[Sequence[Choice]], Collection[int]],
        now: datetime,
    ) -> dict[int, str]:
        """Remove the copies of dropped files, then forget them; returns which have to stay, and why.

        `remove` takes files from the disk and returns the ids of those that are not there any more. It is
        called while nobody else can write the state, so that nobody takes up a copy that is about to go.
        """
        stay: dict[int, str] = {}
        asked = {choice.file_id for choice in chosen}
        for group in bulk.chunks(chosen, GROUP):
            with self._database.write() as connection:
                reasons = _reasons_to_stay(connection, group, asked)
                free = {choice.file_id: choice for choice in group if choice.file_id not in reasons}
                removed = {key: free[key] for key in remove(list(free.values()))}
                _forget_copies(connection, removed, now)
            stay |= reasons
        return stay

    def undrop(self, chosen: Sequence[Choice], *, missing: Collection[int], now: datetime) -> list[Choice]:
        """Want dropped files again; returns those that were dropped. Of `missing` ones no copy is there."""
        file = tables.file
        kept = {choice.file_id: choice for choice in chosen if choice.file_id not in missing}
        gone = {choice.file_id: choice for choice in chosen if choice.file_id in missing}
        stale = file.c.state == FileState.STALE.value
        again: dict[str, Any] = {**tables.NEVER_TRIED, "declined": False}
        with self._database.write() as connection:
            changed = _change(
                connection,
                kept,
                file.c.declined,
                again | {"reason": case((stale, NEWER_REVISION), else_=None)},
                now,
            )
            wanted = {"state": FileState.WANTED.value, "reason": WANTED_AGAIN, **tables.NO_COPY}
            with arrivals.growth_recorded(connection, gone, now=now):
                changed += _change(connection, gone, file.c.declined, again | wanted, now)
            folders.forget_marks_of_files(connection, [choice.file_id for choice in changed])
            _record(connection, changed, kind="undropped", detail=None, now=now)
        return changed


def _reasons_to_stay(connection: Connection, group: Sequence[Choice], asked: set[int]) -> dict[int, str]:
    """Return which copies are not to be removed: others than those `asked` for are the same file on disk."""
    file, want = tables.file, tables.want
    ids = [choice.file_id for choice in group]
    query = select(file.c.id).where(file.c.id.in_(ids), file.c.declined)
    dropped = set(connection.execute(query).scalars())
    reasons = {key: SINCE_UNDROPPED for key in ids if key not in dropped}
    theirs = or_(has_copy(), and_(~file.c.declined, exists().where(want.c.file_id == file.c.id)))
    for key, others in at_same_place(connection, group, theirs).items():
        kept = [other for other in others if other.file_id not in asked]
        if kept and key not in reasons:
            owners = wanting(connection, [kept[0].file_id]).get(kept[0].file_id, [])
            reasons[key] = f"the copy is also {_possessive(owners)} in {kept[0].root}"
    return reasons


def _possessive(profiles: Sequence[str]) -> str:
    saved = [f"{name}'s" for name in profiles if not name.startswith(ONE_OFF)]
    return " and ".join(saved) or ("a typed download's" if profiles else "known")


def _forget_copies(connection: Connection, removed: dict[int, Choice], now: datetime) -> None:
    values = {"state": FileState.WANTED.value, "reason": DROPPED, **tables.NO_COPY}
    with arrivals.growth_recorded(connection, removed, now=now):
        changed = _change(connection, removed, tables.file.c.declined, values, now)
    _record(connection, changed, kind="removed", detail="its copy was removed, as asked", now=now)


def _change(
    connection: Connection,
    chosen: dict[int, Choice],
    condition: Any,
    values: dict[str, Any],
    now: datetime,
) -> list[Choice]:
    """Set values where the condition still holds; returns the files that it held for."""
    file = tables.file
    changed: list[Choice] = []
    for ids in bulk.chunks(chosen):
        rows = connection.execute(
            update(file)
            .where(file.c.id.in_(ids), condition)
            .values(values | {"changed_at": now})
            .returning(file.c.id)
        ).scalars()
        changed += [chosen[key] for key in rows]
    return changed


def _record(
    connection: Connection, changed: Sequence[Choice], *, kind: str, detail: str | None, now: datetime
) -> None:
    happened = [
        events.Event(product_id=choice.product_id, file_id=choice.file_id, kind=kind, detail=detail)
        for choice in changed
    ]
    events.record(connection, happened, now=now)
    mark_pages_due_for_files(connection, [choice.file_id for choice in changed])


def wanting(connection: Connection, file_ids: Collection[int]) -> dict[int, list[str]]:
    """Return which profiles want which of these files."""
    want = tables.want
    found: dict[int, list[str]] = {}
    for ids in bulk.chunks(file_ids):
        query = select(want.c.file_id, want.c.profile).where(want.c.file_id.in_(ids))
        for row in connection.execute(query.order_by(want.c.profile)):
            found.setdefault(row.file_id, []).append(row.profile)
    return found
