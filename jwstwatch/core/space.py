"""How much of a plan a disk, a quota or a day's budget has room for: plan in order x room -> what may go."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

KEPT_FREE = 10**9
"""Bytes kept free on a disk where nobody says otherwise, unless that is more than a hundredth of it."""


class Limit(StrEnum):
    """What keeps a file waiting."""

    SPACE = "space"
    QUOTA = "quota"
    BUDGET = "reprocess_budget"

    @property
    def is_lack(self) -> bool:
        """Return whether something is lacking: a budget's files come by themselves, a day later."""
        return self is not Limit.BUDGET


@dataclass(frozen=True, slots=True)
class Need:
    """What a file takes, in bytes: `new` of the coming content, `old` of the copy that it replaces.

    The old copy stands until the new one is in its place. `there` bytes of the new one are on disk already.
    `place` tells where in the plan it comes; `replaces`, that an older revision is there, and known; `aside`,
    that the old copy is kept beside the new one, outside of any quota.
    """

    new: int
    old: int = 0
    there: int = 0
    place: tuple[int, int] | None = None
    replaces: bool = False
    aside: bool = False

    @property
    def net(self) -> int:
        """What a profile's files take more once it is in its place; less than nothing where it is smaller."""
        return self.new - self.old


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that replacements of older revisions may take in a day, and those of the day before now."""

    size: int
    spent: int = 0

    def allows(self, new: int, *, before: int) -> bool:
        """Return whether `new` bytes may go after `before` of the same run.

        What is larger than a whole day's budget goes while any of that is left, else it would wait for ever,
        and all that comes after it: hardly a day spends nothing.
        """
        spent = self.spent + before
        if new > self.size:
            return not spent or spent < self.size
        return not spent or spent + new <= self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """How many files of a plan, from its beginning, may go: `new` are their bytes.

    `net` is what they add to the copies there are, `reserved` the most that they take on the disk at any
    moment. Of the rest `waiting` files and `waiting_bytes` are left, from the place `first` on (a file of
    `next` bytes), for `limit`; `lacking` more bytes there would do for all of it.
    """

    files: int
    new: int
    reserved: int
    net: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    first: tuple[int, int] | None = None
    next: int = 0
    limit: Limit | None = None
    lacking: int = 0


class _Disk:
    """The most that the files so far take at once: all of them net, and the old copies of those in flight."""

    __slots__ = ("_at_once", "_block", "_largest", "_net", "_old", "peak")

    def __init__(self, at_once: int, block: int) -> None:
        self._at_once, self._block = max(1, at_once), block
        self._largest: list[int] = []
        self._net = self._old = 0
        self.peak = 0

    def add(self, need: Need) -> int:
        """Take one more file in; returns what the plan up to it takes at that point."""
        new = on_disk(need.new, block=self._block)
        old = 0 if need.aside else on_disk(need.old, block=self._block)
        self._net += new - old - min(on_disk(need.there, block=self._block), new)
        if old:
            heapq.heappush(self._largest, old)
            self._old += old
            if len(self._largest) > self._at_once:
                self._old -= heapq.heappop(self._largest)
        taken = self._net + self._old
        self.peak = max(self.peak, taken)
        return taken


def admit(
    needs: Iterable[Need],
    *,
    room: int | None,
    quota: int | None,
    at_once: int,
    block: int = 1,
    budget: Budget | None = None,
) -> Admission:
    """Admit files in their order until the first that `room` or `quota` (bytes left; None: no limit) refuses.

    So does the `budget`, where a file replaces an older revision; those come last. Up to `at_once` files are
    under way at the same time, on a disk that hands out blocks of so many bytes.
    """
    disk = _Disk(at_once, block)
    files = new = reserved = net = admitted = most_net = replaced = 0
    waiting = waiting_bytes = following = 0
    limit: Limit | None = None
    first: tuple[int, int] | None = None
    for need in needs:
        taken = disk.add(need)
        net += need.net
        most_net = max(most_net, net)
        if limit is None:
            limit = _refusing(taken, net, room=room, quota=quota)
            if limit is None and budget is not None and need.replaces:
                limit = None if budget.allows(need.new, before=replaced) else Limit.BUDGET
            if limit is not None:
                first, following = need.place, need.new
        if limit is None:
            files += 1
            new += need.new
            replaced += need.new if need.replaces else 0
            reserved, admitted = disk.peak, net
        else:
            waiting += 1
            waiting_bytes += need.new
    lacking = 0
    if limit is Limit.SPACE and room is not None:
        lacking = disk.peak - room
    elif limit is Limit.QUOTA and quota is not None:
        lacking = most_net - quota
    return Admission(
        files=files,
        new=new,
        reserved=reserved,
        net=admitted,
        waiting=waiting,
        waiting_bytes=waiting_bytes,
        first=first,
        next=following,
        limit=limit,
        lacking=max(0, lacking),
    )


def _refusing(taken: int, net: int, *, room: int | None, quota: int | None) -> Limit | None:
    if room is not None and taken > room:
        return Limit.SPACE
    return Limit.QUOTA if quota is not None and net > quota else None


def kept_free(chosen: int | None, *, total: int) -> int:
    """Return the bytes that are kept free on a disk of `total` bytes: as chosen, or the usual."""
    return min(KEPT_FREE, total // 100) if chosen is None else chosen


def on_disk(size: int, *, block: int) -> int:
    """Return what a file of `size` bytes takes on a disk that hands out blocks."""
    return -(-size // max(1, block)) * max(1, block)


_SPACE = "waits for space on "
_QUOTA = "waits for the quota of "
_BUDGET = "waits for the reprocess budget of "
_LIMITS = {_SPACE: Limit.SPACE, _QUOTA: Limit.QUOTA, _BUDGET: Limit.BUDGET}
WORDS = tuple(_LIMITS)
"""What the reason of a file that waits for room holds."""
BETWEEN = "; "
"""Between what a reason said before, which is kept, and why the file waits."""


def waits_for_space(place: object) -> str:
    """Return the reason of a file that waits for room on the disk of an output folder."""
    return f"{_SPACE}{place}"


def waits_for_quota(size: str) -> str:
    """Return the reason of a file that waits for a profile's quota."""
    return f"{_QUOTA}{size}"


def waits_for_budget(size: str) -> str:
    """Return the reason of a new revision that waits for a profile's daily budget."""
    return f"{_BUDGET}{size} a day"


def waiting_for(reason: str | None) -> Limit | None:
    """Return what a file waits for by the words of its reason, None where it does not."""
    _, words = _parted(reason)
    if words is None:
        return None
    return next(limit for begin, limit in _LIMITS.items() if words.startswith(begin))


def no_longer_waiting(reason: str | None) -> str | None:
    """Return a file's reason without why it waited, which stands at its end."""
    return _parted(reason)[0]


def _parted(reason: str | None) -> tuple[str | None, str | None]:
    """Return what a reason says of the file itself, and why it waits."""
    if reason is None:
        return None, None
    for words in WORDS:
        if reason.startswith(words):
            return None, reason
        before, sign, after = reason.partition(BETWEEN + words)
        if sign:
            return before, words + after
    return reason, None
