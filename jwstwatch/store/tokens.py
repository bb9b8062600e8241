"""How old a token is, without keeping it: a salted digest and the time it was first seen."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from jwstwatch.store import tables
from jwstwatch.store.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAge:
    """When a token was first seen here, and last taken or refused by the archive."""

    first_seen_at: datetime
    accepted_at: datetime | None
    rejected_at: datetime | None


class Tokens:
    """The token table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def saw(self, token: str, *, accepted: bool, now: datetime) -> TokenAge:
        """Keep what the archive made of a token, and when it was first seen."""
        table = tables.token
        column = "accepted_at" if accepted else "rejected_at"
        with self._database.write() as connection:
            row = _find(connection, token)
            if row is None:
                salt = secrets.token_hex(16)
                digest = _digest(salt, token)
                connection.execute(table.insert().values(digest=digest, salt=salt, first_seen_at=now))
            else:
                digest = row.digest
            connection.execute(update(table).where(table.c.digest == digest).values({column: now}))
            row = connection.execute(select(table).where(table.c.digest == digest)).one()
        return _age(row)

    def age(self, token: str) -> TokenAge | None:
        """Return what is known of a token, None for one that was never tried."""
        with self._database.read() as connection:
            row = _find(connection, token)
        return _age(row) if row is not None else None


def _find(connection: Connection, token: str) -> Row[Any] | None:
    # Few tokens are ever used: each row is tried with its own salt.
    for row in connection.execute(select(tables.token)).all():
        if secrets.compare_digest(row.digest, _digest(row.salt, token)):
            return row
    return None


def _digest(salt: str, token: str) -> str:
    return hashlib.sha256(f"{salt}:{token}".encode()).hexdigest()


def _age(row: Row[Any]) -> TokenAge:
    return TokenAge(first_seen_at=row.first_seen_at, accepted_at=row.accepted_at, rejected_at=row.rejected_at)
