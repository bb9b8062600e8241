"""The control socket, with both sides real: who gets in, what is answered, who is left alone."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jwstwatch.control import client
from jwstwatch.control.client import RefusedError, ask, talk
from jwstwatch.control.lines import BrokenLineError, read_lines
from jwstwatch.control.places import identity
from jwstwatch.core.model import Trigger
from jwstwatch.daemon import listening
from jwstwatch.daemon.answering import Answering
from jwstwatch.daemon.listening import Client, Listener, choose_place
from jwstwatch.daemon.runner import Runner, Ticket
from jwstwatch.errors import ExitCode, UsageError
from jwstwatch.sync.context import WISHES, Options

STATE = "sqlite:////nowhere/state.db"
PATIENCE = 20.0


class Service:
    """As much of a daemon as the answers need: profiles a and b, whose runs last until the test ends them."""

    def __init__(self) -> None:
        self.ends = threading.Event()
        self.ran: list[tuple[str, Options]] = []
        self.runner = Runner(self._work, at_once=2)
        self.settings = SimpleNamespace(
            profiles={name: SimpleNamespace(parameters=SimpleNamespace(enabled=True)) for name in "ab"},
            profile=self._profile,
        )
        self.retried: list[Any] = []
        self.store = SimpleNamespace(transfers=SimpleNamespace(retry=self._retry))

    def _profile(self, name: str) -> Any:
        if name not in ("a", "b"):
            raise UsageError(f"there is no profile {name!r}", hint="The profiles are: a, b.")
        return SimpleNamespace(name=name)

    def _retry(self, names: Any, *, profiles: Any, now: Any) -> tuple[int, list[str]]:
        self.retried.append((names, profiles))
        return 3, ["a", "gone"]

    def _work(self, ticket: Ticket) -> None:
        self.ran.append((ticket.profile, ticket.options))
        ticket.hub.planned(files=1, size=10)
        self.ends.wait(PATIENCE)
        ticket.hub.ended({"profile": ticket.profile, "outcome": "complete"}, 3)

    def document(self) -> Mapping[str, Any]:
        return {"daemon": {"running": True}}

    def document_of(self, profile: str) -> Mapping[str, Any]:
        return {"profile": {"name": self._profile(profile).name}}


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.ends.set()
    made.runner.close(within=PATIENCE)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(tmp_path)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def listener(service: Service, place: Path) -> Iterator[Listener]:
    made = Listener(place, Answering(service, identity=identity(STATE)))  # type: ignore[arg-type]
    made.start()
    yield made
    made.close()


@pytest.mark.usefixtures("listener")
class TestAnswers:
    """What a client gets."""

    def test_status(self, environ: dict[str, str]) -> None:
        assert ask(STATE, environ, {"ask": "status"}) == {"status": {"daemon": {"running": True}}}

    def test_status_of_a_profile(self, environ: dict[str, str]) -> None:
        answer = ask(STATE, environ, {"ask": "status", "profile": "a"})
        assert answer == {"status": {"profile": {"name": "a"}}}
        with pytest.raises(RefusedError, match="no profile 'c'"):
            ask(STATE, environ, {"ask": "status", "profile": "c"})

    def test_a_run_is_followed_to_its_end(self, service: Service, environ: dict[str, str]) -> None:
        request = {"ask": "run-now", "profiles": ["a", "b"], "full": True, "follow": True}
        with talk(STATE, environ, request) as conversation:
            assert conversation is not None
            accepted = conversation.first["accepted"]
            assert [(entry["profile"], entry["joined"]) for entry in accepted] == [("a", False), ("b", False)]
            events = []
            for event in conversation:
                events.append(event)
                if [event["event"] for event in events].count("planned") == 2:
                    service.ends.set()
        ended = {event["profile"]: event for event in events if event["event"] == "ended"}
        assert ended["a"]["run"] == {"profile": "a", "outcome": "complete"}
        assert ended["b"]["exit_code"] == 3
        assert {options for _, options in service.ran} == {Options(full=True)}

    def test_without_following_the_answer_is_one_line(
        self, service: Service, environ: dict[str, str]
    ) -> None:
        with talk(STATE, environ, {"ask": "run-now", "profiles": ["a"]}) as conversation:
            assert conversation is not None
            assert list(conversation) == []
        assert service.ran == [("a", Options())]

    @pytest.mark.parametrize("wish", WISHES)
    def test_a_wish_reaches_the_run_and_is_logged(
        self, wish: str, service: Service, environ: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        service.ends.set()
        request = {"ask": "run-now", "profiles": ["a"], wish: True, "follow": True}
        with talk(STATE, environ, request) as conversation:
            assert conversation is not None
            assert list(conversation)[-1]["event"] == "ended"
        assert service.ran == [("a", Options(**{wish: True}))]
        assert f"--{wish.replace('_', '-')}" in caplog.text

    def test_no_names_mean_every_enabled_profile(self, service: Service, environ: dict[str, str]) -> None:
        service.settings.profiles["b"].parameters.enabled = False
        answer = ask(STATE, environ, {"ask": "run-now", "profiles": []})
        assert answer is not None
        assert [entry["profile"] for entry in answer["accepted"]] == ["a"]

    def test_whoever_leaves_stops_following_and_nothing_else(
        self, service: Service, environ: dict[str, str]
    ) -> None:
        with talk(STATE, environ, {"ask": "run-now", "profiles": ["a"], "follow": True}) as conversation:
            assert conversation is not None
        ticket, joined = service.runner.ask("a", Trigger.MANUAL, Options())
        assert joined
        service.ends.set()
        assert ticket.over.wait(PATIENCE)
        assert not ticket.stop.is_set()

    def test_retry_marks_files_and_runs_the_profiles_concerned(
        self, service: Service, environ: dict[str, str]
    ) -> None:
        answer = ask(STATE, environ, {"ask": "retry", "names": ["x.fits"], "profiles": []})
        assert answer is not None
        assert answer["retried"] == 3
        assert [entry["profile"] for entry in answer["accepted"]] == ["a"], (
            "a profile that is gone cannot run"
        )
        assert service.retried == [(["x.fits"], [])]

    def test_a_retry_follows_the_run_that_has_tried_already(
        self, service: Service, environ: dict[str, str]
    ) -> None:
        service.runner.ask("a", Trigger.SCHEDULE, Options())
        answer = ask(STATE, environ, {"ask": "retry", "names": [], "profiles": []})
        assert answer is not None
        assert answer["accepted"][0]["joined"] is False
        assert service.runner.waiting == ("a",)

    def test_whoever_waits_for_a_run_that_is_taken_back_is_told(
        self, service: Service, environ: dict[str, str]
    ) -> None:
        service.runner.ask("a", Trigger.SCHEDULE, Options())
        request = {"ask": "run-now", "profiles": ["a"], "full": True, "follow": True}
        with talk(STATE, environ, request) as conversation:
            assert conversation is not None
            service.runner.forget(["a"])
            assert [event["event"] for event in conversation] == ["dropped"]

    def test_progress_tells_of_whatever_runs(self, service: Service, environ: dict[str, str]) -> None:
        with talk(STATE, environ, {"ask": "progress"}) as conversation:
            assert conversation is not None
            service.runner.ask("a", Trigger.SCHEDULE, Options())
            events = iter(conversation)
            first = next(events)["event"]  # where the run was quicker than we, how far it is
            assert (next(events)["event"] if first == "step" else first) == "planned"

    @pytest.mark.parametrize(
        ("request_", "message", "code"),
        [
            ({"ask": "run-now", "profiles": ["c"]}, "no profile 'c'", ExitCode.USAGE),
            ({"ask": "run-now", "profiles": "a"}, "must be a list", ExitCode.USAGE),
            ({"ask": "run-now", "profiles": 5}, "must be a list", ExitCode.USAGE),
            ({"ask": "retry", "profiles": ["c"]}, "no profile 'c'", ExitCode.USAGE),
            ({"ask": "dance"}, "does not know 'dance'", ExitCode.USAGE),
            ({}, "does not know", ExitCode.USAGE),
        ],
    )
    def test_what_cannot_be_followed_is_refused_in_a_sentence(
        self, environ: dict[str, str], request_: dict[str, Any], message: str, code: ExitCode
    ) -> None:
        with pytest.raises(RefusedError, match=message) as refused:
            ask(STATE, environ, request_)
        assert refused.value.exit_code is code

    def test_the_daemon_of_another_state_does_not_count(self, environ: dict[str, str]) -> None:
        assert ask("sqlite:////elsewhere/state.db", environ, {"ask": "status"}) is None

    @pytest.mark.parametrize("line", [b"\n", b"{\n", b"[]\n", b"\xff\n", b"7\n", b""])
    def test_nonsense_is_left_unanswered_and_harms_nobody(
        self, place: Path, environ: dict[str, str], line: bytes
    ) -> None:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(place))
            peer.sendall(line)
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(100) == b""
        assert ask(STATE, environ, {"ask": "status"}) is not None

    def test_a_client_that_says_nothing_holds_nobody_up(self, place: Path, environ: dict[str, str]) -> None:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for peer in silent:
            peer.connect(str(place))
        assert ask(STATE, environ, {"ask": "status"}) is not None
        for peer in silent:
            peer.close()

    def test_only_the_user_and_the_group_get_in(self, place: Path) -> None:
        assert stat.S_IMODE(place.stat().st_mode) == 0o660


def test_one_who_keeps_every_place_leaves_the_others_theirs(
    place: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    users = iter([7] * 40)
    monkeypatch.setattr(listening, "_credentials", lambda _peer: (next(users, 8), 1))
    listener = Listener(place, lambda who, _: who.tell({"user": who.user}))
    listener.start()
    peers = []
    try:
        for _ in range(40):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(str(place))
            peers.append(peer)
        assert ask(STATE, environ, {"ask": "who"}) == {"user": 8}
    finally:
        for peer in peers:
            peer.close()
        listener.close()


def test_a_moment_without_room_for_a_connection_does_not_end_the_answers(
    place: Path, environ: dict[str, str]
) -> None:
    listener = Listener(place, lambda who, _: who.tell({"here": True}))
    accept, calls = listener._server.accept, []

    class Server:
        def accept(self) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise OSError(24, "Too many open files")
            return accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(server, name)

    server = listener._server
    listener._server = Server()  # type: ignore[assignment]
    listener.start()
    try:
        assert ask(STATE, environ, {"ask": "status"}, patience=PATIENCE) == {"here": True}
    finally:
        listener.close()


def test_who_asks_is_the_kernels_word(place: Path) -> None:
    seen: list[Client] = []

    def answer(who: Client, _request: Any) -> None:
        seen.append(who)
        who.tell({"user": who.user})

    listener = Listener(place, answer)
    listener.start()
    try:
        answered = ask(STATE, {"RUNTIME_DIRECTORY": str(place.parent)}, {"ask": "who", "user": 4711})
    finally:
        listener.close()
    assert answered == {"user": os.getuid()}
    assert (seen[0].user, seen[0].process) == (os.getuid(), os.getpid())


def test_a_socket_that_a_killed_daemon_left_is_replaced(place: Path, environ: dict[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    assert ask(STATE, environ, {"ask": "status"}) is None
    assert choose_place(place, STATE) == place
    listener = Listener(place, lambda who, _: who.tell({"here": True}))
    listener.start()
    try:
        assert ask(STATE, environ, {"ask": "status"}) == {"here": True}
    finally:
        listener.close()
    assert not place.exists()


def test_two_daemons_of_one_user_have_two_sockets(listener: Listener, place: Path) -> None:
    other = choose_place(place, "sqlite:////other/state.db")
    assert other != place
    second = Listener(other, lambda who, _: who.tell({"second": True}))
    second.start()
    try:
        found = ask("sqlite:////other/state.db", {"RUNTIME_DIRECTORY": str(place.parent)}, {"ask": "status"})
    finally:
        second.close()
    assert found == {"second": True}
    assert place.exists()


def test_a_deep_folder_is_no_hindrance(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    listener = Listener(deep / "control.sock", lambda who, _: who.tell({"here": True}))
    listener.start()
    try:
        assert ask(STATE, {"RUNTIME_DIRECTORY": str(deep)}, {"ask": "status"}) == {"here": True}
    finally:
        listener.close()


def test_a_daemon_that_does_not_answer_counts_as_absent(place: Path, environ: dict[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(place))
        silent.listen(1)
        assert ask(STATE, environ, {"ask": "status"}, patience=0.2) is None


def test_a_daemon_that_dies_in_the_middle_is_told(place: Path, environ: dict[str, str]) -> None:
    def answer(who: Client, _request: Any) -> None:
        who.tell({"accepted": []})
        who.peer.sendall(b'{"event": ')

    listener = Listener(place, answer)
    listener.start()
    try:
        with talk(STATE, environ, {"ask": "run-now"}) as conversation:
            assert conversation is not None
            assert list(conversation) == [], "a line that breaks off is none"
    finally:
        listener.close()


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 5000)
        with pytest.raises(BrokenLineError, match="without an end"):
            next(read_lines(ours, longest=1000))


def test_lines_are_whole_however_they_are_cut() -> None:
    ours, theirs = socket.socketpair()
    line = json.dumps({"name": "ä" * 40_000}).encode() + b"\n"
    sender = threading.Thread(
        target=lambda: [theirs.sendall(line[at : at + 7001]) for at in range(0, len(line), 7001)]
    )
    with ours, theirs:
        sender.start()
        assert next(read_lines(ours)) == {"name": "ä" * 40_000}
        sender.join()


def test_nobody_there_is_no_error(tmp_path: Path) -> None:
    assert (
        client.ask(STATE, {"RUNTIME_DIRECTORY": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}, {}) is None
    )
