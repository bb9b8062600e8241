"""Values as a reader wants to see them, and paths as links. Nothing here makes markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeGuard
from urllib.parse import quote

from jwstwatch.core.amounts import size_text
from jwstwatch.core.site import Keyword

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_NEEDS_NO_QUOTING = re.compile(r"[A-Za-z0-9._~/-]*")
_NO_STEPS = frozenset({"", ".", ".."})


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
    """Return the relative URL of `path` for a page in `folder`; both are below the root, with `/`.

    None for a path that would lead out of the root: a link can never be more than a file of the site.
    """
    if not is_linkable(path):
        return None
    steps, above = path.split("/"), folder.split("/") if folder else []
    while above and len(steps) > 1 and steps[0] == above[0]:
        del steps[0], above[0]
    address = "/".join(steps)
    if not _NEEDS_NO_QUOTING.fullmatch(address):
        address = quote(address, safe="/", errors="replace")
    return "../" * len(above) + address


def is_linkable(path: str | None) -> TypeGuard[str]:
    """Tell whether `path` is that of a file below the root."""
    return path is not None and _NO_STEPS.isdisjoint(path.split("/"))
