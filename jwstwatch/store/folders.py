"""What should lie in each folder, and how the folders were when that was compared with the disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, exists, func, not_, or_, select, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.roots import has_copy, has_no_copy

LOT = 20_000
"""Copies that are read, and held in memory, at a time."""

_PIECE = 5 * LOT
"""Copies of one folder from which on it comes in pieces."""

_AT_ONCE = 50
"""Folders that one statement asks SQLite for."""

_AT_ONCE_ON_SERVER = 5000
"""The same for PostgreSQL, which walks through the files of the root for each statement."""

_LOOKING = "/"
"""Stands in for a folder while all are compared: if it went, so did the marks, and what is found is old."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Sizes = dict[str, int | None]
"""Names of one folder with the bytes of their copies."""


class Folders:
    """The copies of a profile by the folders they lie in, and the folder table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def expected(self, root_id: int, profile: str) -> Iterator[tuple[str, Sizes]]:
        """Yield every folder below a root with the copies of a profile in it, as far as they are watched.

        A folder comes once; one of very many files, or in the midst of whose paths the database sorts
        others, comes in pieces. Each lot is a transaction of its own: a long one would hold up the database.
        """
        held: dict[str, Sizes] = defaultdict(dict)
        last = ""
        for lot in self._lots(root_id, profile):
            for path, size in lot:
                folder, _, name = path.rpartition("/")
                held[folder][name] = size
            last = lot[-1][0]
            # What the paths that follow may lie in: the last one's folder, and those above it.
            for folder in [*held]:
                if len(held[folder]) >= _PIECE or not _is_above(folder, last):
                    yield folder, held.pop(folder)
        yield from held.items()

    def _lots(self, root_id: int, profile: str) -> Iterator[list[tuple[str, int | None]]]:
        file, after = tables.file, ""
        query = select(file.c.path, file.c.size).where(_copies_of(profile), file.c.root_id == root_id)
        while True:
            with self._database.read() as connection:
                lot: Any = connection.execute(
                    query.where(file.c.path > after).order_by(file.c.path).limit(LOT)
                ).all()
            if not lot:
                return
            yield lot
            after = lot[-1].path

    def expected_in(
        self, root_id: int, profile: str, folders: Collection[str]
    ) -> Iterator[tuple[str, Sizes]]:
        """Yield the same for some folders, also for those in which nothing is expected."""
        file = tables.file
        on_server = not self._database.is_sqlite
        for some in bulk.chunks(sorted(folders), _AT_ONCE_ON_SERVER if on_server else _AT_ONCE):
            found: dict[str, Sizes] = {folder: {} for folder in some}
            with self._database.read() as connection:
                each = (_directly_in(root_id, folder) for folder in some)
                inside = _in_any_of(root_id, some) if on_server else or_(*each)
                query = select(file.c.path, file.c.size).where(inside, _copies_of(profile))
                for path, size in connection.execute(query):
                    folder, _, name = path.rpartition("/")
                    if folder in found:
                        found[folder][name] = size
            yield from found.items()

    def count(self, root_id: int, profile: str) -> int:
        """Return how many copies of a profile are watched below a root."""
        query = select(func.count()).select_from(tables.file)
        with self._database.read() as connection:
            return connection.execute(
                query.where(_copies_of(profile), tables.file.c.root_id == root_id)
            ).scalar_one()

    def awaiting(self, root_id: int, profile: str) -> set[str]:
        """Return the folders below a root in which a profile wants files of which there is no copy."""
        file = tables.file
        query = select(file.c.path).where(in_root(root_id), has_no_copy(), _wanted_by(profile))
        with self._database.read() as connection:
            return {path.rpartition("/")[0] for path in connection.execute(query).scalars()}

    def marks(self, root_id: int, profile: str) -> dict[str, str | None]:
        """Return the folders in which a profile wants files, as they were when their files were compared.

        None of them is known until all were compared once; one that is not marked is to be compared.
        """
        folder = tables.folder
        query = select(folder.c.path, folder.c.mark).where(
            folder.c.profile == profile, folder.c.root_id == root_id
        )
        with self._database.read() as connection:
            return {row.path: row.mark for row in connection.execute(query)}

    def compared_since(self, root_id: int, profile: str) -> datetime | None:
        """Return since when every folder was compared at least once, None where they never were."""
        folder = tables.folder
        query = select(func.min(folder.c.looked_at)).where(
            folder.c.profile == profile, folder.c.root_id == root_id
        )
        with self._database.read() as connection:
            since: datetime | None = connection.execute(query).scalar_one()
        return since

    def begin(self, root_id: int, profile: str) -> None:
        """All folders are compared from now on; until that is remembered none of their marks is relied on."""
        row = {"profile": profile, "root_id": root_id, "path": _LOOKING, "mark": None, "looked_at": _NEVER}
        with self._database.write() as connection:
            bulk.upsert(connection, tables.folder, [row])

    def remember(
        self,
        root_id: int,
        profile: str,
        marks: Mapping[str, str | None],
        *,
        every: bool,
        now: datetime,
    ) -> None:
        """Keep the marks of folders that were compared; `every` says that these are all there are, as begun.

        To be called once what was found is recorded: what a mark covers is not compared again. Where the
        marks were forgotten since, none is kept: they do not know of files that moved, or are watched again.
        """
        folder = tables.folder
        mine = and_(folder.c.profile == profile, folder.c.root_id == root_id)
        with self._database.write() as connection:
            if not every:
                _mark_known(connection, mine, marks, now)
                return
            begun = connection.execute(select(folder.c.path).where(mine, folder.c.path == _LOOKING)).first()
            connection.execute(delete(folder).where(mine))
            if begun is not None:
                key = {"profile": profile, "root_id": root_id, "looked_at": now}
                rows = [key | {"path": path, "mark": mark} for path, mark in marks.items()]
                bulk.upsert(connection, folder, rows)


def _mark_known(
    connection: Connection, mine: ColumnElement[bool], marks: Mapping[str, str | None], now: datetime
) -> None:
    folder = tables.folder
    if marks:
        connection.execute(
            update(folder)
            .where(mine, folder.c.path == bindparam("the_path"))
            .values(mark=bindparam("the_mark"), looked_at=now),
            [{"the_path": path, "the_mark": mark} for path, mark in marks.items()],
        )


def compare_again(
    connection: Connection, profile: str, root_id: int, paths: Iterable[str], *, now: datetime
) -> None:
    """A profile wants files at these paths since now: their folders' marks do not cover them.

    Where its folders were never compared nothing is kept: then all of them will be.
    """
    folders = {path.rpartition("/")[0] for path in paths}
    folder = tables.folder
    known = select(folder.c.path).where(folder.c.profile == profile, folder.c.root_id == root_id).limit(1)
    if not folders or connection.execute(known).first() is None:
        return
    key = {"profile": profile, "root_id": root_id, "mark": None, "looked_at": now}
    bulk.upsert(connection, folder, [key | {"path": path} for path in sorted(folders)])


def forget_marks_of_files(connection: Connection, file_ids: Collection[int]) -> None:
    """Files lie elsewhere in their roots, or are watched again: every folder there is compared next."""
    folder, file = tables.folder, tables.file
    for ids in bulk.chunks(file_ids):
        roots = select(file.c.root_id).where(file.c.id.in_(ids))
        connection.execute(delete(folder).where(folder.c.root_id.in_(roots)))


def _is_above(folder: str, path: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _copies_of(profile: str) -> ColumnElement[bool]:
    return and_(has_copy(), ~tables.file.c.declined, _wanted_by(profile))


def _wanted_by(profile: str) -> ColumnElement[bool]:
    file, want = tables.file, tables.want
    # With a column that the index has, the table itself need not be read.
    mine = select(want.c.file_id).where(want.c.profile == profile, want.c.file_id == file.c.id)
    return exists(mine.correlate(file))


def _directly_in(root_id: int, folder: str) -> ColumnElement[bool]:
    """Return the condition that a file lies in a folder, and in none below it; for SQLite's order."""
    path, file = tables.file.c.path, tables.file
    prefix = f"{folder}/" if folder else ""
    deeper = func.substr(path, len(prefix) + 1).like("%/%")
    # "0" is what follows "/": so the index finds them.
    inside = and_(path > prefix, path < f"{folder}0") if folder else path > ""
    return and_(file.c.root_id == root_id, inside, not_(deeper))


def _in_any_of(root_id: int, folders: Collection[str]) -> ColumnElement[bool]:
    """The same for many folders: in a database's own order what begins alike need not stand together."""
    path, file = tables.file.c.path, tables.file
    name = func.strpos(func.reverse(path), "/")
    inside = func.left(path, case((name > 0, func.length(path) - name), else_=0))
    return and_(file.c.root_id == root_id, inside.in_(folders))
