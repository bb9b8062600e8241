"""What `verify` compares with the disk, how far it got, and what it found wrong."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, events, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.roots import LOT, has_copy

_KEY_LENGTH = 200
_PIECE = 20 * LOT
"""Copies of one folder from which on it comes in pieces."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which copies are meant: what profiles want, what belongs to proposals; all if neither is named."""

    profiles: tuple[str, ...] = ()
    proposals: Mapping[int, Collection[int]] = field(default_factory=dict)
    """Proposal -> observation numbers, none meaning all."""

    @property
    def is_whole(self) -> bool:
        """Whether every copy is meant."""
        return not self.profiles and not self.proposals

    @property
    def key(self) -> str:
        """The name under which the state remembers a verification of it."""
        words = [f"profile {name}" for name in sorted(self.profiles)]
        for proposal, obsnums in sorted(self.proposals.items()):
            words.append(" ".join(["proposal", str(proposal), *map(str, sorted(obsnums))]))
        key = "deep: " + (", ".join(words) or "everything")
        # Profile names may be many.
        return key if len(key) <= _KEY_LENGTH else f"deep: {hashlib.sha256(key.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """A copy as the state believes it to be: bytes, mtime (ns), SHA-256; None where it has nothing."""

    file_id: int
    product_id: int
    root_id: int
    path: str
    state: FileState
    size: int | None
    sha256: str | None
    modified_ns: int | None
    damage: str | None = None
    checked_at: datetime | None = None

    def is_same_copy(self, other: Believed) -> bool:
        """Whether nothing was put at the path between two looks at the state."""
        return (self.path, self.size, self.sha256, self.modified_ns) == (
            other.path,
            other.size,
            other.sha256,
            other.modified_ns,
        )


@dataclass(frozen=True, slots=True)
class Lying:
    """A folder (relative to its root), the names of the copies in it with their bytes, None where unknown.

    Something was found wrong before with those at the paths that are `noted`.
    """

    folder: str
    sizes: dict[str, int | None] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A copy as the state believes it to be now, and what is about to happen to it."""

    copy: Believed
    placing: tuple[int, str] | None = None
    """Size and SHA-256 of what is about to take its place, or just did."""
    moving_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A deep verification: since when it goes on, and when it last read a file, where it was interrupted."""

    started_at: datetime
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Copies and their bytes; `done` of both were read since the verification began."""

    files: int
    size: int
    done_files: int = 0
    done_size: int = 0


