"""Local storage that refuses, or has too little room. Each in a mount name space of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from jwstwatch.core.space import on_disk
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.mounting import Mounts
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import World, assert_as_archived, finish


def test_an_output_folder_that_is_read_only(synced: World, apart: Sequence[str]) -> None:
    missing = synced.root / next(path for path in synced.files() if path.endswith("_rate.fits"))
    missing.unlink()
    script = f'mount --bind "{synced.root}" "{synced.root}" && mount -o remount,ro,bind "{synced.root}" && '
    ended = finish(synced.start("run-now", before=[*apart, script + 'exec "$@"', "sh"]))
    assert_told(ended, 7, "is read-only", "Mount it for writing")
    assert "Traceback" not in ended.err
    assert not missing.exists()
    (run,) = synced.run_now()
    assert (run["outcome"], run["downloaded"], run["unchanged"]) == ("complete", 1, 11)


def test_an_output_folder_that_cannot_be_made(world: World, apart: Sequence[str]) -> None:
    world.root.parent.joinpath("state").mkdir()
    script = (
        f'mount --bind "{world.folder}" "{world.folder}" && mount --bind "{world.state.parent}" '
        f'"{world.state.parent}" && mount -o remount,ro,bind "{world.folder}" && '
    )
    ended = finish(world.start("run-now", before=[*apart, script + 'exec "$@"', "sh"]))
    assert_told(ended, 7, str(world.root), "is read-only")


KEPT = 400_000
"""Bytes that the profiles here keep free."""
ENDINGS = ("i2d.fits", "rate.fits", "cal.fits", "uncal.fits")


@pytest.fixture(scope="module")
def layered(now: datetime) -> Catalogue:
    """Six exposures with a file of each calibration stage, about a hundred kB each."""
    made = scaled_catalogue(observations=6, now=now, files=ENDINGS, sizes=(90_000, 120_000))
    products = [replace(each, level=3 if each.suffix == "i2d" else each.level) for each in made.products]
    return Catalogue(made.observations, products)


@pytest.fixture
def small(tmp_path: Path, apart: Sequence[str], layered: Catalogue) -> Iterator[tuple[World, Mounts]]:
    """A user who wants all of it, before the output folder's disk is mounted."""
    mounts = Mounts(apart)
    with ArchiveServer(layered) as server, contextlib.ExitStack() as stack:
        stack.callback(mounts.end)
        world = World(tmp_path / "world", server.url)
        world.configure(WATCH, min_free=f"{KEPT} B")
        yield world, mounts
    assert server.errors == []


def taking(catalogue: Catalogue, *suffixes: str) -> int:
    """What the files of these kinds take on a tmpfs."""
    return sum(
        on_disk(product.plain_size or 0, block=4096)
        for product in catalogue.products
        if product.suffix in suffixes
    )


def kinds(files: Iterable[str]) -> list[str]:
    return sorted({path.rpartition("_")[2] for path in files})


def test_a_plan_larger_than_the_disk_is_fetched_in_order_and_the_rest_waits_for_room(
    small: tuple[World, Mounts], layered: Catalogue
) -> None:
    world, mounts = small
    elsewhere = world.folder / "elsewhere"
    world.configure(
        {"watch": {"propID": 9001}, "after": {"propID": 9001, "outrootdir": str(elsewhere)}},
        min_free=f"{KEPT} B",
    )
    size = taking(layered, "i2d", "rate") + KEPT + 65_536
    mounts.small(world.root, size=str(size))
    told = world.run("run-now", before=mounts.before)
    assert_told(told, 7, "12 files, ", f"wait for space on {world.root}", "lower min_free")
    arrived = world.files(mounts.inside(world.root))
    assert kinds(arrived) == ["i2d.fits", "rate.fits"]
    assert len(world.files(elsewhere)) == 24, "another profile's disk has nothing to do with it"
    assert_as_archived(arrived, layered)
    left = os.statvfs(mounts.inside(world.root))
    assert left.f_bavail * left.f_frsize >= KEPT
    status = world.run("status", before=mounts.before)
    assert f"MB wait for space on {world.root}" in " ".join(status.out.split())
    why = world.run("why", next(each.name for each in layered.products if each.suffix == "uncal")).out
    assert f"wanted (new; waits for space on {world.root})" in why
    mounts.resize(world.root, size="10m")
    (run, other) = world.run_now(before=mounts.before)
    assert (run["outcome"], run["downloaded"], other["downloaded"]) == ("complete", 12, 0)
    assert len(world.files(mounts.inside(world.root))) == 24
    assert world.ask("SELECT cause FROM notice WHERE cleared_at IS NULL") == []


