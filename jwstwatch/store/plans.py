"""The plan: which file a profile wants at which path, in which state, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, literal, or_, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED, TOKEN_REJECTED, Known
from jwstwatch.store import arrivals, bulk, events, folders, tables
from jwstwatch.store.conditions import in_root, in_state
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A row of the file table as planning needs it."""

    id: int
    product_id: int
    path: str
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A sound file that was found without a record; `revision` None where the archive has another content."""

    size: int
    sha256: str
    modified_ns: int
    revision: int | None
    note: str | None = None
    detail: str | None = None
    """What its history tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What one path is to be: `known` is the row it has already."""

    product_id: int
    path: str
    known: KnownFile | None
    state: FileState
    reason: str | None
    priority: int
    adopted: Adopted | None = None


class Plans:
    """Planning's side of the file and want tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(
        self, profile: str, root_id: int, *, product_ids: Collection[int], paths: Collection[str]
    ) -> tuple[dict[int, KnownFile], dict[str, KnownFile]]:
        """Return what the state knows: by product (the path decided for this profile) and by path."""
        file, want = tables.file, tables.want
        by_product: dict[int, KnownFile] = {}
        by_path: dict[str, KnownFile] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(product_ids):
                query = (
                    select(file)
                    .join(want, want.c.file_id == file.c.id)
                    .where(want.c.profile == profile, file.c.root_id == root_id, want.c.product_id.in_(ids))
                )
                by_product.update({row.product_id: known_file(row) for row in connection.execute(query)})
            for some in bulk.chunks(paths):
                query = select(file).where(file.c.root_id == root_id, file.c.path.in_(some))
                by_path.update({row.path: known_file(row) for row in connection.execute(query)})
        return by_product, by_path

    def record(
        self,
        profile: str,
        root_id: int,
        rows: Sequence[PlanRow],
        *,
        skipped: Collection[int],
        run_id: int,
        now: datetime,
    ) -> None:
        """Keep the plan of one batch; `skipped` are products that the rules leave out (no longer want).

        What another run did to a path since it was looked at stands: a row that it made is joined (left
        alone where it is another product's), a state that it changed is kept.
        """
        with self._database.write() as connection:
            ids = {row.path: row.known.id for row in rows if row.known is not None}
            new = [row for row in rows if row.known is None]
            taken = _taken_meanwhile(connection, root_id, new)
            rows = [row for row in rows if row.path not in taken or taken[row.path][1] == row.product_id]
            new = [row for row in new if row.path not in taken]
            ids.update({path: file_id for path, (file_id, _) in taken.items()})
            ids.update(_insert_files(connection, root_id, new, now))
            changed = [
                row
                for row in rows
                if row.known is not None and _differs(row) and _update_file(connection, row, now)
            ]
            growth = {ids[row.path]: _growth(row) for row in (*new, *changed)}
            arrivals.record_growth(connection, growth, now=now)
            happened = [_event(ids[row.path], row, run_id) for row in (*new, *changed)]
            events.record(connection, [event for event in happened if event is not None], now=now)
            joined = _want(connection, profile, [(ids[row.path], row.product_id) for row in rows])
            unwatched = [row.path for row in rows if ids[row.path] in joined]
            folders.compare_again(connection, profile, root_id, unwatched, now=now)
            _unwant(connection, profile, [row.product_id for row in rows], outside=root_id)
            _unwant(connection, profile, skipped)
            mark_pages_due_for_files(connection, joined.union(ids[row.path] for row in (*new, *changed)))

    def unwanted_copies(self, root_id: int, product_ids: Collection[int]) -> dict[int, KnownFile]:
        """Return a copy in the root that no profile wants, by product; of several the newest revision's."""
        file, want = tables.file, tables.want
        found: dict[int, KnownFile] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(product_ids):
                query = (
                    select(file)
                    .where(
                        in_root(root_id),
                        file.c.product_id.in_(ids),
                        in_state(tables.HAS_COPY),
                        ~file.c.declined,
                        ~exists().where(want.c.file_id == file.c.id),
                    )
                    .order_by(func.coalesce(file.c.revision, 0), file.c.id.desc())
                )
                found.update({row.product_id: known_file(row) for row in connection.execute(query)})
        return found

    def standing(self, root_id: int, paths: Collection[str]) -> dict[str, tuple[KnownFile, str]]:
        """Return the rows that the state has at these paths, each with its product's URI."""
        file, product = tables.file, tables.product
        found: dict[str, tuple[KnownFile, str]] = {}
        with self._database.read() as connection:
            for some in bulk.chunks(paths):
                query = (
                    select(file, product.c.uri)
                    .join(product, product.c.id == file.c.product_id)
                    .where(file.c.root_id == root_id, file.c.path.in_(some))
                )
                found.update({row.path: (known_file(row), row.uri) for row in connection.execute(query)})
        return found

    def adopt(self, root_id: int, rows: Sequence[PlanRow], *, now: datetime) -> set[str]:
        """Keep files that were found, whoever may want them; returns the paths that are recorded.

        A path that somebody else took or changed since it was looked at stays as it is.
        """
        with self._database.write() as connection:
            new = [row for row in rows if row.known is None]
            taken = _taken_meanwhile(connection, root_id, new)
            new = [row for row in new if row.path not in taken]
            ids = _insert_files(connection, root_id, new, now)
            for row in rows:
                if row.known is not None and _update_file(connection, row, now):
                    ids[row.path] = row.known.id
            growth = {ids[row.path]: _growth(row) for row in rows if row.path in ids}
            arrivals.record_growth(connection, growth, now=now)
            happened = [_event(ids[row.path], row, None) for row in rows if row.path in ids]
            events.record(connection, [event for event in happened if event is not None], now=now)
            mark_pages_due_for_files(connection, ids.values())
        return set(ids)

    def ask_withheld_again(self, profile: str, *, now: datetime, token_since: datetime) -> int:
        """A token is there: what was withheld for want of one is wanted now; returns how many.

        So is what was not for another token than the one that was first seen at `token_since`.
        """
        file, want = tables.file, tables.want
        with self._database.write() as connection:
            freed = connection.execute(
                update(file)
                .where(
                    # Begins at what is withheld, not at all that the profile wants.
                    exists().where(want.c.profile == profile, want.c.file_id == file.c.id),
                    file.c.state == FileState.WITHHELD.value,
                    or_(
                        file.c.reason.in_((NO_TOKEN, TOKEN_REJECTED)),
                        and_(file.c.reason == NOT_AUTHORISED, file.c.changed_at < token_since),
                    ),
                    ~file.c.declined,
                )
                .values(
                    state=FileState.WANTED.value,
                    reason="a token is there",
                    next_attempt_at=None,
                    changed_at=now,
                )
                .returning(file.c.id)
            ).scalars()
            ids = list(freed)
            mark_pages_due_for_files(connection, ids)
        return len(ids)

    def fetch_again(self, profile: str, *, now: datetime) -> None:
        """Somebody asked for new copies: what is present counts as stale until its successor is verified."""
        file, want = tables.file, tables.want
        mine = select(want.c.file_id).where(want.c.profile == profile)
        with self._database.write() as connection:
            outdated = connection.execute(
                update(file)
                .where(file.c.id.in_(mine), file.c.state == FileState.PRESENT.value, ~file.c.declined)
                .values(state=FileState.STALE.value, reason="asked for again (clobber)", changed_at=now)
                .returning(file.c.id)
            ).scalars()
            mark_pages_due_for_files(connection, list(outdated))


