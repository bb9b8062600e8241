"""A plan against what there is room for: how much of it may go, and why the rest waits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.core import space
from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.planning import Ranking
from jwstwatch.core.space import Admission, Budget, Limit, Need
from jwstwatch.disk import looking
from jwstwatch.errors import StorageError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.bulk import chunks
from jwstwatch.store.reservations import Due, Planned, Room
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.transfer.partial import part_name

_END = (2**31 - 1, 0)
"""After every place in a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is due in a run: number and bytes, as listed; `usual` stands for a size that is not listed.

    `waits` are the reasons of those that wait for room since an earlier run.
    """

    due: Due
    files: int
    size: int
    usual: int
    waits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk of an output folder; sizes in bytes. `kept` are never filled."""

    path: Path
    device: int
    block: int
    kept: int

    def left(self) -> int:
        """Return what may be written there now; less than nothing where others filled it."""
        with translate_storage_errors(self.path):
            status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize - self.kept


def outline(context: Context, subject: Subject) -> Outline:
    """Look at what is due, and bring it into the order that the profile's `priority` asks for now."""
    due = Due(
        run_id=subject.run.id,
        profile=subject.profile.name,
        now=context.now(),
        force=subject.options.force,
    )
    lots = context.store.reservations.lots(due)
    ranking = Ranking(subject.profile.parameters.priority)
    ranks = [(lot, ranking.of(lot.filetype, lot.calib_level, replaces=lot.replaces)) for lot in lots]
    moved = [(lot, rank) for lot, rank in ranks if rank != lot.priority]
    if moved:
        context.store.reservations.rank(due, moved)
    size, listed = sum(lot.size for lot in lots), sum(lot.listed for lot in lots)
    return Outline(
        due=due,
        files=sum(lot.files for lot in lots),
        size=size,
        usual=size // listed if listed else 0,
        waits=tuple(dict.fromkeys(lot.waits for lot in lots if lot.waits is not None)),
    )


def look_at_disk(subject: Subject) -> Disk:
    """Return the disk of the output folder, or where that would be made."""
    root = subject.root.path
    path = next((folder for folder in (root, *root.parents) if folder.is_dir()), root)
    with translate_storage_errors(path):
        status, device = os.statvfs(path), path.stat().st_dev
    kept = space.kept_free(subject.profile.parameters.min_free, total=status.f_blocks * status.f_frsize)
    return Disk(path=path, device=device, block=status.f_frsize, kept=kept)


def foresee(context: Context, subject: Subject) -> tuple[Admission, StorageError | None]:
    """Return how far a run would get, and why not further; nothing is reserved or marked."""
    found, disk = outline(context, subject), look_at_disk(subject)
    room = context.store.reservations.look(subject.run.id, device=disk.device, measure=disk.left)
    weighing = Weighing(context, subject, found, disk)
    admission = weighing.admit(room)
    return admission, weighing.refusal(admission, room)


def budget_of(context: Context, subject: Subject) -> Budget | None:
    """Return what replacements of older revisions may take now; None where nothing limits them.

    What somebody asks for with `clobber` is limited by nothing but room.
    """
    size = subject.profile.parameters.reprocess_budget
    if size is None or subject.profile.parameters.clobber:
        return None
    return Budget(size, context.store.reactions.spent(subject.profile.name, now=context.now()))


def within_budget(context: Context, subject: Subject) -> tuple[int, int]:
    """Return number and bytes of the files of the plan that the day's budget lets through."""
    found, budget = outline(context, subject), budget_of(context, subject)
    if budget is None:
        return found.files, found.size
    needs = (
        Need(file.listed_size or 0, place=file.place, replaces=file.replaces)
        for file in context.store.reservations.plan(found.due)
    )
    admission = space.admit(needs, room=None, quota=None, at_once=1, budget=budget)
    return admission.files, admission.new


