"""What another program gets to see of ours: never the token, nor what belongs to our own process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping

_OURS = frozenset({"MAST_API_TOKEN", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"})
_OURS_BY_BEGINNING = ("WATCHDOG_", "LISTEN_", "JWSTWATCH_")
_HANDED_ON = frozenset({"JWSTWATCH_CONFIG", "JWSTWATCH_STATE", "JWSTWATCH_SERVER"})

GRACE = 1.0
"""Seconds between the request to end and the end."""
_GLANCE = 0.02


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without the token, the service manager's channels, and variables of an outer hook."""
    return {
        name: value
        for name, value in environ.items()
        if name in _HANDED_ON or not (name in _OURS or name.startswith(_OURS_BY_BEGINNING))
    }


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group of its own, and everything it started that stayed in that group."""
    _signal_group(process, signal.SIGTERM)
    limit = time.monotonic() + GRACE
    # Its number stays taken until it is waited for, so the group is no other's.
    while time.monotonic() < limit and _is_alive(process):
        time.sleep(_GLANCE)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    if process.returncode is not None:
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
