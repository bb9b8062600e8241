"""Output roots, and what the state believes to lie in them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, case, delete, exists, func, or_, select, true, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.model import FileState
from jwstwatch.errors import BusyError, UsageError
from jwstwatch.store import arrivals, bulk, events, tables
from jwstwatch.store.conditions import in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.runs import bury_dead

FOUND = "the archive no longer lists it; its copy is there again"

_AT_ONCE = 1000
"""Losses that are recorded in one transaction."""

LOT = 5000
"""Copies that are handed out, and held in memory, at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRecord:
    """An output folder as an object of its own; `files` counts the copies the state knows there."""

    id: int
    uuid: str
    path: Path
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that the state believes to be at `path` (relative to its root); size in bytes, mtime in ns."""

    file_id: int
    product_id: int
    path: str
    size: int | None
    modified_ns: int | None = None
    sha256: str | None = None
    gone: bool = False
    """The archive has it no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A copy that the disk does not confirm, and what was found instead.

    With the `copy` that was looked for, one that was replaced since then is not lost.
    """

    file_id: int
    product_id: int
    reason: str
    copy: Copy | None = None

    @classmethod
    def of(cls, copy: Copy, reason: str) -> Loss:
        """Return the loss of a copy."""
        return cls(file_id=copy.file_id, product_id=copy.product_id, reason=reason, copy=copy)


class Roots:
    """The root table, and the copies below each root."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, path: Path) -> RootRecord | None:
        """Return the root with this path, None where the state has not used it yet."""
        return next(iter(self._records(tables.root.c.path == str(path))), None)

    def all(self) -> list[RootRecord]:
        """Return every root of the state, oldest first."""
        return self._records(true())

    def _records(self, condition: ColumnElement[bool]) -> list[RootRecord]:
        root = tables.root
        query = select(root).where(condition).order_by(root.c.id)
        with self._database.read() as connection:
            return [
                RootRecord(id=row.id, uuid=row.uuid, path=Path(row.path), files=row.copies)
                for row in connection.execute(query)
            ]

    def add(self, path: Path, *, identity: str | None = None, now: datetime) -> RootRecord:
        """Make a root known, with the identity its marker has already, or a new one."""
        identity = identity or str(uuid.uuid4())
        with self._database.write() as connection:
            existing = connection.execute(
                select(tables.root.c.id, tables.root.c.uuid).where(tables.root.c.path == str(path))
            ).first()
            if existing is not None:
                return RootRecord(id=existing.id, uuid=existing.uuid, path=path, files=0)
            root_id = connection.execute(
                tables.root.insert()
                .values(uuid=identity, path=str(path), created_at=now)
                .returning(tables.root.c.id)
            ).scalar_one()
        return RootRecord(id=root_id, uuid=identity, path=path, files=0)

    def move(self, root_id: int, path: Path) -> None:
        """The folder has another path now; its identity stays. `UsageError` where another root is there."""
        self.move_all({root_id: path})

    def move_all(self, paths: Mapping[int, Path]) -> None:
        """The same for several, all or none: folders that lay in one another move together."""
        others = {record.path for record in self.all() if record.id not in paths}
        for path in paths.values():
            if path in others:
                raise UsageError(
                    f"{path} is an output folder of its own already", hint="`jwstwatch root list` shows them."
                )
        root = tables.root
        with self._database.write() as connection:
            # None of the new paths may be another's old one in between.
            for root_id in paths:
                unlike = f"moving {root_id}"
                connection.execute(update(root).where(root.c.id == root_id).values(path=unlike))
            for root_id, path in paths.items():
                connection.execute(update(root).where(root.c.id == root_id).values(path=str(path)))
            _forget_marks(connection, paths)

    def require_idle(self, root_id: int, profiles: Collection[str], *, now: datetime) -> None:
        """Raise `BusyError` while a run goes on that works in the root.

        That is a run of one of `profiles`, or of any that wants files there.
        """
        run, file, want = tables.run, tables.file, tables.want
        here = exists().where(
            want.c.profile == run.c.profile, file.c.id == want.c.file_id, file.c.root_id == root_id
        )
        query = select(run.c.profile, run.c.pid, run.c.host).where(
            run.c.outcome.is_(None), or_(run.c.profile.in_(list(profiles)), here)
        )
        with self._database.write() as connection:
            bury_dead(connection, now)
            row = connection.execute(query.order_by(run.c.id)).first()
        if row is not None:
            raise BusyError(
                f"{row.profile}: a run that works there goes on (process {row.pid} on {row.host})",
                hint="Wait for it to end (`jwstwatch status` shows it) or stop it; then tell it again.",
            )

    def set_identity(self, root_id: int, identity: str) -> None:
        """Accept another marker (or a new one) for a root."""
        with self._database.write() as connection:
            connection.execute(update(tables.root).where(tables.root.c.id == root_id).values(uuid=identity))
            _forget_marks(connection, [root_id])

    def copies(self, root_id: int, *, profile: str | None = None) -> Iterator[list[Copy]]:
        """Yield the copies below a root in path order (the database's), some thousands at a time.

        Those of dropped files are nobody's concern and left out.
        """
        file, want = tables.file, tables.want
        after = ""
        while True:
            query = (
                select(file)
                .where(file.c.root_id == root_id, has_copy(), ~file.c.declined, file.c.path > after)
                .order_by(file.c.path)
                .limit(LOT)
            )
            if profile is not None:
                query = query.where(exists().where(want.c.profile == profile, want.c.file_id == file.c.id))
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            yield [_copy(row) for row in rows]
            after = rows[-1].path

    def copies_at(self, root_id: int, paths: Collection[str]) -> list[Copy]:
        """Return the copies that are watched at some of these paths of a root."""
        file = tables.file
        found: list[Copy] = []
        with self._database.read() as connection:
            for some in bulk.chunks(paths):
                query = select(file).where(file.c.root_id == root_id, file.c.path.in_(some))
                found += map(_copy, connection.execute(query.where(has_copy(), ~file.c.declined)))
        return found

    def lost_for_good(self, root_id: int, *, profile: str) -> list[Copy]:
        """Return what the archive has no more and no copy is known of, as far as one was verified once."""
        file, want = tables.file, tables.want
        query = select(file).where(
            in_root(root_id),
            file.c.state == FileState.GONE.value,
            file.c.size.is_(None),
            func.coalesce(file.c.sha256, "") != "",
            ~file.c.declined,
            exists().where(want.c.profile == profile, want.c.file_id == file.c.id),
        )
        with self._database.read() as connection:
            return [_copy(row) for row in connection.execute(query.order_by(file.c.path))]

    def record_found(self, run_id: int | None, found: Sequence[Copy], *, now: datetime) -> None:
        """Copies of what the archive has no more are there again, with the bytes that were verified."""
        file = tables.file
        with self._database.write() as connection:
            with arrivals.growth_recorded(connection, [copy.file_id for copy in found], now=now):
                for copy in found:
                    connection.execute(
                        update(file)
                        .where(file.c.id == copy.file_id, file.c.state == FileState.GONE.value)
                        .where(file.c.size.is_(None), file.c.sha256 == copy.sha256)
                        .values(size=copy.size, modified_ns=copy.modified_ns, reason=FOUND, changed_at=now)
                    )
            happened = [
                events.Event(
                    product_id=copy.product_id,
                    file_id=copy.file_id,
                    run_id=run_id,
                    kind="found",
                    detail=f"{copy.size} bytes, SHA-256 {copy.sha256}",
                )
                for copy in found
            ]
            events.record(connection, happened, now=now)
            mark_pages_due_for_files(connection, [copy.file_id for copy in found])

    def record_losses(self, run_id: int | None, losses: Sequence[Loss], *, now: datetime) -> int:
        """What the disk does not confirm is wanted again; a `gone` one is noted once, with its SHA-256.

        A copy that was replaced, or dropped, since it was looked for stays. Returns how many are lost.
        Of many each thousand is a transaction: others write in between, and PostgreSQL keeps every former
        version of a count until its transaction ends.
        """
        return sum(self._record_some(run_id, some, now) for some in bulk.chunks(losses, _AT_ONCE))

    def _record_some(self, run_id: int | None, losses: Sequence[Loss], now: datetime) -> int:
        with self._database.write() as connection:
            with arrivals.growth_recorded(connection, [loss.file_id for loss in losses], now=now):
                lost = [loss for loss in losses if _lose(connection, loss, now)]
            events.record(
                connection,
                [
                    events.Event(
                        product_id=loss.product_id,
                        file_id=loss.file_id,
                        run_id=run_id,
                        kind="lost",
                        detail=loss.reason,
                    )
                    for loss in lost
                ],
                now=now,
            )
            mark_pages_due_for_files(connection, [loss.file_id for loss in lost])
        return len(lost)