class Verifications:
    """Verification's side of the file and verification tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, scope: Scope, *, restart: bool, now: datetime) -> Begun:
        """Begin a deep verification, or go on with that of this scope which was not finished."""
        table, file = tables.verification, tables.file
        latest = select(func.max(file.c.checked_at)).where(_condition(scope))
        with self._database.write() as connection:
            row = connection.execute(select(table).where(table.c.scope == scope.key)).first()
            last = connection.execute(latest).scalar_one()
            if row is not None and row.finished_at is None and not restart:
                going_on = last is not None and last >= row.started_at
                return Begun(started_at=row.started_at, stopped_at=last if going_on else None)
            # What was read before must not count, however the clock was set meanwhile.
            started_at = now if last is None else max(now, last + _INSTANT)
            values = {"scope": scope.key, "started_at": started_at, "finished_at": None}
            bulk.upsert(connection, table, [values])
        return Begun(started_at=started_at)

    def finish(self, scope: Scope, *, now: datetime) -> None:
        """Every copy of the scope was read: the next verification of it begins anew."""
        table = tables.verification
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.scope == scope.key).values(finished_at=now))

    def tallies(self, scope: Scope, *, since: datetime | None = None) -> dict[int, Tally]:
        """Return how much there is to verify, by root; what was read `since` then is done."""
        file = tables.file
        done = file.c.checked_at >= since if since is not None else file.c.id.is_(None)
        size = func.coalesce(file.c.size, 0)
        query = (
            select(
                file.c.root_id,
                func.count().label("files"),
                func.sum(size).label("size"),
                func.sum(case((done, 1), else_=0)).label("done_files"),
                func.sum(case((done, size), else_=0)).label("done_size"),
            )
            .where(_condition(scope))
            .group_by(file.c.root_id)
        )
        with self._database.read() as connection:
            return {
                row.root_id: Tally(
                    files=row.files,
                    size=int(row.size),
                    done_files=int(row.done_files),
                    done_size=int(row.done_size),
                )
                for row in connection.execute(query)
            }

    def copies(
        self, scope: Scope, root_id: int, *, unread_since: datetime | None = None
    ) -> Iterator[list[Believed]]:
        """Yield the copies of a root in path order (the database's), some thousands at a time.

        With `unread_since` those that were read since then are left out.
        """
        file = tables.file
        after = ""
        while True:
            query = select(file).where(file.c.root_id == root_id, file.c.path > after, _condition(scope))
            if unread_since is not None:
                query = query.where(or_(file.c.checked_at.is_(None), file.c.checked_at < unread_since))
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(file.c.path).limit(LOT)).all()
            if not rows:
                return
            yield [_believed(row) for row in rows]
            after = rows[-1].path

    def folders(self, scope: Scope, root_id: int) -> Iterator[Lying]:
        """Yield the same by folder, as far as a look at the folder can tell.

        A folder comes once; one of very many files comes in pieces. Each lot is a look of its own.
        """
        held: dict[str, Lying] = {}
        for lot in self._lots(scope, root_id):
            for path, size, damage in lot:
                folder, _, name = path.rpartition("/")
                if folder not in held:
                    held[folder] = Lying(folder)
                held[folder].sizes[name] = size
                if damage is not None:
                    held[folder].noted.append(path)
            # What the paths that follow may lie in: the last one's folder, and those above it.
            last = lot[-1][0]
            for folder in [*held]:
                above = not folder or last.startswith(f"{folder}/")
                if len(held[folder].sizes) >= _PIECE or not above:
                    yield held.pop(folder)
        yield from held.values()

    def _lots(self, scope: Scope, root_id: int) -> Iterator[Sequence[tuple[str, int | None, str | None]]]:
        file, after = tables.file, ""
        query = (
            select(file.c.path, file.c.size, file.c.damage)
            .where(file.c.root_id == root_id, _condition(scope))
            .order_by(file.c.path)
            .limit(LOT)
        )
        while True:
            with self._database.read() as connection:
                lot: Any = connection.execute(query.where(file.c.path > after)).all()
            if not lot:
                return
            yield lot
            after = lot[-1].path

    def at(self, root_id: int, paths: Collection[str]) -> list[Believed]:
        """Return the copies at some paths of a root, as far as they are anybody's concern."""
        file = tables.file
        found: list[Believed] = []
        with self._database.read() as connection:
            for some in bulk.chunks(paths):
                query = select(file).where(file.c.root_id == root_id, file.c.path.in_(some))
                rows = connection.execute(query.where(has_copy(), ~file.c.declined))
                found += [_believed(row) for row in rows]
        return found

    def damaged(self, scope: Scope, *, since: datetime) -> list[Believed]:
        """Return the copies that were read since then and found wrong, by root and path."""
        file = tables.file
        query = select(file).where(file.c.damage.is_not(None), file.c.checked_at >= since, _condition(scope))
        with self._database.read() as connection:
            return [_believed(row) for row in connection.execute(query.order_by(file.c.root_id, file.c.path))]

    def look_again(self, file_ids: Collection[int]) -> dict[int, Present]:
        """Return the copies as they are believed to be now; what is no copy any more is left out."""
        file, intent, relocation = tables.file, tables.intent, tables.relocation
        found: dict[int, Present] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(file_ids):
                query = (
                    select(
                        file,
                        intent.c.size.label("new_size"),
                        intent.c.sha256.label("new_sha256"),
                        relocation.c.path.label("new_path"),
                    )
                    .outerjoin(intent, intent.c.file_id == file.c.id)
                    .outerjoin(relocation, relocation.c.file_id == file.c.id)
                    .where(file.c.id.in_(ids), has_copy(), ~file.c.declined)
                )
                for row in connection.execute(query):
                    placing = None if row.new_sha256 is None else (row.new_size, row.new_sha256)
                    found[row.id] = Present(copy=_believed(row), placing=placing, moving_to=row.new_path)
        return found

    def note(self, read: Sequence[tuple[Believed, str | None]], *, now: datetime) -> None:
        """Keep that copies were read, and what was wrong with them; those replaced meanwhile stay unread."""
        if not read:
            return
        file = tables.file
        statement = (
            update(file).where(*_as_judged(bindparam)).values(checked_at=now, damage=bindparam("the_damage"))
        )
        with self._database.write() as connection:
            connection.execute(statement, [_bound(copy) | {"the_damage": damage} for copy, damage in read])
            news = [(copy, damage) for copy, damage in read if damage is not None and damage != copy.damage]
            _record_events(connection, "damaged", news, now)
            judged = [copy.file_id for copy, damage in read if damage != copy.damage]
            mark_pages_due_for_files(connection, judged)

    def condemn(self, damaged: Sequence[tuple[Believed, str]], *, now: datetime) -> list[int]:
        """Copies that are not what was verified are to be replaced; they stay readable until then.

        Returns the files concerned: what was replaced meanwhile, or cannot be fetched again, is left alone.
        """
        file = tables.file
        replaceable = file.c.state.in_([FileState.PRESENT.value, FileState.STALE.value])
        done: list[tuple[Believed, str]] = []
        with self._database.write() as connection:
            for copy, damage in damaged:
                statement = (
                    update(file)
                    .where(*_as_judged(lambda name, copy=copy: _bound(copy)[name]), replaceable)
                    .values(
                        state=FileState.STALE.value,
                        revision=None,
                        reason=damage,
                        damage=damage,
                        **tables.NEVER_TRIED,
                        changed_at=now,
                    )
                )
                if connection.execute(statement.returning(file.c.id)).first() is not None:
                    done.append((copy, damage))
            _record_events(connection, "condemned", done, now)
            mark_pages_due_for_files(connection, [copy.file_id for copy, _ in done])
        return [copy.file_id for copy, _ in done]

    def wanting(self, file_ids: Collection[int]) -> dict[int, list[str]]:
        """Return which profiles want which of these files."""
        want = tables.want
        found: dict[int, list[str]] = defaultdict(list)
        with self._database.read() as connection:
            for ids in bulk.chunks(file_ids):
                query = select(want.c.file_id, want.c.profile).where(want.c.file_id.in_(ids))
                for row in connection.execute(query.order_by(want.c.profile)):
                    found[row.file_id].append(row.profile)
        return dict(found)


def _believed(row: Row[Any]) -> Believed:
    return Believed(
        file_id=row.id,
        product_id=row.product_id,
        root_id=row.root_id,
        path=row.path,
        state=FileState(row.state),
        size=row.size,
        sha256=row.sha256,
        modified_ns=row.modified_ns,
        damage=row.damage,
        checked_at=row.checked_at,
    )


def _condition(scope: Scope) -> ColumnElement[bool]:
    """Copies that the scope means; those of dropped files are nobody's concern."""
    return and_(has_copy(), ~tables.file.c.declined, *chosen(scope))


def chosen(scope: Scope) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions for the files that a scope means, whatever their states."""
    file, want, product = tables.file, tables.want, tables.product
    if scope.profiles:
        yield exists().where(want.c.profile.in_(list(scope.profiles)), want.c.file_id == file.c.id)
    if scope.proposals:
        wanted = [
            and_(product.c.proposal == proposal, product.c.obsnum.in_(list(obsnums)))
            if obsnums
            else product.c.proposal == proposal
            for proposal, obsnums in scope.proposals.items()
        ]
        yield exists().where(product.c.id == file.c.product_id, or_(*wanted))


def _bound(copy: Believed) -> dict[str, Any]:
    return {
        "the_file": copy.file_id,
        "the_size": copy.size,
        "the_sha256": copy.sha256 or "",
        "the_time": copy.modified_ns,
    }


def _as_judged(value: Any) -> list[ColumnElement[bool]]:
    """The row still has the copy that was looked at."""
    file = tables.file
    return [
        file.c.id == value("the_file"),
        # An IN cannot be sent once for many rows.
        or_(*(file.c.state == state for state in tables.HAS_COPY)),
        ~file.c.declined,
        file.c.size.is_not_distinct_from(value("the_size")),
        func.coalesce(file.c.sha256, "") == value("the_sha256"),
        file.c.modified_ns.is_not_distinct_from(value("the_time")),
    ]


def _record_events(
    connection: Connection, kind: str, found: Sequence[tuple[Believed, str]], now: datetime
) -> None:
    happened = [
        events.Event(product_id=copy.product_id, file_id=copy.file_id, kind=kind, detail=problem)
        for copy, problem in found
    ]
    events.record(connection, happened, now=now)
