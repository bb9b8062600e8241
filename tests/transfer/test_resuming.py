"""A partial goes on where it stopped, and never mixes two contents."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import ContentError
from jwstwatch.transfer import partial
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.pool import fetch_all
from tests.transfer import server
from tests.transfer.conftest import SETTINGS, fetch_one, lying_in, no_check
from tests.transfer.server import Behaviour, Depot, serve

MakeJob = Callable[..., Job]
OLD = b"".join(number.to_bytes(4, "big") for number in range(30_000))
NEW = bytes(reversed(OLD))
DONE = 50_000
LONG_AGO = "Fri, 01 Aug 2025 00:00:00 GMT"


def interrupted(depot: Depot, job: Job, *, etag: str | None = '"one"') -> None:
    """Leave the partial that a broken transfer of OLD leaves."""
    depot.put(job.name, server.truncate(OLD, DONE, etag=etag))
    assert isinstance(fetch_one(job), Failed)
    depot.asked.clear()


def test_a_broken_transfer_goes_on_with_the_rest(depot: Depot, make_job: MakeJob) -> None:
    job = make_job()
    interrupted(depot, job)
    assert lying_in(job.target.parent) == [".file.fits.1.part", ".file.fits.1.part.json"]
    depot.put("file.fits", serve(OLD))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == OLD
    assert outcome.sha256 == hashlib.sha256(OLD).hexdigest()
    assert (outcome.size, outcome.received) == (len(OLD), len(OLD) - DONE)
    (headers,) = depot.requests("file.fits")
    assert (headers["Range"], headers["If-Range"]) == (f"bytes={DONE}-", '"one"')


def test_an_old_date_serves_as_a_validator(depot: Depot, make_job: MakeJob) -> None:
    job = make_job()

    def cut(handler: server.Handler) -> None:
        handler.begin(200, Content_Length=len(OLD), Last_Modified=LONG_AGO)
        handler.send(OLD[:DONE])
        handler.hang_up()

    depot.put("file.fits", cut, serve(OLD, etag=None, Last_Modified=LONG_AGO))
    fetch_one(job)
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD) - DONE
    assert depot.asked[1][1]["If-Range"] == LONG_AGO


@pytest.mark.parametrize(
    "answer",
    [
        serve(NEW, etag='"two"'),
        server.piece(NEW[DONE:], DONE, total=len(NEW), etag='"two"'),
        server.piece(NEW[DONE:], DONE, total=len(NEW), etag=None),
        server.piece(OLD[DONE:], DONE, total=len(OLD) + 5, etag='"one"'),
        server.piece(OLD[:DONE], 0, total=len(OLD), etag='"one"'),
        server.announce(NEW, len(NEW), ETag='"one"'),
        server.refuse(416),
        server.packed(NEW),
    ],
    ids=["changed", "206 changed", "206 bare", "206 total", "206 offset", "no ranges", "416", "gzip"],
)
def test_what_does_not_fit_the_partial_starts_anew(
    depot: Depot, make_job: MakeJob, answer: Behaviour
) -> None:
    job = make_job()
    interrupted(depot, job)
    depot.put("file.fits", answer, serve(NEW, etag='"two"'))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == NEW
    assert outcome.sha256 == hashlib.sha256(NEW).hexdigest()


@pytest.mark.parametrize("etag", [None, 'W/"one"', "one", '"on\\u00e9"'])
def test_without_a_strong_validator_nothing_is_kept(
    depot: Depot, make_job: MakeJob, etag: str | None
) -> None:
    job = make_job()
    interrupted(depot, job, etag=etag)
    if etag == '"on\\u00e9"':
        return
    assert lying_in(job.target.parent) == []
    depot.put("file.fits", serve(OLD))
    fetch_one(job)
    assert "Range" not in depot.requests("file.fits")[0]


def test_a_stated_checksum_stands_in_for_a_validator(depot: Depot, make_job: MakeJob) -> None:
    job = make_job(checksum=hashlib.md5(OLD).hexdigest())
    interrupted(depot, job, etag=None)
    depot.put("file.fits", serve(OLD, etag=None))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD) - DONE


def test_a_mixture_that_the_checksum_shows_is_fetched_anew_at_once(depot: Depot, make_job: MakeJob) -> None:
    job = make_job(checksum=hashlib.md5(NEW).hexdigest())
    interrupted(depot, job, etag=None)
    depot.put("file.fits", serve(NEW, etag=None))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == NEW
    assert len(depot.asked) == 2


def test_a_mixture_that_the_content_shows_is_fetched_anew_at_once(depot: Depot, make_job: MakeJob) -> None:
    def check(path: Path, name: str) -> None:
        if path.read_bytes() not in (OLD, NEW):
            raise ContentError("a mixture")

    job = make_job()
    interrupted(depot, job)
    depot.put("file.fits", server.piece(NEW[DONE:], DONE, total=len(OLD), etag='"one"'), serve(NEW))
    outcome = fetch_one(job, check=check)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == NEW


def test_a_partial_of_another_revision_is_not_touched(depot: Depot, make_job: MakeJob) -> None:
    job = make_job()
    interrupted(depot, job)
    depot.put("file.fits", serve(NEW))
    outcome = fetch_one(make_job(revision=2))
    assert isinstance(outcome, Fetched)
    assert "Range" not in depot.asked[0][1]
    assert (job.target.parent / ".file.fits.1.part").read_bytes() == OLD[:DONE]


def test_a_whole_partial_is_confirmed_with_one_byte(depot: Depot, make_job: MakeJob) -> None:
    job = make_job()
    interrupted(depot, job)
    (job.target.parent / ".file.fits.1.part").write_bytes(OLD)
    depot.put("file.fits", serve(OLD))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == 1
    assert outcome.part.read_bytes() == OLD


@pytest.mark.parametrize("trouble", [server.refuse(503), server.web_page(), server.refuse(401)])
def test_a_partial_survives_trouble_before_the_first_byte(
    depot: Depot, make_job: MakeJob, trouble: Behaviour
) -> None:
    job = make_job()
    interrupted(depot, job)
    depot.put("file.fits", trouble, serve(OLD))
    assert isinstance(fetch_one(job), Failed)
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD) - DONE


def test_a_partial_that_breaks_again_keeps_what_it_gained(depot: Depot, make_job: MakeJob) -> None:
    job = make_job()
    interrupted(depot, job)

    def a_bit_more(handler: server.Handler) -> None:
        span = f"bytes {DONE}-{len(OLD) - 1}/{len(OLD)}"
        handler.begin(206, Content_Length=len(OLD) - DONE, Content_Range=span, ETag='"one"')
        handler.send(OLD[DONE : DONE + 1000])
        handler.hang_up()

    depot.put("file.fits", a_bit_more, serve(OLD))
    assert isinstance(fetch_one(job), Failed)
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD) - DONE - 1000


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"validator": 5, "total": 7}', '{"validator": "\\"one\\"", "total": null}']
)
def test_a_note_that_says_nothing_certain_is_not_trusted(depot: Depot, make_job: MakeJob, note: str) -> None:
    job = make_job()
    interrupted(depot, job)
    (job.target.parent / ".file.fits.1.part.json").write_text(note)
    depot.put("file.fits", serve(OLD))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD)


def test_a_partial_from_before_a_reboot_is_not_trusted(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    interrupted(depot, job)
    monkeypatch.setattr(partial, "_boot", lambda: "another life")
    depot.put("file.fits", serve(OLD))
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD)


def test_a_large_transfer_leaves_a_note_even_if_the_process_is_killed(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "_NOTE_AT_ONCE", 1000)
    seen: dict[str, object] = {}
    job = make_job()

    def look(path: Path, name: str) -> None:
        seen.update(json.loads(path.with_name(f"{path.name}.json").read_text()))

    depot.put("file.fits", serve(OLD))
    assert isinstance(fetch_one(job, check=look), Fetched)
    assert (seen["validator"], seen["total"]) == ('"one"', len(OLD))


def test_a_second_try_in_place_fetches_only_the_rest(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", server.reset_after(OLD, 0), server.truncate(OLD, DONE), serve(OLD))
    outcome = fetch_one(make_job(), settings=TransferSettings(tries=3, timeout=5.0, retry_delay=0.001))
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD)
    assert outcome.part.read_bytes() == OLD
    assert depot.requests("file.fits")[2]["Range"] == f"bytes={DONE}-"


def test_a_stop_in_mid_transfer_keeps_the_partial_and_the_next_run_fetches_the_rest(
    depot: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", server.stall_after(OLD, DONE), serve(OLD))
    job = make_job()
    stop = threading.Event()
    outcomes: list[object] = []

    def run() -> None:
        outcomes.extend(
            fetch_all(iter([job]), settings=SETTINGS, token=lambda: None, check=no_check, stop=stop)
        )

    thread = threading.Thread(target=run)
    thread.start()
    assert depot.stalled.acquire(timeout=10)
    part = job.target.parent / ".file.fits.1.part"
    for _ in range(1000):
        if part.exists() and part.stat().st_size == DONE:
            break
        threading.Event().wait(0.005)
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert outcomes == []
    assert part.read_bytes() == OLD[:DONE]
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.received == len(OLD) - DONE
    assert outcome.part.read_bytes() == OLD


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, len(OLD) - 1), max_size=4))
def test_however_often_it_breaks_the_whole_is_the_archives(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("root")
    with server.running() as depot:

        def cut_at(position: int) -> Behaviour:
            def behave(handler: server.Handler) -> None:
                first = int(handler.headers.get("Range", "bytes=0-")[6:-1])
                span = f"bytes {first}-{len(OLD) - 1}/{len(OLD)}" if first else None
                rest = len(OLD) - first
                handler.begin(206 if first else 200, Content_Length=rest, Content_Range=span, ETag='"one"')
                handler.send(OLD[first : max(first, position)])
                handler.hang_up()

            return behave

        url = depot.put("f.fits", *[cut_at(position) for position in cuts], serve(OLD))
        job = Job(key=1, url=url, name="f.fits", target=folder / "f.fits")
        for _ in cuts:
            outcome = fetch_one(job)
            assert isinstance(outcome, Failed)
            assert outcome.failure.kind is FailureKind.ARCHIVE
        outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == OLD
    assert outcome.sha256 == hashlib.sha256(OLD).hexdigest()
    assert outcome.received == len(OLD) - max([0, *cuts])
