"""An output folder is elsewhere now, or is to be taken as it is now. Nothing below it is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.disk import looking, markers
from jwstwatch.errors import UsageError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.roots import Copy, Loss, RootRecord
from jwstwatch.store.store import Store
from jwstwatch.store.verifications import Scope
from jwstwatch.sync import relocating

ACCEPTED = "missing on disk, as accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehoused:
    """A folder that moved: `inside` are output folders that lay in it and moved with it, `missing` copies
    that are not there, `remains` whether the former folder is there still, with the same marker."""

    root: RootRecord
    new: Path
    inside: tuple[tuple[Path, Path], ...] = ()
    missing: int = 0
    remains: bool = False


@dataclass(slots=True)
class Accepted:
    """What a folder that is accepted as it is lacks: number and bytes of the copies as they were known.

    `missing` ones are not there, `other` ones have another size, or something else is there; `lost` ones
    are neither there nor in the archive any more; `unsure` ones are there with another time.
    """

    made: bool = False
    renewed: bool = False
    files: int = 0
    missing: int = 0
    other: int = 0
    size: int = 0
    lost: int = 0
    unsure: int = 0


def find(store: Store, path: Path) -> RootRecord:
    """Return the root that somebody means by a path, also one that leads there by links; `UsageError`."""
    known = store.roots.all()
    for record in known:
        if record.path == path:
            return record
    for record in known:
        if record.path.resolve() == path.resolve():
            return record
    inside = next((record for record in known if path.is_relative_to(record.path)), None)
    paths = ", ".join(str(record.path) for record in known) or "none"
    hint = f"It lies in {inside.path}, which is one. " if inside is not None else ""
    raise UsageError(f"the state knows no output folder {path}", hint=f"{hint}It knows: {paths}.")


def move(store: Store, root: RootRecord, new: Path, *, profiles: Collection[str], now: datetime) -> Rehoused:
    """Tell the state that a folder is at `new`, where its marker has to be.

    Output folders that lay in it move along where they are found there. Raises `UsageError` where it is not
    the same folder, `BusyError` while a run works in it.
    """
    with translate_storage_errors(new):
        identity = markers.read(new)
    _require_same(store, root, new, identity)
    inside = {
        other: new / other.path.relative_to(root.path)
        for other in store.roots.all()
        if other.id != root.id and other.path.is_relative_to(root.path)
    }
    moved = {
        other: place
        for other, place in inside.items()
        if place != other.path
        and not markers.is_mounted(other.path, other.uuid)
        and markers.is_mounted(place, other.uuid)
    }
    for each in (root, *moved):
        store.roots.require_idle(each.id, profiles, now=now)
    remains = new != root.path and markers.is_mounted(root.path, root.uuid) and not _is_same(root.path, new)
    store.roots.move_all({root.id: new} | {other.id: place for other, place in moved.items()})
    missing = sum(found is None for lot in _lots(store, root, new) for _, found in lot)
    return Rehoused(
        root=root,
        new=new,
        inside=tuple((other.path, place) for other, place in moved.items()),
        missing=missing,
        remains=remains,
    )


def _require_same(store: Store, root: RootRecord, new: Path, identity: str | None) -> None:
    if new == root.path:
        raise UsageError(f"{new} is where the state has it already", hint="Give the new path second.")
    if store.roots.get(new) is not None:
        raise UsageError(
            f"{new} is an output folder of its own already", hint="`jwstwatch root list` shows them."
        )
    if identity == root.uuid:
        return
    other = next((each for each in store.roots.all() if each.uuid == identity), None)
    if other is not None:
        raise UsageError(
            f"{new} does not hold the marker of {root.path}, but that of {other.path}",
            hint=f"`jwstwatch root move {other.path} {new}` tells that this one moved.",
        )
    what = "there is no such folder" if not new.is_dir() else "it has no marker of its own"
    if identity is not None:
        what = "its marker is that of another state's folder"
    raise UsageError(
        f"{new} does not hold the marker of {root.path}: {what}",
        hint=f"Move or mount the folder with its {markers.MARKER}, then tell it again. If its files are "
        f"gone: `jwstwatch root accept {root.path}`.",
    )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def accept(store: Store, root: RootRecord, *, profiles: Collection[str], now: datetime) -> Accepted:
    """Take a folder as it is now: what is missing or has another size is wanted again.

    The folder and its marker are made where they are not there. Raises `UsageError` where it is another
    output folder, `BusyError` while a run works in it.
    """
    store.roots.require_idle(root.id, profiles, now=now)
    accepted = Accepted(files=root.files, made=not root.path.is_dir())
    with translate_storage_errors(root.path):
        found = markers.read(root.path)
    other = next((each for each in store.roots.all() if each.uuid == found and each.id != root.id), None)
    if other is not None:
        raise UsageError(
            f"{root.path} holds the marker of {other.path}",
            hint="One folder cannot be two output folders. Is another disk mounted there than should be?",
        )
    identity = markers.establish(root.path, expected=found or root.uuid, files=0)
    accepted.renewed = found is None
    if identity != root.uuid:
        store.roots.set_identity(root.id, identity)
        root = find(store, root.path)
    relocating.settle_root(store, root, now=now)
    for lot in _lots(store, root, root.path):
        losses = [loss for copy, entry in lot if (loss := _judged(root, copy, entry, accepted)) is not None]
        store.roots.record_losses(None, losses, now=now)
    _forget_kept(store, root)
    return accepted


def _forget_kept(store: Store, root: RootRecord) -> None:
    """Former copies that are not there can never come back: nobody is to miss them again."""
    kept = store.inventory.kept(Scope(), root.id)
    found = looking.look(root.path, [copy.path for copy in kept])
    store.inventory.forget_kept([copy for copy in kept if copy.path not in found])


def _judged(root: RootRecord, copy: Copy, entry: OnDisk | None, accepted: Accepted) -> Loss | None:
    loss = _loss(copy, entry)
    if loss is None:
        accepted.unsure += _has_other_time(root, copy)
    elif copy.gone:
        accepted.lost += 1
    else:
        accepted.missing += entry is None
        accepted.other += entry is not None
        accepted.size += copy.size or 0
    return loss


def _loss(copy: Copy, found: OnDisk | None) -> Loss | None:
    if found is None:
        return Loss.of(copy, ACCEPTED)
    if found.kind is not DiskKind.FILE:
        return Loss.of(copy, "something else stands at its path, as accepted")
    if copy.size is not None and found.size != copy.size:
        return Loss.of(copy, f"{found.size} of {copy.size} bytes on disk, as accepted")
    return None


def _has_other_time(root: RootRecord, copy: Copy) -> bool:
    try:
        return (
            copy.modified_ns is not None and (root.path / copy.path).lstat().st_mtime_ns != copy.modified_ns
        )
    except OSError:
        return True


def _lots(store: Store, root: RootRecord, place: Path) -> Iterator[list[tuple[Copy, OnDisk | None]]]:
    for copies in store.roots.copies(root.id):
        found = looking.look(place, [copy.path for copy in copies])
        yield [(copy, found.get(copy.path)) for copy in copies]
