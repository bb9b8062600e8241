"""The status document as text: everything is taken from the document alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jwstwatch.cli import output
from jwstwatch.cli.output import Look
from jwstwatch.cli.status_parts import (
    INDENT,
    Document,
    count,
    entry,
    how_long,
    is_nought,
    made_at,
    moment,
    outcome_of,
    running,
    said,
    style_of,
    wrapped,
)

_STATES = ("present", "stale", "wanted", "withheld", "failed", "gone")
_LEAST_OF_ALL = ("gone", "to fetch", "stale", "withheld", "wanted", "failed", "next run")
"""Columns that are left out first where no row tells anything in them."""
_LEAST = ("gone", "to fetch", "schedule", "stale", "on disk", "withheld", "next run", "wanted")
"""Columns that are left out next, the first one first."""


def whole(document: Document, *, look: Look, by_daemon: bool) -> str:
    """Return the text of `status`."""
    now = made_at(document)
    sections = [
        "\n".join(_head(document, now=now, look=look, by_daemon=by_daemon)),
        "\n".join(running(document, now=now, look=look)),
        profile_table(document["profiles"], now=now, look=look),
        "\n".join(_reasons(document["profiles"], look=look)),
        "\n".join(_notices(document, now=now, look=look)),
        _roots(document["roots"], look=look),
        "\n".join(_unselected(document, look=look)),
    ]
    return "\n\n".join(section for section in sections if section)


def _head(document: Document, *, now: datetime, look: Look, by_daemon: bool) -> list[str]:
    lines = _daemon(document["daemon"], now=now, look=look, by_daemon=by_daemon)
    lines += _archive(document["archive"], now=now, look=look)
    lines += _token(document["token"], look=look)
    configuration = document.get("configuration") or {}
    text = configuration.get("path") or "no file was found"
    if read_at := moment(configuration.get("read_at")):
        text += f", read {output.ago(read_at, now)}"
    lines += entry("config", text, look=look)
    refused = configuration.get("refused") or []
    if refused:
        about = "The file was changed and is refused; what was read before stays in force:"
        for text in (about, *refused):
            lines += [look.paint(line, "yellow") for line in wrapped(text, look=look, indent=INDENT)]
    return lines


def _daemon(daemon: Document, *, now: datetime, look: Look, by_daemon: bool) -> list[str]:
    if not daemon["running"]:
        text = "not running (`systemctl start jwstwatch`, or `jwstwatch daemon`)"
        return entry("daemon", text, look=look, style="yellow")
    since = moment(daemon.get("since"))
    text = f"running for {how_long(since, now)}" if since else "running"
    facts = [f"process {daemon['pid']}" if daemon.get("pid") else "", f"version {daemon.get('version')}"]
    text += f" ({', '.join(fact for fact in facts if fact and 'None' not in fact)})".replace(" ()", "")
    if by_daemon:
        return entry("daemon", text, look=look)
    text += "; it does not answer here, so this is what the state knows"
    return entry("daemon", text, look=look, style="yellow")


def _archive(archive: Document, *, now: datetime, look: Look) -> list[str]:
    checked = moment(archive.get("checked_at"))
    when = f" {output.ago(checked, now)}" if checked else ""
    text = {True: f"reachable{when}", False: f"not reachable{when}", None: "not asked yet"}[
        archive["reachable"]
    ]
    if down_since := moment(archive.get("down_since")):
        text = f"DOWN for {how_long(down_since, now)}"
        if next_probe := moment(archive.get("next_probe_at")):
            text += f", asked again {output.ago(next_probe, now)}"
    style = "red" if archive["reachable"] is False else ""
    return entry("archive", f"{archive.get('server', '')}: {text}".lstrip(": "), look=look, style=style)


def _token(token: Document, *, look: Look) -> list[str]:
    if token["source"] is None:
        return entry("token", "none (public data need none)", look=look)
    text, style = f"from {token['source']}", ""
    if token.get("rejected"):
        text += ": REJECTED by the archive; `jwstwatch token status` says more"
        style = "red"
    elif token.get("days_left") is not None:
        days = max(0, int(token["days_left"]))
        text += f", at most {count(days, 'day')} left"
        style = "yellow" if days <= 7 else ""
    return entry("token", text, look=look, style=style)


def profile_table(profiles: Iterable[Document], *, now: datetime, look: Look) -> str:
    """Return a line for each profile: when it runs, how it ran, what it has."""
    profiles = list(profiles)
    if not profiles:
        return "no profiles: write jwstwatch.yaml (see docs/configuration.md)"
    head = ["profile", "schedule", "next run", "last run", "outcome", *_STATES, "on disk", "to fetch"]
    rows = [
        [
            profile["name"],
            profile["schedule"],
            _next_run(profile, now),
            output.ago(moment((profile["last_run"] or {}).get("started_at")), now),
            outcome_of(profile["last_run"], running=bool(profile.get("running"))),
            *[str(profile["files"][state]) for state in _STATES],
            output.size(profile["bytes"]["present"]),
            output.size(profile["bytes"]["wanted"]),
        ]
        for profile in profiles
    ]
    empty = [name for name in _LEAST_OF_ALL if all(is_nought(row[head.index(name)]) for row in rows)]
    least = [*empty, *(name for name in _LEAST if name not in empty)]
    return output.table(head, rows, look=look, least=least, style=style_of)


def _next_run(profile: Document, now: datetime) -> str:
    due = moment(profile["next_run_at"])
    if profile.get("queued"):
        return "waits"
    if due is None:
        return "-"
    return "now" if due <= now else output.ago(due, now)


def _reasons(profiles: Iterable[Document], *, look: Look) -> list[str]:
    """Why the last runs ended as they did, as far as they were not complete."""
    lines = []
    for profile in profiles:
        if error := _last_error(profile):
            lines += said(profile["name"], error["message"], error["hint"], look=look)
        if profile["files"]["failed"]:
            text = f"{count(profile['files']['failed'], 'file')} failed"
            hint = f"`jwstwatch status {profile['name']}` tells why, and when they are tried again."
            lines += said(profile["name"], text, hint, look=look)
    return lines


def _last_error(profile: Document) -> Document | None:
    run = profile.get("last_ended_run") or profile["last_run"]
    error: Document | None = run.get("error") if run else None
    return error


_HINTS = {
    "token": "`jwstwatch token status` says more; a new one is made at https://auth.mast.stsci.edu/token.",
    "clock": "Let the machine keep its time by NTP; `jwstwatch doctor` compares again.",
    "plan": "`jwstwatch run-now {profile} --yes` carries it out; `max_plan` is the limit.",
    "space": "Free space, lower min_free or raise quota; `jwstwatch status {profile}` says by how much.",
    "profile": "`jwstwatch config show {profile}` shows what is asked for, `jwstwatch query` asks by hand.",
    "hook": "Run the command by hand; the log has what it said.",
}
"""What to do about a notice, by its kind."""


def _notices(document: Document, *, now: datetime, look: Look) -> list[str]:
    """What holds, but for what the last runs' own errors have just said."""
    errors = [(profile["name"], _last_error(profile)) for profile in document["profiles"]]
    told = tuple(f"{name}: {error['message']}" for name, error in errors if error)
    lines = []
    for notice in document.get("notices") or []:
        if notice["text"].startswith(told):
            continue
        since = moment(notice["since"])
        text = notice["text"].rstrip(".") + (f" (for {how_long(since, now)})" if since else "")
        usual = _HINTS.get(notice["kind"], "").format(profile=notice["profile"] or "PROFILE")
        hint = "" if "`" in notice["text"] else usual  # it names a command already
        lines += said(notice["profile"] or "", text, hint, look=look, style="yellow")
    return lines


def _roots(roots: Iterable[Document], *, look: Look) -> str:
    rows = [
        [
            root["path"],
            "yes" if root["mounted"] else "NO",
            output.size(root["free_bytes"]),
            str(root.get("files", "-")),
        ]
        for root in roots
    ]
    if not rows:
        return ""
    head = ["output folder", "mounted", "free", "files"]
    lines = [output.table(head, rows, look=look, style=lambda _, cell: "red" if cell == "NO" else "")]
    for root in roots:
        if root.get("problem"):
            hint = "" if root["mounted"] else "Is its disk mounted? `jwstwatch doctor` says more."
            lines += said(root["path"], root["problem"], hint, look=look)
    return "\n".join(lines)


def _unselected(document: Document, *, look: Look) -> list[str]:
    unselected = document.get("unselected") or {}
    if not unselected.get("files"):
        return []
    size = output.size(unselected["bytes"])
    text = f"{count(unselected['files'], 'file')} of {size} belong to no profile any more"
    hint = "`jwstwatch prune --unselected` lists them, and removes them if told to."
    return said("", text, hint, look=look)
