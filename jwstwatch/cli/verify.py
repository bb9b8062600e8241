"""`jwstwatch verify`: compare the files on disk with the state: sizes, or every byte."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, proposals, session, verify_progress
from jwstwatch.cli.choices import counted
from jwstwatch.core.dates import iso
from jwstwatch.errors import CancelledError, ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.store import Store
    from jwstwatch.store.verifications import Scope
    from jwstwatch.sync.strangers import Stranger
    from jwstwatch.sync.verifying import Order, Report

EXAMPLE = "jwstwatch verify --deep --rate 50MB/s"

_SHOWN = 20
"""Strangers of a kind that are shown; JSON has them all."""
_MOST_JOBS = 64


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is verified, how, and what comes of it."""
    parser.add_argument(
        "--profile",
        action="append",
        nargs="+",
        metavar="NAME",
        help="only files that this profile selects; several, or repeated",
    )
    proposals.add_option(parser, "only this proposal")
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--quick", action="store_true", help="names and sizes; writes nothing (the default)")
    depth.add_argument("--deep", action="store_true", help="read every file, and compare its SHA-256")
    parser.add_argument(
        "--repair", action="store_true", help="let the next run fetch what is missing or damaged"
    )
    parser.add_argument(
        "--sums", action="store_true", help="write SHA256SUMS into each output folder (for `sha256sum -c`)"
    )
    parser.add_argument(
        "--restart", action="store_true", help="with --deep: begin anew, not where one was interrupted"
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="folders at the same time (default 1, and 8 on a network file system)",
    )
    parser.add_argument("--rate", type=_rate, metavar="SIZE/s", help="read no more than this a second")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _jobs(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"write a number from 1 to {_MOST_JOBS}")
    return number


def _rate(text: str) -> int:
    from jwstwatch.core.parameter_kinds import ValueNotAllowedError
    from jwstwatch.core.parameter_sizes import Rate

    try:
        return Rate().read_text(text)
    except ValueNotAllowedError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> ExitCode:
    """Verify, report, and say what to do next."""
    from jwstwatch.sync.verifying import verify

    if arguments.restart and not arguments.deep:
        raise UsageError("--restart belongs to --deep", hint="A quick verification always begins anew.")
    settings = session.load_settings(arguments)
    writes = arguments.deep or arguments.repair
    with (
        session.stoppable() as stopper,
        session.open_state(arguments, settings, upgrade=writes) as store,
    ):
        order = _order(arguments, settings, store)
        with verify_progress.watcher(quiet=arguments.json) as watch:
            report = verify(store, order, stop=stopper.event, now=lambda: datetime.now(UTC), watch=watch)
    if arguments.json:
        output.print_json(_document(arguments, report))
    else:
        _print(arguments, settings, report)
    if report.stopped:
        return stopper.exit_code or ExitCode.INTERRUPTED
    if report.alarm is not None:
        return report.alarm.exit_code
    return ExitCode.FILES_FAILED if report.bad else ExitCode.DONE


def _order(arguments: argparse.Namespace, settings: Settings, store: Store) -> Order:
    from jwstwatch.sync.verifying import Order

    return Order(
        scope=_scope(arguments, settings, store),
        deep=arguments.deep,
        repair=arguments.repair,
        sums=arguments.sums,
        restart=arguments.restart,
        jobs=arguments.jobs,
        rate=arguments.rate,
    )


def _scope(arguments: argparse.Namespace, settings: Settings, store: Store) -> Scope:
    from jwstwatch.store.verifications import Scope

    typed = proposals.read(arguments.propID)
    names = [name for words in arguments.profile or () for name in words]
    return Scope(
        profiles=tuple(dict.fromkeys(choices.require_profile(settings, store, name) for name in names)),
        proposals={choice.proposal: choice.obsnums for choice in typed},
    )


def _cancelled(report: Report) -> CancelledError | None:
    if not report.stopped:
        return None
    return CancelledError(
        f"stopped after {counted(report.checked, 'file')}",
        hint="What was read is remembered: the same command with --deep goes on from there.",
    )


