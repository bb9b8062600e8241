"""What the program loads before it does anything, and how it ends when it is told to, or nobody listens."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.cli.main import COMMANDS
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.conftest import WATCH
from tests.acceptance.stand_in import standing_in
from tests.acceptance.world import Ended, World, finish, stop, wait_until

HEAVY = {
    "astropy",
    "astroquery",
    "numpy",
    "PIL",
    "sqlalchemy",
    "keyring",
    "requests",
    "alembic",
    "jinja2",
    "rich",
}
LOADED = """
import sys
from jwstwatch.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code or 0
packages = {name.partition(".")[0] for name in sys.modules}
rooms = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("jwstwatch.")}
print("LOADED", *sorted(packages | rooms), file=sys.stderr)
raise SystemExit(int(code))
"""


def loaded(world: World, *words: str, **options: Any) -> set[str]:
    """Run a command and return the packages, and the rooms of ours, that it imported."""
    return packages(finish(world.start(*words, program=("-c", LOADED), fresh=True, **options)))


def packages(ended: Ended) -> set[str]:
    assert ended.code == 0, ended.err
    line = next(line for line in ended.err.splitlines() if line.startswith("LOADED "))
    return set(line.split()[1:])


def test_help_loads_nothing_heavy(world: World) -> None:
    world.configuration.unlink()
    assert not loaded(world, "--help") & HEAVY
    assert not loaded(world, "--version") & HEAVY


@pytest.mark.parametrize("command", list(COMMANDS))
def test_the_help_of_a_command_loads_nothing_heavy_and_has_an_example(world: World, command: str) -> None:
    ended = finish(world.start(command, "--help", program=("-c", LOADED), fresh=True))
    assert not packages(ended) & HEAVY
    assert "Example" in ended.out
    assert f"jwstwatch {command}" in ended.out


def test_status_loads_no_astronomy(synced: World) -> None:
    assert not loaded(synced, "status", "--json") & {"astropy", "astroquery", "numpy", "PIL", "jinja2"}


@pytest.mark.parametrize("words", [["--json"], [], ["watch"]], ids=["json", "text", "one profile"])
def test_status_asks_a_daemon_without_anything_heavy(synced: World, words: list[str]) -> None:
    document = synced.run("status", *words[-1:], "--json").json
    folder = Path(synced.environment["XDG_RUNTIME_DIR"])
    with standing_in(folder, synced.state, lambda _: {"status": document}) as daemon:
        found = loaded(synced, "status", *words)
    assert len(daemon.asked) == 1
    assert not found & (HEAVY | {"apscheduler", "structlog", "apprise"})
    rooms = {name for name in found if name.startswith("jwstwatch.")}
    assert rooms <= {f"jwstwatch.{room}" for room in ("cli", "config", "control", "core", "errors", "logs")}


def test_status_without_a_daemon_reads_the_state_and_nothing_more(synced: World) -> None:
    found = loaded(synced, "status")
    assert "sqlalchemy" in found
    assert not found & (HEAVY - {"sqlalchemy"} | {"apscheduler", "structlog", "apprise"})


def test_status_asks_a_keyring_only_where_no_other_place_has_a_token(synced: World) -> None:
    synced.server = "https://mast.stsci.edu"  # status asks no archive; of this one the keyring may know
    synced.configure(WATCH)
    assert "keyring" not in loaded(synced, "status", environment={"MAST_API_TOKEN": "0123456789abcdef"})
    assert "keyring" in loaded(synced, "status")


def test_why_loads_no_astronomy(synced: World) -> None:
    name = next(iter(synced.files())).rpartition("/")[2]
    assert not loaded(synced, "why", name) & {"astropy", "astroquery", "numpy", "PIL", "jinja2"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_good_order(
    world: World, archive: ArchiveServer, number: int, code: int
) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=2_000, times=None))
    process = world.start("run-now")
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 2, "files are in transfer")
    ended = stop(process, number, timeout=10)
    assert ended.code == code
    assert "watch: cancelled" in ended.out
    assert "The next run goes on from here" in ended.err
    assert "Traceback" not in ended.err
    assert world.ask("SELECT outcome FROM run") == [("cancelled",)]


@pytest.mark.parametrize("words", [["run-now"], ["query", "--propID", "9001"]], ids=["run-now", "query"])
def test_a_signal_while_the_archive_thinks_ends_the_command_too(
    world: World, archive: ArchiveServer, words: list[str]
) -> None:
    archive.faults.add(Fault(kind=FaultKind.EXECUTING, service="Mast.Caom.Filtered*", times=None))
    process = world.start(*words)
    wait_until(lambda: len(archive.requests.queries("Mast.Caom.Filtered*")) >= 2, "it asks")
    ended = stop(process, signal.SIGTERM, timeout=10)
    assert ended.code == 143
    assert "topped while asking" in ended.err
    assert "Traceback" not in ended.err


def piped(world: World, words: list[str], *, both: bool = False) -> tuple[int, str, str]:
    """Run a command into a reader that closes after one line, as `head -1` does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jwstwatch", *words],
        cwd=world.folder,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read() if process.stderr is not None else ""
    if process.stderr is not None:
        process.stderr.close()
    return process.wait(timeout=60), line, said


@pytest.mark.parametrize("words", [["--help"], ["query", "--help"], ["query", "--propID", "9001", "--json"]])
def test_a_reader_who_has_seen_enough_is_no_error(world: World, words: list[str]) -> None:
    code, line, said = piped(world, words)
    assert code == 0
    assert line
    assert "BrokenPipe" not in said
    assert "Traceback" not in said


def test_a_reader_who_closes_before_anything_was_said_is_no_error(synced: World) -> None:
    script = f'"{sys.executable}" -m jwstwatch status | true; echo "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(
        ["bash", "-c", script], cwd=synced.folder, env=synced.environment, capture_output=True, text=True
    )
    assert ended.stdout.strip() == "0"
    assert ended.stderr == ""


def test_a_run_goes_on_when_nobody_reads_its_progress(world: World, archive: ArchiveServer) -> None:
    code, line, _ = piped(world, ["run-now"], both=True)
    assert "running" in line
    assert code == 0
    assert len(world.files()) == 12
    assert world.ask("SELECT outcome FROM run") == [("complete",)]


def test_a_closed_standard_output_is_no_error(synced: World) -> None:
    script = f'"{sys.executable}" -m jwstwatch status >&-'
    ended = subprocess.run(
        ["bash", "-c", script], cwd=synced.folder, env=synced.environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_user_without_a_home_can_run_it(world: World, tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), "")
    (run,) = world.run_now(environment=nowhere | {"HOME": str(tmp_path / "missing")})
    assert run["downloaded"] == 12
    assert not (tmp_path / "missing").exists()


def test_times_do_not_depend_on_the_time_zone_of_the_machine(synced: World) -> None:
    before = synced.run("status", "--json").json
    elsewhere = synced.run("status", "--json", environment={"TZ": "Pacific/Kiritimati"}).json
    assert elsewhere["profiles"] == before["profiles"]
