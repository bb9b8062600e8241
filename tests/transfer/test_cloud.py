"""A mirror is asked first, once and without the token; whatever goes wrong there, the archive makes good."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import ArchiveError, ContentError
from jwstwatch.transfer import mirror
from jwstwatch.transfer.job import Failed, Fetched, Job, Mirror, TransferSettings
from jwstwatch.transfer.pool import fetch_all
from tests.transfer import server
from tests.transfer.conftest import fetch, fetch_one, no_check, tell
from tests.transfer.server import Behaviour, Depot, serve

NEW = b"".join(number.to_bytes(4, "big") for number in range(30_000))
OLD = bytes(reversed(NEW))
DONE = 50_000
LONG_AGO = "Fri, 01 Aug 2025 00:00:00 GMT"
QUICK = TransferSettings(connections=1, timeout=0.3, tries=1, retry_delay=0.001)

MakeJob = Callable[..., Job]


@pytest.fixture
def mirrored(depot: Depot, elsewhere: Depot, make_job: MakeJob) -> MakeJob:
    """Make jobs of NEW, which the archive has; what the mirror does is the test's."""

    def build(name: str = "file.fits", **changes: Any) -> Job:
        depot.put(name, serve(NEW))
        facts: dict[str, Any] = {
            "listed_size": len(NEW),
            "mirror": Mirror(url=f"{elsewhere.url}/{name}", accept=no_check),
        }
        return make_job(name, **(facts | changes))

    return build


def assert_whole(outcome: Fetched | Failed, job: Job) -> Fetched:
    assert isinstance(outcome, Fetched), outcome
    assert outcome.job is job
    assert outcome.part.read_bytes() == NEW
    assert outcome.size == len(NEW)
    return outcome


def test_the_mirror_alone_is_asked_where_it_has_the_file(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob
) -> None:
    job = mirrored()
    elsewhere.put(job.name, serve(NEW, etag='"cloud"'))
    outcome = assert_whole(fetch_one(job), job)
    assert (outcome.service, outcome.evidence) == ("s3", {"etag": '"cloud"'})
    assert outcome.received == len(NEW)
    assert depot.asked == []


def test_the_token_never_goes_to_the_mirror(depot: Depot, elsewhere: Depot, mirrored: MakeJob) -> None:
    job = mirrored(authorised=True)
    elsewhere.put(job.name, server.refuse(403))
    outcome = assert_whole(fetch_one(job, token=lambda: "s3cret"), job)
    assert outcome.service == "http"
    (there,), (here,) = elsewhere.requests(job.name), depot.requests(job.name)
    assert here["Authorization"] == "token s3cret"
    assert "s3cret" not in repr(there)
    assert not {"Authorization", "Cookie"} & set(there)


@pytest.mark.parametrize(
    "behaviour",
    [
        server.refuse(404),
        server.refuse(403),
        server.refuse(503, Retry_After=3600),
        server.refuse(400),
        server.redirect("ftp://nowhere/"),
        server.web_page(),
        server.announce(OLD[:-4], len(OLD) - 4),
        server.announce(NEW + b"more", len(NEW) + 4),
        server.in_chunks(OLD[:-4]),
        server.in_chunks(NEW, end=False),
        server.announce(NEW, None),
        server.packed(OLD[:-4]),
        server.piece(NEW, 0, total=len(NEW), etag='"one"'),
        server.truncate(NEW, DONE, etag='"cloud"'),
        server.reset_after(NEW, DONE),
        server.stall_after(NEW, DONE),
        server.stall_after(NEW, 0, before=True),
        server.crawl(NEW, pause=0.01),
    ],
    ids=[
        *(
            "404",
            "403",
            "503",
            "400",
            "redirect",
            "HTML",
            "shorter",
            "longer",
            "chunks shorter",
            "chunks cut",
        ),
        *("no length", "gzip shorter", "206 unasked", "cut", "reset", "stall", "silence", "crawl"),
    ],
)
def test_whatever_the_mirror_does_the_file_arrives_whole(
    elsewhere: Depot, mirrored: MakeJob, behaviour: Behaviour
) -> None:
    job = mirrored()
    elsewhere.put(job.name, behaviour)
    outcome = assert_whole(fetch_one(job, settings=QUICK), job)
    assert len(elsewhere.requests(job.name)) == 1
    assert outcome.received >= len(NEW)

    assert outcome.note is None


def test_a_mirror_that_cannot_be_reached_costs_nothing(mirrored: MakeJob) -> None:
    job = mirrored(mirror=Mirror(url="http://127.0.0.1:9/file.fits", accept=no_check))
    assert assert_whole(fetch_one(job), job).service == "http"


def test_an_older_copy_is_refused_before_it_is_read(elsewhere: Depot, mirrored: MakeJob) -> None:
    job = mirrored()
    elsewhere.put(job.name, serve(NEW[:-4]))
    assert assert_whole(fetch_one(job), job).received == len(NEW)


