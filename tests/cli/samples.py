"""Documents as the daemon or the state make them, of a made-up team."""

from __future__ import annotations

from typing import Any

AT = "2026-03-01T12:00:00Z"
SINCE = "2026-03-01T09:00:00Z"
"""Three hours before."""


def run(**changes: Any) -> dict[str, Any]:
    """A whole run of the profile `watch`."""
    counts = dict.fromkeys(("withheld", "failed", "waiting", "pages"), 0)
    times = {"started_at": "2026-03-01T11:00:00Z", "finished_at": "2026-03-01T11:05:00Z"}
    facts = {"profile": "watch", "run_id": 1, "trigger": "manual", "outcome": "complete", "error": None}
    return {
        **facts,
        **times,
        **counts,
        "observations": 4,
        "products": 12,
        "downloaded": 12,
        "unchanged": 0,
        "bytes": 134_000,
        **changes,
    }


def profile(name: str = "watch", **changes: Any) -> dict[str, Any]:
    """A profile to which nothing remains to be done."""
    return {
        "name": name,
        "enabled": True,
        "schedule": "every 6h",
        "next_run_at": "2026-03-01T17:00:00Z",
        "last_run": run(profile=name),
        "last_ended_run": run(profile=name),
        "files": {"wanted": 0, "present": 12, "stale": 0, "withheld": 0, "failed": 0, "gone": 0},
        "bytes": {"present": 134_000, "wanted": 0},
        "running": False,
        "queued": False,
        "found_nothing": False,
        "approval": None,
        "warnings": [],
        **changes,
    }


def status(**changes: Any) -> dict[str, Any]:
    """The whole document."""
    return {
        "daemon": {"running": True, "pid": 4711, "since": SINCE, "version": "9.8.7"},
        "profiles": [profile()],
        "archive": {"server": "https://mast", "reachable": True, "checked_at": "2026-03-01T11:00:00Z"},
        "token": {"source": None, "days_left": None},
        "roots": [{"path": "/srv/jwst", "mounted": True, "free_bytes": 10**12, "files": 12, "problem": None}],
        "running": [],
        "notices": [],
        "configuration": {"path": "/etc/jwstwatch/jwstwatch.yaml", "read_at": SINCE, "refused": []},
        "unselected": {"files": 0, "bytes": 0},
        "at": AT,
        **changes,
    }


def running(**changes: Any) -> dict[str, Any]:
    """A run that is half through."""
    return {
        "profile": "watch",
        "run_id": 2,
        "trigger": "schedule",
        "since": "2026-03-01T11:58:00Z",
        "step": "fetching",
        "files": 2345,
        "done": 1172,
        "size": 5_600_000_000,
        "received": 2_800_000_000,
        "bytes_per_second": 23_400_000,
        "seconds_left": 120,
        **changes,
    }


def failed(**changes: Any) -> dict[str, Any]:
    """A file that is tried again in two hours."""
    return {
        "name": "jw09001001001_02101_00001_nrca1_uncal.fits",
        "state": "failed",
        "reason": None,
        "size": 83_900_000,
        "attempts": 2,
        "last_error": "HTTP 404",
        "next_attempt_at": "2026-03-01T14:00:00Z",
        **changes,
    }


def of_profile(**changes: Any) -> dict[str, Any]:
    """The document of one profile."""
    more = {"root": "/srv/jwst", "settings": {"propID": ["9001"]}, "plan": {"files": 0, "bytes": 0}}
    return {
        "profile": profile() | more,
        "runs": [run()],
        "failed": [],
        "withheld": [],
        "running": [],
        "at": AT,
        **changes,
    }
