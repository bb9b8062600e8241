"""The daemon's life: from its lock to its last word, with everything that goes on besides the runs."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jwstwatch import __version__
from jwstwatch.control.places import identity
from jwstwatch.core.dates import iso
from jwstwatch.core.live import Live
from jwstwatch.daemon.answering import Answering
from jwstwatch.daemon.conducting import Conductor, surviving
from jwstwatch.daemon.figures import Figures
from jwstwatch.daemon.housekeeping import Housekeeping
from jwstwatch.daemon.systemd import Watchdog
from jwstwatch.errors import ConfigurationError, JwstwatchError, StateAwayError
from jwstwatch.store.locks import exclusive
from jwstwatch.store.news import News
from jwstwatch.sync.keeping import Kept
from jwstwatch.telling.witness import LAST_WORDS, Teller

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.config.secrets import Token
    from jwstwatch.daemon.runner import Runner
    from jwstwatch.daemon.surroundings import Surroundings

log = logging.getLogger(__name__)

GLANCE = 0.5
"""Seconds between two looks at the stop, at the clock, and at the wish for another configuration."""
MINUTE = 60.0
"""Seconds between two rounds of what is not urgent, and for which a token that was found is shown."""
JUMP = 30.0
"""Seconds by which the clock must leave its course to have jumped."""
GRACE = 6.5
"""Seconds that runs get to end in good order once the daemon is told to stop."""


class Service:
    """Everything that goes on in a daemon."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self.store = around.store
        self._around = around
        self._since = self._read_at = datetime.now(UTC)
        self._refused: tuple[str, ...] = ()
        self._conductor = Conductor(settings, around, teller=Teller(settings, around.store))
        self._former_tellers: list[Teller] = []
        self._figures = Figures(self._figures_document, self._is_healthy)
        self._housekeeping = Housekeeping(around.store.database, stop=around.stop.is_set)
        self._document_lock = threading.Lock()
        self._kept = Kept()
        self._token: Token | None = None
        self._token_found = -MINUTE

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._conductor.settings

    @property
    def runner(self) -> Runner:
        """What runs and waits."""
        return self._conductor.runner

    def run(self) -> bool:
        """Serve until the stop event is set; returns whether every run ended in good order.

        Raises `BusyError` where another daemon serves this state.
        """
        note = {} if self._around.socket is None else {"socket": str(self._around.socket)}
        with exclusive(self.store.database, "daemon", note=note) as holds:
            try:
                with self._listening(), self._watched():
                    self._conductor.begin()
                    self._figures.follow(self.settings.metrics)
                    self._around.notifier.ready(self._headline())
                    try:
                        self._wait(holds)
                    finally:
                        self._around.notifier.stopping()
            finally:
                # Whatever ended it: no run goes on without its daemon.
                ended = self._end()
        return ended

    def _end(self) -> bool:
        log.info("stopping: what is in transfer is kept and goes on at the next start")
        limit = time.monotonic() + GRACE
        ended = self._conductor.end(within=GRACE)
        left = max(0.5, limit - time.monotonic())
        tellers = (*self._former_tellers, self._conductor.teller)
        # All at once: each may take its time to the full.
        closing = [threading.Thread(target=teller.close, args=(left,), daemon=True) for teller in tellers]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(left + LAST_WORDS)
        self._figures.close()
        return ended and not any(thread.is_alive() for thread in closing)

    def _wait(self, holds: Callable[[], bool]) -> None:
        course = time.time() - time.monotonic()
        chores = time.monotonic()
        headline = self._headline()
        # Not for ever: a signal that another thread caught is heard once this one wakes up.
        while not self._around.stop.wait(GLANCE):
            if self._around.reload.take():
                self._reload()
            jumped = time.time() - time.monotonic() - course
            if abs(jumped) > JUMP:
                course += jumped
                log.warning("the clock jumped by %s", timedelta(seconds=round(jumped)))
                self._conductor.clock_jumped()
            headline, before = self._headline(), headline
            if headline != before:
                self._around.notifier.status(headline)
            if time.monotonic() - chores >= MINUTE:
                chores = time.monotonic()
                if not holds():
                    raise StateAwayError(
                        "the daemon's lock on the state was lost with its connection",
                        hint="Another daemon could begin, so this one ends; systemd starts it again.",
                    )
                self._do_chores()

    def _do_chores(self) -> None:
        self.runner.look_again()
        with surviving("a chore"):
            self._conductor.teller.tick(datetime.now(UTC))
            if not self.runner.running:
                for teller in [teller for teller in self._former_tellers if teller.idle]:
                    teller.close(0.0)
                    self._former_tellers.remove(teller)
        if not self.runner.running:
            with surviving("looking after the state"):
                keep_runs = self.settings.daemon.keep_runs
                self._housekeeping.tick(keep_runs, now=datetime.now(UTC), clock=time.monotonic())
        self._figures.write()

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        from jwstwatch.daemon.listening import Listener

        place = self._around.socket
        listener = None
        if place is not None:
            try:
                listener = Listener(place, Answering(self, identity=identity(self.settings.state_url)))
                listener.start()
                log.info("answering at %s", place)
            except OSError as error:
                log.warning("no control socket at %s: %s", place, error.strerror or error)
        try:
            yield
        finally:
            if listener is not None:
                listener.close()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        interval = self._around.notifier.watchdog_interval
        if interval is None:
            yield
            return
        checks = (self.store.database.answers, self._conductor.timetable.is_alive)
        watchdog = Watchdog(self._around.notifier, checks, interval)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.stop()

    def _is_healthy(self) -> tuple[bool, str]:
        if not self._conductor.timetable.is_alive():
            return False, "the scheduler gives no sign of life"
        if not self.store.database.answers():
            return False, "the state does not answer"
        return True, "ok"

    def _reload(self) -> None:
        """Read the configuration again; one that cannot be used is refused, the old one stays in force."""
        self._around.notifier.reloading()
        try:
            settings = self._around.load()
            if identity(settings.state_url) != identity(self.settings.state_url):
                text = "state: another state takes effect only when the daemon is started again"
                raise ConfigurationError(text, problems=(text,))
            teller = Teller(settings, self.store)
        except JwstwatchError as error:
            problems = error.problems if isinstance(error, ConfigurationError) else ()
            self._refused = tuple(problems) or (error.message,)
            for problem in self._refused:
                log.error("the configuration is refused: %s", problem)  # noqa: TRY400 - foreseen
            log.warning("the configuration that was read at %s stays in force", iso(self._read_at))
        else:
            self._former_tellers.append(self._conductor.teller)
            self._refused, self._read_at = (), datetime.now(UTC)
            self._conductor.take(settings, teller=teller)
            with surviving("taking the figures' settings"):
                self._figures.follow(settings.metrics)
            log.info("the configuration was read again: %d profiles", len(settings.profiles))
        self._around.notifier.ready(self._headline())

    @property
    def live(self) -> Live:
        """What only the daemon knows of itself."""
        outage = self._conductor.outage
        return Live(
            pid=os.getpid(),
            since=self._since,
            version=__version__,
            next_runs=self._conductor.timetable.due,
            running=self.runner.running,
            waiting=self.runner.waiting,
            archive_down_since=outage.since,
            probed_at=outage.probed_at,
            next_probe_at=outage.next_probe_at,
            refused=self._refused,
            configuration_read_at=self._read_at,
        )

    def document(self) -> Mapping[str, Any]:
        """How things stand, as `status --json` has it."""
        from jwstwatch.sync.standing import standing

        with self._document_lock:
            if time.monotonic() - self._token_found >= MINUTE:  # a keyring takes its time
                self._token, self._token_found = self._around.find_token(self.settings), time.monotonic()
        return standing(
            self.settings,
            self.store,
            now=datetime.now(UTC),
            live=self.live,
            token=self._token,
            kept=self._kept,
        )

    def document_of(self, profile: str) -> Mapping[str, Any]:
        """How one profile stands, as `status PROFILE --json` has it; `UsageError` where there is none."""
        from jwstwatch.sync.standing import standing_of_profile

        return standing_of_profile(
            self.settings, self.store, profile, now=datetime.now(UTC), live=self.live, kept=self._kept
        )

    def _figures_document(self) -> Mapping[str, Any]:
        return {**self.document(), "totals": News(self.store.database).totals()}

    def _headline(self) -> str:
        names = [running.profile for running in self.runner.running]
        if self._conductor.outage.since is not None:
            return "the archive is down"
        return f"running {', '.join(names)}" if names else f"{len(self.settings.profiles)} profiles, idle"