@pytest.mark.parametrize("by", ["check", "accept"])
def test_a_copy_that_a_check_refuses_is_the_archives_to_send(
    elsewhere: Depot, mirrored: MakeJob, by: str
) -> None:
    def refuse_old(path: Path, name: str) -> None:
        if path.read_bytes() == OLD:
            raise ContentError(f"{name} is old")

    def accept(path: Path, name: str) -> None:
        if by == "accept":
            refuse_old(path, name)

    job = mirrored(mirror=Mirror(url=f"{elsewhere.url}/file.fits", accept=accept))
    elsewhere.put(job.name, serve(OLD, etag='"cloud"'))
    outcome = assert_whole(fetch_one(job, check=refuse_old if by == "check" else no_check), job)
    assert (outcome.service, outcome.received) == ("http", len(OLD) + len(NEW))


def test_what_the_mirror_sent_before_it_failed_counts_as_received(
    elsewhere: Depot, mirrored: MakeJob
) -> None:
    job = mirrored()
    elsewhere.put(job.name, server.truncate(OLD, DONE, etag='"cloud"'))
    assert assert_whole(fetch_one(job), job).received == DONE + len(NEW)


# -- a partial that one began and the other is to go on with


@pytest.mark.parametrize("obeys", [True, False], ids=["If-Range obeyed", "If-Range ignored"])
def test_the_archive_does_not_go_on_with_bytes_of_another_content(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob, obeys: bool
) -> None:
    job = mirrored()
    elsewhere.put(job.name, server.truncate(OLD, DONE, etag='"cloud"'))
    if not obeys:
        depot.put(job.name, server.piece(NEW[DONE:], DONE, total=len(NEW), etag='"one"'), serve(NEW))
    assert_whole(fetch_one(job), job)
    assert depot.requests(job.name)[0]["If-Range"] == '"cloud"'


@pytest.mark.parametrize("obeys", [True, False], ids=["If-Range obeyed", "If-Range ignored"])
def test_the_mirror_does_not_go_on_with_bytes_of_another_content(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob, obeys: bool
) -> None:
    job = mirrored(mirror=None)
    depot.put(job.name, server.truncate(OLD, DONE, etag='"archive"'))
    assert isinstance(fetch_one(job), Failed)
    again = mirrored()
    whole = serve(NEW, etag='"cloud"')
    if obeys:
        elsewhere.put(job.name, whole)
    else:
        elsewhere.put(job.name, server.piece(NEW[DONE:], DONE, total=len(NEW), etag='"cloud"'), whole)
    assert assert_whole(fetch_one(again), again).service == "s3"
    assert elsewhere.requests(job.name)[0]["If-Range"] == '"archive"'


def test_an_etag_that_both_state_lets_either_go_on(depot: Depot, elsewhere: Depot, mirrored: MakeJob) -> None:
    job = mirrored()
    elsewhere.put(job.name, server.truncate(NEW, DONE, etag='"one"'))
    assert assert_whole(fetch_one(job), job).received == len(NEW)
    assert depot.requests(job.name)[0]["Range"] == f"bytes={DONE}-"


@pytest.mark.parametrize("first", ["mirror", "archive"])
def test_a_date_that_both_state_proves_nothing(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob, first: str
) -> None:
    def cut(handler: server.Handler) -> None:
        handler.begin(200, Content_Length=len(OLD), Last_Modified=LONG_AGO)
        handler.send(OLD[:DONE])
        handler.hang_up()

    dated = serve(NEW, etag=None, Last_Modified=LONG_AGO)
    if first == "mirror":
        job = mirrored()
        elsewhere.put(job.name, cut)
        depot.put(job.name, dated)
    else:
        job = mirrored(mirror=None)
        depot.put(job.name, cut)
        assert isinstance(fetch_one(job), Failed)
        job = mirrored()
        elsewhere.put(job.name, dated)
    assert_whole(fetch_one(job), job)


@pytest.mark.parametrize("answer", [serve(OLD + OLD, etag='"older"'), server.refuse(416)])
def test_an_older_copy_does_not_cost_what_the_archive_sent_so_far(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob, answer: Behaviour
) -> None:
    job = mirrored(mirror=None)
    depot.put(job.name, server.truncate(NEW, DONE))
    assert isinstance(fetch_one(job), Failed)
    again = mirrored()
    elsewhere.put(job.name, answer)
    assert assert_whole(fetch_one(again), again).received == len(NEW) - DONE


# -- many files


def many(mirrored: MakeJob, elsewhere: Depot, count: int, *behaviours: Behaviour) -> list[Job]:
    """Return jobs whose mirrors do each of `behaviours` in turn."""
    jobs = [mirrored(f"f{number:03}") for number in range(count)]
    for number, job in enumerate(jobs):
        elsewhere.put(job.name, behaviours[number % len(behaviours)])
    return jobs


