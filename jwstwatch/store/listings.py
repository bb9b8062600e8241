"""What the archive listed: observations, products, and the pairs of both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.dates import to_mjd
from jwstwatch.core.evidence import Contradiction, PairFacts, listing_contradictions
from jwstwatch.core.model import PLANNED, FileState, ListingRow, Observation
from jwstwatch.core.naming import parse, parse_obs_id
from jwstwatch.core.products import Product
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import absences, bulk, missing, revisions, tables
from jwstwatch.store.conditions import found_by
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_observations, mark_pages_due_for_products
from jwstwatch.store.reservations import waits_for_room

_OBSERVATION_COLUMNS = tuple(field.name for field in fields(Observation) if field.name != "columns")
_OBSERVATION_VALUES = attrgetter(*_OBSERVATION_COLUMNS)
_PAIR_COLUMNS = tuple(name for name in ListingRow._fields if name not in ("uri", "name", "proposal"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedProduct:
    """A product as the state now has it; `revision` counts the contents it has had."""

    id: int
    revision: int
    obsnum: int | None


class Listings:
    """The observation, product and listing tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_observations(
        self, profile: str | None, observations: Sequence[Observation], *, now: datetime, everything: bool
    ) -> None:
        """Keep what an observation query returned, for a profile or (None) for nobody yet.

        A new or changed observation (by every profile that has it), and with `everything` each that the
        profile ever found, has its product list asked for.
        """
        by_id = {observation.obs_id: observation for observation in observations}
        with self._database.write() as connection:
            known = _known_observations(connection, by_id)
            new, changed = _compare_observations(by_id, known)
            missing.renumber(connection, _new_numbers(changed, known))
            ids = {obs_id: row.id for obs_id, row in known.items()}
            ids.update(_insert_observations(connection, new, now))
            for observation in changed:
                connection.execute(
                    update(tables.observation).where(tables.observation.c.id == ids[observation.obs_id]),
                    _observation_values(observation),
                )
            if profile is not None:
                _note_interest(connection, profile, list(ids.values()), again=everything)
            _ask_again(connection, [ids[observation.obs_id] for observation in changed])
            places = {(entry.proposal, parse_obs_id(entry.obs_id).obsnum) for entry in (*new, *changed)}
            mark_pages_due_for_observations(connection, places)

    def due_observations(
        self, profile: str, *, now: datetime, settle: timedelta, recheck: timedelta, quota: int = 0
    ) -> list[int]:
        """Return the `obsid` of each known observation whose product list is wanted now, oldest first.

        Wanted are those never listed, unsettled ones (younger than `settle`, or with files of this profile
        that failed or were released), those last listed `recheck` ago or longer, and in any case the
        `quota` that were listed the longest ago.
        """
        observation, interest = tables.observation, tables.interest
        oldest_first = (
            interest.c.products_checked_at.is_not(None),
            interest.c.products_checked_at,
            interest.c.observation_id,
        )
        oldest = (
            select(interest.c.observation_id)
            .join(observation, observation.c.id == interest.c.observation_id)
            .where(interest.c.profile == profile, _executed())
            .order_by(*oldest_first)
            .limit(quota)
        )
        query = (
            select(observation.c.obsid)
            .join(interest, interest.c.observation_id == observation.c.id)
            .where(
                interest.c.profile == profile,
                _executed(),
                or_(
                    interest.c.products_checked_at.is_(None),
                    interest.c.products_checked_at <= now - recheck,
                    interest.c.products_checked_at > now + CLOCKS_DIFFER,
                    observation.c.t_max > to_mjd(now - settle),
                    and_(observation.c.t_max.is_(None), observation.c.t_min > to_mjd(now - settle)),
                    _has_unsettled_files(profile, to_mjd(now)),
                    interest.c.observation_id.in_(oldest),
                ),
            )
            .order_by(*oldest_first)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def observations(self, obsids: Collection[int]) -> dict[int, Observation]:
        """Return the known observations with these numbers, by number."""
        found = {}
        with self._database.read() as connection:
            for row in _rows_by(connection, tables.observation, "obsid", obsids).values():
                found[row.obsid] = observation_of(row)
        return found

    def count_observations(self, profile: str, *, executed: bool = False) -> int:
        """Return how many observations (or executed ones) the profile's query has found so far."""
        interest, observation = tables.interest, tables.observation
        query = select(func.count()).select_from(interest).where(interest.c.profile == profile)
        if executed:
            query = query.join(observation, observation.c.id == interest.c.observation_id).where(_executed())
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def record_products(
        self,
        run_id: int | None,
        products: Sequence[Product],
        *,
        now: datetime,
        parents: Collection[int] = (),
        heard_at: datetime | None = None,
        unheard: Collection[int] = (),
    ) -> dict[str, RecordedProduct]:
        """Keep what whole product lists returned; a contradicted fact raises the product's revision.

        Every copy of a product whose revision rose becomes stale in the same transaction; where the archive
        did not have the former content, the file is wanted anew. Of the others that it did not have it is
        noted that they are listed all the same. `parents` are the observations whose lists these are, each
        whole: what is known of them and not in it is missing (`heard_at`, `unheard`: see
        `missing.mark_missing`).
        """
        by_uri = {product.uri: product for product in products}
        with self._database.write() as connection:
            known = _rows_by(connection, tables.product, "uri", by_uri)
            pairs = pairs_of(connection, [row.id for row in known.values()])
            recorded = _insert_products(connection, [p for p in products if p.uri not in known], now)
            changed = _changed(connection, known, by_uri, pairs)
            revisions.keep(
                connection,
                [(row, changed[row.id]) for row in known.values() if row.id in changed],
                run_id=run_id,
                now=now,
            )
            for uri, row in known.items():
                recorded[uri] = _update_product(
                    connection, row, by_uri[uri], pairs.get(row.id, {}), changed=row.id in changed, now=now
                )
            _record_pairs(connection, by_uri, recorded, pairs)
            revisions.make_stale(connection, list(changed), now)
            absences.forget(connection, list(changed), now)
            absences.note_still_listed(connection, [row.id for row in known.values()])
            listed = _pairs_by_parent(by_uri, recorded, parents)
            missing.mark_missing(connection, listed, now=now, heard_at=heard_at, unheard=unheard)
        return recorded

    def wanted_products(self, profile: str, product_ids: Collection[int]) -> dict[int, Product]:
        """Return those of the products that the profile wants so far, each with every row known of it."""
        want, product = tables.want, tables.product
        found: dict[int, Product] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(product_ids):
                query = (
                    select(product)
                    .join(want, want.c.product_id == product.c.id)
                    .where(want.c.profile == profile, product.c.id.in_(ids))
                )
                rows = {row.id: row for row in connection.execute(query)}
                pairs = pairs_of(connection, list(rows))
                found.update({key: product_of(row, list(pairs[key].values())) for key, row in rows.items()})
        return found

    def settled(self, profile: str, digests: Mapping[int, str]) -> frozenset[int]:
        """Return those of the observations (by `obsid`) whose product list has nothing to tell any more.

        It says what it said when the profile judged it last (`digests`, see `core.lists`), as many files are
        wanted for it as then, and each is there as this list states it; or it was dropped, or is gone, which
        no list of this observation has to confirm.
        """
        interest, observation = tables.interest, tables.observation
        found: set[int] = set()
        with self._database.read() as connection:
            for obsids in bulk.chunks(digests):
                query = (
                    select(observation.c.obsid, interest.c.digest, interest.c.planned)
                    .join(interest, interest.c.observation_id == observation.c.id)
                    .where(found_by(profile), observation.c.obsid.in_(obsids))
                )
                noted = connection.execute(query).all()
                # A number that two observations have, which one of them had once, says nothing.
                doubtful = {row.obsid for row in noted if row.digest != digests[row.obsid]}
                planned = {row.obsid: row.planned for row in noted if row.obsid not in doubtful}
                known = _known_of_lists(connection, profile, list(planned))
                for obsid, files in planned.items():
                    if known.get(obsid, _NOTHING_KNOWN) == _KnownOfList(files=files, quiet=files, doubtful=0):
                        found.add(obsid)
        return frozenset(found)

    def mark_checked(
        self,
        profile: str,
        obsids: Collection[int],
        *,
        now: datetime,
        digests: Mapping[int, str] | None = None,
    ) -> None:
        """Note that the product lists of these observations were whole, and what they need is planned.

        `digests` are those of lists that need not be judged again while they say the same; without it, what
        was noted of them stays as it is.
        """
        if not obsids:
            return
        interest, observation = tables.interest, tables.observation
        with self._database.write() as connection:
            _mark_pages_of_unchecked(connection, obsids)
            for chunk in bulk.chunks(obsids):
                listed = select(observation.c.id).where(observation.c.obsid.in_(chunk))
                connection.execute(
                    update(interest)
                    .where(interest.c.profile == profile, interest.c.observation_id.in_(listed))
                    .values(products_checked_at=now)
                )
            if digests is not None:
                _keep_digests(connection, profile, obsids, digests)


class _KnownOfList(NamedTuple):
    """Of one product list: files that the profile wants, those of which nothing is to be done.

    `doubtful` are rows that it once had and lacks now, which another list has to confirm: whoever wants the
    file, or nobody, as also what has no copy may be superseded by then.
    """

    files: int
    quiet: int
    doubtful: int


_NOTHING_KNOWN = _KnownOfList(0, 0, 0)


def _known_of_lists(connection: Connection, profile: str, obsids: Sequence[int]) -> dict[int, _KnownOfList]:
    """Return what is known of each list of which anything is."""
    listing, file, want = tables.listing, tables.file, tables.want
    there = and_(
        listing.c.missing_since.is_(None),
        file.c.state == FileState.PRESENT.value,
        # Pairs of an older revision are yet to be recorded for this one.
        file.c.revision == listing.c.revision,
    )
    gone = and_(listing.c.missing_at > listing.c.missing_since, file.c.state == FileState.GONE.value)
    quiet = and_(want.c.file_id.is_not(None), or_(file.c.declined, there, gone))
    unconfirmed = and_(
        listing.c.missing_since.is_not(None),
        or_(listing.c.missing_at.is_(None), listing.c.missing_at <= listing.c.missing_since),
    )
    query = (
        select(listing.c.parent_obsid, func.count(want.c.file_id), _how_many(quiet), _how_many(unconfirmed))
        # Outer joins: inner ones would begin at all that the profile wants.
        .outerjoin(file, file.c.product_id == listing.c.product_id)
        .outerjoin(want, and_(want.c.file_id == file.c.id, want.c.profile == profile))
        .where(listing.c.parent_obsid.in_(obsids))
        .group_by(listing.c.parent_obsid)
    )
    return {obsid: _KnownOfList(*map(int, known)) for obsid, *known in connection.execute(query)}


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _keep_digests(
    connection: Connection, profile: str, obsids: Collection[int], digests: Mapping[int, str]
) -> None:
    """Note what the lists said, and for how many files; of one without a digest nothing is known."""
    interest, observation = tables.interest, tables.observation
    change = (
        update(interest)
        .where(
            interest.c.profile == profile,
            interest.c.observation_id.in_(
                select(observation.c.id).where(observation.c.obsid == bindparam("number"))
            ),
        )
        .values(digest=bindparam("said"), planned=bindparam("files"))
    )
    for chunk in bulk.chunks(obsids):
        known = _known_of_lists(connection, profile, chunk)
        noted = [
            {"number": obsid, "said": digests.get(obsid), "files": known.get(obsid, _NOTHING_KNOWN).files}
            for obsid in chunk
        ]
        connection.execute(change, noted)


def _mark_pages_of_unchecked(connection: Connection, obsids: Collection[int]) -> None:
    """Their pages said that nobody has asked for the product lists of some of these so far."""
    interest, observation = tables.interest, tables.observation
    for many in bulk.chunks(obsids, 10_000):
        unchecked = (
            select(observation.c.proposal, observation.c.obsnum)
            .join(interest, interest.c.observation_id == observation.c.id)
            .where(observation.c.obsid.in_(many), interest.c.products_checked_at.is_(None))
            .distinct()
        )
        places = {(row.proposal, row.obsnum) for row in connection.execute(unchecked)}
        mark_pages_due_for_observations(connection, places)


def _note_interest(connection: Connection, profile: str, found: Sequence[int], *, again: bool) -> None:
    interest = tables.interest
    fresh = set(found)
    for chunk in bulk.chunks(found):
        known = select(interest.c.observation_id).where(
            interest.c.profile == profile, interest.c.observation_id.in_(chunk)
        )
        fresh.difference_update(connection.execute(known).scalars())
    rows = [{"profile": profile, "observation_id": key, "products_checked_at": None} for key in sorted(fresh)]
    bulk.upsert(connection, interest, rows, update=())
    if again:
        # Also what the query finds no longer: its files are judged by the rules of today.
        connection.execute(
            update(tables.interest)
            .where(tables.interest.c.profile == profile)
            .values(products_checked_at=None, digest=None)
        )


def _ask_again(connection: Connection, observation_ids: Sequence[int]) -> None:
    """Whoever heard of it first: the product list is wanted by every profile with such an observation."""
    for chunk in bulk.chunks(observation_ids):
        connection.execute(
            update(tables.interest)
            .where(tables.interest.c.observation_id.in_(chunk))
            .values(products_checked_at=None, digest=None)
        )


def _executed() -> Any:
    """There are data: of what is planned, no product list is asked."""
    level = tables.observation.c.calib_level
    return or_(level.is_(None), level != PLANNED)


def _has_unsettled_files(profile: str, now_mjd: float) -> Any:
    """Files of the observation are missing, failed, or are withheld though it is released by now.

    A file that the archive lists and does not have unsettles it no longer once that is certain, and one that
    waits for room never does: what it lacks is not the archive's to say.
    """
    listing, file, observation, want = tables.listing, tables.file, tables.observation, tables.want

    def parents(state: FileState) -> Any:
        # Begins at the few files of the state, not at every observation.
        return (
            select(listing.c.parent_obsid)
            .join(file, file.c.product_id == listing.c.product_id)
            .join(want, want.c.file_id == file.c.id)
            .where(
                file.c.state == state.value,
                ~file.c.declined,
                want.c.profile == profile,
                func.coalesce(file.c.failure_kind, "") != FailureKind.ABSENT.value,
                or_(file.c.reason.is_(None), ~waits_for_room()),
            )
        )

    released = observation.c.t_obs_release <= now_mjd
    return or_(
        observation.c.obsid.in_(parents(FileState.WANTED)),
        observation.c.obsid.in_(parents(FileState.FAILED)),
        and_(released, observation.c.obsid.in_(parents(FileState.WITHHELD))),
    )


def _rows_by(connection: Connection, table: Any, column: str, keys: Iterable[Any]) -> dict[Any, Row[Any]]:
    found = {}
    for chunk in bulk.chunks(keys):
        for row in connection.execute(select(table).where(table.c[column].in_(chunk))):
            found[getattr(row, column)] = row
    return found


def _known_observations(connection: Connection, obs_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Return the rows of observations by `obs_id`: the values in the order of our type, then `id`."""
    table = tables.observation
    columns = [table.c[name] for name in _OBSERVATION_COLUMNS]
    found: dict[str, Any] = {}
    for chunk in bulk.chunks(obs_ids):
        for row in connection.execute(select(*columns, table.c.id).where(table.c.obs_id.in_(chunk))):
            found[row.obs_id] = row
    return found


def _compare_observations(
    listed: Mapping[str, Observation], known: Mapping[str, Row[Any]]
) -> tuple[list[Observation], list[Observation]]:
    new = [observation for obs_id, observation in listed.items() if obs_id not in known]
    changed = [
        observation
        for obs_id, observation in listed.items()
        # As tuples: nearly all of the thousands are what they were.
        if obs_id in known and known[obs_id][:-1] != _OBSERVATION_VALUES(observation)
    ]
    return new, changed


def _new_numbers(changed: Iterable[Observation], known: Mapping[str, Row[Any]]) -> dict[int, int]:
    """Return the numbers that observations had until now, with those that they have."""
    numbers = {known[entry.obs_id].obsid: entry.obsid for entry in changed}
    return {old: new for old, new in numbers.items() if old != new}


def _observation_values(observation: Observation) -> dict[str, Any]:
    return {name: getattr(observation, name) for name in _OBSERVATION_COLUMNS}


def observation_of(row: Row[Any]) -> Observation:
    """Return the observation that a row of the observation table is."""
    return Observation(**{name: getattr(row, name) for name in _OBSERVATION_COLUMNS})


def product_of(row: Row[Any], pairs: Sequence[Row[Any]]) -> Product:
    """Return the product that a row of the product table and its listing rows are."""
    return Product(
        uri=row.uri,
        name=row.name,
        parsed=parse(row.name),
        rows=tuple(listing_row_of(row, pair) for pair in pairs),
        proposal=row.proposal,
        obsnum=row.obsnum,
        filetype=row.filetype,
        size=row.size,
        exclusive=row.exclusive,
    )


def listing_row_of(product: Row[Any], pair: Row[Any]) -> ListingRow:
    """Return the listing row that a pair of the listing table is."""
    stated = {name: getattr(pair, name) for name in _PAIR_COLUMNS}
    return ListingRow(uri=product.uri, name=product.name, proposal=product.proposal, **stated)


def _insert_observations(
    connection: Connection, observations: Sequence[Observation], now: datetime
) -> dict[str, int]:
    if not observations:
        return {}
    rows = [
        _observation_values(entry) | {"obsnum": parse_obs_id(entry.obs_id).obsnum, "first_seen_at": now}
        for entry in observations
    ]
    table = tables.observation
    inserted = connection.execute(table.insert().returning(table.c.obs_id, table.c.id), rows)
    return {row.obs_id: row.id for row in inserted}


def pairs_of(
    connection: Connection, product_ids: Sequence[int]
) -> dict[int, dict[tuple[int, int], Row[Any]]]:
    """Return the listing rows of products, by product and (parent_obsid, obsid)."""
    found: dict[int, dict[tuple[int, int], Row[Any]]] = defaultdict(dict)
    table = tables.listing
    for chunk in bulk.chunks(product_ids):
        for row in connection.execute(select(table).where(table.c.product_id.in_(chunk))):
            found[row.product_id][(row.parent_obsid, row.obsid)] = row
    return found


def _insert_products(
    connection: Connection, products: Sequence[Product], now: datetime
) -> dict[str, RecordedProduct]:
    if not products:
        return {}
    rows = [
        {
            "uri": product.uri,
            "name": product.name,
            "proposal": product.proposal,
            "obsnum": product.obsnum,
            "filetype": product.filetype,
            "size": product.size,
            "exclusive": product.exclusive,
            "revision": 1,
            "first_seen_at": now,
            "changed_at": now,
        }
        for product in products
    ]
    table = tables.product
    inserted = connection.execute(table.insert().returning(table.c.uri, table.c.id, table.c.obsnum), rows)
    mark_pages_due_for_observations(connection, {(product.proposal, product.obsnum) for product in products})
    return {row.uri: RecordedProduct(id=row.id, revision=1, obsnum=row.obsnum) for row in inserted}


def _changed(
    connection: Connection,
    known: Mapping[str, Row[Any]],
    products: Mapping[str, Product],
    pairs: Mapping[int, Mapping[tuple[int, int], Row[Any]]],
) -> dict[int, tuple[Contradiction, ...]]:
    """Return the products that have another content by what is listed now, each with what tells of it."""
    found = {}
    for uri, row in known.items():
        stated = {
            key: PairFacts(size=pair.size, prvversion=pair.prvversion, revision=pair.revision)
            for key, pair in _renumbered(pairs.get(row.id, {}), products[uri].rows).items()
        }
        entries = listing_contradictions(stated, products[uri].rows, revision=row.revision)
        if entries:
            found[row.id] = (row, entries)
    return revisions.contradicted(connection, found)


def _renumbered(
    pairs: Mapping[tuple[int, int], Row[Any]], rows: Iterable[ListingRow]
) -> Mapping[tuple[int, int], Row[Any]]:
    """Return the known pairs of a product, also under the numbers that their observations have today.

    An observation is its `obs_id`: one that no query finds gets another number without a word.
    """
    new = [row for row in rows if (row.parent_obsid, row.obsid) not in pairs]
    if not new or not pairs:
        return pairs
    listed = {(row.parent_obsid, row.obsid) for row in rows}
    former: dict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for key, pair in pairs.items():
        if key not in listed:
            former[pair.parent_obsid, pair.obs_id].append(pair)
    found = dict(pairs)
    for row in new:
        alike = former.get((row.parent_obsid, row.obs_id), [])
        if alike:
            # Of several numbers that it had, what was recorded for the latest revision counts.
            found[row.parent_obsid, row.obsid] = max(alike, key=lambda pair: pair.revision)
    return found


def _update_product(
    connection: Connection,
    row: Row[Any],
    product: Product,
    pairs: Mapping[tuple[int, int], Row[Any]],
    *,
    changed: bool,
    now: datetime,
) -> RecordedProduct:
    values: dict[str, Any] = {}
    if changed:
        values = {"revision": row.revision + 1, "changed_at": now, "facts": None}
    if changed or not _still_stated(row, product, pairs):
        values |= {"size": product.size} if product.size not in (None, row.size) else {}
    if product.exclusive != row.exclusive:
        values["exclusive"] = product.exclusive
    for name in ("proposal", "obsnum"):  # decided once, as the path that is made of them
        if getattr(row, name) is None and getattr(product, name) is not None:
            values[name] = getattr(product, name)
    if values:
        if {"proposal", "obsnum"} & values.keys():
            mark_pages_due_for_products(connection, [row.id])  # it leaves the part that showed it so far
        connection.execute(update(tables.product).where(tables.product.c.id == row.id).values(values))
        mark_pages_due_for_products(connection, [row.id])
    return RecordedProduct(
        id=row.id, revision=values.get("revision", row.revision), obsnum=values.get("obsnum", row.obsnum)
    )


def _still_stated(row: Row[Any], product: Product, pairs: Mapping[tuple[int, int], Row[Any]]) -> bool:
    """Some row states the product's size as before: one that always stated another does not count."""
    sizes = {key: pair.size for key, pair in pairs.items() if pair.revision == row.revision}
    sizes.update({(r.parent_obsid, r.obsid): r.size for r in product.rows if r.size is not None})
    return row.size is not None and row.size in sizes.values()


def _pairs_by_parent(
    products: Mapping[str, Product], recorded: Mapping[str, RecordedProduct], parents: Collection[int]
) -> dict[int, set[tuple[int, int]]]:
    listed: dict[int, set[tuple[int, int]]] = {parent: set() for parent in parents}
    for uri, product in products.items():
        for row in product.rows:
            if row.parent_obsid in listed:
                listed[row.parent_obsid].add((recorded[uri].id, row.obsid))
    return listed


def _record_pairs(
    connection: Connection,
    products: Mapping[str, Product],
    recorded: Mapping[str, RecordedProduct],
    pairs: Mapping[int, Mapping[tuple[int, int], Row[Any]]],
) -> None:
    rows = []
    places: set[tuple[int | None, int | None]] = set()
    for uri, product in products.items():
        entry = recorded[uri]
        known = pairs.get(entry.id, {})
        for listed in product.rows:
            before = known.get((listed.parent_obsid, listed.obsid))
            values = {name: getattr(listed, name) for name in _PAIR_COLUMNS}
            if before is not None and before.revision == entry.revision:
                # A fact that is missing today keeps the value it was last stated with.
                values["size"] = listed.size if listed.size is not None else before.size
                values["prvversion"] = listed.prvversion or before.prvversion
                stated = all(getattr(before, name) == value for name, value in values.items())
                if stated and before.missing_since is None:
                    continue
            values |= {"missing_since": None, "missing_at": None}
            rows.append(values | {"product_id": entry.id, "revision": entry.revision})
            if known and (before is not None or _speaks_best(listed, product.name, known.values())):
                places.add((product.proposal, entry.obsnum))
    bulk.upsert(connection, tables.listing, rows)
    mark_pages_due_for_observations(connection, places)


def _speaks_best(listed: ListingRow, name: str, known: Iterable[Row[Any]]) -> bool:
    """Tell whether a row that is new is the one of which pages tell; see `parts`."""

    def rank(row: Any) -> tuple[bool, int, int]:
        return not name.startswith(row.obs_id + "_"), row.parent_obsid, row.obsid

    return rank(listed) < min(map(rank, known))
