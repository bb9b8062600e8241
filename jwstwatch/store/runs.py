"""Runs: their beginning, their end, and what a profile remembers from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import BusyError, JwstwatchError
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.liveness import ProcessMark, is_surely_dead, own_mark

SILENCE = timedelta(minutes=5)
"""A run of another host that has not been heard of for so long is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the files that a profile selects, and how much was received (bytes)."""

    observations: int = 0
    downloaded: int = 0
    unchanged: int = 0
    withheld: int = 0
    failed: int = 0
    waiting: int = 0
    bytes: int = 0
    pages: int = 0
    found: int | None = None
    """Observations that this run's query returned; None where it was not answered."""
    from_floor: bool | None = None
    """That query reached back to the profile's floor."""

    @property
    def products(self) -> int:
        """Every product the profile selects is in exactly one of the five."""
        return self.downloaded + self.unchanged + self.withheld + self.failed + self.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One execution of a profile as the state has it; `outcome` is None while it goes on."""

    id: int
    profile: str
    trigger: Trigger
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    counts: Counts = field(default_factory=Counts)
    error_kind: str | None = None
    error_message: str | None = None
    error_hint: str | None = None


class Runs:
    """The run and profile tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, profile: str, trigger: Trigger, *, now: datetime) -> RunRecord:
        """Open a run, or raise `BusyError` where one of this profile goes on.

        A run whose process is dead is closed as cancelled first, and its claims are given back.
        """
        mark = own_mark()
        with self._database.write() as connection:
            bury_dead(connection, now)
            other = connection.execute(
                select(tables.run.c.pid, tables.run.c.host).where(
                    tables.run.c.profile == profile, tables.run.c.outcome.is_(None)
                )
            ).first()
            if other is not None:
                raise BusyError(
                    f"{profile}: a run goes on already (process {other.pid} on {other.host})",
                    hint="Wait for it to end; `jwstwatch status` shows it.",
                )
            run_id = connection.execute(
                tables.run.insert()
                .values(
                    profile=profile,
                    trigger=trigger.value,
                    started_at=now,
                    heartbeat_at=now,
                    host=mark.host,
                    pid=mark.pid,
                    process_start=mark.start,
                )
                .returning(tables.run.c.id)
            ).scalar_one()
        return RunRecord(id=run_id, profile=profile, trigger=trigger, started_at=now)

    def heartbeat(self, run_id: int, *, now: datetime, lease_until: datetime) -> None:
        """Say that the run lives, and keep what it has claimed."""
        with self._database.write() as connection:
            connection.execute(update(tables.run).where(tables.run.c.id == run_id).values(heartbeat_at=now))
            connection.execute(
                update(tables.file).where(tables.file.c.claimed_by == run_id).values(lease_until=lease_until)
            )

    def finish(
        self,
        run: RunRecord,
        outcome: Outcome,
        *,
        counts: Counts,
        error: JwstwatchError | None,
        now: datetime,
    ) -> RunRecord:
        """Close a run: the one exit, also after an error."""
        values = {
            "outcome": outcome.value,
            "finished_at": now,
            "heartbeat_at": now,
            "observations": counts.observations,
            "downloaded": counts.downloaded,
            "unchanged": counts.unchanged,
            "withheld": counts.withheld,
            "failed": counts.failed,
            "waiting": counts.waiting,
            "bytes": counts.bytes,
            "pages": counts.pages,
            "found": counts.found,
            "from_floor": counts.from_floor,
            "error_kind": error.kind if error else None,
            "error_message": error.message if error else None,
            "error_hint": error.hint if error else None,
        }
        with self._database.write() as connection:
            connection.execute(update(tables.run).where(tables.run.c.id == run.id).values(values))
            release_claims(connection, run.id)
            row = connection.execute(select(tables.run).where(tables.run.c.id == run.id)).one()
        return record_of(row)

    def memory(self, profile: str) -> ProfileMemory | None:
        """Return what the profile remembers, None before its first whole listing."""
        with self._database.read() as connection:
            row = connection.execute(select(tables.profile).where(tables.profile.c.name == profile)).first()
        if row is None:
            return None
        return ProfileMemory(
            query_digest=row.query_digest,
            floor=row.floor,
            rechecked_at=row.rechecked_at,
            completed_at=row.completed_at,
            batch=row.batch,
        )

    def remember(self, profile: str, memory: ProfileMemory, *, now: datetime) -> None:
        """Move a profile's cursors; called only once its listing is whole."""
        row = {
            "name": profile,
            "query_digest": memory.query_digest,
            "floor": memory.floor,
            "rechecked_at": memory.rechecked_at,
            "completed_at": memory.completed_at,
            "batch": memory.batch,
            "created_at": now,
        }
        moved = ("query_digest", "floor", "rechecked_at", "completed_at", "batch")
        with self._database.write() as connection:
            bulk.upsert(connection, tables.profile, [row], update=moved)

    def keep_batch(self, profile: str, batch: int) -> None:
        """Keep how large product questions were in the end, of a listing that was not whole."""
        table = tables.profile
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.name == profile).values(batch=batch))

    def approved(self, profile: str) -> int | None:
        """Return the bytes of the largest plan of the profile that somebody said yes to, None for none."""
        with self._database.read() as connection:
            return connection.execute(
                select(tables.profile.c.approved_bytes).where(tables.profile.c.name == profile)
            ).scalar()

    def approve(self, profile: str, size: int | None) -> None:
        """Keep a yes to a plan of `size` bytes, or (None) forget it once the plan is carried out."""
        with self._database.write() as connection:
            connection.execute(
                update(tables.profile).where(tables.profile.c.name == profile).values(approved_bytes=size)
            )

    def last(self, profiles: Sequence[str]) -> dict[str, RunRecord]:
        """Return the newest run of each profile that has one."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.run).where(are_newest_of(profiles))).all()
        return {row.profile: as_it_is(row) for row in rows}

    def history(self, *, profile: str | None, limit: int) -> list[RunRecord]:
        """Return the newest runs, newest first."""
        query = select(tables.run).order_by(tables.run.c.id.desc()).limit(limit)
        if profile is not None:
            query = query.where(tables.run.c.profile == profile)
        with self._database.read() as connection:
            return [as_it_is(row) for row in connection.execute(query)]


def are_newest_of(profiles: Sequence[str], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition for the newest run of each profile for which the conditions hold.

    One question for each, which ends at the first row of an index: years have many runs.
    """
    run = tables.run
    return run.c.id.in_(
        [
            select(func.max(run.c.id)).where(run.c.profile == name, *conditions).scalar_subquery()
            for name in profiles
        ]
    )


