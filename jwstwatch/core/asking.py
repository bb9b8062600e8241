"""What to ask the archive this time: the window, and when to look again from the floor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jwstwatch.core.dates import DateRange, to_mjd


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """The parameters of a profile that bound an observation's start, and how often to look again.

    `dates` (MJD) overrides `lookback` (days; 0 = no lower limit); `whole` asks for everything, as a
    proposal without an explicit time parameter means.
    """

    dates: DateRange | None
    lookback: float
    whole: bool
    recheck: timedelta
    settle: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMemory:
    """What a profile remembers of its earlier runs; `floor` is MJD, None for no lower limit."""

    query_digest: str
    floor: float | None
    rechecked_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What this run asks: start times from `minimum` to `maximum` (MJD; None = no limit).

    `from_floor` says that the window reaches back to the floor, so that late arrivals are found;
    `everything` that every product list is wanted again, because the query itself is new.
    """

    minimum: float | None
    maximum: float | None
    floor: float | None
    from_floor: bool
    everything: bool


MARGIN = 0.1
"""Days beyond now where no upper limit is given: clocks differ."""


def ask(
    rules: TimeRules, memory: ProfileMemory | None, *, digest: str, now: datetime, full: bool = False
) -> Asking:
    """Decide the window of one run from the rules, what the profile remembers and the time."""
    everything = full or memory is None or memory.query_digest != digest
    due = memory is None or memory.rechecked_at is None or now - memory.rechecked_at >= rules.recheck
    from_floor = everything or due
    if rules.dates is not None:
        lower, upper = rules.dates.minimum, rules.dates.maximum
        return Asking(
            minimum=lower,
            maximum=to_mjd(now) + MARGIN if upper is None else upper,
            floor=lower,
            from_floor=from_floor,
            everything=everything,
        )
    if rules.whole or rules.lookback == 0:
        return Asking(minimum=None, maximum=None, floor=None, from_floor=from_floor, everything=everything)
    recent = to_mjd(now) - rules.lookback
    floor = _floor(recent, memory)
    minimum = floor if from_floor else _stretched(recent, rules, memory)
    return Asking(
        minimum=minimum,
        maximum=to_mjd(now) + MARGIN,
        floor=floor,
        from_floor=from_floor,
        everything=everything,
    )


def remembered(
    asking: Asking, memory: ProfileMemory | None, *, digest: str, started: datetime
) -> ProfileMemory:
    """Return what a profile remembers after a run whose listing was whole."""
    return ProfileMemory(
        query_digest=digest,
        floor=asking.floor,
        rechecked_at=started if asking.from_floor or memory is None else memory.rechecked_at,
        completed_at=started,
    )


def _floor(recent: float, memory: ProfileMemory | None) -> float:
    """The floor never slides forward; a longer look back lowers it."""
    return recent if memory is None or memory.floor is None else min(recent, memory.floor)


def _stretched(recent: float, rules: TimeRules, memory: ProfileMemory | None) -> float:
    """Reach back over a time in which nobody asked, by as much as a usual run does."""
    if memory is None or memory.completed_at is None:
        return recent
    return min(recent, to_mjd(memory.completed_at) - rules.lookback)
