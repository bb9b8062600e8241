"""Small files as the archive has them: FITS with a real header's keywords, JPEG, PNG."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits
from PIL import Image


def make_fits(*extensions: str, size: int = 20) -> bytes:
    """Return a FITS file with an empty primary unit and an image of `size` x `size` for each name."""
    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"] = "JWST"
    primary.header["DATE-BEG"] = "2022-05-14T18:15:30.545"
    primary.header["NINTS"] = 2
    primary.header["EFFEXPTM"] = 107.368
    primary.header["IS_PSF"] = True
    primary.header["GS_MAG"] = None
    primary.header["TITLE"] = "Radiative Feedback from Massive Stars as Traced by 'Multiband' " * 3
    images = [fits.ImageHDU(np.full((size, size), 1.5, "f4"), name=name) for name in extensions]
    for image in images:
        image.header["PA_APER"] = 12.5
        image.header["GS_MAG"] = 14.25
    buffer = io.BytesIO()
    fits.HDUList([primary, *images]).writeto(buffer)
    return buffer.getvalue()


def make_picture(
    form: str = "JPEG", *, mode: str = "RGB", size: tuple[int, int] = (80, 60), **how: object
) -> bytes:
    """Return an encoded picture full of noise, so that every cut loses something."""
    width, height = size
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype="u1")
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, form, **how)
    return buffer.getvalue()
