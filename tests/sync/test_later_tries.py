"""What is tried again by a later run, and when: kept in the state."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.store.reports import FileReport
from tests.sync.bench import Bench

A_RATE = "jw09001001001_02101_00001_nrca1_rate.fits"
MINUTE = timedelta(minutes=1)


def report(bench: Bench) -> FileReport:
    (product,) = bench.store.reports.product(A_RATE)
    (copy,) = product.files
    return copy


def due_at(bench: Bench) -> datetime:
    when = report(bench).next_attempt_at
    assert when is not None
    return when


def test_a_file_that_stays_broken_is_tried_ever_more_rarely_down_to_once_a_day(bench: Bench) -> None:
    bench.server.faults.add(Fault(kind=FaultKind.GARBLE, uri=f"*{A_RATE}", times=None, after=0))
    waits = []
    for attempt in range(1, 12):
        bench.attempt()
        assert (report(bench).state, report(bench).attempts) == (FileState.FAILED, attempt)
        waits.append((due_at(bench) - bench.clock) / MINUTE)
        bench.clock = due_at(bench)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]
    # A moment before its time it is left alone.
    bench.clock = due_at(bench) - timedelta(seconds=1)
    bench.attempt()
    assert A_RATE not in bench.fetched


@pytest.mark.parametrize(("asked", "minutes"), [(7200, 120), (10**7, 1440)])
def test_the_archives_wish_outlives_the_run(bench: Bench, asked: int, minutes: int) -> None:
    fault = Fault(kind=FaultKind.STATUS, uri=f"*{A_RATE}", status=503, times=None, retry_after=asked)
    bench.server.faults.add(fault)
    bench.attempt()
    assert report(bench).state is FileState.FAILED
    assert due_at(bench) - bench.clock == minutes * MINUTE


@pytest.mark.parametrize("status", [401, 403])
def test_what_the_archive_refuses_is_withheld_and_says_why(bench: Bench, status: int) -> None:
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, uri=f"*{A_RATE}", status=status, times=None),
    )
    record = bench.run()
    assert (record.counts.withheld, record.counts.failed) == (1, 0)
    found = report(bench)
    assert (found.state, found.reason) == (FileState.WITHHELD, NO_TOKEN)
    assert f"HTTP {status}" in str(found.last_error)
    assert found.reason != NOT_AUTHORISED, "nobody was logged in"
