"""Which pages there are, which are due, and what was said on them when they were written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, exists, func, select, update

from jwstwatch.core.model import FileState
from jwstwatch.core.site import WaitingPlan
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import NO_PROPOSAL, add_parts, obsnum_of, part_key
from jwstwatch.store.transfers import is_kept

Document = Mapping[str, Any]
"""What is kept of a page, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePage:
    """A page to be written; `changes` is handed back to `mark_written`."""

    proposal: int
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePart:
    """A part to be written: one APT observation, None for what belongs to no single one."""

    obsnum: int | None
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """A part, whether something on it changed since it was written, and what was kept of it then."""

    part: DuePart
    due: bool
    settings: str
    document: Document | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalFacts:
    """What CAOM says of a proposal, as most of its observations do."""

    title: str | None
    investigator: str | None
    instruments: tuple[str, ...]
    """The one that most observations used first."""
    observations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """The files of a proposal that are in one state: how many, bytes of copies, the last change."""

    files: int
    bytes: int
    newest: datetime


class Sites:
    """The tables of pages and their parts, by output folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self, root_id: int) -> dict[int, tuple[DuePage, bool, str]]:
        """Return every proposal with files in the root: (page, is it due, digest it was written with)."""
        page = tables.page
        query = select(page.c.proposal, page.c.changes, page.c.written, page.c.settings)
        with self._database.read() as connection:
            return {
                row.proposal: (
                    DuePage(proposal=row.proposal, changes=row.changes),
                    row.written < row.changes,
                    row.settings,
                )
                for row in connection.execute(_pages_of(query, root_id))
            }

    def documents(self, root_id: int) -> dict[int, Document]:
        """Return what was kept of each page of the root."""
        page = tables.page
        query = _pages_of(select(page.c.proposal, page.c.line), root_id).where(page.c.line.is_not(None))
        with self._database.read() as connection:
            return {row.proposal: row.line for row in connection.execute(query)}

    def with_copies(self, root_id: int, proposals: Collection[int]) -> set[int]:
        """Return those of the proposals with pages of which any file is in the root, as the state knows."""
        file, product, page = tables.file, tables.product, tables.page
        # The first file found ends the search in a proposal.
        there = exists().where(
            product.c.proposal == page.c.proposal,
            file.c.product_id == product.c.id,
            in_root(root_id),
            file.c.state.in_(tables.HAS_COPY),
        )
        query = select(page.c.proposal).where(page.c.root_id == root_id, there)
        found: set[int] = set()
        with self._database.read() as connection:
            for some in bulk.chunks(sorted(proposals)):
                found.update(connection.execute(query.where(page.c.proposal.in_(some))).scalars())
        return found

    def parts(self, root_id: int, proposal: int) -> dict[int | None, PartRecord]:
        """Return the parts of a page by observation number; new observations are made known as parts."""
        part = tables.page_part
        query = select(part).where(part.c.root_id == root_id, part.c.proposal == proposal)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(part.c.obsnum)).all()
            known = {obsnum_of(row.obsnum) for row in rows}
            new = _observed(connection, proposal) - known
        if new:
            with self._database.write() as connection:
                add_parts(connection, root_id, proposal, new)
            return self.parts(root_id, proposal)
        return {
            obsnum_of(row.obsnum): PartRecord(
                part=DuePart(obsnum=obsnum_of(row.obsnum), changes=row.changes),
                due=row.written < row.changes,
                settings=row.settings,
                document=row.line,
            )
            for row in rows
        }

    def profiles(
        self, root_id: int, proposal: int, obsnums: Collection[int | None]
    ) -> dict[int | None, list[str]]:
        """Return which profiles want files of which of these observations in the root."""
        file, want, product = tables.file, tables.want, tables.product
        query = (
            select(product.c.obsnum, want.c.profile)
            .join(file, file.c.product_id == product.c.id)
            .join(want, want.c.file_id == file.c.id)
            .where(in_root(root_id), product.c.proposal == proposal)
            .distinct()
            .order_by(product.c.obsnum, want.c.profile)
        )
        numbers = [obsnum for obsnum in obsnums if obsnum is not None]
        found: dict[int | None, list[str]] = {obsnum: [] for obsnum in obsnums}
        with self._database.read() as connection:
            for some in bulk.chunks(sorted(numbers)):
                for row in connection.execute(query.where(product.c.obsnum.in_(some))):
                    found[row.obsnum].append(row.profile)
            if None in found:
                rows = connection.execute(query.where(product.c.obsnum.is_(None)))
                found[None] = [row.profile for row in rows]
        return found

    def facts(self, proposal: int) -> ProposalFacts:
        """Return title, principal investigator and instruments of a proposal."""
        table = tables.observation
        query = (
            select(
                table.c.obs_title, table.c.proposal_pi, table.c.instrument_name, func.count().label("number")
            )
            .where(table.c.proposal == proposal)
            .group_by(table.c.obs_title, table.c.proposal_pi, table.c.instrument_name)
            .order_by(func.count().desc(), table.c.obs_title)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        used: dict[str, int] = defaultdict(int)
        for row in rows:
            if row.instrument_name:
                used[row.instrument_name.partition("/")[0]] += row.number
        return ProposalFacts(
            title=next((row.obs_title for row in rows if row.obs_title), None),
            investigator=next((row.proposal_pi for row in rows if row.proposal_pi), None),
            instruments=tuple(sorted(used, key=lambda name: (-used[name], name))),
            observations=sum(row.number for row in rows),
        )

    def waiting(self, root_id: int) -> dict[int, tuple[WaitingPlan, ...]]:
        """Return what waits for a yes, by proposal; `NO_PROPOSAL` holds files whose proposal is not known."""
        found: dict[int, list[WaitingPlan]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(_waiting(root_id)):
                plan = WaitingPlan(
                    profile=row.profile, files=row.files, size=int(row.size or 0), since=row.first_at
                )
                found[NO_PROPOSAL if row.proposal is None else row.proposal].append(plan)
        return {proposal: tuple(plans) for proposal, plans in found.items()}

    def mark_parts_written(
        self, root_id: int, proposal: int, written: Mapping[DuePart, Document], *, settings: str
    ) -> None:
        """Keep what was written of parts, and with which settings' digest; later changes stay due."""
        part = tables.page_part
        with self._database.write() as connection:
            for done, document in written.items():
                connection.execute(
                    update(part)
                    .where(_is_part(root_id, proposal, done.obsnum))
                    .values(written=done.changes, settings=settings, line=dict(document))
                )

    def forget_parts(self, root_id: int, proposal: int, parts: Sequence[DuePart]) -> None:
        """Forget parts that show nothing any more, but those on which something changed meanwhile."""
        part = tables.page_part
        with self._database.write() as connection:
            for gone in parts:
                condition = _is_part(root_id, proposal, gone.obsnum)
                connection.execute(delete(part).where(condition, part.c.changes == gone.changes))

    def mark_written(
        self, root_id: int, page: DuePage, document: Document, *, settings: str, missing: int | None = None
    ) -> None:
        """Keep what a page says, what it said is missing, and with which settings' digest it was written.

        Later changes stay due.
        """
        values = {"written": page.changes, "settings": settings, "missing": missing, "line": dict(document)}
        self._set_page(root_id, page.proposal, values)

    def keep_document(self, root_id: int, proposal: int, document: Document) -> None:
        """Keep what was found out for a page that is not written."""
        self._set_page(root_id, proposal, {"line": dict(document)})

    def marks(self, root_id: int) -> int:
        """Return how often something changed that the pages of a root show, or would if they were wanted."""
        page = tables.page
        query = select(func.sum(page.c.changes)).where(page.c.root_id == root_id)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def lying(self, root_id: int, proposal: int) -> dict[FileState, Lying]:
        """Return how many files of a proposal are in each state in the root."""
        file, product = tables.file, tables.product
        copied = case((file.c.state.in_(tables.HAS_COPY), func.coalesce(file.c.size, 0)), else_=0)
        query = (
            select(
                file.c.state,
                func.count().label("files"),
                func.sum(copied).label("bytes"),
                func.max(file.c.changed_at).label("newest"),
            )
            .join(product, product.c.id == file.c.product_id)
            .where(in_root(root_id), product.c.proposal == proposal, ~file.c.superseded)
            .group_by(file.c.state)
        )
        with self._database.read() as connection:
            return {
                FileState(row.state): Lying(files=row.files, bytes=int(row.bytes or 0), newest=row.newest)
                for row in connection.execute(query)
            }

    def home_digest(self, root_id: int) -> str:
        """Return the digest that the home page of a root was written with; empty where it was not."""
        page = tables.page
        query = select(page.c.settings).where(page.c.root_id == root_id, page.c.proposal == NO_PROPOSAL)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or ""

    def keep_home_digest(self, root_id: int, digest: str) -> None:
        """Keep the digest that the home page of a root was written with."""
        row = {"root_id": root_id, "proposal": NO_PROPOSAL, "changes": 0, "written": 0, "settings": digest}
        with self._database.write() as connection:
            bulk.upsert(connection, tables.page, [row], update=("settings",))

    def keep_thumbnails(self, made: Mapping[int, str | None]) -> None:
        """Keep what each file's thumbnail was made from."""
        if not made:
            return
        file = tables.file
        statement = update(file).where(file.c.id == bindparam("key")).values(thumbnail=bindparam("mark"))
        with self._database.write() as connection:
            connection.execute(statement, [{"key": key, "mark": mark} for key, mark in made.items()])

    def _set_page(self, root_id: int, proposal: int, values: Mapping[str, Any]) -> None:
        page = tables.page
        with self._database.write() as connection:
            connection.execute(
                update(page).where(page.c.root_id == root_id, page.c.proposal == proposal).values(values)
            )


