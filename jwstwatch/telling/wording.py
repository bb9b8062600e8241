"""The words of messages."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.dates import iso
from jwstwatch.telling.posting import Message

if TYPE_CHECKING:
    from pathlib import Path

    from jwstwatch.store.news import Arrival, Day, Failures
    from jwstwatch.store.notices import Notice
    from jwstwatch.sync.mounts import Mount

MOST_LINES = 20
"""Proposals that are listed one by one."""


def new(profile: str, arrivals: Sequence[Arrival], *, since: datetime) -> Message:
    """Say which new files came."""
    return _arrived(profile, arrivals, since, what="new")


def reprocessed(profile: str, arrivals: Sequence[Arrival], *, since: datetime) -> Message:
    """Say which files were replaced by a newer revision."""
    return _arrived(profile, arrivals, since, what="reprocessed")


def _arrived(profile: str, arrivals: Sequence[Arrival], since: datetime, *, what: str) -> Message:
    files, size = sum(entry.files for entry in arrivals), sum(entry.size for entry in arrivals)
    lines = [f"{_counted(files, what)} for {profile} since {iso(since)} ({size_text(size)})."]
    for entry in arrivals[:MOST_LINES]:
        whose = "no proposal" if entry.proposal is None else f"proposal {entry.proposal}"
        such_as = entry.example if entry.files == 1 else f"such as {entry.example}"
        if entry.changes:
            such_as += f" ({', '.join(f'{old} -> {new}' for old, new in entry.changes)})"
        lines.append(f"- {whose}: {files_text(entry.files)}, {size_text(entry.size)}: {such_as}")
    if len(arrivals) > MOST_LINES:
        lines.append(f"- and of {len(arrivals) - MOST_LINES} more proposals")
    return _message(f"{profile}: {_counted(files, what)}", lines, kind="success")


def _counted(count: int, what: str) -> str:
    number, _, files = files_text(count).partition(" ")
    return f"{number} {what} {files}"


def failures(profile: str, found: Failures) -> Message:
    """Say what went wrong."""
    lines = [trouble.message + (f"\n  {trouble.hint}" if trouble.hint else "") for trouble in found.troubles]
    if found.files:
        lines.append(f"{files_text(found.files)} failed for the first time:")
        lines += [f"- {entry.name}: {entry.problem or 'no reason is known'}" for entry in found.examples]
        if found.files > len(found.examples):
            lines.append(f"- and {found.files - len(found.examples)} more")
        lines.append("They are tried again by themselves; `jwstwatch why NAME` tells when.")
    title = f"{files_text(found.files)} failed" if found.files else "a run failed"
    return _message(f"{profile}: {title}", lines, kind="failure" if found.troubles else "warning")


def notice(found: Notice) -> Message:
    """Say what began to hold."""
    lines = [found.text, f"Since {iso(found.first_at)}; `jwstwatch status` tells how long it holds."]
    return _message(found.cause, lines, kind="warning")


def archive_back(*, server: str, since: datetime, until: datetime) -> Message:
    """Say that the archive answers again."""
    length = timedelta(seconds=round((until - since).total_seconds()))
    lines = [f"{server} answers again since {iso(until)}. It was down for {length}."]
    return _message("archive back", lines, kind="success")


def digest(
    *,
    now: datetime,
    days: Mapping[str, Day],
    failing: Mapping[str, int],
    mounts: Mapping[Path, Mount],
    notices: Sequence[Notice],
) -> Message:
    """Say what the last 24 hours brought to each profile of `failing` (files that fail now), if anything."""
    profiles = [_profile_line(name, days.get(name), count) for name, count in failing.items()]
    eventful = [line for line, is_eventful in profiles if is_eventful]
    folders = [_folder_text(path, mount) for path, mount in mounts.items()]
    if not eventful and not notices and all(mount.mounted for mount in mounts.values()):
        runs = sum(day.runs for name, day in days.items() if name in failing)
        lines = [f"Nothing new in {_runs_text(runs)}; {'; '.join(folders) or 'no output folder yet'}."]
    else:
        lines = [line for line, _ in profiles] + folders
        if notices:
            lines += ["To be seen to:", *(f"- {entry.cause}: {entry.text}" for entry in notices)]
    return _message(
        f"digest of {now:%Y-%m-%d}", lines, heading="" if len(lines) == 1 else "The last 24 hours:"
    )


def _profile_line(name: str, day: Day | None, failing: int) -> tuple[str, bool]:
    """Return a profile's line, and whether there is anything to tell."""
    if day is None:
        words = ["no run"]
    elif day.files:
        words = [f"{files_text(day.files)} came ({size_text(day.size)}) in {_runs_text(day.runs)}"]
    else:
        words = [f"nothing new in {_runs_text(day.runs)}"]
    if day is not None and day.failed_runs:
        words.append(f"{_runs_text(day.failed_runs)} failed")
    if failing:
        words.append(f"{files_text(failing)} failing")
    is_eventful = bool(failing) or (day is not None and bool(day.files or day.failed_runs))
    return f"- {name}: {', '.join(words)}", is_eventful


def _runs_text(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _folder_text(path: Path, mount: Mount) -> str:
    if not mount.mounted:
        return f"{path} {mount.problem or 'is not mounted'}"
    free = "an unknown amount" if mount.free_bytes is None else size_text(mount.free_bytes)
    return f"{free} free in {path}"


def _message(title: str, lines: Sequence[str], *, kind: str = "info", heading: str = "") -> Message:
    body = "\n".join([heading, *lines] if heading else lines)
    return Message(title=f"jwstwatch: {title}", body=f"{body}\n\n{socket.gethostname()}", kind=kind)
