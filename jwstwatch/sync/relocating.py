"""Give the files of a root the paths that the layout rules ask for, and finish what a kill left open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jwstwatch.config.settings import Profile
from jwstwatch.core import layout, relocation
from jwstwatch.core.planning import DiskKind
from jwstwatch.core.relocation import Move
from jwstwatch.disk import looking, markers
from jwstwatch.errors import BusyError, JwstwatchError, RootMissingError, UnsafePathError
from jwstwatch.store.relocations import ANOTHER, Shelved, Standing
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.store import Store
from jwstwatch.sync import moving, rules
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject

GROUP = 200
"""Files that are moved while the state is held against other writers."""

_ROOM_FOR_NAMES = 3
"""Names of profiles that are told, of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file of a root, and where it goes; `left` says why it stays where it is."""

    root: RootRecord
    file: Shelved
    to: str
    left: str | None = None

    @property
    def move(self) -> Move:
        """The move, without its root."""
        return Move(file_id=self.file.file_id, path=self.file.path, to=self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """So many copies of a profile lie in a folder (`root`) that is not its output folder (`now`) any more."""

    profile: str
    root: Path
    now: Path
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would move, in this order; what stays although another path is asked for; what is elsewhere.

    `joins` are second copies of what is at their path, or will be: their profiles take that one.
    """

    moves: Sequence[Placed] = ()
    joins: Sequence[Placed] = ()
    left: Sequence[Placed] = ()
    elsewhere: Sequence[Elsewhere] = ()


@dataclass(slots=True)
class Relaid:
    """What became of a proposal; `failure` ended it before its time."""

    moved: list[Placed] = field(default_factory=list)
    joined: list[Placed] = field(default_factory=list)
    refused: list[Placed] = field(default_factory=list)
    failure: JwstwatchError | None = None


def propose(profiles: Mapping[str, Profile], names: Collection[str], store: Store) -> Proposal:
    """Return what the layout rules of the named profiles ask for. Reads only.

    Every configured profile (`profiles`) has a say about the files that it wants. `RootMissingError` where a
    folder with files is not there.
    """
    folders = {name: rules.root_of(profile.parameters) for name, profile in profiles.items()}
    roots = {record.path: record for record in store.roots.all()}
    moves: list[Placed] = []
    joins: list[Placed] = []
    left: list[Placed] = []
    for path in dict.fromkeys(folders[name] for name in names):
        root = roots.get(path)
        if root is None:
            continue
        _require_there(root)
        here = {name: profiles[name] for name, folder in folders.items() if folder == path}
        wishes = list(_wishes(store, root, here, set(names)))
        going, second, staying = _arranged(store, root, wishes)
        moves += going
        joins += second
        left += staying
    elsewhere = tuple(
        Elsewhere(profile=name, root=Path(root_path), now=folders[name], files=files)
        for name in names
        for root_path, files in store.relocations.elsewhere(name, _id(roots.get(folders[name])))
    )
    return Proposal(moves=tuple(moves), joins=tuple(joins), left=tuple(left), elsewhere=elsewhere)


def _id(root: RootRecord | None) -> int | None:
    return root.id if root is not None else None


def _require_there(root: RootRecord) -> None:
    if root.files and not markers.is_mounted(root.path, root.uuid):
        raise RootMissingError(
            f"{root.path} is not there, or is another folder than the one with {root.files} known files: "
            f"its marker {markers.MARKER} is missing or foreign",
            hint=f"Is its disk mounted? If the folder moved: `jwstwatch root move {root.path} NEW`. "
            f"If it is right that the files are gone: `jwstwatch root accept {root.path}`.",
        )


def _wishes(
    store: Store, root: RootRecord, profiles: Mapping[str, Profile], names: Collection[str]
) -> Iterator[Placed]:
    """Yield the files whose path is not the one that their profiles' rules ask for."""
    layouts = {name: rules.layout_rules(profile.parameters) for name, profile in profiles.items()}
    for lot in store.relocations.shelf(root.id, list(profiles)):
        for file in lot:
            if not any(name in names for name in file.profiles):
                continue
            wished: dict[str, list[str]] = defaultdict(list)
            try:
                for name in file.profiles:
                    wished[layout.relative_path(file, layouts[name])].append(name)
            except UnsafePathError as error:
                yield Placed(root=root, file=file, to=file.path, left=error.message)
                continue
            if len(wished) > 1:
                yield Placed(root=root, file=file, to=file.path, left=_disagreement(wished))
                continue
            (to,) = wished
            if to != file.path:
                yield Placed(root=root, file=file, to=to, left=file.stays)


def _disagreement(wished: Mapping[str, Sequence[str]]) -> str:
    told = [
        f"{', '.join(names[:_ROOM_FOR_NAMES])}{' and others' if len(names) > _ROOM_FOR_NAMES else ''} "
        f"in {path.rpartition('/')[0] or 'the output folder itself'}"
        for path, names in wished.items()
    ]
    return f"profiles want it in different folders: {'; '.join(told)}"


