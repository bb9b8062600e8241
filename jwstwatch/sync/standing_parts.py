"""The parts of the status document: daemon, archive, token, output folders, what goes on, notices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.core.dates import iso
from jwstwatch.core.space import Limit, kept_free
from jwstwatch.core.status import is_reachable
from jwstwatch.core.token_age import days_left
from jwstwatch.sync.keeping import Kept

if TYPE_CHECKING:
    from pathlib import Path

    from jwstwatch.config.secrets import Token
    from jwstwatch.config.settings import Settings
    from jwstwatch.core.live import Live, Running
    from jwstwatch.store.notices import Notice
    from jwstwatch.store.outlook import OpenRun
    from jwstwatch.store.reports import ProfileCounts
    from jwstwatch.store.reservations import Waiting
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.store.store import Store
    from jwstwatch.sync.mounts import Mount

ARCHIVE_DOWN = "archive down"
NOTHING_FOUND = "nothing found"
PLAN_WAITS = "plan waits"
"""Causes of notices; a profile's name follows the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the state knows at one moment, and what the daemon says of itself."""

    settings: Settings
    store: Store
    now: datetime
    live: Live | None
    last: Mapping[str, RunRecord]
    ended: Mapping[str, RunRecord]
    open_runs: Sequence[OpenRun]
    counts: Mapping[str, ProfileCounts]
    notices: Sequence[Notice]
    next_runs: Mapping[str, datetime]
    waiting: Sequence[Waiting]

    def notice(self, cause: str) -> Notice | None:
        """Return the notice with this cause, if it holds."""
        return next((notice for notice in self.notices if notice.cause == cause), None)


def daemon(store: Store, live: Live | None) -> dict[str, object]:
    """Return whether a daemon serves this state: by its own word, or by the lock that it holds."""
    if live is None:
        from jwstwatch.store.locks import holder

        return holder(store.database, "daemon")
    return {"running": True, "pid": live.pid, "since": iso(live.since), "version": live.version}


def archive(known: Known) -> dict[str, object]:
    """Return what is known of the archive: by the daemon's probes, or by the newest run that learned it."""
    reachable, checked_at = _learned(known.ended.values())
    live = known.live
    down_since = next_probe_at = None
    if live is not None:
        down_since, next_probe_at = live.archive_down_since, live.next_probe_at
        if live.probed_at is not None and (checked_at is None or live.probed_at > checked_at):
            reachable, checked_at = down_since is None, live.probed_at
    else:
        notice = known.notice(ARCHIVE_DOWN)
        # A daemon that was stopped during an outage left it behind; a later run may know better.
        if notice is not None and not (reachable and checked_at and checked_at > notice.last_at):
            down_since, checked_at = notice.first_at, max(notice.last_at, checked_at or notice.last_at)
    return {
        "reachable": False if down_since is not None else reachable,
        "checked_at": iso(checked_at),
        "down_since": iso(down_since),
        "next_probe_at": iso(next_probe_at),
        "server": known.settings.mast.server,
    }


def _learned(ended: Collection[RunRecord]) -> tuple[bool | None, datetime | None]:
    for record in sorted(ended, key=lambda record: record.started_at, reverse=True):
        reachable = is_reachable(record.error_kind, record.outcome)
        if reachable is not None:
            return reachable, record.finished_at
    return None, None


def token(store: Store, found: Token | None, *, now: datetime) -> dict[str, object]:
    """Return where the token is kept, the most days it can have left, and what the archive made of it."""
    age = store.tokens.age(found.value) if found is not None else None
    left, accepted_at, rejected = None, None, False
    if age is not None:
        accepted_at = age.accepted_at
        rejected = age.rejected_at is not None and (accepted_at is None or age.rejected_at > accepted_at)
        left = days_left(
            first_seen_at=age.first_seen_at, accepted_at=accepted_at, rejected_at=age.rejected_at, now=now
        )
    return {
        "source": found.source if found is not None else None,
        "days_left": left,
        "accepted_at": iso(accepted_at),
        "rejected": rejected,
    }


