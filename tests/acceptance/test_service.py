"""The daemon that a team lives with: asked and poked from outside, ended, killed, reconfigured, misled."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.daemons import Daemons, ended_runs, runs
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import Ended, World, assert_as_archived, finish, stop, wait_until

pytestmark = pytest.mark.slow

SOON = 20.0
RARELY = {"watch": {"propID": 9001, "every": "1h"}}


@pytest.fixture
def daemons(world: World) -> Iterator[Daemons]:
    world.configure(RARELY)
    found = Daemons(world)
    yield found
    found.end()


def started_at(world: World, profile: str) -> list[datetime]:
    rows = world.ask("SELECT started_at FROM run WHERE profile = ? ORDER BY id", profile)
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for (text,) in rows]


def settled(world: World, profile: str = "watch", count: int = 1) -> None:
    wait_until(lambda: ended_runs(world, profile) >= count, f"{count} runs of {profile}")


# -- schedules


def test_two_profiles_keep_to_their_own_schedules(daemons: Daemons, world: World) -> None:
    world.configure(
        {
            "often": {"propID": 9001, "filetypes": ["rate"], "every": "2s"},
            "seldom": {"propID": 9001, "every": "1h"},
            "resting": {"propID": 9001, "enabled": False},
        }
    )
    process = daemons.start()
    wait_until(lambda: ended_runs(world, "often") >= 4, "four runs of the one")
    assert len(runs(world, "seldom")) == 1
    assert runs(world, "resting") == []
    status = {entry["name"]: entry for entry in world.run("status", "--json").json["profiles"]}
    due = datetime.fromisoformat(status["seldom"]["next_run_at"])
    assert due - started_at(world, "seldom")[0] == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=1))
    assert status["resting"]["next_run_at"] is None
    assert stop(process, timeout=SOON).code == 0


def test_a_restart_neither_repeats_nor_skips_a_run(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    assert stop(process, timeout=SOON).code == 0
    process = daemons.start()
    wait_until(lambda: world.run("status", "--json").json["daemon"]["running"], "it is back")
    due = world.run("status", "--json").json["profiles"][0]["next_run_at"]
    expected = started_at(world, "watch")[0] + timedelta(hours=1)
    assert datetime.fromisoformat(due) - expected == pytest.approx(timedelta(0), abs=timedelta(seconds=1))
    assert len(runs(world, "watch")) == 1
    assert stop(process, timeout=SOON).code == 0


def test_what_was_missed_is_made_up_for_once(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    assert stop(process, timeout=SOON).code == 0
    with contextlib.closing(sqlite3.connect(world.state)) as connection, connection:
        connection.execute("UPDATE run SET started_at = '2026-01-01 00:00:00.000000'")
    process = daemons.start()
    settled(world, count=2)
    time.sleep(1.5)
    assert [trigger for trigger, _ in runs(world, "watch")] == ["schedule", "catch-up"]
    assert stop(process, timeout=SOON).code == 0


# -- asked by another process


def test_run_now_is_carried_out_by_the_daemon_and_followed_to_its_end(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    process = daemons.start()
    settled(world)
    archive.requests.clear()
    new = archive.catalogue.add_exposure(
        like=archive.catalogue.observations[0].obs_id, start=datetime.now(UTC), now=datetime.now(UTC)
    )
    before = datetime.now(UTC)
    ended = world.run("run-now", "watch", "--json")
    (run,) = ended.runs
    assert (ended.code, run["trigger"], run["outcome"]) == (0, "manual", "complete")
    assert run["downloaded"] == len(archive.requests.downloads()) > 0
    assert any(new in name for name in world.files())
    assert datetime.fromisoformat(run["started_at"]) - before < timedelta(seconds=10)
    text = world.run("run-now", "watch")
    assert text.code == 0
    assert "nothing new" in text.out
    assert "the daemon runs it" in text.err
    assert f"user {os.getuid()}" in daemons.log()
    assert "run-now watch" in daemons.log()
    assert stop(process, timeout=SOON).code == 0


def test_ctrl_c_only_stops_following(daemons: Daemons, world: World, archive: ArchiveServer) -> None:
    process = daemons.start()
    settled(world)
    for name in world.files():
        (world.root / name).unlink()
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=5_000, times=None))
    archive.requests.clear()
    client = world.start("run-now", "watch")
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 2, "it fetches")
    client.send_signal(signal.SIGINT)
    left = finish(client, timeout=SOON)
    assert left.code == 130
    assert "goes on without this command" in left.out
    archive.faults.clear()
    settled(world, count=2)
    assert runs(world, "watch")[-1] == ("manual", "complete")
    assert len(world.files()) == 12
    assert stop(process, timeout=SOON).code == 0


def test_no_wait_returns_at_once_and_the_run_takes_place(daemons: Daemons, world: World) -> None:
    assert_told(world.run("run-now", "--no-wait"), 2, "no daemon answers", "jwstwatch daemon")
    process = daemons.start()
    settled(world)
    ended = world.run("run-now", "watch", "--no-wait", "--json")
    assert (ended.code, ended.runs[0]["outcome"]) == (0, None)
    settled(world, count=2)
    assert runs(world, "watch")[-1] == ("manual", "complete")
    assert stop(process, timeout=SOON).code == 0


def test_an_unknown_profile_is_told_by_the_command_itself(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    assert_told(world.run("run-now", "wacth"), 2, "no profile 'wacth'", "watch")
    assert stop(process, timeout=SOON).code == 0


def test_status_tells_what_goes_on(daemons: Daemons, world: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=3_000, times=None))
    process = daemons.start()
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 2, "it fetches")
    found: list[dict[str, Any]] = []

    def is_fetching() -> bool:
        document = world.run("status", "--json").json
        found[:] = document["running"]
        return bool(found) and found[0]["received"] > 0

    wait_until(is_fetching, "status shows the transfer")
    (running,) = found
    assert (running["profile"], running["trigger"], running["files"]) == ("watch", "schedule", 12)
    assert 0 < running["received"] < running["size"]
    assert running["bytes_per_second"] > 0
    assert running["run_id"] == 1
    text = world.run("status").out
    assert "watch" in text
    archive.faults.clear()
    settled(world)
    assert world.run("status", "--json").json["running"] == []
    assert stop(process, timeout=SOON).code == 0


# -- another configuration


def test_sighup_takes_a_good_configuration_and_refuses_a_bad_one(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    good = world.configuration.read_text()
    world.configuration.write_text(good.replace("propID: 9001", "propID: some"))
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "is refused" in daemons.log(), "the log tells of the refusal")
    assert "propID" in daemons.log()
    assert "stays in force" in daemons.log()
    document = yaml.safe_load(good)
    # The command reads a sound file again, the daemon has not been told yet.
    document["profiles"]["second"] = {"propID": 9001, "filetypes": ["rate"], "every": "1h"}
    world.configuration.write_text(yaml.safe_dump(document, sort_keys=False))
    refused = world.run("status", "--json").json["configuration"]["refused"]
    assert any("propID" in problem for problem in refused)
    assert "propID" in world.run("status").out
    assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    settled(world, "second")
    assert world.run("status", "--json").json["configuration"]["refused"] == []
    assert len(runs(world, "watch")) == 1, "the other profile keeps its time"
    world.configuration.write_text(good)
    process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: [entry["name"] for entry in world.run("status", "--json").json["profiles"]] == ["watch"],
        "a profile that is taken out rests",
    )
    assert stop(process, timeout=SOON).code == 0


def test_a_profile_that_is_put_to_rest_and_woken_runs_again(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)

    def take(**values: Any) -> None:
        # Another one, as a configuration in which nothing is enabled is refused.
        world.configure({"watch": {"propID": 9001, **values}, "other": {"propID": 9001, "every": "1d"}})
        before = daemons.log().count("was read again")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemons.log().count("was read again") > before, "it is read again")

    take(every="1s")
    settled(world, count=3)
    take(every="1s", enabled=False)
    wait_until(lambda: not world.run("status", "--json").json["running"], "what ran has ended")
    resting = len(runs(world, "watch"))
    assert world.run("status", "--json").json["profiles"][0]["next_run_at"] is None
    time.sleep(2.5)
    assert len(runs(world, "watch")) == resting
    take(every="1s")
    settled(world, count=resting + 2)
    assert stop(process, timeout=SOON).code == 0


def test_another_state_is_not_taken_in_flight(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    text = world.configuration.read_text()
    world.configuration.write_text(text.replace("state.db", "other.db"))
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "started again" in daemons.log(), "it is refused")
    assert not world.state.with_name("other.db").exists()
    assert stop(process, timeout=SOON).code == 0


# -- ended and killed


def partials(world: World) -> dict[str, int]:
    """Size of each hidden file of a FITS file that has not arrived as a whole."""
    found = {}
    for path in world.root.rglob(".*.fits.*.part"):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_size
    return found


def slow_start(daemons: Daemons, world: World, archive: ArchiveServer) -> subprocess.Popen[str]:
    """Start a daemon and let it have part of several files."""
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=400, times=None))
    process = daemons.start()
    wait_until(
        lambda: sum(size > 1000 for size in partials(world).values()) >= 2, "two files have partly arrived"
    )
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_arrived_is_not_fetched_again_after_a_restart(
    daemons: Daemons, world: World, archive: ArchiveServer, number: signal.Signals
) -> None:
    process = slow_start(daemons, world, archive)
    begun = time.monotonic()
    process.send_signal(number)
    process.wait(SOON)
    assert process.returncode == (0 if number is signal.SIGTERM else -9)
    assert time.monotonic() - begun < 10
    left = {name: size for name, size in partials(world).items() if size > 0}
    assert left
    if number is signal.SIGTERM:
        assert runs(world, "watch") == [("schedule", "cancelled")]
        assert world.run("status", "--json").json["profiles"][0]["last_run"]["outcome"] == "cancelled"
    present = {path.rpartition("/")[2] for path, row in world.file_rows().items() if row[0] == "present"}
    archive.faults.clear()
    archive.requests.clear()
    process = daemons.start()
    wait_until(lambda: "complete" in {outcome for _, outcome in runs(world, "watch")}, "all is there")
    assert_as_archived(world.files(), archive.catalogue)
    assert len(world.files()) == 12
    asked = {(request.uri or "").rpartition("/")[2]: request for request in archive.requests.downloads()}
    # Small files leave what it takes to go on only if there was time to write it down.
    for name, size in left.items() if number is signal.SIGTERM else ():
        base = name.removeprefix(".").rpartition(".part")[0].rpartition(".")[0]
        assert asked[base].range == f"bytes={size}-", name
    assert not present & set(asked)
    assert stop(process, timeout=SOON).code == 0
    assert not partials(world)


def test_sigterm_ends_it_within_ten_seconds_whatever_it_does(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    archive.faults.add(Fault(kind=FaultKind.STALL, uri="*.fits", seconds=120, after=100, times=None))
    process = daemons.start()
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 4, "every connection is stuck")
    begun = time.monotonic()
    assert stop(process, timeout=SOON).code == 0
    assert time.monotonic() - begun < 10
    assert runs(world, "watch") == [("schedule", "cancelled")]


def test_a_second_daemon_is_refused_with_the_name_of_the_first(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    settled(world)
    assert_told(world.run("daemon"), 5, f"process {process.pid} on {socket.gethostname()}")
    # It must not have taken the first one's socket away.
    assert world.run("status", "--json").json["daemon"]["pid"] == process.pid
    assert world.run("run-now", "watch").err.count("the daemon runs it") == 1
    process.kill()
    process.wait()
    again = daemons.start()
    wait_until(lambda: world.run("status", "--json").json["daemon"]["pid"] == again.pid, "another takes over")
    assert stop(again, timeout=SOON).code == 0


# -- trouble


def test_an_outage_pauses_everything_and_is_told_once_each_way(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    world.configure({name: {"propID": 9001, "every": "2s"} for name in ("one", "two")})
    process = daemons.start()
    settled(world, "one")
    settled(world, "two")
    archive.faults.add(Fault(kind=FaultKind.MAINTENANCE, path="*", times=None))
    wait_until(lambda: "the archive is down" in daemons.log(), "it is noticed")
    time.sleep(1.0)  # what was under way ends
    archive.requests.clear()
    time.sleep(6.0)
    assert len(archive.requests) <= 2, "three periods of two profiles would have asked, and probes do"
    document = world.run("status", "--json").json
    assert document["archive"]["reachable"] is False
    assert document["archive"]["down_since"]
    assert any(notice["cause"] == "archive down" for notice in document["notices"])
    archive.faults.clear()
    count = len(runs(world, "one"))
    wait_until(lambda: "the archive is back" in daemons.log(), "it is noticed too")
    wait_until(lambda: ended_runs(world, "one") > count, "runs go on")
    assert daemons.log().count("the archive is down") == 1
    assert daemons.log().count("the archive is back") == 1
    assert world.run("status", "--json").json["notices"] == []
    assert stop(process, timeout=SOON).code == 0


def test_a_database_that_another_process_locks_for_20_s_is_waited_for(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=8_000, times=None))
    process = daemons.start()
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 2, "it fetches")
    with contextlib.closing(sqlite3.connect(world.state, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        archive.faults.clear()
        assert world.run("status", "--json").code == 0, "looking needs no lock"
        time.sleep(20.0)
        assert process.poll() is None
        other.execute("ROLLBACK")
    settled(world)
    assert runs(world, "watch") == [("schedule", "complete")]
    assert len(world.files()) == 12
    assert_as_archived(world.files(), archive.catalogue)
    assert stop(process, timeout=SOON).code == 0


def test_a_run_that_raises_is_recorded_and_does_not_end_the_daemon(daemons: Daemons, world: World) -> None:
    world.configure({"watch": {"propID": 9001, "every": "1s"}, "other": {"propID": 9001, "every": "1s"}})
    process = daemons.start(
        environment={"PYTHONPATH": f"{_breaking(world)}:{world.environment['PYTHONPATH']}"}
    )
    wait_until(lambda: ended_runs(world, "other") >= 3, "the other profile goes on")
    assert process.poll() is None
    assert len(runs(world, "watch")) == 1, "it is pushed forward, and does not loop"
    assert runs(world, "watch") == [("schedule", "failed")]
    assert stop(process, timeout=SOON).code == 0


def _breaking(world: World) -> Path:
    """A module that Python imports at its start: it puts a bug into one profile's run."""
    folder = world.folder / "bug"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from jwstwatch.sync import listing\n"
        "right = listing.list_and_plan\n"
        "def wrong(context, subject, *rest, **named):\n"
        "    if subject.profile.name == 'watch':\n"
        "        raise ZeroDivisionError('a bug')\n"
        "    return right(context, subject, *rest, **named)\n"
        "listing.list_and_plan = wrong\n"
    )
    return folder


