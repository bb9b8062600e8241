"""`jwstwatch adopt`: take a tree that is there already into the state, without a download."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, progress, proposals, session
from jwstwatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.sync.judging import Finding
    from jwstwatch.sync.surveying import Survey

EXAMPLE = "jwstwatch adopt /data/jwst --dry-run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the folder, and what narrows it."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder, such as one of jwst_mast_query")
    proposals.add_option(parser, "only this proposal")
    parser.add_argument("--dry-run", action="store_true", help="ask and compare, but record nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Look through the folder, ask the archive, check what it lists, record it, and report."""
    from jwstwatch.sync.surveying import survey
    from jwstwatch.sync.taking_in import take_in

    settings = session.load_settings(arguments)
    choices = proposals.read(arguments.propID)
    folder = arguments.folder.absolute()
    if ".." in folder.parts:
        folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder that is there", hint="Check the path; is it mounted?")
    with session.stoppable() as stopper, progress.reporter(quiet=arguments.json) as report:
        # What the archive lists is public, and it is asked first: one that is down leaves all as it was.
        archive = session.open_archive(settings, token=None, stop=stopper.event)
        found = survey(folder, archive, choices=choices, stop=stopper.event, report=report)
        with session.open_state(arguments, settings, upgrade=not arguments.dry_run) as store:
            context = session.make_context(settings, store, stop=stopper.event, report=report)
            findings = take_in(context, found, dry_run=arguments.dry_run)
    if arguments.json:
        output.print_json(_document(found, findings, dry_run=arguments.dry_run))
    else:
        _print(found, findings, dry_run=arguments.dry_run)
    return ExitCode.DONE


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    from jwstwatch.sync.judging import Verdict

    counts = Counter(finding.verdict for finding in findings)
    return {verdict.value: counts[verdict] for verdict in Verdict}


def _document(found: Survey, findings: Sequence[Finding], *, dry_run: bool) -> dict[str, object]:
    return {
        "folder": str(found.folder),
        "dry_run": dry_run,
        **_counts(findings),
        "others": found.others,
        "files": [_file(finding) for finding in findings],
    }


def _file(finding: Finding) -> dict[str, object]:
    product, read = finding.product, finding.fingerprint
    return {
        "path": str(finding.place.full),
        "name": finding.place.found.name,
        "root": str(finding.place.root),
        "uri": product.uri if product else None,
        "proposal": product.proposal if product else None,
        "obsnum": product.obsnum if product else None,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "note": finding.note,
        "size": read.size if read else finding.place.found.size,
        "listed_size": product.size if product else None,
        "sha256": read.sha256 if read else None,
        "header": dict(finding.header),
    }


def _shown(text: str) -> str:
    """Names on disk may hold anything: only what a terminal can show goes there."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _print(found: Survey, findings: Sequence[Finding], *, dry_run: bool) -> None:
    rows = [
        [
            finding.verdict.value,
            output.size(finding.place.found.size),
            output.size(finding.product.size if finding.product else None),
            _shown(f"{finding.place.full}  ({finding.reason or finding.note})"),
        ]
        for finding in findings
        if finding.reason or finding.note
    ]
    if rows:
        print(output.table(["verdict", "size", "listed", "file"], rows))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in _counts(findings).items() if count)
    print(
        _shown(f"{found.folder}: {len(findings)} files with JWST names" + (f": {counts}" if counts else ""))
    )
    if found.others:
        print(f"{found.others} other files were left alone")
    if dry_run:
        print("Nothing was recorded (--dry-run).")
