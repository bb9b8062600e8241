"""A picture of what a FITS file holds: ZScale and asinh, with a colour bar and units; spectra as lines.

Rows begin at the bottom, as DS9 and the archive's previews show them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jwstwatch import files
from jwstwatch.core import naming
from jwstwatch.core.site import Keyword
from jwstwatch.errors import ContentError
from jwstwatch.imaging import frames, montage, planes, spectra, stretch
from jwstwatch.imaging.units import Contents, ImageUnit, look_through

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LOOKS = 1
"""Raised when quick-looks are to look different from now on: each is made again when its page is written."""

LONGEST = 1024
"""Pixels of the longest side."""
_ENLARGED = 640
"""Smaller pictures are enlarged up to this many pixels, by a whole number."""
_STRIP = 96
_MOST_INTEGRATIONS = 5
_MOST_PLANES = 64
_MOST_PIXELS = 8_000_000
"""Of all planes of a cube together, at the size that is shown."""
_FULL = 50_000.0
"""Counts of 65,535."""
_EXPOSURES = (naming.Form.EXPOSURE, naming.Form.SEGMENT, naming.Form.STAGE3_EXPOSURE)
_STREAMS = ("track", "fg")
_NOT_RAMPS = ("psfalign", "psfstack", "psfsub")
_GZIP = b"\x1f\x8b"


def make_quicklook(source: Path, target: Path) -> None:
    """Write a JPEG of what the FITS file at `source` holds to `target`, of about 1024 x 1024 pixels.

    `ContentError` if nothing in it can be shown; `target` is then left as it was.
    """
    files.write_remakable(target, draw_quicklook(source))


def draw_quicklook(source: Path) -> bytes:
    """Return a JPEG of what a FITS file holds; memory is bounded whatever its size.

    Images as they are; of a ramp the last less the first group of the first integration; of integrations
    and of wavelengths the median of some; several cutouts side by side; spectra as flux over wavelength.
    `ContentError` if nothing in it can be shown.
    """
    try:
        with source.open("rb") as stream:
            if stream.read(2) == _GZIP:
                raise ContentError("it is compressed")
            found = look_through(stream, size=os.fstat(stream.fileno()).st_size)
            return _draw(stream, found, source.name)
    except ContentError as error:
        raise ContentError(f"No picture can be made of {source.name}: {error.message}") from error


def _draw(stream: BinaryIO, found: Contents, name: str) -> bytes:
    science = found.science
    if len(science) > 1:
        return _draw_cutouts(stream, found, name)
    if found.spectra and not science:
        return spectra.draw(stream, found.spectra, titles=_titles(found.told, name, ""))
    if not found.images:
        raise ContentError("it holds neither an image nor a spectrum")
    image = science[0] if science else found.images[0]
    grid = planes.choose_grid(image, longest=LONGEST)
    values, what = _read(stream, image, grid=grid, found=found, name=name)
    repeats = _repeats(values.shape)
    size = f"{grid.columns} x {grid.rows} pixels"
    if grid.block[0] * repeats[1] != grid.block[1] * repeats[0]:
        size += " (stretched)"
    return _frame(values, repeats, titles=_titles(found.told, name, _join(what, size)), unit=image.unit)


def _draw_cutouts(stream: BinaryIO, found: Contents, name: str) -> bytes:
    """Show cutouts of several slits or sources side by side, as many as there is room for."""
    pieces, science = [], [image for image in found.science if len(image.shape) == 2]
    if not science:
        raise ContentError("it holds several cubes")
    for image in science:
        grid = planes.choose_grid(image, longest=LONGEST)
        pieces.append(planes.read_plane(stream, image, 0, grid=grid))
    values, placed = montage.arrange(pieces, width=LONGEST, height=LONGEST)
    what = f"the first {placed} cutouts" if placed < len(science) else f"{placed} cutouts"
    return _frame(values, (1, 1), titles=_titles(found.told, name, what), unit=science[0].unit)


def _frame(values: Array, repeats: tuple[int, int], *, titles: frames.Titles, unit: str) -> bytes:
    import numpy as np

    chosen = stretch.choose_stretch(values)
    missing = np.isnan(values)
    levels = np.full(values.shape, frames.MISSING, np.uint8)
    if chosen is not None:
        levels = np.maximum(stretch.to_brightness(values, chosen), frames.DARKEST)
        levels[missing] = frames.MISSING
        levels[np.isneginf(values)] = frames.OUTSIDE
    shown = titles.shown
    if missing.any():
        shown = _join(shown, f"blue: no value ({100 * missing.mean():.2g} %)")
    enlarged = levels[::-1].repeat(repeats[0], axis=0).repeat(repeats[1], axis=1)
    titles = frames.Titles(name=titles.name, facts=titles.facts, shown=shown)
    return frames.frame_picture(enlarged, titles=titles, stretch=chosen, unit=unit)


def _read(
    stream: BinaryIO, image: ImageUnit, *, grid: planes.Grid, found: Contents, name: str
) -> tuple[Array, str]:
    """Return the plane that is shown, and the words for it."""
    quality = _quality_of(image, found)
    parts = naming.parse(name)
    if image.planes == 1:
        return planes.read_plane(stream, image, 0, grid=grid, quality=quality), ""
    ramp = len(image.shape) == 4 and parts.suffix not in _NOT_RAMPS and parts.guide_function not in _STREAMS
    if ramp and image.shape[1] > 1:
        return _read_ramp(stream, image, grid=grid)
    cube = parts.suffix == "s3d"
    most = _MOST_PLANES if cube else _MOST_INTEGRATIONS
    most = max(1, min(most, _MOST_PIXELS // (grid.shape[0] * grid.shape[1])))
    numbers = planes.spread(image.planes, most)
    some = [planes.read_plane(stream, image, number, grid=grid, quality=quality) for number in numbers]
    word = "wavelengths" if cube else "integrations" if parts.form in _EXPOSURES else "planes"
    return planes.median(some), f"median of {len(some)} of {image.planes} {word}"


def _read_ramp(stream: BinaryIO, image: ImageUnit, *, grid: planes.Grid) -> tuple[Array, str]:
    """Return how much a ramp rose in its first integration; where it is saturated, its height."""
    import numpy as np

    groups = image.shape[1]
    first = planes.read_plane(stream, image, 0, grid=grid)
    last = planes.read_plane(stream, image, groups - 1, grid=grid)
    with np.errstate(over="ignore"):
        risen: Array = last - first
    # A saturated pixel does not rise, and the core of a bright star would be black.
    full = last > _FULL
    if full.any():
        bias = np.median(first[::7, ::7])
        risen[full] = np.maximum(risen[full], last[full] - bias)
    return risen, f"group {groups} - group 1, integration 1 of {image.shape[0]}"


def _quality_of(image: ImageUnit, found: Contents) -> ImageUnit | None:
    """Return the flags of an image's pixels, unless they are something else."""
    same = [unit for unit in found.qualities if unit.shape == image.shape and "f" not in unit.kind]
    return same[0] if image.name == "SCI" and same else None


