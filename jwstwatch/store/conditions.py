"""Conditions that several subjects ask for in the same words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func

from jwstwatch.core.model import FileState
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


def wanted_by(profile: str) -> ColumnElement[bool]:
    """Return the condition that a row of `want` is of a profile, for statements about few files.

    With the plain column SQLite walks through all that the profile wants, as above.
    """
    condition: ColumnElement[bool] = tables.want.c.profile.concat("") == profile
    return condition


def found_by(profile: str) -> ColumnElement[bool]:
    """Return the same for a row of `interest`, for statements about few observations."""
    condition: ColumnElement[bool] = tables.interest.c.profile.concat("") == profile
    return condition


def in_state(states: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a file is in one of these states, for statements about few files.

    With the plain column SQLite takes three states for fewer than some hundred numbers, and walks through all
    files that are present: nearly all.
    """
    return func.coalesce(tables.file.c.state, "").in_(states)


def is_present() -> ColumnElement[bool]:
    """Return the condition that a file is present, for statements about few files."""
    return in_state([FileState.PRESENT.value])
