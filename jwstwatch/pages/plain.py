"""Tables that are complete without script: in pages of a bounded size, with all that a template prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jwstwatch.pages.bundles import Bundle, is_on_disk
from jwstwatch.pages.cells import Cell, is_number_column
from jwstwatch.pages.formats import make_link
from jwstwatch.pages.marks import Mark, describe, mark
from jwstwatch.pages.sections import Kind, Row, Section

ROWS_AT_ONCE = 200
"""Rows on one page."""

FILES_AT_ONCE = 3000
"""Files on one page: rows of many files make fewer rows a page."""

_LONG = 20
"""Characters that still fit beside another column on a phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The head of a column: its name, and what the style sheet calls its cells (empty for short text)."""

    name: str
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """One table of a page without script."""

    kind: Kind
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """What is shown of one file below the name of its row; no link for what is not on disk."""

    label: str
    link: str | None
    mark: Mark
    note: str


def make_tables(sections: Sequence[Section]) -> list[PlainTable]:
    """Return the tables of one page."""
    return [
        PlainTable(
            kind=section.kind,
            headings=tuple(
                _make_heading(name, [row.cells[place] for row in section.rows])
                for place, name in enumerate(section.columns)
            ),
            rows=section.rows,
        )
        for section in sections
    ]


def paginate(sections: Sequence[Section]) -> list[list[Section]]:
    """Share the rows out among pages, in their order; there is always a first page."""
    pages: list[list[Section]] = [[]]
    rows_left, files_left = ROWS_AT_ONCE, FILES_AT_ONCE
    for section in sections:
        begun = 0
        for place, row in enumerate(section.rows):
            files = len(row.bundle.files)
            if rows_left == 0 or (files > files_left and rows_left < ROWS_AT_ONCE):
                _add_rows(pages[-1], section, section.rows[begun:place])
                pages.append([])
                begun, rows_left, files_left = place, ROWS_AT_ONCE, FILES_AT_ONCE
            rows_left, files_left = rows_left - 1, files_left - files
        _add_rows(pages[-1], section, section.rows[begun:])
    return pages


def make_chips(bundle: Bundle, folder: str) -> Iterator[Chip]:
    """Yield what a page in `folder` shows of each file of a row."""
    for file, label in zip(bundle.files, bundle.labels, strict=True):
        link = make_link(file.path, folder) if is_on_disk(file) else None
        yield Chip(label, link, mark(file), describe(file))


def lay_out(row: Row, headings: Sequence[Heading]) -> Iterator[tuple[str, str, str | None, Cell | None]]:
    """Yield text, style and sort value of each cell, with the cell itself where it is more than its text."""
    for cell, heading in zip(row.cells, headings, strict=True):
        plain = cell.picture is None and cell.badge is None and cell.path is None
        yield cell.text, heading.style, _sort_text(cell), None if plain else cell


def _sort_text(cell: Cell) -> str | None:
    """Return what a browser is to sort a cell by; None where that is what it shows."""
    if cell.value is None:
        return None
    exact = str(cell.value)
    return None if exact == cell.text and cell.picture is None else exact


def _add_rows(page: list[Section], section: Section, rows: tuple[Row, ...]) -> None:
    if rows:
        page.append(replace(section, rows=rows))


def _make_heading(name: str, cells: Sequence[Cell]) -> Heading:
    if any(cell.picture is not None for cell in cells):
        return Heading(name=name, style="picture")
    if is_number_column(cells):
        return Heading(name=name, style="number")
    return Heading(name=name, style="wide" if any(len(cell.text) > _LONG for cell in cells) else "")
