"""The disk against the state: what is as it was verified, what is not, and what stands there besides."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from jwstwatch.core.dates import iso
from jwstwatch.disk import markers
from jwstwatch.errors import StorageError
from jwstwatch.store.inventory import Kept
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sqlite_files import is_on_network
from jwstwatch.store.store import Store
from jwstwatch.store.verifications import Begun, Believed, Present, Scope, Tally
from jwstwatch.sync import inspecting, mending, roots, strangers, summing
from jwstwatch.sync.inspecting import Fault, Finding, Glance, StoppedError, Way
from jwstwatch.sync.mending import Mended
from jwstwatch.sync.strangers import Strangers
from jwstwatch.transfer.bandwidth import Bandwidth

GROUP = 200
"""Files whose results are committed together, at most."""
PATIENCE = 3.0
"""Seconds after which results are committed, however few they are."""
JOBS_ON_NETWORK = 8
"""Folders that are read at the same time on a network file system, where waiting costs most; else one."""
_MANY = 100_000
"""Names of one folder that are no copies, from which on they are not held in memory."""
_LOOKS = 3
"""Times that a file which is replaced again and again is looked at."""


class Watcher(Protocol):
    """Watches a verification; its methods may be called from any thread."""

    def step(self, text: str) -> None:
        """Something else begins."""

    def began(self, *, files: int, size: int, done_files: int, done_size: int) -> None:
        """There is so much to look at; sizes are of what is to be read, 0 where nothing is read."""

    def read(self, count: int) -> None:
        """So many more bytes are read."""

    def looked_at(self, count: int) -> None:
        """So many more files are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be verified, and how."""

    scope: Scope
    deep: bool = False
    """Read every copy, and compare its SHA-256."""
    repair: bool = False
    """Let what is bad be fetched again."""
    sums: bool = False
    """Write `SHA256SUMS` into each output folder."""
    restart: bool = False
    """Begin anew, although a deep verification of the same was interrupted."""
    jobs: int | None = None
    """Folders at the same time; None: as many as suit the file system."""
    rate: int | None = None
    """Bytes a second at most, of all jobs together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A copy that is not as it was verified; `revision` is that of a former copy which was kept."""

    path: Path
    problem: str
    fault: Fault
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification found: files, and bytes that were read."""

    checked: int
    size: int
    bad: tuple[Bad, ...]
    kept: int
    """Former copies that were looked at."""
    unhashed: int
    """Copies whose content could not be compared: the state has no SHA-256 of them."""
    strangers: Strangers
    stopped: bool
    resumed_at: datetime | None
    mended: Mended | None
    alarm: StorageError | None
    sums: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """Whether every copy was looked at, and every folder could be."""
        return not self.stopped and not self.strangers.unreadable


def verify(
    store: Store, order: Order, *, stop: threading.Event, now: Callable[[], datetime], watch: Watcher
) -> Report:
    """Compare the copies of a scope with the disk, and tell what else stands there; nothing on disk changes.

    A deep verification keeps what it found as it goes, and goes on where one that was stopped left off.
    Raises `RootMissingError` where a root is absent or foreign, or becomes so, before anything is concluded
    from it, and `StorageError` where a disk goes away.
    """
    return _Verification(store, order, stop=stop, now=now, watch=watch).carry_out()


