"""When somebody is told what: once about each thing that holds, and about each cause once an hour at most."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from jwstwatch.core.model import FileState
from jwstwatch.errors import JwstwatchError
from jwstwatch.store.news import NEW, REPROCESSED, News
from jwstwatch.store.tellings import Mark, Tellings, Told
from jwstwatch.sync.mounts import Mounts
from jwstwatch.telling import wording
from jwstwatch.telling.posting import Message, Post
from jwstwatch.telling.trouble import Troubles
from jwstwatch.telling.worker import Worker

if TYPE_CHECKING:
    from jwstwatch.config.settings import NotifySettings
    from jwstwatch.store.notices import Notice
    from jwstwatch.store.store import Store

log = logging.getLogger(__name__)

CAUSE = "notify"
PAUSE = timedelta(hours=1)
"""Between two messages about one cause."""
REST = 300.0
"""Seconds without another attempt after a message that nobody took."""

FAILURES = "failures"
_NEWS: Final = (NEW, REPROCESSED, FAILURES)
_DOWN, _BACK, _DIGEST = "archive down", "news archive back", "news digest"
_WHEN_OF_KIND: Final[Mapping[str, str]] = {
    "token": "token",
    "archive": "archive",
    "profile": FAILURES,
    "plan": FAILURES,
    "space": FAILURES,
    "gone": FAILURES,
    "clock": FAILURES,
    "hook": FAILURES,
}
"""Which word of `notify.when` asks for a kind of notice; what is not here is told by `status` alone."""


class Messenger:
    """Finds out what is to be told, and tells it; what it does runs in the worker, one round at a time."""

    def __init__(
        self,
        settings: NotifySettings,
        store: Store,
        troubles: Troubles,
        *,
        profiles: Iterable[str],
        server: str,
        post: Post,
        worker: Worker,
        now: datetime,
        rest: float = REST,
    ) -> None:
        self._settings = settings
        self._profiles = tuple(profiles)
        self._server = server
        self._store, self._troubles = store, troubles
        self._news, self._tellings = News(store.database), Tellings(store.database)
        self._post, self._worker = post, worker
        self._mounts = Mounts()
        self._lock = threading.Lock()
        # Whatever waited when the program ended is found in the history.
        self._eventful = set(self._profiles)
        self._rest, self._rest_until = rest, 0.0
        self._digest_sent: datetime | None = None
        self._tellings.begin(self._causes(), now=now)

    def _causes(self) -> dict[str, str | None]:
        causes: dict[str, str | None] = {
            _cause(what, name): name
            for name in self._profiles
            for what in _NEWS
            if what in self._settings.when
        }
        return causes | {_BACK: None, _DIGEST: None}

    def run_ended(self, profile: str) -> None:
        """Look at what a run of the profile brought at the next round."""
        if profile in self._profiles:
            with self._lock:
                self._eventful.add(profile)

    def round(self, now: datetime) -> None:
        """Tell whatever is to be told now; a state that cannot be asked leaves it for the next round."""
        if time.monotonic() < self._rest_until:
            return
        try:
            self._tell_notices(now)
            self._tell_of_return(now)
            self._tell_news(now)
            self._tell_digest(now)
        except JwstwatchError as error:
            log.warning("messages have to wait: %s", error.message)

    # -- what holds

    def _tell_notices(self, now: datetime) -> None:
        """Once for each time that something begins to hold."""
        for notice in self._store.notices.holding():
            if not self._is_wished(notice):
                continue
            # A message since it began to hold counts, however long ago.
            pause = max(PAUSE, now - notice.first_at + timedelta(microseconds=1))
            self._tell(notice.cause, partial(wording.notice, notice), now=now, pause=pause)

    def _is_wished(self, notice: Notice) -> bool:
        if notice.profile is not None and notice.profile not in self._profiles:
            return False
        return _WHEN_OF_KIND.get(notice.kind) in self._settings.when

    def _tell_of_return(self, now: datetime) -> None:
        """The archive is back: told to those who were told that it was down."""
        if "archive" not in self._settings.when:
            return
        told = self._tellings.told((_DOWN, _BACK))
        down, back = told.get(_DOWN), told.get(_BACK)
        if down is None or back is None or down.cleared_at is None or down.told_at is None:
            return
        if down.told_at < down.first_at or (back.told_at is not None and back.told_at >= down.cleared_at):
            return
        self._tell(
            _BACK,
            partial(wording.archive_back, server=self._server, since=down.first_at, until=down.cleared_at),
            now=now,
        )

    # -- what happened

    def _tell_news(self, now: datetime) -> None:
        with self._lock:
            profiles = sorted(self._eventful)
        for profile in profiles:
            with self._lock:
                self._eventful.discard(profile)
            is_told = False
            try:
                is_told = self._tell_news_of(profile, now)
            finally:
                if not is_told:
                    self.run_ended(profile)

    def _tell_news_of(self, profile: str, now: datetime) -> bool:
        """Return whether nothing of the profile is left to be told."""
        whats = [what for what in _NEWS if what in self._settings.when]
        told = self._tellings.told([_cause(what, profile) for what in whats])
        until = self._tellings.newest(profile)
        if until is None:
            return True  # it runs: told at its end
        if len(told) < len(whats):  # another state was put in place of ours
            self._tellings.begin(self._causes(), now=now)
            return False
        done = [self._tell_one(what, profile, told[_cause(what, profile)], until, now) for what in whats]
        return all(done)

    def _tell_one(self, what: str, profile: str, told: Told, until: Mark, now: datetime) -> bool:
        cause = _cause(what, profile)
        if _is_early(told, now, PAUSE):
            return told.mark == until
        message = self._compose(what, profile, told, until)
        if message is None or self._tell(cause, lambda: message, now=now):
            if told.mark != until:
                self._tellings.move(cause, until, now=now)
            return True
        return False

    def _compose(self, what: str, profile: str, told: Told, until: Mark) -> Message | None:
        """Return what is to be said, None where nothing happened."""
        if what == FAILURES:
            failed = self._news.failures(profile, after=told.mark, until=until)
            return wording.failures(profile, failed) if failed.files or failed.troubles else None
        arrivals = self._news.arrivals(profile, after=told.mark, until=until)[what]
        since = told.told_at or told.first_at
        say = wording.new if what == NEW else wording.reprocessed
        return say(profile, arrivals, since=since) if arrivals else None

    # -- once a day

    def _tell_digest(self, now: datetime) -> None:
        """At its minute, or as soon as possible after it; a day is not told twice, whoever starts when."""
        if self._settings.digest is None:
            return
        due = _last_digest(now, self._settings.digest)
        if self._digest_sent == due:
            return
        told = self._tellings.told([_DIGEST]).get(_DIGEST)
        if told is None:
            return
        if (told.told_at or told.first_at) >= due or self._tell(_DIGEST, partial(self._digest, now), now=now):
            self._digest_sent = due

    def _digest(self, now: datetime) -> Message:
        counts = self._store.reports.counts()
        failing = {
            name: counts[name].files.get(FileState.FAILED, 0) if name in counts else 0
            for name in self._profiles
        }
        return wording.digest(
            now=now,
            days=self._news.days(since=now - timedelta(days=1)),
            failing=failing,
            mounts={root.path: self._mounts.look(root.path, root.uuid) for root in self._store.roots.all()},
            notices=[
                notice
                for notice in self._store.notices.holding()
                if notice.profile is None or notice.profile in self._profiles
            ],
        )

    # -- telling

    def _tell(
        self, cause: str, message: Callable[[], Message], *, now: datetime, pause: timedelta = PAUSE
    ) -> bool:
        """Send a message unless it is too early; returns whether it went out."""
        if time.monotonic() < self._rest_until or self._worker.abandoned.is_set():
            return False
        before = self._tellings.told([cause]).get(cause)
        if before is None or _is_early(before, now, pause):
            return False  # the usual case costs no write
        delivery = self._post.send(message(), abandoned=self._worker.abandoned)
        if delivery.sent:
            # Afterwards: what is told twice after a kill is better than what is never told.
            self._store.notices.may_tell(cause, now=now, pause=pause)
        else:
            self._rest_until = time.monotonic() + self._rest
        self._note(delivery.problems)
        return delivery.sent > 0

    def _note(self, problems: Sequence[str]) -> None:
        if not problems:
            self._troubles.over(CAUSE)
        elif not self._worker.abandoned.is_set():
            self._troubles.note(CAUSE, f"messages do not arrive: {'; '.join(problems)}", kind="message")


def _cause(what: str, profile: str) -> str:
    return f"news {what} {profile}"


def _is_early(told: Told, now: datetime, pause: timedelta) -> bool:
    return told.told_at is not None and timedelta(0) <= now - told.told_at < pause


def _last_digest(now: datetime, minute: int) -> datetime:
    """Return when a digest was due last; `minute` counts from midnight, UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + timedelta(minutes=minute)
    return due if due <= now else due - timedelta(days=1)
