"""The history of products and files: one row per thing that happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from jwstwatch.store import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a product (`file_id` None) or to one copy of it."""

    product_id: int
    kind: str
    run_id: int | None = None
    file_id: int | None = None
    detail: str | None = None


def record(connection: Connection, happened: Sequence[Event], *, now: datetime) -> None:
    """Append to the history."""
    if happened:
        connection.execute(
            tables.event.insert(),
            [
                {
                    "at": now,
                    "product_id": entry.product_id,
                    "file_id": entry.file_id,
                    "run_id": entry.run_id,
                    "kind": entry.kind,
                    "detail": entry.detail,
                }
                for entry in happened
            ],
        )
