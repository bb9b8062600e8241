"""Which pairs whole product lists lack: a pair is a product as one observation lists it.

`missing_since` is when a whole list of the observation lacked it first, `missing_at` the same time until
another list, `AGAIN_AFTER` or more later, confirms it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select, tuple_, update

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.store import bulk, tables
from jwstwatch.store.pagemarks import mark_pages_due_for_observations

AGAIN_AFTER = timedelta(hours=24)
"""A product is gone where two whole lists that lie so far apart lack it."""

PairsByParent = Mapping[int, Collection[tuple[int, int]]]
"""By the number of an observation: the (product, obsid) that its product list holds."""


def mark_missing(
    connection: Connection,
    listed: PairsByParent,
    *,
    now: datetime,
    heard_at: datetime | None,
    unheard: Collection[int] = (),
) -> None:
    """Note which known pairs the whole lists of these observations lack; those listed are marked as such.

    An observation whose list is empty may only have another number by now. That nothing is listed of it is
    confirmed where its number is of a query, asked `heard_at`, that would have told of another; it would not
    of the `unheard` ones.
    """
    for parents in bulk.chunks(listed):
        tally = _tally(connection, parents)
        known = [parent for parent in parents if tally.get(parent, (0, 0))[1]]
        limit = now - AGAIN_AFTER
        _confirm(connection, [parent for parent in known if listed[parent]], until=limit, now=now)
        if heard_at is not None:
            empty = [parent for parent in known if not listed[parent] and parent not in unheard]
            _confirm(connection, empty, until=min(limit, heard_at), now=now)
        lacking = [parent for parent in parents if tally.get(parent, (0, 0))[0] != len(listed[parent])]
        _note_all(connection, [parent for parent in lacking if not listed[parent]], now)
        for parent in lacking:
            if listed[parent]:
                _note_lack(connection, parent, listed[parent], now)
        _mark_pages_of_unlisted(connection, lacking, now)


def _mark_pages_of_unlisted(connection: Connection, parents: Sequence[int], now: datetime) -> None:
    """What no list has from now on asks nothing of its sisters any more: gaps may be others."""
    if not parents:
        return
    listing, other, product = tables.listing, tables.listing.alias(), tables.product
    still_listed = exists().where(other.c.product_id == product.c.id, other.c.missing_since.is_(None))
    query = (
        select(product.c.proposal, product.c.obsnum)
        .join(listing, listing.c.product_id == product.c.id)
        .where(listing.c.parent_obsid.in_(parents), listing.c.missing_since == now, ~still_listed)
        .distinct()
    )
    places = {(row.proposal, row.obsnum) for row in connection.execute(query)}
    mark_pages_due_for_observations(connection, places)


def _tally(connection: Connection, parents: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return how many known pairs of each observation are not missing, and how many are."""
    listing = tables.listing
    missing = func.count(listing.c.missing_since)
    query = (
        select(listing.c.parent_obsid, (func.count() - missing).label("there"), missing.label("missing"))
        .where(listing.c.parent_obsid.in_(parents))
        .group_by(listing.c.parent_obsid)
    )
    return {row.parent_obsid: (row.there, row.missing) for row in connection.execute(query)}


def _confirm(connection: Connection, parents: Sequence[int], *, until: datetime, now: datetime) -> None:
    """These lists lack again what was missing at `until` already."""
    if not parents:
        return
    listing = tables.listing
    of_parents = listing.c.parent_obsid.in_(parents)
    connection.execute(
        update(listing)
        .where(of_parents, listing.c.missing_since > now + CLOCKS_DIFFER)
        .values(missing_since=now, missing_at=now)  # what was noted by a clock that was ahead
    )
    connection.execute(
        update(listing).where(of_parents, listing.c.missing_since <= until).values(missing_at=now)
    )


def _note_all(connection: Connection, parents: Sequence[int], now: datetime) -> None:
    if parents:
        listing = tables.listing
        connection.execute(
            update(listing)
            .where(listing.c.parent_obsid.in_(parents), listing.c.missing_since.is_(None))
            .values(missing_since=now, missing_at=now)
        )


def _note_lack(
    connection: Connection, parent: int, listed: Collection[tuple[int, int]], now: datetime
) -> None:
    listing = tables.listing
    query = select(listing.c.product_id, listing.c.obsid).where(
        listing.c.parent_obsid == parent, listing.c.missing_since.is_(None)
    )
    there = set(listed)
    lacking = [
        (row.product_id, row.obsid)
        for row in connection.execute(query)
        if (row.product_id, row.obsid) not in there
    ]
    for some in bulk.chunks(lacking):
        connection.execute(
            update(listing)
            .where(listing.c.parent_obsid == parent, tuple_(listing.c.product_id, listing.c.obsid).in_(some))
            .values(missing_since=now, missing_at=now)
        )


def renumber(connection: Connection, numbers: Mapping[int, int]) -> None:
    """Observations have other numbers: what is known of their lists goes on under those (new by old).

    Where a row is there already under the new number, it stays and the other goes.
    """
    # By way of numbers that nobody has, where one observation got the number that another had.
    crossed = set(numbers.values()) & set(numbers)
    if crossed:
        for old, new in numbers.items():
            _renumber_one(connection, old, -new)
        numbers = {-new: new for new in numbers.values()}
    for old, new in numbers.items():
        _renumber_one(connection, old, new)


def _renumber_one(connection: Connection, old: int, new: int) -> None:
    listing, there = tables.listing, tables.listing.alias()
    own = select(there.c.product_id).where(there.c.parent_obsid == old)
    # Its own products first, wherever they are listed: they are found by its number as a parent.
    rest = (listing.c.product_id.in_(own), listing.c.obsid == old)
    taken = exists().where(
        there.c.product_id == listing.c.product_id,
        there.c.parent_obsid == listing.c.parent_obsid,
        there.c.obsid == new,
    )
    connection.execute(update(listing).where(*rest, ~taken).values(obsid=new))
    connection.execute(delete(listing).where(*rest))
    taken = exists().where(
        there.c.product_id == listing.c.product_id,
        there.c.parent_obsid == new,
        there.c.obsid == listing.c.obsid,
    )
    connection.execute(update(listing).where(listing.c.parent_obsid == old, ~taken).values(parent_obsid=new))
    connection.execute(delete(listing).where(listing.c.parent_obsid == old))
