"""Batches that grow while the archive answers and halve when it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.archive.batching import product_batches
from jwstwatch.archive.protocol import LogIn, LogInStatus, Probe
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import ArchiveTimeoutError, CancelledError, IncompleteListingError


class Fake:
    """An archive that times out over more than `most` observations, or over any of `heavy`."""

    def __init__(self, *, most: int = 10_000, heavy: frozenset[int] = frozenset(), rows: int = 1) -> None:
        self.most, self.heavy, self.rows = most, heavy, rows
        self.asked: list[tuple[int, ...]] = []

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        self.asked.append(tuple(obsids))
        if len(obsids) > self.most or self.heavy & set(obsids):
            raise ArchiveTimeoutError("too much")
        return [
            ListingRow(uri=f"mast:{obsid}/{number}", name="x", obs_id="o", obsid=obsid, parent_obsid=obsid)
            for obsid in obsids
            for number in range(self.rows)
        ]

    def observations(self, query: ObservationQuery) -> list[Observation]:
        return []

    def log_in(self) -> LogIn:
        return LogIn(status=LogInStatus.ANONYMOUS)

    def use_token(self, token: str | None) -> None:
        pass

    @property
    def clock_skew(self) -> timedelta | None:
        return None

    def probe(self) -> Probe:
        return Probe(reachable=True)

    def cloud_urls(self, uris: Sequence[str]) -> dict[str, str]:
        raise NotImplementedError

    def probe_cloud(self) -> None:
        raise NotImplementedError

    def download_url(self, uri: str) -> str:
        return uri


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


@settings(deadline=None)
@given(
    obsids=st.lists(st.integers(1, 60), max_size=60),
    first=st.integers(1, 20),
    limit=st.none() | st.integers(1, 20),
    most=st.integers(1, 60),
)
def test_every_observation_is_answered_exactly_once(
    obsids: list[int], first: int, limit: int | None, most: int
) -> None:
    archive = Fake(most=most)
    batches = list(product_batches(archive, obsids, first=first, limit=limit))
    answered = [obsid for batch, _ in batches for obsid in batch]
    assert answered == list(dict.fromkeys(obsids))
    assert all({row.obsid for row in rows} == set(batch) for batch, rows in batches)
    assert all(len(batch) <= min(most, limit or most) for batch, _ in batches)
    failed = len(archive.asked) - len(batches)
    assert failed <= 7


def test_a_batch_grows_while_the_archive_answers() -> None:
    archive = Fake()
    list(product_batches(archive, range(100)))
    assert [len(batch) for batch in archive.asked] == [5, 10, 20, 40, 25]


def test_what_timed_out_once_is_not_tried_again() -> None:
    archive = Fake(most=12)
    list(product_batches(archive, range(100)))
    assert [len(batch) for batch in archive.asked] == [5, 10, 20, *[10] * 8, 5]


def test_one_observation_that_times_out_alone_goes_to_the_caller() -> None:
    archive = Fake(heavy=frozenset({3}))
    batches = product_batches(archive, [1, 2, 3, 4])
    assert next(batches)[0] == (1, 2)
    with pytest.raises(ArchiveTimeoutError):
        next(batches)
    assert archive.asked[-1] == (3,)


def test_a_batch_stays_small_where_the_archive_is_slow() -> None:
    archive = Fake()
    clock = ticking(40.0)
    list(product_batches(archive, range(20), first=8, clock=lambda: next(clock)))
    assert [len(batch) for batch in archive.asked] == [8, 4, 2, 1, 1, 1, 1, 1, 1]


def test_a_batch_stays_small_where_the_listing_is_long() -> None:
    archive = Fake(rows=3000)
    list(product_batches(archive, range(20)))
    assert max(len(batch) for batch in archive.asked) == 5


def test_other_trouble_goes_to_the_caller_at_once() -> None:
    archive = Fake()

    def short(obsids: Sequence[int]) -> list[ListingRow]:
        raise IncompleteListingError("short")

    archive.products = short  # type: ignore[method-assign]
    with pytest.raises(IncompleteListingError):
        list(product_batches(archive, [1, 2]))


def test_a_stop_is_not_taken_for_the_end_of_the_listing() -> None:
    stop = threading.Event()
    archive = Fake()
    batches = product_batches(archive, range(100), stop=stop)
    next(batches)
    stop.set()
    with pytest.raises(CancelledError):
        next(batches)
    assert len(archive.asked) == 1