def test_a_mirror_that_is_down_is_asked_for_five_files_and_never_again(
    elsewhere: Depot, mirrored: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = many(mirrored, elsewhere, 40, server.refuse(503))
    with caplog.at_level(logging.WARNING):
        outcomes = fetch(*jobs, settings=TransferSettings(connections=4, timeout=5.0))
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert_whole(outcome, job)
    # Each of the four workers may have been at one more when the fifth failed.
    assert mirror.FAILURES_IN_A_ROW <= len(elsewhere.asked) < mirror.FAILURES_IN_A_ROW + 4
    (record,) = [record for record in caplog.records if record.name == mirror.__name__]
    assert "this run asks it no more" in record.getMessage()


def test_a_mirror_that_lacks_much_is_asked_to_the_end(elsewhere: Depot, mirrored: MakeJob) -> None:
    lacking = (server.refuse(404), server.refuse(403), server.announce(OLD[:-4], len(OLD) - 4))
    jobs = many(mirrored, elsewhere, 24, *lacking)
    for job, outcome in zip(jobs, fetch(*jobs), strict=True):
        assert_whole(outcome, job)
    assert len(elsewhere.asked) == 24


def test_a_mirror_that_fails_now_and_then_is_asked_to_the_end(elsewhere: Depot, mirrored: MakeJob) -> None:
    jobs = many(mirrored, elsewhere, 30, *([server.refuse(500)] * 4), serve(NEW))
    one_at_a_time = TransferSettings(connections=1, timeout=5.0)
    outcomes = fetch(*jobs, settings=one_at_a_time)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert_whole(outcome, job)
    assert len(elsewhere.asked) == 30
    assert [number for number, outcome in enumerate(outcomes) if outcome.service == "s3"] == list(
        range(4, 30, 5)
    )


def test_what_fails_at_the_mirror_is_held_neither_against_the_archive_nor_the_file(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob
) -> None:
    jobs = many(mirrored, elsewhere, 12, server.refuse(500), serve(NEW))
    depot.put(jobs[0].name, server.refuse(503), serve(NEW))
    settings = TransferSettings(connections=1, timeout=5.0, tries=2, retry_delay=0.001)
    outcomes = fetch(*jobs, settings=settings)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert_whole(outcome, job)
    assert len(depot.requests(jobs[0].name)) == 2, "both tries of the file were left for the archive"


def test_a_good_mirror_does_not_hide_an_archive_that_is_down(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob
) -> None:
    jobs = many(mirrored, elsewhere, 60, serve(NEW), server.refuse(404))
    for job in jobs:
        depot.put(job.name, server.refuse(503))
    settings = TransferSettings(connections=2, timeout=5.0, tries=3, retry_delay=0.001)
    outcomes, error = tell(
        fetch_all(iter(jobs), settings=settings, token=lambda: None, check=no_check, stop=threading.Event())
    )
    assert isinstance(error, ArchiveError)
    assert len(depot.asked) < 20
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Failed)]
    assert failures
    assert all(failure.kind is FailureKind.ARCHIVE for failure in failures)
    assert all("503" in failure.message and depot.url[7:] in failure.message for failure in failures)


def test_a_link_at_the_path_is_left_alone_and_nobody_is_asked(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob, tmp_path: Path
) -> None:
    job = mirrored()
    elsewhere.put(job.name, serve(NEW))
    job.target.parent.mkdir(parents=True)
    job.target.symlink_to(tmp_path / "precious")
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert outcome.job is job
    assert outcome.failure.kind is FailureKind.LOCAL
    assert depot.asked == elsewhere.asked == []


def test_what_fails_here_and_not_there_is_not_tried_again_elsewhere(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob
) -> None:
    def vanish(path: Path, name: str) -> None:
        raise FileNotFoundError(path)

    job = mirrored(mirror=Mirror(url=f"{elsewhere.url}/file.fits", accept=vanish))
    elsewhere.put(job.name, serve(NEW))
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert outcome.job is job
    assert outcome.failure.kind is FailureKind.LOCAL
    assert depot.asked == []


def test_a_stop_cuts_a_transfer_from_the_mirror_and_asks_nobody_else(
    depot: Depot, elsewhere: Depot, mirrored: MakeJob
) -> None:
    job = mirrored()
    elsewhere.put(job.name, server.stall_after(NEW, DONE))
    stop = threading.Event()
    threading.Thread(target=lambda: (elsewhere.stalled.acquire(), stop.set())).start()
    assert fetch(job, stop=stop, settings=TransferSettings(connections=1, timeout=60.0)) == []
    assert depot.asked == []
    elsewhere.put(job.name, serve(NEW))
    assert assert_whole(fetch_one(job), job).received < len(NEW), "the partial was kept"
