"""The witness of every run: behind it stand hooks, messages and the heartbeat, where they are configured."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from jwstwatch import logs
from jwstwatch.config.settings import HookSettings
from jwstwatch.core.dates import iso
from jwstwatch.core.model import Outcome
from jwstwatch.errors import JwstwatchError
from jwstwatch.sync.context import utc_now
from jwstwatch.telling.trouble import Troubles, log

if TYPE_CHECKING:
    from jwstwatch.config.settings import Settings
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.store.store import Store
    from jwstwatch.sync.context import ArrivedFile, CompletedObservation
    from jwstwatch.telling.hooks import Hooks
    from jwstwatch.telling.messages import Messenger
    from jwstwatch.telling.pings import Heartbeat
    from jwstwatch.telling.worker import Worker

LINGER = 5.0
"""Seconds that the end of a run waits for what is done about it; the rest goes on beside the next run."""

LAST_WORDS = 2.0
"""Seconds for what is cut short to come to its end."""

WITHIN_HOOK = "JWSTWATCH_EVENT"
"""The variable by which a process knows that a hook started it."""

_GLANCE = 0.02
_LONGEST_LINE = 100
_ARCHIVE_DOWN = "archive down"


class Teller:
    """Serves any number of runs at once; where nothing is configured it starts no thread and loads nothing.

    Raises `ConfigurationError` where what is configured cannot work. Somebody has to `close` it.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        now: Callable[[], datetime] = utc_now,
        environ: Mapping[str, str] | None = None,
        linger: float = LINGER,
    ) -> None:
        self._store, self._now, self._linger = store, now, linger
        self._troubles = Troubles(store.notices, now=now)
        environ = os.environ if environ is None else environ
        self._hooks: Hooks | None = None
        self._messenger: Messenger | None = None
        self._heartbeat: Heartbeat | None = None
        self._courier: Worker | None = None
        self._round_waits = threading.Event()
        # A run that a hook began calls none: they would begin runs without end.
        within_hook = bool(environ.get(WITHIN_HOOK))
        if settings.hooks != HookSettings(timeout=settings.hooks.timeout) and not within_hook:
            from jwstwatch.telling.hooks import Hooks

            self._hooks = Hooks(settings.hooks, self._troubles, environ=environ, config=settings.path)
        if settings.heartbeat is not None:
            from jwstwatch.telling.pings import Heartbeat

            logs.hide(settings.heartbeat)
            self._heartbeat = Heartbeat(settings.heartbeat, self._troubles)
            self._begin_couriers()
        if settings.notify.to:
            self._messenger = self._make_messenger(settings, environ)
        self._forget_what_is_off(settings)

    def _forget_what_is_off(self, settings: Settings) -> None:
        """What went wrong with something that is not configured any more is over."""
        hooks = settings.hooks
        live = {f"hook {field.name}" for field in fields(hooks) if getattr(hooks, field.name) is not None}
        live |= {"notify"} if self._messenger is not None else set()
        live |= {"heartbeat"} if self._heartbeat is not None else set()
        try:
            for notice in self._store.notices.holding():
                is_ours = notice.kind == "hook" or notice.cause in ("notify", "heartbeat")
                has_queue = self._hooks is not None and notice.cause.startswith("hook queue")
                if is_ours and notice.cause not in live and not has_queue:
                    self._store.notices.clear(notice.cause, now=self._now())
        except JwstwatchError as error:
            log.warning("notices could not be looked through: %s", error.message)

    def _begin_couriers(self) -> Worker:
        from jwstwatch.telling.worker import Worker

        if self._courier is None:
            self._courier = Worker("messages", capacity=_LONGEST_LINE)
        return self._courier

    def _make_messenger(self, settings: Settings, environ: Mapping[str, str]) -> Messenger:
        from jwstwatch.telling.messages import Messenger
        from jwstwatch.telling.posting import Post

        for url in settings.notify.to:
            logs.hide(url)
        return Messenger(
            settings.notify,
            self._store,
            self._troubles,
            profiles=settings.profiles,
            server=settings.mast.server,
            post=Post(to=settings.notify.to, environ=environ),
            worker=self._begin_couriers(),
            now=self._now(),
        )

    # -- what runs tell

    def file_arrived(self, file: ArrivedFile) -> None:
        """Call the hook for a file; waits for room in a full line for a moment at most."""
        if self._hooks is not None:
            self._hooks.file_arrived(file)

    def observation_completed(self, observation: CompletedObservation) -> None:
        """Call the hook for an observation."""
        if self._hooks is not None:
            self._hooks.observation_completed(observation)

    def run_ended(self, record: RunRecord) -> None:
        """Call the hooks for a run, tell its news, send the heartbeat.

        Waits some seconds for all that; a cancelled run, which somebody waits for, is not held up at all.
        """
        if self._hooks is not None:
            self._hooks.run_ended(record)
        if self._messenger is not None:
            self._messenger.run_ended(record.profile)
            self._ask_for_round(self._now(), group=record.id)
        if self._heartbeat is not None and self._courier is not None:
            from jwstwatch.telling.pings import is_good

            if is_good(record):
                self._courier.submit(self._heartbeat.beat, group=record.id)
        if record.outcome is not Outcome.CANCELLED:
            until = time.monotonic() + self._linger
            for worker in self._workers():
                worker.wait(record.id, until=until)

    # -- what the daemon tells

    def archive_down(self, since: datetime) -> None:
        """The archive does not answer: the notice holds, and whoever asked for it is told."""
        try:
            if not any(notice.cause == _ARCHIVE_DOWN for notice in self._store.notices.holding()):
                text = f"the archive has not answered since {iso(since)}"
                self._store.notices.raise_(_ARCHIVE_DOWN, kind="archive", text=text, now=since)
        except JwstwatchError as error:
            log.warning("that the archive is down could not be noted: %s", error.message)
        self._ask_for_round(self._now())

    def archive_back(self) -> None:
        """The archive answers again: whoever was told that it was down is told."""
        try:
            self._store.notices.clear(_ARCHIVE_DOWN, now=self._now())
        except JwstwatchError as error:
            log.warning("that the archive is back could not be noted: %s", error.message)
        self._ask_for_round(self._now())

    def tick(self, now: datetime) -> None:
        """Tell what has waited: the digest, what began to hold, news that came within the hour."""
        self._ask_for_round(now)

    def _ask_for_round(self, now: datetime, *, group: Hashable = None) -> None:
        """Have messages looked after; one round in line is enough where nobody waits for another."""
        if self._messenger is None or self._courier is None:
            return
        if group is None and self._round_waits.is_set():
            return
        self._round_waits.set()
        if not self._courier.submit(partial(self._round, self._messenger, now), group=group):
            self._round_waits.clear()

    def _round(self, messenger: Messenger, now: datetime) -> None:
        self._round_waits.clear()
        messenger.round(now)

    # -- its end

    @property
    def idle(self) -> bool:
        """Return whether nothing waits to be done: it can be closed without leaving anything out."""
        return all(worker.idle for worker in self._workers())

    def close(self, timeout: float | None = LINGER, *, stop: threading.Event | None = None) -> None:
        """Finish what is to be done, within `timeout` seconds (None: each hook has its own limit), and end.

        Where `stop` is set meanwhile, what is left gets LINGER seconds. A command in progress is ended then.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        while not self.idle and (limit is None or time.monotonic() < limit):
            if stop is not None and stop.is_set():
                stop, hurried = None, time.monotonic() + LINGER
                limit = hurried if limit is None else min(limit, hurried)
            time.sleep(_GLANCE)
        left_out = sum(worker.stop() for worker in self._workers())
        if left_out:
            log.warning("the program ends: %d calls or messages were left out", left_out)
        until = time.monotonic() + LAST_WORDS
        for worker in self._workers():
            worker.rest(until=until)

    def _workers(self) -> list[Worker]:
        workers = [] if self._hooks is None else [self._hooks.worker]
        return workers if self._courier is None else [*workers, self._courier]
