"""The four tables of a part as rows with cells: exposures, level-3 products, guide stars, other files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jwstwatch.core.site import PageFile, PageSettings
from jwstwatch.pages.bundles import Arrangement, Bundle
from jwstwatch.pages.cells import Cell, Picture, badge_of, picture_of, show_files, show_value
from jwstwatch.pages.columns import fill_rows
from jwstwatch.pages.formats import format_bytes, format_keyword, format_time
from jwstwatch.pages.marks import worst_style

_Row = tuple[Bundle, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its files, its cells in the order of the section's columns, what it is filtered by."""

    bundle: Bundle
    cells: tuple[Cell, ...]
    detector: str
    optics: str
    """The filter, with the pupil or the grating."""
    state: str
    """The style of the file that most needs to be looked at."""
    more: tuple[Picture, ...] = ()
    """What was drawn of its files and stands in no cell, one of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of table: how pages, scripts and addresses call it."""

    name: str
    title: str
    head: str
    """Of the first column, the rows' own names."""
    folded: bool = False
    """Closed until somebody opens it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a part, or what several parts have of it together."""

    kind: Kind
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


KINDS = (
    Kind(name="exposures", title="Exposures", head="Exposure"),
    Kind(name="products", title="Level-3 products", head="Product"),
    Kind(name="guide-stars", title="Guide stars", head="Guide-star data", folded=True),
    Kind(name="others", title="Other files", head="File", folded=True),
)
"""In the order of the page."""


def make_sections(files: Arrangement, settings: PageSettings) -> tuple[Section, ...]:
    """Return the tables that have rows, in the order of the page."""
    filled: Sequence[Iterable[_Row]] = (
        fill_rows(files.exposures, settings),
        _fill(files.products, _PRODUCT_CELLS),
        _fill(files.guide_stars, _GUIDE_STAR_CELLS),
        _fill(files.others, _OTHER_CELLS),
    )
    columns = columns_of(settings)
    sections = (
        Section(kind=kind, columns=columns[kind.name], rows=tuple(_finish(rows)))
        for kind, rows in zip(KINDS, filled, strict=True)
    )
    return tuple(section for section in sections if section.rows)


def columns_of(settings: PageSettings) -> dict[str, tuple[str, ...]]:
    """Return the names of each table's columns."""
    return {
        "exposures": settings.columns,
        "products": tuple(_PRODUCT_CELLS),
        "guide-stars": tuple(_GUIDE_STAR_CELLS),
        "others": tuple(_OTHER_CELLS),
    }


def unite(parts: Iterable[Iterable[Section]]) -> tuple[Section, ...]:
    """Return the tables of several parts as one of each kind, rows in the order of the parts."""
    united: dict[str, Section] = {}
    for section in (section for sections in parts for section in sections):
        before = united.get(section.kind.name)
        united[section.kind.name] = (
            section if before is None else replace(before, rows=before.rows + section.rows)
        )
    return tuple(united[kind.name] for kind in KINDS if kind.name in united)


def choose_picture(bundle: Bundle) -> PageFile | None:
    """Return the file whose picture shows a bundle best, one with a thumbnail if there is any."""
    return _choose(bundle.files)


def _choose(files: Iterable[PageFile]) -> PageFile | None:
    return min(
        (file for file in files if picture_of(file)),
        key=lambda file: (
            file.thumbnail is None,
            _SHOWN_FIRST.get(file.filetype, len(_SHOWN_FIRST)),
            file.name,
        ),
        default=None,
    )


_SHOWN_FIRST = {
    filetype: place
    for place, filetype in enumerate(
        f"_{stage}.{ending}"
        for stage in ("i2d", "s2d", "x1d", "c1d", "x1dints", "s3d", "cal", "rate", "uncal", "thumb")
        for ending in ("jpg", "png", "fits")
    )
}


def _fill(rows: Iterable[Bundle], columns: Mapping[str, Callable[[Bundle], Cell]]) -> Iterator[_Row]:
    for row in rows:
        yield row, tuple(fill(row) for fill in columns.values())


