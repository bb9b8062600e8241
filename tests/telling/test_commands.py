"""A command is run without a shell, gets what it is given, and never outstays its time."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.telling.commands import MOST_OUTPUT, Ended, run_command
from jwstwatch.telling.surroundings import clean_environment
from tests.telling.things import PLENTY, is_alive, until


def run(arguments: Sequence[str], **changes: Any) -> Ended:
    facts: dict[str, Any] = {
        "given": b"",
        "environ": {"PATH": os.environ["PATH"]},
        "folder": Path("/"),
        "timeout": PLENTY,
        "abandoned": threading.Event(),
    }
    return run_command(arguments, **(facts | changes))


def python(body: str, **changes: Any) -> Ended:
    return run([sys.executable, "-S", "-c", body], **changes)


def test_a_command_gets_its_words_its_input_its_environment_and_its_folder(tmp_path: Path) -> None:
    body = (
        "import json, os, sys; "
        "json.dump([sys.argv[1:], sys.stdin.read(), dict(os.environ), os.getcwd()], open('told', 'w'))"
    )
    ended = run(
        [sys.executable, "-S", "-c", body, "two words", "$HOME; rm -rf *"],
        given=b'{"schema": 1}',
        environ={"JWSTWATCH_EVENT": "after_run"},
        folder=tmp_path,
    )

    assert ended.problem is None
    words, given, environ, folder = json.loads((tmp_path / "told").read_text())
    assert words == ["two words", "$HOME; rm -rf *"], "no shell may touch them"
    assert given == '{"schema": 1}'
    assert environ.pop("JWSTWATCH_EVENT") == "after_run"
    assert set(environ) <= {"LC_CTYPE"}, "Python itself may set that"
    assert folder == str(tmp_path)


def test_a_command_that_does_not_read_its_input_goes_well() -> None:
    assert run(["true"], given=b"x" * 1_000_000).problem is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
    ],
)
def test_a_command_that_fails_says_how(body: str, problem: str) -> None:
    assert python(body).problem == problem


def test_a_command_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")

    assert run(["/no/such/program"]).problem == "cannot be started: No such file or directory"
    assert run([str(tmp_path / "text")]).problem == "cannot be started: Permission denied"
    assert run(["nul\0"]).problem == "cannot be started: embedded null byte"


def test_what_a_command_says_is_kept_from_the_end_and_never_blocks_it() -> None:
    ended = python("import sys; print('x' * 5_000_000, flush=True); print('é last words', file=sys.stderr)")

    assert ended.problem is None
    assert ended.output.endswith("é last words\n")
    assert len(ended.output.encode()) <= MOST_OUTPUT


_FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.{answer})
child = subprocess.Popen(['sleep', '600'])
open('pids', 'w').write(f'{{os.getpid()}} {{child.pid}}')
time.sleep(600)
"""


@pytest.mark.parametrize("answer", ["SIG_DFL", "SIG_IGN"], ids=["obedient", "deaf"])
def test_a_command_that_takes_too_long_is_ended_with_everything_it_started(
    tmp_path: Path, answer: str
) -> None:
    begin = time.monotonic()

    ended = python(_FAMILY.format(answer=answer), folder=tmp_path, timeout=1.5)

    assert ended.problem == "took longer than 1.5 s and was ended"
    assert time.monotonic() - begin < PLENTY
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_command_is_ended_at_once_when_the_program_ends(tmp_path: Path) -> None:
    abandoned = threading.Event()

    def wait_and_abandon() -> None:
        until(lambda: (tmp_path / "pids").is_file() and len((tmp_path / "pids").read_text().split()) == 2)
        abandoned.set()

    threading.Thread(target=wait_and_abandon).start()
    ended = python(_FAMILY.format(answer="SIG_DFL"), folder=tmp_path, abandoned=abandoned)

    assert ended.abandoned
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_command_that_closes_its_output_has_its_time_limit_all_the_same() -> None:
    ended = python("import os, time; os.close(1); os.close(2); time.sleep(600)", timeout=0.3)

    assert ended.problem == "took longer than 0.3 s and was ended"


def test_a_job_that_a_command_leaves_behind_is_neither_waited_for_nor_ended(tmp_path: Path) -> None:
    body = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"

    ended = python(body)

    assert ended.problem is None
    pid = int(ended.output)
    try:
        assert is_alive(pid), "it may be a job that was put into a queue"
    finally:
        os.kill(pid, signal.SIGKILL)


def test_neither_the_token_nor_our_own_channels_are_handed_on() -> None:
    ours = {
        "MAST_API_TOKEN": "secret",
        "CREDENTIALS_DIRECTORY": "/run/credentials",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "JWSTWATCH_ERROR": "of an outer hook",
    }
    theirs = {"PATH": "/bin", "HOME": "/root", "JWSTWATCH_STATE": "state.db", "LISTENER": "music"}

    assert clean_environment(ours | theirs) == theirs
