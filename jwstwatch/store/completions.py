"""Which observations a run completed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import found_by, wanted_by
from jwstwatch.store.engine import Database
from jwstwatch.store.transfers import is_kept

PLACED = ("fetched", "settled")
"""Kinds of events: a verified file was put in place. What was there already and is taken over is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRow:
    """An observation and how many files of it a profile has; `obsnum` is None where theirs differ."""

    obs_id: str
    proposal: int | None
    obsnum: int | None
    files: int


class Completions:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_run(self, run_id: int, profile: str) -> list[CompletedRow]:
        """Return the observations of the profile of which every file that it wants is present now.

        At least one of the files was put in place by this run. What is dropped on purpose, superseded or
        gone from the archive is not waited for, nor a new revision where the profile keeps the older one.
        """
        completed: dict[str, CompletedRow] = {}
        with self._database.read() as connection:
            placed = _placed(connection, run_id)
            touched = _observations(connection, profile, placed)
            for ids in bulk.chunks(sorted(touched)):
                for row in connection.execute(_complete(profile, ids)):
                    completed[row.obs_id] = CompletedRow(
                        obs_id=row.obs_id,
                        proposal=row.proposal,
                        obsnum=row.least if row.least == row.most else None,
                        files=row.files,
                    )
        return [completed[obs_id] for obs_id in sorted(completed)]


def _placed(connection: Connection, run_id: int) -> set[int]:
    """Return the products of which the run put a file in place."""
    event = tables.event
    query = select(event.c.product_id).where(event.c.run_id == run_id, event.c.kind.in_(PLACED))
    return set(connection.execute(query).scalars())


def _observations(connection: Connection, profile: str, product_ids: Collection[int]) -> set[int]:
    """Return the profile's observations that list one of the products."""
    observation, listing, interest = tables.observation, tables.listing, tables.interest
    found: set[int] = set()
    for ids in bulk.chunks(sorted(product_ids)):
        query = (
            select(observation.c.id)
            .join(listing, listing.c.parent_obsid == observation.c.obsid)
            .join(interest, interest.c.observation_id == observation.c.id)
            .where(listing.c.product_id.in_(ids), found_by(profile))
            .distinct()
        )
        found.update(connection.execute(query).scalars())
    return found


def _complete(profile: str, observation_ids: Collection[int]) -> Any:
    """Those of the observations with nothing missing; a product may be listed in several rows of one."""
    observation, listing, want = tables.observation, tables.listing, tables.want
    file, product = tables.file, tables.product
    wanted = (
        select(
            observation.c.id,
            file.c.id.label("file_id"),
            or_(file.c.state == FileState.PRESENT.value, is_kept()).label("there"),
            product.c.obsnum,
        )
        .join(listing, listing.c.parent_obsid == observation.c.obsid)
        .join(file, file.c.product_id == listing.c.product_id)
        .join(want, want.c.file_id == file.c.id)
        .join(product, product.c.id == listing.c.product_id)
        .where(
            observation.c.id.in_(observation_ids),
            wanted_by(profile),
            ~file.c.declined,
            ~file.c.superseded,
            file.c.state != FileState.GONE.value,
        )
        .distinct()
        .subquery()
    )
    missing = func.sum(case((wanted.c.there, 0), else_=1))
    return (
        select(
            observation.c.obs_id,
            observation.c.proposal,
            func.min(wanted.c.obsnum).label("least"),
            func.max(wanted.c.obsnum).label("most"),
            func.count().label("files"),
        )
        .join(wanted, wanted.c.id == observation.c.id)
        .group_by(observation.c.id, observation.c.obs_id, observation.c.proposal)
        .having(missing == 0)
    )
