"""Which header keywords the pages want of a file, and whether those that were read once will do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import cache

from jwstwatch.core import naming
from jwstwatch.core.naming import Form

STANDARD_KEYWORDS: tuple[str, ...] = (
    # what, by whom
    *("TELESCOP", "INSTRUME", "DETECTOR", "TITLE", "PI_NAME", "CATEGORY", "SUBCAT", "DATAMODL"),
    # which exposure
    *("PROGRAM", "OBSERVTN", "VISIT", "VISITGRP", "SEQ_ID", "ACT_ID", "EXPOSURE", "EXPRIPAR", "EXP_TYPE"),
    *("TEMPLATE", "OBSLABEL", "OBSFOLDR", "ENG_QUAL"),
    # where it pointed
    *("TARGPROP", "TARGNAME", "TARG_RA", "TARG_DEC", "RA_V1", "DEC_V1", "PA_V3", "APERNAME"),
    # how the instrument was set
    *("MODULE", "CHANNEL", "FILTER", "PUPIL", "CORONMSK"),
    *("BAND", "GRATING", "FXD_SLIT", "MSAMETFL", "MSAMETID"),
    *("SUBARRAY", "SUBSIZE1", "SUBSIZE2", "PATTTYPE", "PATT_NUM", "NUMDTHPT", "XOFFSET", "YOFFSET"),
    # when, and for how long
    *("DATE-OBS", "TIME-OBS", "DATE-BEG", "DATE-END", "EXPSTART", "EXPMID", "EXPEND"),
    *("READPATT", "NINTS", "NGROUPS", "NFRAMES", "GROUPGAP", "TFRAME", "TGROUP"),
    *("EFFINTTM", "EFFEXPTM", "DURATION"),
    # how it was made
    *("DATE", "SDP_VER", "PRD_VER", "OSS_VER", "CAL_VER", "CRDS_CTX", "ASNTABLE", "BUNIT"),
)
"""The keywords worth keeping of every file: those that the pages show by default, and their neighbours."""

_EXPOSURE_FILES = ("rate", "rateints", "cal", "calints", "uncal")
_PRODUCT_FILES = ("i2d", "s2d", "s3d", "x1d", "c1d")
"""Whose header tells most of what a row of the page shows, best first."""


def place(name: str) -> tuple[str, int]:
    """Return which row of a page a FITS file belongs to, and its rank there: the first is the one to be read.

    A row is an exposure and detector, or a level-3 product; files outside the grammar go by their own names.
    """
    parsed = naming.parse(name)
    is_product = parsed.form in (Form.TARGET, Form.SOURCE)
    order = _PRODUCT_FILES if is_product else _EXPOSURE_FILES
    # What stage 3 made of an exposure names its candidate; it tells least of the exposure itself.
    is_telling = parsed.suffix in order and (is_product or parsed.candidate is None)
    rank = order.index(parsed.suffix or "") if is_telling else len(order)
    ending = "_" if parsed.suffix is None else f"_{parsed.suffix}"
    return parsed.exposure_key or name.rpartition(ending)[0] or name, rank


def describe(names: AbstractSet[str]) -> str:
    """Return a set of keywords as the state keeps it; the standard ones are one word."""
    standard = frozenset(STANDARD_KEYWORDS)
    if names >= standard:
        return " ".join((_standard(), *sorted(names - standard)))
    return " ".join(sorted(names))


def extras(text: str) -> frozenset[str]:
    """Return the keywords beyond the standard ones that a description names."""
    words = text.split()
    return frozenset(words[1:] if words[:1] == [_standard()] else ())


def covers(text: str, names: AbstractSet[str]) -> bool:
    """Tell whether what was read as `text` describes has all of `names`, as far as the file does."""
    if text == _digest(sorted(names)):
        return True  # as it was described until schema 0005
    words = set(text.split())
    if _standard() in words:
        words.update(STANDARD_KEYWORDS)
    return words.issuperset(names)


@cache
def _standard() -> str:
    """Return the word for the standard keywords: another one as soon as these are others."""
    return f"={_digest(STANDARD_KEYWORDS)[:12]}"


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(names).encode()).hexdigest()
