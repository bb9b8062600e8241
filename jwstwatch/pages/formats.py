"""Values as a reader wants to see them, and paths as links. Nothing here makes markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from jwstwatch.core.amounts import size_text
from jwstwatch.core.site import Keyword

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)


def format_bytes(size: int | None) -> str:
    """Write a size in decimal units with three digits: `83.9 MB`; empty for an unknown one."""
    return "" if size is None else size_text(size)


def format_seconds(seconds: float | None) -> str:
    """Write an exposure time: `107.4 s`, `15,756 s`."""
    if seconds is None:
        return ""
    return f"{seconds:,.0f} s" if seconds >= 1000 else f"{seconds:.1f} s"


def format_time(moment: datetime | None) -> str:
    """Write an aware time as ISO 8601 in UTC, to the minute: `2026-11-21T03:12Z`."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}Z"


def format_mjd(mjd: float | None) -> str:
    """Write a Modified Julian Date (UTC) as ISO 8601 to the minute; empty if it is no date of this world."""
    if mjd is None:
        return ""
    try:
        return format_time(_MJD_ZERO + timedelta(days=mjd))
    except (OverflowError, ValueError):
        return ""


def format_keyword(value: Keyword) -> str:
    """Write a header value: text as it is, numbers with six decimals at most, T and F as FITS does."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        if value and not 1e-4 <= abs(value) < 1e9:
            return f"{value:.6g}"
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


def page_folder(proposal: int) -> str:
    """Return the folder of a proposal's page below the root: its number in five digits."""
    return f"{proposal:05d}"


def products_table_name(proposal: int) -> str:
    """Return the name of the table of products beside a proposal's page, `<PPPPP>.products.txt`."""
    return f"{proposal:05d}.products.txt"


def make_link(path: str | None, folder: str = "") -> str | None:
    """Return the relative URL of `path` (below the root) for a page in `folder`, which is one name or empty.

    None for a path that would lead out of the root: a link can never be more than a file of the site.
    """
    if not path or path.startswith("/") or ".." in path.split("/"):
        return None
    address = quote(path, safe="/", errors="replace")
    if not folder:
        return address
    return address.removeprefix(f"{folder}/") if address.startswith(f"{folder}/") else f"../{address}"
