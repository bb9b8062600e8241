"""Starts Python programs in processes of their own: in a new interpreter, or quickly from the nursery."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.acceptance.nursery import LARGEST

NURSERY = Path(__file__).with_name("nursery.py")
PROJECT = NURSERY.parent.parent.parent

READ_AT_THE_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "FAKETIME")
"""Beginnings of the variables that a new interpreter reads before anything of ours runs."""
AS_EVER = {"LANG": "C.UTF-8", "PYTHONPATH": str(PROJECT)}
"""Those of them that the nursery has."""


class Forked:
    """A program that the nursery forked off, with what the tests use of `subprocess.Popen[str]`."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        **facts: Any,
    ) -> None:
        """Start it; `facts` are the rest of its order."""
        self.args = words
        self.returncode: int | None = None
        self.stdout, out = _stream(stdout)
        self.stderr, err = _stream(stderr)
        self._readers: dict[str, threading.Thread] = {}
        self._read: dict[str, str] = {}
        self._keeper, told = socket.socketpair()
        message = json.dumps(facts | {"words": list(words)}).encode()
        assert len(message) < LARGEST
        with told:
            socket.send_fds(nursery(), [message], [told.fileno(), out, err])
        for handle, given in ((out, stdout), (err, stderr)):
            if given == subprocess.PIPE:
                os.close(handle)
        self._lines = self._keeper.makefile("r")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self.returncode is None and select.select([self._keeper], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code."""
        if self.returncode is None:
            if not select.select([self._keeper], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._keeper.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str | None, str | None]:
        """Wait for the end and return what it said and nobody has read yet."""
        limit = None if timeout is None else time.monotonic() + timeout
        for name, stream in (("out", self.stdout), ("err", self.stderr)):
            if stream is not None and name not in self._readers:
                self._readers[name] = threading.Thread(target=self._drain, args=(name, stream), daemon=True)
                self._readers[name].start()
        for reader in self._readers.values():
            reader.join(_left(limit))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        self.wait(_left(limit))
        return self._read.get("out"), self._read.get("err")

    def _drain(self, name: str, stream: IO[str]) -> None:
        with stream:
            self._read[name] = stream.read()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[str] | Forked


def start(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    before: Sequence[str] = (),
    fresh: bool = False,
    **options: Any,
) -> Process:
    """Start a Python program; `before` is a command line that starts it.

    It is a new interpreter where `fresh` says so, where there is something `before`, and where the variables
    are not those of the nursery that only a new interpreter heeds.
    """
    at_the_start = {key: value for key, value in environment.items() if key.startswith(READ_AT_THE_START)}
    at_the_start.pop("PYTHON_KEYRING_BACKEND", None)  # read by keyring, when it is used
    if fresh or before or at_the_start != AS_EVER:
        piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*before, sys.executable, *words], cwd=cwd, env=dict(environment), text=True, **(piped | options)
        )
    umask = options.pop("umask", None)
    return Forked(words, folder=str(cwd), environment=dict(environment), umask=umask, **options)


@functools.cache
def nursery() -> socket.socket:
    """Start the nursery of this test process, which ends with it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    home = tempfile.TemporaryDirectory(prefix="jwstwatch-nursery-")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home.name,
        "OPENBLAS_NUM_THREADS": "1",  # a process that forks is to have no threads
    }
    with its:
        process = subprocess.Popen(
            [sys.executable, str(NURSERY), str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment | AS_EVER,
        )

    def end() -> None:
        ours.close()
        process.wait()
        home.cleanup()

    atexit.register(end)
    return ours


def _stream(given: Any) -> tuple[IO[str] | None, int]:
    """Our end of a program's stream, if there is one, and the handle of its end."""
    if given != subprocess.PIPE:
        return None, given.fileno()
    ours, its = os.pipe()
    return open(ours), its


def _left(limit: float | None) -> float | None:
    return None if limit is None else max(limit - time.monotonic(), 0.0)
