"""One file: whole and checked, or refused; and nothing at its final path before it is placed."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from tests.transfer import server
from tests.transfer.conftest import SETTINGS, fetch_one, lying_in, refuse_all
from tests.transfer.server import Behaviour, Depot, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(range(256)) * 400
QUICK = TransferSettings(connections=1, timeout=0.3, tries=1, retry_delay=0.001)


def test_a_file_arrives_whole_beside_its_target(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(CONTENT, Last_Modified="Fri, 01 Aug 2025 00:00:00 GMT"))
    job = make_job(listed_size=len(CONTENT), revision=3)
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part == job.target.parent / ".file.fits.3.part"
    assert outcome.part.read_bytes() == CONTENT
    assert outcome.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (outcome.size, outcome.received, outcome.note) == (len(CONTENT), len(CONTENT), None)
    assert outcome.evidence == {"etag": '"one"', "last_modified": "Fri, 01 Aug 2025 00:00:00 GMT"}
    assert lying_in(job.target.parent) == [".file.fits.3.part"]
    assert depot.requests("file.fits")[0]["Accept-Encoding"] == "identity"


def test_an_empty_file_is_a_file(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(b""))
    outcome = fetch_one(make_job())
    assert isinstance(outcome, Fetched)
    assert outcome.size == 0


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (server.refuse(401), FailureKind.UNAUTHORISED),
        (server.refuse(403), FailureKind.UNAUTHORISED),
        (server.refuse(404), FailureKind.MISSING),
        (server.refuse(410), FailureKind.MISSING),
        (server.refuse(429), FailureKind.ARCHIVE),
        (server.refuse(500), FailureKind.ARCHIVE),
        (server.refuse(503), FailureKind.ARCHIVE),
        (server.refuse(400), FailureKind.REFUSED),
        (server.refuse(204), FailureKind.REFUSED),
        (server.refuse(304), FailureKind.REFUSED),
        (server.redirect(""), FailureKind.REFUSED),
        (server.redirect("ftp://127.0.0.1/file"), FailureKind.REFUSED),
        (server.redirect("/file.fits"), FailureKind.REFUSED),
        (server.web_page(), FailureKind.ARCHIVE),
        (server.web_page(kind="application/fits"), FailureKind.ARCHIVE),
        (server.truncate(CONTENT, 5000), FailureKind.ARCHIVE),
        (server.truncate(CONTENT, 0), FailureKind.ARCHIVE),
        (server.truncate(CONTENT, 5000, etag=None), FailureKind.ARCHIVE),
        (server.reset_after(CONTENT, 5000), FailureKind.ARCHIVE),
        (server.reset_after(CONTENT, 0), FailureKind.ARCHIVE),
        (server.announce(CONTENT, len(CONTENT) + 1, hang_up=True), FailureKind.ARCHIVE),
        (server.announce(CONTENT, len(CONTENT) - 20_000), FailureKind.ARCHIVE),
        (server.announce(CONTENT[:-1], None), FailureKind.ARCHIVE),
        (server.in_chunks(CONTENT, end=False), FailureKind.ARCHIVE),
        (server.packed(CONTENT, encoding="br"), FailureKind.ARCHIVE),
        (server.packed(CONTENT, encoding="deflate"), FailureKind.ARCHIVE),
        (server.piece(CONTENT[:100], 0, total=len(CONTENT), etag='"one"'), FailureKind.ARCHIVE),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_fault_has_its_kind_and_leaves_the_final_path_alone(
    depot: Depot, make_job: MakeJob, behaviour: Behaviour, kind: FailureKind, there: bool
) -> None:
    depot.put("file.fits", behaviour)
    job = make_job(listed_size=len(CONTENT))
    if there:
        job.target.parent.mkdir(parents=True)
        job.target.write_bytes(b"the good old file")
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is kind
    assert outcome.failure.message
    if there:
        assert job.target.read_bytes() == b"the good old file"
    else:
        assert not job.target.exists()


@pytest.mark.parametrize(
    "behaviour",
    [
        server.stall_after(CONTENT, 0, before=True),
        server.stall_after(CONTENT, 5000),
        server.crawl(CONTENT, pause=0.02),
    ],
)
def test_a_server_that_falls_silent_or_crawls_is_given_up(
    depot: Depot, make_job: MakeJob, behaviour: Behaviour
) -> None:
    depot.put("file.fits", behaviour)
    outcome = fetch_one(make_job(), settings=QUICK)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE


def test_a_server_that_is_not_there_is_the_archives_trouble(make_job: MakeJob) -> None:
    outcome = fetch_one(make_job(url="http://127.0.0.1:9/file.fits"))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE
    assert "cannot be reached" in outcome.failure.message


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://127.0.0.1:99999/x", "http://[::1/x"])
def test_an_address_that_is_none_costs_only_its_file(make_job: MakeJob, url: str) -> None:
    outcome = fetch_one(make_job(url=url))
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("wait", ["7", "date"])
def test_the_archives_wish_to_wait_is_passed_on(depot: Depot, make_job: MakeJob, wait: str) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=900), usegmt=True)
    depot.put("file.fits", server.refuse(503, Retry_After=moment if wait == "date" else wait))
    outcome = fetch_one(make_job())
    assert isinstance(outcome, Failed)
    assert outcome.failure.retry_after == pytest.approx(7 if wait == "7" else 900, abs=5)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0", b"0"),
    ],
    ids=["a header", "100 Continue", "the size of a chunk"],
)
def test_what_drips_and_is_never_whole_is_given_up(
    depot: Depot, make_job: MakeJob, start: bytes, drop: bytes
) -> None:
    def behave(handler: server.Handler) -> None:
        handler.send(start)
        while not handler.close_connection and not depot.closing.wait(0.05):
            handler.send(drop)

    depot.put("file.fits", behave)
    outcome = fetch_one(make_job(), settings=QUICK)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE
    assert "was too slow" in outcome.failure.message


def test_a_file_that_takes_long_and_keeps_coming_is_not_given_up(depot: Depot, make_job: MakeJob) -> None:
    """Also where a single large read would take many time-outs."""

    def behave(handler: server.Handler) -> None:
        handler.begin(200, Content_Length=len(CONTENT))
        for position in range(0, len(CONTENT), 10_240):
            handler.send(CONTENT[position : position + 10_240])
            depot.closing.wait(0.1)

    depot.put("file.fits", behave)
    outcome = fetch_one(make_job(), settings=QUICK)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == CONTENT


def test_packed_bytes_that_were_cut_before_they_were_sent_are_too_few(
    depot: Depot, make_job: MakeJob
) -> None:
    """The length fits what comes, and a text does not show that its end is missing."""
    squeezed = gzip.compress(CONTENT)
    depot.put("file.csv", server.announce(squeezed[:-200], len(squeezed) - 200, Content_Encoding="gzip"))
    outcome = fetch_one(make_job("file.csv", listed_size=len(CONTENT)))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE


@pytest.mark.parametrize(
    "behaviour",
    [server.in_chunks(CONTENT), server.announce(CONTENT, None), server.packed(CONTENT)],
    ids=["chunks", "no length", "gzip"],
)
def test_other_ways_to_send_the_same_file_are_understood(
    depot: Depot, make_job: MakeJob, behaviour: Behaviour
) -> None:
    depot.put("file.fits", behaviour)
    outcome = fetch_one(make_job(listed_size=len(CONTENT)))
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == CONTENT


@pytest.mark.parametrize("listed", [1, 10**12])
def test_a_wrong_listed_size_is_noted_where_the_content_is_sound(
    depot: Depot, make_job: MakeJob, listed: int
) -> None:
    depot.put("file.fits", serve(CONTENT))
    outcome = fetch_one(make_job(listed_size=listed))
    assert isinstance(outcome, Fetched)
    assert outcome.note == f"the listing says {listed} bytes, the archive sends {len(CONTENT)}"


def test_a_body_without_any_length_may_be_longer_than_listed(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", server.announce(CONTENT, None))
    assert isinstance(fetch_one(make_job(listed_size=5)), Fetched)


def test_content_that_the_check_refuses_is_removed(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    outcome = fetch_one(job, check=refuse_all)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.CONTENT
    assert outcome.failure.message == "file.fits is garbled"
    assert lying_in(job.target.parent) == []


def test_the_check_sees_the_whole_content_under_its_final_name(depot: Depot, make_job: MakeJob) -> None:
    seen = []
    depot.put("file.fits", serve(CONTENT))
    fetch_one(make_job(), check=lambda path, name: seen.append((path.read_bytes(), name)))
    assert seen == [(CONTENT, "file.fits")]


def test_the_partial_has_the_modes_of_the_umask_and_the_folders_group(
    depot: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    job.target.parent.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(job.target.parent, -1, 4321)
    job.target.parent.chmod(0o2775)
    before = os.umask(0o027)
    try:
        outcome = fetch_one(job)
    finally:
        os.umask(before)
    assert isinstance(outcome, Fetched)
    status = outcome.part.stat()
    assert status.st_mode & 0o777 == 0o640
    assert status.st_gid == job.target.parent.stat().st_gid


def test_a_linked_folder_below_the_root_is_followed(depot: Depot, make_job: MakeJob, tmp_path: Path) -> None:
    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    (tmp_path / "big-disk").mkdir()
    job.target.parent.parent.mkdir()
    job.target.parent.symlink_to(tmp_path / "big-disk")
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert outcome.part == tmp_path / "big-disk" / ".file.fits.1.part"


@pytest.mark.parametrize("foreign", ["link", "dangling", "folder", "pipe"])
def test_what_is_not_ours_at_the_path_costs_only_this_file(
    depot: Depot, make_job: MakeJob, tmp_path: Path, foreign: str
) -> None:
    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    job.target.parent.mkdir(parents=True)
    (tmp_path / "theirs").write_bytes(b"theirs")
    make: dict[str, Callable[[], Any]] = {
        "link": lambda: job.target.symlink_to(tmp_path / "theirs"),
        "dangling": lambda: job.target.symlink_to(tmp_path / "nowhere"),
        "folder": job.target.mkdir,
        "pipe": lambda: os.mkfifo(job.target),
    }
    make[foreign]()
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.LOCAL
    assert depot.asked == []
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


@pytest.mark.parametrize("way", ["file", "dangling", "below a file"])
def test_something_in_the_way_of_the_folder_costs_only_this_file(make_job: MakeJob, way: str) -> None:
    job = make_job()
    job.target.parent.parent.mkdir()
    if way == "dangling":
        job.target.parent.symlink_to("nowhere")
    else:
        job.target.parent.write_bytes(b"")
    if way == "below a file":
        job = make_job(target=job.target.parent / "deeper" / job.name)
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.LOCAL


def test_a_link_planted_at_the_partials_path_is_not_written_through(
    depot: Depot, make_job: MakeJob, tmp_path: Path
) -> None:
    depot.put("file.fits", serve(CONTENT))
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    job = make_job()
    job.target.parent.mkdir(parents=True)
    for planted in (".file.fits.1.part", ".file.fits.1.part.json"):
        (job.target.parent / planted).symlink_to(victim)
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert victim.read_bytes() == b"theirs"
    assert not outcome.part.is_symlink()


TOKEN = "5ecret-t0ken-0f-ours"


def test_the_token_goes_with_jobs_that_need_it_only(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(CONTENT))
    fetch_one(make_job(authorised=True), token=lambda: TOKEN)
    fetch_one(make_job(revision=2), token=lambda: TOKEN)
    fetch_one(make_job(revision=3, authorised=True), token=lambda: None)
    sent = [headers.get("Authorization") for headers in depot.requests("file.fits")]
    assert sent == [f"token {TOKEN}", None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_without_the_token_leaving_its_origin(
    depot: Depot, elsewhere: Depot, make_job: MakeJob, status: int
) -> None:
    depot.put("file.fits", server.redirect("/moved", status=status))
    depot.put("moved", server.redirect(f"{elsewhere.url}/bucket", status=status))
    elsewhere.put("bucket", server.redirect(f"{depot.url}/back"))
    depot.put("back", serve(CONTENT))
    outcome = fetch_one(make_job(authorised=True), token=lambda: TOKEN)
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == CONTENT
    assert depot.requests("file.fits")[0]["Authorization"] == f"token {TOKEN}"
    assert depot.requests("moved")[0]["Authorization"] == f"token {TOKEN}"
    assert TOKEN not in str(elsewhere.asked)
    assert TOKEN not in str(depot.requests("back"))


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "sch\xf6n"])
def test_a_token_that_cannot_be_sent_is_not_quoted(depot: Depot, make_job: MakeJob, token: str) -> None:
    outcome = fetch_one(make_job(authorised=True), token=lambda: token)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.UNAUTHORISED
    assert token not in outcome.failure.message
    assert depot.asked == []


def test_a_proxy_of_the_environment_is_used(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", depot.url)
    address = "http://archive.invalid/file.fits"
    depot.put("file.fits", serve(CONTENT))
    depot._scripts[address] = [serve(CONTENT)]
    assert isinstance(fetch_one(make_job(url=address)), Fetched)
    assert depot.asked[0][0] == address


def test_connections_are_used_again(depot: Depot, make_job: MakeJob) -> None:
    ports: set[int] = set()

    def note(handler: server.Handler) -> None:
        ports.add(handler.client_address[1])
        (serve(CONTENT) if len(ports) % 2 else server.refuse(404))(handler)

    depot.put("file.fits", note)
    from tests.transfer.conftest import fetch

    one_at_a_time = TransferSettings(connections=1, timeout=5.0, tries=1)
    fetch(*[make_job(revision=number) for number in range(5)], settings=one_at_a_time)
    assert len(ports) == 1
    assert SETTINGS.connections == 2
