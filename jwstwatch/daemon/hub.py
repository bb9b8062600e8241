"""What one run tells, to everybody who follows it: clients of the control socket, `status`, the log."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jwstwatch.core.live import Running

log = logging.getLogger(__name__)

Event = dict[str, Any]

LONGEST_QUEUE = 2000
"""Events that a follower may be behind; one that reads no more is left behind."""
_FLUSH = 0.2
"""Seconds for which bytes are gathered before followers are told."""
_WINDOW = 15.0
"""Seconds over which the speed is measured."""

_WAITING = "waiting"


class Follower:
    """Events for one listener, in order."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue(LONGEST_QUEUE)
        self.lost = False

    def tell(self, event: Event) -> None:
        """Hand an event over without waiting for anybody."""
        if self.lost:
            return
        try:
            self.events.put_nowait(event)
        except queue.Full:
            self.lost = True


class Hub:
    """The reporter of one run: passes on what it hears, and knows how far the run is."""

    def __init__(self, profile: str, ticket: int, *, trigger: str, since: datetime) -> None:
        self.profile = profile
        self._ticket = ticket
        self._trigger = trigger
        self._since = since
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._run_id: int | None = None
        self._step = _WAITING
        self._files = self._done = self._size = self._received = 0
        self._open: dict[int, tuple[str, int | None]] = {}
        self._gathered: dict[int, int] = {}
        self._flushed = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque()

    # -- for those who listen

    def follow(self, follower: Follower) -> None:
        """Tell a listener what it missed, and from now on everything."""
        with self._lock:
            for event in self._so_far():
                follower.tell(event)
            self._followers.append(follower)

    def leave(self, follower: Follower) -> None:
        """Tell a listener nothing more."""
        with self._lock:
            if follower in self._followers:
                self._followers.remove(follower)

    def _so_far(self) -> list[Event]:
        events = [] if self._step == _WAITING else [self._event("step", text=self._step)]
        if self._files:
            events.append(
                self._event(
                    "planned", files=self._files - self._done, size=max(0, self._size - self._received)
                )
            )
            events += [
                self._event("started", key=key, name=name, size=size)
                for key, (name, size) in self._open.items()
            ]
        return events

    def snapshot(self) -> Running:
        """Return how far the run is."""
        with self._lock:
            speed = self._speed()
            left = (self._size - self._received) / speed if speed and self._size else None
            return Running(
                profile=self.profile,
                run_id=self._run_id,
                trigger=self._trigger,
                since=self._since,
                step=self._step,
                files=self._files,
                done=self._done,
                size=self._size,
                received=self._received,
                speed=speed,
                seconds_left=None if left is None else max(0.0, left),
            )

    def _speed(self) -> float:
        now = time.monotonic()
        while self._samples and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()
        if not self._samples:
            return 0.0
        return sum(count for _, count in self._samples) / max(1.0, now - self._samples[0][0])

    def ended(self, document: Mapping[str, Any], exit_code: int) -> None:
        """Say what became of the run; nothing follows."""
        self._emit("ended", run=dict(document), exit_code=exit_code)

    # -- the reporter's side: called by the run, from several threads

    def began(self, run_id: int) -> None:
        """The run has a number."""
        self._run_id = run_id

    def step(self, text: str) -> None:
        self._step = text
        log.debug("%s", text)
        self._emit("step", text=text)

    def listed(self, *, observations: int, done: int, products: int) -> None:
        self._emit("listed", observations=observations, done=done, products=products)

    def checked(self, *, files: int, done: int) -> None:
        self._emit("checked", files=files, done=done)

    def planned(self, *, files: int, size: int) -> None:
        with self._lock:
            self._step = "fetching"
            self._files, self._size, self._done, self._received = files, size, 0, 0
        self._emit("planned", files=files, size=size)

    def started(self, key: int, name: str, size: int | None) -> None:
        with self._lock:
            self._open[key] = (name, size)
        self._emit("started", key=key, name=name, size=size)

    def advanced(self, key: int, count: int) -> None:
        now = time.monotonic()
        with self._lock:
            self._received += count
            if self._samples and now - self._samples[-1][0] < _FLUSH:
                self._samples[-1] = (self._samples[-1][0], self._samples[-1][1] + count)
            else:
                self._samples.append((now, count))
            self._gathered[key] = self._gathered.get(key, 0) + count
            if now - self._flushed < _FLUSH:
                return
            self._flushed = now
            self._flush()

    def finished(self, key: int) -> None:
        with self._lock:
            self._flush()
            self._open.pop(key, None)
            self._done += 1
        self._emit("finished", key=key)

    def failed(self, name: str, problem: str) -> None:
        log.warning("%s: %s", name, problem)
        self._emit("failed", name=name, problem=problem)

    def warned(self, text: str) -> None:
        log.warning("%s", text)
        self._emit("warned", text=text)

    def _flush(self) -> None:
        for key, count in self._gathered.items():
            self._tell(self._event("advanced", key=key, count=count))
        self._gathered.clear()

    def _emit(self, event: str, /, **content: Any) -> None:
        with self._lock:
            self._tell(self._event(event, **content))

    def _tell(self, event: Event) -> None:
        for follower in self._followers:
            follower.tell(event)

    def _event(self, event: str, /, **content: Any) -> Event:
        return {"event": event, "profile": self.profile, "ticket": self._ticket, **content}
