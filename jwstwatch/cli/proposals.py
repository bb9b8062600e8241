"""`--propID` of the commands that are narrowed by proposal: `adopt`, `files`, `gaps`, `verify`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jwstwatch.errors import UsageError

if TYPE_CHECKING:
    from jwstwatch.core.parameter_words import ProposalChoice


def add_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare the option; `what` begins its help: what a proposal is to it."""
    parser.add_argument(
        "--propID",
        action="append",
        nargs="+",
        metavar="ID",
        help=f"{what}; further numbers are its observations; may be repeated",
    )


def read(typed: Sequence[Sequence[str]] | None) -> tuple[ProposalChoice, ...]:
    """Return what was typed, each proposal once; raises `UsageError`."""
    from jwstwatch.core.parameter_kinds import ValueNotAllowedError
    from jwstwatch.core.parameter_words import unite_choices
    from jwstwatch.core.parameters import PARAMETERS

    kind = PARAMETERS["propID"].kind
    try:
        return unite_choices(choice for words in typed or () for choice in kind.read_words(words))
    except ValueNotAllowedError as error:
        raise UsageError(f"--propID: {error}") from None
