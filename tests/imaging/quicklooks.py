"""FITS files of the shapes that JWST has, and what is seen in the pictures made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from PIL import Image

from jwstwatch.imaging import frames
from jwstwatch.imaging.quicklook import make_quicklook

BLUE = 20
"""How much bluer than red a pixel without a value is, at least; greys have no colour."""


def image(data: Any, name: str = "SCI", *, unit: str = "MJy/sr", version: int = 1, **cards: Any) -> Any:
    """Return an image extension."""
    unit_of_file = fits.ImageHDU(np.asarray(data), name=name, ver=version)
    if unit:
        unit_of_file.header["BUNIT"] = unit
    unit_of_file.header.update(cards)
    return unit_of_file


def spectrum(wavelength: Any, flux: Any, *, column: str = "FLUX", quality: Any = None, **cards: Any) -> Any:
    """Return a table as the pipeline extracts them: a spectrum, or with 2-D arrays one in each row."""
    wavelength, flux = np.asarray(wavelength, float), np.asarray(flux, float)
    form = "D" if flux.ndim == 1 else f"{flux.shape[1]}D"
    columns = [
        fits.Column(name="WAVELENGTH", format=form, unit="um", array=wavelength),
        fits.Column(name=column, format=form, unit="Jy", array=flux),
    ]
    if quality is not None:
        columns.append(fits.Column(name="DQ", format="J", array=np.asarray(quality, "i4")))
    table = fits.BinTableHDU.from_columns(columns, name="EXTRACT1D")
    table.header.update(cards)
    return table


def write(path: Path, *units: Any, **cards: Any) -> Path:
    """Write a FITS file with an empty primary unit."""
    primary = fits.PrimaryHDU()
    primary.header.update({"INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "FILTER": "F115W"} | cards)
    fits.HDUList([primary, *units]).writeto(path)
    return path


def see(source: Path) -> Any:
    """Return what the quick-look of a file shows inside its frame: rows from above, red, green, blue."""
    target = source.with_suffix(".jpg")
    make_quicklook(source, target)
    with Image.open(target) as picture:
        box = frames.read_box(picture)  # type: ignore[arg-type]
        assert box is not None
        return np.asarray(picture.convert("RGB").crop(box), float)


def brightness(seen: Any) -> Any:
    """Return the mean of the colours."""
    return seen.mean(axis=2)


def blueness(seen: Any) -> Any:
    """Return by how much blue exceeds red."""
    return seen[:, :, 2] - seen[:, :, 0]


def noise(*shape: int, level: float = 10.0, seed: int = 5) -> Any:
    """Return a sky with a spread of one tenth."""
    return np.random.default_rng(seed).normal(level, 0.1, shape).astype("f4")