def test_a_quota_that_is_reached_holds_the_rest_back_until_it_is_raised(
    tmp_path: Path, layered: Catalogue
) -> None:
    with ArchiveServer(layered) as server:
        world = World(tmp_path / "world", server.url)
        world.configure({"watch": {"propID": 9001, "quota": "1 MB"}})
        ended = world.run("run-now")
        assert_told(ended, 7, "wait for the quota of 1.00 MB", "Raise quota by ")
        assert 800_000 < sum(map(len, world.files().values())) <= 1_000_000
        assert "for its quota" in world.run("status", "watch").out
        world.configure({"watch": {"propID": 9001, "quota": "3 MB"}})
        (run,) = world.run_now()
    assert (run["outcome"], run["products"]) == ("complete", 24)
    assert world.ask("SELECT cause FROM notice WHERE cleared_at IS NULL") == []


def test_two_runs_at_once_on_one_disk_never_count_on_the_same_bytes(
    small: tuple[World, Mounts], layered: Catalogue
) -> None:
    world, mounts = small
    one, two = {"filetypes": ["rate", "cal"]}, {"filetypes": ["i2d", "uncal"]}
    world.configure({"one": {"propID": 9001} | one, "two": {"propID": 9001} | two}, min_free=f"{KEPT} B")
    size = taking(layered, "rate", "cal", "i2d") + KEPT
    mounts.small(world.root, size=str(size))
    world.run("db", "upgrade")
    started = [world.start("run-now", name, before=mounts.before) for name in ("one", "two")]
    ended = [finish(process) for process in started]
    assert sorted(each.code for each in ended) in ([0, 7], [7, 7]), ended
    for each in ended:
        assert "is full" not in each.err
        assert "Traceback" not in each.err
    disk = os.statvfs(mounts.inside(world.root))
    assert disk.f_bavail * disk.f_frsize >= KEPT
    arrived = world.files(mounts.inside(world.root))
    assert not [path for path in arrived if ".part" in path]
    # The one that looks while the other's bytes are written and not in place yet counts them twice.
    assert len(arrived) >= 6
    assert_as_archived(arrived, layered)
    mounts.resize(world.root, size="10m")
    runs = world.run_now(before=mounts.before)
    assert [run["outcome"] for run in runs] == ["complete", "complete"]
    assert len(world.files(mounts.inside(world.root))) == 24


def test_a_full_disk_under_the_state(synced: World, apart: Sequence[str]) -> None:
    for path in synced.root.rglob("*.fits"):
        path.unlink()
    state = synced.state.parent
    copy = synced.folder / "copy"
    shutil.copytree(state, copy)
    script = f"""
        mount -t tmpfs -o size=1m none "{state}" && cp "{copy}"/* "{state}" || exit 99
        dd if=/dev/zero of="{state}/filler" bs=1k 2>/dev/null
        exec "$@"
    """
    ended = finish(synced.start("run-now", before=[*apart, script, "sh"]))
    assert ended.code == 7, (ended.out, ended.err)
    assert_told(ended, 7, str(synced.state), "full", "Free some space")
    assert "Traceback" not in ended.err
