"""Many files at once: kept busy, ended politely, nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import ArchiveError
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.pool import fetch_all
from tests.transfer import server
from tests.transfer.conftest import fetch, no_check, tell
from tests.transfer.server import Behaviour, Depot, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(range(256)) * 40
PATIENT = TransferSettings(connections=6, timeout=5.0, tries=3, retry_delay=0.001)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("transfer")}


def start(
    jobs: Iterator[Job], *, settings: TransferSettings = PATIENT, stop: threading.Event | None = None
) -> Iterator[Fetched | Failed]:
    return fetch_all(
        jobs, settings=settings, token=lambda: None, check=no_check, stop=stop or threading.Event()
    )


@pytest.mark.parametrize("connections", [1, 3, 16])
def test_every_job_has_one_outcome(depot: Depot, make_job: MakeJob, connections: int) -> None:
    for number in range(40):
        depot.put(f"f{number}", serve(CONTENT) if number % 4 else server.refuse(404))
    jobs = [make_job(f"f{number}") for number in range(40)]
    outcomes = fetch(*jobs, settings=TransferSettings(connections=connections, timeout=5.0))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [isinstance(outcome, Fetched) for outcome in outcomes] == [number % 4 > 0 for number in range(40)]
    assert threads() == set()


def test_no_more_connections_than_allowed(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(CONTENT))
    fetch(
        *[make_job("f", revision=number) for number in range(30)],
        settings=TransferSettings(connections=3, timeout=5.0),
    )
    assert 1 <= depot.most_busy <= 3


def test_only_the_consuming_thread_takes_jobs(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(CONTENT))
    takers = set()

    def jobs() -> Iterator[Job]:
        for number in range(20):
            takers.add(threading.get_ident())
            yield make_job("f", revision=number)

    assert len(list(start(jobs()))) == 20
    assert takers == {threading.get_ident()}


def test_jobs_are_taken_a_few_at_a_time(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(CONTENT))
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield make_job("f", revision=number, key=number)

    outcomes = start(jobs(), settings=TransferSettings(connections=2, timeout=5.0))
    next(outcomes)
    assert taken < 50
    outcomes.close()  # type: ignore[attr-defined]


def test_an_iterator_that_fails_ends_every_thread(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", server.stall_after(CONTENT, 5))

    def jobs() -> Iterator[Job]:
        yield make_job("f")
        raise LookupError("the state is gone")

    with pytest.raises(LookupError):
        list(start(jobs()))
    assert threads() == set()


def test_a_fault_of_our_own_in_a_worker_is_not_swallowed(depot: Depot, make_job: MakeJob) -> None:
    def broken(path: Path, name: str) -> None:
        raise LookupError("a bug")

    depot.put("f", serve(CONTENT))
    with pytest.raises(LookupError):
        fetch(make_job("f"), check=broken)
    assert threads() == set()


def test_closing_the_generator_leaves_no_thread_and_no_transfer(depot: Depot, make_job: MakeJob) -> None:
    depot.put("good", serve(CONTENT))
    depot.put("silent", server.stall_after(CONTENT, 0, before=True))
    outcomes = start(iter([make_job("good"), *[make_job("silent", revision=number) for number in range(9)]]))
    assert isinstance(next(outcomes), Fetched)
    outcomes.close()  # type: ignore[attr-defined]
    assert threads() == set()


@pytest.mark.parametrize("before", [True, False])
def test_a_stop_ends_silent_transfers_at_once(depot: Depot, make_job: MakeJob, before: bool) -> None:
    depot.put("f", server.stall_after(CONTENT, 100, before=before))
    stop = threading.Event()
    settings = TransferSettings(connections=3, timeout=600.0, tries=3)
    began = time.monotonic()

    def stop_soon() -> None:
        for _ in range(3):
            depot.stalled.acquire(timeout=10)
        stop.set()

    helper = threading.Thread(target=stop_soon)
    helper.start()
    jobs = (make_job("f", revision=number, key=number) for number in range(100))
    assert list(start(jobs, settings=settings, stop=stop)) == []
    helper.join()
    # Far below the time-out of ten minutes: it was cut, not waited for.
    assert time.monotonic() - began < 60
    assert threads() == set()


def test_a_stop_cuts_transfers_also_while_the_consumer_is_busy(depot: Depot, make_job: MakeJob) -> None:
    depot.put("good", serve(CONTENT))
    depot.put("silent", server.stall_after(CONTENT, 100))
    stop = threading.Event()
    watching = Watching()
    outcomes = fetch_all(
        iter([make_job("good"), make_job("silent")]),
        settings=TransferSettings(connections=2, timeout=600.0),
        token=lambda: None,
        check=no_check,
        stop=stop,
        progress=watching,
    )
    next(outcomes)
    assert depot.stalled.acquire(timeout=10)
    stop.set()
    # Nobody asks for the next outcome meanwhile.
    assert watching.both_ended.wait(timeout=60)
    assert list(outcomes) == []


def test_what_was_whole_before_the_stop_is_still_told(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(CONTENT))
    stop = threading.Event()
    outcomes = start(iter([make_job("f", revision=number) for number in range(3)]), stop=stop)
    told = [next(outcomes)]
    while len(depot.asked) < 3:
        time.sleep(0.005)
    time.sleep(0.05)
    stop.set()
    told += outcomes
    assert all(isinstance(outcome, Fetched) for outcome in told)
    assert len(told) >= 2


def test_trouble_that_passes_is_tried_again_in_place(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", server.refuse(503), server.reset_after(CONTENT, 0), serve(CONTENT))
    (outcome,) = fetch(make_job("f"), settings=PATIENT)
    assert isinstance(outcome, Fetched)
    assert len(depot.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_another_try_does_not_mend_is_asked_once(depot: Depot, make_job: MakeJob, status: int) -> None:
    depot.put("f", server.refuse(status))
    fetch(make_job("f"), settings=PATIENT)
    assert len(depot.asked) == 1


def test_a_short_wish_to_wait_is_honoured(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    known = threading.Event.wait

    def note(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout == 20.0:
            waits.append(timeout)
            return event.is_set()
        return known(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", note)
    depot.put("f", server.refuse(429, Retry_After="20"), serve(CONTENT))
    (outcome,) = fetch(make_job("f"), settings=PATIENT)
    assert isinstance(outcome, Fetched)
    assert waits == [20.0]


def test_a_long_wish_to_wait_is_left_to_the_next_run(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", server.refuse(503, Retry_After="120"))
    (outcome,) = fetch(make_job("f"), settings=PATIENT)
    assert isinstance(outcome, Failed)
    assert outcome.failure.retry_after == 120
    assert len(depot.asked) == 1


@pytest.mark.parametrize("connections", [1, 2, 6, 16])
@pytest.mark.parametrize(
    "trouble",
    [
        server.refuse(503),
        server.refuse(503, Retry_After="0"),
        server.refuse(429, Retry_After="0"),
        server.web_page(),
        server.reset_after(CONTENT, 10),
        server.truncate(CONTENT, 10),
    ],
    ids=["503", "503 wait", "429 wait", "web page", "reset", "truncated"],
)
def test_an_archive_that_is_down_is_left_in_peace(
    depot: Depot, make_job: MakeJob, trouble: Behaviour, connections: int
) -> None:
    for number in range(200):
        depot.put(f"f{number}", trouble)
    settings = TransferSettings(connections=connections, timeout=5.0, tries=3, retry_delay=0.001)
    told, error = tell(start((make_job(f"f{number}") for number in range(200)), settings=settings))
    assert isinstance(error, ArchiveError)
    assert "File after file fails" in error.message
    assert error.hint
    assert len(depot.asked) < 20
    assert len(told) >= 3
    assert {outcome.failure.kind for outcome in told if isinstance(outcome, Failed)} == {FailureKind.ARCHIVE}
    assert all(isinstance(outcome, Failed) for outcome in told)
    assert threads() == set()


def test_an_archive_that_goes_down_in_mid_run_is_left_in_peace(depot: Depot, make_job: MakeJob) -> None:
    for number in range(300):
        depot.put(f"f{number}", serve(CONTENT) if number < 50 else server.refuse(503))
    told, error = tell(start(make_job(f"f{number}") for number in range(300)))
    assert isinstance(error, ArchiveError)
    assert sum(isinstance(outcome, Fetched) for outcome in told) == 50
    assert len(depot.asked) < 50 + 20


def test_a_server_that_is_not_there_ends_the_run(make_job: MakeJob) -> None:
    with pytest.raises(ArchiveError, match="cannot be reached"):
        list(start(make_job(url="http://127.0.0.1:9/x", revision=number) for number in range(50)))


@pytest.mark.parametrize("status", [404, 401, 400])
def test_files_that_fail_for_themselves_never_end_the_run(
    depot: Depot, make_job: MakeJob, status: int
) -> None:
    depot.put("f", server.refuse(status))
    outcomes = fetch(*[make_job("f", revision=number) for number in range(40)], settings=PATIENT)
    assert len(outcomes) == 40


def test_now_and_then_a_failure_does_not_end_the_run(depot: Depot, make_job: MakeJob) -> None:
    for number in range(60):
        depot.put(f"f{number}", server.refuse(503) if number % 4 == 0 else serve(CONTENT))
    outcomes = fetch(
        *[make_job(f"f{number}") for number in range(60)],
        settings=TransferSettings(connections=1, timeout=5.0, tries=3, retry_delay=0.001),
    )
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 45


def test_one_file_that_always_fails_does_not_end_the_run(depot: Depot, make_job: MakeJob) -> None:
    depot.put("bad", server.refuse(500))
    depot.put("good", serve(CONTENT))
    jobs = [make_job("bad"), *[make_job("good", revision=number) for number in range(20)]]
    outcomes = fetch(*jobs, settings=PATIENT)
    assert [type(outcome) for outcome in outcomes] == [Failed, *[Fetched] * 20]


class Watching:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sizes: dict[int, int | None] = {}
        self.bytes: dict[int, int] = {}
        self.ended: list[int] = []
        self.both_ended = threading.Event()

    def started(self, job: Job, size: int | None) -> None:
        with self.lock:
            self.sizes[job.key] = size
            self.bytes[job.key] = 0

    def advanced(self, job: Job, count: int) -> None:
        with self.lock:
            self.bytes[job.key] += count

    def finished(self, job: Job) -> None:
        with self.lock:
            self.ended.append(job.key)
            if len(self.ended) == 2:
                self.both_ended.set()


def test_progress_adds_up_also_over_second_tries(depot: Depot, make_job: MakeJob) -> None:
    depot.put("broken", server.truncate(CONTENT, 1000), serve(CONTENT))
    depot.put("whole", serve(CONTENT))
    depot.put("absent", server.refuse(404))
    watching = Watching()
    jobs = [make_job("broken"), make_job("whole"), make_job("absent")]
    fetch(*jobs, settings=PATIENT, progress=watching)
    assert watching.sizes == {jobs[0].key: len(CONTENT), jobs[1].key: len(CONTENT)}
    assert set(watching.bytes.values()) == {len(CONTENT)}
    assert sorted(watching.ended) == [job.key for job in jobs]
