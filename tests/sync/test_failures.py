"""Files that do not arrive, and an archive that is down: what is tried again, and when."""

from __future__ import annotations

import threading
import time

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from tests.sync.bench import Bench, Listener
from tests.sync.conftest import MakeBench

A_RATE = "jw09001001001_02101_00001_nrca1_rate.fits"


def missing(name: str) -> Fault:
    return Fault(kind=FaultKind.STATUS, uri=f"*{name}", status=404, times=None)


def test_a_file_that_is_not_to_be_had_costs_only_itself(bench: Bench) -> None:
    bench.server.faults.add(missing(A_RATE))
    result = bench.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.FILES_FAILED, Outcome.PARTIAL)
    assert (result.record.counts.downloaded, result.record.counts.failed) == (11, 1)
    report = bench.reports()[A_RATE]
    assert (report.state, report.attempts) == (FileState.FAILED, 1)
    assert A_RATE in str(report.last_error)
    assert A_RATE in bench.heard.failures


def test_a_failed_file_is_tried_again_only_when_it_is_due(bench: Bench) -> None:
    bench.server.faults.add(missing(A_RATE))
    bench.attempt()
    bench.later(minutes=30)
    result = bench.attempt()
    assert bench.fetched == []
    assert result.exit_code is ExitCode.FILES_FAILED
    bench.later(hours=1)
    bench.attempt()
    assert bench.fetched == [A_RATE]
    assert bench.reports()[A_RATE].attempts == 2
    bench.server.faults.clear()
    bench.later(days=1)
    assert bench.run().counts.downloaded == 1
    assert bench.reports()[A_RATE].attempts == 0


def test_force_tries_a_failed_file_at_once(bench: Bench) -> None:
    bench.server.faults.add(missing(A_RATE))
    bench.attempt()
    bench.server.faults.clear()
    assert bench.run(force=True).counts.downloaded == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.HTML, uri=f"*{A_RATE}"),
        Fault(kind=FaultKind.TRUNCATE, uri=f"*{A_RATE}", after=3000),
        Fault(kind=FaultKind.RESET, uri=f"*{A_RATE}", after=3000),
        Fault(kind=FaultKind.WRONG_LENGTH, uri=f"*{A_RATE}", amount=2880),
    ],
    ids=["web page", "cut", "reset", "wrong length"],
)
def test_a_passing_trouble_with_one_file_is_no_failure(bench: Bench, fault: Fault) -> None:
    bench.server.faults.add(fault)
    assert bench.run().counts.downloaded == 12
    assert bench.path(A_RATE).read_bytes() == bench.server.catalogue.read(A_RATE).content


def test_a_garbled_file_is_refused_and_leaves_nothing_behind(bench: Bench) -> None:
    # Its header says SIMPLE no more; the number of bytes is right.
    bench.server.faults.add(Fault(kind=FaultKind.GARBLE, uri=f"*{A_RATE}", times=None, after=0))
    result = bench.attempt()
    assert result.record.counts.failed == 1
    assert A_RATE not in {path.rpartition("/")[2] for path in bench.files()}
    assert not list(bench.root.rglob("*.part*"))


@pytest.fixture
def outage(make_bench: MakeBench) -> Bench:
    """An archive that sends twenty files and then none."""
    bench = make_bench(30)
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, path="/api/v0.1/Download/file", status=503, times=None, skip=20)
    )
    return bench


def test_an_archive_that_goes_down_ends_the_run_early_and_politely(outage: Bench) -> None:
    result = outage.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.ARCHIVE, Outcome.PARTIAL)
    assert result.record.counts.downloaded == 20
    assert len(outage.fetched) <= 40
    assert result.record.counts.failed == 0, "none of them is to blame"
    assert result.record.counts.waiting == 70


def test_after_an_outage_the_next_run_fetches_the_rest_at_once(outage: Bench) -> None:
    outage.attempt()
    outage.server.faults.clear()
    record = outage.run()
    assert (record.counts.downloaded, record.counts.unchanged) == (70, 20)
    assert len(outage.fetched) == 70


def test_a_stop_keeps_what_arrived_and_gives_back_what_was_claimed(bench: Bench) -> None:
    bench.server.faults.add(Fault(kind=FaultKind.SLOW, uri="*_uncal.fits", rate=100, times=None))

    class Impatient(Listener):
        def finished(self, key: int) -> None:
            bench.stop.set()

    bench.heard = Impatient()
    result = bench.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.INTERRUPTED, Outcome.CANCELLED)
    arrived = result.record.counts.downloaded
    assert 0 < arrived < 12
    assert bench.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    bench.server.faults.clear()
    bench.stop.clear()
    bench.heard = Listener()
    assert bench.run().counts.downloaded == 12 - arrived


def test_files_that_arrived_are_committed_while_others_are_still_coming(bench: Bench) -> None:
    bench.server.faults.add(Fault(kind=FaultKind.SLOW, uri="*_uncal.fits", rate=100, times=None))
    thread = threading.Thread(target=bench.attempt)
    thread.start()
    try:
        limit = time.monotonic() + 20
        while list(bench.states().values()).count(FileState.PRESENT) < 8:
            assert time.monotonic() < limit, "small files wait for large ones"
            time.sleep(0.02)
    finally:
        bench.stop.set()
        thread.join()
    assert list(bench.states().values()).count(FileState.PRESENT) == 8
