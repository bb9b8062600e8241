"""The output root of a run: is it there, is it the right one, and does it hold what the state believes?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.disk import looking, markers
from jwstwatch.errors import RootMissingError, StorageError
from jwstwatch.store.roots import Copy, Loss, RootRecord
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject

FEWEST_ALARMING = 100
ALARMING_SHARE = 0.05
"""More than the larger of the two vanished in one look: rather a mishap than somebody's wish."""


def open_root(
    context: Context, path: Path, *, identify: Callable[..., str] = markers.establish
) -> RootRecord:
    """Return the root at `path`, made known at its first use; `RootMissingError` where it is not the one.

    `identify` finds out which folder it is, by default with a marker that it writes at the first use.
    """
    known = context.store.roots.get(path)
    identity = identify(path, expected=known.uuid if known else None, files=known.files if known else 0)
    if known is not None:
        if known.uuid != identity:  # nothing of ours lay there
            context.store.roots.set_identity(known.id, identity)
        return known
    same = next((root for root in context.store.roots.all() if root.uuid == identity), None)
    if same is not None and same.path == path:
        return same  # another run was quicker with its first use
    if same is not None:
        raise RootMissingError(
            f"{path} is the output folder that the state knows as {same.path}",
            hint=f"If it moved: `jwstwatch root move {same.path} {path}`.",
        )
    return context.store.roots.add(path, identity=identity, now=context.now())


def require_there(root: RootRecord) -> None:
    """Raise `RootMissingError` where the output folder of a run is not what it was when the run began.

    A disk that is unmounted in mid-run leaves an empty mount point, on somebody else's disk.
    """
    if not markers.is_mounted(root.path, root.uuid):
        raise RootMissingError(
            f"{root.path} is not the output folder any more: its marker {markers.MARKER} is missing",
            hint="Is its disk mounted? The next run goes on when it is there again.",
        )


def check_disk(context: Context, subject: Subject) -> None:
    """Compare what the state believes to be on disk with the disk; what is missing or cut is wanted again."""
    parameters = subject.profile.parameters
    if parameters.skip_check_if_outfile_exists:
        return
    losses: list[Loss] = []
    checked = vanished = 0
    for copies in context.store.roots.copies(subject.root.id, profile=subject.profile.name):
        found = looking.look(subject.root.path, [copy.path for copy in copies])
        checked += len(copies)
        for copy in copies:
            reason = _problem(copy, found.get(copy.path), sizes=not parameters.skip_check_filesize)
            if reason is not None:
                vanished += copy.path not in found
                losses.append(Loss.of(copy, reason))
    if vanished > max(FEWEST_ALARMING, ALARMING_SHARE * checked):
        raise StorageError(
            f"{vanished} of {checked} files vanished from {subject.root.path} since the last run",
            hint="Nothing was fetched or marked. Is a disk below it not mounted? If it is right that they "
            f"are gone: `jwstwatch root accept {subject.root.path}`.",
        )
    _take_back(context, subject)
    if losses:
        context.report.warned(f"{len(losses)} files are missing or damaged on disk and are fetched again")
        context.store.roots.record_losses(subject.run.id, losses, now=context.now())


def _take_back(context: Context, subject: Subject) -> None:
    """Take up copies that were missing and cannot be fetched again: a disk below the root may be back."""
    root = subject.root.path
    lost = context.store.roots.lost_for_good(subject.root.id, profile=subject.profile.name)
    there = looking.look(root, [copy.path for copy in lost])
    found: list[Copy] = []
    for copy in lost:
        if copy.path not in there or there[copy.path].kind is not DiskKind.FILE:
            continue
        try:
            read = looking.fingerprint(root / copy.path)
        except OSError:
            continue
        if read.sha256 == copy.sha256:
            found.append(replace(copy, size=read.size, modified_ns=read.modified_ns))
    if found:
        context.store.roots.record_found(subject.run.id, found, now=context.now())


def _problem(copy: Copy, found: OnDisk | None, *, sizes: bool) -> str | None:
    if found is None:
        return "missing on disk"
    if found.kind is not DiskKind.FILE:
        return "something else stands at its path"
    if sizes and copy.size is not None and found.size != copy.size:
        return f"{found.size} of {copy.size} bytes on disk"
    return None
