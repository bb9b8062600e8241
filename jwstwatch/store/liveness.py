"""Which process it is, and whether one that wrote its mark in the state still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process of some host; `start` tells it from a later one that got the same number."""

    host: str
    pid: int
    start: str


def own_mark() -> ProcessMark:
    """Return the mark of this process."""
    pid = os.getpid()
    return ProcessMark(host=socket.gethostname(), pid=pid, start=_start_of(pid) or "")


def is_surely_dead(mark: ProcessMark) -> bool:
    """True only where it can be known: the same host, and no such process any more."""
    if mark.host != socket.gethostname():
        return False
    start = _start_of(mark.pid)
    return start is None or (start != "" and mark.start != "" and start != mark.start)


def _start_of(pid: int) -> str | None:
    """Return boot and start tick of a process; "" where only its being there is known, None without one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _start_without_proc(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _start_without_proc(pid)  # /proc may hide the processes of other users
    fields = stat.rpartition(")")[2].split()
    state, start_tick = fields[0], fields[19]
    return None if state in ("Z", "X") else f"{boot[:8]}:{start_tick}"


def _start_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""
