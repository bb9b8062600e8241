"""Local storage that refuses: read-only, full. Each in a mount name space of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import World, assert_as_archived, finish


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The words that run a shell script where it may mount; without them these tests skip out loud."""
    folder = tmp_path_factory.mktemp("mount")
    flags = "--mount" if os.geteuid() == 0 else "--mount --map-root-user"
    words = ["unshare", *flags.split(), "sh", "-c"]
    if shutil.which("unshare"):
        tried = subprocess.run([*words, f"mount -t tmpfs -o size=1m none {folder}"], capture_output=True)
        if tried.returncode == 0:
            return words
    if os.environ.get("CI"):
        pytest.fail("CI must be able to mount a tmpfs in a name space of its own")
    pytest.skip("this user may not mount anything (unshare --mount)")


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


def test_a_full_disk_and_what_it_leaves(tmp_path: Path, apart: Sequence[str], now: datetime) -> None:
    catalogue = scaled_catalogue(
        observations=12,
        now=now,
        sizes=(40_000, 80_000),
    )
    with ArchiveServer(catalogue) as server:
        world = World(tmp_path / "world", server.url)
        world.configure(WATCH, makewebpages=True)
        world.root.mkdir()
        kept = tmp_path / "kept"
        script = f"""
            mount -t tmpfs -o size=700k none "{world.root}" || exit 99
            "$@" >"{tmp_path}/out" 2>"{tmp_path}/err"
            echo $? >"{tmp_path}/code"
            cp -a "{world.root}" "{tmp_path}/full"
            mount -o remount,size=50m "{world.root}" || exit 99
            "$@" --json
            code=$?
            cp -a "{world.root}" "{kept}"
            exit $code
        """
        ended = finish(world.start("run-now", before=[*apart, script, "sh"]))
        assert (tmp_path / "code").read_text().strip() == "7"
        told = (tmp_path / "err").read_text()
        assert "is full" in told
        assert "Free some space there" in told
        assert "Traceback" not in told
        arrived = world.files(tmp_path / "full")
        assert 0 < len(arrived) < 36
        assert not [path for path in arrived if ".part" in path], "what cannot be finished helps no full disk"
        assert_as_archived(arrived, catalogue)
        assert ended.code == 0, ended.err
        (run,) = ended.runs
        assert (run["downloaded"], run["unchanged"]) == (36 - len(arrived), len(arrived))
        assert_as_archived(world.files(kept), catalogue)
        assert len(world.files(kept)) == 36
        for product in catalogue.products:
            whole = [request for request in server.requests.downloads(product.uri) if request.status == 200]
            if any(path.endswith(f"/{product.name}") for path in arrived):
                assert len(whole) == 1, "what arrived is not fetched twice"


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
