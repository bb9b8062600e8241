"""Keywords of FITS headers, read without touching the data."""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from jwstwatch.core.headers import STANDARD_KEYWORDS as STANDARD_KEYWORDS
from jwstwatch.core.site import Keyword
from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards


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
