"""Parts of files, files that the client has already, and how long it may keep them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.serving.conditions import UNSATISFIABLE, Validators, asked_span
from jwstwatch.serving.server import SiteServer
from tests.serving.asking import FITS, ask, connect, make_root, serving

BIG = "/01345/jw01345_rate.fits"
SIZE = len(FITS)
NOW = Validators(tag='"a-1"', modified="Mon, 23 Nov 2026 02:00:00 GMT", seconds=1795399200)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("conditions"))


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[SiteServer]:
    with serving(root) as server:
        yield server


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-", 10, SIZE - 1),
        (f"bytes={SIZE - 1}-{SIZE + 99}", SIZE - 1, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        (f"bytes=-{SIZE + 5}", 0, SIZE - 1),
        ("Bytes= 100-300000", 100, 300000),
    ],
)
def test_one_range_is_sent_alone(server: SiteServer, asked: str, first: int, last: int) -> None:
    answer = ask(server, BIG, f"Range: {asked}")

    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.body == FITS[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 1}-{SIZE + 2}", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_size(server: SiteServer, asked: str) -> None:
    answer = ask(server, BIG, f"Range: {asked}")

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=5-2", "bytes=", "bytes=x-", "lines=0-1", "bytes=0-1-2", "bytes=" + "9" * 5000],
)
def test_what_is_no_single_range_gets_the_whole_file(server: SiteServer, asked: str) -> None:
    answer = ask(server, BIG, f"Range: {asked}")

    assert (answer.status, len(answer.body)) == (200, SIZE)


def test_an_interrupted_download_goes_on_only_with_the_same_content(root: Path, server: SiteServer) -> None:
    whole = ask(server, BIG, method="HEAD")
    for known in (whole.headers["etag"], whole.headers["last-modified"]):
        assert ask(server, BIG, "Range: bytes=9-", f"If-Range: {known}").status == 206
    other = root / "01345" / "new.fits"
    other.write_bytes(FITS[::-1])
    os.utime(other, ns=(1, 10**18))
    other.replace(root / BIG[1:])
    answer = ask(server, BIG, "Range: bytes=9-", f"If-Range: {whole.headers['etag']}")
    (root / BIG[1:]).write_bytes(FITS)

    assert (answer.status, answer.body) == (200, FITS[::-1])


def test_a_head_tells_the_same_and_sends_nothing(server: SiteServer) -> None:
    head, whole = ask(server, BIG, method="HEAD"), ask(server, BIG)
    assert head.body == b""
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    assert ask(server, BIG, "Range: bytes=0-1", method="HEAD").status == 200


def test_a_file_that_the_client_has_is_not_sent_again(server: SiteServer) -> None:
    first = ask(server, "/index.html")
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    for condition in (
        *(f"If-None-Match: {tag}", f'If-None-Match: "x", W/{tag}', "If-None-Match: *"),
        *(f"If-Modified-Since: {modified}", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"),
    ):
        answer = ask(server, "/index.html", condition)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag), condition
    for condition in (
        *('If-None-Match: "x"', "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"),
        *("If-Modified-Since: nonsense", "If-Modified-Since: Mon, 99 Nov 2026 99:99:99 GMT"),
    ):
        assert ask(server, "/index.html", condition, f"Range: lines={tag}").status == 200, condition
    both = ask(server, "/index.html", 'If-None-Match: "x"', f"If-Modified-Since: {modified}")
    assert both.status == 200, "the tag decides"


def test_only_an_address_with_a_version_is_kept_without_asking(server: SiteServer) -> None:
    script = "/01345/jwstwatch-pages/obs003.exposures.1.js"

    assert ask(server, f"{script}?v=0f3a").headers["cache-control"] == "private, max-age=31536000, immutable"
    for target in (script, f"{script}?v=", f"{script}?view=1", "/", BIG, "/nothing?v=0f3a", "/02733/?v=1"):
        assert ask(server, target).headers["cache-control"] == "no-cache", target


def test_every_answer_says_what_browsers_may_do_with_it(server: SiteServer) -> None:
    for answer in (ask(server, "/"), ask(server, BIG), ask(server, "/no"), ask(server, "/", method="POST")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_file_that_is_cut_while_it_is_sent_ends_the_connection(root: Path, server: SiteServer) -> None:
    cut = root / "01345" / "cut.fits"
    cut.touch()
    os.truncate(cut, 100_000_000)  # more than the system takes in advance
    with connect(server) as connection:
        connection.sendall(b"GET /01345/cut.fits HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1)
        os.truncate(cut, 0)
        received = 0
        while piece := connection.recv(1 << 20):
            received += len(piece)
    assert received < 100_000_000


def test_an_empty_file_is_sent_and_has_no_range(server: SiteServer) -> None:
    assert ask(server, "/01345/empty.txt").body == b""
    assert ask(server, "/01345/empty.txt", "Range: bytes=0-").status == 416


@given(st.integers(0, 300), st.one_of(st.none(), st.integers(0, 300)), st.integers(0, 300))
def test_a_span_is_what_the_words_say(first: int, last: int | None, size: int) -> None:
    message = Message()
    message["Range"] = f"bytes={first}-{'' if last is None else last}"

    span = asked_span(message, NOW, size=size)

    if last is not None and last < first:
        assert span is None
    elif first >= size:
        assert span is UNSATISFIABLE
    else:
        assert span is not None
        wanted = range(size)[first : size if last is None else last + 1]
        assert (span.start, span.end) == (wanted.start, wanted.stop)