def _arranged(
    store: Store, root: RootRecord, wishes: Sequence[Placed]
) -> tuple[list[Placed], list[Placed], list[Placed]]:
    """Return what can move, in order, what is a second copy of what is at its path, and what stays."""
    left = [each for each in wishes if each.left is not None]
    going = {each.file.file_id: each for each in wishes if each.left is None}
    taken = store.relocations.taken(root.id, [each.to for each in going.values()])
    occupied = {path: standing.file_id for path, standing in taken.items()}
    ordered, blocked = relocation.arrange([each.move for each in going.values()], occupied)
    for move in ordered:
        file = going[move.file_id].file
        taken[move.to] = Standing(file.file_id, file.product_id, has_copy=file.has_copy)
    second = [each for move in blocked for each in [going[move.file_id]] if _is_second(each, taken)]
    joining = {each.file.file_id for each in second}
    left += [_stays(going[move.file_id], ANOTHER) for move in blocked if move.file_id not in joining]
    moves: list[Placed] = []
    for start in range(0, len(ordered), GROUP):
        group = ordered[start : start + GROUP]
        problems = _on_disk(root, [going[move.file_id] for move in group])
        for move in group:
            placed, problem = going[move.file_id], problems.get(move.file_id)
            if problem is None:
                moves.append(placed)
            else:
                left.append(_stays(placed, problem))
    return moves, second, sorted(left, key=lambda each: each.file.path)


def _is_second(placed: Placed, taken: Mapping[str, Standing]) -> bool:
    there = taken.get(placed.to)
    if there is None or there.product_id != placed.file.product_id:
        return False
    return there.has_copy or not placed.file.has_copy


def _stays(placed: Placed, why: str) -> Placed:
    return Placed(root=placed.root, file=placed.file, to=placed.to, left=why)


def _on_disk(root: RootRecord, placed: Sequence[Placed]) -> dict[int, str]:
    """Return what one look at the disk says against moves."""
    paths = [path for each in placed for path in (each.file.path, each.to)]
    found = looking.look(root.path, paths)
    problems: dict[int, str] = {}
    leaving = {each.file.path for each in placed}
    for each in placed:
        here, there = found.get(each.file.path), found.get(each.to)
        if not each.file.has_copy and here is not None:
            problems[each.file.file_id] = moving.UNRECORDED
        elif each.file.has_copy and here is None and there is None:
            problems[each.file.file_id] = moving.MISSING
        elif here is not None and there is not None and each.to not in leaving:
            if moving.is_one_file(root.path / each.file.path, root.path / each.to):
                continue
            what = "a link" if there.kind is DiskKind.LINK else "something that the state does not know"
            problems[each.file.file_id] = f"{what} stands at its new path"
    return problems


def carry_out(store: Store, proposal: Proposal, *, now: datetime) -> Relaid:
    """Move what is proposed, as far as it still can be.

    A kill at any moment leaves every file whole; the next run, or the next call, settles the rest.
    """
    done = Relaid()
    for root in dict.fromkeys(placed.root for placed in proposal.moves):
        mine = {placed.file.file_id: placed for placed in proposal.moves if placed.root == root}
        mover = moving.Mover(root.path, root.uuid)
        for group in relocation.groups((placed.move for placed in mine.values()), GROUP):
            try:
                store.relocations.open(group, now=now)
                moved = store.relocations.carry_out([move.file_id for move in group], mover, now=now)
            except BusyError as error:
                done.failure = error
                return done
            for file_id, outcome in moved.items():
                if outcome.left is None:
                    done.moved.append(mine[file_id])
                else:
                    done.refused.append(_stays(mine[file_id], outcome.left))
            if mover.failure is not None:
                done.failure = mover.failure
                return done
    _join(store, proposal.joins, done, now=now)
    return done


def _join(store: Store, joins: Sequence[Placed], done: Relaid, *, now: datetime) -> None:
    for start in range(0, len(joins), GROUP):
        group = joins[start : start + GROUP]
        try:
            joined = set(store.relocations.join([(each.file, each.to) for each in group], now=now))
        except BusyError as error:
            done.failure = error
            return
        done.joined += [each for each in group if each.file.file_id in joined]
        done.refused += [_stays(each, ANOTHER) for each in group if each.file.file_id not in joined]


def settle(context: Context, subject: Subject) -> None:
    """Finish what a killed `relayout` was about to move in the root of a run."""
    settle_root(context.store, subject.root, now=context.now(), run_id=subject.run.id)


def settle_root(store: Store, root: RootRecord, *, now: datetime, run_id: int | None = None) -> int:
    """Finish what a killed `relayout` was about to move in a root; returns how many files now are moved.

    What cannot be moved stays where it is. Raises `StorageError` where the disk refuses, and, but for a run,
    `BusyError` while any run goes on.
    """
    settled = 0
    mover = moving.Mover(root.path, root.uuid)
    left_open = store.relocations.left_open(root.id)
    for start in range(0, len(left_open), GROUP):
        ids = left_open[start : start + GROUP]
        outcomes = store.relocations.carry_out(ids, mover, now=now, run_id=run_id)
        settled += sum(outcome.left is None for outcome in outcomes.values())
        if mover.failure is not None:
            raise mover.failure
    return settled


def settle_left_open(store: Store, *, now: datetime) -> None:
    """The same for every root that is there."""
    for root in store.roots.all():
        if markers.is_mounted(root.path, root.uuid):
            settle_root(store, root, now=now)
