"""What observations should have and lack, read from the state: one proposal at a time, in few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, union

from jwstwatch.core.dates import from_mjd, to_mjd
from jwstwatch.core.gaps import Copy, Gap, Known, find_gaps, find_part_gaps
from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.naming import parse
from jwstwatch.core.sisters import CandidateFacts, Listed
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import belongs, in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.listings import observation_of

_SOUND = {selected: Copy(state=FileState.PRESENT, selected=selected) for selected in (True, False)}
"""Nearly every copy is one of these: a proposal may have a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Part:
    """One APT observation of a proposal; None stands for what belongs to no single one."""

    obsnum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose files count: those of a profile (None: of any), in a root (None: in any)."""

    profile: str | None = None
    root_id: int | None = None
    part: Part | None = None
    """Only what belongs to one APT observation of the proposal."""


EVERYTHING = Scope()


class Gaps:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def proposals(self, *, profile: str | None = None) -> list[int | None]:
        """Return the proposals whose observations were found, or files are wanted; None for unknown ones."""
        observation, interest = tables.observation, tables.interest
        product, want = tables.product, tables.want
        found = select(observation.c.proposal).join(interest, interest.c.observation_id == observation.c.id)
        wanted = select(product.c.proposal).join(want, want.c.product_id == product.c.id)
        if profile is not None:
            found = found.where(interest.c.profile == profile)
            wanted = wanted.where(want.c.profile == profile)
        with self._database.read() as connection:
            numbers = connection.execute(union(found, wanted)).scalars().all()
        return sorted(numbers, key=lambda number: (number is None, number or 0))

    def of_proposal(
        self, proposal: int | None, *, now: datetime, scope: Scope = EVERYTHING
    ) -> tuple[Gap, ...]:
        """Return the gaps of one proposal, by observation; None stands for files of unknown ones."""
        with self._database.read() as connection:
            return gaps_of(connection, proposal, now=now, scope=scope)


def gaps_of(
    connection: Connection, proposal: int | None, *, now: datetime, scope: Scope = EVERYTHING
) -> tuple[Gap, ...]:
    """Return the gaps of one proposal as seen by a transaction that is open already."""
    observations, unlisted = _observations(connection, proposal, scope)
    known = _known(connection, proposal, scope, now, observations)
    return find_gaps(proposal, known, observations, unlisted=unlisted)


def part_gaps_of(
    connection: Connection, proposal: int, *, now: datetime, scope: Scope
) -> tuple[tuple[Gap, ...], CandidateFacts]:
    """Return the gaps of one APT observation, and what tells which level-3 products there should be."""
    observations, unlisted = _observations(connection, proposal, scope)
    known = _known(connection, proposal, scope, now, observations)
    return find_part_gaps(proposal, known, observations, unlisted=unlisted)


def _known(
    connection: Connection,
    proposal: int | None,
    scope: Scope,
    now: datetime,
    observations: Collection[Observation],
) -> list[Known]:
    copies, dropped = _copies(connection, proposal, scope, now)
    return _products(connection, proposal, scope, observations, copies, dropped)


def _of(table: Any, proposal: int | None, scope: Scope) -> Any:
    """Return the condition for rows of products or observations: of the proposal, and of the part."""
    own = belongs(table.c.proposal, proposal)
    return own if scope.part is None else and_(own, belongs(table.c.obsnum, scope.part.obsnum))


def _observations(
    connection: Connection, proposal: int | None, scope: Scope
) -> tuple[list[Observation], set[str]]:
    """Return the observations that were found, and the `obs_id` of those without a product list so far."""
    observation, interest, listing = tables.observation, tables.interest, tables.listing
    mine = interest.c.observation_id == observation.c.id
    if scope.profile is not None:
        mine = and_(mine, interest.c.profile == scope.profile)
    query = (
        select(
            observation,
            exists().where(listing.c.parent_obsid == observation.c.obsid).label("listed"),
            exists().where(mine, interest.c.products_checked_at.is_not(None)).label("checked"),
        )
        .where(_of(observation, proposal, scope), exists().where(mine))
        .order_by(observation.c.obs_id)
    )
    found, unlisted = [], set()
    for row in connection.execute(query):
        found.append(observation_of(row))
        if not (row.listed or row.checked or found[-1].planned):
            unlisted.add(row.obs_id)
    return found, unlisted


def _copies(
    connection: Connection, proposal: int | None, scope: Scope, now: datetime
) -> tuple[dict[int, list[Copy]], set[int]]:
    """Return the files of each product, and the products of which one was dropped on purpose."""
    file, product, want = tables.file, tables.product, tables.want
    wanted = want.c.file_id == file.c.id
    if scope.profile is not None:
        wanted = and_(wanted, want.c.profile == scope.profile)
    query = (
        # Of a hundred thousand rows every column that nobody reads counts.
        select(
            *(file.c.product_id, file.c.state, file.c.damage, file.c.declined, file.c.unselected),
            *(file.c.size, file.c.revision, file.c.reason, file.c.last_error, file.c.next_attempt_at),
            exists().where(wanted).label("wanted"),
            exists().where(wanted, ~want.c.keeps).label("renewed"),
        )
        .join(product, product.c.id == file.c.product_id)
        .where(_of(product, proposal, scope), ~file.c.superseded)
    )
    if scope.root_id is not None:
        query = query.where(in_root(scope.root_id))
    released = _releases(connection, proposal, scope, now)
    copies: dict[int, list[Copy]] = defaultdict(list)
    dropped: set[int] = set()
    for row in connection.execute(query.order_by(file.c.id)):
        if row.declined:
            dropped.add(row.product_id)
        elif row.state == FileState.PRESENT.value and row.damage is None:
            copies[row.product_id].append(_SOUND[bool(row.wanted)])
        else:
            copies[row.product_id].append(_copy(row, released, scope))
    return copies, dropped


def _copy(row: Any, released: Mapping[int, datetime], scope: Scope) -> Copy:
    state = FileState(row.state)
    withheld = state is FileState.WITHHELD
    # What is gone need not be wanted any more to be missed.
    missed = state is FileState.GONE and scope.profile is None and not row.unselected
    return Copy(
        state=state,
        selected=bool(row.wanted) or missed,
        has_copy=row.state in tables.HAS_COPY and row.size is not None,
        reason=row.last_error if state is FileState.FAILED and row.last_error else row.reason,
        next_at=released.get(row.product_id) if withheld else row.next_attempt_at,
        damage=row.damage,
        keeps=not row.renewed and row.revision is not None,
    )


def _releases(
    connection: Connection, proposal: int | None, scope: Scope, now: datetime
) -> dict[int, datetime]:
    """Return when what is withheld comes out: the first time ahead of those its observations state."""
    file, product = tables.file, tables.product
    listing, observation = tables.listing, tables.observation
    query = (
        select(product.c.id, func.min(observation.c.t_obs_release))
        .join(file, file.c.product_id == product.c.id)
        .join(listing, listing.c.product_id == product.c.id)
        .join(observation, observation.c.obsid == listing.c.parent_obsid)
        .where(
            _of(product, proposal, scope),
            file.c.state == FileState.WITHHELD.value,
            observation.c.t_obs_release > to_mjd(now),
        )
        .group_by(product.c.id)
    )
    found = {}
    for product_id, mjd in connection.execute(query):
        moment = _moment(mjd)
        if moment is not None:
            found[product_id] = moment
    return found


def _moment(mjd: float) -> datetime | None:
    """Return the archive's MJD as a time, None for one that no calendar has."""
    try:
        return from_mjd(mjd)
    except ValueError:
        return None


