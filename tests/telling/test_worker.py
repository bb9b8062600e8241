"""One thing after the other, in a thread that is there only while there is something to do."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from jwstwatch.telling import worker
from jwstwatch.telling.worker import Worker
from tests.telling.things import PLENTY, until


def soon() -> float:
    return time.monotonic() + PLENTY


def test_works_are_done_in_their_order() -> None:
    done: list[int] = []
    mine = Worker("mine", capacity=100)

    for number in range(100):
        assert mine.submit(lambda number=number: done.append(number), group=None, patience=PLENTY)  # type: ignore[misc]

    assert mine.rest(until=soon())
    assert done == list(range(100))


def test_each_group_is_waited_for_by_itself() -> None:
    gate = threading.Event()
    mine = Worker("mine", capacity=10)
    mine.submit(lambda: None, group="first")
    mine.submit(lambda: gate.wait(PLENTY) and None, group="second")

    assert mine.wait("first", until=soon())
    assert not mine.wait("second", until=time.monotonic())
    assert not mine.idle
    gate.set()
    assert mine.wait("second", until=soon())
    assert mine.wait("never heard of", until=time.monotonic())
    assert mine.idle


def test_a_full_line_takes_what_is_forced_alone() -> None:
    gate = threading.Event()
    mine = Worker("mine", capacity=1)
    mine.submit(lambda: gate.wait(PLENTY) and None, group=None)
    until(lambda: mine.waiting == 0)
    assert mine.submit(lambda: None, group=None)

    assert not mine.submit(lambda: None, group=None)
    assert mine.submit(lambda: None, group=None, forced=True)
    assert mine.waiting == 2
    gate.set()
    assert mine.rest(until=soon())


def test_a_work_that_breaks_is_told_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    mine = Worker("mine", capacity=10)

    with caplog.at_level(logging.ERROR):
        mine.submit(lambda: [][0], group=None)
        mine.submit(done.set, group=None)
        assert mine.rest(until=soon())

    assert done.is_set()
    assert [entry.getMessage() for entry in caplog.records] == ["mine: this should not happen"]


def test_what_is_stopped_drops_its_line_and_takes_nothing_more() -> None:
    done: list[str] = []
    mine = Worker("mine", capacity=10)
    mine.submit(lambda: mine.abandoned.wait(PLENTY) and done.append("abandoned"), group="run")
    until(lambda: mine.waiting == 0)
    mine.submit(lambda: done.append("dropped"), group="run")

    assert mine.stop() == 1
    assert mine.rest(until=soon())
    assert mine.wait("run", until=soon())
    assert done == ["abandoned"]
    assert not mine.submit(lambda: None, group=None, forced=True)


def test_a_thread_without_work_ends_and_the_next_work_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "REST", 0.01)
    mine = Worker("mine-alone", capacity=10)

    def mine_live() -> bool:
        return any(thread.name == "mine-alone" for thread in threading.enumerate())

    assert not mine_live()
    for _ in range(3):
        done = threading.Event()
        mine.submit(done.set, group=None)
        assert done.wait(PLENTY)
        until(lambda: not mine_live())
