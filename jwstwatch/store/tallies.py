"""Counts that are kept rather than counted: how many files each profile wants in which state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal_column, select, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.model import FileState
from jwstwatch.store import tables
from jwstwatch.store.roots import has_copy
from jwstwatch.store.transfers import is_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """So many files a profile wants in one state; `present` bytes on disk, `listed` bytes as listed.

    Of those that are `kept`, it keeps the older revision that is there.
    """

    profile: str
    state: FileState
    declined: bool
    superseded: bool
    kept: bool
    files: int
    present: int
    listed: int


def tallies(connection: Connection, profile: str | None = None) -> list[Tally]:
    """Return the kept counts, of one profile or of all; none is 0."""
    table = tables.tally
    query = select(table).where(table.c.files > 0).order_by(*table.primary_key)
    if profile is not None:
        query = query.where(table.c.profile == profile)
    return [_tally(row) for row in connection.execute(query)]


def counted(connection: Connection) -> list[Tally]:
    """Return what the counts should be: every wanted file is looked at."""
    return [_tally(row) for row in connection.execute(_counting().order_by("profile", "state"))]


def recount(connection: Connection) -> None:
    """Count anew what is kept, so that it is right whatever happened to it."""
    table, root = tables.tally, tables.root
    connection.execute(delete(table))
    connection.execute(insert(table).from_select([column.name for column in table.c], _counting()))
    connection.execute(update(root).values(copies=_copies()))


def discrepancies(connection: Connection) -> Iterator[str]:
    """Yield in words where the kept counts are not those that counting finds."""
    kept, found = _by_key(tallies(connection)), _by_key(counted(connection))
    wrong = {key[:2] for key in kept.keys() | found.keys() if kept.get(key) != found.get(key)}
    for profile, state in sorted(wrong):
        yield f"the counts kept of {profile}'s {state} files are not those of its files"
    root = tables.root
    query = select(root.c.path).where(root.c.copies != _copies()).order_by(root.c.path)
    for path in connection.execute(query).scalars():
        yield f"the number kept of the copies in {path} is not that of its files"


def _by_key(counts: Sequence[Tally]) -> dict[tuple[str, str, bool, bool, bool], tuple[int, int, int]]:
    return {
        (each.profile, each.state.value, each.declined, each.superseded, each.kept): (
            each.files,
            each.present,
            each.listed,
        )
        for each in counts
    }


def _counting() -> Select[Any]:
    file, want, product = tables.file, tables.want, tables.product
    key = (want.c.profile, file.c.state, file.c.declined, file.c.superseded, is_kept().label("kept"))
    return (
        select(
            *key,
            func.count().label("files"),
            _total(file.c.size).label("present"),
            _total(product.c.size).label("listed"),
        )
        .select_from(want)
        .join(file, file.c.id == want.c.file_id)
        .join(product, product.c.id == file.c.product_id)
        .group_by(*key)
    )


def _total(size: ColumnElement[int | None]) -> ColumnElement[Any]:
    """Return a sum of sizes, however odd: SQLite's own raises an error beyond 63 bits."""
    upper: ColumnElement[Any] = size.op(">>")(literal_column("20"))
    lower: ColumnElement[Any] = size.op("&")(literal_column("1048575"))
    return func.coalesce(func.sum(upper) * 2**20 + func.sum(lower), 0)


def _copies() -> Any:
    file = tables.file
    return (
        select(func.count())
        .select_from(file)
        .where(file.c.root_id == tables.root.c.id, has_copy())
        .scalar_subquery()
    )


def _tally(row: Row[Any]) -> Tally:
    return Tally(
        profile=row.profile,
        state=FileState(row.state),
        declined=bool(row.declined),
        superseded=bool(row.superseded),
        kept=bool(row.kept),
        files=int(row.files),
        present=int(row.present),
        listed=int(row.listed),
    )
