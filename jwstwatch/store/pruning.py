"""Copies that nobody wants any more: which there are, and how they go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from jwstwatch.store import bulk, events, tables
from jwstwatch.store.choosing import Choice, choice_of, query_of_choices
from jwstwatch.store.drops import wanting
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import NO_PROPOSAL, mark_pages_due_for_files
from jwstwatch.store.profiles import ONE_OFF
from jwstwatch.store.roots import has_copy

GROUP = 50
"""Files that are removed while the state is held against other writers."""

NOT_SELECTED = "no profile selects it any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A copy that may go, and why."""

    file: Choice
    reason: str


class Pruning:
    """The copies that no profile of the configuration wants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def candidates(self, configured: Collection[str]) -> list[Candidate]:
        """Return the copies that none of the `configured` profiles wants, by path.

        That is: profiles selected them once, and all of those ceased to, or are not configured any more.
        What a typed download brought, what was adopted and not wanted yet, and what was dropped stays.
        """
        file = tables.file
        query = query_of_choices().where(_is_candidate(configured))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tables.root.c.path, file.c.path)).all()
            wanted = wanting(connection, [row.id for row in rows])
        return [Candidate(file=choice_of(row), reason=_reason(wanted.get(row.id, []))) for row in rows]

    def prune(
        self,
        candidates: Sequence[Candidate],
        configured: Collection[str],
        *,
        remove: Callable[[Sequence[Candidate]], Collection[int]],
        now: datetime,
    ) -> list[Candidate]:
        """Remove copies, then forget them; returns those that are gone.

        `remove` takes files from the disk and returns the ids of those that are not there any more. It is
        called while nobody else can write the state, so that no run takes up a copy that is about to go; a
        kill leaves rows of files that are missing, which the next call forgets.
        """
        gone: list[Candidate] = []
        for group in bulk.chunks(candidates, GROUP):
            with self._database.write() as connection:
                by_id = {candidate.file.file_id: candidate for candidate in group}
                query = select(tables.file.c.id).where(
                    tables.file.c.id.in_(list(by_id)), _is_candidate(configured)
                )
                still = [by_id[key] for key in connection.execute(query).scalars()]
                removed = [by_id[key] for key in remove(still)]
                _forget(connection, removed, now)
            gone += removed
        return gone


def unselected(connection: Connection, configured: Collection[str]) -> tuple[int, int]:
    """Return number and bytes of the copies that may go."""
    file = tables.file
    query = select(func.count(), func.sum(file.c.size)).where(_is_candidate(configured))
    files, size = connection.execute(query).one()
    return int(files), int(size or 0)


def _is_candidate(configured: Collection[str]) -> Any:
    file, want, intent, run = tables.file, tables.want, tables.intent, tables.run
    wanted = exists().where(want.c.file_id == file.c.id)
    kept = wanted.where(
        or_(want.c.profile.in_(list(configured)), want.c.profile.startswith(ONE_OFF, autoescape=True))
    )
    busy = file.c.claimed_by.in_(select(run.c.id).where(run.c.outcome.is_(None)))
    return and_(
        has_copy(),
        ~file.c.declined,
        or_(file.c.unselected, wanted),
        ~kept,
        ~exists().where(intent.c.file_id == file.c.id),
        or_(file.c.claimed_by.is_(None), ~busy),
    )


def _reason(profiles: Sequence[str]) -> str:
    if not profiles:
        return NOT_SELECTED
    one = len(profiles) == 1
    names = ", ".join(profiles)
    return f"{'profile' if one else 'profiles'} {names} {'is' if one else 'are'} not in the configuration"


def _forget(connection: Connection, removed: Sequence[Candidate], now: datetime) -> None:
    """Their rows go, and with them who wanted them; what happened to their products stays known."""
    ids = [candidate.file.file_id for candidate in removed]
    mark_pages_due_for_files(connection, ids)
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
    _forget_empty_pages(connection)


def _forget_empty_pages(connection: Connection) -> None:
    page, file, product = tables.page, tables.file, tables.product
    shown = exists().where(
        file.c.root_id == page.c.root_id,
        product.c.id == file.c.product_id,
        func.coalesce(product.c.proposal, NO_PROPOSAL) == page.c.proposal,
    )
    connection.execute(delete(page).where(~shown))
