"""What people ask the state: counts per profile, the files of a run, everything about one name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, or_, select, union_all

from jwstwatch.core.model import FileState, ListingRow, Observation
from jwstwatch.core.products import Product
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import filelists, tables
from jwstwatch.store.choosing import begins
from jwstwatch.store.engine import Database
from jwstwatch.store.filelists import FileQuery as FileQuery
from jwstwatch.store.filelists import FileReport as FileReport
from jwstwatch.store.histories import Revision, revisions_of
from jwstwatch.store.listings import listing_row_of, observation_of, pairs_of, product_of
from jwstwatch.store.runs import Counts
from jwstwatch.store.tallies import tallies
from jwstwatch.store.transfers import is_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCounts:
    """How a profile's files stand; bytes present are on disk, bytes wanted as listed.

    `kept` are stale ones of which the profile keeps the older revision.
    """

    files: Mapping[FileState, int]
    kept: int = 0
    bytes_present: int = 0
    bytes_wanted: int = 0


@dataclass(frozen=True, slots=True)
class ShelfFile:
    """Where a product's file is, how it stands, and the last run that tried to fetch it."""

    path: Path
    state: FileState
    attempted_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Products, their observations, and their files by URI."""

    products: tuple[Product, ...]
    observations: tuple[Observation, ...]
    local: Mapping[str, ShelfFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """One line of a product's history."""

    at: datetime
    kind: str
    detail: str | None
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductReport:
    """Everything the state knows of one product."""

    uri: str
    name: str
    proposal: int | None
    obsnum: int | None
    size: int | None
    """Bytes, as listed."""
    revision: int
    facts: Mapping[str, object]
    first_seen_at: datetime
    changed_at: datetime
    rows: tuple[ListingRow, ...]
    files: tuple[FileReport, ...]
    events: tuple[EventReport, ...]
    revisions: tuple[Revision, ...] = ()
    superseded_by: str | None = None
    """The name of the newer association or pool."""
    missing_since: datetime | None = None
    """Since when no list of those that had it has it any more; None where one has."""


_FATES = {
    FileState.PRESENT: "unchanged",
    FileState.GONE: "unchanged",
    FileState.WITHHELD: "withheld",
    FileState.WANTED: "waiting",
    FileState.STALE: "waiting",
    FileState.FAILED: "failed",
}
"""What became of most files in such a state: how they stand is counted as it changes."""


