"""The table of exposures: which cell a name of `webpage_cols4table` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jwstwatch.core.model import FileState
from jwstwatch.core.site import Keyword, PageSettings
from jwstwatch.pages.bundles import Bundle, is_on_disk
from jwstwatch.pages.formats import format_bytes, format_keyword, format_mjd, make_link

Kind = Literal["text", "number", "picture"]

_LONG = 20
"""Characters that still fit beside another column on a phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one cell: text, a link, a thumbnail, or the state of a file that is not there."""

    text: str = ""
    value: Keyword = None
    """What the cell sorts by; an empty cell is None."""
    sort: str | None = None
    """The value for the browser, where it is not the text itself."""
    link: str | None = None
    picture: str | None = None
    """The address of a thumbnail."""
    state: FileState | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The head of a column: its name as configured and what its cells hold; `wide` for long texts."""

    name: str
    kind: Kind
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings, and for each row its bundle with one cell per heading."""

    headings: tuple[Heading, ...]
    rows: tuple[tuple[Bundle, tuple[Cell, ...]], ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """What the style sheet calls the cells of each column; empty for plain text."""
        return tuple(
            "wide" if heading.wide else "" if heading.kind == "text" else heading.kind
            for heading in self.headings
        )


def fill_table(rows: Iterable[Bundle], settings: PageSettings, *, folder: str) -> Table:
    """Return the table that `settings` ask for, sorted by `settings.sort_by`; links are those of `folder`."""
    ordered = sort_rows(rows, settings.sort_by)
    columns = [_fill_column(name, settings, ordered, folder) for name in settings.columns]
    cells = zip(*(cells for _, cells in columns), strict=True) if columns else ((),) * len(ordered)
    return Table(
        headings=tuple(heading for heading, _ in columns), rows=tuple(zip(ordered, cells, strict=True))
    )


def sort_rows(rows: Iterable[Bundle], names: Sequence[str]) -> list[Bundle]:
    """Return the rows by the values of the columns `names`, empty ones last, then by their own name."""
    return sorted(rows, key=lambda row: [*(_comparable(_value_of(name, row)) for name in names), row.key])


def normalise_picture_type(word: str) -> str:
    """Return the file type that either spelling of a picture means: `uncal` and `_uncal.jpg` are one."""
    plain = word.strip().lower()
    if "." not in plain:
        plain += ".jpg"
    return plain if plain.startswith("_") else f"_{plain}"


def _fill_column(
    name: str, settings: PageSettings, rows: Sequence[Bundle], folder: str
) -> tuple[Heading, list[Cell]]:
    filetype = normalise_picture_type(name)
    pictured = filetype in {normalise_picture_type(word) for word in settings.thumbnails}
    if pictured or (name not in _FACTS and _names_files(filetype, rows)):
        return Heading(name=name, kind="picture"), [_show_file(row, filetype, folder) for row in rows]
    cells = [_show_value(name, row, folder) for row in rows]
    values = [cell.value for cell in cells if cell.value is not None]
    numbers = bool(values) and all(isinstance(value, int | float) for value in values)
    wide = not numbers and any(len(cell.text) > _LONG for cell in cells)
    return Heading(name=name, kind="number" if numbers else "text", wide=wide), cells


def _names_files(filetype: str, rows: Sequence[Bundle]) -> bool:
    """Tell whether a column that is no thumbnail still names a file type of these rows."""
    return any(spelling in row.by_type for row in rows for spelling in _spellings(filetype))


def _spellings(filetype: str) -> tuple[str, ...]:
    stem = filetype.partition(".")[0]
    return (filetype, f"{stem}.jpg", f"{stem}.png", f"{stem}.fits")


def _show_file(row: Bundle, filetype: str, folder: str) -> Cell:
    files = [row.by_type[spelling] for spelling in _spellings(filetype) if spelling in row.by_type]
    for file in files:
        if is_on_disk(file):
            return Cell(
                text=file.filetype.removeprefix("_"),
                value=file.name,
                sort=file.name,
                link=make_link(file.path, folder),
                picture=make_link(file.thumbnail, folder),
                note=file.name,
            )
    return Cell(state=files[0].state, note=files[0].reason or "") if files else Cell()


def _show_value(name: str, row: Bundle, folder: str) -> Cell:
    value = _value_of(name, row)
    text = format_bytes(row.leading.size) if name == "size" else format_keyword(value)
    exact = "" if value is None else str(value)
    linked = name in ("outfilename", "productFilename") and is_on_disk(row.leading)
    return Cell(
        text=text,
        value=value,
        sort=None if exact == text else exact,
        link=make_link(row.leading.path, folder) if linked else None,
    )


def _value_of(name: str, row: Bundle) -> Keyword:
    if name in _FACTS:
        return _FACTS[name](row)
    if name in row.keywords:
        return row.keywords[name]
    stated = row.observation.columns.get(name) if row.observation else None
    return stated if stated is None or isinstance(stated, str | int | float) else str(stated)


def _comparable(value: Keyword) -> tuple[int, Keyword]:
    if value is None or value != value:  # NaN would spoil the order of all the others
        return 2, 0
    return (1 if isinstance(value, str) else 0), value


def _download_code(row: Bundle) -> int:
    return 2 if is_on_disk(row.leading) else 7 if row.leading.state is FileState.FAILED else 0


_DOWNLOAD_WORDS = {0: "", 2: "exists", 7: "ERRORdownload"}

_FACTS: Mapping[str, Callable[[Bundle], Keyword]] = {
    "proposal_id": lambda row: row.name.proposal,
    "obsnum": lambda row: row.obsnum,
    "visit": lambda row: row.name.visit,
    "sca": lambda row: row.name.detector,
    "detector": lambda row: row.name.detector,
    "obs_id": lambda row: row.key,
    "obsID": lambda row: row.leading.obsid,
    "obsid": lambda row: row.leading.obsid,
    "parent_obsid": lambda row: row.leading.parent_obsid,
    "calib_level": lambda row: row.leading.calib_level,
    "productType": lambda row: row.leading.product_type,
    "filetype": lambda row: row.leading.filetype,
    "productFilename": lambda row: row.leading.name,
    "outfilename": lambda row: row.leading.path,
    "dataURI": lambda row: row.leading.uri,
    "size": lambda row: row.leading.size,
    "state": lambda row: row.leading.state.value,
    "revision": lambda row: row.leading.revision,
    "date_min": lambda row: format_mjd(row.observation.t_min) or None if row.observation else None,
    "dl_code": _download_code,
    "dl_str": lambda row: _DOWNLOAD_WORDS[_download_code(row)] or None,
}
"""The columns that come from the product, under the names that jwst_mast_query gave them."""
