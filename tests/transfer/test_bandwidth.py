"""A limit on bytes a second, over all threads, that may be another one at another hour."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.parameter_timetables import Rates
from jwstwatch.core.timetables import Limit
from jwstwatch.transfer.bandwidth import BURST, GLANCE, Bandwidth
from jwstwatch.transfer.job import Fetched, Job, TransferSettings
from tests.transfer.conftest import fetch
from tests.transfer.server import Depot, serve

MakeJob = Callable[..., Job]

MONDAY_NOON = datetime(2026, 7, 6, 12, tzinfo=UTC)
NIGHT_AND_DAY = ["08:00-18:00 5 kB/s", "18:00-22:00 20 kB/s", "unlimited"]
BOUND = 10.0
"""Seconds after which something that should happen at once is taken not to happen."""


class Clock:
    """Time that passes only where somebody waits for it, and the hour that it is by then."""

    def __init__(self, began: datetime = MONDAY_NOON) -> None:
        self.now = 1000.0
        self._began = began

    def __call__(self) -> float:
        return self.now

    def hour(self) -> datetime:
        return self._began + timedelta(seconds=self.now - 1000.0)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def gate(rate: float | None) -> tuple[Bandwidth, Clock]:
    clock = Clock()
    return Bandwidth(rate, clock=clock), clock


def timed(*lines: str, began: datetime = MONDAY_NOON) -> tuple[Bandwidth, Clock]:
    clock = Clock(began)
    return Bandwidth(Limit(Rates().read(list(lines))), clock=clock, now=clock.hour), clock


def test_without_a_limit_nobody_waits() -> None:
    bandwidth, clock = gate(None)
    bandwidth.take(10**12, sleep=clock.sleep)
    assert clock.now == 1000.0
    assert bandwidth.read_size == 1 << 20


@settings(deadline=None)
@given(
    rate=st.floats(100, 1e9),
    amounts=st.lists(st.integers(1, 1 << 20), min_size=1, max_size=20),
    idle=st.floats(0, 100),
)
def test_the_rate_holds_over_any_stretch(rate: float, amounts: list[int], idle: float) -> None:
    # At 100 B/s a MiB takes three hours of looking twice a second.
    amounts = [min(amount, int(rate * 100)) for amount in amounts]
    bandwidth, clock = gate(rate)
    clock.now += idle
    began = clock.now
    for amount in amounts:
        bandwidth.take(amount, sleep=clock.sleep)
    elapsed = clock.now - began
    # A quarter of a second of what was not used may be caught up with, no more.
    assert sum(amounts) <= rate * (elapsed + BURST) * (1 + 1e-6) + 1
    assert elapsed <= sum(amounts) / rate + 1e-6


RATES = {"5 kB/s": 5_000.0, "100 kB/s": 100_000.0, "1 MB/s": 1_000_000.0}


@st.composite
def minutes_by_turns(draw: st.DrawFn) -> tuple[list[str], list[float]]:
    """Lines that give each minute from noon on a rate of its own, and those rates."""
    names = draw(st.lists(st.sampled_from(sorted(RATES)), min_size=4, max_size=4))
    lines = [f"12:{minute:02}-12:{minute + 1:02} {name}" for minute, name in enumerate(names)]
    return [*lines, "5 kB/s"], [RATES[name] for name in names]


@settings(deadline=None, max_examples=60)
@given(
    drawn=minutes_by_turns(),
    steps=st.lists(st.tuples(st.integers(1, 400_000), st.floats(0, 30)), min_size=1, max_size=25),
)
def test_over_no_stretch_more_passes_than_its_rates_allow(
    drawn: tuple[list[str], list[float]], steps: list[tuple[int, float]]
) -> None:
    lines, rates = drawn
    bandwidth, clock = timed(*lines)
    passed: list[tuple[float, int]] = []
    for amount, idle in steps:
        clock.now += idle
        bandwidth.take(amount, sleep=clock.sleep)
        passed.append((clock.now - 1000.0, amount))

    def rate_at(second: float) -> float:
        return rates[int(second // 60)] if second < 240 else 5_000.0

    def allowed(begin: float, end: float) -> float:
        """Bytes from begin to end, where a change may be noticed a glance late, twice."""
        late = 2 * GLANCE
        edges = {60.0 * number + shift for number in range(1, 5) for shift in (0, late)}
        cuts = [begin, *sorted(edge for edge in edges if begin < edge < end), end]
        return sum(
            (after - before) * max(rate_at(before), rate_at(max(0.0, before - late + 1e-9)))
            for before, after in itertools.pairwise(cuts)
        )

    for first in range(len(passed)):
        begin = passed[first][0]
        most = max(rate_at(begin), rate_at(max(0.0, begin - 2 * GLANCE)))
        total = 0
        for end, amount in passed[first + 1 :]:
            total += amount
            assert total <= allowed(begin, end) * (1 + 1e-6) + BURST * most + 1


def test_a_long_file_follows_the_timetable() -> None:
    began = MONDAY_NOON.replace(hour=17, minute=59)
    bandwidth, clock = timed(*NIGHT_AND_DAY, began=began)
    assert bandwidth.read_size == 4096
    bandwidth.take(60 * 5_000 + 60 * 20_000, sleep=clock.sleep)  # booked at once, as one block
    assert clock.now - 1000.0 == pytest.approx(120.0, abs=2 * GLANCE)
    clock.now = 1000.0 + 4 * 3600 + 59.0
    began_at = clock.now
    bandwidth.take(10**9, sleep=clock.sleep)  # for which it would wait half a day at this rate
    assert clock.now - began_at <= 1.0 + 2 * GLANCE
    assert bandwidth.read_size == 1 << 20


def test_the_hour_is_asked_for_now_and_then_and_not_for_each_block() -> None:
    asked = []
    clock = Clock()

    def hour() -> datetime:
        asked.append(clock.now)
        return clock.hour()

    bandwidth = Bandwidth(Limit(Rates().read("20:00-21:00 5 kB/s")), clock=clock, now=hour)
    for _ in range(1000):
        clock.now += 0.002
        bandwidth.take(100_000, sleep=clock.sleep)
    assert len(asked) <= 2 + 2.0 / GLANCE + 1


def test_threads_share_one_allowance() -> None:
    bandwidth, clock = gate(1000.0)
    lock, ended = threading.Lock(), []
    waiting = threading.Semaphore(0)
    passing = threading.Event()

    def sleep(_seconds: float) -> None:
        waiting.release()
        passing.wait(BOUND)
        passed_on.wait(0.001)

    def work() -> None:
        bandwidth.take(1000, sleep=sleep)
        with lock:
            ended.append(clock.now)

    passed_on = threading.Event()
    workers = [threading.Thread(target=work) for _ in range(5)]
    for worker in workers:
        worker.start()
    for _ in workers:
        assert waiting.acquire(timeout=BOUND)
    passing.set()
    for second in range(1, 6):
        # A moment before its second is over nobody more may pass, and then exactly one.
        clock.now = 1000.0 + second - 0.01
        passed_on.wait(0.03)
        assert len(ended) == second - 1
        clock.now = 1000.0 + second
        limit = time.monotonic() + BOUND
        while len(ended) < second:
            assert time.monotonic() < limit
            passed_on.wait(0.001)
    for worker in workers:
        worker.join()


def test_the_workers_of_a_run_share_one_allowance(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(bytes(20_000)))
    limit = Limit(Rates().read(["40 kB/s"]))
    tasks = TransferSettings(connections=4, timeout=5.0, bandwidth=limit)
    began = time.monotonic()
    outcomes = fetch(*(make_job("f", revision=number) for number in range(4)), settings=tasks)
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    # Two seconds, less the burst; each by itself would have taken half a second.
    assert time.monotonic() - began >= 2.0 - BURST


@pytest.mark.parametrize("limit", [None, 1e9])
def test_who_waits_when_the_limit_is_lifted_is_woken_within_a_second(limit: float | None) -> None:
    bandwidth, clock = gate(1000.0)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds
        if len(waits) == 3:
            bandwidth.resize(limit)

    bandwidth.take(1_000_000, sleep=sleep)
    assert max(waits) <= 1.0
    assert sum(waits[3:]) <= 1.0


def test_whoever_is_to_stop_waits_no_longer() -> None:
    bandwidth, _ = gate(1000.0)
    waits: list[float] = []

    def sleep(seconds: float) -> bool:
        waits.append(seconds)
        return True

    bandwidth.take(1_000_000, sleep=sleep)
    assert len(waits) == 1


@pytest.mark.parametrize(("rate", "size"), [(1000.0, 4096), (1_600_000.0, 100_000), (1e12, 1 << 20)])
def test_reads_are_small_where_the_rate_is_low(rate: float, size: int) -> None:
    assert gate(rate)[0].read_size == size


@pytest.mark.parametrize("rate", [0, -5])
def test_a_rate_that_lets_nothing_pass_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="lets nothing pass"):
        Bandwidth(rate)


def test_another_limit_holds_from_then_on() -> None:
    bandwidth, clock = gate(1000.0)
    bandwidth.take(1000, sleep=clock.sleep)
    bandwidth.resize(100.0)
    began = clock.now
    bandwidth.take(1000, sleep=clock.sleep)
    assert clock.now - began == pytest.approx(10.0)
    bandwidth.resize(None)
    bandwidth.take(10**9, sleep=clock.sleep)
    assert clock.now - began == pytest.approx(10.0)
    bandwidth.resize(1000.0)
    bandwidth.take(1000, sleep=clock.sleep)
    assert clock.now - began == pytest.approx(11.0), "what passed without a limit is not owed"
    with pytest.raises(ValueError, match="lets nothing pass"):
        bandwidth.resize(0)


def test_what_was_not_used_by_day_is_no_provision_for_the_night() -> None:
    bandwidth, clock = timed("12:00-12:01 1 GB/s", "1 kB/s")
    clock.now += 3600.0
    began = clock.now
    bandwidth.take(10_000, sleep=clock.sleep)
    assert clock.now - began >= 10.0 - BURST


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_change_during_a_transfer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bandwidth, clock = timed(
        "Mon-Fri 08:00-18:00 5 kB/s", "18:00-18:01 20 kB/s", began=MONDAY_NOON.replace(hour=17, minute=59)
    )
    for _ in range(200):
        bandwidth.take(10_000, sleep=clock.sleep)
        clock.now += 0.1
    assert told(caplog) == [
        "the bandwidth is limited to 5 kB/s until 18:00 (UTC)",
        "the bandwidth is limited to 20 kB/s until 18:01 (UTC)",
        "the bandwidth is not limited until Tuesday 08:00 (UTC)",
    ]


def test_a_limit_that_is_always_the_same_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bandwidth, clock = timed("5 kB/s")
    bandwidth.take(100_000, sleep=clock.sleep)
    assert told(caplog) == []
