"""What an observation should have and lacks, each gap with its reason, from what the state knows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.naming import parse_obs_id
from jwstwatch.core.planning import MISSING, NEW
from jwstwatch.core.sisters import CandidateFacts, Lack, Listed, Part, lacking_in_parts, lacking_products


class GapKind(StrEnum):
    """What sort of a gap it is, in the order in which they are told."""

    UNLISTED = "not listed yet"
    PLANNED = "planned"
    DETECTOR = "detector"
    SEGMENT = "segment"
    STAGE = "stage"
    PRODUCT = "product"
    UNSELECTED = "not selected"
    WANTED = "wanted"
    STALE = "stale"
    WITHHELD = "withheld"
    FAILED = "failed"
    DAMAGED = "damaged"
    GONE = "gone"


NOT_IN_ARCHIVE = "the archive does not list it"
NOT_SELECTED = "the archive lists it, no profile selects it"
NOT_EXECUTED = "planned, not executed so far"
NEVER_LISTED = "the archive was not asked for its products so far"
GONE = "no longer in the archive"
COPY_KEPT = "the copy is kept"
NO_COPY = "no copy is here"

_REASONS = {NEW: "not fetched yet", MISSING: "was here, is missing on disk"}
_OF_STATE = {
    FileState.WANTED: GapKind.WANTED,
    FileState.STALE: GapKind.STALE,
    FileState.WITHHELD: GapKind.WITHHELD,
    FileState.FAILED: GapKind.FAILED,
}
_ORDER = {kind: number for number, kind in enumerate(GapKind)}
_TYPES_SHOWN = 4

_Value = TypeVar("_Value", int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How one file of a product stands at one path; `selected` where a profile in question wants it."""

    state: FileState
    selected: bool = True
    has_copy: bool = True
    reason: str | None = None
    next_at: datetime | None = None
    """Not tried before then; of what is withheld, when it is released."""
    damage: str | None = None
    keeps: bool = False
    """An older revision is wanted to stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A product with its files; `dropped` where one was given up on purpose."""

    product: Listed
    copies: tuple[Copy, ...] = ()
    dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap: `count` files, detectors or segments of `what` are lacking; `names` where they are known."""

    proposal: int | None
    obsnum: int | None
    visit: int | None = None
    exposure: str | None = None
    kind: GapKind
    what: str
    count: int = 1
    names: tuple[str, ...] = ()
    reason: str
    next_at: datetime | None = None
    """Not tried before then; of what is withheld, when it is released."""
    queued: bool = False
    """The next run (or the first after `next_at`) tries to close it."""


def find_gaps(
    proposal: int | None,
    known: Sequence[Known],
    observations: Iterable[Observation] = (),
    *,
    unlisted: Collection[str] = (),
) -> tuple[Gap, ...]:
    """Return the gaps of a proposal, by observation: `known` is everything that the archive lists of it.

    `unlisted` are the `obs_id` of observations whose product lists were never there. Files that were dropped
    on purpose, and older revisions that are kept on purpose, are no gaps.
    """
    gaps, facts = find_part_gaps(proposal, known, observations, unlisted=unlisted)
    return tuple(sorted([*gaps, *find_product_gaps(proposal, [facts])], key=_place))


def find_part_gaps(
    proposal: int | None,
    known: Sequence[Known],
    observations: Iterable[Observation] = (),
    *,
    unlisted: Collection[str] = (),
) -> tuple[tuple[Gap, ...], CandidateFacts]:
    """Return the same for one observation number, but for level-3 products, and what tells of these."""
    lacks, facts = lacking_in_parts((entry.product for entry in known), unlisted)
    gaps = [_gap_of(proposal, lack) for lack in lacks]
    gaps += _observation_gaps(proposal, known, list(observations), unlisted)
    gaps += _file_gaps(proposal, known)
    return tuple(sorted(gaps, key=_place)), facts


def find_product_gaps(proposal: int | None, facts: Iterable[CandidateFacts]) -> tuple[Gap, ...]:
    """Return the level-3 products that are lacking, judged by all observations of a proposal."""
    return tuple(sorted((_gap_of(proposal, lack) for lack in lacking_products(facts)), key=_place))


def _gap_of(proposal: int | None, lack: Lack) -> Gap:
    return Gap(
        proposal=proposal,
        obsnum=lack.obsnum,
        visit=lack.visit,
        exposure=lack.exposure,
        kind=_KIND_OF[lack.part],
        what=lack.what,
        count=lack.count,
        names=lack.names,
        reason=NOT_IN_ARCHIVE,
    )


_KIND_OF = {
    Part.DETECTOR: GapKind.DETECTOR,
    Part.SEGMENT: GapKind.SEGMENT,
    Part.STAGE: GapKind.STAGE,
    Part.PRODUCT: GapKind.PRODUCT,
}


def _place(gap: Gap) -> tuple[object, ...]:
    """Return a place for each gap that does not depend on the order in which the state was read."""
    where = (gap.obsnum is None, gap.obsnum or 0, _ORDER[gap.kind], gap.exposure or "")
    return *where, gap.what, gap.reason, gap.queued, gap.names


def _observation_gaps(
    proposal: int | None,
    known: Iterable[Known],
    observations: Sequence[Observation],
    unlisted: Collection[str],
) -> Iterator[Gap]:
    """What has no data yet, and what was not asked for: one gap for each number of the plan."""
    numbers = {entry.obs_id: parse_obs_id(entry.obs_id).obsnum for entry in observations}
    executed = {entry.product.obsnum for entry in known}
    executed |= {numbers[entry.obs_id] for entry in observations if not entry.planned}
    executed -= {None}
    groups: dict[tuple[GapKind, int | None], list[Observation]] = defaultdict(list)
    for entry in observations:
        if entry.obs_id in unlisted:
            groups[GapKind.UNLISTED, numbers[entry.obs_id]].append(entry)
        # The state remembers the planned row of what was executed since, the archive does not.
        elif entry.planned and numbers[entry.obs_id] not in executed:
            groups[GapKind.PLANNED, numbers[entry.obs_id]].append(entry)
    for (kind, obsnum), entries in groups.items():
        targets = sorted({entry.target_name for entry in entries if entry.target_name})
        yield Gap(
            proposal=proposal,
            obsnum=obsnum,
            kind=kind,
            what=some(targets) or "an observation",
            count=len(entries),
            names=tuple(sorted(entry.obs_id for entry in entries)),
            reason=NOT_EXECUTED if kind is GapKind.PLANNED else NEVER_LISTED,
            queued=kind is GapKind.UNLISTED,
        )


@dataclass(slots=True)
class _Group:
    names: list[str] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    exposures: set[str | None] = field(default_factory=set)
    visits: set[int | None] = field(default_factory=set)
    next_at: datetime | None = None

    def add(self, product: Listed, next_at: datetime | None) -> None:
        self.names.append(product.name.name)
        self.types[product.name.filetype.removeprefix("_").removesuffix(".fits")] += 1
        self.exposures.add(product.name.exposure_key)
        self.visits.add(product.name.visit)
        if next_at is not None:
            self.next_at = next_at if self.next_at is None else min(self.next_at, next_at)


def _file_gaps(proposal: int | None, known: Sequence[Known]) -> Iterator[Gap]:
    groups: dict[tuple[int | None, GapKind, str, bool], _Group] = defaultdict(_Group)
    for entry in known:
        for copy in entry.copies:
            judged = _judge(copy)
            if judged is not None:
                groups[entry.product.obsnum, *judged].add(entry.product, copy.next_at)
    for product in _unselected(known):
        groups[product.obsnum, GapKind.UNSELECTED, NOT_SELECTED, False].add(product, None)
    for (obsnum, kind, reason, queued), group in groups.items():
        yield Gap(
            proposal=proposal,
            obsnum=obsnum,
            visit=_only(group.visits),
            exposure=_only(group.exposures),
            kind=kind,
            what=some(sorted(group.types, key=lambda name: (-group.types[name], name))),
            count=len(group.names),
            names=tuple(sorted(group.names)),
            reason=reason,
            next_at=group.next_at,
            queued=queued,
        )


def _judge(copy: Copy) -> tuple[GapKind, str, bool] | None:
    """Say what is wrong with a file, and whether runs go on to try; of one that nobody wants nothing is."""
    if not copy.selected:
        return None
    if copy.damage is not None and copy.has_copy:
        return GapKind.DAMAGED, copy.damage, copy.state is FileState.STALE
    if copy.state is FileState.GONE:
        return GapKind.GONE, f"{copy.reason or GONE}; {COPY_KEPT if copy.has_copy else NO_COPY}", False
    if copy.state is FileState.PRESENT or (copy.state is FileState.STALE and copy.keeps):
        return None
    reason = copy.reason or ""
    return _OF_STATE[copy.state], _REASONS.get(reason, reason) or "not fetched yet", True


def _unselected(known: Iterable[Known]) -> list[Listed]:
    """Return what is listed and nobody wants, though of most of its sisters somebody does."""
    sisters: dict[Hashable, list[tuple[Known, bool]]] = defaultdict(list)
    for entry in known:
        product, name = entry.product, entry.product.name
        if name.exposure_key is not None and product.listed:
            key = (product.obsnum, product.mode, name.parallel, name.detector, name.filetype, name.candidate)
            selected = entry.dropped or any(copy.selected for copy in entry.copies)
            sisters[key].append((entry, selected))
    return [
        entry.product
        for members in sisters.values()
        if 2 * sum(selected for _, selected in members) > len(members)
        for entry, selected in members
        if not selected and not any(copy.has_copy for copy in entry.copies)
    ]


def _only(values: set[_Value | None]) -> _Value | None:
    return next(iter(values)) if len(values) == 1 else None


def some(words: Sequence[str]) -> str:
    """Name the first few, and how many more there are."""
    shown = ", ".join(words[:_TYPES_SHOWN])
    return shown if len(words) <= _TYPES_SHOWN else f"{shown} and {len(words) - _TYPES_SHOWN} more"
