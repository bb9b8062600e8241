"""`jwstwatch status`: how things stand."""

from __future__ import annotations

import argparse
import sys

from jwstwatch.cli import output
from jwstwatch.cli.output import Look
from jwstwatch.cli.status_source import Source, Told
from jwstwatch.errors import ExitCode, UsageError

EXAMPLE = "jwstwatch status --watch"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is asked about, and the form of the answer."""
    parser.add_argument(
        "profile", nargs="?", metavar="PROFILE", help="only this one, with its runs and failed files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="keep showing it until Ctrl-C; with --json one document a line",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask the daemon, or read the state where none answers, and show it; nothing is written."""
    if arguments.watch and not arguments.json and not sys.stdout.isatty():
        raise UsageError(
            "--watch redraws a terminal, and standard output is none",
            hint="`jwstwatch status --watch --json` prints one JSON document a line, for programs.",
        )
    source = Source(arguments)
    if arguments.watch:
        from jwstwatch.cli.status_watch import watch

        return watch(
            lambda: _ask(source, arguments.profile),
            text=lambda told, look: _text(told, arguments.profile, look),
            as_json=arguments.json,
        )
    told = _ask(source, arguments.profile)
    if arguments.json:
        output.print_json(told.document)
    else:
        print(_text(told, arguments.profile, output.look_of(sys.stdout)))
    return ExitCode.DONE


def _ask(source: Source, profile: str | None) -> Told:
    return source.whole() if profile is None else source.of_profile(profile)


def _text(told: Told, profile: str | None, look: Look) -> str:
    if profile is None:
        from jwstwatch.cli.status_text import whole

        return whole(told.document, look=look, by_daemon=told.by_daemon)
    from jwstwatch.cli.status_profile import one_profile

    return one_profile(told.document, look=look)
