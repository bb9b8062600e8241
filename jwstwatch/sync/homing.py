"""What the home page of a root shows besides its proposals: the profiles, and how their last runs ended."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.core.dates import iso
from jwstwatch.core.home import HomeView, ProfileLine
from jwstwatch.core.instruments import INSTRUMENTS
from jwstwatch.core.layout import proposal_folder
from jwstwatch.core.status import is_reachable, next_interval_run, schedule_text
from jwstwatch.disk.markers import is_mounted, marker_path
from jwstwatch.errors import JwstwatchError
from jwstwatch.files import locked, write_atomically
from jwstwatch.sync.rules import root_of

if TYPE_CHECKING:
    from jwstwatch.config.settings import Profile
    from jwstwatch.core.parameters import Parameters
    from jwstwatch.core.site import ProposalSummary, WaitingPlan
    from jwstwatch.store.roots import RootRecord
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import Context

log = logging.getLogger(__name__)

STANDING = "jwstwatch-assets/standing.js"
"""Rewritten at each run's end; every other file of a site changes only with what it shows."""

_LONGEST_SENTENCE = 300
_USER_OF_ADDRESS = re.compile(r"//[^/\s@]*@")


def home_view(
    context: Context, root: RootRecord, index: Iterable[ProposalSummary], waiting: Iterable[WaitingPlan]
) -> HomeView:
    """Return everything that the home page and the feeds of a root show."""
    return HomeView(
        root=root.path,
        identity=root.uuid,
        index=tuple(index),
        waiting=tuple(waiting),
        arrivals=context.store.arrivals.read(root.id, now=context.now()),
        profiles=tuple(_line(profile) for profile in _profiles_of(context, root.path)),
    )


def digest(facts: Iterable[str], known: Mapping[str, Parameters]) -> str:
    """Return what tells whether a home page would say the same of these facts and profiles."""
    lines = [
        repr((name, str(root_of(known[name])), _selects(known[name]), _schedule(known[name])))
        for name in known
    ]
    return hashlib.sha256(json.dumps([*facts, *lines]).encode()).hexdigest()


def write_standing(context: Context, root: RootRecord, record: RunRecord | None = None) -> None:
    """Tell the readers of a root's home page how its profiles stand; `record` is the run that just ended.

    Best effort: a root that is missing, read-only or without a site is nobody's error. Who publishes there
    at this moment tells it himself.
    """
    try:
        if not is_mounted(root.path, root.uuid):
            return
        with locked(marker_path(root.path), wait=False) as mine:
            if mine:
                place_standing(context, root, record)
    except (JwstwatchError, OSError) as error:
        log.info("the home page of %s cannot be told how its profiles stand: %s", root.path, error)


def place_standing(context: Context, root: RootRecord, record: RunRecord | None = None) -> None:
    """The same for who has the lock of the root's pages, and hears of errors."""
    profiles = _profiles_of(context, root.path)
    is_shown = any(profile.parameters.makewebpages for profile in profiles)
    if is_shown and (root.path / "index.html").is_file():
        document = json.dumps(_standing(context, profiles, record), indent=1)
        write_atomically(root.path / STANDING, f"jwstwatch.standing({document});\n".encode())


def _profiles_of(context: Context, root: Path) -> list[Profile]:
    return [profile for profile in context.profiles.values() if root_of(profile.parameters) == root]


def _line(profile: Profile) -> ProfileLine:
    parameters = profile.parameters
    return ProfileLine(
        name=profile.name,
        enabled=parameters.enabled,
        schedule=_schedule(parameters),
        selects=_selects(parameters),
    )


def _schedule(parameters: Parameters) -> str:
    return schedule_text(
        enabled=parameters.enabled,
        every=parameters.every,
        cron=parameters.cron,
        timezone=parameters.timezone,
    )


def _selects(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """Say in words what a profile selects; what does not narrow is left out, but for the three main words."""
    everything = set(parameters.instrument) >= set(INSTRUMENTS)
    proposals = [_proposal(choice.proposal, choice.obsnums) for choice in parameters.propID]
    told = (
        ("Instruments", "all" if everything else ", ".join(word.upper() for word in parameters.instrument)),
        ("Proposals", ", ".join(proposals) or "all"),
        ("File types", ", ".join(parameters.filetypes) or "all"),
        ("Modes", ", ".join(parameters.obsmode)),
        ("Observations", ", ".join(map(str, parameters.obsnums))),
        ("Levels", ", ".join(map(str, parameters.calib_levels))),
        ("Detectors", ", ".join(parameters.sca)),
    )
    return tuple((word, text) for word, text in told if text)


def _proposal(number: int, obsnums: Iterable[int]) -> str:
    some = ", ".join(map(str, obsnums))
    return f"{proposal_folder(number)} (obs. {some})" if some else proposal_folder(number)


def _standing(context: Context, profiles: Iterable[Profile], record: RunRecord | None) -> dict[str, object]:
    from jwstwatch.store.outlook import Outlook

    by_name = {profile.name: profile for profile in profiles}
    ended = dict(Outlook(context.store.database).last_ended(list(by_name)))
    if record is not None and record.profile in by_name:
        # The state may not have heard of its end yet.
        ended[record.profile] = record
    served = _is_served(context)
    return {
        "at": iso(context.now()),
        "archive": _archive(ended.values()),
        "profiles": [
            _standing_of(profile, ended.get(name), context, served=served)
            for name, profile in by_name.items()
        ],
    }


def _is_served(context: Context) -> bool:
    """Return whether a daemon starts the runs: without one nobody knows when the next is."""
    from jwstwatch.store.locks import holder

    return bool(holder(context.store.database, "daemon")["running"])


def _archive(ended: Iterable[RunRecord]) -> dict[str, object]:
    """Return what the newest run that learned anything of the archive learned."""
    for record in sorted(ended, key=lambda record: record.started_at, reverse=True):
        reachable = is_reachable(record.error_kind, record.outcome)
        if reachable is not None:
            return {"reachable": reachable, "checked_at": iso(record.finished_at)}
    return {"reachable": None, "checked_at": None}


def _standing_of(
    profile: Profile, record: RunRecord | None, context: Context, *, served: bool
) -> dict[str, object]:
    known: dict[str, object] = {"name": profile.name, "outcome": None}
    if record is None:
        return known
    counts = record.counts
    return known | {
        "outcome": record.outcome.value if record.outcome else None,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
        "error": _sentence(record.error_message, context.token),
        "next_run_at": iso(_next_run(profile.parameters, record.started_at, context.now()))
        if served
        else None,
        "files": {
            "downloaded": counts.downloaded,
            "unchanged": counts.unchanged,
            "waiting": counts.waiting,
            "withheld": counts.withheld,
            "failed": counts.failed,
        },
    }


def _next_run(parameters: Parameters, started_at: datetime, now: datetime) -> datetime | None:
    """Return when an interval is due; of `cron` the page tells the fields."""
    every: timedelta | None = parameters.every
    if not parameters.enabled or parameters.cron is not None or every is None:
        return None
    return next_interval_run(every=every, last_started_at=started_at, now=now)


def _sentence(message: str | None, token: str | None) -> str | None:
    """Return an error as readers of a page may see it: one line, and nothing secret whatever it held."""
    if not message:
        return None
    line = _USER_OF_ADDRESS.sub("//", " ".join(message.split()))
    if token:
        line = line.replace(token, "[token]")
    return line if len(line) <= _LONGEST_SENTENCE else f"{line[: _LONGEST_SENTENCE - 1]}…"
