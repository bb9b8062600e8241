"""Room for a plan: as much as disk, quota and a day's budget hold is let through, the rest waits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from jwstwatch.core.model import Trigger
from jwstwatch.core.space import Admission, Limit, Need
from jwstwatch.files import join_safely
from jwstwatch.store.reservations import Room
from jwstwatch.store.transfers import Claim
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.weighing import Outline, Weighing, look_at_disk, outline, part_of

NOTICE_KIND = "space"
_NOWHERE = (-1, 0)
"""Before every place in a plan."""


@contextlib.contextmanager
def reserve(context: Context, subject: Subject, found: Outline) -> Iterator[Reservation]:
    """Reserve room for as much of the plan as there is room for; the rest is marked as waiting.

    Leaving it gives up what is still reserved. `StorageError` where the disk cannot be asked.
    """
    reservations, disk, run_id = context.store.reservations, look_at_disk(subject), subject.run.id
    weighing = Weighing(context, subject, found, disk)
    room = reservations.look(run_id, device=disk.device, measure=disk.left)
    # Weighed before anything is taken, which is then no more than this run can use: others begin too.
    admission = weighing.admit(room)
    taken = reservations.take(run_id, device=disk.device, wanted=admission.reserved, measure=disk.left)
    try:
        if taken.size < admission.reserved:
            room, admission = taken, weighing.admit(taken)
            reservations.keep(run_id, admission.reserved)
        yield Reservation(weighing, admission, room)
    finally:
        reservations.give_up(run_id)


class Reservation:
    """Room that a run has, and a watch over it: another program may fill the disk meanwhile."""

    def __init__(self, weighing: Weighing, admission: Admission, room: Room) -> None:
        self._weighing, self._context = weighing, weighing.context
        self.files, self.size = admission.files, admission.new
        self._received: dict[int, int] = {}
        self._net = 0
        """What was let through so far adds to the copies there are."""
        self._updated = 0
        """Bytes of what was let through so far that replaces older revisions."""
        self._refusal = weighing.refusal(admission, room)
        self._limit = admission.limit
        self.before = admission.first
        """Where in the plan (priority, file) the rest begins that waits; None where nothing does."""
        self._mark()
        self._tell()

    def started(self, key: int) -> None:
        """An attempt at a file begins, from nought. Called from the workers, as is `advanced`."""
        self._received[key] = 0

    def advanced(self, key: int, count: int) -> None:
        """`count` more bytes of a file are on the disk."""
        self._received[key] = self._received.get(key, 0) + count

    def settled(self, claims: Iterable[Claim]) -> int:
        """These files are done with; returns what was reserved for them."""
        done = 0
        for claim in claims:
            self._received.pop(claim.file_id, None)
            done += max(0, self._need(claim).net)
        return done

    def let_through(self, claims: list[Claim], under_way: Iterable[Claim]) -> list[Claim]:
        """Return the claims, from the first on, that disk and quota have room for beside what is under way.

        Where that is not all of them the rest of the plan waits from now on. The plan may have changed since
        it was weighed: a profile that shares its files may have brought them into another order.
        """
        left, before = self._weighing.disk.left(), list(under_way)
        count = self._fitting(before, claims, left)
        if count < len(claims):
            # Bytes may lie there that no transfer has told of: those to be resumed, those of this moment.
            self._received |= {claim.file_id: size for claim in claims if (size := _partial(claim))}
            told = self._received
            lying = {each.file_id: max(told.get(each.file_id, 0), _partial(each)) for each in before}
            count = self._fitting(before, claims, left, lying)
        within = self._within_quota(claims[:count])
        affordable = self._within_budget(claims[:within])
        limit = Limit.BUDGET if affordable < within else Limit.QUOTA if within < count else Limit.SPACE
        through, rest = claims[:affordable], claims[affordable:]
        self._net += sum(self._need(claim).net for claim in through)
        self._updated += sum(self._need(claim).new for claim in through if claim.updates)
        if rest:
            self._stop_before(rest, [*before, *through], left, limit)
        return through

    def _fitting(
        self,
        before: Sequence[Claim],
        claims: Sequence[Claim],
        left: int,
        lying: Mapping[int, int] = MappingProxyType({}),
    ) -> int:
        """Return how many of the claims `left` bytes have room for after those that came before.

        `lying` bytes of a file are on the disk already, where more than its transfer has told of.
        """
        needs = [
            replace(need, there=lying.get(claim.file_id, need.there))
            for claim, need in ((claim, self._need(claim)) for claim in (*before, *claims))
        ]
        return max(0, self._weighing.fitting(needs, left).files - len(before))

    def _within_quota(self, claims: Sequence[Claim]) -> int:
        """Return how many of the claims, from the first on, the quota has room for after what went before."""
        left, net = self._weighing.quota_left, self._net
        for number, claim in enumerate(claims):
            net += self._need(claim).net
            if left is not None and net > left:
                return number
        return len(claims)

    def _within_budget(self, claims: Sequence[Claim]) -> int:
        """Return how many of the claims, from the first on, the day's budget has room for."""
        budget, updated = self._weighing.budget, self._updated
        for number, claim in enumerate(claims):
            if budget is None or not claim.updates:
                continue
            new = self._need(claim).new
            if not budget.allows(new, before=updated):
                return number
            updated += new
        return len(claims)

    def _need(self, claim: Claim) -> Need:
        new = self._weighing.listed_or_usual(claim.listed_size)
        old = (claim.copy_size or 0) if claim.replaces else 0
        aside = claim.updates and self._weighing.keeps_aside(claim.name)
        return Need(new, old, self._received.get(claim.file_id, 0), aside=aside)

    def conclude(self) -> None:
        """Raise `StorageError` where files wait; else what was known to wait does not any more."""
        if self._refusal is not None:
            other = Limit.QUOTA if self._limit is Limit.SPACE else Limit.SPACE
            self._context.store.notices.clear(causes(self._weighing.subject)[other], now=self._context.now())
            raise self._refusal
        if not self._context.stop.is_set():
            forget(self._context, self._weighing.subject)

    def _stop_before(
        self, rest: Sequence[Claim], under_way: Sequence[Claim], left: int, limit: Limit
    ) -> None:
        """Give claims back that were not begun; they and all that comes after them wait for room."""
        store, weighing = self._context.store, self._weighing
        for claim in rest:
            self._received.pop(claim.file_id, None)
        store.transfers.give_back(weighing.subject.run.id, [claim.file_id for claim in rest])
        weighing.found = outline(self._context, weighing.subject)
        # A budget holds back no new file, also none that came into the plan meanwhile.
        self.before = weighing.first_update() if limit is Limit.BUDGET else _NOWHERE
        left -= sum(max(0, need.new - need.there) for need in map(self._need, under_way))
        room = left if limit is Limit.SPACE else (weighing.quota_left or 0) - self._net
        waiting = Admission(
            files=0,
            new=0,
            reserved=0,
            net=self._net,
            waiting=weighing.found.files,
            waiting_bytes=weighing.found.size,
            next=self._need(rest[0]).new,
            limit=limit,
            lacking=max(0, weighing.found.size - room),
        )
        self._limit, self._refusal = limit, weighing.refusal(waiting, Room(left, 0))
        self._mark()
        self._tell()

    def _mark(self) -> None:
        """Keep of each file that waits why it does; an outline without any needs no look."""
        found = self._weighing.found
        if self._limit is None and not found.waits:
            return
        why = None if self._limit is None else self._weighing.reason(self._limit)
        self._context.store.reservations.mark(found.due, waiting=found.waits, why=why, first=self.before)

    def _tell(self) -> None:
        subject = self._weighing.subject
        if self._refusal is None or subject.run.trigger is Trigger.ONE_OFF:
            return
        name, error = subject.profile.name, self._refusal
        self._context.store.notices.raise_(
            causes(subject)[self._limit or Limit.SPACE],
            kind=NOTICE_KIND,
            profile=name,
            text=f"{name}: {error.message}",
            now=self._context.now(),
        )


def causes(subject: Subject) -> dict[Limit, str]:
    """Return the causes of the notices about files that wait for room: each profile has its own."""
    return {limit: f"{limit.value} {subject.profile.name}" for limit in Limit}


def forget(context: Context, subject: Subject, *others: str) -> None:
    """The run got through: what it, and the notices of the `others`, made known is over."""
    notices = context.store.notices
    for cause in notices.which_hold([*others, *causes(subject).values()]):
        notices.clear(cause, now=context.now())


def _partial(claim: Claim) -> int:
    """Return how many bytes of a claimed file lie on the disk."""
    try:
        return os.lstat(join_safely(claim.root, part_of(claim.path, claim.name, claim.revision))).st_size
    except OSError:
        return 0
