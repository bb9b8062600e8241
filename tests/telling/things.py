"""Settings and happenings, in few words."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from jwstwatch.config.settings import MastSettings, Profile, Settings
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.core.parameters import Parameters
from jwstwatch.store.runs import Counts, RunRecord
from jwstwatch.sync.context import ArrivedFile, CompletedObservation
from tests.store.desk import NOW, PROFILE, RATE

PLENTY = 30.0
"""Seconds after which something that should happen has not happened; nothing waits for so long."""


def settings(*, path: Path | None = None, **parts: Any) -> Settings:
    """Return settings with one profile and the given sections."""
    profiles = {PROFILE: Profile(name=PROFILE, parameters=Parameters())}
    return Settings(
        path=path,
        state_url="sqlite://",
        mast=MastSettings(),
        profiles=parts.pop("profiles", profiles),
        **parts,
    )


def arrived(name: str = RATE, **changes: Any) -> ArrivedFile:
    """Return a file that arrived."""
    file = ArrivedFile(
        profile=PROFILE,
        run_id=7,
        path=Path("/data/01345") / name,
        name=name,
        uri=f"mast:JWST/product/{name}",
        revision=1,
        size=1000,
        sha256="ab" * 32,
        replaced=False,
    )
    return replace(file, **changes)


def completed(**changes: Any) -> CompletedObservation:
    """Return an observation that is complete."""
    observation = CompletedObservation(
        profile=PROFILE,
        run_id=7,
        obs_id="jw01345-o001_t001_nircam_clear-f200w",
        proposal=1345,
        obsnum=1,
        files=12,
    )
    return replace(observation, **changes)


def record(outcome: Outcome = Outcome.COMPLETE, **changes: Any) -> RunRecord:
    """Return a run that ended."""
    run = RunRecord(
        id=7,
        profile=PROFILE,
        trigger=Trigger.SCHEDULE,
        started_at=NOW,
        finished_at=NOW,
        outcome=outcome,
        counts=Counts(downloaded=3, bytes=3000),
    )
    return replace(run, **changes)


def script(folder: Path, body: str, *, name: str = "hook") -> str:
    """Write an executable Python program; returns the command that runs it."""
    path = folder / name
    path.write_text(f"#!{sys.executable} -S\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + PLENTY
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
