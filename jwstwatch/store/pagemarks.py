"""Which pages must be written again. A mark is raised in the transaction that made it necessary."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from jwstwatch.store import bulk, tables

NO_PROPOSAL = 0
"""Stands for files whose proposal is not known."""


def mark_pages_due_for_files(connection: Connection, file_ids: Iterable[int]) -> None:
    """Raise the marks of the pages that show these files; a page seen first is made known."""
    file, product = tables.file, tables.product
    for chunk in bulk.chunks(file_ids):
        query = (
            select(file.c.root_id, product.c.proposal)
            .join(product, product.c.id == file.c.product_id)
            .where(file.c.id.in_(chunk))
            .distinct()
        )
        _raise_marks(connection, connection.execute(query).all())


def mark_pages_due_for_products(connection: Connection, product_ids: Iterable[int]) -> None:
    """Raise the marks of the pages that show any copy of these products."""
    file, product = tables.file, tables.product
    for chunk in bulk.chunks(product_ids):
        query = (
            select(file.c.root_id, product.c.proposal)
            .join(product, product.c.id == file.c.product_id)
            .where(product.c.id.in_(chunk))
            .distinct()
        )
        _raise_marks(connection, connection.execute(query).all())


def mark_pages_due_for_proposals(connection: Connection, proposals: Collection[int | None]) -> None:
    """Raise the marks of the known pages of these proposals."""
    for chunk in bulk.chunks(proposal for proposal in proposals if proposal is not None):
        connection.execute(
            update(tables.page)
            .where(tables.page.c.proposal.in_(chunk))
            .values(changes=tables.page.c.changes + 1)
        )


def _raise_marks(connection: Connection, pages: Iterable[Any]) -> None:
    for root_id, proposal in pages:
        key = {"root_id": root_id, "proposal": NO_PROPOSAL if proposal is None else proposal}
        bulk.upsert(connection, tables.page, [key | {"changes": 0, "written": 0, "settings": ""}], update=())
        connection.execute(
            update(tables.page)
            .where(tables.page.c.root_id == key["root_id"], tables.page.c.proposal == key["proposal"])
            .values(changes=tables.page.c.changes + 1)
        )
