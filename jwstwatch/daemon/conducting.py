"""The runs of the daemon: begun when they are due or asked for, entered for their next time when they end."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jwstwatch import logs
from jwstwatch.core.model import Trigger
from jwstwatch.core.status import is_reachable
from jwstwatch.daemon.hub import Hub
from jwstwatch.daemon.outage import Outage
from jwstwatch.daemon.runner import Runner, Ticket
from jwstwatch.daemon.schedule import next_run
from jwstwatch.daemon.timetable import Timetable
from jwstwatch.errors import BusyError, ExitCode, JwstwatchError
from jwstwatch.sync import story
from jwstwatch.sync.context import Options
from jwstwatch.sync.documents import busy_document, run_document
from jwstwatch.transfer.budget import Budget

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import Probe
    from jwstwatch.config import Profile, Settings
    from jwstwatch.daemon.surroundings import Surroundings
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import Context
    from jwstwatch.telling.witness import Teller

log = logging.getLogger(__name__)

AFTER_TROUBLE = timedelta(minutes=1)
"""Before a profile whose run could not even begin is tried again."""
ARCHIVE_DOWN = "archive down"
"""Cause of the notice about an outage."""


class Conductor:
    """Brings the timetable, the runner and the archive's outages together."""

    def __init__(self, settings: Settings, around: Surroundings, *, teller: Teller) -> None:
        self.settings = settings
        self.teller = teller
        self._around = around
        self._entering = threading.Lock()
        self._budget = Budget(settings.mast.connections, settings.mast.limit)
        self.runner = Runner(self._carry_out, at_once=settings.daemon.at_once)
        self.timetable = Timetable(self._is_due)
        self.outage = Outage(self._probe, stop=around.stop, down=self._went_down, back=self._came_back)

    def begin(self) -> None:
        """Let time run."""
        self._enter_profiles(starting=True)
        self.timetable.start()

    def take(self, settings: Settings, *, teller: Teller) -> None:
        """Go on with another configuration; a run in progress ends with its own."""
        with self._entering:
            before, self.settings, self.teller = self.settings, settings, teller
        self._budget.resize(settings.mast.connections, settings.mast.limit)
        self.runner.resize(settings.daemon.at_once)
        gone = [name for name in before.profiles if name not in settings.profiles]
        self.runner.forget(gone)
        for name in gone:
            self.timetable.strike(name)
        # What waits for a profile that rests now is taken back, but for what a person asked for.
        resting = [name for name, profile in settings.profiles.items() if not _has_schedule(profile)]
        self.runner.forget(resting, scheduled_only=True)
        with surviving("telling the profiles' times"):
            self._enter_profiles(starting=False)

    def clock_jumped(self) -> None:
        """Tell every profile's time anew."""
        with surviving("telling the times anew"):
            self._enter_profiles(starting=False)
        self.timetable.look_again()

    def end(self, *, within: float) -> bool:
        """Stop every run; returns whether all of them ended `within` seconds."""
        self.timetable.stop()
        slow = self.runner.close(within=within)
        for profile in slow:
            log.warning("a run did not end in time and is left behind", extra={"profile": profile})
        return not slow

    def _enter_profiles(self, *, starting: bool) -> None:
        last = self._around.store.runs.last(list(self.settings.profiles))
        with self._entering:
            # One whose run goes on is entered again at its end, by the configuration of then.
            for name, profile in self.settings.profiles.items():
                self.timetable.enter(profile, last.get(name), starting=starting)

    def _is_due(self, profile: str, trigger: Trigger) -> None:
        known = self.settings.profiles.get(profile)
        if known is None or not _has_schedule(known):
            return
        with contextlib.suppress(BusyError):  # stopping
            self.runner.ask(profile, trigger, Options())

    # -- one run

    def _carry_out(self, ticket: Ticket) -> None:
        """One run in its own thread; whatever becomes of it, its profile is entered for the next time."""
        settings = self.settings  # the run ends with the configuration it began with
        with logs.bound(profile=ticket.profile):
            record, error, code = self._run(ticket, settings)
            self._settle(ticket, record)
        problem = error or JwstwatchError("the run did not begin")
        document = run_document(record) if record else busy_document(ticket.profile, problem)
        ticket.hub.ended(document, int(code))

    def _run(
        self, ticket: Ticket, settings: Settings
    ) -> tuple[RunRecord | None, JwstwatchError | None, ExitCode]:
        try:
            profile = settings.profile(ticket.profile)
            context = self._context(settings, ticket)
            with contextlib.closing(context.archive):
                result = story.run(profile, context=context, trigger=ticket.trigger, options=ticket.options)
        except JwstwatchError as error:
            log.error("the run could not begin: %s (%s)", error.message, error.hint)  # noqa: TRY400
            return None, error, error.exit_code
        except Exception as error:
            log.exception("the run failed unexpectedly")
            bug = JwstwatchError(
                f"this should not happen: {type(error).__name__}: {error}",
                hint="The daemon's log tells more.",
            )
            return None, bug, bug.exit_code
        log_run(result.record)
        return result.record, None, result.exit_code

    def _context(self, settings: Settings, ticket: Ticket) -> Context:
        context = self._around.make_context(settings, ticket.stop, ticket.hub)
        return replace(context, budget=self._budget, witness=self.teller)

    def _settle(self, ticket: Ticket, record: RunRecord | None) -> None:
        """Ask whether the archive is down where the run could not reach it; enter the next time."""
        profile = self.settings.profiles.get(ticket.profile)
        if self._around.stop.is_set() or profile is None:
            return
        with surviving("what follows a run"):
            reached = is_reachable(record.error_kind, record.outcome) if record is not None else None
            if reached:
                self.outage.answered()
                # It may be told of an outage in which an earlier daemon ended.
                self._around.store.notices.clear(ARCHIVE_DOWN, now=datetime.now(UTC))
            elif reached is False and self.outage.suspect() and _has_schedule(profile):
                # Held back with everything else, and the first to go when the archive is back.
                self.runner.ask_after(ticket, Trigger.CATCH_UP)
        with surviving("entering the next time"):
            self._enter_next(ticket.profile, record)

    def _enter_next(self, name: str, record: RunRecord | None) -> None:
        """Enter a profile by the configuration of this moment; no reload comes between."""
        with self._entering:
            profile = self.settings.profiles.get(name)
            if profile is not None:
                self._enter_after(profile, record)

    def _enter_after(self, profile: Profile, record: RunRecord | None) -> None:
        if record is None:
            # It could not begin: the last one that did counts.
            record, failed = self._around.store.runs.last([profile.name]).get(profile.name), True
        else:
            failed = False
        started = record.started_at if record is not None else None
        now = datetime.now(UTC)
        due = next_run(profile.parameters, last_started_at=started, now=now)
        if due is not None and failed:
            due = max(due, now + AFTER_TROUBLE)  # so that it cannot loop
        self.timetable.set(profile, due, Trigger.SCHEDULE)

    # -- the archive

    def _probe(self) -> Probe:
        hub = Hub("", 0, trigger="probe", since=datetime.now(UTC))
        return self._around.make_context(self.settings, self._around.stop, hub).archive.probe()

    def _went_down(self, since: datetime, problem: str) -> None:
        self.runner.pause(True)
        with surviving("the notice of the outage"):
            text = f"the archive is down: {problem}"
            self._around.store.notices.raise_(ARCHIVE_DOWN, kind="archive", text=text, now=since)
            self.teller.archive_down(since)

    def _came_back(self, _length: timedelta) -> None:
        with surviving("the notice of the archive's return"):
            self._around.store.notices.clear(ARCHIVE_DOWN, now=datetime.now(UTC))
            self.teller.archive_back()
        self.runner.pause(False)


@contextlib.contextmanager
def surviving(what: str) -> Iterator[None]:
    """Log what goes wrong in the block: it is not vital, and must not end the service."""
    try:
        yield
    except JwstwatchError as error:
        log.warning("%s failed: %s", what, error.message)
    except Exception:
        log.exception("%s failed unexpectedly", what)


def log_run(record: RunRecord) -> None:
    """Say in one line what a run did."""
    counts = record.counts
    log.info(
        "run %d %s: %d downloaded (%d bytes), %d unchanged, %d withheld, %d failed, %d waiting%s",
        record.id,
        record.outcome.value if record.outcome else "running",
        counts.downloaded,
        counts.bytes,
        counts.unchanged,
        counts.withheld,
        counts.failed,
        counts.waiting,
        f": {record.error_message}" if record.error_message else "",
        extra={"run_id": record.id, "profile": record.profile},
    )


def _has_schedule(profile: Profile) -> bool:
    parameters = profile.parameters
    return parameters.enabled and (parameters.every is not None or parameters.cron is not None)