def _document(arguments: argparse.Namespace, report: Report) -> dict[str, object]:
    found = report.strangers
    mended = report.mended
    return {
        "checked": report.checked,
        "bad": [
            {
                "path": str(bad.path),
                "problem": bad.problem,
                "kind": bad.fault.value,
                "kept_revision": bad.revision,
            }
            for bad in report.bad
        ],
        "deep": arguments.deep,
        "complete": report.complete,
        "resumed_at": iso(report.resumed_at),
        "bytes": report.size,
        "kept": report.kept,
        "without_sha256": report.unhashed,
        "queued": mended.queued if mended else 0,
        "profiles": list(mended.profiles) if mended else [],
        "foreign": [_stranger(each) for each in found.foreign],
        "links": [_stranger(each) for each in found.links],
        "leftovers": [_stranger(each) for each in found.leftovers],
        "unreadable": list(found.unreadable),
        "sums": [str(path) for path in report.sums],
    } | choices.failure(report.alarm or _cancelled(report))


def _stranger(each: Stranger) -> dict[str, object]:
    return {"path": str(each.full), "size": each.size}


def _print(arguments: argparse.Namespace, settings: Settings, report: Report) -> None:
    for bad in report.bad:
        kept = "" if bad.revision is None else f" (kept copy of revision {bad.revision})"
        print(output.plain(f"{bad.path}: {bad.problem}{kept}"))
    found = report.strangers
    _print_strangers(found.foreign, "that jwstwatch neither fetched nor adopted", "file")
    _print_strangers(found.links, "to files or to nothing, left alone", "link")
    _print_strangers(found.leftovers, "that nothing needs any more", "partial or temporary file")
    for problem in found.unreadable:
        output.complain(output.plain(problem))
    for path in report.sums:
        print(f"{path} is written.")
    if report.unhashed:
        print(f"Of {counted(report.unhashed, 'file')} the state has no SHA-256: only sizes were compared.")
    how = f"by their SHA-256, {output.size(report.size)} read" if arguments.deep else "by name and size"
    kept = f" and {report.kept:,} kept of earlier revisions" if report.kept else ""
    what = f"{counted(report.checked, 'file')}{kept} verified {how}"
    if report.bad:
        print(f"{what}: {len(report.bad):,} bad.")
    elif report.checked or report.kept:
        print(f"{what}: {'all good' if not report.stopped else 'good so far'}.")
    else:
        print("There is nothing to verify: the state knows no such file on disk.")
    _print_next(settings, report)
    stopped = report.alarm or _cancelled(report)
    if stopped is not None:
        output.complain(stopped.message, hint=stopped.hint)


def _print_strangers(found: Sequence[Stranger], what: str, noun: str) -> None:
    if not found:
        return
    print(f"{counted(len(found), noun)} {what}:")
    for each in found[:_SHOWN]:
        print(output.plain(f"  {each.full}  ({output.size(each.size)})"))
    if len(found) > _SHOWN:
        print(f"  and {len(found) - _SHOWN:,} more (--json lists them all)")


def _print_next(settings: Settings, report: Report) -> None:
    mended = report.mended
    if report.alarm is not None or report.stopped or not report.bad:
        return
    if mended is None:
        print(
            "`jwstwatch verify --repair` queues what can be fetched again "
            "(what --deep found is remembered until it is mended)."
        )
        return
    if mended.queued:
        names = [name for name in mended.profiles if name in settings.profiles]
        print(f"{counted(mended.queued, 'file')} queued: `{' '.join(['jwstwatch run-now', *names])}`")
    _print_left(settings, report)


def _print_left(settings: Settings, report: Report) -> None:
    mended = report.mended
    assert mended is not None
    if any(name not in settings.profiles for name in mended.profiles):
        print(
            "Some were brought by a typed `jwstwatch download`, or by a profile of old: repeat that command."
        )
    if mended.gone:
        print(f"{counted(mended.gone, 'file')}: the archive has them no more; only a backup of yours may.")
    if mended.unwanted:
        print(f"{counted(mended.unwanted, 'file')}: no profile selects them, so no run fetches them.")
    if mended.denied:
        print(f"{counted(mended.denied, 'file')}: not queued, as this user may not read them.")
    kept = [bad for bad in report.bad if bad.revision is not None]
    if forgotten := sum(bad.fault == "missing" for bad in kept):
        print(f"{counted(forgotten, 'file')} kept of an earlier revision: missing, and forgotten now.")
    if len(kept) > forgotten:
        print(f"{counted(len(kept) - forgotten, 'file')} kept of an earlier revision: bad, left as it is.")
    if any(bad.fault == "foreign" for bad in report.bad):
        print("What stands in the place of a file has to be moved away first: a run leaves it alone.")
