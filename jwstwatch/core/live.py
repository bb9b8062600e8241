"""What only the daemon knows of itself: what it does now, and what it will do next. Never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run in progress: `files` and `size` (bytes) are planned, `done` and `received` are there.

    `speed` is bytes per second over the last seconds, `seconds_left` is None where it cannot be told.
    """

    profile: str
    run_id: int | None
    trigger: str
    since: datetime
    step: str
    files: int = 0
    done: int = 0
    size: int = 0
    received: int = 0
    speed: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The daemon as it tells of itself.

    `archive_down_since` is None while the archive answers; `probed_at` and `next_probe_at` belong to an
    outage. `refused` tells why a changed configuration was not taken.
    """

    pid: int
    since: datetime
    version: str
    next_runs: Mapping[str, datetime] = field(default_factory=dict)
    running: tuple[Running, ...] = ()
    waiting: tuple[str, ...] = ()
    """Profiles that are due and wait for their turn."""
    archive_down_since: datetime | None = None
    probed_at: datetime | None = None
    next_probe_at: datetime | None = None
    refused: tuple[str, ...] = ()
    configuration_read_at: datetime | None = None
