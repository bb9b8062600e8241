"""One run, as a story."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jwstwatch.archive.protocol import LogInStatus
from jwstwatch.config.settings import Profile
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import (
    ArchiveError,
    AuthenticationError,
    CancelledError,
    ExitCode,
    JwstwatchError,
    StorageError,
    first_exit_code,
)
from jwstwatch.store.runs import Counts, RunRecord
from jwstwatch.sync import fetching, listing, publishing, roots, rules, tabling
from jwstwatch.sync.context import Context, Options

log = logging.getLogger(__name__)

_GOES_ON = "The next run goes on from here."

HEARTBEAT = 30.0
"""Seconds between two signs of life; far below the lease of what a run has claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run and the exit code that it means."""

    record: RunRecord
    exit_code: ExitCode


def run(profile: Profile, *, context: Context, trigger: Trigger, options: Options) -> RunResult:
    """Bring one profile's files up to date; every foreseen failure is in the result, never raised.

    Raises only `BusyError` (the profile is being run already), a state that cannot be used, and bugs.
    """
    record = context.store.runs.begin(profile.name, trigger, now=context.now())
    tale = _Tale()
    try:
        with _heartbeat(context, record):
            _tell(profile, record, context, options, tale)
    except JwstwatchError as error:
        tale.blame(error)
    except KeyboardInterrupt:
        tale.blame(CancelledError("interrupted", hint=_GOES_ON))
        _finish(profile, record, context, tale)
        raise
    except BaseException:
        tale.blame(JwstwatchError("the program failed unexpectedly", hint="Report it with what -v prints."))
        _finish(profile, record, context, tale)
        raise
    return _finish(profile, record, context, tale)


class _Tale:
    """What happened so far in a run."""

    def __init__(self) -> None:
        self.error: JwstwatchError | None = None
        self.listed = False
        self.received = fetching.Received()
        self.pages = 0

    def blame(self, error: JwstwatchError) -> None:
        """Keep the error that weighs most, in the order of the exit codes; the first of equal ones."""
        if self.error is None or isinstance(error, CancelledError):
            self.error = error
        elif not isinstance(self.error, CancelledError):
            codes = (self.error.exit_code, error.exit_code)
            self.error = self.error if first_exit_code(codes) is self.error.exit_code else error


def _tell(profile: Profile, record: RunRecord, context: Context, options: Options, tale: _Tale) -> None:
    root = roots.open_root(context, rules.root_of(profile.parameters))
    subject = listing.Subject(run=record, profile=profile, root=root, options=options)
    fetching.settle_open_intents(context, subject)
    # Before anything is planned: a disk that lost too much must not have its files marked one by one.
    roots.check_disk(context, subject)
    authorised = False
    try:
        context, authorised = _log_in(context, subject, tale)
        listing.list_and_plan(context, subject)
        tale.listed = True
    except ArchiveError as error:
        tale.blame(error)
    if tale.listed:
        _fetch(context, subject, tale, authorised=authorised)
    tale.pages = publishing.publish(context, subject)
    if profile.parameters.savetables:
        tabling.save(profile, tabling.in_hand(context, profile, run_id=record.id))


def _fetch(context: Context, subject: listing.Subject, tale: _Tale, *, authorised: bool) -> None:
    """Fetch; what ends it early is kept in the tale, so that the pages still show what arrived."""
    try:
        fetching.fetch(context, subject, tale.received, authorised=authorised)
    except (ArchiveError, StorageError) as error:
        tale.blame(error)
    if context.stop.is_set():
        raise CancelledError("stopped before everything was fetched", hint=_GOES_ON)


def _log_in(context: Context, subject: listing.Subject, tale: _Tale) -> tuple[Context, bool]:
    """Try the token; a rejected one makes the run partial, and public data go on without it."""
    if context.token is None:
        return context, False
    if context.archive.log_in().status is LogInStatus.ACCEPTED:
        context.store.plans.ask_withheld_again(subject.profile.name, now=context.now())
        return context, True
    tale.blame(
        AuthenticationError(
            "the archive rejected the token (one dies after 10 days without use, or 60 after it was made)",
            hint="Make a new one at https://auth.mast.stsci.edu/token and store it.",
        )
    )
    return replace(context, token=None, token_rejected=True), False


def _finish(profile: Profile, record: RunRecord, context: Context, tale: _Tale) -> RunResult:
    """The one exit of a run, also after an error."""
    counts = context.store.reports.of_run(record.id, profile.name)
    counts = replace(
        counts,
        observations=context.store.listings.count_observations(profile.name),
        bytes=tale.received.bytes,
        pages=tale.pages,
    )
    finished = context.store.runs.finish(
        record, _outcome(tale, counts), counts=counts, error=tale.error, now=context.now()
    )
    return RunResult(record=finished, exit_code=_exit_code(tale, counts))


def _outcome(tale: _Tale, counts: Counts) -> Outcome:
    if isinstance(tale.error, CancelledError):
        return Outcome.CANCELLED
    if tale.error is None:
        return Outcome.PARTIAL if counts.failed or counts.waiting else Outcome.COMPLETE
    return Outcome.PARTIAL if tale.listed or counts.downloaded else Outcome.FAILED


def _exit_code(tale: _Tale, counts: Counts) -> ExitCode:
    if tale.error is not None:
        return tale.error.exit_code
    return ExitCode.FILES_FAILED if counts.failed else ExitCode.DONE


@contextlib.contextmanager
def _heartbeat(context: Context, record: RunRecord) -> Iterator[None]:
    """Say every now and then that the run lives, so that nobody takes its claims away."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            now = context.now()
            try:
                context.store.runs.heartbeat(record.id, now=now, lease_until=now + fetching.LEASE)
            except JwstwatchError as error:
                log.warning("run %d could not say that it lives: %s", record.id, error.message)

    thread = threading.Thread(target=beat, name=f"heartbeat-{record.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
