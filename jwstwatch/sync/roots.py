"""The output root of a run: is it there, is it the right one, and does it hold what the state believes?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from jwstwatch.core.parameters import RECHECK
from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.disk import looking, markers
from jwstwatch.errors import RootMissingError, StorageError
from jwstwatch.store.bulk import chunks
from jwstwatch.store.roots import Copy, Loss, RootRecord
from jwstwatch.sync import scanning
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
        return replace(known, uuid=identity)
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
    """Compare what the state believes to be on disk with the disk; what is missing or cut is wanted again.

    With `disk_check: recheck` only folders that changed since are compared, but for a whole look once a day.
    """
    parameters = subject.profile.parameters
    if parameters.skip_check_if_outfile_exists:
        return
    # What was compared without sizes was not compared.
    by_folders = parameters.disk_check == RECHECK and not parameters.skip_check_filesize
    look = scanning.look_at_changed(context, subject) if by_folders else None
    if look is None:
        look = scanning.look_at_all(context, subject, remember=by_folders)
    _alarm(context, subject, look)
    _take_back(context, subject)
    losses = _losses(context, subject, look.suspects)
    if losses:
        require_there(subject.root)
        context.report.warned(f"{len(losses)} files are missing or damaged on disk and are fetched again")
        context.store.roots.record_losses(subject.run.id, losses, now=context.now())
    # Only now: what a mark covers is not looked at again.
    if by_folders:
        # A loss that was not recorded, as somebody changed its file meanwhile, is judged anew.
        look.marks.update(dict.fromkeys((path.rpartition("/")[0] for path in look.suspects), None))
        context.store.folders.remember(
            subject.root.id, subject.profile.name, look.marks, every=look.whole, now=subject.run.started_at
        )


def _alarm(context: Context, subject: Subject, look: scanning.Look) -> None:
    """Raise `StorageError` where more is gone than anybody would have deleted."""
    if look.missing <= FEWEST_ALARMING:
        return
    root, name = subject.root, subject.profile.name
    files = look.checked if look.whole else context.store.folders.count(root.id, name)
    if look.missing > max(FEWEST_ALARMING, ALARMING_SHARE * files):
        raise StorageError(
            f"{look.missing} of {files} files vanished from {root.path} since the last run",
            hint="Nothing was fetched or marked. Is a disk below it not mounted? If it is right that they "
            f"are gone: `jwstwatch root accept {root.path}`.",
        )


def _losses(context: Context, subject: Subject, suspects: Sequence[str]) -> list[Loss]:
    """Look again at what seemed wrong, each with what the state has of it now."""
    sizes = not subject.profile.parameters.skip_check_filesize
    losses: list[Loss] = []
    for paths in chunks(suspects):
        copies = context.store.roots.copies_at(subject.root.id, paths)
        found = looking.look(subject.root.path, [copy.path for copy in copies])
        for copy in copies:
            reason = _problem(copy, found.get(copy.path), sizes=sizes)
            if reason is not None:
                losses.append(Loss.of(copy, reason))
    return losses


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
