"""How things stand, as `status --json` tells it: made by the daemon, or by a command where none answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.core.dates import iso
from jwstwatch.core.model import FileState
from jwstwatch.core.status import schedule_text
from jwstwatch.store.outlook import Outlook
from jwstwatch.sync import standing_parts as parts
from jwstwatch.sync.documents import run_document
from jwstwatch.sync.keeping import Kept
from jwstwatch.sync.standing_parts import Known

if TYPE_CHECKING:
    from jwstwatch.config.secrets import Token
    from jwstwatch.config.settings import Profile, Settings
    from jwstwatch.core.live import Live
    from jwstwatch.store.reports import FileReport
    from jwstwatch.store.store import Store

LAST_RUNS = 10
"""Runs of a profile's history that are told."""
_NO_RUN = 0
"""No run has this number: the whole plan is asked for, whoever tried what."""


def standing(
    settings: Settings,
    store: Store,
    *,
    now: datetime,
    live: Live | None,
    token: Token | None,
    next_runs: Mapping[str, datetime] | None = None,
    kept: Kept | None = None,
) -> dict[str, object]:
    """Return the document of `status --json`, but for its schema. Asks no archive, writes nothing.

    `live` is what the daemon says of itself, None where none answers; `next_runs` counts where it names
    none. Whoever asks often has a `kept` for it.
    """
    kept = kept or Kept()
    known = _know(settings, store, now=now, live=live, next_runs=next_runs, kept=kept)
    names = list(settings.profiles)
    files, size = kept.answer(f"unselected {names}", lambda: store.reports.unselected(names))
    return {
        "daemon": parts.daemon(store, live),
        "profiles": [_profile(known, profile) for profile in settings.profiles.values()],
        "archive": parts.archive(known),
        "token": parts.token(store, token, now=now),
        "roots": parts.roots(known, kept),
        "running": parts.running(known),
        "notices": parts.notices(known),
        "configuration": parts.configuration(settings, live),
        "unselected": {"files": files, "bytes": size},
        "at": iso(now),
    }


def standing_of_profile(
    settings: Settings,
    store: Store,
    name: str,
    *,
    now: datetime,
    live: Live | None,
    next_runs: Mapping[str, datetime] | None = None,
    kept: Kept | None = None,
) -> dict[str, object]:
    """Return the document of `status PROFILE --json`, but for its schema.

    Raises `UsageError` for a profile that the configuration does not have.
    """
    from jwstwatch.sync.rules import root_of

    profile = settings.profile(name)
    kept = kept or Kept()
    known = _know(settings, store, now=now, live=live, next_runs=next_runs, kept=kept)
    files, size = kept.answer(f"plan of {name}", lambda: store.transfers.planned(_NO_RUN, name, now=now))
    withheld = kept.answer(f"withheld of {name}", lambda: Outlook(store.database).withheld(name, now=now))
    failing = kept.answer(f"failing of {name}", lambda: _failing(store, name))
    return {
        "profile": {
            **_profile(known, profile),
            "root": str(root_of(profile.parameters)),
            "settings": _chosen(profile),
            "plan": {"files": files, "bytes": size},
        },
        "runs": [run_document(record) for record in store.runs.history(profile=name, limit=LAST_RUNS)],
        "failed": [_failed(report) for report in failing],
        "withheld": [
            {
                "reason": some.reason,
                "released_at": iso(some.released_at),
                "files": some.files,
                "bytes": some.size,
            }
            for some in withheld
        ],
        "running": [run for run in parts.running(known) if run["profile"] == name],
        "at": iso(now),
    }


def _know(
    settings: Settings,
    store: Store,
    *,
    now: datetime,
    live: Live | None,
    next_runs: Mapping[str, datetime] | None,
    kept: Kept,
) -> Known:
    """Ask the state for what both documents are made of."""
    names = list(settings.profiles)
    outlook = Outlook(store.database)
    last = store.runs.last(names)
    return Known(
        settings=settings,
        store=store,
        now=now,
        live=live,
        last=last,
        ended=outlook.last_ended(names) | {name: run for name, run in last.items() if run.outcome},
        open_runs=outlook.open_runs(now=now),
        counts=kept.answer("counts", store.reports.counts),
        # What is said of a profile that is no more concerns nobody.
        notices=[each for each in store.notices.holding() if each.profile in (None, *names)],
        next_runs=(live.next_runs if live is not None else None) or next_runs or {},
        waiting=parts.waits(store, kept),
    )


def _profile(known: Known, profile: Profile) -> dict[str, object]:
    name = profile.name
    last, ended = known.last.get(name), known.ended.get(name)
    counts = known.counts.get(name)
    told = [notice.text for notice in known.notices if notice.profile == name]
    return {
        "name": name,
        "enabled": profile.parameters.enabled,
        "schedule": _schedule(profile),
        "next_run_at": iso(known.next_runs.get(name)),
        "last_run": run_document(last) if last else None,
        "files": {state.value: counts.files.get(state, 0) if counts else 0 for state in FileState},
        "kept": counts.kept if counts else 0,
        "bytes": {
            "present": counts.bytes_present if counts else 0,
            "wanted": counts.bytes_wanted if counts else 0,
        },
        "last_ended_run": run_document(ended) if ended else None,
        "running": any(run["profile"] == name for run in parts.running(known)),
        "queued": known.live is not None and name in known.live.waiting,
        "found_nothing": known.notice(f"{parts.NOTHING_FOUND} {name}") is not None,
        "approval": _approval(known, name),
        "waiting": parts.waiting_of(known, name),
        "quota_bytes": profile.parameters.quota,
        "warnings": [*told, *profile.warnings],
    }


def _schedule(profile: Profile) -> str:
    parameters = profile.parameters
    return schedule_text(
        enabled=parameters.enabled,
        every=parameters.every,
        cron=parameters.cron,
        timezone=parameters.timezone,
    )


def _approval(known: Known, name: str) -> dict[str, object] | None:
    """What waits for a yes: a plan that is larger than the profile may carry out by itself."""
    notice = known.notice(f"{parts.PLAN_WAITS} {name}")
    if notice is None:
        return None
    files, size = known.store.transfers.planned(_NO_RUN, name, now=known.now)
    return {"files": files, "bytes": size, "text": notice.text, "since": iso(notice.first_at)}


def _chosen(profile: Profile) -> dict[str, object]:
    """Return the values that somebody wrote, for this profile or for all."""
    from jwstwatch.core.parameter_table import Layer
    from jwstwatch.core.parameters import written

    values = written(profile.parameters)
    return {
        name: value for name, value in values.items() if profile.sources[name].layer is not Layer.BUILT_IN
    }


def _failing(store: Store, name: str) -> list[FileReport]:
    """Return what did not arrive though it was tried, the next to be tried first."""
    return sorted(
        store.reports.troubled(name),
        key=lambda file: (file.next_attempt_at is None, file.next_attempt_at, file.name),
    )


def _failed(report: FileReport) -> dict[str, object]:
    return {
        **report.facts(),
        "attempts": report.attempts,
        "last_error": report.last_error,
        "next_attempt_at": iso(report.next_attempt_at),
    }
