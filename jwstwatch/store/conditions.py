"""Conditions that several subjects ask for in the same words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from jwstwatch.store import tables


def belongs(column: Any, number: int | None) -> ColumnElement[bool]:
    """Return the condition that a column holds this proposal or observation number, or none at all."""
    condition: ColumnElement[bool] = column.is_(None) if number is None else column == number
    return condition


def in_root(root_id: int) -> ColumnElement[bool]:
    """Return the condition that a file lies in a root, for statements about a few products of it.

    SQLite has no statistics: with the plain column it walks through every file of the root. The sum keeps it
    from that index, so that it begins with the products.
    """
    condition: ColumnElement[bool] = tables.file.c.root_id + 0 == root_id
    return condition
