"""`jwstwatch why NAME`: for any file name, everything that is known and decided about it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jwstwatch.cli import output, revisions, session, why_text
from jwstwatch.core import naming
from jwstwatch.core.dates import iso
from jwstwatch.errors import ExitCode, JwstwatchError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.core.products import Product
    from jwstwatch.core.selection import Verdict
    from jwstwatch.store.reports import FileReport, ProductReport
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch why jw01345001001_02101_00001_nrca1_rate.fits"


class _UnknownNameError(JwstwatchError):
    exit_code = ExitCode.USAGE
    kind = "unknown_file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the name."""
    parser.add_argument("name", metavar="NAME", help="a file name; a path or a data URI will do")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Tell what the state, the rules of every profile and the name itself say."""
    settings = session.load_settings(arguments)
    name = arguments.name.rstrip("/").rpartition("/")[2]
    with session.open_state(arguments, settings, upgrade=False) as store:
        reports = store.reports.product(name)
        if not reports:
            raise _unknown(name, store)
        verdicts = [_verdicts(settings, report) for report in reports]
        when = _next_checks(settings, store)
    if arguments.json:
        output.print_json({"products": [_document(*pair) for pair in zip(reports, verdicts, strict=True)]})
    else:
        print("\n\n".join(why_text.text(*pair, when) for pair in zip(reports, verdicts, strict=True)))
    return ExitCode.DONE


def _unknown(name: str, store: Store) -> JwstwatchError:
    parsed = naming.parse(name)
    told = f"proposal {parsed.proposal}" if parsed.proposal else "not a JWST file name"
    if parsed.obsnum:
        told += f", observation {parsed.obsnum}"
    similar = store.reports.names_like(parsed.exposure_key or name.partition(".")[0], limit=3)
    hint = f"Known: {', '.join(similar)}." if similar else "`jwstwatch run-now` asks the archive again."
    return _UnknownNameError(f"no profile's query has listed {name} so far ({told})", hint=hint)


def _verdicts(settings: Settings, report: ProductReport) -> dict[str, Verdict]:
    """Judge the product by the present rules of every profile, from the rows the archive listed."""
    from jwstwatch.core.selection import judge
    from jwstwatch.sync.rules import selection_rules

    product = _product(report)
    return {
        name: judge(product, selection_rules(profile.parameters))
        for name, profile in settings.profiles.items()
    }


def _product(report: ProductReport) -> Product:
    from jwstwatch.core.model import EXCLUSIVE
    from jwstwatch.core.products import Product

    return Product(
        uri=report.uri,
        name=report.name,
        parsed=naming.parse(report.name),
        rows=report.rows,
        proposal=report.proposal,
        obsnum=report.obsnum,
        filetype=naming.parse(report.name).filetype,
        size=report.size,
        exclusive=any(row.data_rights == EXCLUSIVE for row in report.rows),
    )


def _next_checks(settings: Settings, store: Store) -> dict[str, str]:
    """Say for each profile when its next run is due, as far as a schedule tells."""
    from datetime import UTC, datetime

    from jwstwatch.daemon.schedule import next_run

    now = datetime.now(UTC)
    last = store.runs.last(list(settings.profiles))
    found = {}
    for name, profile in settings.profiles.items():
        started = last[name].started_at if name in last else None
        due = next_run(profile.parameters, last_started_at=started, now=now)
        found[name] = f"next run due {iso(due)}" if due else "runs by hand only"
    return found


def _document(report: ProductReport, verdicts: dict[str, Verdict]) -> dict[str, object]:
    return {
        "name": report.name,
        "uri": report.uri,
        "revision": report.revision,
        "facts": dict(report.facts),
        "first_seen_at": iso(report.first_seen_at),
        "changed_at": iso(report.changed_at),
        "superseded_by": report.superseded_by,
        "missing_since": iso(report.missing_since),
        "revisions": [revisions.document(each) for each in report.revisions],
        "rules": {
            name: {"kept": verdict.kept, "rule": verdict.rule, "reason": verdict.reason}
            for name, verdict in verdicts.items()
        },
        "files": [_file_document(file) for file in report.files],
        "history": [
            {"at": iso(event.at), "kind": event.kind, "detail": event.detail, "path": event.path}
            for event in report.events
        ],
    }


def _file_document(file: FileReport) -> dict[str, object]:
    return {
        "path": str(file.path),
        "state": file.state.value,
        "reason": file.reason,
        "declined": file.declined,
        "size": file.size,
        "sha256": file.sha256,
        "revision": file.revision,
        "changed_at": iso(file.changed_at),
        "attempts": file.attempts,
        "last_error": file.last_error,
        "next_attempt_at": iso(file.next_attempt_at),
        "profiles": list(file.profiles),
        "keeping": list(file.keeping),
        "superseded": file.superseded,
        "damage": file.damage,
        "checked_at": iso(file.checked_at),
    }
