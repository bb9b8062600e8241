"""What the daemon's runs share, from one configuration to the next."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jwstwatch.config import Settings, load
from jwstwatch.daemon.conducting import Conductor

SMALLEST, LARGEST = 4096, 1 << 20
"""Bytes that are read at a time where little may pass, and where there is no limit."""


def settings(folder: Path, mast: str) -> Settings:
    path = folder / "jwstwatch.yaml"
    path.write_text(f"state: {folder / 'state.db'}\nmast: {mast}\n")
    return load(path, environ={}, folder=folder)


def test_a_reload_changes_the_bandwidth_and_the_connections_of_runs_in_progress(tmp_path: Path) -> None:
    runs = SimpleNamespace(last=lambda names: {})
    around: Any = SimpleNamespace(store=SimpleNamespace(runs=runs), stop=threading.Event())
    teller: Any = None
    conductor = Conductor(settings(tmp_path, "{}"), around, teller=teller)
    budget = conductor._budget
    try:
        assert (budget.connections, budget.bandwidth.read_size) == (6, LARGEST)
        # Three lines that together are true at any hour, in whatever zone.
        lines = "[00:00-08:00 10 kB/s, 08:00-16:00 20 kB/s, 16:00-24:00 30 kB/s]"
        limited = f"{{connections: 2, timezone: Asia/Kathmandu, bandwidth: {lines}}}"
        conductor.take(settings(tmp_path, limited), teller=teller)
        assert (budget.connections, budget.bandwidth.read_size) == (2, SMALLEST)
        conductor.take(settings(tmp_path, "{bandwidth: unlimited}"), teller=teller)
        assert (budget.connections, budget.bandwidth.read_size) == (6, LARGEST)
    finally:
        conductor.end(within=5.0)
