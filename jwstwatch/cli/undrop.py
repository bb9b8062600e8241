"""`jwstwatch undrop`: want dropped files again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.store.choosing import Choice

EXAMPLE = "jwstwatch undrop jw01345001001_02101_00001_nrca1_uncal.fits"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which files."""
    parser.add_argument("names", nargs="+", metavar="NAME", help=choices.NAMES_HELP)
    parser.add_argument("--profile", metavar="PROFILE", help="only files that this profile wants")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Want the files again: a copy that is there counts, what is not is fetched by the next run."""
    settings = session.load_settings(arguments)
    with session.open_state(arguments, settings, upgrade=True) as store:
        profiles = [choices.require_profile(settings, store, arguments.profile)] if arguments.profile else []
        chosen = store.drops.choose(choices.meant(arguments.names), profiles=profiles)
        missing = _missing(chosen)
        changed = {
            choice.file_id for choice in store.drops.undrop(chosen, missing=missing, now=datetime.now(UTC))
        }
    if arguments.json:
        documents = [choices.document(choice) | {"missing": choice.file_id in missing} for choice in chosen]
        output.print_json({"undropped": len(changed), "files": documents})
        return ExitCode.DONE
    for choice in chosen:
        print(f"{choice.full}: {_told(choice, changed, missing)}")
    if changed & missing:
        print("The next run fetches what is not there: `jwstwatch run-now`.")
    return ExitCode.DONE


def _missing(chosen: Sequence[Choice]) -> set[int]:
    """Return the files of which no copy is there; where a disk is away, the next run finds out."""
    from jwstwatch.disk.looking import look
    from jwstwatch.disk.markers import is_mounted

    missing = {choice.file_id for choice in chosen if not choice.has_copy}
    for root, identity in {(choice.root, choice.identity) for choice in chosen}:
        here = [choice for choice in chosen if choice.root == root and choice.has_copy]
        if here and is_mounted(root, identity):
            found = look(root, [choice.path for choice in here])
            missing |= {choice.file_id for choice in here if choice.path not in found}
    return missing


def _told(choice: Choice, changed: set[int], missing: set[int]) -> str:
    if choice.file_id not in changed:
        return f"was not dropped ({choice.state.value})"
    return "wanted again" if choice.file_id in missing else f"{choice.state.value}, and watched again"
