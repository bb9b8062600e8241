"""One run, as a story."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from jwstwatch import logs
from jwstwatch.config.settings import Profile
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import (
    ArchiveError,
    CancelledError,
    ExitCode,
    JwstwatchError,
    PlanWaitsError,
    StorageError,
    first_exit_code,
)
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.runs import Counts, RunRecord
from jwstwatch.sync import (
    authorising,
    fetching,
    holding,
    homing,
    inquiring,
    listing,
    living,
    noticing,
    publishing,
    reacting,
    relocating,
    roots,
    rules,
    sampling,
    tabling,
    withdrawing,
)
from jwstwatch.sync.context import CompletedObservation, Context, Options

log = logging.getLogger(__name__)

_GOES_ON = "The next run goes on from here."


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
    context.report.began(record.id)
    with logs.bound(profile=profile.name, run_id=record.id):
        return _run(profile, record, context, options)


def _run(profile: Profile, record: RunRecord, context: Context, options: Options) -> RunResult:
    tale = _Tale()
    try:
        with living.heartbeat(context, record):
            _tell(profile, record, context, options, tale)
    except JwstwatchError as error:
        tale.blame(error)
    except KeyboardInterrupt:
        tale.blame(CancelledError("interrupted", hint=_GOES_ON))
        _finish(record, context, tale)
        raise
    except BaseException:
        tale.blame(JwstwatchError("the program failed unexpectedly", hint="Report it with what -v prints."))
        _finish(record, context, tale)
        raise
    return _finish(record, context, tale)


@dataclass(slots=True)
class _Tale:
    """What happened so far in a run."""

    error: JwstwatchError | None = None
    listed: bool = False
    heard: listing.Heard = field(default_factory=listing.Heard)
    received: fetching.Received = field(default_factory=fetching.Received)
    pages: int = 0
    root: RootRecord | None = None
    """Where it works, once that is open."""
    put_off: int = 0
    """Files that wait for another day, as they are to."""

    def blame(self, error: JwstwatchError) -> None:
        """Keep the error that weighs most, in the order of the exit codes; the first of equal ones."""
        if self.error is None or isinstance(error, CancelledError):
            self.error = error
        elif not isinstance(self.error, CancelledError):
            codes = (self.error.exit_code, error.exit_code)
            self.error = self.error if first_exit_code(codes) is self.error.exit_code else error


def _tell(profile: Profile, record: RunRecord, context: Context, options: Options, tale: _Tale) -> None:
    root = tale.root = roots.open_root(context, rules.root_of(profile.parameters))
    subject = listing.Subject(run=record, profile=profile, root=root, options=options)
    fetching.settle_open_intents(context, subject)
    relocating.settle(context, subject)
    # Before anything is planned: a disk that lost too much must not have its files marked one by one.
    roots.check_disk(context, subject)
    authorised = False
    try:
        context, authorised = _log_in(context, subject, tale)
        listing.list_and_plan(context, subject, tale.heard)
        tale.listed = True
        withdrawing.judge(context, subject, tale.heard)
        inquiring.inquire(context, subject)
        sampling.sample(context, subject, authorised=authorised)
    except ArchiveError as error:
        tale.blame(error)
    noticing.note_answer(context, subject, tale.heard)
    noticing.note_clock(context)
    if tale.listed:
        _fetch(context, subject, tale, authorised=authorised)
    tale.pages = publishing.publish(context, subject)
    if profile.parameters.savetables:
        tabling.save(profile, tabling.in_hand(context, profile, run_id=record.id))


def _log_in(context: Context, subject: listing.Subject, tale: _Tale) -> tuple[Context, bool]:
    """Try the token; a rejected one makes the run partial, and public data go on without it."""
    logged_in = authorising.log_in(context)
    if logged_in.error is not None:
        tale.blame(logged_in.error)
    if logged_in.token_since is not None:
        context.store.plans.ask_withheld_again(
            subject.profile.name, now=context.now(), token_since=logged_in.token_since
        )
    return logged_in.context, logged_in.authorised


def _fetch(context: Context, subject: listing.Subject, tale: _Tale, *, authorised: bool) -> None:
    """Fetch; what ends it early is kept in the tale, so that the pages still show what arrived."""
    try:
        reacting.arrange(context, subject)
        holding.require_yes(context, subject)
        fetching.fetch(context, subject, tale.received, authorised=authorised)
    except (ArchiveError, StorageError, PlanWaitsError) as error:
        tale.blame(error)
    else:
        tale.put_off = reacting.put_off(context, subject)
        if not context.stop.is_set():
            holding.forget_yes(context, subject)
    if context.stop.is_set():
        raise CancelledError("stopped before everything was fetched", hint=_GOES_ON)


def _finish(record: RunRecord, context: Context, tale: _Tale) -> RunResult:
    """The one exit of a run, also after an error; a state that cannot be written closes the run later."""
    counts = Counts(bytes=tale.received.bytes, pages=tale.pages)
    try:
        counts = _counts(record, context, tale)
        finished = context.store.runs.finish(
            record, _outcome(tale, counts), counts=counts, error=tale.error, now=context.now()
        )
    except Exception as error:
        if not isinstance(error, JwstwatchError):
            log.exception("the end of the run could not be recorded")
            error = JwstwatchError(f"this should not happen: {type(error).__name__}: {error}")
        if tale.error is None:
            tale.blame(error)
        finished = living.close_later(context, record, _outcome(tale, counts), counts, tale.error)
    _tell_readers(finished, context, tale)
    _bear_witness(finished, context)
    return RunResult(record=finished, exit_code=_exit_code(tale, counts))


def _counts(record: RunRecord, context: Context, tale: _Tale) -> Counts:
    answer = tale.heard.answer
    return replace(
        context.store.reports.of_run(record.id, record.profile),
        observations=context.store.listings.count_observations(record.profile),
        found=answer.found if answer else None,
        from_floor=answer.from_floor if answer else None,
        bytes=tale.received.bytes,
        pages=tale.pages,
    )


def _outcome(tale: _Tale, counts: Counts) -> Outcome:
    if isinstance(tale.error, CancelledError):
        return Outcome.CANCELLED
    if tale.error is None:
        undone = counts.failed or counts.waiting > tale.put_off
        return Outcome.PARTIAL if undone else Outcome.COMPLETE
    return Outcome.PARTIAL if tale.listed or counts.downloaded else Outcome.FAILED


def _exit_code(tale: _Tale, counts: Counts) -> ExitCode:
    if tale.error is not None:
        return tale.error.exit_code
    return ExitCode.FILES_FAILED if counts.failed else ExitCode.DONE


def _tell_readers(record: RunRecord, context: Context, tale: _Tale) -> None:
    """Let the home page tell how the run ended; a mishap there is not the run's."""
    try:
        if tale.root is not None:
            homing.write_standing(context, tale.root, record)
    except Exception:
        log.exception("the home page could not be told how run %d ended", record.id)


def _bear_witness(record: RunRecord, context: Context) -> None:
    """Tell whoever wants to know how the run ended; a mishap there is not the run's."""
    try:
        for entry in _completed(record, context):
            context.witness.observation_completed(entry)
        context.witness.run_ended(record)
    except Exception:
        log.exception("nobody could be told how run %d ended", record.id)


def _completed(record: RunRecord, context: Context) -> list[CompletedObservation]:
    if not record.counts.downloaded:
        return []
    try:
        completed = context.store.completions.of_run(record.id, record.profile)
    except JwstwatchError as error:
        log.warning("nobody is told of completed observations: %s", error.message)
        return []
    return [
        CompletedObservation(
            profile=record.profile,
            run_id=record.id,
            obs_id=entry.obs_id,
            proposal=entry.proposal,
            obsnum=entry.obsnum,
            files=entry.files,
        )
        for entry in completed
    ]
