"""What a run would fetch now: everything that a run does up to the first byte, on a copy of the state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from jwstwatch.config.settings import Profile
from jwstwatch.core import space
from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.model import FileState, Trigger
from jwstwatch.core.products import Product
from jwstwatch.core.rehearsal import Rehearsal, RehearsedFile, Tally, reason_of
from jwstwatch.disk import markers
from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import PlanWaitsError
from jwstwatch.files import join_safely
from jwstwatch.store.plans import PlanRow
from jwstwatch.store.reports import FileQuery, FileReport
from jwstwatch.store.scratch import end_run_of, scratch_copy
from jwstwatch.store.transfers import Claim, Intent
from jwstwatch.sync import (
    adopting,
    authorising,
    fetching,
    holding,
    inquiring,
    listing,
    reacting,
    roots,
    rules,
    weighing,
)
from jwstwatch.sync.context import Context, Nobody, Options

_CLAIMED_AT_ONCE = 500


def rehearse(profile: Profile, *, context: Context, options: Options) -> Rehearsal:
    """Return what a run of the profile would fetch now; nothing is written anywhere.

    The archive is asked, and the disk looked at, as by a run. Raises what keeps a run from fetching: an
    archive that is down (`ArchiveError`), an output folder that is not there (`StorageError`).
    """
    with scratch_copy(context.store) as store:
        return _rehearse(profile, replace(context, store=store, witness=Nobody()), options)


@dataclass(slots=True)
class _Glance:
    """Takes in by size what lies at a wanted path, and counts it."""

    adopted: int = 0

    def __call__(
        self, row: PlanRow, path: Path, product: Product, *, revision: int, sizes: bool = True
    ) -> PlanRow:
        believed = adopting.believe(row, path, product, revision=revision, sizes=sizes)
        self.adopted += believed.state is FileState.PRESENT
        return believed


def _rehearse(profile: Profile, context: Context, options: Options) -> Rehearsal:
    notes = []
    if end_run_of(context.store, profile.name):
        notes.append("a run of this profile goes on; what it has not fetched yet is counted")
    glance = _Glance()
    subject = _subject(profile, context, options, glance)
    verified = _settle_intents(context, subject)
    roots.check_disk(context, subject)
    logged_in = authorising.log_in(context)
    if logged_in.error is not None:
        notes.append(logged_in.error.message)
    if logged_in.token_since is not None:
        context.store.plans.ask_withheld_again(
            profile.name, now=context.now(), token_since=logged_in.token_since
        )
    heard = listing.Heard(skipped=set())
    listing.list_and_plan(logged_in.context, subject, heard)
    inquiring.inquire(logged_in.context, subject)
    reacting.arrange(context, subject)
    held = _held(context, subject)
    admission, refusal = weighing.foresee(context, subject)
    if admission.limit is space.Limit.BUDGET:
        notes.append(_put_off(subject, admission))
    plan = _plan(context, subject, verified)
    counts = context.store.reports.of_run(subject.run.id, profile.name)
    return Rehearsal(
        profile=profile.name,
        files=tuple(plan.files),
        copied=Tally(files=plan.copied, size=plan.copied_size),
        unchanged=counts.unchanged + plan.taken_in,
        adopted=glance.adopted + plan.taken_in,
        withheld=counts.withheld,
        failed=counts.failed,
        busy=counts.waiting,
        skipped=_skipped(context, profile, heard.skipped or set()),
        observations=heard.answer.found if heard.answer else 0,
        held=held,
        waits=Tally(files=admission.waiting, size=admission.waiting_bytes),
        shortage=f"{refusal.message}. {refusal.hint}" if refusal is not None else None,
        notes=tuple(notes),
    )


def _subject(profile: Profile, context: Context, options: Options, adopt: adopting.Adopt) -> listing.Subject:
    """Begin a run in the copy; an output folder that was never used stays so."""
    run = context.store.runs.begin(profile.name, Trigger.MANUAL, now=context.now())
    root = roots.open_root(context, rules.root_of(profile.parameters), identify=markers.recognise)
    return listing.Subject(run=run, profile=profile, root=root, options=options, adopt=adopt)


def _skipped(context: Context, profile: Profile, dropped: set[int]) -> int:
    """What one batch dropped may have been kept for another parent."""
    return len(dropped - context.store.listings.wanted_products(profile.name, dropped).keys())


def _held(context: Context, subject: listing.Subject) -> str | None:
    try:
        holding.require_yes(context, subject)
    except PlanWaitsError as error:
        return error.message
    return None


def _put_off(subject: listing.Subject, admission: space.Admission) -> str:
    budget = space.waits_for_budget(size_text(subject.profile.parameters.reprocess_budget or 0))
    return f"{files_text(admission.waiting)}, {size_text(admission.waiting_bytes)}: {budget}"


def _settle_intents(context: Context, subject: listing.Subject) -> dict[int, int]:
    """Keep in the copy what a run would put in place first; returns file -> revision of verified parts."""
    verified = {}
    for intent in context.store.transfers.intents_left_open():
        if intent.root != subject.root.path:
            continue
        target = join_safely(intent.root, intent.path)
        if _holds(target, intent):
            placed = [(intent, target.stat().st_mtime_ns)]
            context.store.transfers.record_placed(subject.run.id, placed, now=context.now())
        elif _holds(target.parent / intent.part, intent):
            verified[intent.file_id] = intent.revision
    return verified


def _holds(path: Path, intent: Intent) -> bool:
    try:
        return (
            not path.is_symlink()
            and path.stat().st_size == intent.size
            and fingerprint(path).sha256 == intent.sha256
        )
    except OSError:
        return False


@dataclass(slots=True)
class _Plan:
    """What becomes of the files that a run would claim."""

    files: list[RehearsedFile] = field(default_factory=list)
    copied: int = 0
    copied_size: int = 0
    taken_in: int = 0


def _plan(context: Context, subject: listing.Subject, verified: dict[int, int]) -> _Plan:
    """Claim everything as a run does, and take it for arrived, so that the counts tell of the rest."""
    store, run, name = context.store, subject.run, subject.profile.name
    waiting = (FileState.WANTED, FileState.STALE, FileState.FAILED, FileState.WITHHELD)
    reports = {report.path: report for report in store.reports.files(FileQuery(profile=name, states=waiting))}
    plan = _Plan()
    while True:
        now = context.now()
        claims = store.transfers.claim(
            run.id,
            name,
            limit=_CLAIMED_AT_ONCE,
            now=now,
            lease_until=now + fetching.LEASE,
            force=subject.options.force,
        )
        if not claims:
            return plan
        sources = store.transfers.sources(claims)
        for claim in claims:
            target = join_safely(claim.root, claim.path)
            source = sources.get(claim.file_id)
            if verified.get(claim.file_id) == claim.revision or _is_taken_in(claim, target):
                plan.taken_in += 1
            elif source is not None and source[0] != target and source[0].is_file():
                plan.copied += 1
                plan.copied_size += claim.listed_size or 0
            else:
                plan.files.append(_file(context, claim, reports[claim.root / claim.path]))
        store.transfers.record_placed(run.id, [(_as_placed(claim), 0) for claim in claims], now=now)


def _is_taken_in(claim: Claim, target: Path) -> bool:
    """A file of the listed size, put there since it was planned, counts instead of a fetch."""
    if claim.replaces or claim.revision > 1 or claim.listed_size is None:
        return False
    try:
        return not target.is_symlink() and target.stat().st_size == claim.listed_size
    except OSError:
        return False


def _as_placed(claim: Claim) -> Intent:
    return Intent(
        file_id=claim.file_id,
        product_id=claim.product_id,
        root=claim.root,
        path=claim.path,
        part="",
        revision=claim.revision,
        size=claim.listed_size or 0,
        sha256="",
    )


def _file(context: Context, claim: Claim, report: FileReport) -> RehearsedFile:
    return RehearsedFile(
        path=report.path,
        name=claim.name,
        uri=claim.uri,
        url=context.archive.download_url(claim.uri),
        size=claim.listed_size,
        reason=reason_of(report.state, report.reason or ""),
        detail=report.last_error or report.reason or "",
    )
