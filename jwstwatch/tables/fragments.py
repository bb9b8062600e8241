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


def unite(layouts: Iterable[Layout]) -> Layout:
    """Return the layout in which the pieces of all these layouts fit; there is one at least."""
    layouts = list(layouts)
    return Layout(
        widths=tuple(max(widths) for widths in zip(*(layout.widths for layout in layouts), strict=True)),
        right=tuple(all(right) for right in zip(*(layout.right for layout in layouts), strict=True)),
    )


def to_piece(
    rows: Sequence[Mapping[str, Cell]], columns: Sequence[str], *, others: Layout | None = None
) -> tuple[str, Layout]:
    """Write a line for the head of the table, and one for each row; with the layout in which they are set.

    It is wide enough for pieces in the layout of the `others` too.
    """
    head = [cell_text(column) for column in columns]
    lines = [head, *([cell_text(row.get(column)) for column in columns] for row in rows)]
    own = Layout(
        widths=tuple(max(map(len, cells)) for cells in zip(*lines, strict=True)),
        right=tuple(all(not isinstance(row.get(column), str) for row in rows) for column in columns),
    )
    layout = own if others is None else unite([own, others])
    return "".join(f"{_pad(cells, layout)}\n" for cells in lines), layout


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