def _forget_marks(connection: Connection, root_ids: Collection[int]) -> None:
    """A root is another folder, or elsewhere: all of it is compared at the next run."""
    folder = tables.folder
    connection.execute(delete(folder).where(folder.c.root_id.in_(list(root_ids))))


def _copy(row: Row[Any]) -> Copy:
    return Copy(
        file_id=row.id,
        product_id=row.product_id,
        path=row.path,
        size=row.size,
        modified_ns=row.modified_ns,
        sha256=row.sha256,
        gone=row.state == FileState.GONE.value,
    )


def _lose(connection: Connection, loss: Loss, now: datetime) -> bool:
    file, copy = tables.file, loss.copy
    as_judged = [file.c.id == loss.file_id, has_copy(), ~file.c.declined]
    if copy is not None:
        facts = (
            (file.c.path, copy.path),
            (file.c.size, copy.size),
            (file.c.sha256, copy.sha256),
            (file.c.modified_ns, copy.modified_ns),
        )
        as_judged += [column.is_not_distinct_from(value) for column, value in facts]
    gone = file.c.state == FileState.GONE.value
    values = {
        "state": case((gone, FileState.GONE.value), else_=FileState.WANTED.value),
        "reason": loss.reason,
        **tables.NEVER_TRIED,
        "changed_at": now,
        **tables.NO_COPY,
        # Nobody can fetch it again: should it come back with its disk, this tells that it is the same.
        "sha256": case((gone, file.c.sha256), else_=None),
    }
    statement = update(file).where(*as_judged).values(values)
    return connection.execute(statement.returning(file.c.id)).first() is not None


def has_copy() -> ColumnElement[bool]:
    """A copy is taken to be there; that one of what is gone was lost shows in its size."""
    file = tables.file
    return and_(
        file.c.state.in_(tables.HAS_COPY),
        or_(file.c.state != FileState.GONE.value, file.c.size.is_not(None)),
    )


def has_no_copy() -> ColumnElement[bool]:
    """The opposite, in the words of an index: of many files these are few."""
    file = tables.file
    return or_(
        file.c.state.in_([state.value for state in FileState if state.value not in tables.HAS_COPY]),
        and_(file.c.state == FileState.GONE.value, file.c.size.is_(None)),
    )
