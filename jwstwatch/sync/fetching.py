"""Carry out the plan: claim, fetch, verify, make the intent known, replace, commit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED
from jwstwatch.core.retrying import Failure, FailureKind, next_attempt
from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import ArchiveError, ContentError, UnsafePathError
from jwstwatch.files import join_safely, translate_storage_errors
from jwstwatch.imaging.content import check
from jwstwatch.store.transfers import Claim, FailedAttempt, Intent
from jwstwatch.sync.context import Context, Reporter
from jwstwatch.sync.listing import Subject
from jwstwatch.transfer import copying, placing
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.pool import fetch_all

LEASE = timedelta(minutes=5)
GROUP = 64
"""Files that are put in place and committed together, at most."""

NOT_AUTHORISED_DELAY = timedelta(days=1)


@dataclass(slots=True)
class Received:
    """What a run's transfers came to; `bytes` are those received."""

    bytes: int = 0
    claims: dict[int, Claim] = field(default_factory=dict)


def fetch(context: Context, subject: Subject, received: Received, *, authorised: bool) -> None:
    """Fetch what is planned and due into `received`. Raises what ends a run early, after keeping the rest."""
    store, run, name = context.store, subject.run, subject.profile.name
    files, size = store.transfers.planned(run.id, name, now=context.now(), force=subject.options.force)
    if not files:
        return
    confirm = subject.options.confirm
    if confirm is not None and not confirm(files, size):
        return
    context.report.planned(files=files, size=size)
    gathering = _Gathering(partial(_settle, context, subject, received))
    outcomes = fetch_all(
        _jobs(context, subject, received, authorised=authorised),
        settings=TransferSettings(
            connections=context.mast.connections,
            timeout=context.mast.timeout,
            bandwidth=context.mast.bandwidth,
        ),
        token=lambda: context.token if authorised else None,
        check=check,
        stop=context.stop,
        progress=_Progress(context.report),
        idle=gathering.settle,
    )
    try:
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                gathering.add(outcome)
    except ArchiveError:
        gathering.settle()
        store.transfers.forgive_outage(run.id, now=context.now())
        raise
    except Exception:
        # Whatever it was: what is verified is kept.
        gathering.settle()
        raise
    gathering.settle()


class _Gathering:
    """Outcomes that come close together, to be put in place and committed at once."""

    def __init__(self, settle: Callable[[list[Fetched | Failed]], None]) -> None:
        self._settle = settle
        self._outcomes: list[Fetched | Failed] = []

    def add(self, outcome: Fetched | Failed) -> None:
        self._outcomes.append(outcome)
        if len(self._outcomes) >= GROUP:
            self.settle()

    def settle(self) -> None:
        """Settle what there is; called when nothing more came for a moment, and at the end."""
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            self._settle(outcomes)


def _jobs(context: Context, subject: Subject, received: Received, *, authorised: bool) -> Iterator[Job]:
    """Claim the next files of the plan as they are needed; what lies elsewhere already is copied."""
    store, run = context.store, subject.run
    while not context.stop.is_set():
        now = context.now()
        claims = store.transfers.claim(
            run.id,
            subject.profile.name,
            limit=4 * context.mast.connections,
            now=now,
            lease_until=now + LEASE,
            force=subject.options.force,
        )
        if not claims:
            return
        sources = store.transfers.sources(claims)
        for claim in claims:
            received.claims[claim.file_id] = claim
            job = _job(context, claim, authorised=authorised)
            if not claim.replaces and _take_in(context, subject, claim, job.target):
                continue
            copied = _copy(job, sources.get(claim.file_id))
            if copied is not None:
                _settle(context, subject, received, [copied])
            else:
                yield job


def _job(context: Context, claim: Claim, *, authorised: bool) -> Job:
    return Job(
        key=claim.file_id,
        url=context.archive.download_url(claim.uri),
        name=claim.name,
        target=join_safely(claim.root, claim.path),
        revision=claim.revision,
        listed_size=claim.listed_size,
        checksum=None,
        authorised=authorised,
    )


def _take_in(context: Context, subject: Subject, claim: Claim, target: Path) -> bool:
    """A sound file of the listed size, put at the path since it was planned, counts instead of a fetch."""
    if claim.revision > 1 or claim.listed_size is None:
        return False
    try:
        if target.is_symlink() or target.stat().st_size != claim.listed_size:
            return False
        check(target, claim.name)
        found = fingerprint(target)
    except (ContentError, OSError):
        return False
    intent = Intent(
        file_id=claim.file_id,
        product_id=claim.product_id,
        root=claim.root,
        path=claim.path,
        part="",
        revision=claim.revision,
        size=found.size,
        sha256=found.sha256,
    )
    placed = [(intent, found.modified_ns)]
    context.store.transfers.record_placed(subject.run.id, placed, now=context.now(), how="adopted")
    return True


