"""Carry out the plan: claim, fetch or copy, and settle what came of it."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import ArchiveError, ContentError, UnsafePathError
from jwstwatch.files import join_safely, translate_storage_errors
from jwstwatch.imaging.content import check
from jwstwatch.store.transfers import Claim, Intent
from jwstwatch.sync import mirroring, reserving, roots, settling, weighing
from jwstwatch.sync.context import Context, Reporter
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.renewing import Renewal
from jwstwatch.sync.replacing import Replacing
from jwstwatch.sync.reserving import Reservation
from jwstwatch.transfer import copying, placing
from jwstwatch.transfer.job import Failed, Fetched, Job, Mirror, TransferSettings
from jwstwatch.transfer.partial import Folders
from jwstwatch.transfer.pool import fetch_all

LEASE = timedelta(minutes=5)
BATCH_BYTES = 64_000_000
"""About as many are claimed at a time."""
GROUP = 64
"""Files that are put in place and committed together, at most."""
GROUP_BYTES = 256 << 20
"""Bytes of them, about: older copies that they replace take room until then."""


@dataclass(slots=True)
class Received:
    """What a run's transfers came to; `bytes` are those received."""

    bytes: int = 0
    claims: dict[int, Claim] = field(default_factory=dict)


def fetch(context: Context, subject: Subject, received: Received, *, authorised: bool) -> None:
    """Fetch what is planned and due into `received`, as far as there is room for it.

    Raises what ends a run early, after keeping the rest, and `StorageError` where some of the plan waits.
    """
    plan = weighing.outline(context, subject)
    if not plan.files:
        return
    confirm = subject.options.confirm
    if confirm is not None and not confirm(plan.files, plan.size):
        return
    with reserving.reserve(context, subject, plan) as room:
        if room.files:
            context.report.planned(files=room.files, size=room.size)
            _transfer(context, subject, received, room, authorised=authorised)
    room.conclude()


def _transfer(
    context: Context, subject: Subject, received: Received, room: Reservation, *, authorised: bool
) -> None:
    """Fetch what there is room for."""
    renewal = Renewal(context, authorised=authorised)

    def settle(group: Sequence[Fetched | Failed]) -> None:
        _settle(context, subject, received, room, group)
        renewal.note(group)

    gathering = _Gathering(settle)
    folders = Folders(guard=functools.partial(roots.require_there, subject.root))
    to_copy = _Copying(folders, gathering.add)
    outcomes = fetch_all(
        _jobs(context, subject, received, room, authorised=authorised, to_copy=to_copy),
        settings=TransferSettings(
            connections=context.mast.connections,
            timeout=context.mast.timeout,
            bandwidth=context.mast.limit,
        ),
        token=renewal.token,
        refused=renewal.refused,
        check=check,
        stop=context.stop,
        progress=_Progress(context.report, room),
        idle=gathering.settle,
        budget=context.budget,
        folders=folders,
    )
    try:
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                gathering.add(outcome)
    except ArchiveError:
        gathering.settle()
        context.store.transfers.forgive_outage(subject.run.id, now=context.now())
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
        self._size = 0

    def add(self, outcome: Fetched | Failed) -> None:
        self._outcomes.append(outcome)
        self._size += outcome.size if isinstance(outcome, Fetched) else 0
        if len(self._outcomes) >= GROUP or self._size >= GROUP_BYTES:
            self.settle()

    def settle(self) -> None:
        """Settle what there is; called when nothing more came for a moment, and at the end."""
        outcomes, self._outcomes, self._size = self._outcomes, [], 0
        if outcomes:
            self._settle(outcomes)


@dataclass(frozen=True, slots=True)
class _Copying:
    """Makes copies of what lies elsewhere already, and knows who is told of those that `arrived`."""

    folders: Folders
    arrived: Callable[[Fetched], None]

    def copy(self, job: Job, source: tuple[Path, str] | None) -> Fetched | None:
        """Return the verified copy of a source, as (path, SHA-256); None where there is none to be had."""
        if source is None or source[0] == job.target:
            return None
        path, sha256 = source
        return copying.copy_verified(job, path, sha256=sha256, folders=self.folders)