def _pages_of(query: Any, root_id: int) -> Any:
    page = tables.page
    return query.where(page.c.root_id == root_id, page.c.proposal != NO_PROPOSAL).order_by(page.c.proposal)


def _is_part(root_id: int, proposal: int, obsnum: int | None) -> Any:
    part = tables.page_part
    return (part.c.root_id == root_id) & (part.c.proposal == proposal) & (part.c.obsnum == part_key(obsnum))


def _observed(connection: Connection, proposal: int) -> set[int | None]:
    observation = tables.observation
    query = select(observation.c.obsnum).where(observation.c.proposal == proposal).distinct()
    return set(connection.execute(query).scalars())


def _waiting(root_id: int) -> Any:
    file, product, want, notice = tables.file, tables.product, tables.want, tables.notice
    return (
        select(
            product.c.proposal,
            want.c.profile,
            notice.c.first_at,
            func.count().label("files"),
            func.sum(product.c.size).label("size"),
        )
        .select_from(notice)
        # The files that wait are few: with the plain column all that the profile wants are looked at.
        .join(want, want.c.profile.concat("") == notice.c.profile)
        .join(file, file.c.id == want.c.file_id)
        .join(product, product.c.id == file.c.product_id)
        .where(
            notice.c.kind == "plan",
            notice.c.cleared_at.is_(None),
            in_root(root_id),
            file.c.state.in_((FileState.WANTED.value, FileState.STALE.value)),
            ~is_kept(),
            ~file.c.declined,
            ~file.c.superseded,
        )
        .group_by(product.c.proposal, want.c.profile, notice.c.first_at)
        .order_by(want.c.profile)
    )
