"""What people ask the state: counts per profile, the files of a run, everything about one name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, case, func, or_, select

from jwstwatch.core.filetypes import matching_filetype
from jwstwatch.core.model import FileState, ListingRow, Observation
from jwstwatch.core.products import Product
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.histories import Revision, revisions_of
from jwstwatch.store.listings import listing_row_of, observation_of, pairs_of, product_of
from jwstwatch.store.runs import Counts
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file of the inventory. `path` is absolute; size in bytes."""

    path: Path
    name: str
    uri: str
    proposal: int | None
    obsnum: int | None
    filetype: str
    state: FileState
    reason: str | None
    size: int | None
    sha256: str | None
    revision: int | None
    changed_at: datetime
    attempts: int = 0
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    note: str | None = None
    declined: bool = False
    """Dropped on purpose."""
    profiles: tuple[str, ...] = ()
    keeping: tuple[str, ...] = ()
    """Those of the profiles that keep the older revision which is there."""
    superseded: bool = False
    """A newer association or pool took its place."""
    damage: str | None = None
    """What `verify` found wrong with the copy."""
    checked_at: datetime | None = None
    """When `verify --deep` read it last."""
    product_id: int = 0
    file_id: int = 0

    def facts(self) -> dict[str, str | int | float | bool | None]:
        """Return what the inventory tells of the file, by the names of the JSON contract, times apart."""
        return {
            "path": str(self.path),
            "name": self.name,
            "uri": self.uri,
            "proposal": self.proposal,
            "obsnum": self.obsnum,
            "filetype": self.filetype,
            "state": self.state.value,
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


class Reports:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self) -> dict[str, ProfileCounts]:
        """Return the counts of every profile that selected something.

        `gone` are what was withdrawn: what a newer association or pool took the place of is no loss.
        """
        file, want, product = tables.file, tables.want, tables.product
        expected = and_(file.c.state == FileState.GONE.value, file.c.superseded)
        query = (
            select(
                want.c.profile,
                file.c.state,
                func.count().label("files"),
                func.sum(case((is_kept(), 1), else_=0)).label("kept"),
                func.sum(file.c.size).label("present"),
                func.sum(case((~is_kept(), product.c.size))).label("listed"),
            )
            .join(file, file.c.id == want.c.file_id)
            .join(product, product.c.id == file.c.product_id)
            .where(~file.c.declined, ~expected)
            .group_by(want.c.profile, file.c.state)
        )
        states: dict[str, dict[FileState, int]] = defaultdict(dict)
        kept: dict[str, int] = defaultdict(int)
        present: dict[str, int] = defaultdict(int)
        wanted: dict[str, int] = defaultdict(int)
        with self._database.read() as connection:
            for row in connection.execute(query):
                states[row.profile][FileState(row.state)] = row.files
                kept[row.profile] += int(row.kept)
                if row.state in tables.HAS_COPY:
                    present[row.profile] += int(row.present or 0)
                if row.state in (FileState.WANTED.value, FileState.STALE.value, FileState.FAILED.value):
                    wanted[row.profile] += int(row.listed or 0)
        return {
            profile: ProfileCounts(
                files=files,
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
        file, want = tables.file, tables.want
        tried = and_(file.c.attempted_by.is_not(None), file.c.attempted_by == run_id)
        state = file.c.state
        absent = func.coalesce(file.c.failure_kind, "") == FailureKind.ABSENT.value
        fate = case(
            (and_(tried, state == FileState.PRESENT.value), "downloaded"),
            (is_kept(), "unchanged"),
            (
                and_(~tried, absent, state.in_((FileState.FAILED.value, FileState.STALE.value))),
                "unchanged",
            ),
            (state == FileState.WITHHELD.value, "withheld"),
            (
                and_(
                    state == FileState.STALE.value,
                    file.c.failure_kind == FailureKind.UNAUTHORISED.value,
                ),
                "withheld",
            ),
            (state == FileState.FAILED.value, "failed"),
            (and_(state == FileState.STALE.value, file.c.attempts > 0), "failed"),
            (state.in_([FileState.WANTED.value, FileState.STALE.value]), "waiting"),
            else_="unchanged",
        ).label("fate")
        query = (
            select(fate, func.count().label("files"))
            .select_from(want.join(file, file.c.id == want.c.file_id))
            .where(want.c.profile == profile, ~file.c.declined)
            .group_by(fate)
        )
        with self._database.read() as connection:
            found = {row.fate: row.files for row in connection.execute(query)}
        return replace(Counts(), **found)

    def files(self, asked: FileQuery) -> Iterator[FileReport]:
        """Yield the inventory by path, as far as `asked` lets it pass."""
        with self._database.read() as connection:
            query = _narrowed(_file_query(), asked).execution_options(yield_per=1000)
            for row in connection.execute(query):
                if not asked.filetypes or matching_filetype(row.name, asked.filetypes):
                    yield _file_report(row, ())

    def local(self, uris: Sequence[str]) -> dict[str, list[FileReport]]:
        """Return the copies of these products, by URI."""
        found: dict[str, list[FileReport]] = defaultdict(list)
        with self._database.read() as connection:
            for start in range(0, len(uris), 500):
                query = _file_query().where(tables.product.c.uri.in_(uris[start : start + 500]))
                for row in connection.execute(query):
                    found[row.uri].append(_file_report(row, ()))
        return found

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
        """Return known file names that hold `part`, to suggest one where a name is misspelt."""
        product = tables.product
        query = (
            select(product.c.name)
            .where(product.c.name.icontains(part, autoescape=True))
            .order_by(product.c.name)
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())


def _narrowed(query: Any, asked: FileQuery) -> Any:
    file, want, event, product = tables.file, tables.want, tables.event, tables.product
    if asked.profile is not None:
        query = query.where(file.c.id.in_(select(want.c.file_id).where(want.c.profile == asked.profile)))
    if asked.states:
        query = query.where(file.c.state.in_([state.value for state in asked.states]))
    if asked.proposals:
        wanted = [
            and_(product.c.proposal == proposal, product.c.obsnum.in_(list(obsnums)))
            if obsnums
            else product.c.proposal == proposal
            for proposal, obsnums in asked.proposals.items()
        ]
        query = query.where(or_(*wanted))
    if not asked.superseded:
        query = query.where(~file.c.superseded)
    if asked.changed_since is not None:
        query = query.where(file.c.changed_at >= asked.changed_since)
    if asked.arrived_since is not None:
        arrived = select(event.c.file_id).where(
            event.c.at >= asked.arrived_since, event.c.kind.in_(("fetched", "settled"))
        )
        query = query.where(file.c.id.in_(arrived), file.c.state.in_(tables.HAS_COPY))
    return query


def _file_query() -> Any:
    file, product, root = tables.file, tables.product, tables.root
    return (
        select(
            file,
            product.c.name,
            product.c.uri,
            product.c.proposal,
            product.c.obsnum,
            product.c.filetype,
            product.c.size.label("listed"),
            root.c.path.label("root"),
        )
        .join(product, product.c.id == file.c.product_id)
        .join(root, root.c.id == file.c.root_id)
        .order_by(root.c.path, file.c.path)
    )


def _file_report(row: Any, profiles: tuple[str, ...], keeping: tuple[str, ...] = ()) -> FileReport:
    return FileReport(
        path=Path(row.root) / row.path,
        name=row.name,
        uri=row.uri,
        proposal=row.proposal,
        obsnum=row.obsnum,
        filetype=row.filetype,
        state=FileState(row.state),
        reason=row.reason,
        size=row.size if row.size is not None else row.listed,
        sha256=row.sha256,
        revision=row.revision,
        changed_at=row.changed_at,
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=row.next_attempt_at,
        note=row.note,
        declined=row.declined,
        profiles=profiles,
        superseded=row.superseded,
        damage=row.damage,
        checked_at=row.checked_at,
        product_id=row.product_id,
        file_id=row.id,
        keeping=keeping,
    )


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
    rows = connection.execute(_file_query().where(tables.file.c.product_id == product_id))
    return tuple(_file_report(row, tuple(wanted[row.id]), tuple(keeping[row.id])) for row in rows)


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
