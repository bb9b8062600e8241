"""Room: what a plan takes, what runs have reserved of a disk, and which files wait for some."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    Connection,
    ScalarSelect,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from jwstwatch.core import space
from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.liveness import ProcessMark, is_surely_dead, own_mark
from jwstwatch.store.pagemarks import mark_pages_due_where
from jwstwatch.store.tallies import tallies
from jwstwatch.store.transfers import due_files, from_place, is_kept, is_outdated

_WAITING_STATES = (FileState.WANTED.value, FileState.STALE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Which files are asked for: those that a run of the profile may fetch now (`force`: failed ones too)."""

    run_id: int
    profile: str
    now: datetime
    force: bool = False

    @property
    def condition(self) -> ColumnElement[bool]:
        """The same in SQL."""
        return due_files(self.run_id, self.profile, self.now, force=self.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Due files of one kind: `size` in bytes, as listed for `listed` of the `files`.

    `replaces`: an older revision is there, and known; such come after all others. `waits` is the whole reason
    of those that wait for room, None for others.
    """

    priority: int
    filetype: str
    calib_level: int | None
    replaces: bool
    waits: str | None
    files: int
    listed: int
    size: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A due file in the order of the plan; sizes in bytes, `copy_size` of what stands at its path.

    `place` is that order: priority, then number. `replaces` tells that an older revision is there, and known.
    """

    place: tuple[int, int]
    path: str
    name: str
    revision: int
    listed_size: int | None
    copy_size: int
    replaces: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What a run may write to a disk, in bytes, after the `others` that run there had their share."""

    size: int
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Files of a profile in an output folder that wait for room there, or for its quota or budget."""

    profile: str
    root: Path
    limit: space.Limit
    files: int
    size: int


class Reservations:
    """The reservation table, and the plan as far as room is concerned."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lots(self, due: Due) -> list[Lot]:
        """Return what is due, by kind."""
        file, product = tables.file, tables.product
        waits = case((waits_for_room(), file.c.reason))
        each = (
            select(
                file.c.priority,
                product.c.filetype,
                _level().label("calib_level"),
                is_outdated().label("replaces"),
                waits.label("waits"),
                product.c.size,
            )
            .join(product, product.c.id == file.c.product_id)
            .where(due.condition)
            .subquery()
        )
        kind = (each.c.priority, each.c.filetype, each.c.calib_level, each.c.replaces, each.c.waits)
        files, listed, size = func.count(), func.count(each.c.size), func.sum(each.c.size)
        query = select(*kind, files.label("files"), listed.label("listed"), size.label("size"))
        with self._database.read() as connection:
            return [
                Lot(
                    priority=row.priority,
                    filetype=row.filetype,
                    calib_level=row.calib_level,
                    replaces=bool(row.replaces),
                    waits=row.waits,
                    files=row.files,
                    listed=row.listed,
                    size=int(row.size or 0),
                )
                for row in connection.execute(query.group_by(*kind))
            ]

    def rank(self, due: Due, ranks: Iterable[tuple[Lot, int]]) -> None:
        """Give the due files of these kinds other priorities."""
        file, product = tables.file, tables.product
        with self._database.write() as connection:
            for lot, priority in ranks:
                of_type = exists().where(
                    product.c.id == file.c.product_id, product.c.filetype == lot.filetype
                )
                outdated = is_outdated()
                connection.execute(
                    update(file)
                    .where(
                        due.condition,
                        file.c.priority == lot.priority,
                        of_type,
                        outdated if lot.replaces else ~outdated,
                        _level().is_not_distinct_from(lot.calib_level),
                    )
                    .values(priority=priority)
                )

    def plan(self, due: Due) -> Iterator[Planned]:
        """Yield what is due, in the order of the plan."""
        file, product = tables.file, tables.product
        replaced = case((file.c.state == FileState.STALE.value, func.coalesce(file.c.size, 0)), else_=0)
        query = (
            select(
                file.c.priority,
                file.c.id,
                file.c.path,
                product.c.name,
                product.c.revision,
                product.c.size,
                replaced.label("replaced"),
                is_outdated().label("outdated"),
            )
            .join(product, product.c.id == file.c.product_id)
            .where(due.condition)
            .order_by(file.c.priority, file.c.id)
        )
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                place = (row.priority, row.id)
                yield Planned(
                    place, row.path, row.name, row.revision, row.size, row.replaced, bool(row.outdated)
                )

    def used(self, profile: str) -> int:
        """Return the bytes of the copies of files that the profile wants."""
        with self._database.read() as connection:
            return sum(
                tally.present
                for tally in tallies(connection, profile)
                if tally.state.value in tables.HAS_COPY and not tally.declined
            )

    # -- what runs have reserved

    def take(self, run_id: int, *, device: int, wanted: int, measure: Callable[[], int]) -> Room:
        """Reserve up to `wanted` bytes of what `measure` finds and nobody else has reserved on the device."""
        with self._database.write() as connection:
            ended = select(tables.run.c.id).where(tables.run.c.outcome.is_not(None))
            table = tables.reservation
            connection.execute(delete(table).where(table.c.run_id.in_(ended)))
            others = _reserved(connection, run_id, device)
            # After the look at the others: what they write meanwhile counts twice, never not at all.
            room = Room(measure() - others, others)
            row = {
                "run_id": run_id,
                "host": own_mark().host,
                "device": device,
                "bytes": min(max(room.size, 0), wanted),
            }
            bulk.upsert(connection, table, [row])
        return room

    def look(self, run_id: int, *, device: int, measure: Callable[[], int]) -> Room:
        """Return what `take` would find, and reserve nothing."""
        with self._database.read() as connection:
            others = _reserved(connection, run_id, device)
        return Room(measure() - others, others)

    def keep(self, run_id: int, size: int) -> None:
        """Reserve `size` bytes, and no more."""
        table = tables.reservation
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.run_id == run_id).values(bytes=size))

    def give_up(self, run_id: int) -> None:
        """Reserve nothing any more."""
        table = tables.reservation
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.run_id == run_id))

    # -- which files wait

    def mark(
        self, due: Due, *, waiting: Sequence[str], why: str | None, first: tuple[int, int] | None = None
    ) -> None:
        """Keep of the due files why they wait: those from the place `first` on (None: all), no others.

        `waiting` are the reasons of due files that wait already; with `why` None nothing waits any more.
        """
        file = tables.file
        waits = due.condition if first is None else and_(due.condition, from_place(first))
        with self._database.write() as connection:
            for reason in waiting:
                over = [due.condition, file.c.reason == reason]
                if why is not None and reason.endswith(why):
                    over.append(~waits)
                mark_pages_due_where(connection, and_(*over))
                connection.execute(update(file).where(*over).values(reason=space.no_longer_waiting(reason)))
            if why is None:
                return
            before = case((file.c.reason.is_(None), ""), else_=file.c.reason + space.BETWEEN)
            silent = or_(file.c.reason.is_(None), ~waits_for_room())
            begins = and_(waits, file.c.state.in_(_WAITING_STATES), silent)
            mark_pages_due_where(connection, begins)
            connection.execute(update(file).where(begins).values(reason=before + literal(why)))

    def waiting_by_root(self, profiles: Collection[str]) -> dict[Path, tuple[int, int]]:
        """Return the number and bytes of what waits for space in each output folder, shared files once."""
        file, want, product, root = tables.file, tables.want, tables.product, tables.root
        query = (
            select(root.c.path, file.c.reason, func.count(), func.sum(product.c.size))
            .select_from(file)
            .join(product, product.c.id == file.c.product_id)
            .join(root, root.c.id == file.c.root_id)
            .where(
                waits_for_room(),
                ~file.c.declined,
                exists().where(want.c.file_id == file.c.id, want.c.profile.in_(profiles), ~is_kept()),
            )
            .group_by(root.c.path, file.c.reason)
        )
        found: dict[Path, tuple[int, int]] = {}
        with self._database.read() as connection:
            for path, reason, files, size in connection.execute(query):
                if space.waiting_for(reason) is space.Limit.SPACE:
                    before = found.get(Path(path), (0, 0))
                    found[Path(path)] = (before[0] + files, before[1] + int(size or 0))
        return found

    def waiting(self) -> list[Waiting]:
        """Return what waits for room, by profile and output folder."""
        file, want, product, root = tables.file, tables.want, tables.product, tables.root
        query = (
            select(want.c.profile, root.c.path, file.c.reason, func.count(), func.sum(product.c.size))
            .select_from(file)
            .join(want, want.c.file_id == file.c.id)
            .join(product, product.c.id == file.c.product_id)
            .join(root, root.c.id == file.c.root_id)
            .where(waits_for_room(), ~file.c.declined, ~is_kept())
            .group_by(want.c.profile, root.c.path, file.c.reason)
            .order_by(want.c.profile, root.c.path)
        )
        found: dict[tuple[str, str, space.Limit], tuple[int, int]] = {}
        with self._database.read() as connection:
            for profile, path, reason, files, size in connection.execute(query):
                limit = space.waiting_for(reason)
                if limit is not None:
                    before = found.get((profile, path, limit), (0, 0))
                    found[profile, path, limit] = (before[0] + files, before[1] + int(size or 0))
        return [
            Waiting(profile=profile, root=Path(path), limit=limit, files=files, size=size)
            for (profile, path, limit), (files, size) in found.items()
        ]


def waits_for_room() -> ColumnElement[bool]:
    """Return the condition for files that wait for room, by the words of their reason."""
    file = tables.file
    told = [file.c.reason.contains(words, autoescape=True) for words in space.WORDS]
    return and_(file.c.state.in_(_WAITING_STATES), or_(*told))


def _level() -> ScalarSelect[int | None]:
    """Return the highest calibration level at which a file's product is listed."""
    listing = tables.listing
    return (
        select(func.max(listing.c.calib_level))
        .where(listing.c.product_id == tables.file.c.product_id)
        .correlate(tables.file)
        .scalar_subquery()
    )


def _reserved(connection: Connection, run_id: int, device: int) -> int:
    """Return what the other runs of this host that go on have still reserved on a device."""
    table, run = tables.reservation, tables.run
    query = (
        select(table.c.bytes, run.c.host, run.c.pid, run.c.process_start)
        .join(run, run.c.id == table.c.run_id)
        .where(
            run.c.outcome.is_(None),
            table.c.host == own_mark().host,
            table.c.device == device,
            table.c.run_id != run_id,
        )
    )
    return sum(
        row.bytes
        for row in connection.execute(query)
        if not is_surely_dead(ProcessMark(row.host, row.pid, row.process_start))
    )
