"""Where the files of a site are, and which of them a proposal's page needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from jwstwatch.core.layout import PAGES_FOLDER, part_name
from jwstwatch.core.site import PartLine
from jwstwatch.pages.formats import page_folder

PAGE = "index.html"

OWN_NAMES = re.compile(
    r"(obs[0-9]{3,}|several)"
    r"(\.(exposures|products|guide-stars|others)(\.details)?\.[0-9]+\.js|(\.[0-9]+)?\.html|\.csv|\.products\.txt)"
)
"""What is written into the folder of a page's parts, with the pieces of its table of products."""

PREVIEWS = "previews"
OWN_PREVIEWS = re.compile(r".+\.QL(\.TN)?\.jpg", re.DOTALL)


def parts_folder(root: Path, proposal: int) -> Path:
    """Return the folder of what a proposal's page is made of."""
    return root / page_folder(proposal) / PAGES_FOLDER


def script_name(part: str, section: str, number: int) -> str:
    """Return the name of a script with rows: `obs003.exposures.1.js`."""
    return f"{part}.{section}.{number}.js"


def details_name(part: str, section: str, number: int) -> str:
    """Return the name of a script with details: `obs003.exposures.details.1.js`."""
    return f"{part}.{section}.details.{number}.js"


def plain_name(part: str, number: int) -> str:
    """Return the name of a page without script: `obs003.html`, `obs003.2.html`."""
    return f"{part}.html" if number == 1 else f"{part}.{number}.html"


def spreadsheet_name(part: str) -> str:
    """Return the name of the exposures of a part as CSV: `obs003.csv`."""
    return f"{part}.csv"


def all_exposures_name(proposal: int) -> str:
    """Return the name of the exposures of all parts as CSV, beside the proposal's page."""
    return f"{page_folder(proposal)}.exposures.csv"


def names_of(line: PartLine) -> Iterator[str]:
    """Yield the names of all files that were written for a part."""
    part = part_name(line.obsnum)
    for section in line.sections:
        for number in range(1, section.chunks + 1):
            yield script_name(part, section.name, number)
        for number in range(1, section.detail_chunks + 1):
            yield details_name(part, section.name, number)
    for number in range(1, line.plain_pages + 1):
        yield plain_name(part, number)
    yield f"{part}.products.txt"
    if line.exposures:
        yield spreadsheet_name(part)