def _repeats(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how often rows and columns are repeated: what is tiny is enlarged, a strip is made wider."""
    rows, columns = shape
    enlarged = max(1, _ENLARGED // max(rows, columns))
    down = max(enlarged, -(-_STRIP // rows)) if columns >= 8 * rows else enlarged
    across = max(enlarged, -(-_STRIP // columns)) if rows >= 8 * columns else enlarged
    return down, across


def _titles(told: Mapping[str, Keyword], name: str, shown: str) -> frames.Titles:
    instrument = " ".join(_words(told, "INSTRUME", "DETECTOR"))
    channel = [f"channel {word}" for word in _words(told, "CHANNEL")]
    words = [*_words(told, "FILTER", "PUPIL", "GRATING"), *channel, *_words(told, "BAND")]
    optics = " ".join(word for word in words if word != "CLEAR")
    target = next(iter(_words(told, "TARGPROP", "TARGNAME")), "")
    seconds = told.get("EFFEXPTM")
    time = f"{seconds:.5g} s" if isinstance(seconds, int | float) and seconds > 0 else ""
    return frames.Titles(name=name, facts=_join(instrument, optics, target, time), shown=shown)


def _words(told: Mapping[str, Keyword], *names: str) -> list[str]:
    values = (told.get(name) for name in names)
    return [str(value) for value in values if value not in (None, "", "N/A") and not isinstance(value, bool)]


def _join(*texts: str) -> str:
    return " \u00b7 ".join(text for text in texts if text)
