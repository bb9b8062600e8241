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
    batch: int | None = None
    """Observations in a product question that the archive answered in good time."""


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


_TICK = timedelta(microseconds=1)

CLOCKS_DIFFER = timedelta(minutes=5)
"""A clock that is set right goes back by so much without a word."""

MARGIN = 0.1
"""Days beyond now where no upper limit is given: clocks differ."""


def ask(
    rules: TimeRules, memory: ProfileMemory | None, *, digest: str, now: datetime, full: bool = False
) -> Asking:
    """Decide the window of one run from the rules, what the profile remembers and the time."""
    everything = full or memory is None or memory.query_digest != digest
    from_floor = everything or memory is None or _is_due(memory.rechecked_at, rules.recheck, now)
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


def _is_due(rechecked_at: datetime | None, recheck: timedelta, now: datetime) -> bool:
    """Return whether to look from the floor again; a time that lies ahead was told by a wrong clock."""
    if rechecked_at is None:
        return True
    return now - rechecked_at >= recheck or rechecked_at - now > CLOCKS_DIFFER


def remembered(
    asking: Asking,
    memory: ProfileMemory | None,
    *,
    digest: str,
    started: datetime,
    batch: int | None = None,
) -> ProfileMemory:
    """Return what a profile remembers after a run whose listing was whole."""
    return ProfileMemory(
        query_digest=digest,
        floor=asking.floor,
        rechecked_at=started if asking.from_floor or memory is None else memory.rechecked_at,
        completed_at=started,
        batch=batch,
    )


def recheck_quota(known: int, *, recheck: timedelta, completed_at: datetime | None, now: datetime) -> int:
    """Return how many of `known` observations, the oldest-checked first, a run asks for again.

    Each run bears the share of the period that passed since the last whole listing, so that over a period
    all are asked, a few at a time. What rounding leaves over comes when it is older than `recheck`.
    """
    if recheck <= timedelta(0):
        return known
    passed = timedelta(0) if completed_at is None else max(now - completed_at, timedelta(0))
    return known * (min(passed, recheck) // _TICK) // (recheck // _TICK)


def _floor(recent: float, memory: ProfileMemory | None) -> float:
    """The floor never slides forward; a longer look back lowers it."""
    return recent if memory is None or memory.floor is None else min(recent, memory.floor)


def _stretched(recent: float, rules: TimeRules, memory: ProfileMemory | None) -> float:
    """Reach back over a time in which nobody asked, by as much as a usual run does."""
    if memory is None or memory.completed_at is None:
        return recent
    return min(recent, to_mjd(memory.completed_at) - rules.lookback)
