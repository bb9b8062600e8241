"""The daemon as systemd runs it: in the foreground, alone on its state, ended by a signal in good order."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.daemons import Daemons, ended_runs, is_complete, runs
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import ISO, World, assert_as_archived, finish, stop, wait_until

pytestmark = pytest.mark.slow

OFTEN = {
    "fits": {"propID": 9001, "filetypes": ["rate", "uncal"], "every": "2s"},
    "all": {"propID": 9001, "every": "2s"},
}
"""Two profiles that run at the same time and want the same files."""

SOON = 20.0
"""Seconds within which a daemon ends that was told to."""


@pytest.fixture
def daemons(world: World) -> Iterator[Daemons]:
    world.configure(OFTEN)
    found = Daemons(world)
    yield found
    found.end()


def test_profiles_run_on_their_intervals_until_a_signal_ends_it_with_0(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    process = daemons.start()
    wait_until(lambda: all(ended_runs(world, name) >= 2 for name in OFTEN), "two runs of each profile")
    wait_until(lambda: all(is_complete(world, name) for name in OFTEN), "whole runs")
    status = world.run("status", "--json").json
    while None in [profile["next_run_at"] for profile in status["profiles"]]:  # one runs just now
        status = world.run("status", "--json").json
    assert (status["daemon"]["running"], status["daemon"]["pid"]) == (True, process.pid)
    assert ISO.fullmatch(status["daemon"]["since"])
    assert status["daemon"]["version"]
    for profile in status["profiles"]:
        assert ISO.fullmatch(profile["next_run_at"])
        assert profile["last_run"]["trigger"] == "schedule"
    ended = stop(process, timeout=SOON)
    assert ended.code == 0, daemons.log()
    assert_as_archived(world.files(), archive.catalogue)
    assert len(world.files()) == 12
    assert len(archive.requests.downloads()) == 12, "each file once, whichever profile wants it"
    for name in OFTEN:
        # Partial: what the other profile had under way was not there yet.
        assert {outcome for _, outcome in runs(world, name)} <= {"complete", "partial", "cancelled"}
    assert "Traceback" not in daemons.log()
    assert world.run("status", "--json").json["daemon"]["running"] is False


def test_a_second_daemon_on_the_same_state_is_refused(daemons: Daemons, world: World) -> None:
    first = daemons.start()
    wait_until(lambda: ended_runs(world, "all") >= 1, "the first daemon works")
    ended = world.run("daemon")
    assert_told(ended, 5, f"process {first.pid} on {socket.gethostname()}", "Stop it first")
    assert stop(first, timeout=SOON).code == 0


def test_a_daemon_that_is_ended_in_mid_transfer_goes_on_when_it_is_started_again(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=2_000, times=None))
    process = daemons.start()
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 4, "files are in transfer")
    before = datetime.now(UTC)
    assert stop(process, timeout=SOON).code == 0, daemons.log()
    assert (datetime.now(UTC) - before).total_seconds() < SOON
    last = {runs(world, name)[-1][1] for name in OFTEN}
    assert "cancelled" in last, "whichever of the two had the files"
    assert None not in last
    assert world.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    archive.faults.clear()
    process = daemons.start()
    wait_until(lambda: "complete" in {outcome for _, outcome in runs(world, "fits")}, "the rest arrives")
    assert stop(process, timeout=SOON).code == 0
    assert_as_archived(world.files(), archive.catalogue)
    assert len(world.files()) == 12
    assert not list(world.root.rglob("*.part*"))


def test_a_daemon_outlives_an_archive_that_is_down(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    outage = Fault(kind=FaultKind.STATUS, path="*", status=500, times=None)
    archive.faults.add(outage)
    process = daemons.start()
    wait_until(lambda: ended_runs(world, "fits") >= 1, "a run fails")
    assert runs(world, "fits")[0] == ("schedule", "failed")
    archive.faults.clear()
    wait_until(lambda: ("schedule", "complete") in runs(world, "fits"), "a later run succeeds")
    assert process.poll() is None
    assert stop(process, number=signal.SIGTERM, timeout=SOON).code == 0
    assert "Traceback" not in daemons.log()


def test_run_now_beside_a_daemon_shares_its_state(
    daemons: Daemons, world: World, archive: ArchiveServer
) -> None:
    world.configure({name: values | {"every": "1h"} for name, values in OFTEN.items()})
    process = daemons.start()
    wait_until(lambda: all(ended_runs(world, name) == 1 for name in OFTEN), "the first runs")
    first, second = world.run_now()
    assert (first["unchanged"], second["unchanged"]) == (8, 12)
    assert len(archive.requests.downloads()) == 12
    assert stop(process, timeout=SOON).code == 0


def test_a_daemon_without_profiles_says_what_to_write(world: World) -> None:
    world.configure({})
    assert_told(world.run("daemon"), 2, "no enabled profile", "docs/configuration.md")


def test_an_interrupted_daemon_says_so(daemons: Daemons, world: World) -> None:
    process = daemons.start()
    wait_until(lambda: ended_runs(world, "all") >= 1, "it works")
    process.send_signal(signal.SIGINT)
    assert finish(process, timeout=SOON).code == 130


def test_a_number_of_profiles_that_cannot_be_is_refused_in_a_sentence(world: World) -> None:
    for number in ("0", "65", "two"):
        ended = world.run("daemon", "--at-once", number)
        assert ended.code == 2
        assert f"'{number}' is not a number of profiles from 1 to 64" in ended.err
