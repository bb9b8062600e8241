"""The inventory: what the state knows of files, as far as it is asked for, some thousands at a time."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.filetypes import matching_filetype
from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database

LOT = 2000
"""Files that are read, and held in memory, at a time."""
FEW = 50_000
"""Up to so many files are sorted by path; of more a walk along the paths is faster, and tells at once."""

_ARRIVALS = ("fetched", "settled")


class FileReport(NamedTuple):
    """One file of the inventory, below the folder `root`; size in bytes.

    A tuple in the order of `_query`: of a million, a dataclass takes four times as long to make.
    """

    root: str
    relative: str
    name: str
    uri: str
    proposal: int | None
    obsnum: int | None
    filetype: str
    state_value: str
    reason: str | None
    size: int | None
    """Of the copy, or else as listed."""
    sha256: str | None
    revision: int | None
    declined: bool
    """Dropped on purpose."""
    superseded: bool
    """A newer association or pool took its place."""
    changed_at: datetime
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    note: str | None
    damage: str | None
    """What `verify` found wrong with the copy."""
    checked_at: datetime | None
    """When `verify --deep` read it last."""
    product_id: int
    file_id: int
    profiles: tuple[str, ...] = ()
    keeping: tuple[str, ...] = ()
    """Those of the profiles that keep the older revision which is there."""

    @property
    def state(self) -> FileState:
        """How the file stands."""
        return FileState(self.state_value)

    @property
    def place(self) -> str:
        """The absolute path, as text."""
        return os.path.join(self.root, self.relative)  # noqa: PTH118 - of a million, text is cheaper

    @property
    def path(self) -> Path:
        """The absolute path."""
        return Path(self.root) / self.relative

    def facts(self) -> dict[str, str | int | float | bool | None]:
        """Return what the inventory tells of the file, by the names of the JSON contract, times apart."""
        return {
            "path": self.place,
            "name": self.name,
            "uri": self.uri,
            "proposal": self.proposal,
            "obsnum": self.obsnum,
            "filetype": self.filetype,
            "state": self.state_value,
            "reason": self.reason,
            "size": self.size,
            "sha256": self.sha256,
            "revision": self.revision,
            "declined": self.declined,
            "superseded": self.superseded,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuery:
    """Which files are asked for; an empty part does not narrow."""

    profile: str | None = None
    states: tuple[FileState, ...] = ()
    proposals: Mapping[int, Collection[int]] = field(default_factory=dict)
    """Proposal -> observation numbers, none meaning all."""
    filetypes: Sequence[str] = ()
    """As `core.filetypes.normalise_filetypes` returns them."""
    changed_since: datetime | None = None
    arrived_since: datetime | None = None
    """Fetched or replaced since then."""
    superseded: bool = True
    """Also associations and pools that newer ones took the place of."""

    @property
    def narrows(self) -> bool:
        """Whether an index may lead to what is asked for."""
        times = (self.changed_since, self.arrived_since)
        return bool(self.profile is not None or self.states or self.proposals or any(times))


def files(database: Database, asked: FileQuery) -> Iterator[FileReport]:
    """Yield the inventory by path, as far as `asked` lets it pass.

    Each lot is a look of its own at the state: whoever reads slowly holds up nobody, and what changes its
    place meanwhile may be told twice, or not at all.
    """
    few = _few(database, asked) if asked.narrows else None
    lots = _walk(database, asked) if few is None else _chosen(database, asked, few)
    for lot in lots:
        for report in lot:
            if not asked.filetypes or matching_filetype(report.name, asked.filetypes):
                yield report


def local(database: Database, uris: Sequence[str]) -> dict[str, list[FileReport]]:
    """Return the copies of these products, by URI."""
    found: dict[str, list[FileReport]] = defaultdict(list)
    with database.read() as connection:
        for some in bulk.chunks(uris):
            for report in reports(connection, tables.product.c.uri.in_(some)):
                found[report.uri].append(report)
    return found


def reports(connection: Connection, condition: ColumnElement[bool]) -> list[FileReport]:
    """Return the files for which a condition on file, product and root holds, by path."""
    file, root = tables.file, tables.root
    query = (
        _query()
        .add_columns(root.c.path)
        .join(root, root.c.id == file.c.root_id)
        .where(condition)
        .order_by(root.c.path, file.c.path)
    )
    return [FileReport(place, *row) for *row, place in connection.execute(query)]


def _few(database: Database, asked: FileQuery) -> list[int] | None:
    """Return the ids of what is asked for, by path; None where they are too many to be sorted."""
    file, root, product, want = tables.file, tables.root, tables.product, tables.want
    query = select(file.c.id).where(*_conditions(asked))
    if asked.profile is not None:
        query = query.join(want, want.c.file_id == file.c.id).where(want.c.profile == asked.profile)
    if asked.proposals:
        query = query.join(product, product.c.id == file.c.product_id)
    in_order = query.join(root, root.c.id == file.c.root_id).order_by(root.c.path, file.c.path)
    with database.read() as connection:
        ids = list(connection.execute(query.limit(FEW + 1)).scalars())
        if LOT < len(ids) <= FEW:
            ids = list(connection.execute(in_order).scalars())
    return ids if len(ids) <= FEW else None


def _chosen(database: Database, asked: FileQuery, ids: Sequence[int]) -> Iterator[list[FileReport]]:
    # What changed since they were chosen may not be what is asked for any more.
    still = list(_conditions(asked, walking=True))
    for some in bulk.chunks(ids, LOT):
        with database.read() as connection:
            found = reports(connection, and_(tables.file.c.id.in_(some), *still))
        yield found


def _walk(database: Database, asked: FileQuery) -> Iterator[list[FileReport]]:
    """Yield lots in the order of the index on root and path; no other index may lead elsewhere."""
    file, root = tables.file, tables.root
    with database.read() as connection:
        roots = connection.execute(select(root.c.id, root.c.path).order_by(root.c.path)).all()
    conditions = list(_conditions(asked, walking=True))
    for root_id, place in roots:
        after = ""
        while True:
            query = (
                _query()
                .where(file.c.root_id == root_id, file.c.path > after, *conditions)
                .order_by(file.c.path)
                .limit(LOT)
            )
            with database.read() as connection:
                rows = connection.execute(query).all()
            yield [FileReport(place, *row) for row in rows]
            if len(rows) < LOT:
                break
            after = rows[-1].path


def _conditions(asked: FileQuery, *, walking: bool = False) -> Iterator[ColumnElement[bool]]:
    """Yield what `asked` means; for a walk along the paths so that no index but theirs can be used.

    SQLite has no statistics: it takes any index whose column is compared, and what is added to it hides it.
    """
    file, want, event, product = tables.file, tables.want, tables.event, tables.product
    if asked.profile is not None and walking:
        yield exists().where(want.c.profile == asked.profile, want.c.file_id == file.c.id)
    state = file.c.state + "" if walking else file.c.state
    if asked.states:
        yield state.in_([each.value for each in asked.states])
    if asked.proposals:
        number = product.c.proposal + 0 if walking else product.c.proposal
        wanted = [
            and_(number == proposal, product.c.obsnum.in_(list(obsnums))) if obsnums else number == proposal
            for proposal, obsnums in asked.proposals.items()
        ]
        yield or_(*wanted)
    if not asked.superseded:
        yield ~file.c.superseded
    if asked.changed_since is not None:
        yield file.c.changed_at >= asked.changed_since
    if asked.arrived_since is not None:
        yield file.c.changed_at >= asked.arrived_since
        yield state.in_(tables.HAS_COPY)
        yield exists().where(
            event.c.product_id == file.c.product_id,
            event.c.at >= asked.arrived_since,
            event.c.file_id == file.c.id,
            event.c.kind.in_(_ARRIVALS),
        )


def _query() -> Any:
    file, product = tables.file, tables.product
    size = func.coalesce(file.c.size, product.c.size)
    return select(
        *(file.c.path, product.c.name, product.c.uri, product.c.proposal, product.c.obsnum),
        *(product.c.filetype, file.c.state, file.c.reason, size, file.c.sha256, file.c.revision),
        *(file.c.declined, file.c.superseded, file.c.changed_at, file.c.attempts, file.c.last_error),
        *(file.c.next_attempt_at, file.c.note, file.c.damage, file.c.checked_at),
        *(file.c.product_id, file.c.id),
    ).join(product, product.c.id == file.c.product_id)
