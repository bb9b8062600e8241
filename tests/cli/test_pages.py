"""`jwstwatch pages`: pages without a run, as a user types it."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
from pathlib import Path

from tests.acceptance.world import PATIENCE, World, finish, stop, wait_until
from tests.cli.conftest import PROFILES, here, page_of


def test_pages_that_are_not_due_are_left_alone_and_deleted_ones_are_written_again(world: World) -> None:
    before = world.stamps()
    nothing = here(world, "pages")
    assert nothing.code == 0
    assert nothing.out == f"{world.root}: 0 files written; the first page is {world.root / 'index.html'}\n"
    assert world.stamps() == before

    contents = {path: path.read_bytes() for path in world.root.rglob("*") if path.is_file()}
    page_of(world).unlink()
    (world.root / "index.html").unlink()
    shutil.rmtree(world.root / "jwstwatch-assets")
    again = here(world, "pages", "--all", "--json")
    assert again.code == 0
    (written,) = again.json["roots"]
    assert written["written"] >= 3
    assert (written["path"], written["error"]) == (str(world.root), None)
    assert written["page"] == str(world.root / "index.html")
    found = {path for path in world.root.rglob("*") if path.is_file()}
    assert found == set(contents)


def test_one_proposal_at_a_time(world: World) -> None:
    page_of(world).unlink()
    unknown = here(world, "pages", "--propID", "1234")
    assert unknown.code == 2
    assert "no file of proposal 1234 is known" in unknown.err
    assert not page_of(world).exists()
    assert here(world, "pages", "--propID", "9001").code == 0
    assert page_of(world).is_file()
    assert here(world, "pages", "--propID", "nonsense").code == 2


def test_thumbnails_are_made_again_only_when_told(world: World) -> None:
    small = sorted(world.root.rglob("*.TN.jpg"))
    assert small
    before = {path: path.stat().st_ino for path in small}
    here(world, "pages", "--all")
    assert {path: path.stat().st_ino for path in small} == before
    for path in small:
        path.write_bytes(b"spoilt")
    assert here(world, "pages", "--thumbnails").code == 0
    assert all(path.read_bytes() != b"spoilt" for path in small)


def test_folders_without_pages_are_told_in_words(world: World) -> None:
    unused = world.folder / "unused"
    world.configure(
        {"watch": {"propID": 9001, "makewebpages": False}, "new": {"propID": 1, "outrootdir": str(unused)}}
    )
    try:
        ended = here(world, "pages")
        assert ended.code == 0
        assert ended.out == (
            f"{world.root}: no profile of this folder has makewebpages\n"
            f"{unused}: no run has used this folder so far\n"
        )
        assert not unused.exists()
        assert here(world, "pages", "nobody").code == 2
    finally:
        world.configure(PROFILES)


def test_a_folder_that_no_profile_has_any_more_loses_the_pages_of_what_was_pruned(world: World) -> None:
    kept = world.root.with_name("kept")
    state = world.state.read_bytes()
    shutil.copytree(world.root, kept)
    # Pruning waits for the listing of profiles that are enabled.
    other = {"propID": 1, "outrootdir": str(world.folder / "new"), "makewebpages": True, "enabled": False}
    try:
        world.configure({"other": other})
        here(world, "pages")
        assert page_of(world).is_file()
        assert here(world, "prune", "--unselected", "--yes").code == 0
        assert f"{world.root}: " in here(world, "pages").out
        assert not page_of(world).exists()
        assert list(page_of(world).parent.rglob("*.html")) == []
        assert "09001" not in (world.root / "index.html").read_text()
        assert f"{world.root}: " not in here(world, "pages").out
    finally:
        shutil.rmtree(world.root)
        kept.rename(world.root)
        world.state.write_bytes(state)
        for leftover in world.state.parent.glob(f"{world.state.name}-*"):
            leftover.unlink()
        world.configure(PROFILES)


def test_a_folder_that_is_away_is_one_sentence(world: World) -> None:
    away = world.root.rename(world.folder / "unmounted")
    try:
        ended = here(world, "pages")
        document = here(world, "pages", "--json")
    finally:
        away.rename(world.root)
    assert (ended.code, ended.out) == (7, "")
    assert ended.err.startswith(f"jwstwatch: {world.root} is not the output folder any more")
    assert document.code == 7
    (root,) = document.json["roots"]
    assert (root["page"], root["error"]["kind"]) == (None, "root_missing")


def test_a_folder_that_may_not_be_written_is_one_sentence(world: World) -> None:
    # A file in the place of the folder refuses root, too.
    shutil.rmtree(world.root / "jwstwatch-assets")
    blocked = world.root / "jwstwatch-assets"
    blocked.write_text("in the way")
    try:
        ended = here(world, "pages", "--all")
    finally:
        blocked.unlink()
    assert ended.code == 7
    assert str(blocked) in ended.err
    assert here(world, "pages", "--all").code == 0


def test_it_waits_for_a_run_that_writes_pages_and_ctrl_c_ends_the_wait(world: World) -> None:
    page_of(world).unlink()
    marker = Path(world.root, ".jwstwatch-root")
    with open(marker, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        given_up, patient = world.start("pages", "--json"), world.start("pages")
        for waiting in (given_up, patient):
            wait_until(lambda waiting=waiting: has_open(waiting.pid, world.state), "it is at work")
        ended = stop(given_up, signal.SIGINT, timeout=PATIENCE)
        assert (ended.code, json.loads(ended.out)["error"]["kind"]) == (130, "cancelled")
        assert patient.poll() is None
        assert not page_of(world).exists()
    assert finish(patient).code == 0
    assert page_of(world).is_file()


def has_open(pid: int, path: Path) -> bool:
    """Return whether a process has a file open at this moment."""
    try:
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False
    for handle in handles:
        try:
            if handle.readlink() == path:
                return True
        except FileNotFoundError:
            continue
    return False