def known_file(row: Row[Any]) -> KnownFile:
    """Return what planning needs of a row of the file table."""
    return KnownFile(
        id=row.id,
        product_id=row.product_id,
        path=row.path,
        known=Known(
            state=FileState(row.state),
            revision=row.revision,
            size=row.size,
            reason=row.reason,
            next_attempt_at=row.next_attempt_at,
            declined=row.declined,
        ),
    )


def _differs(row: PlanRow) -> bool:
    assert row.known is not None
    known = row.known.known
    return row.adopted is not None or (known.state, known.reason) != (row.state, row.reason)


def _adopted_values(adopted: Adopted | None) -> dict[str, Any]:
    if adopted is None:
        return {}
    return {
        "size": adopted.size,
        "sha256": adopted.sha256,
        "modified_ns": adopted.modified_ns,
        "revision": adopted.revision,
        "note": adopted.note,
        "thumbnail": None,
        "checked_at": None,
        "damage": None,
    }


def _taken_meanwhile(
    connection: Connection, root_id: int, rows: Sequence[PlanRow]
) -> dict[str, tuple[int, int]]:
    """Return (file, product) of each path that was free when it was looked at and is no longer."""
    file = tables.file
    taken: dict[str, tuple[int, int]] = {}
    for paths in bulk.chunks(row.path for row in rows):
        query = select(file.c.path, file.c.id, file.c.product_id)
        query = query.where(file.c.root_id == root_id, file.c.path.in_(paths))
        taken.update({row.path: (row.id, row.product_id) for row in connection.execute(query)})
    return taken


