"""Files that stand at their paths since now: `present`, and what was heard of their content. In bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, case, select, update

from jwstwatch.core.evidence import merge_facts
from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import in_state

if TYPE_CHECKING:
    from jwstwatch.store.transfers import Intent

Placed = Sequence[tuple["Intent", int]]
"""What was put in place, with the modification time of each in nanoseconds."""


def mark_present(connection: Connection, placed: Placed, *, now: datetime) -> None:
    """Make the files `present`, or `stale` where their product's revision rose meanwhile.

    One statement with many parameters: the database's work, not the making of statements, is to count.
    """
    if not placed:
        return
    file, product = tables.file, tables.product
    newest = select(product.c.revision).where(product.c.id == file.c.product_id).scalar_subquery()
    current = newest == bindparam("the_revision")
    statement = (
        update(file)
        .where(file.c.id == bindparam("the_file"))
        .values(
            state=case((current, FileState.PRESENT.value), else_=FileState.STALE.value),
            reason=case((current, None), else_=NEWER_REVISION),
            revision=bindparam("the_revision"),
            size=bindparam("the_size"),
            sha256=bindparam("the_sha256"),
            modified_ns=bindparam("the_time"),
            note=bindparam("the_note"),
            checked_at=None,
            damage=None,
            **tables.NEVER_TRIED,
            claimed_by=None,
            lease_until=None,
            changed_at=now,
        )
    )
    connection.execute(
        statement,
        [
            {
                "the_file": intent.file_id,
                "the_revision": intent.revision,
                "the_size": intent.size,
                "the_sha256": intent.sha256,
                "the_time": modified_ns,
                "the_note": intent.note,
            }
            for intent, modified_ns in placed
        ],
    )


def record_replaced(
    connection: Connection, run_id: int, placed: Placed, *, kept: Mapping[int, str], now: datetime
) -> None:
    """Keep of the copies that newer revisions took the place of what they were, and where they are `kept`.

    To be called while the files still tell of them.
    """
    file = tables.file
    newer = {intent.file_id: intent for intent, _ in placed if intent.revision > 1}
    rows: list[dict[str, Any]] = []
    for ids in bulk.chunks(newer):
        query = select(file.c.id, file.c.revision, file.c.size, file.c.sha256).where(
            file.c.id.in_(ids), in_state(tables.HAS_COPY), file.c.revision.is_not(None)
        )
        rows += [
            {
                "file_id": row.id,
                "revision": row.revision,
                "size": row.size,
                "sha256": row.sha256,
                "new_size": newer[row.id].size,
                "kept_as": kept.get(row.id),
                "run_id": run_id,
                "replaced_at": now,
            }
            for row in connection.execute(query)
            if row.revision < newer[row.id].revision
        ]
    bulk.upsert(connection, tables.replaced, rows)


def keep_facts(connection: Connection, intents: Sequence[Intent]) -> None:
    """What the transfers heard of the contents (validators) belongs to the products' present revisions."""
    product = tables.product
    heard: dict[int, list[Intent]] = defaultdict(list)
    for intent in intents:
        if intent.facts:
            heard[intent.product_id].append(intent)
    changes: list[dict[str, Any]] = []
    for ids in bulk.chunks(heard):
        query = select(product.c.id, product.c.facts, product.c.revision).where(product.c.id.in_(ids))
        for row in connection.execute(query):
            merged = known = row.facts or {}
            for intent in heard[row.id]:
                if intent.revision == row.revision:
                    merged = merge_facts(merged, intent.facts)
            if merged != known:
                changes.append({"the_product": row.id, "the_facts": merged})
    if changes:
        statement = update(product).where(product.c.id == bindparam("the_product"))
        connection.execute(statement.values(facts=bindparam("the_facts")), changes)
