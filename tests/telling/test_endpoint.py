"""`/metrics` and `/healthz` on loopback, whoever else hangs on the line."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from jwstwatch.errors import BusyError, ConfigurationError
from jwstwatch.telling import endpoint as module
from jwstwatch.telling.endpoint import Endpoint
from tests.telling.exposition import read
from tests.telling.things import PLENTY, until


def document() -> Mapping[str, Any]:
    return {"daemon": {"running": True}}


@pytest.fixture
def serve() -> Iterator[Callable[..., Endpoint]]:
    """Start endpoints that are stopped after the test."""
    started: list[Endpoint] = []

    def start(**options: Any) -> Endpoint:
        facts: dict[str, Any] = {"document": document, "healthy": lambda: (True, "ok"), "host": "127.0.0.1"}
        facts |= options
        endpoint = Endpoint(facts.pop("host"), 0, **facts)
        endpoint.start()
        started.append(endpoint)
        return endpoint

    yield start
    for endpoint in started:
        endpoint.stop()


def ask(endpoint: Endpoint, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(*endpoint.address, timeout=PLENTY)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_the_figures_are_answered_on_loopback(serve: Callable[..., Endpoint], host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")

    answer, text = ask(serve(host=host), "/metrics")

    assert answer.status == 200
    assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert read(text)["jwstwatch_daemon_running"].samples == {frozenset(): 1}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_no_other_address_is_listened_on(host: str) -> None:
    with pytest.raises(ConfigurationError, match="no loopback address"):
        Endpoint(host, 0, document=document, healthy=lambda: (True, "ok"))


@pytest.mark.parametrize(
    ("healthy", "status"), [((True, "ok"), 200), ((False, "the state does not answer"), 503)]
)
def test_health_is_a_status_and_a_word(
    serve: Callable[..., Endpoint], healthy: tuple[bool, str], status: int
) -> None:
    answer, text = ask(serve(healthy=lambda: healthy), "/healthz")

    assert (answer.status, text) == (status, f"{healthy[1]}\n")


def test_a_head_is_answered_without_a_body(serve: Callable[..., Endpoint]) -> None:
    answer, text = ask(serve(), "/metrics", "HEAD")

    assert (answer.status, text) == (200, "")
    assert int(answer.getheader("Content-Length") or 0) > 0


def test_the_host_header_and_a_query_do_not_matter(serve: Callable[..., Endpoint]) -> None:
    answer, _ = ask(serve(), "/metrics?module=x", Host="somebody.else")

    assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/healthz/x"])
def test_there_is_nothing_else(serve: Callable[..., Endpoint], path: str) -> None:
    assert ask(serve(), path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_looking_is_allowed(serve: Callable[..., Endpoint], method: str) -> None:
    assert ask(serve(), "/metrics", method)[0].status == 501


def test_a_state_that_does_not_answer_is_said_so(serve: Callable[..., Endpoint]) -> None:
    def busy() -> Mapping[str, Any]:
        raise BusyError("the state is locked by another process", hint="find it")

    answer, text = ask(serve(document=busy), "/metrics")

    assert (answer.status, text) == (503, "the state is locked by another process\n")


def test_a_bug_is_an_answer_and_a_line_in_the_log(
    serve: Callable[..., Endpoint], caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Mapping[str, Any]:
        raise RuntimeError("a detail that is nobody's business")

    answer, text = ask(serve(document=broken), "/metrics")

    assert (answer.status, text) == (500, "the figures could not be made\n")
    assert "a detail" in caplog.text


def connected(endpoint: Endpoint, said: bytes = b"") -> socket.socket:
    client = socket.create_connection(endpoint.address)
    client.settimeout(PLENTY)
    client.sendall(said)
    return client


def test_clients_that_say_nothing_keep_nobody_from_an_answer_and_are_hung_up(
    serve: Callable[..., Endpoint],
) -> None:
    endpoint = serve(patience=0.5)
    idle = [connected(endpoint) for _ in range(5)] + [connected(endpoint, b"GET /metrics HT")]
    try:
        assert ask(endpoint, "/healthz")[0].status == 200
        for client in idle:
            assert client.recv(100) == b""
    finally:
        for client in idle:
            client.close()


def test_a_client_that_trickles_is_hung_up_too(
    serve: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRICKLES", 1)
    client = connected(serve(patience=0.5), b"GET /metrics HTTP/1.0\r\n")
    end = time.monotonic() + PLENTY

    with client:
        try:
            while time.monotonic() < end:
                client.sendall(b"X-More: 1\r\n")
                time.sleep(0.05)
        except OSError:
            return
    pytest.fail("it was listened to for ever")


def test_more_clients_than_there_is_room_for_are_turned_away_until_there_is(
    serve: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 2)
    endpoint = serve()
    with connected(endpoint), connected(endpoint):
        until(lambda: refused(endpoint))
    until(lambda: not refused(endpoint))


def refused(endpoint: Endpoint) -> bool:
    try:
        ask(endpoint, "/healthz")
    except OSError:
        return True
    return False


def test_a_taken_address_is_an_error_and_a_stopped_one_is_free(serve: Callable[..., Endpoint]) -> None:
    first = serve()
    host, port = first.address
    second = Endpoint(host, port, document=document, healthy=lambda: (True, "ok"))
    with pytest.raises(OSError, match="in use"):
        second.start()

    first.stop()
    second.start()
    try:
        assert ask(second, "/healthz")[0].status == 200
    finally:
        second.stop()
    second.stop()  # once more does no harm
