"""A disk that refuses in mid-run stops its own root only, says why, and is forgotten once it is mended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.faults import Fault, FaultKind
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.daemons import Daemons, ended_runs, is_complete
from tests.acceptance.killing import leftovers
from tests.acceptance.mounting import Mounts
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import World, assert_as_archived, finish, stop, wait_until

REFUSING = str(Path(__file__).with_name("refusing.py"))
EXPOSURES = 6
FILES = {"small": EXPOSURES, "large": 2 * EXPOSURES}
"""What the two profiles want: the first on the small disk, the other on one that has room."""


@pytest.fixture(scope="session")
def many_kinds(now: datetime) -> Catalogue:
    return scaled_catalogue(observations=EXPOSURES, now=now, sizes=(100_000, 200_000))


@pytest.fixture
def slow_archive(many_kinds: Catalogue) -> Iterator[ArchiveServer]:
    """An archive that sends each file of the first profile for half a second or more."""
    with ArchiveServer(many_kinds) as server:
        server.faults.add(Fault(kind=FaultKind.SLOW, uri="*_uncal.fits", rate=250_000, times=None))
        yield server
    assert server.errors == []


@pytest.fixture
def mounts(apart: Sequence[str]) -> Iterator[Mounts]:
    found = Mounts(apart)
    yield found
    found.end()


@pytest.fixture
def two_roots(tmp_path: Path, slow_archive: ArchiveServer) -> World:
    """A user whose profiles have an output folder each; `root` is that of the first."""
    found = World(tmp_path / "world", slow_archive.url)
    found.root = found.folder / "small"
    found.mast["connections"] = 2
    configure(found)
    return found


def configure(world: World, **defaults: object) -> None:
    world.configure(
        {
            "small": {"propID": 9001, "filetypes": ["uncal"]},
            "large": {"propID": 9001, "filetypes": ["rate", "jpg"], "outrootdir": f"{world.folder}/large"},
        },
        makewebpages=True,
        **defaults,
    )


def wait_for_some(server: ArchiveServer, mounts: Mounts, world: World) -> None:
    """Wait until some files have arrived on the small disk, and others are under way."""

    def are_there() -> bool:
        root = mounts.inside(world.root)
        parts = [path for path in root.rglob(".*.part") if path.stat().st_size]
        return bool(parts) and len(list(root.rglob("jw*_uncal.fits"))) >= 2

    wait_until(are_there, "files in mid-transfer")


def assert_only_whole_files(root: Path, catalogue: Catalogue) -> set[str]:
    """No partial is left of what cannot be finished; returns the names of what arrived."""
    assert list(leftovers(root)) == []
    files = {path.name: path.read_bytes() for path in root.rglob("jw*.fits")}
    assert_as_archived(files, catalogue)
    return set(files)


def assert_completed(world: World, mounts: Mounts, catalogue: Catalogue) -> None:
    assert assert_only_whole_files(mounts.inside(world.root), catalogue) == {
        product.name for product in catalogue.products if product.suffix == "uncal"
    }
    assert (mounts.inside(world.root) / "09001" / "index.html").is_file()
    assert {facts[0] for facts in world.file_rows().values()} == {"present"}
    assert len(world.file_rows()) == sum(FILES.values())


def fetched(server: ArchiveServer) -> list[str]:
    return [str(request.uri).rpartition("/")[2] for request in server.requests.downloads()]


def test_a_disk_that_somebody_fills_in_mid_file_stops_its_own_root_only(
    two_roots: World, slow_archive: ArchiveServer, mounts: Mounts
) -> None:
    world, catalogue = two_roots, slow_archive.catalogue
    mounts.small(world.root, size="4m")
    process = world.start("run-now", before=mounts.before)
    wait_for_some(slow_archive, mounts, world)
    mounts.fill(world.root)
    ended = finish(process)
    assert_told(ended, 7, str(world.root), "is full", "Free some space there")
    assert "Traceback" not in ended.err
    assert sum("is full" in line for line in ended.err.splitlines()) == 1
    arrived = assert_only_whole_files(mounts.inside(world.root), catalogue)
    assert 2 <= len(arrived) < FILES["small"]
    small, large = world.ask("SELECT outcome, downloaded, waiting, failed FROM run ORDER BY id")
    assert small == ("partial", len(arrived), FILES["small"] - len(arrived), 0)
    assert large == ("complete", FILES["large"], 0, 0)

    mounts.free(world.root)
    slow_archive.faults.clear()
    slow_archive.requests.clear()
    small_run, large_run = world.run_now(before=mounts.before)
    assert (small_run["outcome"], small_run["unchanged"]) == ("complete", len(arrived))
    assert (large_run["outcome"], large_run["downloaded"]) == ("complete", 0)
    assert not arrived & set(fetched(slow_archive)), "what arrived is not fetched again"
    assert_completed(world, mounts, catalogue)


def test_a_daemon_goes_on_with_its_other_roots_and_recovers_without_help(
    two_roots: World, slow_archive: ArchiveServer, mounts: Mounts
) -> None:
    world, catalogue = two_roots, slow_archive.catalogue
    configure(world, every="2s")
    mounts.small(world.root, size="4m")
    daemons = Daemons(world)
    try:
        process = daemons.start(before=mounts.before)
        wait_for_some(slow_archive, mounts, world)
        mounts.fill(world.root)
        wait_until(lambda: ended_runs(world, "small") >= 1, "the disk's refusal")
        wait_until(lambda: is_complete(world, "large"), "the other output folder's run")
        arrived = assert_only_whole_files(mounts.inside(world.root), catalogue)
        assert not is_complete(world, "small")
        assert "is full" in daemons.log()
        before = len(slow_archive.requests.downloads())
        slow_archive.faults.clear()
        mounts.free(world.root)
        wait_until(lambda: is_complete(world, "small"), "recovery without help")
        assert stop(process).code == 0
    finally:
        daemons.end()
    assert not arrived & set(fetched(slow_archive)[before:])
    assert "Traceback" not in daemons.log()
    assert_completed(world, mounts, catalogue)


def test_a_disk_that_becomes_read_only_in_mid_run_stops_its_own_root_only(
    two_roots: World, slow_archive: ArchiveServer, mounts: Mounts
) -> None:
    world, catalogue = two_roots, slow_archive.catalogue
    slow_archive.faults.clear()
    # One file at a time, and moments in between in which none is open.
    slow_archive.faults.add(Fault(kind=FaultKind.LATENCY, uri="*_uncal.fits", seconds=0.3, times=None))
    world.mast["connections"] = 1
    configure(world)
    mounts.small(world.root, size="4m")
    process = world.start("run-now", before=mounts.before)
    wait_until(lambda: len(slow_archive.requests.downloads()) >= 3, "a run in its midst")
    mounts.read_only(world.root)
    ended = finish(process)
    assert_told(ended, 7, str(world.root), "is read-only", "Mount it for writing")
    assert "Traceback" not in ended.err
    small, large = world.ask("SELECT outcome, failed FROM run ORDER BY id")
    assert (small, large) == (("partial", 0), ("complete", 0))
    standing = {path.name for path in mounts.inside(world.root).rglob("jw*.fits")}
    assert standing

    mounts.writable(world.root)
    slow_archive.faults.clear()
    slow_archive.requests.clear()
    world.run_now(before=mounts.before)
    assert not standing & set(fetched(slow_archive))
    assert_completed(world, mounts, catalogue)


def test_a_state_whose_disk_fills_in_mid_run_loses_nothing(
    two_roots: World, slow_archive: ArchiveServer, mounts: Mounts
) -> None:
    world, catalogue = two_roots, slow_archive.catalogue
    mounts.small(world.state.parent, size="8m")
    process = world.start("run-now", before=mounts.before)
    wait_for_some(slow_archive, mounts, world)
    mounts.fill(world.state.parent)
    ended = finish(process)
    assert_told(ended, 7, str(world.state), "full", "Free some space")
    assert "Traceback" not in ended.err
    standing = {path.name for path in world.root.rglob("jw*.fits")}
    assert_as_archived({path.name: path.read_bytes() for path in world.root.rglob("jw*.fits")}, catalogue)
    assert standing

    mounts.free(world.state.parent)
    slow_archive.faults.clear()
    slow_archive.requests.clear()
    runs = world.run_now(before=mounts.before)
    assert [run["outcome"] for run in runs] == ["complete", "complete"]
    assert not standing & set(fetched(slow_archive)), "what stands at its path is not fetched again"
    # SQLite would follow the way into the name space back to where it is outside.
    shutil.copytree(mounts.inside(world.state.parent), world.folder / "copy")
    world.state = world.folder / "copy" / world.state.name
    assert_completed(world, mounts, catalogue)
    assert world.ask("PRAGMA integrity_check") == [("ok",)]


def test_a_quota_that_is_used_up_in_mid_run_is_told(world: World, archive: ArchiveServer) -> None:
    ended = finish(world.start("run-now", program=(REFUSING, "EDQUOT", "5")))
    assert_told(ended, 7, str(world.root), "is over its disk quota", "Raise the quota")
    assert "Traceback" not in ended.err
    assert_only_whole_files(world.root, archive.catalogue)
    assert world.ask("SELECT downloaded + waiting, failed FROM run") == [(12, 0)]
