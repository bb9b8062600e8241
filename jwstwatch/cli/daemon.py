"""`jwstwatch daemon`: serve in the foreground, as systemd wants it."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from jwstwatch import logs
from jwstwatch.cli import output, session
from jwstwatch.cli.run_now import chosen
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.config.secrets import TokenSource
    from jwstwatch.daemon.surroundings import Wish

EXAMPLE = "jwstwatch daemon --config /etc/jwstwatch/jwstwatch.yaml"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what differs from the configuration."""
    parser.add_argument(
        "--at-once",
        type=_count,
        metavar="N",
        help="scheduled profiles that run at the same time (default: daemon.at_once, 2)",
    )
    parser.add_argument(
        "--log-format", choices=("text", "json"), help="form of the log's lines (default: daemon.log_format)"
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of profiles from 1 to 64")
    return int(text)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until SIGTERM or SIGINT; ends with 0 on SIGTERM. SIGHUP has the configuration read again."""
    from jwstwatch.control.places import listening_place
    from jwstwatch.daemon.listening import choose_place
    from jwstwatch.daemon.service import Service
    from jwstwatch.daemon.surroundings import Surroundings
    from jwstwatch.daemon.systemd import Notifier

    settings = _load(arguments)
    _configure_log(arguments, settings)
    tokens = _Tokens()
    with (
        session.open_state(arguments, settings, upgrade=True) as store,
        session.stoppable() as stopper,
        _reloadable() as reload,
    ):
        around = Surroundings(
            store=store,
            load=lambda: _load(arguments),
            make_context=lambda current, stop, report: session.make_context(
                current, store, stop=stop, report=report, tokens=tokens.of(current)
            ),
            find_token=lambda current: tokens.of(current).current(),
            notifier=Notifier(os.environ),
            socket=choose_place(listening_place(os.environ), settings.state_url),
            stop=stopper.event,
            reload=reload,
        )
        in_good_order = Service(settings, around).run()
        code = stopper.exit_code
    code = ExitCode.DONE if code in (None, ExitCode.TERMINATED) else code
    if not in_good_order:
        # A thread that hangs in a dead mount would keep the process for ever.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(int(code))
    return code


class _Tokens:
    """One source of tokens for each configuration, so that what is wrong with a place is told once."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._source: TokenSource | None = None
        self._lock = threading.Lock()

    def of(self, settings: Settings) -> TokenSource:
        """Return the source of this configuration."""
        with self._lock:
            if self._source is None or self._settings is not settings:
                self._settings, self._source = settings, session.token_source(settings)
            return self._source


def _load(arguments: argparse.Namespace) -> Settings:
    """Read the configuration; one without anything to do is refused, as it is rather a mishap."""
    settings = session.load_settings(arguments, service=True)
    chosen(settings, [])
    if arguments.at_once is not None:
        settings = replace(settings, daemon=replace(settings.daemon, at_once=arguments.at_once))
    return settings


def _configure_log(arguments: argparse.Namespace, settings: Settings) -> None:
    level = logging.DEBUG if arguments.verbose else logging.INFO
    as_json = (arguments.log_format or settings.daemon.log_format) == "json"
    logs.configure(format="json" if as_json else "text", level=level)
    logs.take_thread_failures()
    output.quiet_libraries(arguments.verbose)


@contextlib.contextmanager
def _reloadable() -> Iterator[Wish]:
    """Yield what SIGHUP utters."""
    from jwstwatch.daemon.surroundings import Wish

    wish = Wish()
    before = signal.signal(signal.SIGHUP, lambda *_: wish.utter())
    try:
        yield wish
    finally:
        signal.signal(signal.SIGHUP, before)
