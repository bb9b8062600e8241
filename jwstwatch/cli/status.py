"""`jwstwatch status`: how things stand."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.core.dates import iso
from jwstwatch.core.model import FileState
from jwstwatch.core.status import is_reachable, schedule_text
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.store.reports import ProfileCounts
    from jwstwatch.store.roots import RootRecord
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch status --json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Everything that status tells."""

    settings: Settings
    now: datetime
    daemon: Mapping[str, object]
    last: Mapping[str, RunRecord]
    counts: Mapping[str, ProfileCounts]
    roots: list[dict[str, object]]
    token: str | None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the form of the answer."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read the state (nothing is written, no archive is asked) and show it."""
    settings = session.load_settings(arguments)
    with session.open_state(arguments, settings, upgrade=False) as store:
        standing = _gather(settings, store)
    if arguments.json:
        output.print_json(_document(standing))
    else:
        print(_text(standing))
    return ExitCode.DONE


def _gather(settings: Settings, store: Store) -> _Standing:
    from jwstwatch.store.locks import holder

    token = session.find_token(settings)
    return _Standing(
        settings=settings,
        now=datetime.now(UTC),
        daemon=holder(store.database, "daemon"),
        last=store.runs.last(list(settings.profiles)),
        counts=store.reports.counts(),
        roots=[_root(root) for root in store.roots.all()],
        token=token.source if token else None,
    )


def _root(root: RootRecord) -> dict[str, object]:
    from jwstwatch.disk.markers import is_mounted

    mounted = is_mounted(root.path, root.uuid)
    return {"path": str(root.path), "mounted": mounted, "free_bytes": _free(root.path) if mounted else None}


def _free(path: Path) -> int | None:
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def _next_run(standing: _Standing, profile: Profile) -> datetime | None:
    """When the daemon runs the profile next; None where none is running, or the profile rests."""
    if not standing.daemon["running"]:
        return None
    from jwstwatch.daemon.schedule import next_run

    last = standing.last.get(profile.name)
    return next_run(profile.parameters, last_started_at=last.started_at if last else None, now=standing.now)


def _archive(standing: _Standing) -> tuple[bool | None, datetime | None]:
    """What the newest run that learned something says of the archive."""
    for record in sorted(standing.last.values(), key=lambda record: record.started_at, reverse=True):
        reachable = is_reachable(record.error_kind, record.outcome)
        if reachable is not None:
            return reachable, record.finished_at
    return None, None


def _files(standing: _Standing, name: str) -> dict[str, int]:
    counts = standing.counts.get(name)
    return {state.value: counts.files.get(state, 0) if counts else 0 for state in FileState}


def _document(standing: _Standing) -> dict[str, object]:
    from jwstwatch.sync.documents import run_document

    profiles = []
    for name, profile in standing.settings.profiles.items():
        last, counts = standing.last.get(name), standing.counts.get(name)
        profiles.append(
            {
                "name": name,
                "enabled": profile.parameters.enabled,
                "schedule": _schedule(profile),
                "next_run_at": iso(_next_run(standing, profile)),
                "last_run": run_document(last) if last else None,
                "files": _files(standing, name),
                "bytes": {
                    "present": counts.bytes_present if counts else 0,
                    "wanted": counts.bytes_wanted if counts else 0,
                },
            }
        )
    reachable, checked_at = _archive(standing)
    return {
        "daemon": dict(standing.daemon),
        "profiles": profiles,
        "archive": {"reachable": reachable, "checked_at": iso(checked_at)},
        "token": {"source": standing.token, "days_left": None},
        "roots": standing.roots,
    }


def _schedule(profile: Profile) -> str:
    parameters = profile.parameters
    return schedule_text(
        enabled=parameters.enabled,
        every=parameters.every,
        cron=parameters.cron,
        timezone=parameters.timezone,
    )


def _text(standing: _Standing) -> str:
    daemon = standing.daemon
    running = f"running (process {daemon['pid']})" if daemon["running"] else "not running"
    reachable, checked_at = _archive(standing)
    archive = {True: "reachable", False: "unreachable", None: "not asked yet"}[reachable]
    if checked_at:
        archive += f" {output.ago(checked_at, standing.now)}"
    lines = [
        f"daemon   {running}",
        f"archive  {standing.settings.mast.server}: {archive}",
        f"token    {standing.token or 'none (public data need none)'}",
        "",
        _profile_table(standing),
    ]
    lines += _errors(standing)
    if standing.roots:
        rows = [
            [
                str(root["path"]),
                "yes" if root["mounted"] else "NO",
                output.size(root["free_bytes"]) if isinstance(root["free_bytes"], int) else "-",
            ]
            for root in standing.roots
        ]
        lines += ["", output.table(["root", "mounted", "free"], rows)]
    return "\n".join(lines)


def _profile_table(standing: _Standing) -> str:
    head = [
        "profile",
        "schedule",
        "last run",
        "outcome",
        "present",
        "stale",
        "wanted",
        "withheld",
        "failed",
        "gone",
    ]
    rows = []
    for name, profile in standing.settings.profiles.items():
        last, files = standing.last.get(name), _files(standing, name)
        counts = standing.counts.get(name)
        rows.append(
            [
                name,
                _schedule(profile),
                output.ago(last.started_at, standing.now) if last else "never",
                _outcome(last),
                *[
                    str(files[state])
                    for state in ("present", "stale", "wanted", "withheld", "failed", "gone")
                ],
                output.size(counts.bytes_present if counts else 0),
            ]
        )
    if not rows:
        return "no profiles: write jwstwatch.yaml (see docs/configuration.md)"
    return output.table([*head, "on disk"], rows)


def _outcome(last: RunRecord | None) -> str:
    if last is None:
        return "-"
    return last.outcome.value if last.outcome else "running"


def _errors(standing: _Standing) -> list[str]:
    lines = []
    for name, record in standing.last.items():
        if record.error_message:
            lines += ["", f"{name}: {record.error_message}"]
            if record.error_hint:
                lines.append(f"  {record.error_hint}")
    return lines
