"""Column types that mean the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, LargeBinary, Numeric
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps it without its zone, so the zone is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return what writes a time: most rows of a lot share one, and writing it costs most of a row."""
        write = super().bind_processor(dialect)
        if write is None:
            return None
        known: tuple[Any, Any] = (None, None)

        def remembering(value: Any) -> Any:
            nonlocal known
            former, written = known  # in one step: another thread may write another time
            if value is not former:
                written = write(value)
                known = (value, written)
            return written

        return remembering

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone reached the state")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Total(TypeDecorator[int]):
    """A sum of what each may be as large as BigInteger; beyond that SQLite goes on with a fraction."""

    impl = Numeric(30, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return BigInteger() if dialect.name == "sqlite" else self.impl_instance

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class Json(TypeDecorator[Any]):
    """JSON text in SQLite, `jsonb` in PostgreSQL; None is NULL."""

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return self.impl_instance
        # Not above: it costs an SQLite user a twentieth of a second at every command.
        from sqlalchemy.dialects.postgresql import JSONB

        return JSONB(none_as_null=True)


class CompressedJson(TypeDecorator[Any]):
    """JSON in as little room as may be, for what no query looks into; None is NULL."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else json.loads(zlib.decompress(value))
