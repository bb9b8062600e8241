"""The work that a page costs where nothing is remembered: what programs before this one do at every run.

An own small emulation, not their code: every header is opened, every picture is decoded in full, every row is
written. It leaves out what their data frames cost on top.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

KEYWORDS = (
    *("TARG_RA", "TARG_DEC", "FILTER", "PUPIL", "READPATT", "NINTS", "NGROUPS", "NFRAMES"),
    *("DATE-BEG", "DATE-END", "EFFINTTM", "EFFEXPTM"),
)
WIDTH = 120
"""Pixels of a thumbnail."""


def publish(root: Path, proposal: str, names: Sequence[str], pictures: Sequence[str]) -> None:
    """Write the page of a proposal: a row for each of `names` (a FITS file beside its `pictures`)."""
    rows = []
    for name in names:
        stem = name.removesuffix("_rate.fits")
        cells = [html.escape(str(value)) for value in read_keywords(root / name)]
        for ending in pictures:
            picture = root / f"{stem}_{ending}"
            thumbnail = make_thumbnail(picture)
            cells.append(f'<a href="{picture}"><img src="{thumbnail}" alt="{picture.name}"></a>')
        rows.append("<tr>" + "".join(f"\n  <td>{cell}</td>" for cell in [name, *cells]) + "\n</tr>")
    (root / proposal / "before.html").write_text("<table>\n" + "\n".join(rows) + "\n</table>\n")


def read_keywords(path: Path) -> list[object]:
    """Return the values of the page's keywords, from the first two headers."""
    from astropy.io import fits

    with fits.open(path) as units:
        return [units[0].header.get(name, units[1].header.get(name)) for name in KEYWORDS]


def make_thumbnail(picture: Path) -> Path:
    """Write the small picture where it is not there yet."""
    from PIL import Image

    target = picture.with_name(f"{picture.stem}.before.jpg")
    if not target.exists():
        with Image.open(picture) as opened:
            height = round(opened.height * WIDTH / opened.width)
            opened.resize((WIDTH, height), Image.Resampling.LANCZOS).save(target)
    return target
