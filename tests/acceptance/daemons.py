"""Daemons in subprocesses, and what the state says of their runs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from tests.acceptance.world import World


class Daemons:
    """Starts daemons in a world, and leaves none behind."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, *words: str, environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start one whose log goes to a file, as a pipe that nobody reads would stop it."""
        with (self._world.folder / "daemon.log").open("a") as log:
            process = self._world.start(
                "daemon", *words, stdout=log, stderr=log, environment=environment, **options
            )
        self._started.append(process)
        return process

    def log(self) -> str:
        return (self._world.folder / "daemon.log").read_text()

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()


def runs(world: World, profile: str) -> list[tuple[Any, ...]]:
    """Trigger and outcome of a profile's runs, oldest first."""
    if not world.ask_if_there("SELECT 1 FROM sqlite_master WHERE name = 'run'"):
        return []
    return world.ask("SELECT trigger, outcome FROM run WHERE profile = ? ORDER BY id", profile)


def ended_runs(world: World, profile: str) -> int:
    return sum(outcome is not None for _, outcome in runs(world, profile))


def is_complete(world: World, profile: str) -> bool:
    return any(outcome == "complete" for _, outcome in runs(world, profile))