def _insert_files(
    connection: Connection, root_id: int, rows: Sequence[PlanRow], now: datetime
) -> dict[str, int]:
    if not rows:
        return {}
    values = [
        {
            "root_id": root_id,
            "path": row.path,
            "product_id": row.product_id,
            "state": row.state.value,
            "reason": row.reason,
            "priority": row.priority,
            "changed_at": now,
        }
        | dict(tables.NO_COPY)
        | _adopted_values(row.adopted)
        for row in rows
    ]
    inserted = connection.execute(
        tables.file.insert().returning(tables.file.c.path, tables.file.c.id), values
    )
    return {row.path: row.id for row in inserted}


def _update_file(connection: Connection, row: PlanRow, now: datetime) -> bool:
    """Return whether the row still was as it was looked at, and is changed now."""
    assert row.known is not None
    file, before = tables.file, row.known.known.state
    values: dict[str, Any] = {"state": row.state.value, "reason": row.reason, "priority": row.priority}
    if row.state is not before:
        # Another cause: what was tried for the former one does not count against it.
        values |= {"changed_at": now, **tables.NEVER_TRIED}
    if row.state.value not in tables.HAS_COPY:
        values |= tables.NO_COPY
    values |= _adopted_values(row.adopted)
    statement = update(file).where(file.c.id == row.known.id, file.c.state == before.value).values(values)
    return bool(connection.execute(statement.returning(file.c.id)).all())


def _growth(row: PlanRow) -> int:
    """Return by how many bytes more lie on disk than the state knew of."""
    known = row.known.known if row.known is not None else None
    before = known.size or 0 if known is not None and known.state.value in tables.HAS_COPY else 0
    if row.adopted is not None:
        return row.adopted.size - before
    return 0 if row.state.value in tables.HAS_COPY else -before


def _event(file_id: int, row: PlanRow, run_id: int | None) -> events.Event | None:
    if row.known is not None and row.known.known.state is row.state and row.adopted is None:
        return None
    kind, detail = row.state.value, row.reason
    if row.adopted is not None:
        kind, detail = "adopted", row.adopted.detail or row.reason
    return events.Event(product_id=row.product_id, file_id=file_id, run_id=run_id, kind=kind, detail=detail)


def _unwant(
    connection: Connection, profile: str, product_ids: Collection[int], *, outside: int | None = None
) -> None:
    """The profile wants these no longer (`outside`: but in this root): copies stay, and are flagged.

    The flag is for those that no other profile wants.
    """
    file, want = tables.file, tables.want
    for ids in bulk.chunks(product_ids):
        dropped = delete(want).where(want.c.profile == profile, want.c.product_id.in_(ids))
        if outside is not None:
            dropped = dropped.where(exists().where(file.c.id == want.c.file_id, file.c.root_id != outside))
        orphans = list(connection.execute(dropped.returning(want.c.file_id)).scalars())
        for some in bulk.chunks(orphans):
            connection.execute(
                update(file)
                .where(file.c.id.in_(some), ~exists().where(want.c.file_id == file.c.id))
                .values(unselected=True)
            )
            mark_pages_due_for_files(connection, some)


def _want(connection: Connection, profile: str, wanted: Iterable[tuple[int, int]]) -> set[int]:
    """Return the files that the profile did not want so far: their pages are made as it wishes, too."""
    of_file = dict(wanted)
    file, want = tables.file, tables.want
    joined = set(of_file)
    for ids in bulk.chunks(of_file):
        known = select(want.c.file_id).where(want.c.profile == profile, want.c.file_id.in_(ids))
        joined.difference_update(connection.execute(known).scalars())
    # Few statements for many rows: PostgreSQL counts after each of them, SQLite is twice as fast.
    for ids in bulk.chunks(sorted(joined)):
        here = select(literal(profile), file.c.id, file.c.product_id).where(file.c.id.in_(ids))
        connection.execute(insert(want).from_select(["profile", "file_id", "product_id"], here))
    for ids in bulk.chunks(of_file):
        connection.execute(update(file).where(file.c.id.in_(ids), file.c.unselected).values(unselected=False))
    return joined
