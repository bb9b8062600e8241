"""`jwstwatch query`: show what a query finds and selects. Nothing is fetched or recorded."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import one_off, output, progress, session
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings

EXAMPLE = "jwstwatch query --propID 1410 --lookbacktime 3 --sca a1 a2"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare an option for every parameter."""
    one_off.add_options(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask, select, and print the three tables."""
    from jwstwatch.sync import tabling
    from jwstwatch.sync.asking_once import require_anything

    one_off.settle_format(arguments)
    settings = session.load_settings(arguments, one_off=True)
    profile = one_off.typed_profile(arguments, settings)
    require_anything(profile)
    tabling.check_columns(profile)
    return show(profile, settings, arguments)


def show(profile: Profile, settings: Settings, arguments: argparse.Namespace) -> ExitCode:
    """Print, and save where asked for, what the profile's query finds."""
    from jwstwatch.sync.asking_once import find

    token = session.find_token(settings, arguments.token)
    with session.stoppable() as stopper, progress.reporter(quiet=arguments.json) as report:
        archive = session.open_archive(settings, token=token.value if token else None, stop=stopper.event)
        found = find(profile, archive, report=report, now=datetime.now(UTC))
    one_off.print_tables(profile, found, arguments)
    one_off.save_tables(profile, found, arguments.format)
    if not found.observations and not arguments.json:
        output.complain("no observation matches the query", hint=_why_empty(profile))
    return ExitCode.DONE


def _why_empty(profile: Profile) -> str:
    instruments = ", ".join(profile.parameters.instrument)
    if profile.parameters.date_select or profile.explicit("lookbacktime"):
        return f"A longer time or another --instrument than {instruments} may find some."
    if profile.parameters.propID:
        return f"Check the proposal number; --instrument all asks for more than {instruments}."
    return "It looks back one day unless --propID, --lookbacktime or --date_select says otherwise."
