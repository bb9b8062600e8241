"""Files that go to another path within their root: the record before, and the record after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, select, true, update

from jwstwatch.core.model import FileState
from jwstwatch.core.relocation import Move
from jwstwatch.errors import BusyError
from jwstwatch.store import bulk, events, folders, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.roots import has_copy
from jwstwatch.store.runs import bury_dead

LOT = 2000
"""Files that are handed out at a time."""

DROPPED = "it was dropped on purpose, and its copy is not watched"
UNSETTLED = "a run was killed as it put a newer copy in place: the next run settles that first"
ANOTHER = "the state has another file at that path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A file of a root, what its path is made from, and which profiles want it; `stays` says why it must."""

    file_id: int
    product_id: int
    path: str
    name: str
    proposal: int | None
    obsnum: int | None
    size: int | None
    has_copy: bool
    profiles: tuple[str, ...]
    stays: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that the state has at a path, and whether a copy is there."""

    file_id: int
    product_id: int
    has_copy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """A file on its way from `path` to `to`; size (bytes), SHA-256 and mtime (ns) of its copy, if any.

    `kept` has the paths of the former copies that are kept, by revision.
    """

    file_id: int
    product_id: int
    path: str
    to: str
    has_copy: bool
    size: int | None = None
    sha256: str | None = None
    modified_ns: int | None = None
    kept: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of a relocation: `left` says why the file is where it was, None where it went.

    `kept` has the new paths of the kept copies that went with it.
    """

    left: str | None = None
    kept: Mapping[int, str] = field(default_factory=dict)


Carry = Callable[[Sequence[Relocation]], Mapping[int, Moved]]
"""Moves files on disk, durably; those that it does not return are to be settled later."""


