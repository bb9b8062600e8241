"""Rows and their details as data scripts: each is one call with one JSON document, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from math import isfinite

from jwstwatch.core.site import Keyword, PageFile
from jwstwatch.pages.bundles import Bundle, is_on_disk
from jwstwatch.pages.cells import Cell, Picture
from jwstwatch.pages.details import make_detail
from jwstwatch.pages.formats import is_linkable
from jwstwatch.pages.marks import describe, mark
from jwstwatch.pages.sections import Row, Section

ROWS_AT_ONCE = 500
"""Rows in one script."""

DETAILS_AT_ONCE = 100
"""Rows whose details are in one script."""

_EXACT = 2**53
"""From here on JavaScript does not tell every whole number from its neighbour."""

_Place = list[int | str]


def write_rows(part: str, section: Section) -> Iterator[bytes]:
    """Yield the scripts that bring the rows of a section, in their order."""
    for chunk, rows in _chunks(section.rows, ROWS_AT_ONCE):
        folders = _Folders()
        written = [_row(row, folders) for row in rows]
        yield _call(
            "rows",
            {
                "part": part,
                "section": section.kind.name,
                "chunk": chunk,
                "folders": folders.paths,
                "rows": written,
            },
        )


def write_details(part: str, section: Section) -> Iterator[bytes]:
    """Yield the scripts that bring the details of a section's rows, in their order."""
    for chunk, rows in _chunks(section.rows, DETAILS_AT_ONCE):
        details = {row.bundle.key: make_detail(row.bundle) for row in rows}
        yield _call("details", {"part": part, "section": section.kind.name, "chunk": chunk, "rows": details})


def _chunks(rows: Sequence[Row], size: int) -> Iterator[tuple[int, Sequence[Row]]]:
    for chunk, start in zip(count(1), range(0, len(rows), size)):
        yield chunk, rows[start : start + size]


def _call(function: str, document: object) -> bytes:
    """Return the script; ASCII without `<` is the same in every encoding and ends no element of a page."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"jwstwatch.{function}({text});\n".encode("ascii")


class _Folders:
    """The folders that the names of one script lie in, each by its place in the list."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, path: str, key: str) -> _Place:
        """Return folder and name; `~` stands for the key of the row, and no folder (-1) for no link."""
        folder, _, name = path.rpartition("/")
        if not is_linkable(path) or name.startswith("~"):
            return [-1, name]
        if folder not in self._places:
            self._places[folder] = len(self.paths)
            self.paths.append(folder)
        return [self._places[folder], f"~{name[len(key) :]}" if name.startswith(key) else name]


def _row(row: Row, folders: _Folders) -> list[object]:
    bundle = row.bundle
    files = [
        _file(file, label, bundle, folders) for file, label in zip(bundle.files, bundle.labels, strict=True)
    ]
    cells = [_cell(cell, bundle.key, folders) for cell in row.cells]
    written: list[object] = [bundle.key, files, cells, [row.detector, row.optics, row.state]]
    if row.more:
        written.append([_picture(picture, bundle.key, folders) for picture in row.more])
    return written


def _file(file: PageFile, label: str, bundle: Bundle, folders: _Folders) -> list[object]:
    shown = mark(file)
    folder, name = folders.place(file.path, bundle.key)
    return [label, shown.style, shown.word, folder if is_on_disk(file) else -1, name, describe(file)]


def _cell(cell: Cell, key: str, folders: _Folders) -> object:
    if cell.picture is not None:
        return {"p": _picture(cell.picture, key, folders)}
    if cell.badge is not None:
        return {"w": cell.badge.word, "s": cell.badge.style, "n": cell.note}
    if cell.path is not None and is_linkable(cell.path):
        linked: dict[str, object] = {"a": folders.place(cell.path, key), "t": cell.text}
        return {**linked, "n": cell.note} if cell.note else linked
    return _value(cell.value, cell.text)


def _value(value: Keyword, text: str) -> object:
    """Return what is shown, with what it sorts by where that is something else."""
    if value is None:
        return None
    number = _number(value)
    if number is None:
        return text
    # JavaScript writes powers of ten in its own way: 0.00001 for 1e-05.
    return number if text == repr(number) and "e" not in text else [text, number]


def _number(value: Keyword) -> int | float | None:
    """Return a number as JavaScript would write it; None for what is no number there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if abs(value) >= _EXACT:
        return value if isinstance(value, float) and isfinite(value) else None
    return int(value) if value == int(value) else value


def _picture(picture: Picture, key: str, folders: _Folders) -> dict[str, object]:
    written: dict[str, object] = {
        "t": None if picture.thumbnail is None else folders.place(picture.thumbnail, key),
        "f": folders.place(picture.full, key),
        "k": picture.kind,
        "r": picture.revision,
    }
    if picture.former is not None:
        written["o"] = [*folders.place(picture.former.path, key), picture.former.revision]
    if picture.path != picture.full:
        written["h"] = folders.place(picture.path, key)
    return written
