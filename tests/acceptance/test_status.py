"""`status`: from the daemon where one answers, from the state where none does; once, or until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stand_in import StandIn, standing_in
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import PATIENCE, World, finish, wait_until

SINCE = "2026-03-01T09:00:00Z"
AT = "2026-03-01T12:00:00Z"


def told(synced: World, **changes: Any) -> dict[str, Any]:
    """What a daemon of this world might say, with changes."""
    document = synced.run("status", "--json").json
    document |= {"at": AT, "daemon": {"running": True, "pid": 4711, "since": SINCE, "version": "9.8.7"}}
    return document | changes


RUNNING = {
    "profile": "watch",
    "run_id": 2,
    "trigger": "schedule",
    "since": "2026-03-01T11:58:00Z",
    "step": "fetching",
    "files": 2345,
    "done": 1172,
    "size": 5_600_000_000,
    "received": 2_800_000_000,
    "bytes_per_second": 23_400_000,
    "seconds_left": 120,
}


@pytest.fixture
def stand_in(synced: World) -> Iterator[StandIn]:
    """A daemon that says how things stand in the synced world."""
    document = told(synced)
    with standing_in(runtime_folder(synced), synced.state, lambda _: {"status": document}) as found:
        yield found


def runtime_folder(world: World) -> Path:
    return Path(world.environment["XDG_RUNTIME_DIR"])


# -- through the socket


def test_a_daemon_that_answers_is_believed(synced: World, stand_in: StandIn) -> None:
    document = synced.run("status", "--json").json
    assert document["daemon"] == {"running": True, "pid": 4711, "since": SINCE, "version": "9.8.7"}
    assert [request["ask"] for request in stand_in.asked] == ["status"]
    text = synced.run("status").out
    assert "daemon    running for 3 h (process 4711, version 9.8.7)\n" in text


def test_it_needs_no_state_that_it_may_read(synced: World, stand_in: StandIn) -> None:
    synced.state.unlink()
    assert synced.run("status", "--json").json["profiles"][0]["files"]["present"] == 12


def test_the_daemon_of_another_state_is_passed_over(synced: World, tmp_path: Path) -> None:
    answers: list[Any] = []
    with standing_in(runtime_folder(synced), tmp_path / "other.db", lambda request: answers.append(request)):
        assert synced.run("status", "--json").json["daemon"]["running"] is False
    assert answers == []


@pytest.mark.parametrize("reply", [None, {"status": "what?"}, {}], ids=["silence", "no document", "nothing"])
def test_a_daemon_that_makes_no_sense_is_done_without(synced: World, reply: Mapping[str, Any] | None) -> None:
    with standing_in(runtime_folder(synced), synced.state, lambda _: reply):
        assert synced.run("status", "--json").json["profiles"][0]["files"]["present"] == 12


def test_a_broken_configuration_does_not_keep_the_daemon_from_being_asked(
    synced: World, stand_in: StandIn
) -> None:
    text = synced.configuration.read_text()
    synced.configuration.write_text(text.replace("propID", "propIDD"))
    ended = synced.run("status", "--json")
    assert (ended.code, ended.json["daemon"]["running"]) == (0, True)
    assert "propIDD" in ended.err
    assert "The daemon answers" in ended.err


def test_without_a_daemon_a_broken_configuration_is_told(synced: World) -> None:
    text = synced.configuration.read_text()
    synced.configuration.write_text(text.replace("propID", "propIDD"))
    assert_told(synced.run("status"), 2, "propIDD", "config check")


def test_one_profile_is_asked_of_the_daemon_too(synced: World) -> None:
    document = synced.run("status", "watch", "--json").json
    document["profile"]["schedule"] = "every blue moon"
    with standing_in(runtime_folder(synced), synced.state, lambda _: {"status": document}) as daemon:
        text = synced.run("status", "watch").out
    assert "schedule  every blue moon" in text
    assert [(request["ask"], request["profile"]) for request in daemon.asked] == [("status", "watch")]


def test_a_daemon_that_knows_no_profile_question_leaves_it_to_the_state(
    synced: World, stand_in: StandIn
) -> None:
    document = synced.run("status", "watch", "--json").json
    assert document["profile"]["name"] == "watch"
    assert len(document["runs"]) == 1


def test_what_a_daemon_refuses_is_told_with_its_exit_code(synced: World) -> None:
    error = {"kind": "usage", "message": "there is no profile 'wacth'", "hint": "The profiles are: watch."}
    with standing_in(runtime_folder(synced), synced.state, lambda _: {"error": error, "exit_code": 2}):
        assert_told(synced.run("status", "wacth"), 2, "'wacth'", "The profiles are: watch")


def test_an_unknown_profile_is_told_with_those_that_are_known(synced: World) -> None:
    assert_told(synced.run("status", "wacth"), 2, "'wacth'", "did you mean watch", "The profiles are: watch")


# -- on a terminal


class Terminal:
    """The program on a pseudo-terminal of a size."""

    def __init__(self, world: World, *words: str, columns: int, lines: int = 50, **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jwstwatch", *words, "--config", str(world.configuration)],
            cwd=world.folder,
            env=world.environment | {"TERM": "xterm"} | environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = b""

    def read(self, until: Callable[[str], bool]) -> str:
        """Read on until what was shown is enough, or the program ends."""
        limit = time.monotonic() + PATIENCE
        while not until(self.text):
            assert time.monotonic() < limit, self.text
            if not select.select([self.master], [], [], 1.0)[0]:
                continue
            try:
                came = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                break
            if not came:
                break
            self.shown += came
        return self.text

    @property
    def text(self) -> str:
        return self.shown.decode(errors="replace")

    def end(self) -> int:
        """Read to the end and return the exit code."""
        self.read(lambda _: False)
        return self.process.wait(timeout=PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@contextlib.contextmanager
def terminal(world: World, *words: str, **options: Any) -> Iterator[Terminal]:
    found = Terminal(world, *words, **options)
    try:
        yield found
    finally:
        found.close()


COLOURS = re.compile(r"\033\[\d*m")


@pytest.mark.parametrize("columns", [80, 200])
def test_everything_fits_the_terminal(synced: World, columns: int) -> None:
    long = "everything-of-the-team-since-launch"
    synced.configure({"watch": {"propID": 9001}, long: {"propID": 9002, "cron": "15 */6 * * 1-5"}})
    document = told(synced, running=[RUNNING])
    document["roots"][0]["path"] = "/srv/" + "long/" * 40
    document["configuration"]["path"] = "/etc/jwstwatch/jwstwatch.yaml"  # a path is not torn apart
    with (
        standing_in(runtime_folder(synced), synced.state, lambda _: {"status": document}),
        terminal(synced, "status", columns=columns) as shown,
    ):
        assert shown.end() == 0
    lines = [COLOURS.sub("", line) for line in shown.text.replace("\r\n", "\n").splitlines()]
    assert max(len(line) for line in lines) <= columns
    table = next(line for line in lines if line.startswith("profile "))
    assert {"outcome", "present"} <= set(table.split())
    assert ("gone" in table.split()) == (columns == 200)
    bar = next(line for line in lines if "2345 files" in line)
    for part in ("50 %", "1172 of 2345 files", "2.8 of 5.6 GB", "23.4 MB/s", "2 min left"):
        assert part in bar
    assert re.search(r"\[#+-+\]", bar)


def test_colours_are_shown_on_a_terminal_that_wants_them(synced: World) -> None:
    with terminal(synced, "status", columns=80) as shown:
        assert shown.end() == 0
    assert "\033[32mcomplete\033[0m" in shown.text
    with terminal(synced, "status", columns=80, NO_COLOR="1") as shown:
        assert shown.end() == 0
    assert "\033" not in shown.text
    assert "\033" not in synced.run("status").out


def test_watch_redraws_in_place_until_ctrl_c(synced: World) -> None:
    document = told(synced)
    pictures = iter(range(10**6))

    def answer(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"status": document | {"running": [RUNNING | {"done": next(pictures)}]}}

    with (
        standing_in(runtime_folder(synced), synced.state, answer),
        terminal(synced, "status", "--watch", columns=100) as shown,
    ):
        text = shown.read(lambda text: "2 of 2345 files" in text)
        assert text.startswith("\033[?1049h"), "a screen of its own"
        assert text.count("\033[H") == text.count("\033[J") + (not text.endswith("\033[J"))
        assert "\n\n\n" not in text
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 0
    assert shown.text.endswith("\033[?1049l"), "and back"
    assert "Traceback" not in shown.text
    assert "interrupted" not in shown.text


def test_watch_goes_on_when_the_daemon_ends_and_shows_trouble_in_place(synced: World) -> None:
    document = told(synced)
    with terminal(synced, "status", "--watch", columns=100) as shown:
        with standing_in(runtime_folder(synced), synced.state, lambda _: {"status": document}):
            shown.read(lambda text: "process 4711" in text)
        before = len(shown.text)
        shown.read(lambda text: "not running" in text[before:])
        synced.state.write_bytes(b"this is no database" * 100)
        shown.read(lambda text: "not a sound SQLite database" in text)
        assert shown.process.poll() is None
        shown.process.send_signal(signal.SIGTERM)
        assert shown.end() == 143
    assert shown.text.endswith("\033[?1049l")


def test_a_picture_that_is_too_high_is_cut_and_says_so(synced: World) -> None:
    synced.configure({f"profile-{number}": {"propID": 9001} for number in range(30)})
    with terminal(synced, "status", "--watch", columns=100, lines=12) as shown:
        shown.read(lambda text: "more lines" in text)
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 0
    first = shown.text.split("\033[J")[0]
    assert first.count("\r\n") == 11


def test_watch_for_programs_is_a_document_a_line(synced: World, stand_in: StandIn) -> None:
    process = synced.start("status", "--watch", "--json")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.err) == (0, "")
    documents = [json.loads(line) for line in lines]
    assert [document["daemon"]["pid"] for document in documents] == [4711, 4711]
    assert documents[0]["schema"] == 1


def test_watch_needs_a_terminal_or_json(synced: World) -> None:
    assert_told(synced.run("status", "--watch"), 2, "standard output is none", "--watch --json")


def test_one_profile_can_be_watched(synced: World) -> None:
    with terminal(synced, "status", "watch", "--watch", columns=80) as shown:
        shown.read(lambda text: "9001" in text and "manual" in text)
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 0


# -- without a daemon


def test_a_folder_that_is_not_mounted_is_told_with_what_is_wrong(synced: World) -> None:
    (synced.root / ".jwstwatch-root").unlink()
    text = synced.run("status").out
    assert re.search(rf"^{re.escape(str(synced.root))}  NO ", text, re.MULTILINE)
    assert f"{synced.root}: has no marker\n  Is its disk mounted?" in text


def test_a_daemon_that_holds_the_state_but_does_not_answer_is_told(synced: World) -> None:
    lock = synced.state.with_name(f"{synced.state.name}.daemon.lock")
    synced.configure(
        {"watch": {"propID": 9001, "every": "1h"}, "clock": {"propID": 9001, "cron": "0 4 * * *"}}
    )
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(json.dumps({"pid": 4711, "host": "here", "since": SINCE, "version": "9.8.7"}))
        held.flush()
        text = synced.run("status").out
        profiles = synced.run("status", "--json").json["profiles"]
    assert "process 4711, version 9.8.7" in text
    assert "does not answer" in text
    assert all(profile["next_run_at"] for profile in profiles), "by their schedules"


def test_a_world_without_profiles_says_what_to_write(world: World) -> None:
    world.configure({})
    assert "no profiles: write jwstwatch.yaml" in world.run("status").out


def test_nothing_is_made_by_looking(world: World) -> None:
    world.run("status")
    world.run("status", "watch")
    assert not world.state.exists()
    wait_until(lambda: not world.root.exists(), "no folder is made")
