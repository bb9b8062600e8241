"""The demo's FITS files: true-to-life headers and the right dimensions for every stage, made with astropy."""

from __future__ import annotations

import io
from typing import Any

from jwstwatch.demo.extensions import make_extensions
from jwstwatch.demo.headers import Card, Value, primary_cards
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct


def fits_content(
    product: ArchivedProduct, observation: ArchivedObservation, *, scene: int, noise: int
) -> bytes:
    """Return a FITS file; `scene` and `noise` are the seeds of what is seen and of its noise."""
    from astropy.io import fits

    extensions = make_extensions(product, observation, scene=scene, noise=noise)
    cards = primary_cards(product, observation)
    cards.append(("NEXTEND", len(extensions), "Number of extensions"))
    stream = io.BytesIO()
    # Every card comes from here, so astropy's own check of each would only cost time.
    fits.HDUList([fits.PrimaryHDU(header=_header(cards)), *extensions]).writeto(
        stream, output_verify="ignore"
    )
    return stream.getvalue()


def _header(cards: list[Card]) -> Any:
    """Return an astropy header; most cards are formatted here, many times faster than one by one."""
    from astropy.io import fits

    images = [_card_image(*card) for card in cards]
    images.append("COMMENT Synthetic data of the jwstwatch demo archive, no observation".ljust(80))
    return fits.Header.fromstring("".join(images))


def _card_image(keyword: str, value: Value, comment: str) -> str:
    from astropy.io import fits

    if isinstance(value, bool):
        text = "T".rjust(20) if value else "F".rjust(20)
    elif isinstance(value, str):
        if len(value) > 60 or "'" in value:
            return str(fits.Card(keyword, value).image)
        text = f"'{value:<8}'".ljust(20)
    else:
        text = repr(value).upper().rjust(20)
    return f"{keyword:<8}= {text} / {comment}"[:80].rstrip(" /").ljust(80)