# -- systemd


class NotifySocket:
    """What systemd would hear."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.heard: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().splitlines()
            except OSError:
                return


def test_systemd_hears_when_it_is_ready_alive_and_stopping(
    daemons: Daemons, world: World, tmp_path: Path
) -> None:
    systemd = NotifySocket(tmp_path)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    process = daemons.start(
        environment={
            "NOTIFY_SOCKET": str(systemd.path),
            "WATCHDOG_USEC": "2000000",
            "RUNTIME_DIRECTORY": str(runtime),
        }
    )
    wait_until(lambda: "READY=1" in systemd.heard, "READY")
    assert (runtime / "control.sock").is_socket()
    assert (runtime / "control.sock").stat().st_mode & 0o777 == 0o660
    wait_until(lambda: systemd.heard.count("WATCHDOG=1") >= 3, "signs of life")
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "RELOADING=1" in systemd.heard, "RELOADING")
    wait_until(lambda: systemd.heard.count("READY=1") == 2, "READY again")
    settled(world)
    assert stop(process, timeout=SOON).code == 0
    wait_until(lambda: "STOPPING=1" in systemd.heard, "STOPPING")
    assert not (runtime / "control.sock").exists()
    assert any(line.startswith("STATUS=") for line in systemd.heard)


# -- the clock

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not on this machine (Debian: faketime)")
@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(days=-400)])
def test_a_clock_that_jumps_neither_silences_nor_floods(
    daemons: Daemons, world: World, tmp_path: Path, jump: timedelta
) -> None:
    times = tmp_path / "times"
    times.write_text("+0")
    process = daemons.start(
        environment={
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(times),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    )
    settled(world)
    times.write_text(f"{int(jump.total_seconds()):+d}")
    wait_until(lambda: "the clock jumped" in daemons.log(), "it is noticed")
    settled(world, count=2)
    time.sleep(3.0)
    assert [outcome for _, outcome in runs(world, "watch")] == ["complete", "complete"]
    assert world.run("status", "--json").json["daemon"]["running"] is True
    assert stop(process, timeout=SOON).code == 0
    assert "Traceback" not in daemons.log()


# -- people

NOBODY = 65534
GROUP = 54321

AS_SOMEBODY_ELSE = """
import alembic.command, asyncio, codecs, contextlib, io, os, sys
import jwstwatch.store.migrate, jwstwatch.store.store
from jwstwatch.cli.main import main
codecs.lookup("unicode_escape")
group, *words = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main(words)
os.setgroups([])
os.setgid(int(group))
os.setuid({user})
sys.exit(int(main(words)))
"""
"""Does a command twice, the second time as another user: the interpreter's files may be root's alone."""


def ask_as(group: int, world: World, *words: str) -> Ended:
    """Carry out a command as a user who shares nothing with the daemon's but perhaps a group."""
    program = ("-c", AS_SOMEBODY_ELSE.format(user=NOBODY), str(group))
    return world.run(*words, program=program, environment={"XDG_RUNTIME_DIR": "/nonexistent"})


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_somebody_else_of_the_group_reads_the_data_and_asks_status(archive: ArchiveServer) -> None:
    # Not among pytest's folders, which nobody else may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        world = World(Path(folder) / "world", archive.url)
        world.configure(RARELY)
        daemons = Daemons(world)
        try:
            _share(daemons, world)
        finally:
            daemons.end()


