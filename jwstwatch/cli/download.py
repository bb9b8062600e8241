"""`jwstwatch download`: fetch what a query selects, once; what arrives is recorded like a profile's files."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from jwstwatch.cli import one_off, output, progress, query, session
from jwstwatch.cli.run_text import say
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Profile
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import Reporter

EXAMPLE = "jwstwatch download --propID 1138 --obsnums 4 --filetypes jpg fits -w"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare an option for every parameter."""
    parser.add_argument(
        "--ask", action="store_true", help="on a terminal, ask before anything is fetched (never otherwise)"
    )
    one_off.add_options(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the typed query as a profile of its own, from its floor, and show what is there now."""
    from jwstwatch.core.model import Trigger
    from jwstwatch.sync import story, tabling
    from jwstwatch.sync.asking_once import require_anything
    from jwstwatch.sync.context import Options

    one_off.settle_format(arguments)
    settings = session.load_settings(arguments, one_off=True)
    profile = named(one_off.typed_profile(arguments, settings), now=datetime.now(UTC))
    require_anything(profile)
    tabling.check_columns(profile)
    if profile.parameters.skipdownload:
        return query.show(profile, settings, arguments)
    with session.open_state(arguments, settings, upgrade=True) as store, session.stoppable() as stopper:
        with progress.reporter(quiet=arguments.json) as report:
            context = session.make_context(
                settings,
                store,
                stop=stopper.event,
                report=report,
                profiles={**settings.profiles, profile.name: profile},
                typed_token=arguments.token,
            )
            confirm = partial(_confirm, report) if arguments.ask else None
            # Whoever types it wants it now: what failed a moment ago as well.
            options = Options(full=True, force=True, confirm=confirm)
            result = story.run(profile, context=context, trigger=Trigger.ONE_OFF, options=options)
        found = tabling.in_hand(context, profile, run_id=result.record.id)
        if arguments.json:
            from jwstwatch.sync.documents import run_document

            output.print_json({"runs": [run_document(result.record)]})
        else:
            one_off.print_tables(profile, found, arguments)
            _say(result.record, arguments)
        one_off.save_tables(profile, found, arguments.format)
        return stopper.exit_code or result.exit_code


def _say(record: RunRecord, arguments: argparse.Namespace) -> None:
    """Tell what the run did; a table for a program is to be the only thing on standard output."""
    alone = arguments.table or arguments.format != "text"
    from jwstwatch.sync.documents import run_document

    with contextlib.redirect_stdout(sys.stderr if alone else sys.stdout):
        say(run_document(record))


def _confirm(report: Reporter, files: int, size: int) -> bool:
    """Ask the person at the terminal; where there is none, nobody is asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    # A step ends the bars, which would paint over the question.
    report.step(f"{files} file{'' if files == 1 else 's'} to fetch, {output.size(size)}")
    print("Fetch? [y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def named(profile: Profile, *, now: datetime) -> Profile:
    """Give a one-off query a name of its own, the same for the same question; no saved profile can have it.

    The last day of today is another question than that of yesterday, whose files would be counted too.
    """
    from jwstwatch.core.parameters import written
    from jwstwatch.sync import rules

    asked: list[object] = [written(profile.parameters)]
    times = rules.time_rules(profile)
    if times.dates is None and not times.whole and times.lookback:
        asked.append(now.isoformat())
    words = json.dumps(asked, sort_keys=True, default=str)
    return replace(profile, name=f"one-off:{hashlib.sha256(words.encode()).hexdigest()[:12]}")
