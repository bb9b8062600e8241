"""Running one command of the user's: without a shell, in a process group of its own, for so long at most."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.telling.surroundings import end_group

MOST_OUTPUT = 4096
"""Bytes of what a command says that are kept, from the end."""
_GLANCE = 0.05
"""Seconds between two looks at a command that is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended: `problem` is None where it went well, `output` the end of what it said."""

    problem: str | None
    output: str = ""
    abandoned: bool = False
    """It was ended because this program ends."""


def run_command(
    arguments: Sequence[str],
    *,
    given: bytes,
    environ: Mapping[str, str],
    folder: Path,
    timeout: float,
    abandoned: threading.Event,
) -> Ended:
    """Run a command in `folder` with `given` on its standard input, for `timeout` seconds at most.

    Whatever it started in its process group is ended with it when the time is over, or `abandoned` is set.
    """
    with tempfile.TemporaryFile() as source:
        # A file, so that a command that does not read its input needs nobody to wait for it.
        source.write(given)
        source.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
                list(arguments),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Ended(problem=f"cannot be started: {getattr(error, 'strerror', None) or error}")
    with process:
        try:
            output, in_time = _follow(process, time.monotonic() + timeout, abandoned)
        finally:
            if process.returncode is None:
                end_group(process)
    if in_time:
        return Ended(problem=_describe(process.returncode), output=output)
    if abandoned.is_set():
        return Ended(problem="was ended with this program", output=output, abandoned=True)
    return Ended(problem=f"took longer than {timeout:g} s and was ended", output=output)


def _follow(process: subprocess.Popen[bytes], limit: float, abandoned: threading.Event) -> tuple[str, bool]:
    """Return what the command says, and whether it ended by itself; `limit` is a monotonic time.

    A job that it leaves behind may hold its output open: only the command itself is waited for.
    """
    assert process.stdout is not None
    said, ended, is_open = b"", False, True
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not ended and not abandoned.is_set() and (left := limit - time.monotonic()) > 0:
            pause = min(left, _GLANCE)
            if not is_open:
                ended = _has_ended(process, pause)
            elif selector.select(pause):
                chunk = os.read(process.stdout.fileno(), 65536)
                said = (said + chunk)[-MOST_OUTPUT:]
                is_open = bool(chunk)
            else:
                ended = process.poll() is not None
        if is_open and selector.select(0):  # its last words, said since the last look
            said = (said + os.read(process.stdout.fileno(), 65536))[-MOST_OUTPUT:]
    return said.decode(errors="replace"), ended


def _has_ended(process: subprocess.Popen[bytes], pause: float) -> bool:
    try:
        process.wait(pause)
    except subprocess.TimeoutExpired:
        return False
    return True


def _describe(code: int) -> str | None:
    if code == 0:
        return None
    return f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
