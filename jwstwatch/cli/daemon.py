"""`jwstwatch daemon`: serve in the foreground, as systemd wants it."""

from __future__ import annotations

import argparse
import logging

from jwstwatch.cli import session
from jwstwatch.cli.run_now import chosen
from jwstwatch.errors import ExitCode

EXAMPLE = "jwstwatch daemon --config /etc/jwstwatch/jwstwatch.yaml"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how many profiles run at the same time."""
    parser.add_argument(
        "--at-once", type=int, default=2, metavar="N", help="profiles that run at the same time (default 2)"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until SIGTERM or SIGINT; ends with 0 on SIGTERM."""
    from jwstwatch.daemon.service import Service
    from jwstwatch.sync.context import Silence

    logging.getLogger("jwstwatch").setLevel(logging.DEBUG if arguments.verbose else logging.INFO)
    settings = session.load_settings(arguments)
    profiles = {profile.name: profile for profile in chosen(settings, [])}
    with session.open_state(arguments, settings, upgrade=True) as store, session.stoppable() as stopper:
        service = Service(
            store,
            lambda: session.make_context(settings, store, stop=stopper.event, report=Silence()),
            stop=stopper.event,
            at_once=max(1, arguments.at_once),
        )
        service.run(profiles)
        code = stopper.exit_code
    return ExitCode.DONE if code in (None, ExitCode.TERMINATED) else code