def _products(
    connection: Connection,
    proposal: int | None,
    scope: Scope,
    observations: Collection[Observation],
    copies: Mapping[int, list[Copy]],
    dropped: Collection[int],
) -> list[Known]:
    """Return every product that the profile's observations list, and every one that has a file."""
    product, listing = tables.product, tables.listing
    query = (
        select(
            product.c.id,
            product.c.name,
            product.c.obsnum,
            func.min(listing.c.obsid).label("own"),
            func.min(listing.c.parent_obsid).label("parent"),
            func.max(listing.c.filters).label("filters"),
            (func.count(listing.c.product_id) - func.count(listing.c.missing_since)).label("rows"),
        )
        .outerjoin(listing, listing.c.product_id == product.c.id)
        .where(_of(product, proposal, scope))
        .group_by(product.c.id, product.c.name, product.c.obsnum)
        .order_by(product.c.name)
    )
    if scope.profile is not None:
        query = query.where(or_(_listed_for(scope.profile), product.c.id.in_(_wanted_by(scope.profile))))
    rows = connection.execute(query).all()
    modes = {observation.obsid: observation.instrument_name for observation in observations}
    if scope.part is not None:
        listing_them = {number for row in rows for number in (row.own, row.parent)}
        modes |= _modes(connection, listing_them - modes.keys())
    superseded = _superseded(connection, proposal, scope)
    return [
        Known(
            product=Listed(
                name=parse(row.name),
                obsnum=row.obsnum,
                mode=modes.get(row.own) or modes.get(row.parent),
                filters=row.filters,
                listed=row.rows > 0 and row.id not in superseded,
            ),
            copies=tuple(copies.get(row.id, ())),
            dropped=row.id in dropped,
        )
        for row in rows
    ]


def _modes(connection: Connection, obsids: Collection[int | None]) -> dict[int, str | None]:
    """Return the modes of observations outside the part, such as those that combine several."""
    observation = tables.observation
    query = select(observation.c.obsid, observation.c.instrument_name)
    found: dict[int, str | None] = {}
    for some in bulk.chunks(sorted(number for number in obsids if number is not None)):
        rows = connection.execute(query.where(observation.c.obsid.in_(some)))
        found.update((row.obsid, row.instrument_name) for row in rows)
    return found


def _listed_for(profile: str) -> Any:
    listing, observation, interest = tables.listing, tables.observation, tables.interest
    found = (
        select(observation.c.obsid)
        .join(interest, interest.c.observation_id == observation.c.id)
        .where(interest.c.profile == profile)
    )
    return listing.c.parent_obsid.in_(found)


def _wanted_by(profile: str) -> Any:
    want = tables.want
    return select(want.c.product_id).where(want.c.profile == profile)


def _superseded(connection: Connection, proposal: int | None, scope: Scope) -> set[int]:
    """Return the associations and pools that newer ones stand in for."""
    file, product = tables.file, tables.product
    query = (
        select(file.c.product_id)
        .join(product, product.c.id == file.c.product_id)
        .where(_of(product, proposal, scope), file.c.superseded)
    )
    return set(connection.execute(query).scalars())
