"""What messages are about: what happened since something was told last, counted from the history itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.store import tables
from jwstwatch.store.completions import PLACED
from jwstwatch.store.engine import Database
from jwstwatch.store.histories import what_changed
from jwstwatch.store.tellings import Mark
from jwstwatch.store.upkeep import Sums, sums_of_forgotten

NEW, REPROCESSED = "new", "reprocessed"

EXAMPLES = 5
"""Failed files that are named."""

TOLD_OTHERWISE = (
    "archive_unreachable",
    "archive_timeout",
    "authentication",
    "plan_waits",
    "cancelled",
    "killed",
)
"""Kinds of a run's error that are no failure of their own: notices tell of them, or somebody wished them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Files of one proposal that came, with the first of their names; size in bytes.

    `changes` are pipeline version and context of the example, before and now, where it was reprocessed.
    """

    proposal: int | None
    files: int
    size: int
    example: str
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFile:
    """A file that failed for the first time, and why."""

    name: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrouble:
    """What stopped a run, where it did not stop the one before."""

    run_id: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What went wrong: how many files failed for the first time, some of them, and what stopped runs."""

    files: int
    examples: tuple[FailedFile, ...]
    troubles: tuple[RunTrouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the runs of a profile came to since a moment; size in bytes received."""

    runs: int
    failed_runs: int
    files: int
    size: int


class News:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def arrivals(self, profile: str, *, after: Mark, until: Mark) -> dict[str, list[Arrival]]:
        """Return what the profile's runs put in place: NEW, and REPROCESSED where an older copy had been.

        A file that was lost or asked for again, and came back as it was, is neither.
        """
        file, product, placing = tables.file, tables.product, tables.event
        came = (
            select(_fate(placing).label("fate"), product.c.proposal, product.c.name, file.c.size)
            .join(tables.run, tables.run.c.id == placing.c.run_id)
            .join(product, product.c.id == placing.c.product_id)
            .outerjoin(file, file.c.id == placing.c.file_id)
            .where(
                placing.c.id > after.event,
                placing.c.id <= until.event,
                placing.c.kind.in_(PLACED),
                tables.run.c.profile == profile,
            )
            .subquery()
        )
        query = (
            select(
                came.c.fate,
                came.c.proposal,
                func.count().label("files"),
                func.sum(came.c.size).label("size"),
                func.min(came.c.name).label("example"),
            )
            .where(came.c.fate.is_not(None))
            .group_by(came.c.fate, came.c.proposal)
            .order_by(came.c.proposal)
        )
        found: dict[str, list[Arrival]] = {NEW: [], REPROCESSED: []}
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            changes = what_changed(connection, [row.example for row in rows if row.fate == REPROCESSED])
        for row in rows:
            found[row.fate].append(
                Arrival(
                    proposal=row.proposal,
                    files=row.files,
                    size=int(row.size or 0),
                    example=row.example,
                    changes=changes.get(row.example, ()) if row.fate == REPROCESSED else (),
                )
            )
        return found

    def failures(self, profile: str, *, after: Mark, until: Mark) -> Failures:
        """Return which files failed that had not failed before, and what stopped a run anew."""
        with self._database.read() as connection:
            rows = connection.execute(_failed_files(profile, after, until)).all()
            troubles = _run_troubles(connection, profile, after, until)
        return Failures(
            files=len(rows),
            examples=tuple(FailedFile(name=row.name, problem=row.last_error) for row in rows[:EXAMPLES]),
            troubles=tuple(troubles),
        )

    def days(self, *, since: datetime) -> dict[str, Day]:
        """Return what came of the runs that ended since a moment, by profile."""
        run = tables.run
        failed = case((run.c.outcome == Outcome.FAILED.value, 1), else_=0)
        query = (
            select(
                run.c.profile,
                func.count().label("runs"),
                func.sum(failed).label("failed_runs"),
                func.sum(run.c.downloaded).label("files"),
                func.sum(run.c.bytes).label("size"),
            )
            .where(run.c.finished_at >= since)
            .group_by(run.c.profile)
        )
        with self._database.read() as connection:
            return {
                row.profile: Day(
                    runs=row.runs,
                    failed_runs=int(row.failed_runs),
                    files=int(row.files),
                    size=int(row.size),
                )
                for row in connection.execute(query)
            }

    def totals(self) -> dict[str, dict[str, int]]:
        """Return the files and bytes that all finished runs of each profile fetched, forgotten ones too."""
        run = tables.run
        query = (
            select(
                run.c.profile,
                func.sum(run.c.downloaded).label("files"),
                func.sum(run.c.bytes).label("size"),
                func.count().label("runs"),
            )
            .where(run.c.outcome.is_not(None))
            .group_by(run.c.profile)
        )
        with self._database.read() as connection:
            forgotten = sums_of_forgotten(connection)
            rows = connection.execute(query).all()
        found = {}
        for row in rows:
            former = forgotten.get(row.profile, Sums())
            found[row.profile] = {
                "runs": row.runs + former.runs,
                "files": int(row.files) + former.files,
                "bytes": int(row.size) + former.bytes,
            }
        return found


def _fate(placing: Any) -> ColumnElement[Any]:
    """Tell new from reprocessed from merely back, by what happened to the file and its product before."""
    before, revising, adopting = (tables.event.alias() for _ in range(3))
    earlier = (
        select(func.max(before.c.id))
        .where(
            before.c.product_id == placing.c.product_id,
            before.c.file_id == placing.c.file_id,
            before.c.id < placing.c.id,
            before.c.kind.in_(PLACED),
        )
        .correlate(placing)
        .scalar_subquery()
    )
    revised = (
        select(func.max(revising.c.id))
        .where(
            revising.c.product_id == placing.c.product_id,
            revising.c.id < placing.c.id,
            revising.c.kind == "revised",
        )
        .correlate(placing)
        .scalar_subquery()
    )
    adopted = (
        exists()
        .where(
            adopting.c.product_id == placing.c.product_id,
            adopting.c.file_id == placing.c.file_id,
            adopting.c.id < placing.c.id,
            adopting.c.kind == "adopted",
        )
        .correlate(placing)
    )
    return case(
        (and_(earlier.is_(None), ~adopted), NEW),
        (or_(earlier.is_(None), revised > earlier), REPROCESSED),
    )


def _failed_files(profile: str, after: Mark, until: Mark) -> Any:
    """Files all of whose failed attempts are in the span, and that are not there."""
    event, file, product = tables.event, tables.file, tables.product
    return (
        select(product.c.name, file.c.last_error)
        .join(event, event.c.file_id == file.c.id)
        .join(product, product.c.id == file.c.product_id)
        .join(tables.run, tables.run.c.id == event.c.run_id)
        .where(
            event.c.id > after.event,
            event.c.id <= until.event,
            event.c.kind == FileState.FAILED.value,
            tables.run.c.profile == profile,
            file.c.state.in_((FileState.FAILED.value, FileState.STALE.value)),
            file.c.attempts > 0,
            ~file.c.declined,
        )
        .group_by(file.c.id, product.c.name, file.c.last_error, file.c.attempts)
        .having(func.count() >= file.c.attempts)
        .order_by(product.c.name)
    )


def _run_troubles(connection: Connection, profile: str, after: Mark, until: Mark) -> list[RunTrouble]:
    run = tables.run
    ended = [run.c.profile == profile, run.c.outcome.is_not(None), run.c.outcome != Outcome.CANCELLED.value]
    query = select(run.c.id, run.c.error_kind, run.c.error_message, run.c.error_hint).where(*ended)
    before = connection.execute(query.where(run.c.id <= after.run).order_by(run.c.id.desc()).limit(1)).first()
    rows: Sequence[Any] = connection.execute(
        query.where(run.c.id > after.run, run.c.id <= until.run).order_by(run.c.id)
    ).all()
    kind = before.error_kind if before is not None else None
    found = []
    for row in rows:
        if row.error_kind not in (None, kind, *TOLD_OTHERWISE):
            found.append(
                RunTrouble(run_id=row.id, message=row.error_message or "", hint=row.error_hint or "")
            )
        kind = row.error_kind
    return found
