"""What `jwstwatch why` tells of a product, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.core import naming
from jwstwatch.core.dates import iso

if TYPE_CHECKING:
    from jwstwatch.core.selection import Verdict
    from jwstwatch.store.histories import Revision, RevisionCopy
    from jwstwatch.store.reports import EventReport, FileReport, ProductReport


def text(report: ProductReport, verdicts: dict[str, Verdict], when: dict[str, str]) -> str:
    parsed = naming.parse(report.name)
    lines = [output.emphasised(report.name)]
    lines += _section("name", _facts_of_name(parsed))
    lines += _section(
        "archive",
        [
            report.uri,
            f"revision {report.revision}; first listed {iso(report.first_seen_at)}, "
            f"changed {iso(report.changed_at)}",
            f"listed size {output.size(report.size)}" if report.size is not None else "no size listed",
            *_fact_lines(report.facts),
            *_listing_lines(report),
            *_row_lines(report),
        ],
    )
    lines += _section(
        "rules",
        [
            f"{name}: {'kept' if verdict.kept else 'skipped'}. {verdict.reason} ({when[name]})"
            for name, verdict in verdicts.items()
        ],
    )
    lines += _section("files", [line for file in report.files for line in _file_lines(file)])
    if len(report.revisions) > 1:
        lines += _section("versions", _version_lines(report.revisions))
    lines += _section("history", _event_lines(report.events))
    return "\n".join(lines)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return [f"{title:8}  nothing"]
    # Details and facts are an outsider's words.
    return [f"{title if number == 0 else '':8}  {output.plain(line)}" for number, line in enumerate(lines)]


def _facts_of_name(parsed: naming.ProductName) -> list[str]:
    facts = [
        ("form", parsed.form.value),
        ("proposal", parsed.proposal),
        ("observation", parsed.obsnum),
        ("visit", parsed.visit),
        ("detector", parsed.detector),
        ("candidate", parsed.candidate),
        ("suffix", parsed.suffix),
    ]
    return [", ".join(f"{label} {value}" for label, value in facts if value is not None)]


def _fact_lines(facts: Mapping[str, object]) -> list[str]:
    """One line for each service: what it states of the content."""
    stated: dict[str, list[str]] = {}
    for name, value in sorted(facts.items()):
        service, _, fact = name.rpartition(".")
        stated.setdefault(service, []).append(f"{fact} {value}")
    return [", ".join(words) + (f" ({service})" if service else "") for service, words in stated.items()]


def _listing_lines(report: ProductReport) -> list[str]:
    lines = []
    if report.superseded_by is not None:
        lines.append(f"superseded by {report.superseded_by}")
    if report.missing_since is not None:
        lines.append(f"listed no more since {iso(report.missing_since)}")
    return lines


def _version_lines(versions: Sequence[Revision]) -> list[str]:
    lines = []
    for each in versions:
        stated = [
            ("pipeline", each.pipeline),
            ("context", each.context),
            ("checksum", each.checksum),
            ("dated", each.date),
            ("size", None if each.size is None else output.size(each.size)),
        ]
        words = [f"{label} {value}" for label, value in stated if value is not None]
        lines.append(f"{each.number}  listed {iso(each.began_at)}: {', '.join(words) or 'nothing stated'}")
        if each.why is not None:
            lines.append(f"   until {iso(each.ended_at)}: {each.why}")
        lines += [f"   {line}" for copy in each.copies for line in _copy_lines(copy)]
    return lines


def _copy_lines(copy: RevisionCopy) -> list[str]:
    if copy.replaced_at is None:
        return [f"here as {copy.path}"]
    lines = [f"replaced {iso(copy.replaced_at)} in {copy.path.parent} ({copy.size} bytes)"]
    return lines if copy.kept is None else [*lines, f"kept as {copy.kept}"]


def _event_lines(events: Sequence[EventReport], most: int = 20) -> list[str]:
    """The newest `most`: of years there are many."""
    shown = events[-most:]
    left_out = len(events) - len(shown)
    lines = [f"{left_out} earlier ones: --json tells them"] if left_out else []
    return lines + [
        f"{iso(event.at)}  {event.kind}" + (f": {event.detail}" if event.detail else "") for event in shown
    ]


def _row_lines(report: ProductReport, most: int = 5) -> list[str]:
    lines = []
    for row in report.rows[:most]:
        facts = [f"obsID {row.obsid}", f"parent {row.parent_obsid}", row.obs_id]
        facts += [f"level {row.calib_level}"] if row.calib_level is not None else []
        facts += [f"pipeline {row.prvversion}"] if row.prvversion else []
        facts += [row.data_rights] if row.data_rights else []
        lines.append("listed as " + ", ".join(facts))
    if len(report.rows) > most:
        lines.append(f"and {len(report.rows) - most} more rows")
    return lines


def _file_lines(file: FileReport) -> list[str]:
    state = f"{file.state.value}" + (f" ({file.reason})" if file.reason else "")
    told = [
        (
            file.declined,
            "given up on purpose, neither fetched nor watched: `jwstwatch undrop` wants it again",
        ),
        (file.superseded, "superseded: on the pages no more, and in `jwstwatch files --all` only"),
        (file.profiles, f"wanted by {', '.join(file.profiles)}"),
        (file.keeping, f"on_reprocessed keeps it, newer revisions or not: {', '.join(file.keeping)}"),
        (file.sha256, f"revision {file.revision}, {file.size} bytes, SHA-256 {file.sha256}"),
        (file.damage, f"damaged: {file.damage}"),
        (file.checked_at, f"read through last {iso(file.checked_at)}"),
        (file.note, file.note),
        (file.last_error, f"last error after {file.attempts} attempts: {file.last_error}"),
        (file.next_attempt_at, f"next attempt not before {iso(file.next_attempt_at)}"),
    ]
    return [
        str(file.path),
        f"  {state}, since {iso(file.changed_at)}",
        *[f"  {line}" for holds, line in told if holds],
    ]
