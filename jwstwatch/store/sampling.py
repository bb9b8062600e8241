"""Which present files' validators are to be compared with the archive's, and how true past alarms were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    JSON,
    Connection,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.evidence import Fact
from jwstwatch.core.keywords import CHECKSUM, RECEIVED_MD5
from jwstwatch.core.sampling import DAY, ETAG, INTERVAL, Alarm, accusers
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import is_present
from jwstwatch.store.engine import Database

_BLOCK = 50_000
"""Products never asked for that one run looks at, at most: a blink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A product with a present copy, and what the services stated of its present revision."""

    product_id: int
    uri: str
    name: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many of a profile's products were asked for within the last day, and when last.

    Where none was, `last` is when the profile began; None where it has not.
    """

    count: int
    last: datetime | None


class Sampling:
    """The sampled products of the product table, and the version and replaced tables for what came of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def asked(self, profile: str, *, now: datetime) -> Asked:
        """Return what was asked for on behalf of a profile; times ahead were told by a wrong clock."""
        product = tables.product
        mine = exists().where(tables.want.c.profile == profile, tables.want.c.product_id == product.c.id)
        query = select(func.count(), func.max(product.c.sampled_at)).where(
            product.c.sampled_at > now - DAY, product.c.sampled_at <= now + CLOCKS_DIFFER, mine
        )
        began = select(tables.profile.c.created_at).where(tables.profile.c.name == profile)
        with self._database.read() as connection:
            count, last = connection.execute(query).one()
            return Asked(count=count, last=last or connection.execute(began).scalar())

    def due(self, profile: str, *, validators: Collection[str], limit: int, now: datetime) -> list[Candidate]:
        """Return products of the profile whose `validators` are to be compared, longest not asked for first.

        Of each a copy of the present revision is there and in use, what was stated of it would be evidence,
        and the keyword service's checksum does not cover it: the copy came with another, or before any was
        stated, and may be older. Of very many that were never asked for only some are looked at, which ones
        is left to chance: what `now` ends in.
        """
        product = tables.product
        query = (
            select(product.c.id, product.c.uri, product.c.name, product.c.facts)
            .where(
                _has_copy(profile, now),
                bulk.any_of([_states(validator) for validator in sorted(validators)]),
                ~_is_covered(),
            )
            .order_by(product.c.sampled_at, product.c.id)
        )
        found: list[Candidate] = []
        with self._database.read() as connection:
            # One statement for each: of the three together SQLite would walk through all products.
            for when in (
                _never_asked(connection, now),
                product.c.sampled_at <= now - INTERVAL,
                product.c.sampled_at > now + CLOCKS_DIFFER,
            ):
                some = query.where(when).limit(limit - len(found))
                found += [
                    Candidate(product_id=row.id, uri=row.uri, name=row.name, facts=row.facts)
                    for row in connection.execute(some)
                ]
                if len(found) == limit:
                    break
        return found

    def note_asked(self, product_ids: Collection[int], *, now: datetime) -> None:
        """Keep that the archive was asked for them, whatever it answered."""
        product = tables.product
        with self._database.write() as connection:
            for ids in bulk.chunks(product_ids):
                connection.execute(update(product).where(product.c.id.in_(ids)).values(sampled_at=now))

    def alarms(self, *, since: datetime) -> list[Alarm]:
        """Return the revisions that validators alone raised since a time, newest first.

        Where the replaced and the new copy are known, their SHA-256 tell whether the alarm was false.
        """
        version, file, replaced = tables.version, tables.file, tables.replaced
        later = replaced.alias("later")
        new_revision = version.c.revision + 1
        new = func.coalesce(later.c.sha256, case((file.c.revision == new_revision, file.c.sha256)))
        query = (
            select(
                version.c.product_id,
                version.c.revision,
                version.c.why,
                version.c.ended_at,
                case((replaced.c.sha256 == new, 1), (replaced.c.sha256 != new, 0)).label("same"),
            )
            .outerjoin(file, file.c.product_id == version.c.product_id)
            .outerjoin(
                replaced, and_(replaced.c.file_id == file.c.id, replaced.c.revision == version.c.revision)
            )
            .outerjoin(later, and_(later.c.file_id == file.c.id, later.c.revision == new_revision))
            # In the words of its index, which holds the few that such a fact ended.
            .where(version.c.ended_at >= since, version.c.why.like(literal_column("'http.%'")))
            .order_by(version.c.ended_at.desc(), version.c.product_id.desc())
        )
        # Grouped here: for the database's own groups SQLite would walk through all versions.
        same: dict[tuple[int, int, str, datetime], list[bool]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(query):
                known = [] if row.same is None else [bool(row.same)]
                same[row.product_id, row.revision, row.why, row.ended_at] += known
        return [
            Alarm(validators=accusers(why), at=ended_at, false=any(found) if found else None)
            for (_, _, why, ended_at), found in same.items()
        ]


def _never_asked(connection: Connection, now: datetime) -> ColumnElement[bool]:
    """The archive was never asked for it; of many products in one block, by their numbers, of `_BLOCK`."""
    product = tables.product
    newest = connection.execute(select(func.max(product.c.id))).scalar() or 0
    first = _BLOCK * (now.microsecond % (newest // _BLOCK + 1))
    return and_(product.c.sampled_at.is_(None), product.c.id >= first, product.c.id < first + _BLOCK)


def _has_copy(profile: str, now: datetime) -> ColumnElement[bool]:
    """A present copy of the present revision, in use, and not just come: what came states its validators."""
    file, want, product = tables.file, tables.want, tables.product
    return exists().where(
        want.c.profile == profile,
        want.c.product_id == product.c.id,
        file.c.id == want.c.file_id,
        is_present(),
        file.c.revision == product.c.revision,
        ~file.c.declined,
        ~file.c.superseded,
        ~file.c.unselected,
        or_(file.c.changed_at <= now - INTERVAL, file.c.changed_at > now + CLOCKS_DIFFER),
    )


def _states(validator: str) -> ColumnElement[bool]:
    """The validator is stated; of an ETag, a strong one, which begins with a quotation mark."""
    return _facts_hold(f'"{validator}": "\\"' if validator == ETAG else f'"{validator}": "')


def _is_covered() -> ColumnElement[bool]:
    """What the archive sent had the checksum that the keyword service states."""
    facts = type_coerce(tables.product.c.facts, JSON)
    return func.coalesce(facts[CHECKSUM].as_string() == facts[RECEIVED_MD5].as_string(), false())


def _facts_hold(text: str) -> ColumnElement[bool]:
    """The facts as JSON hold `text`; no value can feign it, as its quotation marks are escaped."""
    return func.coalesce(cast(tables.product.c.facts, Text), "").contains(text, autoescape=True)