def _share(daemons: Daemons, world: World) -> None:
    for folder in (world.root, world.state.parent, world.folder / "runtime"):
        folder.mkdir(parents=True)
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2775 if folder == world.root else 0o2750)
    os.chown(world.configuration, 0, GROUP)
    runtime = {"RUNTIME_DIRECTORY": str(world.folder / "runtime")}
    process = daemons.start(environment=runtime, umask=0o002)
    settled(world)
    asked = ask_as(GROUP, world, "status", "--json")
    assert (asked.code, asked.json["daemon"]["pid"]) == (0, process.pid), asked.err
    started = ask_as(GROUP, world, "run-now", "watch", "--json")
    assert (started.code, started.runs[0]["outcome"]) == (0, "complete")
    assert f"user {NOBODY}" in daemons.log()
    colleague = ["setpriv", f"--reuid={NOBODY}", f"--regid={GROUP}", "--clear-groups"]
    assert len(world.files()) == 12
    for name, content in world.files().items():
        path = world.root / name
        read = subprocess.run([*colleague, "cat", str(path)], capture_output=True, check=True).stdout
        assert read == content
        assert path.stat().st_gid == GROUP
    stranger = ask_as(NOBODY, world, "run-now", "watch")
    assert stranger.code not in (0, 1)
    assert stop(process, timeout=SOON).code == 0
    alone = ask_as(GROUP, world, "status", "--json")
    assert (alone.code, alone.json["daemon"]["running"]) == (0, False), alone.err
    assert alone.json["profiles"][0]["files"]["present"] == 12
    assert ask_as(NOBODY, world, "status").code == 7
