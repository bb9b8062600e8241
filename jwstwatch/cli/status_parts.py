"""The pieces of which the text of `status` is made."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jwstwatch.cli import output
from jwstwatch.cli.output import Look
from jwstwatch.core.dates import parse_iso

Document = Mapping[str, Any]

INDENT = " " * 10
"""Where a labelled text begins."""
_STYLES = {"complete": "green", "partial": "yellow", "failed": "red", "cancelled": "yellow", "killed": "red"}
_BAR = (8, 30)


def made_at(document: Document) -> datetime:
    """Return the moment that a document tells of."""
    return moment(document.get("at")) or datetime.min.replace(tzinfo=UTC)


def moment(text: str | None) -> datetime | None:
    """Return a time of the document."""
    return parse_iso(text) if text else None


def entry(label: str, text: str, *, look: Look, style: str = "") -> list[str]:
    """Return a labelled text, on as many lines as it needs."""
    lines = wrapped(text, look=look, indent=INDENT)
    painted = [look.paint(line[len(INDENT) :], style) for line in lines]
    return [f"{label:<{len(INDENT)}}{painted[0]}", *(f"{INDENT}{line}" for line in painted[1:])]


def wrapped(text: str, *, look: Look, indent: str = "") -> list[str]:
    """Return a sentence on lines of the width there is."""
    text = output.plain(" ".join(text.split()))
    if look.width is None:
        return [indent + text]
    return textwrap.wrap(
        text,
        max(look.width, len(indent) + 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]


def how_long(since: datetime, now: datetime) -> str:
    """Return for how long something has been so: `5 min`."""
    return output.span((now - since).total_seconds())


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def said(subject: str, text: str, hint: str, *, look: Look, style: str = "") -> list[str]:
    """Return a sentence about something, and below it what to do."""
    about = text if not subject or text.startswith(f"{subject}: ") else f"{subject}: {text}"
    lines = [look.paint(line, style) for line in wrapped(about, look=look)]
    return [*lines, *(wrapped(hint, look=look, indent="  ") if hint else [])]


def outcome_of(run: Document | None, *, running: bool) -> str:
    """Return how a run ended: one without an end that does not go on was killed."""
    if run is None:
        return "-"
    return run["outcome"] or ("running" if running else "killed")


def style_of(column: str, cell: str) -> str:
    """Return the style of a cell: how a run ended, and files in trouble."""
    if column == "outcome":
        return _STYLES.get(cell, "")
    if column in ("failed", "stale") and not is_nought(cell):
        return "red" if column == "failed" else "yellow"
    return ""


def is_nought(cell: str) -> bool:
    """Return whether a cell tells nothing."""
    return cell in ("0", "0 B", "-")


def running(document: Document, *, now: datetime, look: Look) -> list[str]:
    """Return what goes on, each run with how far it is."""
    lines = []
    for run in document.get("running") or []:
        since = moment(run["since"])
        facts = [run["trigger"], f"for {how_long(since, now)}" if since else ""]
        name = run["profile"] or "download"
        text = f"  {name}: {output.plain(run['step'])} ({', '.join(fact for fact in facts if fact)})"
        lines.append(output.cut(text, look.width).replace(name, look.paint(name, "bold"), 1))
        if run.get("files"):
            lines.append("    " + progress(run, width=None if look.width is None else look.width - 4))
    waiting = [profile["name"] for profile in document.get("profiles") or [] if profile.get("queued")]
    if waiting:
        lines += wrapped(f"waiting for their turn: {', '.join(waiting)}", look=look, indent="  ")
    return ["running", *lines] if lines else []


def progress(run: Document, *, width: int | None) -> str:
    """Return a bar for a transfer, with files, bytes, speed and the time left, in at most `width` columns."""
    size, received = run.get("size") or 0, run.get("received") or 0
    share = received / size if size else run["done"] / run["files"]
    share = min(max(share, 0.0), 1.0)
    parts = [f"{int(share * 100):3d} %", f"{run['done']} of {count(run['files'], 'file')}"]
    parts.append(_part_of(received, size) if size else output.size(received))
    if run.get("bytes_per_second"):
        parts.append(f"{output.size(run['bytes_per_second'])}/s")
    if run.get("seconds_left") is not None:
        parts.append(f"{output.span(run['seconds_left'])} left")
    text = "  ".join(parts)
    shortest, longest = _BAR
    room = longest if width is None else min(longest, width - len(text) - 4)
    if room < shortest:
        return output.cut(text, width)
    filled = int(share * room)
    return f"[{'#' * filled}{'-' * (room - filled)}]  {text}"


def _part_of(received: int, size: int) -> str:
    """Return `1.2 of 5.6 GB`, or `300 kB of 5.6 GB`."""
    part, whole = output.size(received), output.size(size)
    amount, _, unit = part.partition(" ")
    return f"{amount if whole.endswith(f' {unit}') else part} of {whole}"