def _copy(job: Job, source: tuple[Path, str] | None) -> Fetched | None:
    if source is None or source[0] == job.target:
        return None
    path, sha256 = source
    with translate_storage_errors(job.target.parent):
        return copying.copy_verified(job, path, sha256=sha256)


def _settle(
    context: Context, subject: Subject, received: Received, group: Sequence[Fetched | Failed]
) -> None:
    """Rule 1: intents are committed, files renamed and made durable, then `present` is committed."""
    store, run = context.store, subject.run
    fetched = [outcome for outcome in group if isinstance(outcome, Fetched)]
    failed = [outcome for outcome in group if isinstance(outcome, Failed)]
    intents = [_intent(received.claims[outcome.job.key], outcome) for outcome in fetched]
    store.transfers.open_intents(run.id, intents, now=context.now())
    placed, refused = [], []
    for intent, outcome in zip(intents, fetched, strict=True):
        try:
            with translate_storage_errors(outcome.job.target):
                placing.place(outcome.part, outcome.job.target)
                placed.append((intent, outcome.job.target.stat().st_mtime_ns))
                if intent.revision > 1:
                    placing.remove_parts(outcome.part.parent, outcome.job.name)
        except UnsafePathError as error:
            failure = Failure(kind=FailureKind.LOCAL, message=error.message)
            refused.append(Failed(job=outcome.job, failure=failure, received=0))
            placing.discard(outcome.part)
    with translate_storage_errors(subject.root.path):
        placing.sync_folders({outcome.job.target.parent for outcome in fetched})
    store.transfers.record_placed(run.id, placed, now=context.now())
    store.transfers.forget_intents([refusal.job.key for refusal in refused])
    failures = [*failed, *refused]
    attempts = [_attempt(context, received.claims[entry.job.key], entry) for entry in failures]
    store.transfers.record_failed(run.id, attempts, now=context.now())
    for entry in failures:
        context.report.failed(entry.job.name, entry.failure.message)
    received.bytes += sum(entry.received for entry in group)
    for ended in group:
        received.claims.pop(ended.job.key, None)


def _intent(claim: Claim, outcome: Fetched) -> Intent:
    return Intent(
        file_id=claim.file_id,
        product_id=claim.product_id,
        root=claim.root,
        path=claim.path,
        part=outcome.part.name,
        revision=claim.revision,
        size=outcome.size,
        sha256=outcome.sha256,
        facts={f"http.{name}": value for name, value in outcome.evidence.items()},
        note=outcome.note,
    )


def _attempt(context: Context, claim: Claim, outcome: Failed) -> FailedAttempt:
    failure = outcome.failure
    now = context.now()
    state, reason = FileState.FAILED, failure.message
    when = next_attempt(failure, attempts=claim.attempts + 1, now=now)
    if failure.kind is FailureKind.UNAUTHORISED:
        state = FileState.WITHHELD
        reason = NOT_AUTHORISED if outcome.job.authorised else NO_TOKEN
        when = now + NOT_AUTHORISED_DELAY
    return FailedAttempt(
        file_id=claim.file_id,
        product_id=claim.product_id,
        state=state,
        kind=failure.kind,
        reason=reason,
        message=failure.message,
        next_attempt_at=None if failure.kind is FailureKind.LOCAL else when,
    )


def settle_open_intents(context: Context, subject: Subject) -> None:
    """Finish, or undo, what a killed process was about to put in place: the bytes that lie there decide."""
    for intent in context.store.transfers.intents_left_open():
        if intent.root != subject.root.path:
            continue  # its own root's run settles it, when that disk is there
        target = join_safely(intent.root, intent.path)
        part = target.parent / intent.part
        with translate_storage_errors(target):
            if not _matches(target, intent) and _matches(part, intent):
                with contextlib.suppress(UnsafePathError):
                    placing.place(part, target)
                    placing.sync_folders([target.parent])
            if _matches(target, intent):
                placed = [(intent, target.stat().st_mtime_ns)]
                context.store.transfers.record_placed(
                    subject.run.id, placed, now=context.now(), how="settled"
                )
                placing.remove_parts(target.parent, target.name)
            else:
                context.store.transfers.forget_intents([intent.file_id])


def _matches(path: Path, intent: Intent) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size != intent.size:
            return False
        return fingerprint(path).sha256 == intent.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


class _Progress:
    """Passes the transfer's progress on to whoever listens to the run."""

    def __init__(self, report: Reporter) -> None:
        self._report = report

    def started(self, job: Job, size: int | None) -> None:
        self._report.started(job.key, job.name, size)

    def advanced(self, job: Job, count: int) -> None:
        self._report.advanced(job.key, count)

    def finished(self, job: Job) -> None:
        self._report.finished(job.key)
