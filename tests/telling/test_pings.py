"""The heartbeat is heard after a good round, holds nothing up, and its URL is a secret."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.errors import ConfigurationError
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from jwstwatch.telling.pings import Heartbeat, is_good
from jwstwatch.telling.trouble import Troubles
from tests.store.desk import NOW
from tests.telling.ear import Ear
from tests.telling.things import PLENTY, record

SECRET = "/ping/0f1e2d3c-secret"


def heartbeat(store: Store, url: str, **options: Any) -> Heartbeat:
    return Heartbeat(url, Troubles(store.notices, now=lambda: NOW), **options)


def trouble(store: Store) -> str | None:
    texts = [notice.text for notice in store.notices.holding() if notice.cause == "heartbeat"]
    return texts[0] if texts else None


@pytest.mark.parametrize(
    ("ended", "good"),
    [
        (record(), True),
        (record(counts=Counts(withheld=9)), True),
        (record(Outcome.PARTIAL, counts=Counts(withheld=9)), True),
        (record(Outcome.PARTIAL, counts=Counts(failed=1)), False),
        (record(Outcome.PARTIAL, counts=Counts(waiting=1)), False),
        (record(Outcome.PARTIAL, error_kind="authentication"), False),
        (record(Outcome.FAILED, error_kind="archive_unreachable"), False),
        (record(Outcome.CANCELLED), False),
    ],
)
def test_a_round_is_good_when_nothing_is_undone_but_what_is_withheld(ended: Any, good: bool) -> None:
    assert is_good(ended) is good


def test_the_url_is_asked_for(store: Store, ear: Ear) -> None:
    heartbeat(store, ear.url + SECRET).beat()

    (heard,) = ear.heard
    assert (heard.method, heard.path) == ("GET", SECRET)
    assert heard.headers["User-Agent"].startswith("jwstwatch/")
    assert trouble(store) is None


def test_a_redirect_to_the_same_scheme_is_followed(store: Store, ear: Ear) -> None:
    ear.location = f"{ear.url}/end"

    heartbeat(store, ear.url + SECRET).beat()

    assert [heard.path for heard in ear.heard] == [SECRET, "/end"]
    assert trouble(store) is None


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "https://127.0.0.1:1/end"])
def test_a_redirect_to_another_scheme_is_not(store: Store, ear: Ear, target: str) -> None:
    ear.location = target

    heartbeat(store, ear.url + SECRET).beat()

    assert [heard.path for heard in ear.heard] == [SECRET]
    # urllib itself refuses some schemes, and leaves the redirect as the answer.
    assert (trouble(store) or "").endswith(("redirected to another scheme", "HTTP 302"))


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_that_refuses_is_noted_until_it_is_taken(store: Store, ear: Ear, status: int) -> None:
    ear.status = status
    pulse = heartbeat(store, ear.url + SECRET)
    pulse.beat()
    assert trouble(store) == f"the heartbeat did not reach 127.0.0.1: HTTP {status}"

    ear.status = 200
    pulse.beat()
    assert trouble(store) is None


def test_nobody_at_home_is_noted(store: Store) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    heartbeat(store, f"http://127.0.0.1:{port}{SECRET}").beat()

    assert trouble(store) == "the heartbeat did not reach 127.0.0.1: Connection refused"


@pytest.mark.parametrize("way", ["silent", "trickling"])
def test_a_server_that_takes_for_ever_is_given_up(store: Store, ear: Ear, way: str) -> None:
    ear.trickle = way == "trickling"
    if way == "silent":
        ear.hold.clear()
    begin = time.monotonic()

    heartbeat(store, ear.url + SECRET, timeout=0.4).beat()

    assert time.monotonic() - begin < PLENTY / 2
    assert (trouble(store) or "").startswith("the heartbeat did not reach 127.0.0.1: no answer")


def test_the_url_stands_in_no_log_and_no_notice(
    store: Store, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://user:password-in-url@127.0.0.1:{ear.port}{SECRET}?key=secret"
    with caplog.at_level(logging.DEBUG):
        for status in (500, 200):
            ear.status = status
            pulse = heartbeat(store, url)
            pulse.beat()
        ear.location = f"https://127.0.0.1:{ear.port}{SECRET}"
        heartbeat(store, url).beat()

    assert ear.heard[0].headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZC1pbi11cmw="
    told = caplog.text + str(trouble(store)) + repr(pulse)
    assert "secret" not in told
    assert "password-in-url" not in told


@pytest.mark.parametrize("url", ["file:///etc/passwd", "hc-ping.com/uuid", "https://", ""])
def test_what_is_no_url_of_the_web_is_refused(store: Store, url: str) -> None:
    with pytest.raises(ConfigurationError, match="heartbeat: must be a URL") as caught:
        heartbeat(store, url)

    assert "etc" not in caught.value.message
    assert "uuid" not in caught.value.message
