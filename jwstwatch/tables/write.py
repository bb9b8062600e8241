"""Tables as text of fixed width, CSV, ECSV, JSON values and astropy tables.

A missing value is `NaN` in the text table (pandas and astropy both take it as not-a-number in a column of
numbers, pandas in a column of words too) and empty in CSV and ECSV. In the text table, where blanks separate
the columns, blanks inside a value become `_`, and so do control characters; the other forms keep them.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from jwstwatch.tables.columns import UNITS, Cell

if TYPE_CHECKING:
    from astropy.table import Table

MISSING = "NaN"

# Everything that a reader of text tables may take for the end of a cell or of a line.
_SEPARATORS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def to_text(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str], *, width: int | None = None) -> str:
    """Write a header and one line per row: numbers to the right, words to the left, two blanks between.

    Without `width` no value is cut; with it, cells have at most that many characters (for a screen).
    Reading more than 100 rows with `pandas.read_fwf` wants `infer_nrows=len(rows)`, as pandas guesses the
    widths from the first lines.
    """
    cells = [[cell_text(row.get(column), width) for column in columns] for row in rows]
    header = [cell_text(column, width) for column in columns]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    to_the_right = [all(not isinstance(row.get(column), str) for row in rows) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(size) if right else cell.ljust(size)
            for cell, size, right in zip(line, widths, to_the_right, strict=True)
        ).rstrip()
        for line in (header, *cells)
    ]
    return "".join(f"{line}\n" for line in lines)


def to_csv(rows: Iterable[Mapping[str, Cell]], columns: Sequence[str]) -> str:
    """Write comma-separated values with a header; missing values are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column) for column in columns] for row in rows)
    return buffer.getvalue()


def to_ecsv(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> str:
    """Write the ECSV form that astropy reads back with types, units and masked missing values."""
    buffer = io.StringIO()
    to_table(rows, columns).write(buffer, format="ascii.ecsv")
    return buffer.getvalue()


def to_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> Table:
    """Return an `astropy.table.Table` with units, in which missing values are masked."""
    from astropy.table import MaskedColumn, Table

    table = Table()
    for column in columns:
        values = [row.get(column) for row in rows]
        kind = _kind(values)
        table[column] = MaskedColumn(
            [kind() if value is None else kind(value) for value in values],
            mask=[value is None for value in values],
            dtype=kind,
            unit=UNITS.get(column),
        )
    return table


def to_json_rows(rows: Iterable[Mapping[str, Cell]], columns: Sequence[str]) -> list[dict[str, Cell]]:
    """Return the rows as values that JSON can hold: what is no finite number is null."""
    return [{column: _finite(row.get(column)) for column in columns} for row in rows]


def cell_text(value: Cell, width: int | None = None) -> str:
    """Return a value as a cell of a text table: never empty, without blanks, cut to `width` characters."""
    if value is None:
        return MISSING
    if isinstance(value, float):
        return MISSING if math.isnan(value) else repr(value)
    # A quotation mark would open a quoted cell for astropy, a leading # would make the line a comment.
    text = _SEPARATORS.sub("_", str(value).strip()).replace('"', "'")
    text = "_" + text[1:] if text.startswith("#") else text
    return (text or MISSING) if width is None or len(text) <= width else text[: max(width - 3, 1)] + "..."


def _kind(values: Iterable[Cell]) -> type[bool] | type[int] | type[float] | type[str]:
    """Return the narrowest type that holds all values; of a column without any, text."""
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return bool
    if types == {int}:
        return int
    return float if types and types <= {bool, int, float} else str


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
