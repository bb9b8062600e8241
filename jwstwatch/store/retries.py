"""Trying again now what failed, whenever its next attempt would have been."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, or_, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NOT_AUTHORISED
from jwstwatch.store import bulk, events, tables
from jwstwatch.store.choosing import choose
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.profiles import ONE_OFF

ASKED_AGAIN = "to be tried again, as asked"


def retry(
    connection: Connection, names: Sequence[str], *, profiles: Collection[str], now: datetime
) -> tuple[int, list[str]]:
    """Forget what was tried for failed files; returns how many, and the saved profiles that want them."""
    file, want = tables.file, tables.want
    query = select(file.c.id, file.c.product_id).where(~file.c.declined, _failed())
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
                attempts=0,
                failure_kind=None,
                last_error=None,
                next_attempt_at=None,
                changed_at=now,
            )
        )
    happened = [
        events.Event(product_id=product_id, file_id=key, kind="retry") for key, product_id in waiting.items()
    ]
    events.record(connection, happened, now=now)
    mark_pages_due_for_files(connection, list(waiting))
    return len(waiting), _wanted_by(connection, waiting, profiles)


def _failed() -> Any:
    """Something was tried and did not succeed."""
    file = tables.file
    return or_(
        file.c.state == FileState.FAILED.value,
        and_(file.c.state == FileState.STALE.value, file.c.attempts > 0),
        and_(file.c.state == FileState.WITHHELD.value, file.c.reason == NOT_AUTHORISED),
    )


def _wanted_by(connection: Connection, file_ids: Collection[int], profiles: Collection[str]) -> list[str]:
    want = tables.want
    found: set[str] = set()
    for ids in bulk.chunks(file_ids):
        query = select(want.c.profile).where(want.c.file_id.in_(ids)).distinct()
        found.update(connection.execute(query).scalars())
    return sorted(
        name for name in found if not name.startswith(ONE_OFF) and (not profiles or name in profiles)
    )