class _Verification:
    """One verification; what it found so far."""

    def __init__(
        self,
        store: Store,
        order: Order,
        *,
        stop: threading.Event,
        now: Callable[[], datetime],
        watch: Watcher,
    ) -> None:
        self._store = store
        self._order = order
        self._stop = stop
        self._now = now
        self._watch = watch
        self._bandwidth = Bandwidth(order.rate)
        self._begun: Begun | None = None
        self._tallies: Mapping[int, Tally] = {}
        self._bad: list[Finding[Believed]] = []
        self._bad_kept: list[tuple[RootRecord, Finding[Kept]]] = []
        self._checked = self._size = self._kept = self._unhashed = 0
        self._strangers = Strangers()
        self._beside: dict[int, dict[str, frozenset[str]]] = {}
        """By root and folder the names of what is no copy of the scope."""

    def carry_out(self) -> Report:
        """Look at everything, then do what was asked for besides."""
        self._tallies = self._store.verifications.tallies(self._order.scope)
        every = self._roots()
        self._begin(every)
        for root in every:
            self._inspect(root)
        for root in every:
            self._inspect_kept(root)
        if self._begun is not None and not self._stop.is_set():
            self._store.verifications.finish(self._order.scope, now=self._now())
        for root in every:
            self._look_for_strangers(root)
        return self._conclude(every)

    def _roots(self) -> list[RootRecord]:
        """Return the roots of the scope, each of which is there; those without any copy only if they are."""
        found = []
        for root in self._store.roots.all():
            if root.id in self._tallies:
                markers.recognise(root.path, expected=root.uuid, files=root.files)
                found.append(root)
            elif self._order.scope.is_whole and markers.is_mounted(root.path, root.uuid):
                found.append(root)
        return found

    def _begin(self, every: Sequence[RootRecord]) -> None:
        done_files = done_size = 0
        if self._order.deep:
            begun = self._store.verifications.begin(
                self._order.scope, restart=self._order.restart, now=self._now()
            )
            self._begun = begun
            self._tallies = self._store.verifications.tallies(self._order.scope, since=begun.started_at)
            done_files = sum(tally.done_files for tally in self._tallies.values())
            done_size = sum(tally.done_size for tally in self._tallies.values())
        files = sum(tally.files for tally in self._tallies.values())
        size = self._to_read(every) if self._order.deep else 0
        if self._begun is not None and done_files:
            self._checked, self._size = done_files, done_size
            known = self._store.verifications.damaged(self._order.scope, since=self._begun.started_at)
            self._bad += [Finding(copy=copy, problem=copy.damage) for copy in known]
            when = iso(self._begun.stopped_at)
            self._watch.step(f"goes on where it stopped on {when}: {done_files} of {files} files are done")
        self._watch.began(files=files, size=size, done_files=done_files, done_size=done_size)

    def _to_read(self, every: Sequence[RootRecord]) -> int:
        """Return the bytes of all copies; those that were kept are read anew each time."""
        kept = [copy for root in every for copy in self._store.inventory.kept(self._order.scope, root.id)]
        return sum(tally.size for tally in self._tallies.values()) + sum(copy.size or 0 for copy in kept)

    def _way(self, root: RootRecord) -> Way:
        jobs = self._order.jobs or (JOBS_ON_NETWORK if is_on_network(root.path) else 1)
        return Way(deep=self._order.deep, jobs=jobs, stop=self._stop, passed=self._passed)

    def _passed(self, count: int) -> None:
        """A block was read, in any thread: be slow where that is asked for, and stop where that is."""
        self._bandwidth.take(count, sleep=self._stop.wait)
        self._watch.read(count)
        if self._stop.is_set():
            raise StoppedError

    def _inspect(self, root: RootRecord) -> None:
        if self._order.deep:
            self._read_all(root)
        else:
            self._glance_at_all(root)

    def _glance_at_all(self, root: RootRecord) -> None:
        """Look once at each folder; only what is not as it should be is looked at by itself."""
        doubtful: list[str] = []
        folders = self._store.verifications.folders(self._order.scope, root.id)
        for glance in inspecting.glance(root.path, folders, self._way(root)):
            self._note_beside(root, glance)
            self._checked += glance.sound
            self._watch.looked_at(glance.sound)
            doubtful += glance.doubtful
            while len(doubtful) >= GROUP:
                self._judge(root, doubtful[:GROUP])
                del doubtful[:GROUP]
        self._judge(root, doubtful)

    def _judge(self, root: RootRecord, paths: Sequence[str]) -> None:
        copies = self._store.verifications.at(root.id, paths)
        self._keep(root, list(inspecting.judge_all(root.path, copies, self._way(root))))

    def _note_beside(self, root: RootRecord, glance: Glance) -> None:
        """Remember what else is in a folder, of which a part may have been seen before."""
        beside = self._beside.setdefault(root.id, {})
        if glance.beside is not None and len(glance.beside) <= _MANY:
            before = beside.get(glance.folder, glance.beside)
            beside[glance.folder] = frozenset(glance.beside).intersection(before)

    def _read_all(self, root: RootRecord) -> None:
        since = self._begun.started_at if self._begun else None
        lots = self._store.verifications.copies(self._order.scope, root.id, unread_since=since)
        group: list[Finding[Believed]] = []
        committed = time.monotonic()
        for finding in inspecting.inspect(root.path, lots, self._way(root)):
            group.append(finding)
            if len(group) >= GROUP or time.monotonic() - committed >= PATIENCE:
                self._keep(root, group)
                group, committed = [], time.monotonic()
        self._keep(root, group)

    def _keep(self, root: RootRecord, group: Sequence[Finding[Believed]]) -> None:
        """Conclude what some findings mean, and remember it."""
        suspected = [finding for finding in group if finding.problem is not None]
        if suspected:
            roots.require_there(root)
        sound = [finding for finding in group if finding.problem is None]
        judged = [*sound, *self._confirmed(root, suspected)]
        if self._begun is not None:
            now = max(self._now(), self._begun.started_at)
            self._store.verifications.note([(each.copy, each.problem) for each in judged], now=now)
        self._bad += [finding for finding in judged if finding.problem is not None]
        self._checked += len(judged)
        if self._order.deep:
            self._size += sum(finding.size or 0 for finding in judged if finding.sha256 is not None)
            self._unhashed += sum(not finding.copy.sha256 for finding in judged)
        self._watch.looked_at(len(group))

    def _confirmed(self, root: RootRecord, suspected: Sequence[Finding[Believed]]) -> list[Finding[Believed]]:
        """Look at suspected copies as the state has them now: a run may have replaced them meanwhile."""
        judged: list[Finding[Believed]] = []
        way = self._way(root)
        for _ in range(_LOOKS):
            if not suspected:
                break
            present = self._store.verifications.look_again([each.copy.file_id for each in suspected])
            changed: list[Finding[Believed]] = []
            for finding in suspected:
                now = present.get(finding.copy.file_id)
                if now is None or _is_explained(root.path, finding, now):
                    continue
                if now.copy.is_same_copy(finding.copy):
                    judged.append(finding)
                    continue
                try:
                    changed.append(inspecting.judge_now(root.path, now.copy, way))
                except StoppedError:
                    return judged
            judged += [finding for finding in changed if finding.problem is None]
            suspected = [finding for finding in changed if finding.problem is not None]
        return judged

    def _inspect_kept(self, root: RootRecord) -> None:
        """Look at the copies that were kept when newer ones took their places."""
        kept = self._store.inventory.kept(self._order.scope, root.id)
        findings = list(inspecting.inspect(root.path, [kept], self._way(root))) if kept else []
        self._kept += len(findings)
        if self._order.deep:
            self._size += sum(finding.size or 0 for finding in findings if finding.sha256 is not None)
        suspected = [finding for finding in findings if finding.problem is not None]
        if not suspected:
            return
        roots.require_there(root)
        still = set(self._store.inventory.kept(self._order.scope, root.id))
        self._bad_kept += [(root, finding) for finding in suspected if finding.copy in still]

    def _look_for_strangers(self, root: RootRecord) -> None:
        folders: Collection[str] | None = None
        if not self._order.scope.is_whole:
            folders = {
                lying.folder for lying in self._store.verifications.folders(self._order.scope, root.id)
            }
        if not self._stop.is_set():
            search = strangers.Search(root=root, folders=folders, beside=self._beside.get(root.id, {}))
            strangers.search(self._store, search, stop=self._stop, found=self._strangers)

    def _conclude(self, every: Sequence[RootRecord]) -> Report:
        stopped = self._stop.is_set()
        alarm = mended = None
        if self._order.repair and not stopped:
            counts = {root_id: tally.files for root_id, tally in self._tallies.items()}
            alarm = mending.alarm(self._bad, every, counts)
            mended = Mended() if alarm else mending.mend(self._store, self._bad, now=self._now())
            lost = [finding.copy for _, finding in self._bad_kept if finding.fault is Fault.MISSING]
            if alarm is None and lost:
                self._store.inventory.forget_kept(lost)
        sums: list[Path] = []
        if self._order.sums and not stopped and alarm is None:
            self._watch.step(f"writing {summing.SUMS}")
            sums = [self._write_sums(root) for root in every]
        return Report(
            checked=self._checked,
            size=self._size,
            bad=self._told(every),
            kept=self._kept,
            unhashed=self._unhashed,
            strangers=self._strangers,
            stopped=stopped,
            resumed_at=self._begun.stopped_at if self._begun else None,
            mended=mended,
            alarm=alarm,
            sums=tuple(sums),
        )

    def _write_sums(self, root: RootRecord) -> Path:
        roots.require_there(root)
        bad = {finding.copy.path for finding in self._bad if finding.copy.root_id == root.id}
        return summing.write_sums(self._store, root, without=bad)

    def _told(self, every: Sequence[RootRecord]) -> tuple[Bad, ...]:
        paths = {root.id: root.path for root in every}
        told = [
            Bad(path=paths[each.copy.root_id] / each.copy.path, problem=each.problem, fault=each.fault)
            for each in self._bad
            if each.problem is not None and each.fault is not None
        ]
        told += [
            Bad(
                path=root.path / each.copy.path,
                problem=each.problem,
                fault=each.fault,
                revision=each.copy.revision,
            )
            for root, each in self._bad_kept
            if each.problem is not None and each.fault is not None
        ]
        return tuple(sorted(told, key=lambda bad: bad.path))


def _is_explained(root: Path, finding: Finding[Believed], now: Present) -> bool:
    """Tell a copy that is being replaced or moved at this moment, and not recorded yet, from a bad one."""
    if now.placing is not None and finding.fault in (Fault.CUT, Fault.CONTENT):
        size, sha256 = now.placing
        if finding.sha256 is None:
            return finding.size == size
        return (finding.size, finding.sha256) == (size, sha256)
    if now.moving_to is not None and finding.fault is Fault.MISSING:
        return os.path.lexists(root / now.moving_to)
    return False
