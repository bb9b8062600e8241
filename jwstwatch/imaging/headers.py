"""Keywords of FITS headers, read without touching the data."""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from jwstwatch.core.site import Keyword
from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards

STANDARD_KEYWORDS: tuple[str, ...] = (
    # what, by whom
    *("TELESCOP", "INSTRUME", "DETECTOR", "TITLE", "PI_NAME", "CATEGORY", "SUBCAT", "DATAMODL"),
    # which exposure
    *("PROGRAM", "OBSERVTN", "VISIT", "VISITGRP", "SEQ_ID", "ACT_ID", "EXPOSURE", "EXPRIPAR", "EXP_TYPE"),
    *("TEMPLATE", "OBSLABEL", "OBSFOLDR", "ENG_QUAL"),
    # where it pointed
    *("TARGPROP", "TARGNAME", "TARG_RA", "TARG_DEC", "RA_V1", "DEC_V1", "PA_V3", "APERNAME"),
    # how the instrument was set
    *(
        "MODULE",
        "CHANNEL",
        "FILTER",
        "PUPIL",
        "CORONMSK",
        "BAND",
        "GRATING",
        "FXD_SLIT",
        "MSAMETFL",
        "MSAMETID",
    ),
    *("SUBARRAY", "SUBSIZE1", "SUBSIZE2", "PATTTYPE", "PATT_NUM", "NUMDTHPT", "XOFFSET", "YOFFSET"),
    # when, and for how long
    *("DATE-OBS", "TIME-OBS", "DATE-BEG", "DATE-END", "EXPSTART", "EXPMID", "EXPEND"),
    *("READPATT", "NINTS", "NGROUPS", "NFRAMES", "GROUPGAP", "TFRAME", "TGROUP"),
    *("EFFINTTM", "EFFEXPTM", "DURATION"),
    # how it was made
    *("DATE", "SDP_VER", "PRD_VER", "OSS_VER", "CAL_VER", "CRDS_CTX", "ASNTABLE", "BUNIT"),
)
"""The keywords worth keeping of every file: those that the pages show by default, and their neighbours."""


def read_keywords(path: Path, names: Collection[str]) -> dict[str, Keyword]:
    """Return the keywords of a FITS file that are among `names`, each under the name as it was asked for.

    The primary header speaks first; where it has no value, that of the first extension is taken.
    An undefined card is None, a keyword without a card is left out. `ContentError` for a broken header.
    """
    asked = {name.upper() for name in names}
    found: dict[str, Keyword] = {}
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            for unit in islice(cards.walk(stream, size=size), 2):
                for name, value in cards.read_values(unit.header, asked).items():
                    if found.get(name) is None:
                        found[name] = value
                if all(found.get(name) is not None for name in asked):
                    break
    except ContentError as error:
        raise ContentError(f"The header of {path.name} cannot be read: {error.message}") from error
    return {name: found[name.upper()] for name in names if name.upper() in found}
