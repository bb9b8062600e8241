"""Copies of older revisions: which profiles keep them, what replacing them took, which are put off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select, update

from jwstwatch.core import space
from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_where
from jwstwatch.store.reservations import waits_for_room
from jwstwatch.store.transfers import is_kept, is_outdated

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Outdated:
    """A profile's files of one type of which an older revision is there: `keeps` as it was arranged last."""

    filetype: str
    keeps: bool
    files: int


class Reactions:
    """The want table as far as it says what is kept, and the table of replaced copies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def outdated(self, profile: str) -> list[Outdated]:
        """Return what an older revision is there of, by file type and by whether it is kept."""
        file, product, want = tables.file, tables.product, tables.want
        query = (
            select(product.c.filetype, want.c.keeps, func.count().label("files"))
            .select_from(want)
            .join(product, product.c.id == want.c.product_id)
            # Begins at the few files of that state, not at all that the profile wants.
            .where(want.c.profile == profile, want.c.file_id.in_(select(file.c.id).where(is_outdated())))
            .group_by(product.c.filetype, want.c.keeps)
        )
        with self._database.read() as connection:
            return [Outdated(row.filetype, bool(row.keeps), row.files) for row in connection.execute(query)]

    def keep(self, profile: str, filetypes: Collection[str], *, keeps: bool) -> None:
        """Arrange that the profile keeps the older revisions of these types that are there, or does not."""
        file, product, want = tables.file, tables.product, tables.want
        meant = (
            select(file.c.id)
            .join(product, product.c.id == file.c.product_id)
            .where(is_outdated(), product.c.filetype.in_(filetypes))
        )
        with self._database.write() as connection:
            mine = (want.c.profile == profile, want.c.keeps.is_not(keeps), want.c.file_id.in_(meant))
            mark_pages_due_where(connection, file.c.id.in_(select(want.c.file_id).where(*mine)))
            connection.execute(update(want).where(*mine).values(keeps=keeps))
            if keeps:
                _wait_no_longer(connection, meant)

    def spent(self, profile: str, *, now: datetime) -> int:
        """Return the bytes that replacing older revisions of the profile's files took in the last 24 hours.

        One that is recorded for later than now was recorded by a clock that went wrong.
        """
        replaced, want = tables.replaced, tables.want
        query = select(func.sum(replaced.c.new_size)).where(
            replaced.c.replaced_at > now - DAY,
            replaced.c.replaced_at <= now + CLOCKS_DIFFER,
            exists().where(want.c.profile == profile, want.c.file_id == replaced.c.file_id),
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def put_off(self, profile: str) -> int:
        """Return the number of the profile's files that wait for its daily budget, and nothing else."""
        file, want = tables.file, tables.want
        waiting = (
            is_outdated(),
            waits_for_room(),
            ~file.c.declined,
            file.c.attempts == 0,
            exists().where(want.c.profile == profile, want.c.file_id == file.c.id, ~want.c.keeps),
        )
        query = select(file.c.reason, func.count()).where(*waiting).group_by(file.c.reason)
        with self._database.read() as connection:
            return sum(
                files
                for reason, files in connection.execute(query)
                if space.waiting_for(reason) is space.Limit.BUDGET
            )


def _wait_no_longer(connection: Connection, file_ids: Any) -> None:
    """What every profile keeps waits for no room."""
    file, want = tables.file, tables.want
    replaced_for_some = exists().where(want.c.file_id == file.c.id, ~is_kept())
    kept = (file.c.id.in_(file_ids), waits_for_room(), ~replaced_for_some)
    for reason in list(connection.execute(select(file.c.reason).where(*kept).distinct()).scalars()):
        mark_pages_due_where(connection, and_(*kept, file.c.reason == reason))
        connection.execute(
            update(file).where(*kept, file.c.reason == reason).values(reason=space.no_longer_waiting(reason))
        )