def _jobs(
    context: Context,
    subject: Subject,
    received: Received,
    room: Reservation,
    *,
    authorised: bool,
    to_copy: _Copying,
) -> Iterator[Job]:
    """Claim the next files of the plan as they are needed; what lies elsewhere already is copied."""
    store, run = context.store, subject.run
    while not context.stop.is_set():
        now = context.now()
        claims = store.transfers.claim(
            run.id,
            subject.profile.name,
            limit=_batch(room, context.mast.connections),
            now=now,
            lease_until=now + LEASE,
            force=subject.options.force,
            before=room.before,
        )
        claims = room.let_through(claims, received.claims.values())
        if not claims:
            return
        sources = store.transfers.sources(claims)
        elsewhere = [claim for claim in claims if claim.file_id not in sources]
        mirrors = mirroring.Mirrors(context, subject.profile.name, elsewhere)
        for claim in claims:
            if context.stop.is_set():
                return  # to copy them all would take as long as they are large
            received.claims[claim.file_id] = claim
            job = _job(context, claim, authorised=authorised, mirror=mirrors.of(claim))
            if not claim.replaces and _take_in(context, subject, room, claim, job.target):
                del received.claims[claim.file_id]
                continue
            copy = to_copy.copy(job, sources.get(claim.file_id))
            if copy is not None:
                room.advanced(claim.file_id, copy.size)
                to_copy.arrived(copy)
            else:
                yield job


def _batch(room: Reservation, connections: int) -> int:
    """Return how many files to claim at a time: some for each connection, more where they are small.

    To look for the next ones costs as much as the plan is long; another run does without what this one has.
    """
    mean = max(1, room.size // max(1, room.files))
    return max(4 * connections, min(512, BATCH_BYTES // mean))


def _job(context: Context, claim: Claim, *, authorised: bool, mirror: Mirror | None) -> Job:
    return Job(
        key=claim.file_id,
        url=context.archive.download_url(claim.uri),
        name=claim.name,
        target=join_safely(claim.root, claim.path),
        revision=claim.revision,
        listed_size=claim.listed_size,
        checksum=claim.checksum,
        authorised=authorised,
        mirror=mirror,
    )


def _take_in(context: Context, subject: Subject, room: Reservation, claim: Claim, target: Path) -> bool:
    """A sound file of the listed size, put at the path since it was planned, counts instead of a fetch."""
    if claim.revision > 1 or claim.listed_size is None:
        return False
    try:
        status = os.lstat(target)
        if not stat.S_ISREG(status.st_mode) or status.st_size != claim.listed_size:
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
    context.store.transfers.record_placed(
        subject.run.id, placed, now=context.now(), how="adopted", written=room.settled([claim])
    )
    return True


def _settle(
    context: Context,
    subject: Subject,
    received: Received,
    room: Reservation,
    group: Sequence[Fetched | Failed],
) -> None:
    claimed = [(received.claims[outcome.job.key], outcome) for outcome in group]
    settling.settle(context, subject, claimed, reserved=room.settled(claim for claim, _ in claimed))
    received.bytes += sum(outcome.received for outcome in group)
    for outcome in group:
        received.claims.pop(outcome.job.key, None)


def settle_open_intents(context: Context, subject: Subject) -> None:
    """Finish, or undo, what a killed process was about to put in place: the bytes that lie there decide."""
    for intent in context.store.transfers.intents_left_open():
        if intent.root != subject.root.path:
            continue  # its own root's run settles it, when that disk is there
        target = join_safely(intent.root, intent.path)
        part = target.parent / intent.part
        replacing = Replacing(context, subject, [intent])
        with translate_storage_errors(target):
            if not _matches(target, intent) and _matches(part, intent):
                _put_in_place(part, target, intent, replacing)
            if _matches(target, intent):
                replacing.find([intent.file_id])
                # All before the record: whoever dies in between finds the intent again.
                placing.sync_folders([target.parent])
                placing.remove_parts(target.parent, target.name)
                placed = [(intent, target.stat().st_mtime_ns)]
                replacing.make_room([intent.file_id])
                context.store.transfers.record_placed(
                    subject.run.id, placed, now=context.now(), how="settled", kept=replacing.kept
                )
                replacing.thin([intent.file_id])
            else:
                context.store.transfers.forget_intents([intent.file_id])


def _put_in_place(part: Path, target: Path, intent: Intent, replacing: Replacing) -> None:
    """Place a verified partial; where something foreign is in the way it goes, as in a run."""
    try:
        for problem in replacing.keep([intent.file_id]).values():
            raise UnsafePathError(problem)
        placing.place(part, target)
    except UnsafePathError:
        placing.discard(part)


def _matches(path: Path, intent: Intent) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size != intent.size:
            return False
        return fingerprint(path).sha256 == intent.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


class _Progress:
    """Passes the transfer's progress on to whoever listens to the run, and to the watch over the disk."""

    def __init__(self, report: Reporter, room: Reservation) -> None:
        self._report, self._room = report, room

    def started(self, job: Job, size: int | None) -> None:
        self._room.started(job.key)
        self._report.started(job.key, job.name, size)

    def advanced(self, job: Job, count: int) -> None:
        self._room.advanced(job.key, count)
        self._report.advanced(job.key, count)

    def finished(self, job: Job) -> None:
        self._report.finished(job.key)
