"""The headers of many files, asked for one by one and without their bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.breaker import DIFFERENT_FILES
from jwstwatch.transfer.budget import Budget
from jwstwatch.transfer.validators import MOST_AT_ONCE, Question, Stated, ask_all
from tests.transfer.conftest import SETTINGS
from tests.transfer.server import Behaviour, Depot, Handler, redirect, refuse, serve, stall_after, web_page

CONTENT = bytes(range(256)) * 4000
DATE = "Sun, 01 Mar 2026 10:00:00 GMT"
EVIDENCE = {"etag": '"one"', "last_modified": DATE}
FILE = serve(CONTENT, Last_Modified=DATE)


def no_head(behaviour: Behaviour, status: int = 405) -> Behaviour:
    """Refuse a HEAD, and answer a GET; a piece of it where one is asked for."""

    def behave(handler: Handler) -> None:
        if handler.command == "HEAD":
            refuse(status)(handler)
        elif handler.headers.get("Range") == "bytes=0-0" and behaviour is FILE:
            span = f"bytes 0-0/{len(CONTENT)}"
            handler.begin(206, Content_Length=1, Content_Range=span, ETag='"one"', Last_Modified=DATE)
            handler.send(CONTENT[:1])
        else:
            behaviour(handler)

    return behave


def questions(depot: Depot, *names: str) -> list[Question]:
    return [Question(key=key, url=f"{depot.url}/{name}", name=name) for key, name in enumerate(names)]


def ask(asked: Iterable[Question], **options: Any) -> list[Stated]:
    given: dict[str, Any] = {
        "settings": SETTINGS,
        "token": None,
        "stop": threading.Event(),
        "seconds": 60.0,
    }
    return sorted(ask_all(asked, **(given | options)), key=lambda answer: answer.question.key)


def ask_one(depot: Depot, behaviour: Behaviour, **options: Any) -> Stated:
    depot.put("file.jpg", behaviour)
    (answer,) = ask(questions(depot, "file.jpg"), **options)
    return answer


def test_what_is_stated_comes_without_a_byte_of_the_files_over_one_connection_each(depot: Depot) -> None:
    names = [f"{number}.jpg" for number in range(30)]
    for name in names:
        depot.put(name, FILE)
    answers = ask(questions(depot, *names))
    assert [dict(answer.evidence) for answer in answers] == [EVIDENCE] * 30
    assert sorted(depot.methods) == sorted(("HEAD", f"/{name}") for name in names)
    assert len(depot.peers) <= SETTINGS.connections
    assert depot.most_busy <= SETTINGS.connections


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_where_a_head_is_refused_the_beginning_of_a_get_tells(depot: Depot, status: int) -> None:
    names = [f"{number}.jpg" for number in range(12)]
    for name in names:
        depot.put(name, no_head(FILE, status))
    answers = ask(questions(depot, *names), settings=replace(SETTINGS, connections=1))
    assert [dict(answer.evidence) for answer in answers] == [EVIDENCE] * 12
    methods = [method for method, _ in depot.methods]
    assert methods == ["HEAD"] + ["GET"] * 12
    assert [headers.get("Range") for _, headers in depot.asked[1:]] == ["bytes=0-0"] * 12
    assert len(depot.peers) == 1


def test_a_server_without_ranges_sends_no_whole_file(depot: Depot) -> None:
    sent: list[int] = []

    def whole(handler: Handler) -> None:
        handler.begin(200, Content_Length=1 << 30, ETag='"one"', Last_Modified=DATE)
        while not handler.close_connection and len(sent) < 1000:
            handler.send(CONTENT)
            sent.append(len(CONTENT))

    assert dict(ask_one(depot, no_head(whole)).evidence) == EVIDENCE
    assert sum(sent) < 1 << 29


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (refuse(404), FailureKind.MISSING),
        (refuse(410), FailureKind.MISSING),
        (refuse(401), FailureKind.UNAUTHORISED),
        (refuse(403), FailureKind.UNAUTHORISED),
        (refuse(500), FailureKind.ARCHIVE),
        (web_page(), FailureKind.ARCHIVE),
        (redirect("ftp://elsewhere.invalid/"), FailureKind.REFUSED),
    ],
)
def test_whatever_is_no_answer_states_nothing(depot: Depot, behaviour: Behaviour, kind: FailureKind) -> None:
    answer = ask_one(depot, behaviour)
    assert answer.failure is not None
    assert (answer.failure.kind, answer.evidence) == (kind, {})


def test_a_server_that_states_no_validators_is_not_asked_again(depot: Depot) -> None:
    assert ask_one(depot, serve(CONTENT, etag=None)).evidence == {}
    assert depot.methods == [("HEAD", "/file.jpg")]


def test_the_token_goes_to_the_archive_and_not_where_it_redirects_to(depot: Depot, elsewhere: Depot) -> None:
    elsewhere.put("signed", FILE)
    answer = ask_one(depot, redirect(f"{elsewhere.url}/signed"), token="secret")
    assert dict(answer.evidence) == EVIDENCE
    assert [headers.get("Authorization") for _, headers in depot.asked] == ["token secret"]
    assert [headers.get("Authorization") for _, headers in elsewhere.asked] == [None]
    assert elsewhere.methods == [("HEAD", "/signed")]


def test_an_archive_that_is_down_is_left_alone_after_a_few_questions(depot: Depot) -> None:
    names = [f"{number}.jpg" for number in range(50)]
    for name in names:
        depot.put(name, refuse(503))
    answers = ask(questions(depot, *names))
    assert len(answers) == len(depot.methods) == DIFFERENT_FILES


def test_one_file_in_trouble_costs_only_itself(depot: Depot) -> None:
    names = [f"{number}.jpg" for number in range(20)]
    for name in names:
        depot.put(name, FILE)
    depot.put("3.jpg", refuse(500))
    failed = [answer.question.name for answer in ask(questions(depot, *names)) if answer.failure]
    assert failed == ["3.jpg"]
    assert len(depot.methods) == 20


def test_an_archive_that_asks_to_come_back_later_is_not_asked_again(depot: Depot) -> None:
    for name in ("a.jpg", "b.jpg"):
        depot.put(name, refuse(429, Retry_After=1))
    assert len(ask(questions(depot, "a.jpg", "b.jpg"))) == len(depot.methods) == 1


def test_a_stop_cuts_a_question_that_waits_and_begins_no_other(depot: Depot) -> None:
    for name in ("a.jpg", "b.jpg"):
        depot.put(name, stall_after(CONTENT, 0, before=True))
    stop = threading.Event()

    def press() -> None:
        depot.stalled.acquire()
        stop.set()

    waiting = threading.Thread(target=press)
    waiting.start()
    assert ask(questions(depot, "a.jpg", "b.jpg"), stop=stop) == []
    assert len(depot.methods) == 1
    waiting.join()


def test_silence_is_a_failure_and_not_a_wait_for_ever(depot: Depot) -> None:
    behaviour = stall_after(CONTENT, 0, before=True)
    answer = ask_one(depot, behaviour, settings=replace(SETTINGS, timeout=0.2))
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.ARCHIVE


def test_nothing_is_asked_when_the_time_is_over(depot: Depot) -> None:
    depot.put("file.jpg", FILE)
    assert ask(questions(depot, "file.jpg"), seconds=-1.0) == []
    assert depot.methods == []


def test_the_lines_are_those_of_the_budget_and_are_given_back(depot: Depot) -> None:
    names = [f"{number}.jpg" for number in range(40)]
    for name in names:
        depot.put(name, FILE)
    budget = Budget(1)
    assert len(ask(questions(depot, *names), settings=replace(SETTINGS, connections=6), budget=budget)) == 40
    assert depot.most_busy == len(depot.peers) == 1
    many = ask_all(
        questions(depot, *names),
        settings=replace(SETTINGS, connections=50),
        token=None,
        stop=threading.Event(),
        seconds=60.0,
    )
    assert next(many).failure is None
    many.close()
    assert depot.most_busy <= MOST_AT_ONCE
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("validators")]
