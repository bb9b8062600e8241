"""What the user hears when the archive is in trouble, and how often it is asked."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.protocol import LogIn, LogInStatus
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import (
    ArchiveError,
    ArchiveTimeoutError,
    AuthenticationError,
    CancelledError,
    JwstwatchError,
    RejectedQueryError,
)
from tests.archive.server import Asked, Mast, Reply, as_reply, in_turn, paged

Connect = Callable[..., MastArchive]

# The shape of the recorded page: what nginx puts before MAST says when nobody is at home.
GATEWAY_PAGE = b"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body></body></html>"
HTML = {"Content-Type": "text/html"}
TOKEN = "5ecret-t0ken-0f-ours"


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(GATEWAY_PAGE, status=504, headers=HTML), ArchiveTimeoutError, "HTTP 504"),
        (Reply(GATEWAY_PAGE, status=500, headers=HTML), ArchiveError, "HTTP 500"),
        (Reply(GATEWAY_PAGE, headers=HTML), ArchiveError, "a web page instead of data"),
        (Reply(b""), ArchiveError, "an empty answer"),
        (Reply(b"  \n"), ArchiveError, "an empty answer"),
        (Reply(b'{"status": "COMP'), ArchiveError, "not JSON"),
        (Reply(b"{}"), ArchiveError, "holds no answer"),
        (Reply(b"[1, 2]"), ArchiveError, "holds no answer"),
        (Reply(b"[" * 100_000), ArchiveError, "not JSON"),
        (as_reply({"status": "MAYBE"}), ArchiveError, "unknown status 'MAYBE'"),
        (Reply(b"", status=404), ArchiveError, "no MAST service"),
        (Reply(b"{}", status=400), RejectedQueryError, "HTTP 400"),
        (Reply(b"{}", status=422), RejectedQueryError, "HTTP 422"),
        (Reply(b"{}", status=401), AuthenticationError, "refuses the token"),
        (Reply(b"{}", status=403), AuthenticationError, "refuses the token"),
        (
            as_reply({"status": "ERROR", "msg": "Incorrect syntax near '*'."}),
            RejectedQueryError,
            r"Incorrect syntax near '\*'\.",
        ),
        (as_reply({"status": "ERROR"}), RejectedQueryError, "does not say why"),
        (as_reply({"status": "ERROR", "msg": "This is a timeout"}), ArchiveTimeoutError, "too long"),
        (as_reply({"status": "ERROR", "msg": "Execution Time-out\nexpired"}), ArchiveTimeoutError, "expired"),
    ],
)
def test_each_trouble_has_its_own_error_asked_once(
    mast: Mast, connect: Connect, reply: Reply, kind: type[JwstwatchError], words: str
) -> None:
    mast.invoke = in_turn(reply)
    with pytest.raises(kind, match=words) as raised:
        connect().products([9])
    assert raised.type is kind
    assert mast.url in raised.value.message
    assert raised.value.hint
    assert "\n" not in raised.value.message
    assert len(mast.questions) == 1


@pytest.mark.parametrize("columns", [Reply(b""), Reply(GATEWAY_PAGE, headers=HTML), Reply(b"{}", status=500)])
def test_trouble_with_the_columns_is_told_alike(mast: Mast, connect: Connect, columns: Reply) -> None:
    mast.columns = in_turn(columns)
    with pytest.raises(ArchiveError):
        connect().observations(ObservationQuery(proposals=(1345,)))


@pytest.mark.parametrize(
    "reply", [Reply(b"", status=503), Reply(b"", status=429), Reply(cut=True), Reply(b"{", short_of=50)]
)
def test_trouble_that_passes_is_asked_again_and_at_most_three_times(
    mast: Mast, connect: Connect, reply: Reply
) -> None:
    mast.invoke = in_turn(reply, reply, paged([]))
    assert connect().products([9]) == []
    mast.asked.clear()
    mast.invoke = in_turn(reply)
    with pytest.raises(ArchiveError):
        connect().products([9])
    assert len(mast.questions) == 3


def test_the_waits_grow_and_follow_the_archives_wish(mast: Mast, connect: Connect) -> None:
    waits: list[float] = []
    mast.invoke = in_turn(
        Reply(b"", status=503), Reply(b"", status=503, headers={"Retry-After": "20"}), paged([])
    )
    connect(sleep=waits.append).products([9])
    assert 0.5 <= waits[0] <= 1.5
    assert waits[1] == 20


def test_a_long_wish_ends_the_question_at_once(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(Reply(b"", status=503, headers={"Retry-After": "3600"}))
    with pytest.raises(ArchiveError, match="not available"):
        connect().products([9])
    assert len(mast.questions) == 1


def test_a_silent_server_is_a_time_out(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(Reply(silent=True))
    with pytest.raises(ArchiveTimeoutError, match="silent"):
        connect(timeout=0.2).products([9])
    assert len(mast.questions) == 1


def test_a_server_that_falls_silent_in_mid_answer_is_a_time_out(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def half_an_answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                done.wait(20)

        thread = threading.Thread(target=half_an_answer)
        thread.start()
        archive = MastArchive(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        try:
            with pytest.raises(ArchiveTimeoutError, match="silent"):
                archive.products([9])
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "http://nobody.invalid"])
def test_a_server_that_is_not_there_is_told_at_once(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        if host.endswith(".invalid"):
            raise socket.gaierror(-2, "Name or service not known")
        return known(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ArchiveError, match="cannot be reached") as raised:
        MastArchive(server, timeout=5).products([9])
    assert not isinstance(raised.value, ArchiveTimeoutError)
    assert "mast.server" in raised.value.hint


def test_a_redirect_is_not_followed(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(Reply(b"", status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}))
    with pytest.raises(ArchiveError, match="no MAST service"):
        connect().products([9])


def test_a_stop_ends_the_waiting(mast: Mast) -> None:
    stop = threading.Event()

    def busy(asked: Asked) -> Reply:
        stop.set()
        return Reply(b"", status=503)

    mast.invoke = busy
    archive = MastArchive(mast.url, timeout=5, stop=stop)
    with pytest.raises(CancelledError):
        archive.products([9])
    with pytest.raises(CancelledError):
        archive.products([9])
    assert len(mast.questions) == 1


def test_a_stop_ends_a_question_that_nobody_answers(mast: Mast) -> None:
    stop = threading.Event()

    def silent(asked: Asked) -> Reply:
        threading.Timer(0.05, stop.set).start()
        return Reply(silent=True)

    mast.invoke = silent
    began = time.monotonic()
    with pytest.raises(CancelledError):
        MastArchive(mast.url, timeout=600, stop=stop).products([9])
    # The server would have been silent for a minute.
    assert time.monotonic() - began < 30


def test_with_a_stop_that_nobody_sets_answers_and_errors_come_through(mast: Mast) -> None:
    archive = MastArchive(mast.url, timeout=5, stop=threading.Event())
    mast.invoke = in_turn(
        paged([{"dataURI": "mast:a/b", "obsID": 1}]),
        as_reply({"status": "ERROR", "msg": "no"}),
        Reply(silent=True),
    )
    assert len(archive.products([9])) == 1
    with pytest.raises(RejectedQueryError):
        archive.products([9])
    impatient = MastArchive(mast.url, timeout=0.2, stop=threading.Event())
    with pytest.raises(ArchiveTimeoutError):
        impatient.products([9])


def test_without_a_token_everything_is_anonymous(mast: Mast, connect: Connect) -> None:
    assert connect(token=None).log_in() == LogIn(status=LogInStatus.ANONYMOUS)
    assert connect(token=lambda: None).log_in() == LogIn(status=LogInStatus.ANONYMOUS)
    assert mast.asked == []


def test_an_accepted_token_is_sent_from_then_on(mast: Mast, connect: Connect) -> None:
    mast.whoami = lambda asked: as_reply(
        {"anon": False, "attrib": {"display_name": "A. User"}, "token": TOKEN}
    )
    archive = connect(token=lambda: f"{TOKEN}\n")
    archive.products([9])
    assert archive.log_in() == LogIn(status=LogInStatus.ACCEPTED, user="A. User")
    archive.products([9])
    before, whoami, after = mast.asked
    assert "Authorization" not in before.headers
    for asked in (whoami, after):
        assert asked.headers["Authorization"] == f"token {TOKEN}"
        assert asked.headers["Cookie"] == f"mast_token={TOKEN}"


@pytest.mark.parametrize("answer", [as_reply({"anon": True}), Reply(b"{}", status=401), as_reply({"odd": 1})])
def test_a_rejected_token_is_not_sent_again(mast: Mast, connect: Connect, answer: Reply) -> None:
    mast.whoami = in_turn(answer)
    archive = connect(token=TOKEN)
    assert archive.log_in() == LogIn(status=LogInStatus.REJECTED)
    archive.products([9])
    assert "Authorization" not in mast.asked[-1].headers
    assert "Cookie" not in mast.asked[-1].headers


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "sch\xf6n", "a;b", 'q"q'])
def test_a_token_that_cannot_be_one_is_rejected_without_a_request(
    mast: Mast, connect: Connect, token: str
) -> None:
    assert connect(token=token).log_in().status is LogInStatus.REJECTED
    assert mast.asked == []


def test_an_archive_in_trouble_is_no_rejection(mast: Mast, connect: Connect) -> None:
    mast.whoami = in_turn(Reply(GATEWAY_PAGE, headers=HTML))
    with pytest.raises(ArchiveError):
        connect(token=TOKEN).log_in()


ECHOES: list[Any] = [
    as_reply({"status": "ERROR", "msg": f"bad header: token {TOKEN} " + "x" * 500}),
    as_reply({"status": "ERROR", "msg": "x" * 290 + TOKEN}),
    as_reply({"status": f"odd {TOKEN}"}),
    Reply(TOKEN.encode(), status=500),
    Reply(TOKEN.encode(), status=401),
    Reply(f"<html>{TOKEN}</html>".encode(), headers=HTML),
    Reply(cut=True),
    Reply(silent=True),
]


@pytest.mark.parametrize("reply", ECHOES)
def test_no_error_and_no_log_holds_the_token(
    mast: Mast, connect: Connect, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    mast.whoami = lambda asked: as_reply({"anon": False, "token": TOKEN})
    mast.invoke = in_turn(reply)
    archive = connect(token=TOKEN, timeout=0.3)
    archive.log_in()
    # As somebody would who looks for a fault; only then astroquery tells what it sends.
    caplog.set_level(logging.DEBUG, logger="astroquery")
    with pytest.raises(JwstwatchError) as raised:
        archive.products([9])
    told = "".join(traceback.format_exception(raised.value)) + raised.value.hint + caplog.text
    assert TOKEN[:8] not in told
    assert raised.value.message


def test_a_token_too_short_to_be_one_spoils_no_answer(mast: Mast, connect: Connect) -> None:
    mast.whoami = lambda asked: as_reply({"anon": False})
    mast.invoke = paged([{"dataURI": "mast:JWST/product/jw1_uncal.fits", "obsID": 1}])
    archive = connect(token="a")
    archive.log_in()
    assert archive.products([9])[0].uri == "mast:JWST/product/jw1_uncal.fits"


def test_a_users_netrc_is_left_alone(mast: Mast, connect: Connect, tmp_path: Any, monkeypatch: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    connect().products([9])
    assert "Authorization" not in mast.asked[-1].headers
