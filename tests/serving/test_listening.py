"""Several sites at one address, many clients, and those that say nothing."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from pathlib import Path

import pytest

import jwstwatch
from jwstwatch.errors import BusyError, UsageError
from jwstwatch.serving import server as module
from jwstwatch.serving.kinds import SECURITY
from tests.serving.asking import ask, connect, make_root, place_of, read_answer, serving

PROJECT = Path(__file__).resolve().parent.parent.parent


def test_several_folders_get_a_list_in_front(tmp_path: Path) -> None:
    one, other = make_root(tmp_path, "data"), make_root(tmp_path, "<b>&")
    (other / "index.html").unlink()
    with serving(one, other) as server:
        page = ask(server, "/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert re.findall(rb'<a href="([^"]*)">', page.body) == [b"/1-data/"]
        assert b"<b>" not in page.body
        assert b"&lt;b&gt;&amp; (no page is there)" in page.body
        assert ask(server, "/list.css").headers["content-type"] == "text/css; charset=utf-8"
        assert ask(server, "/favicon.ico").status == 204
        assert ask(server, "/1-data/01345/").status == 200
        assert ask(server, "/2-%3Cb%3E%26/01345/").status == 200
        assert ask(server, "/1-data").headers["location"] == "/1-data/"
        assert ask(server, "/2-%3Cb%3E%26/01345").headers["location"] == "/2-%3Cb%3E%26/01345/"
        for target in ("/01345/", "/1-data/../2-other/", "/1-data/state.db", "/3-data/", "/1-data/list.css"):
            assert ask(server, target).status == 404, target
        assert list(server.addresses) == [f"{server.url}1-data/", f"{server.url}2-%3Cb%3E%26/"]


def test_one_connection_carries_many_requests(tmp_path: Path) -> None:
    with serving(make_root(tmp_path)) as server, connect(server) as connection:
        request = b"GET /feed.json HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall((request + b"\r\n") * 3 + request + b"Connection: close\r\n\r\n")
        text = b""
        while piece := connection.recv(1 << 16):
            text += piece
    assert text.count(b"HTTP/1.1 200") == 4


@pytest.mark.parametrize(
    "length", ["Content-Length: 44", "Content-Length: 0\r\nContent-Length: 44", "Transfer-Encoding:"]
)
def test_a_body_is_not_taken_for_another_request(tmp_path: Path, length: str) -> None:
    hidden = b"GET /feed.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(make_root(tmp_path)) as server, connect(server) as connection:
        head = f"GET /feed.xml HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n"
        connection.sendall(head.encode() + hidden)
        answer = read_answer(connection)
    assert (answer.headers["connection"], answer.body) == ("close", b"<feed/>")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1\r\n"])
def test_a_client_that_stalls_is_let_go(tmp_path: Path, sent: bytes) -> None:
    with serving(make_root(tmp_path), patience=0.2) as server, connect(server) as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_a_client_that_takes_nothing_is_let_go(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    (root / "big.fits").write_bytes(bytes(30_000_000))
    with serving(root, patience=0.2, most_clients=1) as server, connect(server) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(b"GET /big.fits HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(1)
        assert ask(server, "/feed.json").status == 200, "its place is free again"


def test_too_many_connections_are_turned_away_and_the_next_ones_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.05)
    with serving(make_root(tmp_path), most_clients=2) as server:
        first, second = connect(server), connect(server)
        with first, second:
            for connection in (first, second):
                connection.sendall(b"GET /feed.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(9) == b"HTTP/1.1 "
            with connect(server) as third:
                assert third.recv(1) == b""
        assert ask(server, "/feed.json").status == 200


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = place_of(server)[1]
        with (
            pytest.raises(BusyError, match=f"port {port} of 127.0.0.1 is in use"),
            serving(tmp_path, port=port),
        ):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 70])
def test_an_address_of_no_interface_is_told(tmp_path: Path, host: str) -> None:
    with (
        pytest.raises(UsageError, match=f"nobody can listen on port 0 of {re.escape(host)}: "),
        serving(tmp_path, host=host),
    ):
        pass


def test_the_other_loopback_is_served_too(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with serving(make_root(tmp_path), host="::1") as server:
        assert server.is_private
        with urllib.request.urlopen(f"{server.url}feed.json") as answer:
            assert json.load(answer) == {}


def test_the_policy_is_that_of_the_pages_and_of_the_documented_web_server() -> None:
    page = (Path(jwstwatch.__file__).parent / "pages" / "templates" / "base.html").read_text()
    stated = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert stated is not None
    served = SECURITY["Content-Security-Policy"]
    # A page cannot forbid its framing itself; and files are no source of what came from a server.
    assert served == stated[1].replace(" file:", "") + "; frame-ancestors 'none'"
    nginx = (PROJECT / "docs" / "installation.md").read_text()
    for name, value in SECURITY.items():
        assert (
            f'add_header {name} "{value}" always;' in nginx or f"add_header {name} {value} always;" in nginx
        )
