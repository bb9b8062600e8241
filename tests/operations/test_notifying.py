"""What the daemon says on a real socket of a service manager, and when its watchdog is fed."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jwstwatch.daemon.systemd import Notifier, Watchdog
from jwstwatch.errors import StorageError

PATIENCE = 10.0
"""Seconds that something may take on a busy machine."""
UNHURRIED = 2.0
"""An interval within which a check is done even there."""


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        manager.settimeout(PATIENCE)
        yield manager


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def manager(place: str) -> Iterator[socket.socket]:
    with listening(place) as found:
        yield found


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def is_silent(manager: socket.socket, seconds: float) -> bool:
    manager.settimeout(seconds)
    try:
        manager.recv(4096)
    except TimeoutError:
        return True
    finally:
        manager.settimeout(PATIENCE)
    return False


def drain(manager: socket.socket) -> None:
    while not is_silent(manager, 0.01):
        continue


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_message_is_as_systemd_reads_it(place: str, manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": place})
    notifier.ready("3 profiles")
    assert heard(manager) == ["READY=1", "STATUS=3 profiles"]
    notifier.ready()
    assert heard(manager) == ["READY=1"]
    notifier.status("fetching é")
    assert heard(manager) == ["STATUS=fetching é"]
    notifier.stopping()
    assert heard(manager) == ["STOPPING=1"]
    notifier.watchdog()
    assert heard(manager) == ["WATCHDOG=1"]


def test_reading_again_is_told_with_the_time_since_boot(place: str, manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    Notifier({"NOTIFY_SOCKET": place}).reloading()
    first, second = heard(manager)
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000


def test_a_line_break_in_a_status_is_no_second_message(place: str, manager: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": place}).status("two\nSTOPPING=1")
    assert heard(manager) == ["STATUS=two STOPPING=1"]


def test_a_socket_without_a_path_is_reached() -> None:
    address = f"@jwstwatch-test-{os.getpid()}-{time.monotonic_ns()}"
    with listening(address) as manager:
        Notifier({"NOTIFY_SOCKET": address}).ready()
        assert heard(manager) == ["READY=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_socket_nothing_is_said_and_nothing_fails(environ: dict[str, str]) -> None:
    notifier = Notifier(environ | {"WATCHDOG_USEC": "1000000"})
    for say in (notifier.ready, notifier.stopping, notifier.reloading, notifier.watchdog):
        say()
    assert notifier.watchdog_interval is None


@pytest.mark.parametrize("name", ["nobody", "long" * 50])
def test_a_manager_that_is_gone_costs_a_debug_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / name)}).ready()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "READY=1" in record.getMessage()


@pytest.mark.parametrize(
    ("more", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_the_watchdog_is_wanted_twice_in_what_is_allowed(
    place: str, more: dict[str, str], interval: float | None
) -> None:
    assert Notifier({"NOTIFY_SOCKET": place, **more}).watchdog_interval == interval


@contextmanager
def watching(place: str, *checks: Callable[[], bool], interval: float | None = 0.1) -> Iterator[Watchdog]:
    watchdog = Watchdog(Notifier({"NOTIFY_SOCKET": place}), checks, interval)
    watchdog.start()
    yield watchdog
    watchdog.stop()


def test_the_watchdog_is_fed_again_and_again_after_every_check(place: str, manager: socket.socket) -> None:
    asked: list[str] = []

    def database_answers() -> bool:
        asked.append("database")
        return True

    def scheduler_lives() -> bool:
        asked.append("scheduler")
        return True

    with watching(place, database_answers, scheduler_lives):
        assert [heard(manager) for _ in range(3)] == [["WATCHDOG=1"]] * 3
    assert asked[:6] == ["database", "scheduler"] * 3


def test_a_stopped_watchdog_gives_no_sign_any_more(place: str, manager: socket.socket) -> None:
    with watching(place, lambda: True):
        heard(manager)
    drain(manager)
    assert is_silent(manager, 0.3)


def test_without_an_interval_nothing_is_checked(place: str, manager: socket.socket) -> None:
    asked: list[bool] = []
    with watching(place, lambda: asked.append(True) or True, interval=None):
        assert is_silent(manager, 0.2)
    assert asked == []


def test_one_no_is_enough_is_told_once_and_a_yes_feeds_it_again(
    place: str, manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {"lives": False}
    asked: list[bool] = []

    def scheduler_lives() -> bool:
        asked.append(True)
        return answers["lives"]

    with caplog.at_level(logging.INFO), watching(place, lambda: True, scheduler_lives, interval=UNHURRIED):
        wait_until(lambda: len(asked) >= 2)
        assert is_silent(manager, 0.05)
        answers["lives"] = True
        assert heard(manager) == ["WATCHDOG=1"]
        wait_until(lambda: len(caplog.records) == 2)
    assert [record.getMessage() for record in caplog.records] == [
        "the watchdog is not fed: scheduler lives says no",
        "the watchdog is fed again",
    ]


def test_a_check_that_fails_leaves_the_manager_without_a_sign(
    place: str, manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    def database_answers() -> bool:
        raise StorageError("the disk is full")

    with watching(place, database_answers, interval=UNHURRIED):
        wait_until(lambda: bool(caplog.records))
        assert is_silent(manager, 0.2)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().endswith("database answers fails: the disk is full")


def test_a_check_that_breaks_off_unforeseen_feeds_nothing(
    place: str, manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    def database_answers() -> bool:
        raise ZeroDivisionError

    with watching(place, database_answers):
        wait_until(lambda: "broke off: ZeroDivisionError" in caplog.text)
        assert is_silent(manager, 0.2)


def test_a_check_that_hangs_is_named_while_it_hangs_and_does_not_hold_up_the_end(
    place: str, manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    def database_answers() -> bool:
        return let_go.wait(PATIENCE)

    with watching(place, lambda: True, database_answers):
        wait_until(lambda: bool(caplog.records))
        assert is_silent(manager, 0.2)
    assert not let_go.is_set()
    let_go.set()
    (record,) = caplog.records
    assert "database answers has not answered for" in record.getMessage()


def test_an_answer_that_comes_too_late_does_not_count(place: str, manager: socket.socket) -> None:
    came = threading.Event()

    def database_answers() -> bool:
        first = not came.is_set()
        if first:
            time.sleep(0.3)
        came.set()
        return first

    with watching(place, database_answers):
        assert came.wait(PATIENCE)
        assert is_silent(manager, 0.2)
