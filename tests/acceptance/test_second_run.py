"""What later runs do about what happened to the disk meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.world import World, assert_as_archived, finish, wait_until

PathAndContent = tuple[str, bytes]


def a_file(world: World, ending: str = "_rate.fits") -> PathAndContent:
    path = next(path for path in world.files() if path.endswith(ending))
    return path, (world.root / path).read_bytes()


def test_a_file_deleted_by_hand_and_no_other_comes_back(synced: World, archive: ArchiveServer) -> None:
    path, content = a_file(synced)
    others = {name: stamp for name, stamp in synced.stamps().items() if name != path}
    (synced.root / path).unlink()
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"], run["bytes"]) == (1, 11, len(content))
    assert (synced.root / path).read_bytes() == content
    assert [request.uri for request in archive.requests.downloads()] == [
        f"mast:JWST/product/{path.rpartition('/')[2]}"
    ]
    assert {name: stamp for name, stamp in synced.stamps().items() if name != path} == others


def test_a_truncated_file_keeps_its_bytes_until_the_verified_one_replaces_it(
    synced: World, archive: ArchiveServer
) -> None:
    path, content = a_file(synced)
    cut = content[: len(content) // 2]
    (synced.root / path).write_bytes(cut)
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*" + path.rpartition("/")[2], rate=8_000, times=None))
    process = synced.start("run-now", "--json")
    seen = set()
    wait_until(lambda: len(archive.requests.downloads()) == 1, "it is fetched again")
    while process.poll() is None:
        seen.add((synced.root / path).read_bytes())
    ended = finish(process)
    assert ended.code == 0, ended.err
    assert ended.runs[0]["downloaded"] == 1
    assert (synced.root / path).read_bytes() == content
    assert cut in seen
    assert seen <= {cut, content}, "somebody could have read a half-written file"


def test_an_interrupted_run_goes_on_where_it_stopped(world: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*_uncal.fits", rate=2_000, times=None))
    process = world.start("run-now", "--json")
    wait_until(lambda: world.state.exists() and placed(world) >= 4, "some small files arrive")
    process.terminate()
    ended = finish(process, timeout=20)
    assert ended.code == 143
    (first,) = ended.runs
    assert (first["outcome"], first["error"]["kind"]) == ("cancelled", "cancelled")
    before = placed(world)
    assert 4 <= before < 12
    archive.faults.clear()
    archive.requests.clear()
    (second,) = world.run_now()
    assert (second["outcome"], second["downloaded"]) == ("complete", 12 - before)
    assert len(archive.requests.downloads()) == 12 - before
    assert_as_archived(world.files(), archive.catalogue)
    assert not list(world.root.rglob("*.part*"))


def placed(world: World) -> int:
    try:
        return len([name for name in world.files() if not name.rpartition("/")[2].startswith(".")])
    except FileNotFoundError:
        return 0


def test_a_sound_file_that_was_there_before_the_first_run_is_adopted(
    world: World, archive: ArchiveServer
) -> None:
    product = archive.catalogue.products[0]
    path = world.root / "09001" / "obsnum01" / product.name
    path.parent.mkdir(parents=True)
    path.write_bytes(archive.catalogue.read(product.uri).content)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    (run,) = world.run_now()
    assert (run["downloaded"], run["unchanged"]) == (11, 1)
    assert archive.requests.downloads(product.uri) == ()
    assert path.stat().st_mtime == 1_600_000_000
    (state, size, digest, revision) = world.file_rows()[f"09001/obsnum01/{product.name}"]
    assert (state, size, revision) == ("present", path.stat().st_size, 1)
    assert digest is not None


def test_a_broken_file_that_was_there_before_the_first_run_is_replaced(
    world: World, archive: ArchiveServer
) -> None:
    product = archive.catalogue.products[0]
    content = archive.catalogue.read(product.uri).content
    path = world.root / "09001" / "obsnum01" / product.name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html>not found</html>".ljust(len(content)))
    (run,) = world.run_now()
    assert run["downloaded"] == 12
    assert path.read_bytes() == content


def test_a_link_at_a_files_path_is_left_alone(world: World, archive: ArchiveServer, tmp_path: Path) -> None:
    product = archive.catalogue.products[0]
    elsewhere = tmp_path / "somebody's.fits"
    elsewhere.write_bytes(b"mine")
    path = world.root / "09001" / "obsnum01" / product.name
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)
    (run,) = world.run_now(code=3)
    assert (run["outcome"], run["downloaded"], run["failed"]) == ("partial", 11, 1)
    assert path.readlink() == elsewhere
    assert elsewhere.read_bytes() == b"mine"
    assert archive.requests.downloads(product.uri) == ()
    (told,) = world.run("why", product.name, "--json").json["products"]
    assert "link" in told["files"][0]["reason"]
    path.unlink()
    (again,) = world.run_now()
    assert (again["downloaded"], again["unchanged"]) == (1, 11)
    assert_as_archived(world.files(), archive.catalogue)


def test_a_linked_folder_below_the_root_is_followed(
    world: World, archive: ArchiveServer, tmp_path: Path
) -> None:
    other_disk = tmp_path / "other disk"
    other_disk.mkdir()
    world.root.mkdir(parents=True)
    (world.root / "09001").symlink_to(other_disk)
    (run,) = world.run_now()
    assert run["downloaded"] == 12
    assert len(list(other_disk.rglob("*.fits"))) == 8
    assert (world.root / "09001").is_symlink()
    assert_as_archived(world.files(), archive.catalogue)
    (again,) = world.run_now()
    assert (again["downloaded"], again["unchanged"]) == (0, 12)


def test_a_root_that_is_not_there_is_no_empty_one(synced: World, archive: ArchiveServer) -> None:
    before = synced.file_rows()
    away = synced.folder / "away"
    synced.root.rename(away)
    ended = synced.run("run-now")
    assert ended.code == 7
    assert "is not the output folder" in ended.err
    for way in ("mounted?", f"root move {synced.root} NEW", f"root accept {synced.root}"):
        assert way in ended.err
    (run,) = synced.run_now(code=7)
    assert (run["outcome"], run["downloaded"]) == ("failed", 0)
    assert run["error"]["kind"] == "root_missing"
    assert run["error"]["hint"]
    assert not synced.root.exists()
    assert synced.file_rows() == before
    assert len(archive.requests.downloads()) == 0
    (root,) = synced.run("status", "--json").json["roots"]
    assert root.items() >= {"path": str(synced.root), "mounted": False, "free_bytes": None}.items()


def test_a_moved_root_is_told_and_nothing_is_fetched(synced: World, archive: ArchiveServer) -> None:
    new = synced.folder / "new"
    synced.root.rename(new)
    refused = synced.run("root", "move", str(synced.root), str(synced.folder / "elsewhere"))
    assert refused.code == 2
    moved = synced.run("root", "move", str(synced.root), str(new))
    assert moved.code == 0, moved.err
    synced.root = new
    synced.configure({"watch": {"propID": 9001}})
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (0, 12)
    assert len(archive.requests.downloads()) == 0


def test_a_configuration_that_is_ahead_of_the_move_is_told_how(synced: World) -> None:
    old, new = synced.root, synced.folder / "new"
    old.rename(new)
    synced.root = new
    synced.configure({"watch": {"propID": 9001}})
    ended = synced.run("run-now")
    assert ended.code == 7
    assert f"jwstwatch root move {old} {new}" in ended.err


def test_an_accepted_root_has_what_is_missing_fetched_again(synced: World, archive: ArchiveServer) -> None:
    kept, content = a_file(synced)
    shutil.rmtree(synced.root)
    (synced.root / kept).parent.mkdir(parents=True)
    (synced.root / kept).write_bytes(content)
    synced.run_now(code=7)
    accepted = synced.run("root", "accept", str(synced.root))
    assert accepted.code == 0, accepted.err
    assert "11 missing files" in accepted.out
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (11, 1)
    assert_as_archived(synced.files(), archive.catalogue)


def test_root_list_shows_whether_it_is_mounted(synced: World) -> None:
    (root,) = synced.run("root", "list", "--json").json["roots"]
    assert (root["path"], root["files"], root["mounted"]) == (str(synced.root), 12, True)
