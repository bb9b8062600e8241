"""Redirects: followed, but the token stays with the origin (scheme, host, port) that it was meant for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.job import Failed, Fetched, Job
from tests.transfer import server
from tests.transfer.conftest import fetch, fetch_one
from tests.transfer.proxy import make_certificate, proxying, running_securely
from tests.transfer.server import Depot, Handler, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(range(256)) * 40
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Depot]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with running_securely(certificate) as running:
        yield running


def follow(job: Job) -> Fetched | Failed:
    return fetch_one(job, token=lambda: TOKEN)


def port_of(depot: Depot) -> str:
    return depot.url.rpartition(":")[2]


def sent(depot: Depot, name: str) -> list[str | None]:
    return [headers.get("Authorization") for headers in depot.requests(name)]


@pytest.mark.parametrize(
    "location",
    [
        "/there",
        "there",
        "//127.0.0.1:{port}/there",
        "http://127.0.0.1:{port}/there#part",
        "HTTP://127.0.0.1:{port}/there",
        "http://somebody@127.0.0.1:{port}/there",
    ],
)
def test_the_token_goes_on_within_its_origin_however_that_is_written(
    depot: Depot, make_job: MakeJob, location: str
) -> None:
    depot.put("file.fits", server.redirect(location.format(port=port_of(depot))))
    depot.put("there", serve(CONTENT))
    assert isinstance(follow(make_job(authorised=True)), Fetched)
    assert sent(depot, "there") == [f"token {TOKEN}"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/there",  # another port
        "//127.0.0.1:{other}/there",
        "http://localhost:{port}/there",  # another name, although of the same machine
        "http://127.0.0.2:{port}/there",
        "http://127.0.0.1:{port}@127.0.0.1:{other}/there",  # a host that is only a user's name
        "http://127.0.0.1%3A{port}@127.0.0.1:{other}/there",
    ],
)
def test_the_token_stays_behind_at_another_origin(
    depot: Depot, elsewhere: Depot, make_job: MakeJob, location: str
) -> None:
    depot.put("file.fits", server.redirect(location.format(port=port_of(depot), other=port_of(elsewhere))))
    for place in (depot, elsewhere):
        place.put("there", serve(CONTENT))
    outcome = follow(make_job(authorised=True))
    if "127.0.0.2" not in location:  # where nobody listens
        assert isinstance(outcome, Fetched)
        assert [*sent(depot, "there"), *sent(elsewhere, "there")] == [None]
    assert TOKEN not in str(elsewhere.asked)


def test_a_token_that_was_left_behind_is_not_taken_up_again(
    depot: Depot, elsewhere: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", server.redirect(f"{elsewhere.url}/far"))
    elsewhere.put("far", server.redirect(f"{depot.url}/back"))
    depot.put("back", server.redirect("/there"))
    depot.put("there", serve(CONTENT))
    assert isinstance(follow(make_job(authorised=True)), Fetched)
    assert sent(depot, "file.fits") == [f"token {TOKEN}"]
    assert sent(elsewhere, "far") + sent(depot, "back") + sent(depot, "there") == [None, None, None]


def test_the_next_file_has_its_token_again(depot: Depot, elsewhere: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", server.redirect(f"{elsewhere.url}/there"))
    elsewhere.put("there", serve(CONTENT))
    fetch(*[make_job(authorised=True, revision=number) for number in (1, 2)], token=lambda: TOKEN)
    assert sent(depot, "file.fits") == [f"token {TOKEN}"] * 2
    assert sent(elsewhere, "there") == [None, None]


def test_the_token_does_not_go_from_a_plain_origin_to_a_protected_one(
    depot: Depot, secure: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", server.redirect(f"{secure.url}/there"))
    secure.put("there", serve(CONTENT))
    assert isinstance(follow(make_job(authorised=True)), Fetched)
    assert sent(secure, "there") == [None]


def test_a_protected_origin_cannot_send_us_to_a_plain_one(
    depot: Depot, secure: Depot, make_job: MakeJob
) -> None:
    secure.put("file.fits", server.redirect(f"{depot.url}/there"))
    outcome = follow(make_job(url=f"{secure.url}/file.fits", authorised=True))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.REFUSED
    assert "unprotected" in outcome.failure.message
    assert depot.asked == []


def test_the_secrets_in_a_location_are_neither_sent_nor_told(
    depot: Depot, elsewhere: Depot, make_job: MakeJob
) -> None:
    location = elsewhere.url.replace("//", "//somebody:hunter2@")
    depot.put("file.fits", server.redirect(f"{location}/there"))
    elsewhere.put("there", server.refuse(418))
    outcome = follow(make_job(authorised=True))
    assert isinstance(outcome, Failed)
    assert f"{elsewhere.url} refuses" in outcome.failure.message
    assert "hunter2" not in outcome.failure.message
    assert sent(elsewhere, "there") == [None]
    assert "hunter2" not in str(elsewhere.asked)


def test_the_secrets_in_a_location_are_not_told_to_a_proxy(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot.put("file.fits", server.redirect("http://somebody:hunter2@bucket.invalid/there?key=1#part"))
    depot.put("there?key=1", serve(CONTENT))
    with proxying(int(port_of(depot))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert isinstance(follow(make_job(url="http://archive.invalid/file.fits", authorised=True)), Fetched)
    assert [target for _, target, _ in proxy.asked] == [
        "http://archive.invalid/file.fits",
        "http://bucket.invalid/there?key=1",
    ]
    assert [headers.get("Authorization") for _, _, headers in proxy.asked] == [f"token {TOKEN}", None]
    assert "hunter2" not in str(proxy.asked)


def test_an_address_that_can_be_read_in_two_ways_is_not_followed(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot.put("file.fits", server.redirect("http://evil.invalid\\@archive.invalid/there"))
    with proxying(int(port_of(depot))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        outcome = follow(make_job(url="http://archive.invalid/file.fits", authorised=True))
    assert isinstance(outcome, Failed)
    assert [target for _, target, _ in proxy.asked] == ["http://archive.invalid/file.fits"]


def test_cookies_are_not_kept(depot: Depot, make_job: MakeJob) -> None:
    def set_cookie(handler: Handler) -> None:
        handler.begin(302, Content_Length=0, Location="/there", Set_Cookie=f"mast_token={TOKEN}; Path=/")

    depot.put("file.fits", set_cookie)
    depot.put("there", serve(CONTENT))
    fetch(*[make_job(revision=number) for number in (1, 2)])
    assert len(depot.asked) == 4
    assert not [headers for _, headers in depot.asked if "Cookie" in headers]


def test_a_resumed_file_is_resumed_behind_the_redirect(
    depot: Depot, elsewhere: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", server.redirect(f"{elsewhere.url}/there"))
    elsewhere.put("there", server.truncate(CONTENT, 4000), serve(CONTENT))
    assert isinstance(follow(make_job(authorised=True)), Failed)
    outcome = follow(make_job(authorised=True))
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == CONTENT
    assert elsewhere.requests("there")[1]["Range"] == "bytes=4000-"
    assert TOKEN not in str(elsewhere.asked)
