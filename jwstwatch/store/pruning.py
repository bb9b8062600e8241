"""Copies that nobody wants any more, or that the archive has no more: which there are, and how they go."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    union_all,
    update,
)

from jwstwatch.core.model import FileState
from jwstwatch.store import arrivals, bulk, events, tables
from jwstwatch.store.choosing import GROUP, Choice, at_same_place, choice_of, query_of_choices
from jwstwatch.store.conditions import belongs, in_root
from jwstwatch.store.drops import wanting
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import NO_PROPOSAL, mark_pages_due_for_files
from jwstwatch.store.profiles import ONE_OFF
from jwstwatch.store.roots import has_copy
from jwstwatch.store.withdrawals import UNLISTED, is_idle

_LOT = 10_000
"""Ids that are read at a time."""
NOT_SELECTED = "no profile selects it any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A copy that may go, and why."""

    file: Choice
    reason: str

    @property
    def is_gone(self) -> bool:
        """Whether the archive has it no more, so that it could never be fetched again."""
        return self.file.state is FileState.GONE


class Pruning:
    """The copies that no profile of the configuration wants, and those that the archive has no more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def candidates(self, configured: Collection[str], *, gone: bool = False) -> list[Candidate]:
        """Return the copies that none of the `configured` profiles wants, by path.

        That is: profiles selected them once, and all of those ceased to, or are not configured any more.
        What a typed download brought, what was adopted and not wanted yet, and what was dropped stays, also
        where it is known in another output folder that leads to the same file on disk; and, without `gone`,
        what the archive does not have any more.
        """
        return list(self.each(configured, gone=gone))

    def each(
        self, configured: Collection[str], *, gone: bool = False, only_gone: bool = False
    ) -> Iterator[Candidate]:
        """Yield the same, some at a time; with `only_gone` those that the archive has no more."""
        file, root = tables.file, tables.root
        query = (
            select(file.c.id)
            .join(root, root.c.id == file.c.root_id)
            .where(_is_candidate(configured, gone=gone))
            .order_by(root.c.path, file.c.path)
        )
        if only_gone:
            query = query.where(file.c.state == FileState.GONE.value)
        with self._database.read() as connection:
            ids = array("q", connection.execute(query.execution_options(yield_per=_LOT)).scalars())
        for some in bulk.chunks(ids):
            yield from self._those_of(some, configured, gone=gone)

    def _those_of(self, ids: Sequence[int], configured: Collection[str], *, gone: bool) -> list[Candidate]:
        """Return those of some copies, in their order, that may go still."""
        place = {file_id: number for number, file_id in enumerate(ids)}
        query = query_of_choices().where(tables.file.c.id.in_(ids), _may_go(configured, gone=gone))
        with self._database.read() as connection:
            found = [choice_of(row) for row in connection.execute(query)]
            kept = at_same_place(connection, found, _stays(configured, gone=gone))
            free = [choice for choice in found if choice.file_id not in kept]
            wanted = wanting(connection, [choice.file_id for choice in free])
        free.sort(key=lambda choice: place[choice.file_id])
        return [Candidate(file=choice, reason=_reason(wanted.get(choice.file_id, []))) for choice in free]

    def prune(
        self,
        candidates: Sequence[Candidate],
        configured: Collection[str],
        *,
        remove: Callable[[Sequence[Choice]], Collection[int]],
        now: datetime,
        gone: bool = False,
    ) -> list[Candidate]:
        """Remove copies, then forget them; returns those that are gone.

        `remove` takes files from the disk and returns the ids of those that are not there any more. It is
        called while nobody else can write the state, so that no run takes up a copy that is about to go; a
        kill leaves rows of files that are missing, which the next call forgets.
        """
        may_go, stays = _may_go(configured, gone=gone), _stays(configured, gone=gone)
        return self._prune(candidates, may_go, stays, remove=remove, now=now)

    def gone(self) -> list[Candidate]:
        """Return the copies of what the archive has no more, whoever wants them, by path.

        What was dropped stays, and what another output folder that leads to the same file on disk keeps.
        """
        file = tables.file
        query = query_of_choices().where(_may_go_as_gone()).order_by(tables.root.c.path, file.c.path)
        with self._database.read() as connection:
            found = [choice_of(row) for row in connection.execute(query)]
            kept = at_same_place(connection, found, _outlasts())
        return [Candidate(file=choice, reason=UNLISTED) for choice in found if choice.file_id not in kept]

    def prune_gone(
        self,
        candidates: Sequence[Candidate],
        *,
        remove: Callable[[Sequence[Choice]], Collection[int]],
        now: datetime,
    ) -> list[Candidate]:
        """Remove copies of what the archive has no more, then forget them, as `prune` does."""
        return self._prune(candidates, _may_go_as_gone(), _outlasts(), remove=remove, now=now)

    def _prune(
        self,
        candidates: Sequence[Candidate],
        may_go: ColumnElement[bool],
        stays: ColumnElement[bool],
        *,
        remove: Callable[[Sequence[Choice]], Collection[int]],
        now: datetime,
    ) -> list[Candidate]:
        done: list[Candidate] = []
        for group in bulk.chunks(candidates, GROUP):
            with self._database.write() as connection:
                by_id = {candidate.file.file_id: candidate for candidate in group}
                query = query_of_choices().where(tables.file.c.id.in_(list(by_id)), may_go)
                rows = connection.execute(query.order_by(tables.file.c.id))
                still = [
                    choice
                    for choice in map(choice_of, rows)
                    if _is_as_seen(choice, by_id[choice.file_id].file)
                ]
                kept = at_same_place(connection, still, stays)
                still = [choice for choice in still if choice.file_id not in kept]
                removed = [by_id[key] for key in remove(still)]
                _forget(connection, removed, now)
            done += removed
        return done


def _is_as_seen(now: Choice, seen: Choice) -> bool:
    """Whether it is the same copy at the same place: what was moved or replaced since nobody agreed to."""
    return replace(now, state=seen.state) == seen


def unselected(connection: Connection, configured: Collection[str]) -> tuple[int, int]:
    """Return number and bytes of the copies that may go."""
    file, other = tables.file, tables.file.alias()
    query = select(func.count(), func.sum(file.c.size)).where(_is_candidate(configured, gone=False))
    files, size = connection.execute(query).one()
    twice = exists().where(other.c.product_id == file.c.product_id, other.c.id != file.c.id)
    rows = connection.execute(query_of_choices().where(_is_candidate(configured, gone=False), twice)).all()
    found = [choice_of(row) for row in rows]
    kept = at_same_place(connection, found, _stays(configured, gone=False))
    stay = [choice.size or 0 for choice in found if choice.file_id in kept]
    return int(files) - len(stay), int(size or 0) - sum(stay)


def _stays(configured: Collection[str], *, gone: bool) -> Any:
    """A record that keeps its file on disk, whatever other records say of it."""
    return or_(_is_kept(configured), and_(has_copy(), ~_may_go(configured, gone=gone)))


def _is_kept(configured: Collection[str]) -> Any:
    file, want = tables.file, tables.want
    somebody = or_(want.c.profile.in_(list(configured)), want.c.profile.startswith(ONE_OFF, autoescape=True))
    return exists().where(want.c.file_id == file.c.id, somebody)


def _is_candidate(configured: Collection[str], *, gone: bool) -> Any:
    """The condition for statements that look for all of them: it begins with the few there may be."""
    return and_(tables.file.c.id.in_(_once_selected(configured)), _may_go(configured, gone=gone))


def _may_go(configured: Collection[str], *, gone: bool) -> Any:
    """The same for statements about a few files: nothing is gathered for it."""
    file, want = tables.file, tables.want
    wanted = exists().where(want.c.file_id == file.c.id)
    return and_(
        # SQLite has no statistics: the index of all that is present is not to lead to these few.
        func.coalesce(file.c.state, "").in_(tables.HAS_COPY),
        or_(file.c.state != FileState.GONE.value, file.c.size.is_not(None) if gone else false()),
        ~file.c.declined,
        or_(file.c.unselected, wanted),
        ~_is_kept(configured),
        is_idle(),
    )


def _once_selected(configured: Collection[str]) -> Any:
    """Every file that no profile selects any more, and whatever a profile selects that is not configured.

    These are few: the kept counts know which other profiles select something, so that nothing else is read.
    """
    file, want, tally = tables.file, tables.want, tables.tally
    others = select(tally.c.profile).where(
        tally.c.files > 0,
        tally.c.profile.not_in(list(configured)),
        ~tally.c.profile.startswith(ONE_OFF, autoescape=True),
    )
    return union_all(
        select(file.c.id).where(file.c.unselected),
        select(want.c.file_id).where(want.c.profile.in_(others)),
    )


def _may_go_as_gone() -> ColumnElement[bool]:
    file = tables.file
    return and_(file.c.state == FileState.GONE.value, has_copy(), ~file.c.declined, is_idle())


def _outlasts() -> ColumnElement[bool]:
    """A record that keeps its file on disk although the archive has it no more."""
    return or_(tables.file.c.state != FileState.GONE.value, and_(has_copy(), ~_may_go_as_gone()))


def _reason(profiles: Sequence[str]) -> str:
    if not profiles:
        return NOT_SELECTED
    one = len(profiles) == 1
    names = ", ".join(profiles)
    return f"{'profile' if one else 'profiles'} {names} {'is' if one else 'are'} not in the configuration"


def _forget(connection: Connection, removed: Sequence[Candidate], now: datetime) -> None:
    """Their rows go, and with them who wanted them; what happened to their products stays known."""
    ids = [candidate.file.file_id for candidate in removed]
    pages = _pages_of(connection, ids)
    mark_pages_due_for_files(connection, ids)
    arrivals.record_removed(connection, ids, now=now)
    # A later file may get the number of one that is gone.
    connection.execute(update(tables.event).where(tables.event.c.file_id.in_(ids)).values(file_id=None))
    connection.execute(delete(tables.file).where(tables.file.c.id.in_(ids)))
    happened = [
        events.Event(
            product_id=candidate.file.product_id,
            kind="pruned",
            detail=f"{candidate.file.full} was removed: {candidate.reason}",
        )
        for candidate in removed
    ]
    events.record(connection, happened, now=now)
    _forget_empty_pages(connection, pages)


def _pages_of(connection: Connection, file_ids: Sequence[int]) -> set[tuple[int, int | None]]:
    """Return root and proposal of the pages that show some files."""
    file, product = tables.file, tables.product
    query = (
        select(file.c.root_id, product.c.proposal)
        .join(product, product.c.id == file.c.product_id)
        .where(file.c.id.in_(file_ids))
    )
    return {(row.root_id, row.proposal) for row in connection.execute(query)}


def _forget_empty_pages(connection: Connection, pages: Iterable[tuple[int, int | None]]) -> None:
    """Forget those of some pages that show nothing any more, with their parts."""
    file, product = tables.file, tables.product
    for root_id, proposal in pages:
        shown = (
            select(file.c.id)
            .join(product, product.c.id == file.c.product_id)
            .where(belongs(product.c.proposal, proposal), in_root(root_id))
        )
        if connection.execute(shown.limit(1)).first() is not None:
            continue
        number = NO_PROPOSAL if proposal is None else proposal
        for table in (tables.page_part, tables.page):
            empty = and_(table.c.root_id == root_id, table.c.proposal == number)
            connection.execute(delete(table).where(empty))
