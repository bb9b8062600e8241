"""What arrived takes its place: intent committed, file renamed, `present` committed, then told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED
from jwstwatch.core.retrying import Failure, FailureKind, confirmed, next_attempt
from jwstwatch.errors import UnsafePathError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.transfers import Claim, FailedAttempt, Intent
from jwstwatch.sync.context import ArrivedFile, Context
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.replacing import Replacing
from jwstwatch.transfer import placing
from jwstwatch.transfer.job import Failed, Fetched

log = logging.getLogger(__name__)

NOT_AUTHORISED_DELAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A file that stands at its path since now."""

    claim: Claim
    outcome: Fetched
    intent: Intent
    modified_ns: int
    replaced: bool


def settle(
    context: Context,
    subject: Subject,
    group: Sequence[tuple[Claim, Fetched | Failed]],
    *,
    reserved: int = 0,
) -> None:
    """Put what was fetched or copied in place, and keep why the rest was not (rule 1).

    `reserved` bytes of the run's reservation were for them, and are not to come any more.
    Raises `StorageError` where the disk refuses; open intents are settled by the next run then.
    """
    store, run = context.store, subject.run
    arrived = [
        (claim, outcome, _intent(claim, outcome)) for claim, outcome in group if isinstance(outcome, Fetched)
    ]
    failed = [(claim, outcome) for claim, outcome in group if isinstance(outcome, Failed)]
    held = store.transfers.open_intents(run.id, [intent for _, _, intent in arrived], now=context.now())
    if lost := [claim.name for claim, _, _ in arrived if claim.file_id not in held]:
        log.warning("%s, and what else was begun, is another run's now: this one was taken for dead", lost[0])
    mine = [entry for entry in arrived if entry[0].file_id in held]
    replacing = Replacing(context, subject, [intent for _, _, intent in mine])
    placed, refused = _place_all(mine, replacing)
    rows = [(entry.intent, entry.modified_ns) for entry in placed]
    replacing.make_room([entry.claim.file_id for entry in placed])
    store.transfers.record_placed(run.id, rows, now=context.now(), written=reserved, kept=replacing.kept)
    replacing.thin([entry.claim.file_id for entry in placed])
    store.transfers.forget_intents([claim.file_id for claim, _ in refused])
    failures = [*failed, *refused]
    attempts = [_attempt(context, subject, claim, failure) for claim, failure in failures]
    store.transfers.record_failed(run.id, attempts, now=context.now())
    for _, failure in failures:
        context.report.failed(failure.job.name, failure.failure.message)
    for entry in placed:
        _tell(context, subject, entry)


def _place_all(
    arrived: Sequence[tuple[Claim, Fetched, Intent]], replacing: Replacing
) -> tuple[list[_Placed], list[tuple[Claim, Failed]]]:
    """Return what stands durably at its path now, and what could not be put there or was removed again."""
    placed: list[_Placed] = []
    refused: list[tuple[Claim, Failed]] = []
    not_kept = replacing.keep([claim.file_id for claim, _, _ in arrived])
    for claim, outcome, intent in arrived:
        try:
            if claim.file_id in not_kept:
                raise UnsafePathError(not_kept[claim.file_id])
            placed.append(_place(claim, outcome, intent))
        except UnsafePathError as error:
            refused.append((claim, _refusal(outcome, error.message)))
            placing.discard(outcome.part)
    gone = placing.sync_folders(entry.outcome.job.target.parent for entry in placed)
    kept = []
    for entry in placed:
        target = entry.outcome.job.target
        if target.parent in gone:
            refused.append((entry.claim, _refusal(entry.outcome, _removed(target))))
        else:
            kept.append(entry)
    return kept, refused


def _refusal(outcome: Fetched, message: str) -> Failed:
    why = Failure(kind=FailureKind.LOCAL, message=message)
    return Failed(job=outcome.job, failure=why, received=0)


def _removed(target: Path) -> str:
    return f"{target} was removed as soon as it was put in place"


def _place(claim: Claim, outcome: Fetched, intent: Intent) -> _Placed:
    target = outcome.job.target
    with translate_storage_errors(target):
        stood_there = placing.place(outcome.part, target)
        try:
            modified_ns = target.stat().st_mtime_ns
        except FileNotFoundError as error:
            raise UnsafePathError(_removed(target), hint="The next run fetches it again.") from error
        if intent.revision > 1:
            placing.remove_parts(outcome.part.parent, outcome.job.name)
    replaced = stood_there or intent.revision > 1
    return _Placed(claim=claim, outcome=outcome, intent=intent, modified_ns=modified_ns, replaced=replaced)


def _tell(context: Context, subject: Subject, entry: _Placed) -> None:
    """Let the witness know of a file; whatever goes wrong there is not the run's."""
    file = ArrivedFile(
        profile=subject.profile.name,
        run_id=subject.run.id,
        path=entry.outcome.job.target,
        name=entry.outcome.job.name,
        uri=entry.claim.uri,
        revision=entry.intent.revision,
        size=entry.intent.size,
        sha256=entry.intent.sha256,
        replaced=entry.replaced,
    )
    try:
        context.witness.file_arrived(file)
    except Exception:
        log.exception("nobody could be told that %s arrived", file.name)


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
        facts={f"{outcome.service}.{name}": value for name, value in outcome.evidence.items()},
        note=outcome.note,
    )


def _attempt(context: Context, subject: Subject, claim: Claim, outcome: Failed) -> FailedAttempt:
    failure = confirmed(outcome.failure, claim.failed_as)
    now = context.now()
    state, reason = FileState.FAILED, failure.message
    recheck = subject.profile.parameters.recheck
    when = next_attempt(failure, attempts=claim.attempts + 1, now=now, recheck=recheck)
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
        # What is stale stays due whatever fails: it is not to be fetched in vain at every run.
        next_attempt_at=None if failure.kind is FailureKind.LOCAL and not claim.replaces else when,
    )
