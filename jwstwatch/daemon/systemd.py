"""What a service says to systemd, and the watchdog that is fed only as long as everything answers.

The protocol is sd_notify(3): datagrams of `NAME=value` lines to the socket that $NOTIFY_SOCKET names.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from jwstwatch.errors import JwstwatchError

log = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds that a message may wait for a service manager that is busy."""


class Notifier:
    """Tells the service manager how the daemon stands; says nothing where nobody listens.

    A message that cannot be sent is forgotten: the daemon does not depend on who started it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval: Final = _watchdog_interval(environ) if self._address else None
        """Seconds between two signs of life, half of what the manager allows; None where it wants none."""

    def ready(self, status: str = "") -> None:
        """Tell that the start, or the reading again, is over."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Tell in one line what the daemon is doing."""
        self._send(_status(text))

    def stopping(self) -> None:
        """Tell that the daemon is ending of its own accord."""
        self._send("STOPPING=1")

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` ends that."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def watchdog(self) -> None:
        """Give a sign of life, which only `Watchdog` should do."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        message = "\n".join(line for line in lines if line).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(PATIENCE)
                sender.sendto(message, self._address)
        except OSError as error:
            log.debug("the service manager could not be told %r: %s", lines[0], error)


def _address(named: str) -> bytes | None:
    if named.startswith("@"):
        return b"\0" + os.fsencode(named[1:])
    if named.startswith("/"):
        return os.fsencode(named)
    if named:
        log.debug("$NOTIFY_SOCKET %r is of a kind that is not spoken here", named)
    return None


def _status(text: str) -> str:
    # A line break would begin another assignment.
    return f"STATUS={' '.join(text.split())}" if text else ""


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    try:
        allowed = int(environ.get("WATCHDOG_USEC", ""))
        meant = int(environ.get("WATCHDOG_PID", "") or os.getpid())
    except ValueError:
        return None
    if allowed <= 0 or meant != os.getpid():
        return None
    return allowed / 2_000_000


class Watchdog:
    """Gives signs of life, each only after every check has said within the interval that all is well.

    A check that says no, fails, or does not come back leaves the manager without a sign; once the
    manager has waited long enough, it ends and restarts the daemon.
    """

    def __init__(
        self, notifier: Notifier, checks: Sequence[Callable[[], bool]], interval: float | None
    ) -> None:
        """`interval` in seconds, as `Notifier.watchdog_interval`; None: there is nobody to feed."""
        self._notifier = notifier
        self._checks = tuple(checks)
        self._interval = interval
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._starving = False

    def start(self) -> None:
        """Begin to check and to feed, at once and then all the time."""
        if self._interval is None or self._thread is not None:
            return
        self._thread = threading.Thread(
            target=self._serve, args=(self._interval,), name="watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Feed no more; a check that hangs is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _serve(self, interval: float) -> None:
        while not self._stop.is_set():
            proof = _Proof(self._checks)
            proof.begin()
            # A round may take the whole interval and must begin within half of one: the manager waits two.
            while not proof.ended.wait(min(interval, 1.0) / 4) and not self._stop.is_set():
                if proof.age() > interval:
                    self._complain(f"{proof.at} has not answered for {proof.age():.0f} s")
            if self._stop.is_set():
                return
            self._judge(proof, interval)
            self._stop.wait(max(0.0, interval / 2 - proof.age()))

    def _judge(self, proof: _Proof, interval: float) -> None:
        if proof.failure:
            self._complain(proof.failure)
        elif proof.age() > interval:
            self._complain(f"{proof.at} took {proof.age():.0f} s")
        else:
            self._notifier.watchdog()
            if self._starving:
                log.warning("the watchdog is fed again")
            self._starving = False

    def _complain(self, why: str) -> None:
        """Say it once, until all is well again."""
        if not self._starving:
            log.error("the watchdog is not fed: %s", why)
        self._starving = True


class _Proof:
    """One round of checks in a thread of its own, so that one that hangs is noticed."""

    def __init__(self, checks: Sequence[Callable[[], bool]]) -> None:
        self._checks = checks
        self._began = time.monotonic()
        self.ended = threading.Event()
        self.at = "the first check"
        self.failure = ""

    def begin(self) -> None:
        threading.Thread(target=self._carry_out, name="watchdog-checks", daemon=True).start()

    def age(self) -> float:
        return time.monotonic() - self._began

    def _carry_out(self) -> None:
        try:
            self.failure = self._first_failure()
        finally:
            self.ended.set()

    def _first_failure(self) -> str:
        for check in self._checks:
            self.at = _name(check)
            try:
                if not check():
                    return f"{self.at} says no"
            except (JwstwatchError, OSError) as error:
                return f"{self.at} fails: {error}"
            except Exception as error:
                log.exception("the watchdog's check broke off")
                return f"{self.at} broke off: {type(error).__name__}"
        return ""


def _name(check: Callable[[], bool]) -> str:
    name = str(getattr(check, "__qualname__", check)).rpartition("<locals>.")[2]
    return name.replace("_", " ").strip()
