"""When a content changed: the revision rises, copies become stale, and the former content is remembered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, func, select, update

from jwstwatch.core.evidence import (
    Contradiction,
    Fact,
    fact_contradictions,
    is_echo,
    merge_facts,
    unexplained,
)
from jwstwatch.core.keywords import PREFIX
from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.store import absences, bulk, events, tables
from jwstwatch.store.conditions import in_state, is_present
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_products

Heard = Mapping[int, Mapping[str, Fact | None]]
"""What services state of contents now, by product; facts are named `service.fact`."""


class Revisions:
    """The contents that products have had, and what services state of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_facts(self, run_id: int | None, heard: Heard, *, now: datetime) -> list[int]:
        """Keep what services state of products' contents; returns the products whose content changed.

        A fact that contradicts what the same service stated of the present revision raises the revision, and
        its copies become stale. A service that repeats what held of the revision before lags behind: that is
        no news, and nothing to go back to. It is right where the same bytes came again as the newer revision.
        """
        revised: list[int] = []
        for ids in bulk.chunks(heard):
            with self._database.write() as connection:
                revised += _record(connection, {key: heard[key] for key in ids}, run_id, now)
        return revised


def _record(connection: Connection, heard: Heard, run_id: int | None, now: datetime) -> list[int]:
    product = tables.product
    rows = connection.execute(select(product).where(product.c.id.in_(list(heard)))).all()
    former = _former_facts(connection, [row.id for row in rows if row.revision > 1])
    changes: list[dict[str, Any]] = []
    told: list[int] = []
    ended: list[tuple[Row[Any], Sequence[Contradiction]]] = []
    for row in rows:
        known, now_stated = row.facts or {}, heard[row.id]
        if any(is_echo(then, now_stated) for then in former.get(row.id, ())):
            continue
        found = fact_contradictions(known, now_stated)
        merged = merge_facts({} if found else known, now_stated)
        if merged != known:
            changes.append({"the_product": row.id, "the_facts": merged})
            if row.revision > 1 and _keywords_of(merged) != _keywords_of(known):
                told.append(row.id)
        if found:
            ended.append((row, found))
    if changes:
        statement = update(product).where(product.c.id == bindparam("the_product"))
        connection.execute(statement.values(facts=bindparam("the_facts")), changes)
    mark_pages_due_for_products(connection, told)  # pages tell how contents differ
    revised = [row.id for row, _ in ended]
    if revised:
        for ids in bulk.chunks(revised):
            connection.execute(
                update(product)
                .where(product.c.id.in_(ids))
                .values(revision=product.c.revision + 1, changed_at=now)
            )
        keep(connection, ended, run_id=run_id, now=now)
        mark_pages_due_for_products(connection, revised)
        make_stale(connection, revised, now)
        absences.forget(connection, revised, now)
    return revised


def _keywords_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name.startswith(PREFIX)}


def _former_facts(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[Any]]:
    """Return what was stated of each former content: a service may lag by more than one.

    One whose bytes the present content has is none.
    """
    version, product, file, replaced = tables.version, tables.product, tables.file, tables.replaced
    same = (
        exists()
        .where(
            file.c.product_id == version.c.product_id,
            file.c.revision == product.c.revision,
            replaced.c.file_id == file.c.id,
            replaced.c.revision == version.c.revision,
            replaced.c.sha256 == file.c.sha256,
        )
        .correlate(version, product)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for ids in bulk.chunks(product_ids):
        query = (
            select(version.c.product_id, version.c.facts)
            .join(product, product.c.id == version.c.product_id)
            .where(version.c.product_id.in_(ids), version.c.facts.is_not(None), ~same)
        )
        for row in connection.execute(query):
            found[row.product_id].append(row.facts)
    return found


def contradicted(
    connection: Connection, found: Mapping[int, tuple[Row[Any], Sequence[Contradiction]]]
) -> dict[int, tuple[Contradiction, ...]]:
    """Return what of the listing's contradictions, by product, tells of a content that is not known yet.

    One service may tell of a change days after another did, and a listing that was wrong may be put right.
    """
    version, file, product = tables.version, tables.file, tables.product
    why: dict[int, str] = {}
    copies: dict[int, set[int]] = defaultdict(set)
    for ids in bulk.chunks(found):
        former = (
            select(version.c.product_id, version.c.why)
            .join(product, product.c.id == version.c.product_id)
            .where(version.c.product_id.in_(ids), version.c.revision == product.c.revision - 1)
        )
        why.update({row.product_id: row.why for row in connection.execute(former)})
        present = (
            select(file.c.product_id, file.c.size)
            .join(product, product.c.id == file.c.product_id)
            .where(
                file.c.product_id.in_(ids),
                is_present(),
                file.c.revision == product.c.revision,
                file.c.size.is_not(None),
            )
        )
        for row in connection.execute(present):
            copies[row.product_id].add(row.size)
    remaining = {
        key: unexplained(entries, facts=row.facts or {}, former_ended=why.get(key, ""), copies=copies[key])
        for key, (row, entries) in found.items()
    }
    return {key: entries for key, entries in remaining.items() if entries}


def keep(
    connection: Connection,
    ended: Sequence[tuple[Row[Any], Sequence[Contradiction]]],
    *,
    run_id: int | None,
    now: datetime,
) -> None:
    """Keep what was stated of former contents (product rows as they were), and why they ended."""
    versions = _versions(connection, [row.id for row, _ in ended])
    rows = [
        {
            "product_id": row.id,
            "revision": row.revision,
            "size": row.size,
            "prvversion": versions.get(row.id),
            "facts": row.facts,
            "began_at": row.changed_at,
            "ended_at": now,
            "why": "; ".join(map(str, found)),
        }
        for row, found in ended
    ]
    bulk.upsert(connection, tables.version, rows)
    happened = [
        events.Event(product_id=row["product_id"], run_id=run_id, kind="revised", detail=row["why"])
        for row in rows
    ]
    events.record(connection, happened, now=now)


def _versions(connection: Connection, product_ids: Sequence[int]) -> dict[int, str]:
    """Return the pipeline version that a product's own rows state, as far as they agree on one."""
    listing, product = tables.listing, tables.product
    found: dict[int, str] = {}
    for ids in bulk.chunks(product_ids):
        query = (
            select(listing.c.product_id, func.min(listing.c.prvversion).label("prvversion"))
            .join(product, product.c.id == listing.c.product_id)
            .where(
                listing.c.product_id.in_(ids),
                listing.c.prvversion.is_not(None),
                # The rows of the observation that the file is named after.
                func.substr(product.c.name, 1, func.length(listing.c.obs_id) + 1) == listing.c.obs_id + "_",
            )
            .group_by(listing.c.product_id)
            .having(func.count(listing.c.prvversion.distinct()) == 1)
        )
        found.update({row.product_id: row.prvversion for row in connection.execute(query)})
    return found


def make_stale(connection: Connection, product_ids: Collection[int], now: datetime) -> None:
    """The archive has another content: copies are to be replaced, and what was tried counts no more."""
    file = tables.file
    for chunk in bulk.chunks(product_ids):
        connection.execute(
            update(file)
            .where(
                file.c.product_id.in_(chunk),
                in_state((FileState.PRESENT.value, FileState.STALE.value)),
            )
            .values(
                state=FileState.STALE.value,
                reason=NEWER_REVISION,
                **tables.NEVER_TRIED,
                changed_at=now,
            )
        )