class Relocations:
    """The relocation table, and the paths of files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def shelf(self, root_id: int, profiles: Collection[str]) -> Iterator[list[Shelved]]:
        """Yield the files of a root that one of the profiles wants, some thousands at a time."""
        file, product, want = tables.file, tables.product, tables.want
        names, after = list(profiles), 0
        while True:
            query = (
                select(file, product.c.name, product.c.proposal, product.c.obsnum, tables.intent.c.file_id)
                .join(product, product.c.id == file.c.product_id)
                .outerjoin(tables.intent, tables.intent.c.file_id == file.c.id)
                .where(
                    file.c.root_id == root_id,
                    file.c.id > after,
                    exists().where(want.c.file_id == file.c.id, want.c.profile.in_(names)),
                )
                .order_by(file.c.id)
                .limit(LOT)
            )
            with self._database.read() as connection:
                rows = connection.execute(query).all()
                wanted = _wanted_by(connection, [row.id for row in rows], names)
            if not rows:
                return
            yield [_shelved(row, wanted[row.id]) for row in rows]
            after = rows[-1].id

    def taken(self, root_id: int, paths: Collection[str]) -> dict[str, Standing]:
        """Return what the state has at each of these paths of a root."""
        file, found = tables.file, dict[str, Standing]()
        with self._database.read() as connection:
            for some in bulk.chunks(paths):
                query = select(file).where(file.c.root_id == root_id, file.c.path.in_(some))
                for row in connection.execute(query):
                    found[row.path] = Standing(row.id, row.product_id, has_copy=_has_copy(row))
        return found

    def elsewhere(self, profile: str, root_id: int | None) -> list[tuple[str, int]]:
        """Return the other roots (path, copies) where files lie that a profile wanted there."""
        file, want, root = tables.file, tables.want, tables.root
        query = (
            select(root.c.path, func.count())
            .join(file, file.c.root_id == root.c.id)
            .join(want, want.c.file_id == file.c.id)
            .where(want.c.profile == profile, file.c.state.in_(tables.HAS_COPY), ~file.c.declined)
            .group_by(root.c.path)
            .order_by(root.c.path)
        )
        if root_id is not None:
            query = query.where(root.c.id != root_id)
        with self._database.read() as connection:
            return [(path, count) for path, count in connection.execute(query)]

    def open(self, moves: Sequence[Move], *, now: datetime) -> None:
        """Make known, durably, which files are about to go where. `BusyError` while any run goes on."""
        rows = [{"file_id": move.file_id, "path": move.to, "created_at": now} for move in moves]
        with self._database.write() as connection:
            refuse_while_running(connection, now)
            bulk.upsert(connection, tables.relocation, rows)

    def left_open(self, root_id: int) -> list[int]:
        """Return the files of a root whose move a killed process left open."""
        file, relocation = tables.file, tables.relocation
        # No join: it would begin at all files.
        query = (
            select(relocation.c.file_id)
            .where(exists().where(file.c.id == relocation.c.file_id, file.c.root_id == root_id))
            .order_by(relocation.c.created_at, relocation.c.file_id)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def carry_out(
        self, file_ids: Sequence[int], carry: Carry, *, now: datetime, run_id: int | None = None
    ) -> dict[int, Moved]:
        """Move files whose relocations are open, in this order, and commit where they are.

        `carry` is called while nobody else can write the state, so that no run looks for a file where it was.
        A run (`run_id`) settles what was left open; anybody else gets a `BusyError` while any run goes on.
        """
        with self._database.write() as connection:
            if run_id is None:
                refuse_while_running(connection, now)
            opened = _opened(connection, file_ids)
            free, blocked = _free(connection, opened)
            done = dict(carry(free)) | dict.fromkeys(blocked, Moved(left=ANOTHER))
            moved = [each for each in free if each.file_id in done and done[each.file_id].left is None]
            _record(connection, moved, done, now=now, run_id=run_id)
            for ids in bulk.chunks(done):
                connection.execute(delete(tables.relocation).where(tables.relocation.c.file_id.in_(ids)))
        return done

    def join(self, files: Sequence[tuple[Shelved, str]], *, now: datetime) -> list[int]:
        """Let profiles want the copy of the same product at a path of the same root, instead of their own.

        The copy that nobody wants then stays, and is flagged. A copy is not given up for one that is yet to
        come. Returns the files concerned. `BusyError` while any run goes on.
        """
        with self._database.write() as connection:
            refuse_while_running(connection, now)
            return [file.file_id for file, path in files if _join(connection, file, path)]


def _join(connection: Connection, shelved: Shelved, path: str) -> bool:
    file, want = tables.file, tables.want
    root_id = select(file.c.root_id).where(file.c.id == shelved.file_id).scalar_subquery()
    query = select(file.c.id).where(
        file.c.root_id == root_id,
        file.c.path == path,
        file.c.product_id == shelved.product_id,
        file.c.id != shelved.file_id,
        ~file.c.declined,
        has_copy() if shelved.has_copy else true(),
    )
    other = connection.execute(query).scalar()
    if other is None:
        return False
    mine = and_(want.c.file_id == shelved.file_id, want.c.profile.in_(shelved.profiles))
    rows = [dict(row._mapping) | {"file_id": other} for row in connection.execute(select(want).where(mine))]
    bulk.upsert(connection, want, rows, update=())
    connection.execute(delete(want).where(mine))
    unwanted = ~exists().where(want.c.file_id == file.c.id)
    connection.execute(update(file).where(file.c.id == shelved.file_id, unwanted).values(unselected=True))
    connection.execute(update(file).where(file.c.id == other).values(unselected=False))
    folders.forget_marks_of_files(connection, [other])
    mark_pages_due_for_files(connection, [shelved.file_id, other])
    return True


def refuse_while_running(connection: Connection, now: datetime) -> None:
    """Raise `BusyError` while a run of any profile goes on: it may look for a file at its former path."""
    bury_dead(connection, now)
    run = tables.run
    query = select(run.c.profile, run.c.pid, run.c.host).where(run.c.outcome.is_(None)).order_by(run.c.id)
    row = connection.execute(query).first()
    if row is not None:
        raise BusyError(
            f"{row.profile}: a run goes on (process {row.pid} on {row.host})",
            hint="Wait for it to end (`jwstwatch status` shows it) or stop it; then give the command again.",
        )


def _wanted_by(
    connection: Connection, file_ids: Sequence[int], profiles: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    want, found = tables.want, defaultdict[int, list[str]](list)
    for ids in bulk.chunks(file_ids):
        query = select(want.c.file_id, want.c.profile).where(
            want.c.file_id.in_(ids), want.c.profile.in_(profiles)
        )
        for row in connection.execute(query.order_by(want.c.profile)):
            found[row.file_id].append(row.profile)
    return defaultdict(tuple, {key: tuple(names) for key, names in found.items()})


def _shelved(row: Any, profiles: tuple[str, ...]) -> Shelved:
    has_copy = _has_copy(row)
    stays = DROPPED if row.declined and has_copy else UNSETTLED if row.file_id is not None else None
    return Shelved(
        file_id=row.id,
        product_id=row.product_id,
        path=row.path,
        name=row.name,
        proposal=row.proposal,
        obsnum=row.obsnum,
        size=row.size,
        has_copy=has_copy,
        profiles=profiles,
        stays=stays,
    )


def _has_copy(row: Any) -> bool:
    return row.state in tables.HAS_COPY and (row.state != FileState.GONE.value or row.size is not None)


def _opened(connection: Connection, file_ids: Sequence[int]) -> list[Relocation]:
    file, relocation, replaced = tables.file, tables.relocation, tables.replaced
    found: dict[int, Relocation] = {}
    for ids in bulk.chunks(file_ids):
        kept: dict[int, dict[int, str]] = defaultdict(dict)
        query = select(replaced.c.file_id, replaced.c.revision, replaced.c.kept_as)
        for row in connection.execute(
            query.where(replaced.c.file_id.in_(ids), replaced.c.kept_as.is_not(None))
        ):
            kept[row.file_id][row.revision] = row.kept_as
        rows = select(file, relocation.c.path.label("to")).join(relocation, relocation.c.file_id == file.c.id)
        for row in connection.execute(rows.where(file.c.id.in_(ids))):
            found[row.id] = Relocation(
                file_id=row.id,
                product_id=row.product_id,
                path=row.path,
                to=row.to,
                has_copy=_has_copy(row),
                size=row.size,
                sha256=row.sha256,
                modified_ns=row.modified_ns,
                kept=kept[row.id],
            )
    return [found[key] for key in file_ids if key in found]


def _free(connection: Connection, opened: Sequence[Relocation]) -> tuple[list[Relocation], list[int]]:
    """Return the relocations whose path no other file of the state has, and the rest.

    One that waits for another of the same group to go is not for now: the next call has it.
    """
    file = tables.file
    free, blocked = [], []
    for each in opened:
        root_id = select(file.c.root_id).where(file.c.id == each.file_id).scalar_subquery()
        query = select(file.c.id).where(
            file.c.root_id == root_id, file.c.path == each.to, file.c.id != each.file_id
        )
        if connection.execute(query).first() is None:
            free.append(each)
        else:
            blocked.append(each.file_id)
    return free, blocked


def _record(
    connection: Connection,
    moved: Sequence[Relocation],
    done: Mapping[int, Moved],
    *,
    now: datetime,
    run_id: int | None,
) -> None:
    file, replaced = tables.file, tables.replaced
    if moved:
        statement = update(file).where(file.c.id == bindparam("the_file")).values(path=bindparam("the_path"))
        connection.execute(statement, [{"the_file": each.file_id, "the_path": each.to} for each in moved])
    for each in moved:
        for revision, kept_as in done[each.file_id].kept.items():
            statement = update(replaced).where(
                replaced.c.file_id == each.file_id, replaced.c.revision == revision
            )
            connection.execute(statement.values(kept_as=kept_as))
    happened = [
        events.Event(
            product_id=each.product_id,
            file_id=each.file_id,
            run_id=run_id,
            kind="moved",
            detail=f"from {each.path} to {each.to}",
        )
        for each in moved
    ]
    events.record(connection, happened, now=now)
    folders.forget_marks_of_files(connection, [each.file_id for each in moved])
    mark_pages_due_for_files(connection, [each.file_id for each in moved])
