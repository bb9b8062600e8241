"""Which pages, and which parts of them, must be written again. A mark is raised in the transaction that made
it necessary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from jwstwatch.store import bulk, tables

NO_PROPOSAL = 0
"""Stands for files whose proposal is not known."""

NO_OBSERVATION = -1
"""Stands for what belongs to no single observation."""

_NUMBERS = 10_000
"""Observation numbers in one statement: more than a proposal has."""

_NEW = {"changes": 0, "written": 0, "settings": ""}


def mark_pages_due_for_files(connection: Connection, file_ids: Iterable[int]) -> None:
    """Raise the marks of the pages that show these files; a page seen first is made known."""
    for chunk in bulk.chunks(file_ids):
        _raise_marks(connection, tables.file.c.id.in_(chunk))


def mark_pages_due_for_products(connection: Connection, product_ids: Iterable[int]) -> None:
    """Raise the marks of the pages that show any copy of these products."""
    for chunk in bulk.chunks(product_ids):
        _raise_marks(connection, tables.product.c.id.in_(chunk))


def mark_pages_due_where(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Raise the marks of the pages that show the files for which this holds, however many they are."""
    _raise_marks(connection, condition)


def mark_pages_due_for_observations(
    connection: Connection, observations: Collection[tuple[int | None, int | None]]
) -> None:
    """Raise the marks of the known pages of these proposals, in the parts of these observation numbers."""
    by_proposal: dict[int, set[int]] = defaultdict(set)
    for proposal, obsnum in observations:
        if proposal is not None:
            by_proposal[proposal].add(NO_OBSERVATION if obsnum is None else obsnum)
    page, part = tables.page, tables.page_part
    # The keys of both begin with the root.
    roots = select(tables.root.c.id)
    for proposals in bulk.chunks(sorted(by_proposal)):
        _raise(connection, page, page.c.root_id.in_(roots), page.c.proposal.in_(proposals))
    for proposal, obsnums in sorted(by_proposal.items()):
        for some in bulk.chunks(sorted(obsnums), _NUMBERS):
            mine = (part.c.root_id.in_(roots), part.c.proposal == proposal, part.c.obsnum.in_(some))
            _raise(connection, part, *mine)


def part_key(obsnum: int | None) -> int:
    """Return what stands for an observation number in the table of parts."""
    return NO_OBSERVATION if obsnum is None else obsnum


def obsnum_of(key: int) -> int | None:
    """Return the observation number that stands for `key` in the table of parts."""
    return None if key == NO_OBSERVATION else key


def add_parts(connection: Connection, root_id: int, proposal: int, obsnums: Iterable[int | None]) -> None:
    """Make parts of a page known that are due."""
    part = {"root_id": root_id, "proposal": proposal, "changes": 1, "written": 0, "settings": ""}
    rows = [part | {"obsnum": part_key(obsnum)} for obsnum in obsnums]
    bulk.upsert(connection, tables.page_part, rows, update=())


def _raise_marks(connection: Connection, condition: ColumnElement[bool]) -> None:
    file, product = tables.file, tables.product
    query = (
        select(file.c.root_id, product.c.proposal, product.c.obsnum)
        .join(product, product.c.id == file.c.product_id)
        .where(condition)
        .distinct()
    )
    parts: dict[tuple[int, int], set[int]] = defaultdict(set)
    for root_id, proposal, obsnum in connection.execute(query):
        parts[root_id, NO_PROPOSAL if proposal is None else proposal].add(part_key(obsnum))
    for (root_id, proposal), obsnums in sorted(parts.items()):
        key = {"root_id": root_id, "proposal": proposal}
        bulk.upsert(connection, tables.page, [key | _NEW], update=())
        page, part = tables.page, tables.page_part
        _raise(connection, page, page.c.root_id == root_id, page.c.proposal == proposal)
        rows = [key | _NEW | {"obsnum": obsnum} for obsnum in sorted(obsnums)]
        bulk.upsert(connection, part, rows, update=())
        for some in bulk.chunks(sorted(obsnums), _NUMBERS):
            mine = (part.c.root_id == root_id, part.c.proposal == proposal, part.c.obsnum.in_(some))
            _raise(connection, part, *mine)


def _raise(connection: Connection, table: Any, *conditions: ColumnElement[bool]) -> None:
    connection.execute(update(table).where(*conditions).values(changes=table.c.changes + 1))


def mark_all_pages_due(connection: Connection) -> None:
    """Raise the mark of every page and part, as after a state was brought back."""
    for table in (tables.page, tables.page_part):
        connection.execute(update(table).values(changes=table.c.changes + 1))