KILLED = "killed"
_KILLED_MESSAGE = "the process ended without a word (killed, or the machine went down)"
_KILLED_HINT = "The next run goes on from where this one stopped."


def bury_dead(connection: Connection, now: datetime) -> None:
    """Close the runs whose process is dead, and give back what they had claimed."""
    run = tables.run
    query = select(run.c.id, run.c.host, run.c.pid, run.c.process_start, run.c.heartbeat_at)
    for row in connection.execute(query.where(run.c.outcome.is_(None))).all():
        dead = is_surely_dead(ProcessMark(row.host, row.pid, row.process_start))
        if not dead and now - row.heartbeat_at < SILENCE:
            continue
        if not dead and row.host == own_mark().host:
            continue  # slow, suspended or debugged, but alive
        connection.execute(
            update(run)
            .where(run.c.id == row.id)
            .values(
                outcome=Outcome.CANCELLED.value,
                finished_at=row.heartbeat_at,
                error_kind=KILLED,
                error_message=_KILLED_MESSAGE,
                error_hint=_KILLED_HINT,
            )
        )
        release_claims(connection, row.id)


def release_claims(connection: Connection, run_id: int) -> None:
    """Give back whatever a run had claimed and not finished."""
    connection.execute(
        update(tables.file)
        .where(tables.file.c.claimed_by == run_id)
        .values(claimed_by=None, lease_until=None)
    )


def as_it_is(row: Row[Any]) -> RunRecord:
    """Return a run as it stands: one whose process is surely dead has ended, closed or not."""
    record = record_of(row)
    if record.outcome is not None or not is_surely_dead(ProcessMark(row.host, row.pid, row.process_start)):
        return record
    return replace(
        record,
        outcome=Outcome.CANCELLED,
        finished_at=row.heartbeat_at,
        error_kind=KILLED,
        error_message=_KILLED_MESSAGE,
        error_hint=_KILLED_HINT,
    )


def record_of(row: Row[tuple[object, ...]]) -> RunRecord:
    """Return the run that a row of the run table is."""
    return RunRecord(
        id=row.id,
        profile=row.profile,
        trigger=Trigger(row.trigger),
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        counts=Counts(
            observations=row.observations,
            downloaded=row.downloaded,
            unchanged=row.unchanged,
            withheld=row.withheld,
            failed=row.failed,
            waiting=row.waiting,
            bytes=row.bytes,
            pages=row.pages,
            found=row.found,
            from_floor=row.from_floor,
        ),
        error_kind=row.error_kind,
        error_message=row.error_message,
        error_hint=row.error_hint,
    )