def roots(known: Known, kept: Kept) -> list[dict[str, object]]:
    """Return every output folder that the state has used, and what waits for space there."""
    documents: list[dict[str, object]] = []
    settings, store, names = known.settings, known.store, list(known.settings.profiles)
    waiting: Mapping[Path, tuple[int, int]] = {}
    if any(each.limit is Limit.SPACE and each.profile in names for each in known.waiting):
        waiting = kept.answer(f"waiting for {names}", lambda: store.reservations.waiting_by_root(names))
    for root in kept.answer("roots", store.roots.all):
        found = kept.mounts.look(root.path, root.uuid)
        files, size = waiting.get(root.path, (0, 0))
        documents.append(
            {
                "path": str(root.path),
                "mounted": found.mounted,
                "free_bytes": found.free_bytes,
                "min_free_bytes": min_free(settings, root.path, found),
                "files": root.files,
                "waiting": {"files": files, "bytes": size},
                "problem": found.problem,
            }
        )
    return documents


def waits(store: Store, kept: Kept) -> list[Waiting]:
    """Return what waits for room, by profile and output folder."""
    return kept.answer("waiting", store.reservations.waiting)


def waiting_of(known: Known, profile: str) -> dict[str, object] | None:
    """Return what of a profile waits for room, and for which; None for nothing.

    A file that several profiles want says why it waits for the last one that tried, so what a profile itself
    lacks is told by its notice. A budget lacks nothing: without a notice its files are told of.
    """
    mine = [each for each in known.waiting if each.profile == profile]
    limit = next((limit for limit in Limit if known.notice(f"{limit.value} {profile}") is not None), None)
    settings = known.settings.profiles.get(profile)
    if limit is None and settings is not None and settings.parameters.reprocess_budget is not None:
        limit, mine = Limit.BUDGET, [each for each in mine if each.limit is Limit.BUDGET]
    if limit is None or not mine:
        return None
    return {
        "files": sum(each.files for each in mine),
        "bytes": sum(each.size for each in mine),
        "for": limit.value,
    }


def min_free(settings: Settings, root: Path, found: Mount) -> int | None:
    """Return the bytes that the profiles of a folder keep free there: the most that one of them does."""
    from jwstwatch.sync.rules import root_of

    if found.total_bytes is None:
        return None
    chosen = [
        profile.parameters.min_free
        for profile in settings.profiles.values()
        if root_of(profile.parameters) == root
    ]
    return max((kept_free(each, total=found.total_bytes) for each in chosen), default=0)


def running(known: Known) -> list[dict[str, object]]:
    """Return what goes on: in the daemon, and in other processes, of which only the beginning is known."""
    told = known.live.running if known.live is not None else ()
    # A profile has one run at a time; the daemon may not know the number of a new one yet.
    profiles = {run.profile for run in told}
    alive = [run for run in known.open_runs if run.lives]
    numbers = {run.profile: run.id for run in alive}
    others = [run for run in alive if run.profile not in profiles]
    return [*(_told(run, numbers.get(run.profile)) for run in told), *(_seen(run) for run in others)]


def _told(run: Running, number: int | None) -> dict[str, object]:
    return {
        "profile": run.profile,
        "run_id": number if run.run_id is None else run.run_id,
        "trigger": run.trigger,
        "since": iso(run.since),
        "step": run.step,
        "files": run.files,
        "done": run.done,
        "size": run.size,
        "received": run.received,
        "bytes_per_second": round(run.speed),
        "seconds_left": None if run.seconds_left is None else round(run.seconds_left),
    }


def _seen(run: OpenRun) -> dict[str, object]:
    document: dict[str, object] = {
        "profile": run.profile,
        "run_id": run.id,
        "trigger": run.trigger.value,
        "since": iso(run.started_at),
        "step": f"in process {run.pid} on {run.host}",
    }
    untold = ("files", "done", "size", "received", "bytes_per_second", "seconds_left")
    return document | dict.fromkeys(untold)


def notices(known: Known) -> list[dict[str, object]]:
    """Return what the people who run this should know, the oldest first."""
    return [
        {
            "cause": notice.cause,
            "kind": notice.kind,
            "profile": notice.profile,
            "text": notice.text,
            "since": iso(notice.first_at),
            "last_at": iso(notice.last_at),
            "times": notice.times,
        }
        for notice in known.notices
    ]


def configuration(settings: Settings, live: Live | None) -> dict[str, object]:
    """Return which file is in force, since when, and why a changed one was not taken."""
    return {
        "path": str(settings.path) if settings.path is not None else None,
        "read_at": iso(live.configuration_read_at) if live is not None else None,
        "refused": list(live.refused) if live is not None else [],
    }
