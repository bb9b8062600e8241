"""Files that are gone: the archive lists them no longer, as two whole lists of every observation confirm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, true, update

from jwstwatch.core.model import PLANNED, FileState
from jwstwatch.store import bulk, events, superseding, tables
from jwstwatch.store.conditions import found_by, in_state
from jwstwatch.store.engine import Database
from jwstwatch.store.missing import AGAIN_AFTER
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.tallies import tallies

UNLISTED = "the archive no longer lists it"

_SHOWN = 3
"""Names that are told, of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """How many files of a profile the archive lists no longer, of how many that it has.

    `confirmed` would be gone now, `missing` are besides those that one list only lacks so far. Superseded
    ones are not counted.
    """

    confirmed: int = 0
    missing: int = 0
    files: int = 0
    since: datetime | None = None
    examples: tuple[str, ...] = ()


class Withdrawals:
    """The pairs of the listing table that are missing, and the files that are gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(
        self, profile: str, configured: Collection[str], *, now: datetime, heard_at: datetime | None
    ) -> list[int]:
        """Return the `obsid` of the profile's observations that are to be asked once more.

        Their lists lacked, `AGAIN_AFTER` ago, a product that the profile wants and no list of what the
        `configured` profiles found has. An empty list has nothing to confirm before a query, last asked
        `heard_at`, would have told of another number.
        """
        pair, observation = tables.listing.alias(), tables.observation
        # Begins at the few pairs that are missing.
        query = (
            select(observation.c.obsid)
            .join(pair, pair.c.parent_obsid == observation.c.obsid)
            .where(
                pair.c.missing_since.is_not(None),
                _is_sought(observation, [profile]),
                _executed(),
                _is_to_be_confirmed(pair, now),
                _is_listed(pair.c.parent_obsid)
                if heard_at is None
                else or_(_is_listed(pair.c.parent_obsid), pair.c.missing_since <= heard_at),
                _has_living_file(profile, pair),
                ~_exists_pair(pair.c.product_id, lambda other: other.c.missing_since.is_(None), configured),
            )
            .distinct()
            .order_by(observation.c.obsid)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def due_elsewhere(self, profile: str, configured: Collection[str], *, now: datetime) -> list[int]:
        """Return the `obsid` of observations that nobody asks for and that keep a product from being gone.

        No list of what the `configured` profiles found has it, which is confirmed.
        """
        pair, observation = tables.listing.alias(), tables.observation
        missing = select(tables.listing.c.product_id).where(tables.listing.c.missing_since.is_not(None))
        query = (
            select(observation.c.obsid)
            .join(pair, pair.c.parent_obsid == observation.c.obsid)
            .where(
                pair.c.product_id.in_(missing),
                _executed(),
                ~_is_sought(observation, configured),
                or_(pair.c.missing_since.is_(None), _is_to_be_confirmed(pair, now)),
                _has_living_file(profile, pair),
                _exists_pair(pair.c.product_id, _is_confirmed, configured),
                ~_exists_pair(pair.c.product_id, lambda other: ~_is_confirmed(other), configured),
            )
            .distinct()
            .order_by(observation.c.obsid)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def withdrawn(self, profile: str) -> Withdrawn:
        """Return how many of the profile's files the archive lists no longer."""
        file, product = tables.file, tables.product
        lost = and_(_may_be_gone(profile, _is_confirmed), ~file.c.superseded)
        with self._database.read() as connection:
            confirmed = connection.execute(select(func.count()).select_from(file).where(lost)).scalar_one()
            if not confirmed:
                return Withdrawn()
            in_doubt = and_(_may_be_gone(profile, _is_missing), ~file.c.superseded)
            missing = connection.execute(select(func.count()).select_from(file).where(in_doubt)).scalar_one()
            wanted = sum(
                tally.files
                for tally in tallies(connection, profile)
                if not tally.declined and not tally.superseded and tally.state is not FileState.GONE
            )
            named = select(product.c.name).join(file, file.c.product_id == product.c.id).where(lost)
            since = (
                select(func.min(tables.listing.c.missing_since))
                .join(file, file.c.product_id == tables.listing.c.product_id)
                .where(lost)
            )
            return Withdrawn(
                confirmed=confirmed,
                missing=missing - confirmed,
                files=wanted,
                since=connection.execute(since).scalar_one(),
                examples=tuple(connection.execute(named.order_by(product.c.name).limit(_SHOWN)).scalars()),
            )

    def mark_gone(
        self, profile: str, *, run_id: int | None, now: datetime, superseded_only: bool = False
    ) -> list[int]:
        """What the archive lists no longer, of the profile's files, is gone; returns the products.

        Copies are kept; what has none is tried no more.
        """
        file = tables.file
        gone = and_(_may_be_gone(profile, _is_confirmed), file.c.superseded if superseded_only else true())
        with self._database.read() as connection:
            alike = _to_be_gone(connection, gone)
        if not alike:
            return []  # the usual case costs no write
        with self._database.write() as connection:
            changed = _set_gone(connection, alike, gone, now)
            happened = [
                events.Event(
                    product_id=row.product_id,
                    file_id=row.id,
                    run_id=run_id,
                    kind=FileState.GONE.value,
                    detail=row.reason,
                )
                for row in changed
            ]
            events.record(connection, happened, now=now)
            mark_pages_due_for_files(connection, [row.id for row in changed])
            superseding.judge(connection, {row.product_id for row in changed}, run_id=run_id, now=now)
        return sorted({row.product_id for row in changed})

    def supersede(self, product_ids: Collection[int], *, run_id: int | None, now: datetime) -> None:
        """Of the editions of these associations and pools, flag the files of all but the newest."""
        with self._database.write() as connection:
            superseding.judge(connection, product_ids, run_id=run_id, now=now)


