"""Which schemas this program knows: enough to open a state, without alembic."""

from __future__ import annotations

from typing import Final

SCHEMAS: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision of `migrations/versions/`, oldest first; a test compares the two."""

NEWEST: Final = SCHEMAS[-1]
"""The revision that `tables.py` describes."""
