"""What stands in one cell of a table, before it becomes JavaScript, HTML or CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jwstwatch.core.model import FileState
from jwstwatch.core.site import FormerPicture, Keyword, PageFile
from jwstwatch.pages.bundles import is_on_disk
from jwstwatch.pages.formats import format_keyword
from jwstwatch.pages.marks import Mark, describe, mark

PICTURES = (".jpg", ".png")
"""How the names of pictures end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of one file; paths are relative to the root."""

    full: str
    """What the viewer shows."""
    thumbnail: str | None
    kind: str
    """The stage, `rate`, or another word for what is shown."""
    path: str
    """Of the file that the picture is of: the picture itself, or a FITS file."""
    revision: int
    former: FormerPicture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one cell: text, a link, a picture, or the state of a file that is not there."""

    text: str = ""
    value: Keyword = None
    """What the cell sorts by, and what a CSV file says; an empty cell is None."""
    path: str | None = None
    """Of the file that the text links to."""
    picture: Picture | None = None
    badge: Mark | None = None
    """Of a file that is not there."""
    note: str = ""


EMPTY = Cell()


def show_value(value: Keyword, *, text: str | None = None, path: str | None = None) -> Cell:
    """Return the cell of a value, as it is written by default or as `text`."""
    if value in (None, "") or value != value:  # NaN sorts nowhere
        return EMPTY
    return Cell(text=format_keyword(value) if text is None else text, value=value, path=path)


def show_files(files: Sequence[PageFile]) -> Cell:
    """Return the cell of the first file that is on disk, one with a picture before others.

    Where none is, the cell says how the first one stands; empty without any file.
    """
    there = [file for file in files if is_on_disk(file)]
    if not there:
        return Cell(badge=mark(files[0]), note=files[0].reason or "") if files else EMPTY
    pictures = [(file, picture) for file in there if (picture := picture_of(file)) is not None]
    if not pictures:
        return Cell(text=_word(there[0]), value=there[0].name, path=there[0].path, note=describe(there[0]))
    file, picture = min(pictures, key=lambda entry: entry[1].thumbnail is None)
    return Cell(text=_word(file), value=file.name, picture=picture, note=describe(file))


def picture_of(file: PageFile) -> Picture | None:
    """Return the picture of a file on disk: a jpg or png is its own, a FITS file may have a quick-look."""
    full = file.picture or (file.path if file.name.endswith(PICTURES) else None)
    if full is None or not is_on_disk(file):
        return None
    return Picture(
        full=full,
        thumbnail=file.thumbnail,
        kind=_word(file).partition(".")[0],
        path=file.path,
        revision=file.revision,
        former=file.former_picture,
    )


def badge_of(file: PageFile) -> Cell:
    """Return the cell that says how a file stands."""
    shown = mark(file)
    word = shown.word if shown.style == FileState.FAILED.value else file.state.value
    if file.state is FileState.PRESENT and file.damage is None and shown.word:
        word += f" {shown.word}"
    return Cell(badge=Mark(shown.style, word), value=word, note=describe(file))


def is_number_column(cells: Iterable[Cell]) -> bool:
    """Tell whether there are values in these cells, and all are numbers."""
    values = [cell.value for cell in cells if cell.value is not None]
    return bool(values) and all(_is_number(value) for value in values)


def _is_number(value: Keyword) -> bool:
    """T and F are words; what is not finite is a number in no browser."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) != float("inf")


def _word(file: PageFile) -> str:
    return file.filetype.removeprefix("_")
