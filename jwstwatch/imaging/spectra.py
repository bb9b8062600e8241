"""Extracted spectra of a FITS file: which are shown, and their points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from jwstwatch.errors import ContentError
from jwstwatch.imaging import frames
from jwstwatch.imaging.planes import spread
from jwstwatch.imaging.plots import Line, draw_plot
from jwstwatch.imaging.units import Column, TableUnit

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_LINES = 6
_MOST_POINTS = 8192
_MOST_READ = 64 * 1024 * 1024
_DO_NOT_USE = 1
_LARGEST = 1e100
"""No flux and no wavelength; with larger numbers an axis could not be reckoned."""


def draw(stream: BinaryIO, tables: Sequence[TableUnit], *, titles: frames.Titles) -> bytes:
    """Return the JPEG of a plot of the spectra; `ContentError` (without the name) if there is no point."""
    quantity = "FLUX" if any(_has(stream, table, "FLUX") for table in tables) else "SURF_BRIGHT"
    lines = [line for table in tables for line in _read(stream, table, quantity)]
    if not lines:
        raise ContentError("no point of its spectra has a wavelength and a flux")
    chosen = [lines[number] for number in spread(len(lines), _MOST_LINES)]
    units = {name: column.unit for table in tables for name, column in table.columns.items()}
    labels = (_with_unit("wavelength", units.get("WAVELENGTH", "")), quantity.replace("_", " ").lower())
    counted = frames.Titles(name=titles.name, facts=titles.facts, shown=_count(len(chosen), len(lines)))
    return draw_plot(chosen, titles=counted, labels=labels, unit=units.get(quantity, ""))


def _with_unit(what: str, unit: str) -> str:
    return f"{what} ({unit})" if unit else what


def _count(shown: int, of: int) -> str:
    if of == 1:
        return "1 spectrum"
    return f"{of} spectra" if shown == of else f"{shown} of {of} spectra"


def _has(stream: BinaryIO, table: TableUnit, quantity: str) -> bool:
    return bool(_read(stream, table, quantity))


def _read(stream: BinaryIO, table: TableUnit, quantity: str) -> list[Line]:
    """Return the spectra of a table: one, or one in each row where a row holds whole arrays."""
    wave, flux, flags = (table.columns.get(name) for name in ("WAVELENGTH", quantity, "DQ"))
    if wave is None or flux is None or wave.repeat != flux.repeat:
        return []
    rows = spread(table.rows, _MOST_LINES) if wave.repeat > 1 else [0]
    count = 1 if wave.repeat > 1 else table.rows
    lines = []
    for row in rows:
        if count * table.row_bytes > _MOST_READ:
            raise ContentError("the table of its spectrum is too large")
        stream.seek(table.start + row * table.row_bytes)
        content = stream.read(count * table.row_bytes)
        if len(content) < count * table.row_bytes:
            raise ContentError("it ends in the middle of its data")
        line = _line(content, table, (wave, flux, flags), label=table.label)
        if line is not None:
            lines.append(line)
    return lines


def _line(
    content: bytes, table: TableUnit, columns: tuple[Column, Column, Column | None], *, label: str
) -> Line | None:
    import numpy as np

    wave, flux, flags = columns
    x, y = _values(content, table, wave), _values(content, table, flux)
    good = (x > 1 / _LARGEST) & (x < _LARGEST) & (np.abs(y) < _LARGEST)
    if flags is not None and flags.repeat == wave.repeat and "f" not in flags.kind:
        good &= _raw(content, table, flags) & _DO_NOT_USE == 0
    if not good.any():
        return None
    # A nought at either end is padding.
    inside = np.flatnonzero(good & (y != 0))
    if inside.size:
        good[: inside[0]] = False
        good[inside[-1] + 1 :] = False
    y = np.where(good, y, np.nan)
    step = max(1, -(-x.size // _MOST_POINTS))
    return Line(x=x[::step], y=y[::step], label=label)


def _raw(content: bytes, table: TableUnit, column: Column) -> Array:
    import numpy as np

    kind = np.dtype(
        {
            "names": ["it"],
            "formats": [(column.kind, (column.repeat,))],
            "offsets": [column.offset],
            "itemsize": table.row_bytes,
        }
    )
    values: Array = np.frombuffer(content, kind)["it"].reshape(-1)
    return values


def _values(content: bytes, table: TableUnit, column: Column) -> Array:
    import numpy as np

    return _raw(content, table, column).astype(np.float64)
