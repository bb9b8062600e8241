"""Transfers through proxies, over TLS, and that queries go the same way and trust the same authorities."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from requests.utils import select_proxy

from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.probing import probe
from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import ArchiveError
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferError
from jwstwatch.transfer.pool import fetch_all
from jwstwatch.transfer.routes import Route
from tests.transfer.conftest import SETTINGS, fetch_one, no_check
from tests.transfer.proxy import HOST, Proxy, make_certificate, proxying, running_securely
from tests.transfer.server import Depot, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(range(256)) * 40
TOKEN = "0123456789abcdef0123456789abcdef"
NAMES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*NAMES, *map(str.upper, NAMES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def proxy(depot: Depot) -> Iterator[Proxy]:
    depot.put("file.fits", serve(CONTENT))
    with proxying(int(depot.url.rpartition(":")[2])) as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(certificate: Path) -> Iterator[Depot]:
    with running_securely(certificate) as server:
        server.put("file.fits", serve(CONTENT))
        yield server


@pytest.fixture
def tunnel(secure: Depot) -> Iterator[Proxy]:
    with proxying(int(secure.url.rpartition(":")[2])) as running:
        yield running


def failure_of(job: Job) -> str:
    outcome = fetch_one(job, token=lambda: TOKEN)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE
    return outcome.failure.message


def trouble_of(server: str) -> str:
    """Return what a query says that goes the same way."""
    found = probe(server, timeout=5.0)
    assert not found.reachable
    assert found.problem is not None
    return found.problem


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_file_comes_through_a_proxy(
    proxy: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    outcome = fetch_one(make_job(url=f"http://{HOST}/file.fits?uri=mast:JWST"), token=lambda: TOKEN)
    assert isinstance(outcome, Failed)  # the server behind it knows no such path: all of it came there
    outcome = fetch_one(make_job(url=f"http://{HOST}/file.fits", revision=2), token=lambda: TOKEN)
    assert isinstance(outcome, Fetched)
    assert [target for _, target, _ in proxy.asked] == [
        f"http://{HOST}/file.fits?uri=mast:JWST",
        f"http://{HOST}/file.fits",
    ]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_protected_file_comes_through_a_tunnel_that_sees_nothing(
    tunnel: Proxy,
    secure: Depot,
    certificate: Path,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv(name, tunnel.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    jobs = [make_job(url=f"https://{HOST}/file.fits", authorised=True, revision=number) for number in (1, 2)]
    for job in jobs:
        assert isinstance(fetch_one(job, token=lambda: TOKEN), Fetched)
    assert [(method, target) for method, target, _ in tunnel.asked] == [("CONNECT", f"{HOST}:443")] * 2
    assert TOKEN not in str(tunnel.asked)
    assert [headers["Authorization"] for headers in secure.requests("file.fits")] == [f"token {TOKEN}"] * 2


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("places", ["127.0.0.1", "*", "10.0.0.0/8,127.0.0.0/8", "other.org, 127.0.0.1"])
def test_what_needs_no_proxy_is_asked_directly(
    proxy: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, name: str, places: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv(name, places)
    assert isinstance(fetch_one(make_job()), Fetched)
    assert proxy.asked == []


def test_a_proxy_needs_no_scheme(proxy: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy.place)
    assert isinstance(fetch_one(make_job(url=f"http://{HOST}/file.fits")), Fetched)
    assert len(proxy.asked) == 1


ENVIRONMENTS = [
    {},
    {"http_proxy": "http://a:1"},
    {"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:2"},
    {"https_proxy": "a:1", "no_proxy": ".stsci.edu"},
    {"https_proxy": "https://a:1", "no_proxy": "mast.stsci.edu:8443"},
    {"all_proxy": "http://a:1", "no_proxy": "stsci.edu,192.168.0.0/16"},
    {"ALL_PROXY": "http://u:p@a:1", "http_proxy": ""},
    {"all_proxy": "http://a", "no_proxy": "localhost,::1"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(
    "origin",
    [
        "http://mast.stsci.edu:80",
        "https://mast.stsci.edu:443",
        "https://mast.stsci.edu:8443",
        "http://192.168.3.4:80",
        "http://localhost:8000",
        "http://[::1]:8000",
    ],
)
def test_transfers_go_the_way_that_queries_go(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], origin: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = requests.Session().merge_environment_settings(origin, {}, None, None, None)
    expected = select_proxy(origin, settings["proxies"])
    route = Route(origin, authorities=lambda: None, adopt=lambda _: None)  # type: ignore[arg-type,return-value]
    found = route.proxy
    route.close()
    assert (found or "") == (expected or "").rpartition("//")[2].rpartition("@")[2]


def test_name_and_password_go_to_the_proxy_and_nowhere_else(
    proxy: Proxy,
    depot: Depot,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy.secret = "some:body:p@ss wörd/"
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//some:body:p%40ss%20w%C3%B6rd%2F@"))
    assert isinstance(fetch_one(make_job(url=f"http://{HOST}/file.fits")), Fetched)
    assert len(proxy.asked) == 1
    assert "proxy-authorization" not in str(depot.asked).lower()
    assert "p%40ss" not in caplog.text
    assert "p@ss" not in caplog.text


def test_name_and_password_open_a_tunnel(
    tunnel: Proxy, secure: Depot, certificate: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel.secret = "somebody:secret"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("https_proxy", tunnel.url.replace("//", "//somebody:secret@"))
    assert isinstance(fetch_one(make_job(url=f"https://{HOST}/file.fits")), Fetched)
    assert "proxy-authorization" not in str(secure.asked).lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_password_is_named_without_it(
    proxy: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    proxy.secret = "somebody:else"
    monkeypatch.setenv("all_proxy", proxy.url.replace("//", "//somebody:hunter2@"))
    message = failure_of(make_job(url=f"{scheme}://{HOST}/file.fits"))
    assert f"the proxy {proxy.place} asks for a name and a password" in message
    said = trouble_of(f"{scheme}://{HOST}")
    assert "asks for a name and a password" in said
    assert "hunter2" not in message + said
    assert "somebody" not in message + said


def test_a_proxy_that_lets_nobody_through_is_named(
    proxy: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.refusal = 403
    monkeypatch.setenv("https_proxy", proxy.url)
    message = failure_of(make_job(url=f"https://{HOST}/file.fits"))
    assert message.endswith(f"cannot be reached: the proxy {proxy.place} does not let us through (HTTP 403)")
    assert f"the proxy {proxy.place} lets nothing through" in trouble_of(f"https://{HOST}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_named(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("all_proxy", f"http://somebody:hunter2@{place}")
        message = failure_of(make_job(url=f"{scheme}://{HOST}/file.fits"))
        said = trouble_of(f"{scheme}://{HOST}")
    assert f"the proxy {place} does not answer" in message
    assert f"the proxy {place}" in said
    assert "hunter2" not in message + said


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ("socks5://somebody:hunter2@127.0.0.1:1080", "the proxy 127.0.0.1:1080"),
        ("socks5h://127.0.0.1:1080", "the proxy 127.0.0.1:1080"),
        ("ftp://somebody:hunter2@127.0.0.1:21", "the proxy 127.0.0.1:21"),
        ("http://somebody:hunter2#1@127.0.0.1:3128", "the proxy in the environment"),
        ("http://somebody:12345#hunter2@127.0.0.1:3128", "the proxy in the environment"),
        ("http://somebody:hunter2@:3128", "the proxy"),
        ("http://[somebody:hunter2", "the proxy in the environment"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_of_in_a_sentence(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, stated: str, place: str
) -> None:
    monkeypatch.setenv("http_proxy", stated)
    message = failure_of(make_job(url=f"http://{HOST}/file.fits"))
    assert place in message
    for secret in ("hunter2", "12345"):
        assert secret not in message
    if stated.startswith("socks") or "#" not in stated:
        said = trouble_of(f"http://{HOST}")
        assert "proxy" in said
        assert "hunter2" not in said


def test_the_error_of_a_proxy_carries_no_secret_in_its_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://somebody:p#hunter2@127.0.0.1:3128")
    with pytest.raises(TransferError) as caught:
        Route(f"http://{HOST}:80", authorities=lambda: None, adopt=lambda _: None)  # type: ignore[arg-type,return-value]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_tunnel_that_drips_and_is_never_open_is_given_up(
    tunnel: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel.drips = True
    monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
    outcome = fetch_one(make_job(url=f"https://{HOST}/file.fits"), settings=replace(SETTINGS, timeout=0.3))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.ARCHIVE
    assert "was too slow" in outcome.failure.message


def test_a_stop_is_heard_while_a_tunnel_drips(
    tunnel: Proxy, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel.drips = True
    stop = threading.Event()
    monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
    job = make_job(url=f"https://{HOST}/file.fits")

    def look() -> None:
        if tunnel.asked:
            stop.set()

    settings = replace(SETTINGS, timeout=600.0)
    ended = fetch_all(
        iter([job]), settings=settings, token=lambda: None, check=no_check, stop=stop, idle=look
    )
    assert list(ended) == []
    assert stop.is_set()


def test_an_authority_of_the_site_is_trusted(
    secure: Depot, certificate: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    assert isinstance(fetch_one(make_job(url=f"{secure.url}/file.fits")), Fetched)


def test_a_server_that_nobody_vouches_for_gets_no_request(secure: Depot, make_job: MakeJob) -> None:
    message = failure_of(make_job(url=f"{secure.url}/file.fits", authorised=True))
    assert message.startswith(f"{secure.url} cannot prove who it is")
    assert "REQUESTS_CA_BUNDLE" in message
    assert "cannot prove who it is" in trouble_of(secure.url)
    assert secure.asked == []


def test_a_bundle_that_is_not_there_is_named(
    secure: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    message = failure_of(make_job(url=f"{secure.url}/file.fits"))
    assert "trusted authorities cannot be read" in message
    assert "REQUESTS_CA_BUNDLE" in message
    assert "absent.pem" in trouble_of(secure.url)
    with pytest.raises(ArchiveError, match=r"absent\.pem") as caught:
        MastArchive(secure.url, timeout=5.0, sleep=lambda _: None).products([1])
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
