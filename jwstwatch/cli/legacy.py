"""`jwst_query.py` and `jwst_download.py`: the old names, for scripts and fingers that know them."""

from __future__ import annotations

import sys
from typing import NoReturn

from jwstwatch.cli.main import run


def query() -> NoReturn:
    """Do what `jwstwatch query` does."""
    _run_as("query")


def download() -> NoReturn:
    """Do what `jwstwatch download` does."""
    _run_as("download")


def _run_as(command: str) -> NoReturn:
    sys.argv.insert(1, command)
    run()
