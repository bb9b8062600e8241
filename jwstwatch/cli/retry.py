"""`jwstwatch retry`: try failed files again now, whenever their next attempt would be."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ExitCode, StateError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.retries import Untried

EXAMPLE = "jwstwatch retry --profile ers-1345"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which files."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{choices.NAMES_HELP} (default: every failed file)"
    )
    parser.add_argument("--profile", metavar="PROFILE", help="only files that this profile wants")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Have the daemon try the files at once; where there is none, mark them for the next run."""
    from jwstwatch.control.client import talk

    settings = session.load_settings(arguments)
    if arguments.profile is not None:
        settings.profile(arguments.profile)
    names = choices.meant(arguments.names)
    profiles = [arguments.profile] if arguments.profile else []
    untried = _pointless(arguments, settings, names, profiles)
    request = {"ask": "retry", "names": names, "profiles": profiles, "follow": False}
    with talk(settings.state_url, os.environ, request) as conversation:
        if conversation is not None:
            accepted = [entry["profile"] for entry in conversation.first.get("accepted", [])]
            return _tell(arguments, conversation.first["retried"], accepted, untried, by_daemon=True)
    count, concerned = _mark(arguments, settings, names, profiles)
    return _tell(arguments, count, concerned, untried, by_daemon=False)


def _pointless(
    arguments: argparse.Namespace, settings: Settings, names: Sequence[str], profiles: Sequence[str]
) -> list[Untried]:
    """Return the named files that there is nothing to try again for; none where nobody may look."""
    if not names:
        return []
    try:
        with session.open_state(arguments, settings, upgrade=False) as store:
            return store.retries.pointless(names, profiles=profiles)
    except StateError:
        return []  # the daemon, or the change itself, says what is to be said


def _mark(
    arguments: argparse.Namespace, settings: Settings, names: Sequence[str], profiles: Sequence[str]
) -> tuple[int, list[str]]:
    with session.open_state(arguments, settings, upgrade=True) as store:
        count, concerned = store.transfers.retry(names, profiles=profiles, now=datetime.now(UTC))
    return count, [name for name in concerned if name in settings.profiles]


def _tell(
    arguments: argparse.Namespace,
    count: int,
    profiles: Sequence[str],
    untried: Sequence[Untried],
    *,
    by_daemon: bool,
) -> ExitCode:
    if arguments.json:
        left = [choices.document(each.file) | {"reason": each.why} for each in untried]
        document = {"retried": count, "profiles": list(profiles), "daemon": by_daemon, "left": left}
        output.print_json(document)
        return ExitCode.DONE
    for each in untried:
        print(f"{each.file.full}: {each.why}.")
    if not count:
        if not untried:
            print("none of them has failed" if arguments.names else "no file has failed")
        return ExitCode.DONE
    whose = f" of {', '.join(profiles)}" if profiles else ""
    print(f"{counted(count, 'failed file')}{whose} to be tried again.")
    if by_daemon and profiles:
        print("The daemon does it now; `jwstwatch status` shows how far it is.")
    elif profiles:
        print(f"The next run does it: `jwstwatch run-now {' '.join(profiles)}`.")
    else:
        print("No profile of the configuration wants them; the same `jwstwatch download` fetches them.")
    return ExitCode.DONE