class Weighing:
    """A plan against what there is room for."""

    def __init__(self, context: Context, subject: Subject, found: Outline, disk: Disk) -> None:
        self.context, self.subject, self.found, self.disk = context, subject, found, disk
        self._quota = subject.profile.parameters.quota
        self._used = 0
        if self._quota is not None:
            self._used = context.store.reservations.used(subject.profile.name)
        self.budget = budget_of(context, subject)

    @property
    def quota_left(self) -> int | None:
        """Return the bytes that the quota had left when it was looked at, None without one."""
        return None if self._quota is None else self._quota - self._used

    def admit(self, room: Room) -> Admission:
        """Return how many files may go; partial files are looked for only where it matters."""
        admission = self._admit(room, partials=False)
        return self._admit(room, partials=True) if admission.limit is Limit.SPACE else admission

    def fitting(self, needs: Iterable[Need], left: int) -> Admission:
        """Return how many files, from the first on, `left` bytes of the disk have room for."""
        at_once, block = self.context.mast.connections, self.disk.block
        return space.admit(needs, room=left, quota=None, at_once=at_once, block=block)

    def keeps_aside(self, name: str) -> bool:
        """Tell whether the older revision of a file stays on the disk when it is replaced."""
        return self.subject.profile.parameters.kept_copies(name) > 0

    def listed_or_usual(self, listed: int | None) -> int:
        """Return what a file with this listed size is taken to have."""
        return self.found.usual if listed is None else listed

    def reason(self, limit: Limit) -> str:
        """Return why a file waits."""
        if limit is Limit.SPACE:
            return space.waits_for_space(self.subject.root.path)
        if limit is Limit.BUDGET:
            return space.waits_for_budget(size_text(self.budget.size if self.budget else 0))
        return space.waits_for_quota(size_text(self._quota or 0))

    def refusal(self, admission: Admission, room: Room) -> StorageError | None:
        """Return what is lacking for all of the plan to go; None where nothing is, but time perhaps."""
        if admission.limit is None or not admission.limit.is_lack:
            return None
        waiting = f"{files_text(admission.waiting)}, {size_text(admission.waiting_bytes)}"
        following = f", the next file takes {size_text(admission.next)}" if admission.next else ""
        if admission.limit is Limit.QUOTA:
            used = size_text(max(0, self._used + admission.net))
            return StorageError(
                f"{waiting} wait for the quota of {size_text(self._quota or 0)}: {used} are used{following}",
                hint=f"Raise quota by {_amount(admission.lacking)}, or narrow the profile.",
            )
        left = max(0, room.size + room.others + self.disk.kept - admission.reserved)
        others = f", {size_text(room.others)} are reserved by other runs" if room.others else ""
        return StorageError(
            f"{waiting} wait for space on {self.subject.root.path}: {size_text(left)} are left, "
            f"{size_text(self.disk.kept)} are kept free{others}{following}",
            hint=f"Free {_amount(admission.lacking)} there, or lower min_free; the next run goes on.",
        )

    def _admit(self, room: Room, *, partials: bool) -> Admission:
        plan = self.context.store.reservations.plan(self.found.due)
        needs = self._with_partials(plan) if partials else (self._need(file, 0) for file in plan)
        return space.admit(
            needs,
            room=room.size,
            quota=self.quota_left,
            at_once=self.context.mast.connections,
            block=self.disk.block,
            budget=self.budget,
        )

    def first_update(self) -> tuple[int, int]:
        """Return where in the plan the replacements of older revisions begin; without any, its end."""
        plan = self.context.store.reservations.plan(self.found.due)
        return next((file.place for file in plan if file.replaces), _END)

    def _with_partials(self, plan: Iterable[Planned]) -> Iterator[Need]:
        for some in chunks(plan):
            parts = [part_of(file.path, file.name, file.revision) for file in some]
            there = looking.look(self.subject.root.path, parts)
            for file, part in zip(some, parts, strict=True):
                yield self._need(file, there[part].size if part in there else 0)

    def _need(self, file: Planned, there: int) -> Need:
        return Need(
            self.listed_or_usual(file.listed_size),
            file.copy_size,
            there,
            place=file.place,
            replaces=file.replaces,
            aside=file.replaces and self.keeps_aside(file.name),
        )


def _amount(lacking: int) -> str:
    return size_text(lacking) if lacking else "some space"


def part_of(path: str, name: str, revision: int) -> str:
    """Return where, below the root, the partial of a file lies that is to be at `path`."""
    folder, sign, _ = path.rpartition("/")
    return f"{folder}{sign}{part_name(name, revision)}"
