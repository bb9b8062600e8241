"""The HTTP side of the demo archive: downloads, ranges, log-in, and every fault it can have."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.faults import Fault, FaultKind
from jwstwatch.demo.server import ArchiveServer
from tests.demo.client import DOWNLOAD, ask, fetch, query
from tests.demo.conftest import NOW, TOKEN


@pytest.fixture
def uri(small: Catalogue) -> str:
    return next(uri for uri in small.uris if uri.endswith("_rate.fits"))


@pytest.fixture
def content(small: Catalogue, uri: str) -> bytes:
    return small.read(uri).content


def test_a_download_has_length_validators_and_the_bytes(
    server: ArchiveServer, small: Catalogue, uri: str, content: bytes
) -> None:
    answer = fetch(server, uri)
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == small.read(uri).etag
    assert answer.headers["Last-Modified"].endswith("GMT")


def test_head_says_the_same_without_the_bytes(server: ArchiveServer, uri: str, content: bytes) -> None:
    answer = fetch(server, uri, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(content))
    assert [request.method for request in server.requests.downloads(method="HEAD")] == ["HEAD"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=100-199", 100, 200), ("bytes=5000-", 5000, None), ("bytes=-300", -300, None)],
)
def test_a_range_is_answered_with_206(
    server: ArchiveServer, uri: str, content: bytes, asked: str, start: int, end: int | None
) -> None:
    answer = fetch(server, uri, headers={"Range": asked})
    assert (answer.status, answer.body) == (206, content[start:end])
    first = start % len(content)
    last = first + len(answer.body) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "lines=1-2", "bytes=-"])
def test_what_is_no_single_range_gets_the_whole_file(
    server: ArchiveServer, uri: str, content: bytes, asked: str
) -> None:
    answer = fetch(server, uri, headers={"Range": asked})
    assert (answer.status, answer.body) == (200, content)


def test_a_range_beyond_the_end_cannot_be_satisfied(server: ArchiveServer, uri: str, content: bytes) -> None:
    answer = fetch(server, uri, headers={"Range": f"bytes={len(content)}-"})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"


def test_if_range_gives_the_rest_of_the_same_revision_and_all_of_another(
    server: ArchiveServer, small: Catalogue, uri: str, content: bytes
) -> None:
    old = small.read(uri)
    conditions = {"Range": "bytes=4000-", "If-Range": old.etag}
    assert fetch(server, uri, headers=conditions).body == content[4000:]
    small.reprocess(uri, now=NOW)
    renewed = fetch(server, uri, headers=conditions)
    assert (renewed.status, renewed.body) == (200, small.read(uri).content)
    server.faults.add(Fault(kind="ignore if-range", uri=uri))
    mixed = fetch(server, uri, headers=conditions)
    assert mixed.status == 206
    assert mixed.headers["ETag"] != old.etag


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"token {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Cookie": f"mast_token={TOKEN}"},
    ],
)
def test_exclusive_files_need_the_token_in_any_of_its_forms(
    demo_server: ArchiveServer, headers: dict[str, str]
) -> None:
    uri = "mast:JWST/product/jw05224007001_02101_00001_nrcalong_rate.fits"
    assert fetch(demo_server, uri).status == 401
    assert fetch(demo_server, uri, headers={"Authorization": "token another"}).status == 401
    assert fetch(demo_server, uri, headers=headers).status == 200


def test_a_token_can_die_while_the_server_runs(server: ArchiveServer) -> None:
    headers = {"Authorization": f"token {TOKEN}"}
    assert ask(server, "/whoami", headers=headers).json()["anon"] is False
    server.token = None
    assert ask(server, "/whoami", headers=headers).json()["anon"] is True


def test_an_unknown_file_and_an_unknown_path_are_404_with_json(server: ArchiveServer) -> None:
    for answer in (fetch(server, "mast:JWST/product/nothing.fits"), ask(server, "/nothing")):
        assert answer.status == 404
        assert answer.json()["path"] is None


def test_a_withdrawn_file_is_404(server: ArchiveServer, small: Catalogue, uri: str) -> None:
    small.withdraw(uri)
    assert fetch(server, uri).status == 404


def test_one_connection_serves_many_requests(server: ArchiveServer, small: Catalogue) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    for uri in small.uris:
        connection.request("GET", f"{DOWNLOAD}?uri={uri}")
        response = connection.getresponse()
        assert hashlib.md5(response.read()).hexdigest() == small.read(uri).md5
    connection.close()
    assert len({request.peer for request in server.requests.downloads()}) == 1


def test_many_clients_are_served_at_once(server: ArchiveServer, small: Catalogue) -> None:
    server.faults.add(Fault(kind="latency", seconds=0.05, times=None))
    answers: list[int] = []

    def work(uri: str) -> None:
        answers.append(len(fetch(server, uri).body))

    threads = [threading.Thread(target=work, args=(uri,)) for uri in small.uris * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(small.size(uri) for uri in small.uris * 4)


def test_the_log_tells_who_asked_for_what_and_what_was_sent(
    server: ArchiveServer, uri: str, content: bytes
) -> None:
    fetch(server, uri, headers={"Range": "bytes=10-", "Authorization": "token abc"})
    query(server, "Mast.Caom.Products", {"obsid": "1"})
    download, question = server.requests.all()
    assert (download.method, download.path, download.uri) == ("GET", DOWNLOAD, uri)
    assert (download.status, download.bytes, download.range) == (206, len(content) - 10, "bytes=10-")
    assert (download.token, download.service) == ("abc", None)
    assert question.service == "Mast.Caom.Products"
    assert json.loads(question.question or "")["params"] == {"obsid": "1"}
    assert server.requests.count(path=DOWNLOAD) == server.requests.count(uri="*_rate.fits", status=206) == 1
    assert server.requests.count(service="Mast.Caom.*") == 1
    server.requests.clear()
    assert len(server.requests) == 0


# -- faults


def test_a_fault_spares_then_strikes_then_is_over(server: ArchiveServer, uri: str) -> None:
    fault = Fault(kind="status", uri="*_rate.fits", status=500, skip=1, times=2)
    server.faults.add(fault)
    assert [fetch(server, uri).status for _ in range(5)] == [200, 500, 500, 200, 200]
    assert server.faults.struck(fault) == 2
    assert ask(server, "/whoami").status == 200


def test_a_fault_strikes_only_what_it_names(server: ArchiveServer, small: Catalogue, uri: str) -> None:
    server.faults.add(
        Fault(kind="status", service="Mast.Caom.Products", times=None),
        Fault(kind="status", path="/whoami", status=500, times=None),
        Fault(kind="status", uri=uri, method="HEAD", status=405, times=None),
    )
    assert query(server, "Mast.Caom.Filtered", {"columns": "*"})["status"] == "COMPLETE"
    assert ask(server, "/api/v0/invoke", method="POST", body="request={}").status == 200
    assert ask(server, "/whoami").status == 500
    assert fetch(server, uri).status == 200
    assert fetch(server, uri, method="HEAD").status == 405


def test_a_fault_is_not_spent_on_a_request_that_it_cannot_strike(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="executing"), Fault(kind="redirect"))
    assert ask(server, "/whoami").status == 200
    assert query(server, "Mast.Caom.Filtered", {})["status"] == "EXECUTING"
    assert fetch(server, uri).status == 302


@pytest.mark.parametrize(("status", "wait"), [(503, 7), (503, "Sun, 22 Nov 2026 14:00:00 GMT"), (429, 1)])
def test_a_status_fault_may_ask_to_come_back(
    server: ArchiveServer, uri: str, status: int, wait: int | str
) -> None:
    server.faults.add(Fault(kind="status", status=status, retry_after=wait))
    answer = fetch(server, uri)
    assert answer.status == status
    assert answer.headers["Retry-After"] == str(wait)


def test_an_html_page_comes_with_200(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="html"))
    answer = fetch(server, uri)
    assert answer.status == 200
    assert answer.body.startswith(b"<html>")


def test_maintenance_closes_everything_until_it_is_over(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="maintenance", times=None))
    answers = [fetch(server, uri), ask(server, "/whoami"), ask(server, "/api/v0/invoke", method="POST")]
    assert {answer.status for answer in answers} == {503}
    assert all(b"maintenance" in answer.body for answer in answers)
    server.faults.clear()
    assert fetch(server, uri).status == 200


def test_a_truncated_download_ends_early(server: ArchiveServer, uri: str, content: bytes) -> None:
    server.faults.add(Fault(kind="truncate", after=5000))
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(server, uri)
    assert caught.value.partial == content[:5000]
    assert server.requests.downloads()[0].bytes == 5000


@pytest.mark.parametrize("after", [0, 5000])
def test_a_reset_is_a_reset(server: ArchiveServer, uri: str, after: int) -> None:
    server.faults.add(Fault(kind="reset", after=after))
    with pytest.raises(ConnectionResetError):
        fetch(server, uri)
    assert server.requests.downloads()[0].status == (200 if after else 0)


def test_a_stall_sends_nothing_for_its_time_and_then_the_rest(
    server: ArchiveServer, uri: str, content: bytes
) -> None:
    server.faults.add(Fault(kind="stall", after=3000, seconds=30))
    with socket.create_connection(server_address(server)) as connection:
        connection.sendall(f"GET {DOWNLOAD}?uri={uri} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = read_until(connection, 3000)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert received == content[:3000]
    server.faults.clear()
    server.faults.add(Fault(kind="stall", after=3000, seconds=0.05))
    assert fetch(server, uri).body == content


def test_latency_delays_the_answer(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="latency", seconds=30))
    with socket.create_connection(server_address(server)) as connection:
        connection.sendall(f"GET {DOWNLOAD}?uri={uri} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_slow_answer_comes_in_small_pieces(server: ArchiveServer, uri: str, content: bytes) -> None:
    server.faults.add(Fault(kind="slow", rate=20 * len(content) // 3))
    answer = fetch(server, uri)
    assert answer.body == content


@pytest.mark.parametrize("amount", [-100, 100])
def test_a_wrong_length_is_announced(server: ArchiveServer, uri: str, content: bytes, amount: int) -> None:
    server.faults.add(Fault(kind="wrong length", amount=amount))
    if amount < 0:
        assert fetch(server, uri).body == content[:amount]
        return
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(server, uri)
    assert caught.value.partial == content


def test_no_length_ends_with_the_connection(server: ArchiveServer, uri: str, content: bytes) -> None:
    server.faults.add(Fault(kind="no length"))
    answer = fetch(server, uri)
    assert "Content-Length" not in answer.headers
    assert answer.body == content


def test_garbling_keeps_the_length_and_changes_one_byte(
    server: ArchiveServer, uri: str, content: bytes
) -> None:
    server.faults.add(Fault(kind="garble", after=4321))
    body = fetch(server, uri).body
    assert [index for index in range(len(content)) if body[index] != content[index]] == [4321]
    assert fetch(server, uri).body == content


def test_a_range_can_be_ignored(server: ArchiveServer, uri: str, content: bytes) -> None:
    server.faults.add(Fault(kind="ignore range"))
    answer = fetch(server, uri, headers={"Range": "bytes=100-"})
    assert (answer.status, answer.body) == (200, content)


def test_validators_can_be_missing(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="no validators"))
    assert not {"ETag", "Last-Modified"} & fetch(server, uri).headers.keys()


def test_a_redirect_leads_to_a_place_that_serves_the_file(
    server: ArchiveServer, uri: str, content: bytes
) -> None:
    server.faults.add(Fault(kind="redirect", uri=uri, times=None))
    answer = fetch(server, uri)
    assert answer.status == 302
    place = answer.headers["Location"]
    assert place.startswith(server.url)
    assert ask(server, place.removeprefix(server.url)).body == content
    assert [request.status for request in server.requests.downloads(uri)] == [302, 200]


def test_a_short_listing_announces_more_than_it_holds(server: ArchiveServer, small: Catalogue) -> None:
    server.faults.add(Fault(kind="short", service="Mast.Caom.Filtered", amount=1))
    reply = query(server, "Mast.Caom.Filtered", {"columns": "*"})
    assert len(reply["data"]) == 1
    assert reply["paging"]["rowsFiltered"] == reply["paging"]["rows"] == 2


def test_an_answer_can_be_no_json(server: ArchiveServer) -> None:
    server.faults.add(Fault(kind=FaultKind.GARBLED_JSON))
    with pytest.raises(json.JSONDecodeError):
        query(server, "Mast.Caom.Filtered", {"columns": "*"})


# -- the server's own life


def test_closing_ends_open_connections_and_waiting_requests(small: Catalogue, uri: str) -> None:
    with ArchiveServer(small) as server:
        server.faults.add(Fault(kind="stall", after=100, seconds=600))
        idle = socket.create_connection(server_address(server))
        stalled = socket.create_connection(server_address(server))
        stalled.sendall(f"GET {DOWNLOAD}?uri={uri} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        read_until(stalled, 100)
        before = threading.active_count()
    assert threading.active_count() < before
    assert idle.recv(1) == b""
    idle.close()
    stalled.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server_address(server))


def test_a_client_that_hangs_up_is_no_error(server: ArchiveServer, uri: str) -> None:
    server.faults.add(Fault(kind="slow", rate=20_000))
    connection = socket.create_connection(server_address(server))
    connection.sendall(f"GET {DOWNLOAD}?uri={uri} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    read_until(connection, 100)
    connection.close()
    assert fetch(server, uri).status == 200


def test_the_module_serves_by_hand_and_ends_with_0_when_told_to() -> None:
    command = [sys.executable, "-m", "jwstwatch.demo.server", "--scaled", "3", "--now", "2026-11-22T13:30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", "/whoami")
    assert json.loads(connection.getresponse().read())["anon"] is True
    connection.close()
    os.kill(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_importing_the_server_loads_no_heavy_package() -> None:
    heavy = "{'numpy', 'astropy', 'PIL', 'astroquery', 'requests'}"
    code = f"import sys, jwstwatch.demo.server; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def server_address(server: ArchiveServer) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def read_until(connection: socket.socket, count: int) -> bytes:
    """Read an answer's head and `count` bytes of its body."""
    connection.settimeout(10)
    received = b""
    while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < count:
        block = connection.recv(65536)
        assert block
        received += block
    return received.partition(b"\r\n\r\n")[2]