def _finish(rows: Iterable[_Row]) -> Iterator[Row]:
    for bundle, cells in rows:
        yield Row(
            bundle=bundle,
            cells=cells,
            detector=_detector(bundle),
            optics=_optics(bundle),
            state=worst_style(bundle.files),
            more=_find_more(bundle, cells),
        )


def _find_more(bundle: Bundle, cells: Iterable[Cell]) -> tuple[Picture, ...]:
    shown = {cell.picture.kind for cell in cells if cell.picture is not None}
    pictures = (picture_of(file) for file in bundle.files)
    more: dict[str, Picture] = {}
    for picture in pictures:
        if picture is not None and picture.thumbnail is not None and picture.kind not in shown:
            more.setdefault(picture.kind, picture)
    return tuple(more.values())


def _detector(bundle: Bundle) -> str:
    if bundle.name.detector is not None:
        return bundle.name.detector
    stated = format_keyword(bundle.keywords.get("DETECTOR")).lower()
    return "" if stated == "multiple" else stated


_BLOCKING_NOTHING = frozenset({"", "CLEAR", "CLEARP", "NONE", "N/A"})


def _optics(bundle: Bundle) -> str:
    """Return `F115W`, `F322W2+F323N`, `F290LP+G395M`: what the header says, else what CAOM says."""
    stated = [format_keyword(bundle.keywords.get(name)) for name in ("FILTER", "PUPIL", "GRATING")]
    telling = [word for word in stated if word.upper() not in _BLOCKING_NOTHING]
    if telling or stated[0]:
        return "+".join(telling) or stated[0]
    caom = bundle.observation.filters if bundle.observation else None
    return caom or (bundle.name.optical or "").upper()


def _show_picture(bundle: Bundle) -> Cell:
    return _show_best([file for file in bundle.files if not _is_spectrum(file)])


def _show_spectrum(bundle: Bundle) -> Cell:
    return _show_best([file for file in bundle.files if _is_spectrum(file)])


def _show_best(files: Sequence[PageFile]) -> Cell:
    chosen = _choose(files)
    if chosen is not None:
        return show_files([chosen])
    return show_files([file for file in files if file.filetype in _SHOWN_FIRST])


def _is_spectrum(file: PageFile) -> bool:
    return file.filetype.partition(".")[0] in ("_x1d", "_x1dints", "_c1d")


def _show_size(bundle: Bundle) -> Cell:
    size = bundle.bytes_on_disk
    return show_value(size or None, text=format_bytes(size))


def _show_function(bundle: Bundle) -> Cell:
    words = (bundle.name.guide_function, bundle.name.guide_mode)
    return show_value(" ".join(word for word in words if word))


_PRODUCT_CELLS: Mapping[str, Callable[[Bundle], Cell]] = {
    "Image": _show_picture,
    "Spectrum": _show_spectrum,
    "Obs.": lambda row: show_value(row.obsnum),
    "Candidate": lambda row: show_value(row.name.candidate),
    "Target": lambda row: show_value(row.observation.target_name if row.observation else None),
    "Instrument": lambda row: show_value(row.name.instrument),
    "Optics": lambda row: show_value(row.name.optical),
    "On disk": _show_size,
}
_GUIDE_STAR_CELLS: Mapping[str, Callable[[Bundle], Cell]] = {
    "Obs.": lambda row: show_value(row.obsnum),
    "Visit": lambda row: show_value(row.name.visit),
    "Function": _show_function,
    "Image": _show_picture,
    "On disk": _show_size,
}
_OTHER_CELLS: Mapping[str, Callable[[Bundle], Cell]] = {
    "Type": lambda row: show_value(row.leading.filetype),
    "Obs.": lambda row: show_value(row.obsnum),
    "Size": lambda row: show_value(row.leading.size, text=format_bytes(row.leading.size)),
    "State": lambda row: badge_of(row.leading),
    "Changed (UTC)": lambda row: show_value(format_time(row.leading.changed_at) or None),
}
