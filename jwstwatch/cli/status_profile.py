"""The document of `status PROFILE` as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jwstwatch.cli import output
from jwstwatch.cli.output import Look
from jwstwatch.cli.status_parts import (
    Document,
    count,
    entry,
    how_long,
    made_at,
    moment,
    outcome_of,
    running,
    said,
    style_of,
    wrapped,
)

FAILED_SHOWN = 20
"""Failed files that are listed; the rest is counted."""
_RUNS_LEAST = ("waiting", "unchanged", "withheld", "run", "trigger", "took")
_FAILED_LEAST = ("attempts", "size")


def one_profile(document: Document, *, look: Look) -> str:
    """Return the text of `status PROFILE`."""
    now = made_at(document)
    profile = document["profile"]
    sections = [
        "\n".join(_head(profile, now=now, look=look)),
        "\n".join(running(document, now=now, look=look)),
        "\n".join(_plan(profile, now=now, look=look)),
        "\n".join(line for text in profile.get("warnings") or [] for line in _warning(text, look)),
        _runs(document["runs"], goes_on=bool(profile.get("running")), now=now, look=look),
        "\n".join(_reason(document["runs"], look=look)),
        _failed(document["failed"], profile["name"], now=now, look=look),
        _withheld(document.get("withheld") or [], now=now, look=look),
    ]
    return "\n\n".join(section for section in sections if section)


def _head(profile: Document, *, now: datetime, look: Look) -> list[str]:
    due = moment(profile["next_run_at"])
    when = f", next {output.ago(due, now)}" if due and due > now else ", due now" if due else ""
    lines = entry("profile", profile["name"], look=look, style="bold")
    lines += entry("schedule", profile["schedule"] + when, look=look)
    lines += entry("folder", profile.get("root", ""), look=look)
    settings = profile.get("settings") or {}
    chosen = [f"{name}: {_value(value)}" for name, value in settings.items() if name not in _TOLD]
    lines += entry("asks for", "; ".join(chosen) or "what the defaults say", look=look)
    states = [f"{number} {state}" for state, number in profile["files"].items() if number]
    text = f"{', '.join(states) or 'none'}; {output.size(profile['bytes']['present'])} on disk"
    if profile.get("kept"):
        text += f"; {profile['kept']} kept in an older revision"
    return lines + entry("files", text, look=look)


_TOLD = ("outrootdir", "outsubdir", "every", "cron", "timezone", "enabled")
"""Settings that other lines tell."""


_LIMITS = {
    "space": "space on its disk",
    "quota": "its quota",
    "reprocess_budget": "the reprocess budget of the coming days",
}
"""What files wait for, in words."""


def _when(waiting: Document | None) -> str:
    if not waiting:
        return "at the next run"
    return "a part of it a day" if waiting["for"] == "reprocess_budget" else "as far as there is room"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plan(profile: Document, *, now: datetime, look: Look) -> list[str]:
    plan, approval = profile.get("plan") or {}, profile.get("approval")
    lines: list[str] = []
    waiting = profile.get("waiting")
    if plan.get("files"):
        when = "" if approval else f", {_when(waiting)}"
        text = f"{count(plan['files'], 'file')}, {output.size(plan['bytes'])} as listed{when}"
        lines = entry("to fetch", text, look=look)
    if waiting and waiting["files"]:
        text = f"{count(waiting['files'], 'file')}, {output.size(waiting['bytes'])} as listed"
        text += f", for {_LIMITS.get(waiting['for'], waiting['for'])}"
        lines += entry("waiting", text, look=look, style="yellow")
    if approval:
        since = moment(approval.get("since"))
        waits = f" (for {how_long(since, now)})" if since else ""
        hint = f"`jwstwatch run-now {profile['name']} --yes` carries it out."
        lines += said("", f"This plan waits for a yes{waits}.", hint, look=look, style="yellow")
    return lines


def _warning(text: str, look: Look) -> list[str]:
    return [look.paint(line, "yellow") for line in wrapped(text, look=look)]


def _runs(runs: Sequence[Document], *, goes_on: bool, now: datetime, look: Look) -> str:
    if not runs:
        return "no run yet"
    head = ["run", "started", "took", "trigger", "outcome"]
    head += ["downloaded", "unchanged", "withheld", "failed", "waiting", "received"]
    rows = [
        [
            str(run["run_id"]),
            output.ago(moment(run["started_at"]), now),
            _length(run),
            run["trigger"],
            outcome_of(run, running=goes_on and run is runs[0]),
            *[str(run[name]) for name in ("downloaded", "unchanged", "withheld", "failed", "waiting")],
            output.size(run["bytes"]),
        ]
        for run in runs
    ]
    return output.table(head, rows, look=look, least=_RUNS_LEAST, style=style_of)


def _length(run: Document) -> str:
    began, ended = moment(run["started_at"]), moment(run["finished_at"])
    return output.span((ended - began).total_seconds()) if began and ended else "-"


def _reason(runs: Sequence[Document], *, look: Look) -> list[str]:
    """Why the newest run that ended was not complete."""
    ended = next((run for run in runs if run["outcome"]), None)
    error = ended["error"] if ended else None
    if not error:
        return []
    return said(f"run {ended['run_id'] if ended else ''}", error["message"], error["hint"], look=look)


def _failed(files: Sequence[Document], name: str, *, now: datetime, look: Look) -> str:
    if not files:
        return ""
    rows = [
        [
            _next_attempt(file, now),
            str(file["attempts"]),
            output.size(file["size"]),
            file["name"],
            file["last_error"] or file["reason"] or "",
        ]
        for file in files[:FAILED_SHOWN]
    ]
    lines = [
        output.table(
            ["tried again", "attempts", "size", "failed file", "last error"],
            rows,
            look=look,
            least=_FAILED_LEAST,
        )
    ]
    rest = len(files) - FAILED_SHOWN
    if rest > 0:
        lines.append(f"and {count(rest, 'file')} more: `jwstwatch files --profile {name} --state failed`")
    lines.append(f"`jwstwatch retry --profile {name}` tries them now.")
    return "\n".join(lines)


def _next_attempt(file: Document, now: datetime) -> str:
    due = moment(file["next_attempt_at"])
    if due is None:
        return "not by itself"
    return "next run" if due <= now else output.ago(due, now)


def _withheld(some: Sequence[Document], *, now: datetime, look: Look) -> str:
    if not some:
        return ""
    rows = [
        [
            each["released_at"][:10] if each["released_at"] else "no date",
            _wait(moment(each["released_at"]), now),
            str(each["files"]),
            output.size(each["bytes"]),
            each["reason"] or "",
        ]
        for each in some
    ]
    return output.table(
        ["released", "that is", "withheld", "size", "reason"], rows, look=look, least=("that is",)
    )


def _wait(released_at: datetime | None, now: datetime) -> str:
    if released_at is None:
        return "-"
    return "asked again" if released_at <= now else output.ago(released_at, now)
