"""The keyword table: header values that were read of the file which tells most of each row of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from jwstwatch.core import headers
from jwstwatch.core.site import Keyword
from jwstwatch.store import bulk, tables
from jwstwatch.store.conditions import belongs, in_root
from jwstwatch.store.engine import Database

_BROKEN = "!"
"""How the description of a header begins that could not be read; the rest tells of which copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadHeader:
    """A copy whose header is to be read, as it is now; `path` is relative to the root."""

    product_id: int
    path: str
    revision: int
    sha256: str | None
    extras: frozenset[str] = frozenset()
    """Keywords that somebody asked this revision for before, and is to find again."""


class Headers:
    """Header values by product: those of one revision, for every copy of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unread(
        self, root_id: int, proposal: int, obsnum: int | None, *, names: AbstractSet[str]
    ) -> list[UnreadHeader]:
        """Return the copies of one observation whose header has yet to be read for all of `names`.

        Of the files of an exposure and detector, or of a level-3 product, it is the one that tells most of
        those on disk: the rate, else the cal, else the uncal. None stands for what belongs to no observation.
        """
        with self._database.read() as connection:
            rows = connection.execute(_copies(root_id, proposal, obsnum)).all()
        telling: dict[str, tuple[int, str, Any]] = {}
        for row in rows:
            if not _is_broken(row):
                bundle, rank = headers.place(row.name)
                found = (rank, row.name, row)
                telling[bundle] = min(telling.get(bundle, found), found, key=lambda entry: entry[:2])
        return [_unread(row) for _, _, row in telling.values() if not _is_read(row, names)]

    def keep(
        self,
        read: Sequence[tuple[UnreadHeader, Mapping[str, Keyword] | None]],
        *,
        names: AbstractSet[str],
    ) -> None:
        """Keep what was found when each was asked for `names` and its `extras`; None: it cannot be read.

        A copy that could not be read is left alone from then on, until another stands in its place.
        """
        rows = {
            header.product_id: {
                "product_id": header.product_id,
                "revision": header.revision,
                "names": _broken(header.sha256) if cards is None else headers.describe(names | header.extras),
                "cards": dict(cards or {}),
            }
            for header, cards in read
        }
        if rows:
            with self._database.write() as connection:
                bulk.upsert(connection, tables.keywords, list(rows.values()))


def _copies(root_id: int, proposal: int, obsnum: int | None) -> Any:
    file, product, keywords = tables.file, tables.product, tables.keywords
    return (
        select(
            file.c.product_id,
            file.c.path,
            file.c.revision,
            file.c.sha256,
            product.c.name,
            keywords.c.revision.label("kept_revision"),
            keywords.c.names,
        )
        .join(product, product.c.id == file.c.product_id)
        .outerjoin(keywords, keywords.c.product_id == product.c.id)
        .where(
            in_root(root_id),
            file.c.state.in_(tables.HAS_COPY),
            file.c.revision.is_not(None),
            ~file.c.superseded,
            product.c.proposal == proposal,
            belongs(product.c.obsnum, obsnum),
            product.c.name.like("%.fits"),
        )
        .order_by(file.c.path)
    )


def _is_read(row: Any, names: AbstractSet[str]) -> bool:
    return bool(row.kept_revision == row.revision and headers.covers(row.names, names))


def _unread(row: Any) -> UnreadHeader:
    return UnreadHeader(
        product_id=row.product_id,
        path=row.path,
        revision=row.revision,
        sha256=row.sha256,
        extras=headers.extras(row.names) if row.kept_revision == row.revision else frozenset(),
    )


def _broken(sha256: str | None) -> str:
    return f"{_BROKEN}{sha256 or ''}"


def _is_broken(row: Any) -> bool:
    return bool(row.kept_revision == row.revision and row.names == _broken(row.sha256))
