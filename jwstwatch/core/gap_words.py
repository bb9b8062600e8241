"""Gaps in words for people: those that are alike in one line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jwstwatch.core.amounts import files_text
from jwstwatch.core.dates import iso
from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.space import Limit, waiting_for

_ROOM = "once there is room"
_WAITING: Mapping[Limit | None, str] = {
    Limit.SPACE: _ROOM,
    Limit.QUOTA: _ROOM,
    Limit.BUDGET: "on a later day",
}
_STRUCTURE = frozenset((GapKind.DETECTOR, GapKind.SEGMENT, GapKind.STAGE, GapKind.PRODUCT))


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLine:
    """Gaps of one observation that have kind and reason in common, in words for people."""

    obsnum: int | None
    kind: GapKind
    lacking: str
    reason: str
    next: str
    """When that may change; empty where nobody knows."""
    count: int
    names: tuple[str, ...]
    """The first few, where they are known."""


def summarise(gaps: Iterable[Gap], *, names: int = 3) -> list[GapLine]:
    """Return one line for gaps that differ in their exposure only, in the order they come in."""
    alike: dict[tuple[object, ...], list[Gap]] = defaultdict(list)
    for gap in gaps:
        what = gap.what if gap.kind in _STRUCTURE else ""
        alike[gap.obsnum, gap.kind, what, gap.reason, gap.queued].append(gap)
    return [
        GapLine(
            obsnum=members[0].obsnum,
            kind=members[0].kind,
            lacking=_lacking_text(members),
            reason=members[0].reason,
            next=_next_text(members),
            count=sum(gap.count for gap in members),
            names=tuple(name for gap in members for name in gap.names[:names])[:names],
        )
        for members in alike.values()
    ]


def _lacking_text(gaps: Sequence[Gap]) -> str:
    kind, what, count = gaps[0].kind, gaps[0].what, sum(gap.count for gap in gaps)
    if kind is GapKind.PRODUCT:
        return f"level-3 product of {what}"
    if kind in _STRUCTURE:
        return f"{what} of " + (f"{len(gaps)} exposures" if len(gaps) > 1 else str(gaps[0].exposure))
    if kind in (GapKind.PLANNED, GapKind.UNLISTED):
        return what if count == 1 else f"{what} ({count:,} observations in the archive)"
    return f"{files_text(count)}: {what}"


def _next_text(gaps: Sequence[Gap]) -> str:
    kind = gaps[0].kind
    times = [gap.next_at for gap in gaps if gap.next_at is not None]
    if times:
        return ("released " if kind is GapKind.WITHHELD else "from ") + (iso(min(times)) or "")
    if kind is GapKind.WITHHELD:
        return ""
    if gaps[0].queued:
        return _WAITING.get(waiting_for(gaps[0].reason), "at the next run")
    return "verify --repair" if kind is GapKind.DAMAGED else ""


def count_by_kind(gaps: Iterable[Gap]) -> dict[GapKind, int]:
    """Return how much is lacking of each kind, in their order."""
    counts = Counter[GapKind]()
    for gap in gaps:
        counts[gap.kind] += gap.count
    return {kind: counts[kind] for kind in GapKind if counts[kind]}
