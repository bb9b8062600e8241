"""Files that the archive lists and did not have when they were asked for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import in_state

_NOT_THERE = (FailureKind.MISSING.value, FailureKind.STILL_LISTED.value, FailureKind.ABSENT.value)


def note_still_listed(connection: Connection, product_ids: Collection[int]) -> None:
    """Whole product lists name these: where the archive did not have one, another 404 makes it certain."""
    file = tables.file
    for chunk in bulk.chunks(product_ids):
        missing = select(file.c.id).where(
            file.c.product_id.in_(chunk), file.c.failure_kind == FailureKind.MISSING.value
        )
        ids = list(connection.execute(missing).scalars())
        if ids:
            connection.execute(
                update(file).where(file.c.id.in_(ids)).values(failure_kind=FailureKind.STILL_LISTED.value)
            )


def forget(connection: Connection, product_ids: Collection[int], now: datetime) -> None:
    """These have another content: that the archive did not have the former one says nothing of it."""
    file = tables.file
    for chunk in bulk.chunks(product_ids):
        connection.execute(
            update(file)
            .where(
                file.c.product_id.in_(chunk),
                in_state([FileState.FAILED.value]),
                file.c.failure_kind.in_(_NOT_THERE),
            )
            .values(
                state=FileState.WANTED.value,
                reason=NEWER_REVISION,
                **tables.NEVER_TRIED,
                changed_at=now,
            )
        )
