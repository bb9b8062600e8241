"""The table of exposures as CSV (RFC 4180, UTF-8): the columns of the page with plain values."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from jwstwatch.core.site import Keyword, PageSettings
from jwstwatch.pages.formats import format_keyword
from jwstwatch.pages.sections import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HARMLESS = re.compile(r"[+-][0-9 .:eE+-]*")
"""Numbers, dates and positions as text, `-12:34:56.7`: no name that a formula could call."""


def write_head(settings: PageSettings) -> bytes:
    """Return the line that names the columns, the same for all parts of a page."""
    return _write([["exposure", *map(_defuse, settings.columns)]])


def write_lines(rows: Iterable[Row]) -> bytes:
    """Return a line for each row. Numbers are in full; a picture is the name of its file."""
    return _write([_defuse(row.bundle.key), *(_word(cell.value) for cell in row.cells)] for row in rows)


def _write(lines: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue().encode("utf-8", "replace")


def _word(value: Keyword) -> str:
    if isinstance(value, float):
        return repr(value)
    return _defuse(value) if isinstance(value, str) else format_keyword(value)


def _defuse(text: str) -> str:
    """Keep a spreadsheet from running a text from outside: an apostrophe makes a formula a text."""
    if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text):
        return f"'{text}"
    return text
