"""`jwstwatch runs`: what ran, when, and with which outcome."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.choices import require_profile
from jwstwatch.core.dates import iso
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.store.runs import RunRecord

EXAMPLE = "jwstwatch runs ers-1345 --limit 5"

_LIMIT = 20
_HEAD = (
    *("run", "profile", "trigger", "started", "took", "outcome", "downloaded", "bytes", "failed"),
    "error",
)
_LEAST = ("trigger", "took", "run")
"""Columns that a narrow terminal does without, the first one first."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare whose runs, and how many."""
    parser.add_argument("profile", nargs="?", metavar="PROFILE", help="only the runs of this one")
    parser.add_argument(
        "--limit", type=_number, default=_LIMIT, metavar="N", help=f"the newest N (default {_LIMIT})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text} is no number of runs")
    return number


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read the history, newest first, and show it; nothing is written, no archive is asked."""
    settings = session.load_settings(arguments)
    with session.open_state(arguments, settings, upgrade=False) as store:
        if arguments.profile is not None:
            require_profile(settings, store, arguments.profile)
        records = store.runs.history(profile=arguments.profile, limit=arguments.limit)
    if arguments.json:
        from jwstwatch.sync.documents import run_document

        output.print_json({"runs": [run_document(record) for record in records]})
    elif records:
        now = datetime.now(UTC)
        print(output.table(_HEAD, [_row(record, now) for record in records], least=_LEAST))
    else:
        whose = f"{arguments.profile} has" if arguments.profile else "no profile has"
        print(f"{whose} not run yet" if arguments.profile else f"{whose} run yet")
    return ExitCode.DONE


def _row(record: RunRecord, now: datetime) -> list[str]:
    took = ((record.finished_at or now) - record.started_at).total_seconds()
    counts = record.counts
    return [
        str(record.id),
        record.profile,
        record.trigger.value,
        iso(record.started_at) or "",
        output.span(max(took, 0.0)),
        record.outcome.value if record.outcome else "running",
        str(counts.downloaded),
        output.size(counts.bytes),
        str(counts.failed),
        record.error_message or "",
    ]
