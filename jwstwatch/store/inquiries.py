"""What the file-keyword services were asked, and which products their answers speak of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update

from jwstwatch.core.evidence import Fact
from jwstwatch.core.keywords import PREFIX, Inquiry
from jwstwatch.core.model import PLANNED
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.transfers import due_files

Pair = tuple[str, int]
"""A service and a proposal."""

_FITS = tables.product.c.filetype.like("%.fits")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProduct:
    """A product that an answer may speak of, with what is known of its present content."""

    id: int
    proposal: int | None
    facts: Mapping[str, Fact]


class Inquiries:
    """The keyword services' side of the state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def instruments(self, profile: str) -> dict[int, set[str]]:
        """Return the instruments (lower case) of each proposal of which the profile's query found data."""
        interest, observation = tables.interest, tables.observation
        query = (
            select(observation.c.proposal, observation.c.instrument_name)
            .distinct()
            .join(interest, interest.c.observation_id == observation.c.id)
            .where(
                interest.c.profile == profile,
                observation.c.proposal.is_not(None),
                observation.c.instrument_name.is_not(None),
                or_(observation.c.calib_level.is_(None), observation.c.calib_level != PLANNED),
            )
        )
        found: dict[int, set[str]] = defaultdict(set)
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[row.proposal].add(row.instrument_name.partition("/")[0].strip().lower())
        return dict(found)

    def changes(self, run_id: int, profile: str, *, now: datetime, force: bool) -> dict[int, datetime]:
        """Return when the FITS files that the run is about to fetch changed last, by proposal."""
        file, product = tables.file, tables.product
        latest = func.max(product.c.changed_at, type_=product.c.changed_at.type).label("changed_at")
        query = (
            select(product.c.proposal, latest)
            .join(file, file.c.product_id == product.c.id)
            .where(due_files(run_id, profile, now, force=force), product.c.proposal.is_not(None), _FITS)
            .group_by(product.c.proposal)
        )
        with self._database.read() as connection:
            return {row.proposal: row.changed_at for row in connection.execute(query)}

    def known(self, proposals: Iterable[int]) -> dict[Pair, Inquiry]:
        """Return what was asked about these proposals, by service."""
        inquiry = tables.inquiry
        found: dict[Pair, Inquiry] = {}
        with self._database.read() as connection:
            for numbers in bulk.chunks(proposals):
                query = select(inquiry).where(inquiry.c.proposal.in_(numbers))
                for row in connection.execute(query):
                    found[row.service, row.proposal] = Inquiry(
                        answered_at=row.answered_at, whole_at=row.whole_at, failed_at=row.failed_at
                    )
        return found

    def count_files(self, proposals: Iterable[int]) -> dict[int, int]:
        """Return how many FITS files are known of each proposal: about as many rows are to be expected."""
        product = tables.product
        found: dict[int, int] = {}
        with self._database.read() as connection:
            for numbers in bulk.chunks(proposals):
                query = select(product.c.proposal, func.count().label("files")).where(
                    product.c.proposal.in_(numbers), _FITS
                )
                rows = connection.execute(query.group_by(product.c.proposal))
                found.update({row.proposal: row.files for row in rows})
        return found

    def products(self, uris: Iterable[str]) -> dict[str, KnownProduct]:
        """Return the known ones of these products."""
        product = tables.product
        found: dict[str, KnownProduct] = {}
        with self._database.read() as connection:
            for some in bulk.chunks(uris):
                query = select(product.c.id, product.c.uri, product.c.proposal, product.c.facts)
                for row in connection.execute(query.where(product.c.uri.in_(some))):
                    found[row.uri] = KnownProduct(id=row.id, proposal=row.proposal, facts=row.facts or {})
        return found

    def forget_facts(self, product_ids: Collection[int]) -> None:
        """What the keyword services stated of these products' present contents was wrong."""
        product = tables.product
        changes: list[dict[str, Any]] = []
        if not product_ids:
            return
        with self._database.write() as connection:
            for ids in bulk.chunks(product_ids):
                query = select(product.c.id, product.c.facts).where(product.c.id.in_(ids))
                for row in connection.execute(query):
                    kept = {
                        name: value
                        for name, value in (row.facts or {}).items()
                        if not name.startswith(PREFIX)
                    }
                    changes.append({"the_product": row.id, "the_facts": kept})
            if changes:
                statement = update(product).where(product.c.id == bindparam("the_product"))
                connection.execute(statement.values(facts=bindparam("the_facts")), changes)

    def record_answered(
        self, service: str, proposals: Collection[int], *, whole: bool, now: datetime
    ) -> None:
        """The service answered a question that was asked at this time, `whole` without a lower limit."""
        stamps = {"answered_at": now, "failed_at": None} | ({"whole_at": now} if whole else {})
        self._record(service, proposals, stamps)

    def record_failed(self, service: str, proposals: Collection[int], *, now: datetime) -> None:
        """The service did not answer, or knows nothing of these proposals."""
        self._record(service, proposals, {"failed_at": now})

    def _record(
        self, service: str, proposals: Collection[int], stamps: Mapping[str, datetime | None]
    ) -> None:
        if not proposals:
            return
        rows = [{"service": service, "proposal": number} | dict(stamps) for number in sorted(proposals)]
        with self._database.write() as connection:
            bulk.upsert(connection, tables.inquiry, rows)
