"""Whether the pages of an answer make a whole listing. Pure: no network here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from jwstwatch.archive.replies import SHORT
from jwstwatch.errors import IncompleteListingError

OBSERVATIONS, PRODUCTS = "Mast.Caom.Filtered", "Mast.Caom.Products"
"""The services that list them."""

Row = Mapping[str, Any]
Key = Callable[[Row], Hashable]
T_co = TypeVar("T_co", covariant=True)


def observation_key(row: Row) -> Hashable:
    """Return what makes a row of `Mast.Caom.Filtered` this row."""
    return str(row.get("obsid"))


def product_key(row: Row) -> Hashable:
    """Return what makes a row of `Mast.Caom.Products` this row."""
    return (str(row.get("dataURI")), str(row.get("obsID")), str(row.get("parent_obsid")))


class Table(Protocol[T_co]):
    """The rows of one page."""

    def __len__(self) -> int: ...

    def keys(self) -> frozenset[Hashable]:
        """Return what makes each row this row."""
        ...

    def read(self) -> Iterable[T_co | None]:
        """Return what each row says, None for one of no use, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A `Table` of rows as JSON has them, each read by `reader` when it is asked for."""

    rows: Sequence[Row]
    key: Key
    reader: Callable[[Row], Any]

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self) -> frozenset[Hashable]:
        """Return what makes each row this row."""
        return frozenset(map(self.key, self.rows))

    def read(self) -> Iterable[Any]:
        """Return what each row says."""
        return map(self.reader, self.rows)


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a listing, a `Table` for each page, whose count agrees with what the archive announced.

    `doubtful` says that the count alone does not prove it whole: a row stands on two pages, as when rows move
    while the pages are read, or the last page is exactly full, as when an answer is cut at the page size.
    """

    tables: list[Table[Any]]
    doubtful: bool

    def keys(self) -> frozenset[Hashable]:
        """Return what makes each row this row."""
        return frozenset[Hashable]().union(*(table.keys() for table in self.tables))


def join_pages(server: str, pages: Sequence[Mapping[str, Any]], *, pagesize: int) -> Listing:
    """Return the rows of all `pages`, or raise `IncompleteListingError` where they do not add up.

    The `data` of a page is a `Table`.
    """
    announced = {page["paging"]["rowsFiltered"] for page in pages}
    if len(announced) != 1:
        raise IncompleteListingError(
            f"{server} changed its listing while it was being read ({_span(announced)} rows)", hint=SHORT
        )
    expected_pages = {max(1, page["paging"]["pagesFiltered"]) for page in pages}
    tables: list[Table[Any]] = [page["data"] for page in pages]
    count = sum(map(len, tables))
    (expected,) = announced
    if expected_pages != {len(pages)} or count != expected:
        raise IncompleteListingError(
            f"{server} announced {expected} rows and sent {count} on {len(pages)} "
            f"{'page' if len(pages) == 1 else 'pages'}",
            hint=SHORT,
        )
    full = {pagesize, pages[-1]["paging"].get("pageSize", pagesize)}
    return Listing(tables, doubtful=len(tables[-1]) in full or _overlap(tables))


def _overlap(tables: Sequence[Table[Any]]) -> bool:
    """Tell whether a row stands on two of the pages."""
    if len(tables) == 1:
        return False
    keys = [table.keys() for table in tables]
    return len(frozenset[Hashable]().union(*keys)) < sum(map(len, keys))


def _span(numbers: set[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if numbers else "no"