def _to_be_gone(connection: Connection, gone: ColumnElement[bool]) -> dict[tuple[str, bool], list[int]]:
    """Return the files for which the condition holds, by the reason to give and whether they have a copy."""
    file, listing = tables.file, tables.listing
    since = (
        select(func.max(listing.c.missing_since))
        .where(listing.c.product_id == file.c.product_id)
        .scalar_subquery()
    )
    alike: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in connection.execute(select(file.c.id, file.c.state, since.label("since")).where(gone)):
        reason = f"{UNLISTED} (since {row.since:%Y-%m-%d})"
        alike[reason, row.state in tables.HAS_COPY].append(row.id)
    return alike


def _set_gone(
    connection: Connection,
    alike: Mapping[tuple[str, bool], Sequence[int]],
    gone: ColumnElement[bool],
    now: datetime,
) -> list[Any]:
    file = tables.file
    changed: list[Any] = []
    for (reason, has_copy), ids in alike.items():
        values = {
            "state": FileState.GONE.value,
            "reason": reason,
            **tables.NEVER_TRIED,
            "changed_at": now,
            **({} if has_copy else tables.NO_COPY),
        }
        there = in_state(tables.HAS_COPY)
        as_seen = there if has_copy else ~there
        for some in bulk.chunks(ids):
            # Another run may have begun to fetch one meanwhile, or heard that it is listed.
            statement = update(file).where(file.c.id.in_(some), gone, as_seen).values(values)
            changed += connection.execute(
                statement.returning(file.c.id, file.c.product_id, file.c.reason)
            ).all()
    return changed


def _executed() -> ColumnElement[bool]:
    level = tables.observation.c.calib_level
    return or_(level.is_(None), level != PLANNED)


def _is_missing(pair: Any) -> ColumnElement[bool]:
    return and_(pair.c.missing_since.is_not(None), pair.c.missing_at.is_not(None))


def _is_confirmed(pair: Any) -> ColumnElement[bool]:
    return and_(_is_missing(pair), pair.c.missing_at > pair.c.missing_since)


def _is_to_be_confirmed(pair: Any, now: datetime) -> ColumnElement[bool]:
    return and_(pair.c.missing_since <= now - AGAIN_AFTER, pair.c.missing_at == pair.c.missing_since)


def _is_listed(parent: Any) -> ColumnElement[bool]:
    """The observation's list was not empty."""
    other = tables.listing.alias()
    return exists().where(other.c.parent_obsid == parent, other.c.missing_since.is_(None))


def _is_sought(observation: Any, profiles: Collection[str]) -> ColumnElement[bool]:
    """One of the profiles has found the observation, and asks for its list."""
    interest = tables.interest
    return exists().where(
        interest.c.observation_id == observation.c.id, interest.c.profile.in_(sorted(profiles))
    )


def _exists_pair(product_id: Any, condition: Any, profiles: Collection[str] | None) -> ColumnElement[bool]:
    """A pair of the product with which the condition holds, of an observation that is known (or sought).

    A pair under a number that no observation has any more says nothing.
    """
    pair, observation = tables.listing.alias(), tables.observation.alias()
    found = exists().where(
        pair.c.product_id == product_id, observation.c.obsid == pair.c.parent_obsid, condition(pair)
    )
    return found if profiles is None else found.where(_is_sought(observation, profiles))


def _has_living_file(profile: str, pair: Any) -> ColumnElement[bool]:
    """The profile wants a file of the product that is not gone yet."""
    file, want = tables.file, tables.want
    return exists().where(
        want.c.profile == profile,
        want.c.product_id == pair.c.product_id,
        file.c.id == want.c.file_id,
        file.c.state != FileState.GONE.value,
        ~file.c.declined,
    )


def is_idle() -> ColumnElement[bool]:
    """Return the condition for files that no run is at work on."""
    file, run, intent = tables.file, tables.run, tables.intent
    busy = file.c.claimed_by.in_(select(run.c.id).where(run.c.outcome.is_(None)))
    return and_(or_(file.c.claimed_by.is_(None), ~busy), ~exists().where(intent.c.file_id == file.c.id))


def _may_be_gone(profile: str, condition: Any) -> ColumnElement[bool]:
    """A file that is not gone, of whose pairs the condition holds: of all, and of one at least.

    It is one that the profile wants, or that nobody wants and an observation of the profile lists.
    """
    file, want, interest = tables.file, tables.want, tables.interest
    pair, observation = tables.listing.alias(), tables.observation.alias()
    found = exists().where(
        pair.c.product_id == file.c.product_id,
        observation.c.obsid == pair.c.parent_obsid,
        interest.c.observation_id == observation.c.id,
        found_by(profile),
    )
    mine = or_(
        exists().where(want.c.profile == profile, want.c.file_id == file.c.id),
        and_(~exists().where(want.c.file_id == file.c.id), found),
    )
    # Begins at the few products that are missing somewhere.
    missing = select(tables.listing.c.product_id).where(tables.listing.c.missing_since.is_not(None))
    product_id = file.c.product_id
    return and_(
        product_id.in_(missing),
        file.c.state != FileState.GONE.value,
        ~file.c.declined,
        _exists_pair(product_id, condition, None),
        ~_exists_pair(product_id, lambda other: ~condition(other), None),
        mine,
        is_idle(),
    )
