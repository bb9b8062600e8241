"""What goes on and what is awaited: runs that live, runs that ended, and when withheld files are released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, exists, func, select

from jwstwatch.core.dates import from_mjd, to_mjd
from jwstwatch.core.model import FileState, Trigger
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.liveness import ProcessMark, is_surely_dead, own_mark
from jwstwatch.store.runs import SILENCE, RunRecord, are_newest_of, record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run without an end: `lives` is False where its process is gone, or has been silent for long."""

    id: int
    profile: str
    trigger: Trigger
    started_at: datetime
    host: str
    pid: int
    lives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Files that wait for the same thing; `released_at` is None where the archive names no date.

    `size` in bytes, as listed.
    """

    reason: str | None
    released_at: datetime | None
    files: int
    size: int


class Outlook:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_runs(self, *, now: datetime) -> list[OpenRun]:
        """Return the runs that have not ended, and those of a killed process that nobody has closed yet."""
        run = tables.run
        query = select(run).where(run.c.outcome.is_(None)).order_by(run.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        here = own_mark().host
        return [
            OpenRun(
                id=row.id,
                profile=row.profile,
                trigger=Trigger(row.trigger),
                started_at=row.started_at,
                host=row.host,
                pid=row.pid,
                # Slow, suspended or debugged is alive; only another host's process cannot be looked at.
                lives=not is_surely_dead(ProcessMark(row.host, row.pid, row.process_start))
                and (row.host == here or now - row.heartbeat_at < SILENCE),
            )
            for row in rows
        ]

    def last_ended(self, profiles: Sequence[str]) -> dict[str, RunRecord]:
        """Return the newest run of each profile that has ended."""
        run = tables.run
        newest = are_newest_of(profiles, run.c.outcome.is_not(None))
        with self._database.read() as connection:
            rows = connection.execute(select(run).where(newest)).all()
        return {row.profile: record_of(row) for row in rows}

    def withheld(self, profile: str, *, now: datetime) -> list[Withheld]:
        """Return what a profile may not have yet, the next to be released first.

        Of several observations that list a file the first one to come counts, else the last that passed.
        """
        file, want, product = tables.file, tables.want, tables.product
        listing, observation = tables.listing, tables.observation
        release = observation.c.t_obs_release
        coming = func.min(case((release > to_mjd(now), release)))
        each = (
            select(
                file.c.reason,
                product.c.size,
                func.coalesce(coming, func.max(release)).label("release"),
            )
            .select_from(file)
            .join(product, product.c.id == file.c.product_id)
            .outerjoin(listing, listing.c.product_id == product.c.id)
            .outerjoin(observation, observation.c.obsid == listing.c.parent_obsid)
            .where(
                file.c.state == FileState.WITHHELD.value,
                ~file.c.declined,
                # Begins at what is withheld, not at all that the profile wants.
                exists().where(want.c.profile == profile, want.c.file_id == file.c.id),
            )
            .group_by(file.c.id, file.c.reason, product.c.size)
            .subquery()
        )
        query = (
            select(each.c.reason, each.c.release, func.count().label("files"), func.sum(each.c.size))
            .group_by(each.c.reason, each.c.release)
            .order_by(each.c.release.asc().nulls_last(), each.c.reason)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Withheld(
                reason=reason,
                released_at=_moment(mjd),
                files=int(files),
                size=int(size or 0),
            )
            for reason, mjd, files, size in rows
        ]


def _moment(mjd: float | None) -> datetime | None:
    """Return the archive's MJD as a time, None for one that no calendar has."""
    try:
        return None if mjd is None else from_mjd(mjd)
    except ValueError:
        return None
