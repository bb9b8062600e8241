"""`jwstwatch demo`: the real program at work on an archive in a box."""

from __future__ import annotations

import argparse
from pathlib import Path

from jwstwatch.errors import ExitCode

EXAMPLE = "jwstwatch demo --keep ./jwst-demo"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare where the result is kept."""
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        default=Path("jwstwatch-demo"),
        help="folder for the demo's files, state and pages (default ./jwstwatch-demo)",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Start the archive, sync twice, show the status and where the pages are."""
    from jwstwatch.demo.tour import take

    return take(
        arguments.keep.absolute(), say=lambda text: print(text, flush=True), verbose=arguments.verbose
    )
