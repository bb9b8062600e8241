"""Who runs when: one run of a profile at a time, so many scheduled ones at once, asked ones at once."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from jwstwatch.core.live import Running
from jwstwatch.core.model import Trigger
from jwstwatch.daemon.hub import Follower, Hub
from jwstwatch.errors import BusyError
from jwstwatch.sync.context import WISHES, Options

log = logging.getLogger(__name__)

MOST_ASKED = 16
"""Runs that people asked for and that may go on at once."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A run that was asked for: it waits, it runs, it is over."""

    number: int
    profile: str
    trigger: Trigger
    options: Options
    hub: Hub
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def scheduled(self) -> bool:
        """Return whether nobody sits and waits for it."""
        return self.trigger is not Trigger.MANUAL


Work = Callable[[Ticket], None]
"""Carries out a ticket, in a thread of its own; never raises."""


class Runner:
    """Starts what was asked for as soon as its profile is free and there is room."""

    def __init__(self, work: Work, *, at_once: int) -> None:
        self._work = work
        self._at_once = at_once
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []
        self._running: dict[str, Ticket] = {}
        self._closed = False
        self._paused = False
        self._followers: list[Follower] = []

    def ask(
        self,
        profile: str,
        trigger: Trigger,
        options: Options,
        *,
        follower: Follower | None = None,
        anew: bool = False,
    ) -> tuple[Ticket, bool]:
        """Ask for a run; returns its ticket, and whether it is one that waited or ran already.

        A run in progress serves whoever asks for nothing special; otherwise, and with `anew`, another one
        follows it.
        Raises `BusyError` once the daemon stops.
        """
        with self._changed:
            if self._closed:
                raise BusyError("the daemon is stopping", hint="Ask again when it is back.")
            ticket, joined = self._find(profile, trigger, options, anew=anew)
            if follower is not None:
                ticket.hub.follow(follower)
            self._dispatch()
        return ticket, joined

    def ask_after(self, ticket: Ticket, trigger: Trigger) -> None:
        """Ask for another run of a profile, after the one that is ending."""
        with self._changed:
            waits = any(other.profile == ticket.profile for other in self._waiting)
            if not (self._closed or waits):
                self._add(ticket.profile, trigger, Options())

    def _find(self, profile: str, trigger: Trigger, options: Options, *, anew: bool) -> tuple[Ticket, bool]:
        running = None if anew else self._running.get(profile)
        if running is not None and (options == Options() or options == running.options):
            return running, True
        for ticket in self._waiting:
            if ticket.profile == profile:
                ticket.options = _united(ticket.options, options)
                if trigger is Trigger.MANUAL:
                    ticket.trigger = trigger
                return ticket, True
        return self._add(profile, trigger, options), False

    def _add(self, profile: str, trigger: Trigger, options: Options) -> Ticket:
        number = next(self._numbers)
        hub = Hub(profile, number, trigger=trigger.value, since=datetime.now(UTC))
        ticket = Ticket(number=number, profile=profile, trigger=trigger, options=options, hub=hub)
        for follower in self._followers:
            hub.follow(follower)
        self._waiting.append(ticket)
        return ticket

    def pause(self, paused: bool) -> None:
        """Hold scheduled runs back, or let them go again; what somebody asks for goes on."""
        with self._changed:
            self._paused = paused
            self._dispatch()

    def resize(self, at_once: int) -> None:
        """Let another number of scheduled runs go on at once."""
        with self._changed:
            self._at_once = at_once
            self._dispatch()

    def forget(self, profiles: Sequence[str], *, scheduled_only: bool = False) -> None:
        """Take back what waits for these profiles."""
        with self._changed:
            for ticket in [ticket for ticket in self._waiting if ticket.profile in profiles]:
                if ticket.scheduled or not scheduled_only:
                    self._waiting.remove(ticket)
                    ticket.over.set()

    def look_again(self) -> None:
        """Start what waits, where nothing else gives the occasion."""
        with self._changed:
            if not self._closed:
                self._dispatch()

    @property
    def running(self) -> tuple[Running, ...]:
        """How far each run is."""
        with self._changed:
            tickets = list(self._running.values())
        return tuple(ticket.hub.snapshot() for ticket in tickets)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The profiles that wait for their turn."""
        with self._changed:
            return tuple(ticket.profile for ticket in self._waiting)

    def is_active(self, profile: str) -> bool:
        """Return whether a run of the profile waits or goes on."""
        with self._changed:
            return profile in self._running or any(ticket.profile == profile for ticket in self._waiting)

    def follow_all(self, follower: Follower) -> None:
        """Tell a listener about everything that goes on, now and later."""
        with self._changed:
            for ticket in (*self._running.values(), *self._waiting):
                ticket.hub.follow(follower)
            self._followers.append(follower)

    def leave(self, follower: Follower) -> None:
        """Tell a listener of `follow_all` nothing more."""
        with self._changed:
            self._followers.remove(follower)
            for ticket in (*self._running.values(), *self._waiting):
                ticket.hub.leave(follower)

    def close(self, *, within: float) -> list[str]:
        """Stop everything; returns the profiles whose runs have not ended `within` seconds."""
        limit = time.monotonic() + within
        with self._changed:
            self._closed = True
            for ticket in self._waiting:
                ticket.over.set()
            self._waiting.clear()
            for ticket in self._running.values():
                ticket.stop.set()
            while self._running and (left := limit - time.monotonic()) > 0:
                self._changed.wait(left)
            return list(self._running)

    def _dispatch(self) -> None:
        """Start what may start; called with the lock held."""
        for ticket in list(self._waiting):
            if ticket.profile in self._running or not self._has_room(ticket):
                continue
            thread = threading.Thread(
                target=self._carry_out, args=(ticket,), name=f"run-{ticket.profile}", daemon=True
            )
            self._waiting.remove(ticket)
            self._running[ticket.profile] = ticket
            try:
                thread.start()
            except RuntimeError:
                # Too many threads on this machine: it waits for the next occasion.
                log.warning("no thread for a run can be started", extra={"profile": ticket.profile})
                del self._running[ticket.profile]
                self._waiting.insert(0, ticket)
                return

    def _has_room(self, ticket: Ticket) -> bool:
        alike = sum(other.scheduled == ticket.scheduled for other in self._running.values())
        if ticket.scheduled:
            return not self._paused and alike < self._at_once
        return alike < MOST_ASKED

    def _carry_out(self, ticket: Ticket) -> None:
        try:
            self._work(ticket)
        finally:
            with self._changed:
                self._running.pop(ticket.profile, None)
                ticket.over.set()
                self._changed.notify_all()
                if not self._closed:
                    self._dispatch()


def _united(one: Options, other: Options) -> Options:
    """Return options that do what both ask for."""
    wishes: dict[str, Any] = {name: getattr(one, name) or getattr(other, name) for name in WISHES}
    return replace(one, **wishes)