class Reports:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self) -> dict[str, ProfileCounts]:
        """Return the counts of every profile that selected something.

        `gone` are what was withdrawn: what a newer association or pool took the place of is no loss.
        """
        states: dict[str, dict[FileState, int]] = defaultdict(lambda: defaultdict(int))
        kept: dict[str, int] = defaultdict(int)
        present: dict[str, int] = defaultdict(int)
        wanted: dict[str, int] = defaultdict(int)
        with self._database.read() as connection:
            for tally in tallies(connection):
                expected = tally.state is FileState.GONE and tally.superseded
                if tally.declined or expected:
                    continue
                states[tally.profile][tally.state] += tally.files
                if tally.state.value in tables.HAS_COPY:
                    present[tally.profile] += tally.present
                if tally.kept:
                    kept[tally.profile] += tally.files
                elif tally.state in (FileState.WANTED, FileState.STALE, FileState.FAILED):
                    wanted[tally.profile] += tally.listed
        return {
            profile: ProfileCounts(
                files=dict(files),
                kept=kept[profile],
                bytes_present=present[profile],
                bytes_wanted=wanted[profile],
            )
            for profile, files in states.items()
        }

    def unselected(self, configured: Collection[str]) -> tuple[int, int]:
        """Return number and bytes of the copies that no `configured` profile wants: they may be pruned."""
        from jwstwatch.store.pruning import unselected

        with self._database.read() as connection:
            return unselected(connection, configured)

    def of_run(self, run_id: int, profile: str) -> Counts:
        """Return what became of the profile's files in a run: each is in exactly one of the five counts.

        One that is known to be absent failed in the runs that try it, and is unchanged in those between. So
        is one of which the profile keeps the older revision.
        """
        found: dict[str, Any] = defaultdict(int)
        with self._database.read() as connection:
            for tally in tallies(connection, profile):
                if not tally.declined:
                    found["unchanged" if tally.kept else _FATES[tally.state]] += tally.files
            for state, fate, files in connection.execute(_not_by_their_state(run_id, profile)):
                found[_FATES[FileState(state)]] -= files
                found[fate] += files
        return replace(Counts(), **found)

    def troubled(self, profile: str) -> list[FileReport]:
        """Return the files of a profile that did not arrive though they were tried, by path."""
        file, want = tables.file, tables.want
        failed, stale = (file.c.state == state.value for state in (FileState.FAILED, FileState.STALE))
        with self._database.read() as connection:
            return filelists.reports(
                connection,
                and_(
                    or_(failed, and_(stale, file.c.attempts > 0)),
                    ~file.c.declined,
                    exists().where(want.c.profile == profile, want.c.file_id == file.c.id),
                ),
            )

    def files(self, asked: FileQuery) -> Iterator[FileReport]:
        """Yield the inventory by path, as far as `asked` lets it pass; `filelists.files` says how."""
        return filelists.files(self._database, asked)

    def local(self, uris: Sequence[str]) -> dict[str, list[FileReport]]:
        """Return the copies of these products, by URI."""
        return filelists.local(self._database, uris)

    def shelf(self, profile: str) -> Shelf:
        """Return what a profile selects: products with every row, its observations, how the files stand."""
        file, product, root, want = tables.file, tables.product, tables.root, tables.want
        interest, observation = tables.interest, tables.observation
        query = (
            select(product, file.c.path, file.c.state, file.c.attempted_by, root.c.path.label("root"))
            .join(want, want.c.product_id == product.c.id)
            .join(file, file.c.id == want.c.file_id)
            .join(root, root.c.id == file.c.root_id)
            .where(want.c.profile == profile)
            .order_by(file.c.path)
        )
        found = (
            select(observation)
            .join(interest, interest.c.observation_id == observation.c.id)
            .where(interest.c.profile == profile)
            .order_by(observation.c.t_min.asc().nulls_last(), observation.c.obs_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            pairs = pairs_of(connection, [row.id for row in rows])
            observations = tuple(observation_of(row) for row in connection.execute(found))
        by_product = {row.id: row for row in rows}  # one may lie at several paths
        return Shelf(
            products=tuple(product_of(row, list(pairs[key].values())) for key, row in by_product.items()),
            observations=observations,
            local={
                row.uri: ShelfFile(Path(row.root) / row.path, FileState(row.state), row.attempted_by)
                for row in rows
            },
        )

    def product(self, name: str) -> list[ProductReport]:
        """Return what is known of every product with this file name (nearly always one)."""
        product = tables.product
        with self._database.read() as connection:
            rows = connection.execute(select(product).where(product.c.name == name)).all()
            revisions = revisions_of(connection, [row.id for row in rows])
            return [
                ProductReport(
                    uri=row.uri,
                    name=row.name,
                    proposal=row.proposal,
                    obsnum=row.obsnum,
                    size=row.size,
                    revision=row.revision,
                    facts=row.facts or {},
                    first_seen_at=row.first_seen_at,
                    changed_at=row.changed_at,
                    rows=_listing_rows(connection, row),
                    files=_copies(connection, row.id),
                    events=_events(connection, row.id),
                    revisions=revisions[row.id],
                    superseded_by=_superseded_by(connection, row.id),
                    missing_since=_missing_since(connection, row.id),
                )
                for row in rows
            ]

    def names_like(self, part: str, *, limit: int) -> list[str]:
        """Return known file names that begin with `part`, or else hold it: suggestions for a misspelt one."""
        name = tables.product.c.name
        query = select(name).order_by(name).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query.where(begins(connection, name, part))).scalars().all()
            if not found:
                holding = query.where(name.icontains(part, autoescape=True))
                found = connection.execute(holding).scalars().all()
        return list(found)


def _not_by_their_state(run_id: int, profile: str) -> Select[Any]:
    """Return state, fate and number of the files that their state alone says too little of.

    Those that this run put in place are looked at one by one, and what is stale or failed.
    """
    file, want, state = tables.file, tables.want, tables.file.c.state
    kind = func.coalesce(file.c.failure_kind, "")
    fate = case(
        (state == FileState.PRESENT.value, "downloaded"),
        (
            and_(file.c.attempted_by.is_distinct_from(run_id), kind == FailureKind.ABSENT.value),
            "unchanged",
        ),
        (state == FileState.FAILED.value, "failed"),
        (kind == FailureKind.UNAUTHORISED.value, "withheld"),
        (file.c.attempts > 0, "failed"),
        else_="waiting",
    ).label("fate")
    # Begins at these few files, not at what the profile wants.
    mine = exists().where(want.c.profile == profile, want.c.file_id == file.c.id, ~is_kept())
    query = select(state, fate).where(~file.c.declined, mine)
    arrived = query.where(
        # Nor at all that is present, which SQLite would take to be as few.
        func.coalesce(state, "") == FileState.PRESENT.value,
        file.c.attempted_by == run_id,
    )
    troubled = query.where(state.in_((FileState.STALE.value, FileState.FAILED.value)))
    each = union_all(arrived, troubled).subquery()
    return select(each.c.state, each.c.fate, func.count().label("files")).group_by(each.c.state, each.c.fate)


def _listing_rows(connection: Any, product: Any) -> tuple[ListingRow, ...]:
    table = tables.listing
    query = (
        select(table).where(table.c.product_id == product.id).order_by(table.c.parent_obsid, table.c.obsid)
    )
    return tuple(listing_row_of(product, pair) for pair in connection.execute(query))


def _copies(connection: Any, product_id: int) -> tuple[FileReport, ...]:
    want = tables.want
    wanted: dict[int, list[str]] = defaultdict(list)
    keeping: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(
        select(want.c.file_id, want.c.profile, is_kept().label("kept"))
        .join(tables.file, tables.file.c.id == want.c.file_id)
        .where(tables.file.c.product_id == product_id)
        .order_by(want.c.profile)
    ):
        wanted[row.file_id].append(row.profile)
        if row.kept:
            keeping[row.file_id].append(row.profile)
    found = filelists.reports(connection, tables.file.c.product_id == product_id)
    return tuple(
        file._replace(profiles=tuple(wanted[file.file_id]), keeping=tuple(keeping[file.file_id]))
        for file in found
    )


def _superseded_by(connection: Any, product_id: int) -> str | None:
    event = tables.event
    query = (
        select(event.c.kind, event.c.detail)
        .where(event.c.product_id == product_id, event.c.kind.in_(("superseded", "reinstated")))
        .order_by(event.c.id.desc())
        .limit(1)
    )
    last = connection.execute(query).first()
    return last.detail if last is not None and last.kind == "superseded" else None


def _missing_since(connection: Any, product_id: int) -> datetime | None:
    listing = tables.listing
    query = select(listing.c.missing_since).where(listing.c.product_id == product_id)
    moments = list(connection.execute(query).scalars())
    return max(moments) if moments and None not in moments else None


def _events(connection: Any, product_id: int) -> tuple[EventReport, ...]:
    event, file = tables.event, tables.file
    query = (
        select(event.c.at, event.c.kind, event.c.detail, file.c.path)
        .outerjoin(file, file.c.id == event.c.file_id)
        .where(event.c.product_id == product_id)
        .order_by(event.c.at, event.c.id)
    )
    return tuple(
        EventReport(at=row.at, kind=row.kind, detail=row.detail, path=row.path)
        for row in connection.execute(query)
    )
