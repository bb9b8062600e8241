"""One cheap question decides whether the archive is there."""

from __future__ import annotations

import contextvars
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from jwstwatch.archive import probing
from jwstwatch.archive.background import in_background
from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.protocol import Archive, LogInStatus, Probe
from jwstwatch.errors import CancelledError
from tests.archive.server import Asked, Mast, Reply, as_reply, in_turn, paged

Connect = Callable[..., MastArchive]
HTML = {"Content-Type": "text/html"}


def test_an_archive_that_answers_is_there_after_one_question(mast: Mast, connect: Connect) -> None:
    archive: Archive = connect()
    found = archive.probe()
    assert (found.reachable, found.problem) == (True, None)
    assert found.skew is not None
    assert found.skew == archive.clock_skew
    (asked,) = mast.asked
    assert asked.path == "/api/v0/invoke"


def test_two_questions_are_never_the_same_so_no_cache_answers(mast: Mast, connect: Connect) -> None:
    archive = connect()
    archive.probe()
    archive.probe()
    one, other = (json.dumps(asked.request, sort_keys=True) for asked in mast.asked)
    assert one != other


@pytest.mark.parametrize(
    "reply",
    [
        as_reply({"status": "EXECUTING"}),
        as_reply({"status": "ERROR", "msg": "no such observation"}),
        as_reply({"status": "COMPLETE"}),
        Reply(b"{}", status=400),
        Reply(b"{}", status=401),
    ],
    ids=["executing", "error", "no rows", "400", "401"],
)
def test_whatever_the_archive_itself_says_shows_that_it_is_there(
    mast: Mast, connect: Connect, reply: Reply
) -> None:
    mast.invoke = in_turn(reply)
    assert connect().probe().reachable
    assert len(mast.asked) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"<html>closed</html>", headers=HTML), "web page"),
        (Reply(b"<html>closed</html>", status=503, headers=HTML), "HTTP 503"),
        (Reply(b"{}", status=500), "HTTP 500"),
        (Reply(b"{}", status=502), "HTTP 502"),
        (Reply(b"{}", status=504), "HTTP 504"),
        (Reply(b"{}", status=429), "HTTP 429"),
        (Reply(b"{}", status=404), "no MAST service"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}), "no MAST service"),
        (Reply(b""), "empty"),
        (Reply(b"{"), "not JSON"),
        (as_reply({"status": "ERROR", "msg": "This is a timeout"}), "too long"),
        (Reply(cut=True), "broke the connection off"),
        (Reply(b"{", short_of=50), "broke the connection off"),
    ],
)
def test_an_archive_in_trouble_is_not_there_and_is_asked_once(
    mast: Mast, connect: Connect, reply: Reply, words: str
) -> None:
    mast.invoke = in_turn(reply)
    found = connect().probe()
    assert not found.reachable
    assert words in str(found.problem)
    assert mast.url in str(found.problem)
    assert len(mast.asked) == 1


def test_a_silent_archive_is_not_there(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(Reply(silent=True))
    found = connect(timeout=0.2).probe()
    assert not found.reachable
    assert "0.2 s" in str(found.problem)


def test_a_long_time_out_is_cut_short(mast: Mast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LONGEST", 0.2)
    mast.invoke = in_turn(Reply(silent=True))
    found = MastArchive(mast.url, timeout=600.0).probe()
    assert "0.2 s" in str(found.problem)


def test_an_archive_that_sends_a_byte_now_and_then_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def crawl() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"{")
                    except OSError:
                        return

        thread = threading.Thread(target=crawl)
        thread.start()
        try:
            found = MastArchive(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.4).probe()
        finally:
            done.set()
            thread.join()
    assert found == Probe(reachable=False, problem=found.problem)
    assert "within 0.4 s" in str(found.problem)


def test_a_server_that_is_not_there_is_told(connect: Connect) -> None:
    found = MastArchive("http://127.0.0.1:9", timeout=5).probe()
    assert not found.reachable
    assert "cannot be reached" in str(found.problem)


def test_a_stop_ends_a_probe(mast: Mast) -> None:
    stop = threading.Event()

    def silent(asked: Asked) -> Reply:
        threading.Timer(0.05, stop.set).start()
        return Reply(silent=True)

    mast.invoke = silent
    began = time.monotonic()
    with pytest.raises(CancelledError):
        MastArchive(mast.url, timeout=600, stop=stop).probe()
    assert time.monotonic() - began < 10


def test_the_probe_tells_how_far_the_clocks_are_apart_also_in_trouble(mast: Mast, connect: Connect) -> None:
    hour = timedelta(hours=1)
    headers = {"Date": format_datetime(datetime.now(UTC) + hour, usegmt=True)}
    mast.invoke = in_turn(Reply(b"{}", status=503, headers=headers))
    archive = connect()
    found = archive.probe()
    assert found.skew is not None
    assert abs(found.skew - hour) < timedelta(minutes=1)
    assert archive.clock_skew == found.skew


def test_the_probe_sends_no_token_and_leaves_a_log_in_alone(mast: Mast, connect: Connect) -> None:
    mast.whoami = lambda asked: as_reply({"anon": False})
    archive = connect(token="a-token-of-ours")
    assert archive.log_in().status is LogInStatus.ACCEPTED
    archive.probe()
    assert "Authorization" not in mast.asked[-1].headers
    archive.products([9])
    assert mast.asked[-1].headers["Authorization"] == "token a-token-of-ours"


def test_the_probe_needs_no_astroquery(mast: Mast) -> None:
    script = (
        "import sys; from jwstwatch.archive.mast import MastArchive;"
        f"print(MastArchive({mast.url!r}).probe().reachable, 'astropy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "True False\n", ran.stderr


def test_another_token_is_tried_at_the_next_log_in_and_not_before(mast: Mast, connect: Connect) -> None:
    def who(asked: Asked) -> Reply:
        return as_reply({"anon": asked.headers.get("Authorization") != "token the-second-one"})

    mast.whoami = who
    archive = connect(token="the-first-one")
    assert archive.log_in().status is LogInStatus.REJECTED
    archive.use_token("the-second-one")
    archive.products([9])
    assert "Authorization" not in mast.asked[-1].headers
    assert archive.log_in().status is LogInStatus.ACCEPTED
    archive.products([9])
    assert mast.asked[-1].headers["Authorization"] == "token the-second-one"
    archive.use_token(None)
    assert archive.log_in().status is LogInStatus.ANONYMOUS
    archive.products([9])
    assert "Authorization" not in mast.asked[-1].headers


def test_a_question_in_a_thread_of_its_own_has_the_variables_of_the_run(mast: Mast) -> None:
    run = contextvars.ContextVar[int | None]("run", default=None)
    seen: list[tuple[str, int | None]] = []

    def look(seconds: float) -> None:
        seen.append((threading.current_thread().name, run.get()))

    mast.invoke = in_turn(as_reply({"status": "EXECUTING"}), paged([]))
    archive = MastArchive(mast.url, timeout=5, stop=threading.Event(), sleep=look)
    given = contextvars.copy_context()
    given.run(run.set, 7)
    given.run(archive.products, [9])
    assert seen == [("archive-question", 7)]


def test_what_a_thread_in_the_background_raises_is_raised() -> None:
    def fail() -> Any:
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        in_background(fail, server="nowhere")
