"""What the pages show, read from the state; and what is still to be read from new files for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from jwstwatch.core.gap_words import count_by_kind
from jwstwatch.core.layout import thumbnail_name
from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.products import Product
from jwstwatch.core.site import (
    Keyword,
    PageFile,
    PageSettings,
    ProposalSummary,
    ProposalView,
    Reprocessing,
    WaitingPlan,
)
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.gaps import Scope, gaps_of
from jwstwatch.store.listings import observation_of, pairs_of, product_of
from jwstwatch.store.pagemarks import NO_PROPOSAL
from jwstwatch.store.transfers import is_kept

_KEYWORDS = "keywords"
"""The service whose facts are told; named as in `product.facts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePage:
    """A page to be written; `changes` is handed back to `mark_written`."""

    proposal: int
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadFile:
    """A copy whose header, or thumbnail, has not been made for its present revision."""

    file_id: int
    product_id: int
    path: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The products of a proposal in a root; observations by obsid, copies (path, state) by URI."""

    products: tuple[Product, ...]
    observations: Mapping[int, Observation]
    local: Mapping[str, tuple[Path, FileState]]


class Sites:
    """The page and keyword tables, and the views made from everything else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self, root_id: int) -> dict[int, tuple[DuePage, bool, str]]:
        """Return every proposal with files in the root: (page, is it due, digest it was written with)."""
        page = tables.page
        query = (
            select(page)
            .where(page.c.root_id == root_id, page.c.proposal != NO_PROPOSAL)
            .order_by(page.c.proposal)
        )
        with self._database.read() as connection:
            return {
                row.proposal: (
                    DuePage(proposal=row.proposal, changes=row.changes),
                    row.written < row.changes,
                    row.settings,
                )
                for row in connection.execute(query)
            }

    def profiles(self, root_id: int) -> dict[int, list[str]]:
        """Return which profiles have files of which proposal in the root."""
        file, want, product = tables.file, tables.want, tables.product
        query = (
            select(product.c.proposal, want.c.profile)
            .join(file, file.c.id == want.c.file_id)
            .join(product, product.c.id == want.c.product_id)
            .where(file.c.root_id == root_id, product.c.proposal.is_not(None))
            .distinct()
            .order_by(product.c.proposal, want.c.profile)
        )
        found: dict[int, list[str]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[row.proposal].append(row.profile)
        return found

    def unread_headers(self, root_id: int, proposals: Collection[int], *, names: str) -> list[UnreadFile]:
        """Return the FITS copies whose keywords (a set with this digest) are not in the state yet."""
        file, product, keywords = tables.file, tables.product, tables.keywords
        query = _copies_of(root_id, proposals).where(product.c.name.like("%.fits"))
        query = query.outerjoin(keywords, keywords.c.product_id == product.c.id).where(
            or_(
                keywords.c.product_id.is_(None),
                keywords.c.revision != file.c.revision,
                keywords.c.names != names,
            )
        )
        with self._database.read() as connection:
            return [_unread(row) for row in connection.execute(query)]

    def keep_headers(self, read: Sequence[tuple[UnreadFile, Mapping[str, Keyword]]], *, names: str) -> None:
        """Keep header values, read once per revision."""
        rows = {
            unread.product_id: {
                "product_id": unread.product_id,
                "revision": unread.revision,
                "names": names,
                "cards": dict(cards),
            }
            for unread, cards in read
        }
        with self._database.write() as connection:
            bulk.upsert(connection, tables.keywords, list(rows.values()))

    def jpegs(self, root_id: int, proposals: Collection[int]) -> list[tuple[UnreadFile, str | None]]:
        """Return the previews with a copy, each with what its thumbnail was made from (None: not yet)."""
        product = tables.product
        query = _copies_of(root_id, proposals).where(
            or_(product.c.name.like("%.jpg"), product.c.name.like("%.png"))
        )
        with self._database.read() as connection:
            return [(_unread(row), row.thumbnail) for row in connection.execute(query)]

    def keep_thumbnails(self, made: Mapping[int, str | None]) -> None:
        """Keep what each file's thumbnail was made from."""
        with self._database.write() as connection:
            for file_id, mark in made.items():
                connection.execute(
                    update(tables.file).where(tables.file.c.id == file_id).values(thumbnail=mark)
                )

    def waiting(self, root_id: int) -> dict[int, tuple[WaitingPlan, ...]]:
        """Return what waits for a yes, by proposal; `NO_PROPOSAL` holds files whose proposal is not known."""
        file, product, want, notice = tables.file, tables.product, tables.want, tables.notice
        query = (
            select(
                product.c.proposal,
                want.c.profile,
                notice.c.first_at,
                func.count().label("files"),
                func.sum(product.c.size).label("size"),
            )
            .select_from(notice)
            .join(want, want.c.profile == notice.c.profile)
            .join(file, file.c.id == want.c.file_id)
            .join(product, product.c.id == file.c.product_id)
            .where(
                notice.c.kind == "plan",
                notice.c.cleared_at.is_(None),
                file.c.root_id == root_id,
                file.c.state.in_((FileState.WANTED.value, FileState.STALE.value)),
                ~is_kept(),
                ~file.c.declined,
                ~file.c.superseded,
            )
            .group_by(product.c.proposal, want.c.profile, notice.c.first_at)
            .order_by(want.c.profile)
        )
        found: dict[int, list[WaitingPlan]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(query):
                plan = WaitingPlan(
                    profile=row.profile, files=row.files, size=int(row.size or 0), since=row.first_at
                )
                found[NO_PROPOSAL if row.proposal is None else row.proposal].append(plan)
        return {proposal: tuple(plans) for proposal, plans in found.items()}

    def index(self, root_id: int) -> tuple[ProposalSummary, ...]:
        """Return one line for every proposal that has files in the root, by number."""
        with self._database.read() as connection:
            return tuple(_summaries(connection, root_id, None).values())

    def proposal(self, root_id: int, proposal: int, settings: PageSettings, *, now: datetime) -> ProposalView:
        """Return everything that the page of one proposal shows."""
        with self._database.read() as connection:
            summary = _summaries(connection, root_id, proposal)[proposal]
            observations = _observations(connection, proposal)
            files = _page_files(connection, root_id, proposal)
            gaps = gaps_of(connection, proposal, now=now, scope=Scope(root_id=root_id))
        missing = sum(count_by_kind(gaps).values())
        return ProposalView(
            summary=replace(summary, missing=missing),
            observations=observations,
            files=files,
            settings=settings,
            gaps=gaps,
        )

    def shelf(self, root_id: int, proposal: int) -> Shelf:
        """Return the products of one proposal in the root, their observations, and where copies are."""
        file, product, root = tables.file, tables.product, tables.root
        query = (
            select(product, file.c.path, file.c.state, root.c.path.label("root"))
            .join(file, file.c.product_id == product.c.id)
            .join(root, root.c.id == file.c.root_id)
            .where(file.c.root_id == root_id, product.c.proposal == proposal, ~file.c.superseded)
            .order_by(file.c.path)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            pairs = pairs_of(connection, [row.id for row in rows])
            observations = _observations(connection, proposal)
        by_product = {row.id: row for row in rows}  # one may lie at several paths
        return Shelf(
            products=tuple(product_of(row, list(pairs[key].values())) for key, row in by_product.items()),
            observations={observation.obsid: observation for observation in observations},
            local={row.uri: (Path(row.root) / row.path, FileState(row.state)) for row in rows},
        )

    def mark_written(self, root_id: int, pages: Mapping[DuePage, str], *, missing: int | None = None) -> None:
        """Note with which settings' digest pages were written, and what they said is missing.

        Later changes stay due.
        """
        page = tables.page
        with self._database.write() as connection:
            for written, digest in pages.items():
                connection.execute(
                    update(page)
                    .where(page.c.root_id == root_id, page.c.proposal == written.proposal)
                    .values(written=written.changes, settings=digest, missing=missing)
                )


def _copies_of(root_id: int, proposals: Collection[int]) -> Any:
    file, product = tables.file, tables.product
    return (
        select(file.c.id, file.c.product_id, file.c.path, file.c.revision, file.c.thumbnail)
        .select_from(file.join(product, product.c.id == file.c.product_id))
        .where(
            file.c.root_id == root_id,
            file.c.state.in_(tables.HAS_COPY),
            file.c.revision.is_not(None),
            product.c.proposal.in_(list(proposals)),
            ~file.c.superseded,
        )
        .order_by(file.c.path)
    )


def _unread(row: Any) -> UnreadFile:
    return UnreadFile(file_id=row.id, product_id=row.product_id, path=row.path, revision=row.revision)


def _summaries(connection: Connection, root_id: int, proposal: int | None) -> dict[int, ProposalSummary]:
    file, product = tables.file, tables.product
    query = (
        select(
            product.c.proposal,
            file.c.state,
            func.count().label("files"),
            func.sum(file.c.size).label("bytes"),
            func.max(file.c.changed_at).label("last"),
        )
        .join(product, product.c.id == file.c.product_id)
        .where(
            file.c.root_id == root_id,
            product.c.proposal.is_not(None),
            ~file.c.declined,
            ~file.c.superseded,
        )
        .group_by(product.c.proposal, file.c.state)
        .order_by(product.c.proposal)
    )
    if proposal is not None:
        query = query.where(product.c.proposal == proposal)
    counts: dict[int, Counter[FileState]] = defaultdict(Counter)
    sizes: Counter[int] = Counter()
    arrivals: dict[int, Any] = {}
    for row in connection.execute(query):
        counts[row.proposal][FileState(row.state)] = row.files
        if row.state in tables.HAS_COPY:
            sizes[row.proposal] += int(row.bytes or 0)
            arrivals[row.proposal] = max(filter(None, (arrivals.get(row.proposal), row.last)), default=None)
    if proposal is not None:
        counts.setdefault(proposal, Counter())  # its files may all have been dropped
    facts = _proposal_facts(connection, list(counts))
    pictures = _pictures(connection, root_id, list(counts))
    missing = _missing(connection, root_id)
    return {
        number: ProposalSummary(
            proposal=number,
            title=facts[number].title,
            principal_investigator=facts[number].investigator,
            instruments=tuple(sorted(facts[number].instruments)),
            observations=facts[number].observations,
            counts=dict(counts[number]),
            bytes_present=sizes[number],
            last_arrival=arrivals.get(number),
            thumbnail=pictures.get(number),
            missing=missing.get(number),
        )
        for number in counts
    }


def _missing(connection: Connection, root_id: int) -> dict[int, int | None]:
    """Return what the pages of the root said is missing when they were written."""
    page = tables.page
    query = select(page.c.proposal, page.c.missing).where(page.c.root_id == root_id)
    return {row.proposal: row.missing for row in connection.execute(query)}


@dataclass(slots=True)
class _ProposalFacts:
    title: str | None
    investigator: str | None
    instruments: set[str]
    observations: int


def _proposal_facts(connection: Connection, proposals: Sequence[int]) -> dict[int, _ProposalFacts]:
    facts = {number: _ProposalFacts(None, None, set(), 0) for number in proposals}
    table = tables.observation
    for some in bulk.chunks(proposals):
        query = (
            select(
                table.c.proposal,
                table.c.obs_title,
                table.c.proposal_pi,
                table.c.instrument_name,
                func.count().label("number"),
            )
            .where(table.c.proposal.in_(some))
            .group_by(table.c.proposal, table.c.obs_title, table.c.proposal_pi, table.c.instrument_name)
            .order_by(table.c.proposal, func.count().desc(), table.c.obs_title)
        )
        for row in connection.execute(query):
            entry = facts[row.proposal]
            entry.title = entry.title or row.obs_title
            entry.investigator = entry.investigator or row.proposal_pi
            entry.observations += row.number
            if row.instrument_name:
                entry.instruments.add(row.instrument_name.partition("/")[0])
    return facts


def _pictures(connection: Connection, root_id: int, proposals: Sequence[int]) -> dict[int, str]:
    """Return the newest level-3 picture of each proposal, else its newest one, as a thumbnail's path."""
    file, product, listing = tables.file, tables.product, tables.listing
    level = (
        select(func.max(listing.c.calib_level)).where(listing.c.product_id == product.c.id).scalar_subquery()
    )
    found: dict[int, str] = {}
    for some in bulk.chunks(proposals):
        query = (
            select(product.c.proposal, file.c.path)
            .join(product, product.c.id == file.c.product_id)
            .where(
                file.c.root_id == root_id,
                product.c.proposal.in_(some),
                file.c.thumbnail.is_not(None),
                file.c.state.in_(tables.HAS_COPY),
                ~file.c.superseded,
            )
            .order_by(product.c.proposal, level.desc().nulls_last(), file.c.changed_at.desc(), file.c.path)
        )
        for row in connection.execute(query):
            found.setdefault(row.proposal, thumbnail_path(row.path))
    return found


def thumbnail_path(path: str) -> str:
    """Return the path of the thumbnail that belongs to a preview's path."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + thumbnail_name(name)


def _observations(connection: Connection, proposal: int) -> tuple[Observation, ...]:
    table = tables.observation
    query = select(table).where(table.c.proposal == proposal)
    query = query.order_by(table.c.t_min.asc().nulls_last(), table.c.obs_id)
    return tuple(observation_of(row) for row in connection.execute(query))


def _page_files(connection: Connection, root_id: int, proposal: int) -> tuple[PageFile, ...]:
    file, product, keywords = tables.file, tables.product, tables.keywords
    query = (
        select(
            file,
            product.c.name,
            product.c.uri,
            product.c.filetype,
            product.c.obsnum,
            product.c.size.label("listed"),
            product.c.facts,
        )
        .add_columns(keywords.c.cards, keywords.c.revision.label("cards_revision"))
        .join(product, product.c.id == file.c.product_id)
        .outerjoin(keywords, keywords.c.product_id == product.c.id)
        .where(file.c.root_id == root_id, product.c.proposal == proposal, ~file.c.superseded)
        .order_by(file.c.path)
    )
    pairs = _main_pairs(connection, root_id, proposal)
    former = _former(connection, proposal)
    return tuple(
        _page_file(row, pairs.get(row.product_id), former.get(row.product_id))
        for row in connection.execute(query)
    )


def _former(connection: Connection, proposal: int) -> dict[int, Any]:
    """Return the last former content of each product of the proposal that has had one."""
    version, product = tables.version, tables.product
    query = (
        select(version)
        .join(product, product.c.id == version.c.product_id)
        .where(product.c.proposal == proposal, version.c.revision == product.c.revision - 1)
    )
    return {row.product_id: row for row in connection.execute(query)}


def _main_pairs(connection: Connection, root_id: int, proposal: int) -> dict[int, Any]:
    """Return the listing row that speaks best of each product: its own observation's, lowest parent."""
    listing, product, file = tables.listing, tables.product, tables.file
    wanted = (
        select(file.c.product_id)
        .join(product, product.c.id == file.c.product_id)
        .where(file.c.root_id == root_id, product.c.proposal == proposal)
    )
    query = (
        select(listing, product.c.name)
        .join(product, product.c.id == listing.c.product_id)
        .where(listing.c.product_id.in_(wanted))
        .order_by(listing.c.product_id, listing.c.parent_obsid, listing.c.obsid)
    )
    best: dict[int, Any] = {}
    for row in connection.execute(query):
        other = best.setdefault(row.product_id, row)
        if _is_own(row) and not _is_own(other):
            best[row.product_id] = row
    return best


def _is_own(row: Any) -> bool:
    """The same question as `core.evidence.is_own_row`, of a row of the database."""
    return bool(row.name.startswith(row.obs_id + "_"))


def _page_file(row: Any, pair: Any, former: Any) -> PageFile:
    has_copy = row.state in tables.HAS_COPY
    fresh = row.cards_revision is not None and row.cards_revision == row.revision
    return PageFile(
        name=row.name,
        path=row.path,
        uri=row.uri,
        filetype=row.filetype,
        obs_id=pair.obs_id if pair is not None else "",
        obsid=pair.obsid if pair is not None else None,
        parent_obsid=pair.parent_obsid if pair is not None else None,
        obsnum=row.obsnum,
        calib_level=pair.calib_level if pair is not None else None,
        product_type=pair.product_type if pair is not None else None,
        size=row.size if has_copy else row.listed,
        state=FileState(row.state),
        reason=row.reason or row.last_error,
        revision=row.revision or 1,
        reprocessed=None if former is None else _reprocessing(former, row.facts or {}, pair),
        damage=row.damage,
        changed_at=row.changed_at,
        thumbnail=thumbnail_path(row.path) if row.thumbnail and has_copy else None,
        keywords=(row.cards or {}) if fresh else {},
    )


def _reprocessing(former: Any, facts: Mapping[str, object], pair: Any) -> Reprocessing:
    """What is stated of the last two contents; the version of the pipeline by either service."""
    before = former.facts or {}
    pipeline = (
        _word(before.get(f"{_KEYWORDS}.cal_ver")) or former.prvversion,
        _word(facts.get(f"{_KEYWORDS}.cal_ver")) or (pair.prvversion if pair is not None else None),
    )
    context = f"{_KEYWORDS}.crds_ctx"
    return Reprocessing(
        at=former.ended_at,
        pipeline=pipeline,
        context=(_word(before.get(context)), _word(facts.get(context))),
    )


def _word(value: object) -> str | None:
    return None if value is None else str(value)
