"""Backups of the state: made while it is used, checked, gone back to without losing or fetching a file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from jwstwatch.store.schema import NEWEST, SCHEMAS
from tests.acceptance.daemons import Daemons
from tests.acceptance.world import World, assert_as_archived, finish, sha256, stop, wait_until

SURVEY = {"propID": 1345, "instrument": "nircam"}


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "state.db"


def back_up(world: World, backup: Path, *words: str) -> None:
    backup.parent.mkdir(exist_ok=True)
    ended = world.run("db", "backup", str(backup), *words)
    assert ended.code == 0, ended.err


def fetched(archive: ArchiveServer) -> list[str]:
    return sorted(str(request.uri).rpartition("/")[2] for request in archive.requests.downloads())


def slow_run(world: World, archive: ArchiveServer) -> subprocess.Popen[str]:
    """A run that is in the middle of its transfers for long."""
    archive.requests.clear()
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=1_000, times=None))
    process = world.start("run-now")
    wait_until(lambda: len(archive.requests.downloads("*.fits")) >= 2, "files are in transfer")
    return process


# -- going back


@pytest.fixture(scope="module")
def demo() -> Iterator[ArchiveServer]:
    """An archive whose FITS files tell which pipeline made them."""
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def real(tmp_path: Path, demo: ArchiveServer) -> World:
    demo.requests.clear()
    return World(tmp_path / "real", demo.url)


def reprocessed(archive: ArchiveServer, world: World, path: str) -> None:
    """Let the archive make a file anew, of the same length, and the world fetch it."""
    product = archive.catalogue.product(path.rpartition("/")[2])
    length = (world.root / path).stat().st_size
    archive.catalogue.reprocess(product.uri, now=product.modified, version="9.9.9")
    (run,) = world.run_now("--full")
    assert run["downloaded"] == 1
    assert (world.root / path).stat().st_size == length


def test_after_going_back_to_an_old_backup_nothing_is_lost_and_nothing_fetched_that_is_there(
    real: World, demo: ArchiveServer, backup: Path
) -> None:
    real.configure({"watch": SURVEY | {"filetypes": ["_rate.jpg"]}})
    (first,) = real.run_now()
    back_up(real, backup)
    # What the backup knows nothing of: more files, a reprocessed one, one that is deleted, one found broken.
    real.configure({"watch": SURVEY | {"filetypes": ["_rate.jpg", "_rate.fits"]}})
    (second,) = real.run_now()
    assert second["downloaded"] >= 4
    rates = sorted(path for path in real.files() if path.endswith("_rate.fits"))
    pictures = sorted(path for path in real.files() if path.endswith(".jpg"))
    reprocessed(demo, real, rates[0])
    (real.root / pictures[0]).unlink()
    (real.root / rates[1]).write_bytes(b"cut")
    harmed = (pictures[0], rates[1])
    before = {path: stamp for path, stamp in real.stamps().items() if path not in harmed}
    ended = real.run("db", "restore", str(backup))
    assert ended.code == 0, ended.err
    assert f"{real.state} is the backup {backup} now" in ended.out
    assert len(real.file_rows()) == first["products"]
    demo.requests.clear()
    (run,) = real.run_now()
    assert fetched(demo) == sorted(path.rpartition("/")[2] for path in harmed)
    assert (run["outcome"], run["downloaded"], run["products"]) == ("complete", 2, second["products"])
    assert_as_archived(real.files(), demo.catalogue)
    own = {path: stamp for path, stamp in before.items() if path in real.files()}
    assert {path: real.stamps()[path] for path in own} == own, "what was there was touched"
    assert {state for state, *_ in real.file_rows().values()} == {"present"}
    for path, (_, size, digest, _) in real.file_rows().items():
        content = (real.root / path).read_bytes()
        assert (size, digest) == (len(content), sha256(content))
    demo.requests.clear()
    (quiet,) = real.run_now("--full")
    assert (fetched(demo), quiet["unchanged"]) == ([], second["products"])
    assert real.run("db", "check").code == 0


def test_a_file_that_was_replaced_since_is_taken_in_as_it_is_although_its_length_is_the_same(
    real: World, demo: ArchiveServer, backup: Path
) -> None:
    real.configure({"watch": SURVEY | {"filetypes": ["_cal.fits"]}})
    (first,) = real.run_now()
    back_up(real, backup)
    path = sorted(real.files())[0]
    reprocessed(demo, real, path)
    done = real.run("db", "restore", str(backup), "--json").json["restored"]
    assert (done["changed_on_disk"], done["not_mounted"], done["files"]) == (1, [], first["products"])
    demo.requests.clear()
    (run,) = real.run_now()
    assert (fetched(demo), run["outcome"]) == ([], "complete")
    assert_as_archived(real.files(), demo.catalogue)
    state, _, digest, revision = real.file_rows()[path]
    assert (state, digest, revision) == ("present", sha256((real.root / path).read_bytes()), 2)


def test_a_backup_that_was_made_in_mid_run_is_gone_back_to_in_good_order(
    world: World, archive: ArchiveServer, backup: Path
) -> None:
    process = slow_run(world, archive)
    back_up(world, backup)
    stop(process)
    ended = world.run("db", "restore", str(backup))
    assert "1 run that was under way when the backup was made: closed as cancelled" in ended.out
    (run,) = world.run("runs", "--json").json["runs"]
    assert (run["outcome"], run["error"]["kind"]) == ("cancelled", "restored")
    archive.faults.clear()
    (again,) = world.run_now()
    assert again["outcome"] == "complete"
    assert_as_archived(world.files(), archive.catalogue)
    assert world.run("db", "check").code == 0


def test_nothing_is_gone_back_to_while_a_run_or_a_daemon_lives(
    world: World, archive: ArchiveServer, backup: Path
) -> None:
    world.run_now()
    back_up(world, backup)
    for path in world.files():
        (world.root / path).unlink()
    process = slow_run(world, archive)
    ended = world.run("db", "restore", str(backup))
    assert ended.code == 5
    assert f"watch: a run goes on (process {process.pid}" in ended.err
    stop(process)
    daemons = Daemons(world)
    try:
        daemon = daemons.start()
        wait_until(
            lambda: world.run("status", "--json").json["daemon"]["running"] is True, "the daemon serves"
        )
        ended = world.run("db", "restore", str(backup), "--json")
        assert ended.code == 5
        assert ended.json["error"]["kind"] == "busy"
        assert f"process {daemon.pid}" in ended.json["error"]["message"]
        assert "systemctl stop jwstwatch" in ended.json["error"]["hint"]
    finally:
        daemons.end()
    assert world.run("db", "restore", str(backup)).code == 0


# -- backups


def test_a_backup_is_made_while_a_run_writes_and_is_sound(
    world: World, archive: ArchiveServer, backup: Path
) -> None:
    process = slow_run(world, archive)
    backup.parent.mkdir()
    ended = world.run("db", "backup", str(backup), "--json")
    assert ended.code == 0, ended.err
    told = ended.json["backup"]
    assert (told["path"], told["bytes"], told["runs"]) == (str(backup), backup.stat().st_size, 1)
    assert told["state_schema"] == NEWEST
    assert process.poll() is None
    archive.faults.clear()
    assert backup.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in backup.parent.iterdir()] == ["state.db"]
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stop(process)


def test_a_backup_overwrites_nothing_unless_it_is_told_to(synced: World, backup: Path) -> None:
    back_up(synced, backup)
    before = backup.read_bytes()
    ended = synced.run("db", "backup", str(backup))
    assert ended.code == 2
    assert "exists already" in ended.err
    assert "--force" in ended.err
    synced.run_now()
    assert backup.read_bytes() == before
    back_up(synced, backup, "--force")
    assert backup.read_bytes() != before
    for target, words in (
        (str(backup.parent), "is a folder"),
        (str(backup.parent / "missing" / "state.db"), "there is no folder"),
        (str(synced.state), "is the state itself"),
    ):
        ended = synced.run("db", "backup", target, "--force")
        assert ended.code == 2
        assert words in ended.err


def test_a_backup_never_takes_the_place_of_the_state_s_own_log(synced: World, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(synced.state)
    target = synced.state.with_name(f"{synced.state.name}-wal")
    ended = synced.run("db", "backup", str(target), "--force", environment={"JWSTWATCH_STATE": str(link)})
    assert ended.code == 2
    assert "is a file that the state needs" in ended.err
    assert not target.exists()


def test_there_is_nothing_to_back_up_or_to_check_before_the_first_run(world: World, backup: Path) -> None:
    for words in (["backup", str(backup)], ["check"]):
        backup.parent.mkdir(exist_ok=True)
        ended = world.run("db", *words)
        assert ended.code == 2
        assert f"there is no state {world.state} yet" in ended.err
    assert not world.state.exists()
    assert not backup.exists()


def test_a_file_that_is_no_backup_is_refused(synced: World, backup: Path) -> None:
    before = synced.file_rows()
    for content, words in ((None, "there is no file"), (b"hello " * 500, "not a sound")):
        if content is not None:
            backup.parent.mkdir()
            backup.write_bytes(content)
        ended = synced.run("db", "restore", str(backup))
        assert ended.code == 2
        assert words in ended.err
    assert synced.file_rows() == before


@pytest.mark.parametrize(("action", "program"), [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_a_state_in_postgresql_has_programs_of_its_own(world: World, action: str, program: str) -> None:
    state = {"JWSTWATCH_STATE": "postgresql://team:s3cret@db.example/jwst"}
    ended = world.run("db", action, "x.db", environment=state)
    assert ended.code == 2
    assert program in ended.err
    assert ("systemctl stop jwstwatch" in ended.err) is (action == "restore")
    assert ("jwstwatch run-now --full" in ended.err) is (action == "restore")
    assert "postgresql://team@db.example/jwst" in ended.err
    assert "s3cret" not in ended.err


# -- check and upgrade


def test_a_check_tells_what_a_killed_run_left_and_the_next_run_mends_it(
    world: World, archive: ArchiveServer
) -> None:
    process = slow_run(world, archive)
    process.kill()
    finish(process)
    ended = world.run("db", "check", "--json")
    assert ended.code == 2
    (problem,) = ended.json["problems"]
    assert f"its process {process.pid} is dead" in problem["problem"]
    assert problem["hint"]
    assert problem["problem"] in world.run("db", "check").err
    (killed,) = world.run("runs", "--json").json["runs"]
    assert (killed["outcome"], killed["error"]["kind"]) == ("cancelled", "killed")
    archive.faults.clear()
    world.run_now()
    ended = world.run("db", "check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{world.state}: sound, and up to date (schema {NEWEST}).\n")


_DOWN = """
import sys
from alembic import command
from jwstwatch.store import migrate
from jwstwatch.store.engine import open_database
config = migrate.alembic_config()
config.attributes["engine"] = open_database(sys.argv[1]).engine
command.downgrade(config, sys.argv[2])
"""


def test_an_upgrade_by_hand_says_where_the_copy_is(synced: World) -> None:
    ended = synced.run("db", "upgrade")
    assert (ended.code, ended.out) == (0, f"{synced.state} is up to date already (schema {NEWEST}).\n")
    older = SCHEMAS[-2]
    words = [sys.executable, "-c", _DOWN, f"sqlite:///{synced.state}", older]
    subprocess.run(words, check=True, env=synced.environment)
    assert synced.run("status").code == 2
    checked = synced.run("db", "check")
    assert checked.code == 2
    assert "jwstwatch db upgrade" in checked.err
    told = synced.run("db", "upgrade", "--json").json["upgrade"]
    assert (told["from"], told["to"]) == (older, NEWEST)
    assert Path(told["kept"]).parent == synced.state.parent
    assert synced.run("db", "check").code == 0
    assert len(synced.files()) == 12
    assert synced.run("db", "restore", told["kept"]).code == 0


def test_a_state_can_be_set_up_by_hand(world: World) -> None:
    assert f"{world.state} was set up" in world.run("db", "upgrade").out
    assert world.run("db", "check").code == 0


def test_what_root_restores_is_the_service_s(synced: World, backup: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    back_up(synced, backup)
    service = 65534
    os.chown(synced.state, service, service)
    done = synced.run("db", "restore", str(backup), "--json").json["restored"]
    for path in (synced.state, Path(done["kept"])):
        assert (path.stat().st_uid, path.stat().st_gid) == (service, service)
