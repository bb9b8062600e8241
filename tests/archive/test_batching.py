"""Batches that grow while the archive answers and halve when it does not, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.archive.batching import AHEAD, AT_ONCE, Pace, product_batches
from jwstwatch.archive.protocol import LogIn, LogInStatus, Probe
from jwstwatch.archive.replies import PassingTroubleError
from jwstwatch.core.keywords import KeywordRow
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import ArchiveTimeoutError, CancelledError, IncompleteListingError

PATIENCE = 20.0


class Fake:
    """An archive that times out over more than `most` observations, or over any of `heavy`.

    It is slow about those in `slow`, breaks off over those in `broken`, and keeps what it was asked, what it
    answered, and how many questions were there at once. Its clock runs for each thread by itself.
    """

    def __init__(
        self,
        *,
        most: int = 10_000,
        rows: int = 1,
        heavy: frozenset[int] = frozenset(),
        slow: Mapping[int, float] | None = None,
        broken: frozenset[int] = frozenset(),
    ) -> None:
        self.most, self.rows, self.heavy, self.slow, self.broken = most, rows, heavy, slow or {}, broken
        self.limited = 0
        self.asked: list[tuple[int, ...]] = []
        self.answered: list[tuple[int, ...]] = []
        self.beside: list[int] = []
        self.taken = 0
        self.untaken: list[int] = []
        self._there = self._failed = 0
        self._lock = threading.Lock()
        self._time = threading.local()

    def clock(self) -> float:
        return getattr(self._time, "now", 0.0)

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        with self._lock:
            self._there += 1
            self.asked.append(tuple(obsids))
            self.beside.append(self._there)
            self.untaken.append(len(self.asked) - self._failed - self.taken)
        try:
            rows = self.answer(obsids)
        except Exception:
            with self._lock:
                self._failed += 1
            raise
        else:
            with self._lock:
                self.answered.append(tuple(obsids))
            return rows
        finally:
            with self._lock:
                self._there -= 1

    def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
        self._time.now = self.clock() + max((self.slow.get(obsid, 0.0) for obsid in obsids), default=0.0)
        if self.broken & set(obsids):
            raise IncompleteListingError("short")
        if len(obsids) > self.most or self.heavy & set(obsids):
            raise ArchiveTimeoutError("too much")
        return [
            ListingRow(uri=f"mast:{obsid}/{number}", name="x", obs_id="o", obsid=obsid, parent_obsid=obsid)
            for obsid in obsids
            for number in range(self.rows)
        ]

    def observations(self, query: ObservationQuery) -> list[Observation]:
        return []

    def keywords(self, service: str, proposals: Sequence[int], since: float | None) -> list[KeywordRow]:
        return []

    def log_in(self) -> LogIn:
        return LogIn(status=LogInStatus.ANONYMOUS)

    def use_token(self, token: str | None) -> None: ...

    @property
    def clock_skew(self) -> timedelta | None:
        return None

    def probe(self) -> Probe:
        return Probe(reachable=True)

    def close(self) -> None: ...

    def cloud_urls(self, uris: Sequence[str]) -> dict[str, str]:
        raise NotImplementedError

    def probe_cloud(self) -> None:
        raise NotImplementedError

    def download_url(self, uri: str) -> str:
        return uri


def take(archive: Fake, obsids: Sequence[int], **options: Any) -> Iterator[tuple[int, ...]]:
    """Take batches as a run does, and count them for the archive."""
    for batch, rows in product_batches(archive, obsids, clock=archive.clock, **options):
        archive.taken += 1
        assert {row.obsid for row in rows} == set(batch)
        yield batch


def sizes(archive: Fake) -> list[int]:
    return [len(batch) for batch in archive.asked]


@settings(deadline=None, max_examples=60)
@given(
    obsids=st.lists(st.integers(1, 60), max_size=60),
    first=st.integers(1, 20),
    limit=st.none() | st.integers(1, 20),
    most=st.integers(1, 60),
    slow=st.dictionaries(st.integers(1, 60), st.sampled_from([5.0, 20.0, 40.0]), max_size=6),
    rows=st.sampled_from([1, 1, 900]),
    broken=st.frozensets(st.integers(1, 60), max_size=1),
    at_once=st.integers(1, AT_ONCE),
)
def test_every_observation_is_answered_once_and_in_order_and_nothing_answered_is_asked_again(
    obsids: list[int],
    first: int,
    limit: int | None,
    most: int,
    slow: dict[int, float],
    rows: int,
    broken: frozenset[int],
    at_once: int,
) -> None:
    archive = Fake(most=most, slow=slow, rows=rows, broken=broken)
    whole = list(dict.fromkeys(obsids))
    taken: list[int] = []
    try:
        for batch in take(archive, obsids, pace=Pace(first), limit=limit, at_once=at_once):
            taken += batch
    except IncompleteListingError:
        assert broken & set(whole)
        assert taken == [obsid for obsid in whole if obsid in set(taken)]
    else:
        assert taken == whole
    answered = [obsid for batch in archive.answered for obsid in batch]
    assert sorted(answered) == sorted(taken)
    assert max(archive.beside, default=0) <= at_once
    assert max(archive.untaken, default=0) <= AHEAD + 1
    assert all(len(batch) <= (limit or 60) for batch in archive.asked)
    # A batch that failed is not asked again as it was, and no larger one after it was heard of.
    assert sum(len(batch) > most for batch in archive.asked) <= 7 * at_once


def test_a_batch_grows_while_the_archive_answers() -> None:
    archive = Fake()
    pace = Pace()
    list(take(archive, range(100), at_once=1, pace=pace))
    assert sizes(archive) == [5, 10, 20, 40, 25]
    assert pace.size == 40


def test_what_timed_out_once_is_not_tried_again() -> None:
    archive = Fake(most=12)
    pace = Pace()
    list(take(archive, range(100), at_once=1, pace=pace))
    assert sizes(archive) == [5, 10, 20, *[10] * 8, 5]
    assert pace.size == 10


def test_a_listing_begins_with_what_worked_in_the_last_one_and_a_small_one_is_one_question() -> None:
    archive = Fake()
    pace = Pace(40)
    list(take(archive, range(30), pace=pace))
    assert sizes(archive) == [30]
    list(take(archive, range(0)))
    assert sizes(archive) == [30]
    assert pace.size == 40


def test_one_observation_that_times_out_alone_goes_to_the_caller() -> None:
    archive = Fake(heavy=frozenset({3}))
    batches = take(archive, [1, 2, 3, 4], at_once=1)
    assert next(batches) == (1, 2)
    with pytest.raises(ArchiveTimeoutError):
        next(batches)
    assert archive.asked[-1] == (3,)


def test_a_batch_stays_small_where_the_archive_is_slow() -> None:
    archive = Fake(slow=dict.fromkeys(range(20), 40.0))
    list(take(archive, range(20), pace=Pace(8), at_once=1))
    assert sizes(archive) == [8, 4, 2, 1, 1, 1, 1, 1, 1]


def test_a_batch_stays_small_where_the_listing_is_long() -> None:
    archive = Fake(rows=3000)
    list(take(archive, range(20), at_once=1))
    assert sizes(archive) == [5, *[3] * 5]


class Meeting(Fake):
    """Lets the questions from `begin` to `end` wait for each other: none goes on before all are there."""

    def __init__(self, begin: int, end: int, **options: Any) -> None:
        super().__init__(**options)
        self._numbers = iter(range(1_000_000))
        self._begin, self._end = begin, end
        self._barrier = threading.Barrier(end - begin)

    def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
        if self._begin <= next(self._numbers) < self._end:
            self._barrier.wait(PATIENCE)
        return super().answer(obsids)


def test_the_more_questions_are_answered_the_more_are_on_their_way() -> None:
    archive = Meeting(0, 2)
    assert len(list(take(archive, range(100), limit=5))) == 20
    archive = Meeting(2, 2 + AT_ONCE)
    assert len(list(take(archive, range(100), limit=5))) == 20
    assert max(archive.beside) == AT_ONCE


def test_while_a_batch_is_worked_on_the_next_ones_are_asked_and_answered() -> None:
    class Telling(Fake):
        all_there = threading.Semaphore(0)

        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            self.all_there.release()
            return super().answer(obsids)

    archive = Telling()
    batches = take(archive, range(15), limit=5)
    next(batches)
    assert all(archive.all_there.acquire(timeout=PATIENCE) for _ in range(3))
    assert len(list(batches)) == 2


def test_what_is_answered_ahead_of_one_that_takes_long_is_bounded() -> None:
    class Waiting(Fake):
        others = threading.Semaphore(0)

        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            if 0 not in obsids:
                self.others.release()
            else:
                assert all(self.others.acquire(timeout=PATIENCE) for _ in range(AHEAD - 1))
                assert not self.others.acquire(timeout=0.05)
            return super().answer(obsids)

    assert len(list(take(Waiting(), range(100), limit=5))) == 20


def test_an_answer_to_a_question_from_before_it_was_too_much_makes_none_larger() -> None:
    class Uneven(Fake):
        third = threading.Event()

        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            if 0 in obsids:
                assert self.third.wait(PATIENCE)
                return super().answer(obsids)
            if 5 not in obsids:
                self.third.set()
            return super().answer(obsids) * 5000

    archive = Uneven()
    list(take(archive, range(30), at_once=2))
    assert sizes(archive) == [5, 5, *[2] * 10]


def test_an_observation_that_times_out_beside_others_is_asked_once_more_by_itself() -> None:
    class Busy(Meeting):
        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            rows = super().answer(obsids)
            if self.beside[-1] > 1:
                raise ArchiveTimeoutError("busy")
            return rows

    archive = Busy(0, 2)
    assert list(take(archive, [1, 2, 3], limit=1)) == [(1,), (2,), (3,)]
    assert sorted(archive.asked[:2]) == [(1,), (2,)]
    assert archive.beside[2:] == [1] * (len(archive.asked) - 2)


@pytest.mark.parametrize("gives_up", [False, True])
def test_an_archive_that_limits_questions_is_asked_one_at_a_time_from_then_on(gives_up: bool) -> None:
    class Limiting(Meeting):
        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            rows = super().answer(obsids)
            if 1 in obsids:
                self.limited += 1
                if gives_up and self.limited == 1:
                    raise PassingTroubleError("enough", limiting=True)
            # Long enough for another one to come meanwhile, if one came.
            threading.Event().wait(0.005)
            return rows

    archive = Limiting(0, 2)
    assert next(iter([*take(archive, range(1, 101), limit=5)])) == (1, 2, 3, 4, 5)
    # What was on its way when it said so is let be.
    assert set(archive.beside[2 + AT_ONCE :]) == {1}


def test_other_trouble_ends_the_listing_after_what_was_answered() -> None:
    class Broken(Fake):
        heard = threading.Event()

        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            if 1 in obsids:
                assert self.heard.wait(PATIENCE)
                raise IncompleteListingError("short")
            self.heard.set()
            return super().answer(obsids)

    archive = Broken()
    batches = take(archive, range(1, 1000), limit=5)
    taken = []
    with pytest.raises(IncompleteListingError):
        for batch in batches:
            taken.append(batch)
    assert taken
    assert sorted(taken) == sorted(archive.answered)
    assert len(archive.asked) <= AHEAD


def test_a_stop_is_not_taken_for_the_end_of_the_listing_and_waits_for_nobody() -> None:
    stop, release = threading.Event(), threading.Event()

    class Silent(Fake):
        def answer(self, obsids: Sequence[int]) -> list[ListingRow]:
            if 0 not in obsids:
                stop.set()
                release.wait(PATIENCE)
            return super().answer(obsids)

    archive = Silent()
    try:
        with pytest.raises(CancelledError):
            list(take(archive, range(100), stop=stop))
        assert not release.is_set()
        assert len(archive.asked) <= 3
    finally:
        release.set()
