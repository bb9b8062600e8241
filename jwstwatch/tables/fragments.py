"""A large text table that is kept in pieces: only the piece that changed is made again.

No cell of a text table is empty or holds a blank (`write.to_text`), so that a piece can be padded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jwstwatch.tables.columns import Cell
from jwstwatch.tables.write import cell_text


@dataclass(frozen=True, slots=True)
class Layout:
    """Of each column how wide it is, in characters, and whether it is set to the right, as numbers are."""

    widths: tuple[int, ...]
    right: tuple[bool, ...]


def layout_of(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> Layout:
    """Return the layout in which these rows, and the head of their table, just fit."""
    return Layout(
        widths=tuple(
            max([len(cell_text(column)), *(len(cell_text(row.get(column))) for row in rows)])
            for column in columns
        ),
        right=tuple(all(not isinstance(row.get(column), str) for row in rows) for column in columns),
    )


def unite(layouts: Iterable[Layout]) -> Layout:
    """Return the layout in which the pieces of all these layouts fit; there is one at least."""
    layouts = list(layouts)
    return Layout(
        widths=tuple(max(widths) for widths in zip(*(layout.widths for layout in layouts), strict=True)),
        right=tuple(all(right) for right in zip(*(layout.right for layout in layouts), strict=True)),
    )


def to_piece(rows: Iterable[Mapping[str, Cell]], columns: Sequence[str], layout: Layout) -> str:
    """Write a line for the head of the table, and one for each row."""
    lines = [[cell_text(column) for column in columns]]
    lines += [[cell_text(row.get(column)) for column in columns] for row in rows]
    return "".join(f"{_pad(cells, layout)}\n" for cells in lines)


def pad_again(piece: str, layout: Layout) -> str:
    """Return a piece in another layout."""
    return "".join(f"{_pad(line.split(), layout)}\n" for line in piece.splitlines())


def without_head(piece: bytes) -> bytes:
    """Return the rows of a piece."""
    return piece[piece.find(b"\n") + 1 :]


def _pad(cells: Sequence[str], layout: Layout) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, layout.widths, layout.right, strict=True)
    ]
    return "  ".join(padded).rstrip()
