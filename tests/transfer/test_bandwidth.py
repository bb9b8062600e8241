"""A limit on bytes a second, over all threads."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.transfer.bandwidth import Bandwidth


class Clock:
    """Time that passes only where somebody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def gate(rate: float | None) -> tuple[Bandwidth, Clock]:
    clock = Clock()
    return Bandwidth(rate, clock=clock), clock


def test_without_a_limit_nobody_waits() -> None:
    bandwidth, clock = gate(None)
    bandwidth.take(10**12, sleep=clock.sleep)
    assert clock.now == 1000.0
    assert bandwidth.read_size == 1 << 20


@settings(deadline=None)
@given(
    rate=st.floats(100, 1e9), amounts=st.lists(st.integers(1, 1 << 20), min_size=1), idle=st.floats(0, 100)
)
def test_the_rate_holds_over_any_stretch(rate: float, amounts: list[int], idle: float) -> None:
    bandwidth, clock = gate(rate)
    clock.now += idle
    began = clock.now
    for amount in amounts:
        bandwidth.take(amount, sleep=clock.sleep)
    elapsed = clock.now - began
    # A quarter of a second of what was not used may be caught up with, no more.
    assert sum(amounts) <= rate * (elapsed + 0.25) * (1 + 1e-6) + 1e-3
    assert elapsed <= sum(amounts) / rate + 1e-6


def test_threads_share_one_allowance() -> None:
    waits: list[float] = []
    bandwidth = Bandwidth(1000.0, clock=lambda: 0.0)
    workers = [
        threading.Thread(target=bandwidth.take, args=(1000,), kwargs={"sleep": waits.append})
        for _ in range(5)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(waits) == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0])


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
    with pytest.raises(ValueError, match="lets nothing pass"):
        bandwidth.resize(0)
