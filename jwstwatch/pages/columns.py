"""The columns of exposures: which cell a name of `webpage_cols4table` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

from jwstwatch.core.model import FileState
from jwstwatch.core.site import Keyword, PageSettings
from jwstwatch.pages.bundles import Bundle, is_on_disk
from jwstwatch.pages.cells import Cell, show_files, show_value
from jwstwatch.pages.formats import format_bytes, format_mjd

_Fill = Callable[[Bundle], Cell]


def fill_rows(rows: Iterable[Bundle], settings: PageSettings) -> list[tuple[Bundle, tuple[Cell, ...]]]:
    """Return the rows in the order of `settings.sort_by`, each with a cell for every configured column."""
    ordered = sort_rows(rows, settings.sort_by)
    fills = [_fill_of(name, settings, ordered) for name in settings.columns]
    return [(row, tuple(fill(row) for fill in fills)) for row in ordered]


def sort_rows(rows: Iterable[Bundle], names: Sequence[str]) -> list[Bundle]:
    """Return the rows by the values of the columns `names`, empty ones last, then by their own name."""
    return sorted(rows, key=lambda row: [*(_comparable(_value_of(name, row)) for name in names), row.key])


def normalise_picture_type(word: str) -> str:
    """Return the file type that either spelling of a picture means: `uncal` and `_uncal.jpg` are one."""
    plain = word.strip().lower()
    if "." not in plain:
        plain += ".jpg"
    return plain if plain.startswith("_") else f"_{plain}"


def _fill_of(name: str, settings: PageSettings, rows: Sequence[Bundle]) -> _Fill:
    filetype = normalise_picture_type(name)
    spellings = _spellings(filetype)
    pictured = filetype in {normalise_picture_type(word) for word in settings.thumbnails}
    if pictured or (name not in _FACTS and _names_files(spellings, rows)):
        return partial(_show_files, spellings)
    return partial(_show_value, name)


def _names_files(spellings: Iterable[str], rows: Sequence[Bundle]) -> bool:
    """Tell whether a column that is no thumbnail still names a file type of these rows."""
    return any(spelling in row.by_type for row in rows for spelling in spellings)


@cache
def _spellings(filetype: str) -> tuple[str, ...]:
    stem = filetype.partition(".")[0]
    return tuple(dict.fromkeys((filetype, f"{stem}.jpg", f"{stem}.png", f"{stem}.fits")))


def _show_files(spellings: Iterable[str], row: Bundle) -> Cell:
    return show_files([row.by_type[spelling] for spelling in spellings if spelling in row.by_type])


def _show_value(name: str, row: Bundle) -> Cell:
    linked = name in ("outfilename", "productFilename") and is_on_disk(row.leading)
    return show_value(
        _value_of(name, row),
        text=format_bytes(row.leading.size) if name == "size" else None,
        path=row.leading.path if linked else None,
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
