"""What can be shown of a FITS file: where the bytes of its images and spectra lie, and what they mean.

Read from headers alone, so that a file of many gigabytes is looked through in milliseconds.
Source: the FITS standard 4.0, sections 4.4, 7.1 (images) and 7.3 (binary tables).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from jwstwatch.core.site import Keyword
from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards

MOST_IMAGES = 40
"""A file of more (one for each slit) is looked at no further."""
MOST_SPECTRA = 12
"""The same for tables."""

_MOST_UNITS = 1000
_MOST_AXES = 9
_MOST_COLUMNS = 999
_CARD = 80
_KINDS = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COLUMN_KINDS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_COLUMN_BYTES = {
    "L": 1,
    "B": 1,
    "I": 2,
    "J": 4,
    "K": 8,
    "A": 1,
    "E": 4,
    "D": 8,
    "C": 8,
    "M": 16,
    "P": 8,
    "Q": 16,
}
_FORM = re.compile(r"(\d{0,9})([LXBIJKAEDCMPQ])")
_TOLD = (
    *("INSTRUME", "DETECTOR", "CHANNEL", "BAND", "FILTER", "PUPIL", "GRATING"),
    *("TARGNAME", "TARGPROP", "EFFEXPTM", "EXP_TYPE"),
)
_IMAGE_FACTS = (
    *("EXTNAME", "BITPIX", "NAXIS", *(f"NAXIS{axis}" for axis in range(1, _MOST_AXES + 1))),
    *("BSCALE", "BZERO", "BLANK", "BUNIT", "ZIMAGE"),
)
_TABLE_FACTS = ("EXTNAME", "NAXIS1", "NAXIS2", "TFIELDS", "SPORDER", "SLTNAME", "SOURCEID")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUnit:
    """An array in a file: `shape` slowest axis first, as numpy has it; its values are raw * scale + zero."""

    name: str
    shape: tuple[int, ...]
    kind: str
    """Of the raw values: a numpy type, big-endian."""
    start: int
    """The byte at which they begin."""
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None
    """The raw value that means none."""
    unit: str = ""

    @property
    def planes(self) -> int:
        """How many pictures lie one behind the other."""
        return math.prod(self.shape[:-2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: `offset` in bytes within a row, `repeat` values in each row."""

    offset: int
    kind: str
    repeat: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableUnit:
    """A table of wavelengths and fluxes; columns by their names in capitals."""

    start: int
    rows: int
    row_bytes: int
    columns: Mapping[str, Column]
    label: str
    """What tells it from its neighbours: the slit, the source, the order; may be empty."""


@dataclass(slots=True, kw_only=True)
class Contents:
    """What was found in a file."""

    told: dict[str, Keyword] = field(default_factory=dict)
    """Keywords of the primary header."""
    images: list[ImageUnit] = field(default_factory=list)
    """Of every name but those of qualities."""
    qualities: list[ImageUnit] = field(default_factory=list)
    """Flags of the pixels (DQ), each for the science image before it."""
    spectra: list[TableUnit] = field(default_factory=list)

    @property
    def science(self) -> list[ImageUnit]:
        """The images that are called SCI."""
        return [image for image in self.images if image.name == "SCI"]


def look_through(stream: BinaryIO, *, size: int) -> Contents:
    """Return what the FITS file of `size` bytes holds; `ContentError` (without the name) if it is broken."""
    found = Contents()
    start = 0
    for number, unit in enumerate(cards.walk(stream, size=size)):
        data = start + -(-(len(unit.header) + _CARD) // cards.BLOCK) * cards.BLOCK
        start = unit.following
        if start > size:
            raise ContentError("it ends in the middle of its data")
        if number == 0:
            found.told = cards.read_values(unit.header, _TOLD)
        if unit.header.startswith(b"XTENSION= 'BINTABLE"):
            _take_table(unit.header, data, found)
        elif number == 0 or unit.header.startswith(b"XTENSION= 'IMAGE"):
            _take_image(unit.header, data, found)
        if len(found.science) >= MOST_IMAGES or len(found.spectra) >= MOST_SPECTRA or number >= _MOST_UNITS:
            break
    return found


def _take_image(header: bytes, start: int, found: Contents) -> None:
    facts = cards.read_values(header, _IMAGE_FACTS)
    kind = _KINDS.get(_whole(facts.get("BITPIX")) or 0)
    axes = _whole(facts.get("NAXIS")) or 0
    shape = (
        tuple(_whole(facts.get(f"NAXIS{axis}")) or 0 for axis in range(axes, 0, -1))
        if axes <= _MOST_AXES
        else ()
    )
    if kind is None or len(shape) < 2 or math.prod(shape) <= 0:
        return
    image = ImageUnit(
        name=_text(facts.get("EXTNAME")).upper(),
        shape=shape,
        kind=kind,
        start=start,
        scale=_number(facts.get("BSCALE"), 1.0),
        zero=_number(facts.get("BZERO"), 0.0),
        blank=_whole(facts.get("BLANK")) if "i" in kind or "u" in kind else None,
        unit=_text(facts.get("BUNIT")),
    )
    (found.qualities if image.name == "DQ" else found.images).append(image)


def _take_table(header: bytes, start: int, found: Contents) -> None:
    facts = cards.read_values(header, _TABLE_FACTS)
    fields = min(_whole(facts.get("TFIELDS")) or 0, _MOST_COLUMNS)
    names = [f"{word}{number}" for number in range(1, fields + 1) for word in ("TTYPE", "TFORM", "TUNIT")]
    columns = _columns(cards.read_values(header, names), fields)
    row_bytes, rows = _whole(facts.get("NAXIS1")) or 0, _whole(facts.get("NAXIS2")) or 0
    inside = all(
        column.offset + column.repeat * int(column.kind[-1]) <= row_bytes for column in columns.values()
    )
    if rows <= 0 or not inside or "WAVELENGTH" not in columns or not {"FLUX", "SURF_BRIGHT"} & set(columns):
        return
    found.spectra.append(
        TableUnit(start=start, rows=rows, row_bytes=row_bytes, columns=columns, label=_label(facts))
    )


def _columns(facts: Mapping[str, Keyword], fields: int) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    offset = 0
    for number in range(1, fields + 1):
        form = _FORM.match(_text(facts.get(f"TFORM{number}")))
        if form is None:
            break
        repeat = int(form[1] or 1)
        if (kind := _COLUMN_KINDS.get(form[2])) and repeat:
            name = _text(facts.get(f"TTYPE{number}")).upper()
            unit = _text(facts.get(f"TUNIT{number}"))
            columns.setdefault(name, Column(offset=offset, kind=kind, repeat=repeat, unit=unit))
        offset += -(-repeat // 8) if form[2] == "X" else repeat * _COLUMN_BYTES[form[2]]
    return columns


def _label(facts: Mapping[str, Keyword]) -> str:
    words = []
    for name, word in (("SLTNAME", ""), ("SOURCEID", "source "), ("SPORDER", "order ")):
        value = facts.get(name)
        if value not in (None, "", "N/A") and not isinstance(value, bool):
            words.append(f"{word}{value}")
    return ", ".join(words)


def _whole(value: Keyword) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Keyword, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        return float(value)
    except OverflowError:
        raise ContentError("a FITS header in it scales by a number that cannot be") from None


def _text(value: Keyword) -> str:
    return value.strip() if isinstance(value, str) else ""
