"""The flag of associations and pools that a newer one of the same name took the place of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, select, update

from jwstwatch.core.superseding import Edition, logical_name, superseded
from jwstwatch.store import bulk, events, tables
from jwstwatch.store.pagemarks import mark_pages_due_for_files


def judge(connection: Connection, product_ids: Collection[int], *, run_id: int | None, now: datetime) -> None:
    """Flag the files of superseded editions of these products' families, and unflag those of others."""
    editions = _families(connection, product_ids)
    if len(editions) < 2:
        return
    newest = superseded(editions)
    older = [edition.key for edition in editions if edition.key in newest]
    others = [edition.key for edition in editions if edition.key not in newest]
    changed = [*_set(connection, older, True), *_set(connection, others, False)]
    happened = [
        events.Event(
            product_id=row.product_id,
            file_id=row.id,
            run_id=run_id,
            kind="superseded" if row.superseded else "reinstated",
            detail=newest[row.product_id].name if row.superseded else None,
        )
        for row in changed
    ]
    events.record(connection, happened, now=now)
    mark_pages_due_for_files(connection, [row.id for row in changed])


def _families(connection: Connection, product_ids: Collection[int]) -> list[Edition]:
    """Return every known edition of the associations and pools among these products."""
    product = tables.product
    named: list[Any] = []
    for ids in bulk.chunks(product_ids):
        query = select(product.c.name, product.c.proposal, product.c.filetype).where(product.c.id.in_(ids))
        named += connection.execute(query).all()
    families = {family for row in named if (family := logical_name(row.name)) is not None}
    if not families:
        return []
    alike = [row for row in named if logical_name(row.name) is not None]
    query = select(product.c.id, product.c.name).where(
        product.c.proposal.in_({row.proposal for row in alike}),
        product.c.filetype.in_({row.filetype for row in alike}),
    )
    found = [row for row in connection.execute(query) if logical_name(row.name) in families]
    unlisted = _unlisted(connection, [row.id for row in found])
    return [Edition(row.id, row.name, row.id not in unlisted) for row in found]


def _unlisted(connection: Connection, product_ids: Collection[int]) -> set[int]:
    """Return those that no known observation lists, which is confirmed."""
    pair, product = tables.listing, tables.product
    confirmed = and_(pair.c.missing_since.is_not(None), pair.c.missing_at > pair.c.missing_since)
    found: set[int] = set()
    for ids in bulk.chunks(product_ids):
        query = select(product.c.id).where(product.c.id.in_(ids), ~_has_pair(~confirmed))
        found.update(connection.execute(query).scalars())
    return found


def _has_pair(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    pair, observation = tables.listing, tables.observation
    known = select(observation.c.id).where(observation.c.obsid == pair.c.parent_obsid).exists()
    return exists().where(pair.c.product_id == tables.product.c.id, known, condition)


def _set(connection: Connection, product_ids: Collection[int], flag: bool) -> list[Any]:
    file = tables.file
    changed: list[Any] = []
    for ids in bulk.chunks(product_ids):
        statement = (
            update(file)
            .where(file.c.product_id.in_(ids), file.c.superseded.is_not(flag))
            .values(superseded=flag)
        )
        changed += connection.execute(
            statement.returning(file.c.id, file.c.product_id, file.c.superseded)
        ).all()
    return changed
