"""Whether the pages of an answer make a whole listing. Pure: no network here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jwstwatch.archive.replies import SHORT
from jwstwatch.errors import IncompleteListingError

Row = Mapping[str, Any]
Key = Callable[[Row], Hashable]


def observation_key(row: Row) -> Hashable:
    """Return what makes a row of `Mast.Caom.Filtered` this row."""
    return str(row.get("obsid"))


def product_key(row: Row) -> Hashable:
    """Return what makes a row of `Mast.Caom.Products` this row."""
    return (str(row.get("dataURI")), str(row.get("obsID")), str(row.get("parent_obsid")))


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a listing whose count agrees with what the archive announced.

    `doubtful` says that the count alone does not prove it whole: a row stands on two pages, as when rows move
    while the pages are read, or the last page is exactly full, as when an answer is cut at the page size.
    """

    rows: list[Row]
    keys: frozenset[Hashable]
    doubtful: bool


def join_pages(server: str, pages: Sequence[Mapping[str, Any]], *, pagesize: int, key: Key) -> Listing:
    """Return the rows of all `pages`, or raise `IncompleteListingError` where they do not add up."""
    announced = {page["paging"]["rowsFiltered"] for page in pages}
    if len(announced) != 1:
        raise IncompleteListingError(
            f"{server} changed its listing while it was being read ({_span(announced)} rows)", hint=SHORT
        )
    expected_pages = {max(1, page["paging"]["pagesFiltered"]) for page in pages}
    rows = [row for page in pages for row in page["data"]]
    (expected,) = announced
    if expected_pages != {len(pages)} or len(rows) != expected:
        raise IncompleteListingError(
            f"{server} announced {expected} rows and sent {len(rows)} on {len(pages)} "
            f"{'page' if len(pages) == 1 else 'pages'}",
            hint=SHORT,
        )
    seen = [frozenset(key(row) for row in page["data"]) for page in pages]
    keys = frozenset().union(*seen)
    full = {pagesize, pages[-1]["paging"].get("pageSize", pagesize)}
    doubtful = len(keys) < sum(map(len, seen)) or len(pages[-1]["data"]) in full
    return Listing(rows, keys, doubtful)


def _span(numbers: set[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if numbers else "no"
