"""Short waits before another try: they grow, and no two workers keep step."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from jwstwatch.transfer.job import Fetched, Job, TransferSettings
from tests.transfer import server
from tests.transfer.conftest import fetch_one
from tests.transfer.server import Depot, serve

MakeJob = Callable[..., Job]
DELAY = 8.0
SETTINGS = TransferSettings(connections=1, timeout=5.0, tries=3, retry_delay=DELAY)
SHORTEST = DELAY / 2
"""No other wait in a transfer that succeeds is as long."""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for before another try; the waits are over at once."""
    found: list[float] = []
    known = threading.Event.wait

    def note(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout is not None and timeout >= SHORTEST:
            found.append(timeout)
            return event.is_set()
        return known(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", note)
    random.seed(20260301)
    return found


def test_the_waits_double_and_are_spread(depot: Depot, make_job: MakeJob, waits: list[float]) -> None:
    for number in range(6):
        depot.put(f"f{number}", server.refuse(503), server.refuse(503), serve(b"x" * 100))
        assert isinstance(fetch_one(make_job(f"f{number}"), settings=SETTINGS), Fetched)
    firsts, seconds = waits[::2], waits[1::2]
    assert len(firsts) == len(seconds) == 6
    assert all(0.5 * DELAY <= wait <= 1.5 * DELAY for wait in firsts)
    assert all(DELAY <= wait <= 3 * DELAY for wait in seconds)
    assert len(set(waits)) == 12
    assert max(firsts) - min(firsts) > 0.2 * DELAY


def test_the_archives_wish_is_no_less_than_what_is_waited(
    depot: Depot, make_job: MakeJob, waits: list[float]
) -> None:
    depot.put("f", server.refuse(503, Retry_After="1"), server.refuse(429, Retry_After="29"), serve(b"x"))
    assert isinstance(fetch_one(make_job("f"), settings=SETTINGS), Fetched)
    assert 0.5 * DELAY <= waits[0] <= 1.5 * DELAY, "a shorter wish does not hasten it"
    assert waits[1] == 29.0
