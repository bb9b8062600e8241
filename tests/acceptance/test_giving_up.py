"""Files that a team gives up, tries again, or has no more use for; and what its profiles are called."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.daemons import Daemons, ended_runs, is_complete
from tests.acceptance.test_errors import assert_told
from tests.acceptance.world import World, assert_as_archived, finish, stop, wait_until

RATES = {"watch": {"propID": 9001, "filetypes": ["rate", "jpg"]}}


def a_file(world: World, ending: str) -> str:
    """Return the relative path of a file."""
    return next(path for path in sorted(world.files()) if path.endswith(ending))


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def told(world: World, *words: str) -> dict[str, Any]:
    ended = world.run(*words, "--json")
    assert ended.code == 0, ended.err
    document: dict[str, Any] = ended.json
    return document


# -- drop and undrop


def test_a_dropped_file_is_not_fetched_missed_or_counted_until_it_is_wanted_again(
    synced: World, archive: ArchiveServer
) -> None:
    path = a_file(synced, "_uncal.fits")
    name, full = name_of(path), synced.root / path
    (file,) = told(synced, "drop", name, "--delete")["files"]
    assert (file["path"], file["deleted"], file["left"]) == (str(full), True, None)
    assert not full.exists()
    for words in ([], ["--full"], ["--force"]):
        (run,) = synced.run_now(*words)
        assert (run["outcome"], run["downloaded"], run["products"]) == ("complete", 0, 11)
    assert archive.requests.downloads() == ()
    (profile,) = told(synced, "status")["profiles"]
    assert (profile["files"]["present"], profile["files"]["wanted"]) == (11, 0)
    assert "given up on purpose" in synced.run("why", name).out
    assert told(synced, "why", name)["products"][0]["files"][0]["declined"] is True
    ended = synced.run("undrop", str(full))
    assert "wanted again" in ended.out
    (run,) = synced.run_now()
    assert (run["downloaded"], run["products"]) == (1, 12)
    assert_as_archived(synced.files(), archive.catalogue)


def test_the_copy_of_a_dropped_file_stays_unless_it_is_to_go_and_is_not_missed_then(
    synced: World, archive: ArchiveServer
) -> None:
    kept, deleted_later = sorted(path for path in synced.files() if path.endswith("_rate.fits"))[:2]
    ended = synced.run("drop", name_of(kept), f"./{deleted_later}", cwd=synced.root)
    assert ended.code == 0, ended.err
    assert ended.out.count("its copy stays, and is not watched") == 2
    (synced.root / deleted_later).unlink()
    (run,) = synced.run_now()
    assert (run["outcome"], run["downloaded"], run["products"]) == ("complete", 0, 10)
    assert "missing" not in synced.run("run-now").err
    assert (synced.root / kept).exists()
    answers = told(synced, "undrop", name_of(kept), name_of(deleted_later))["files"]
    assert [file["missing"] for file in answers] == [False, True]
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (1, 11)


def test_a_name_that_nobody_knows_is_told_with_what_it_may_mean(synced: World) -> None:
    name = name_of(a_file(synced, "_rate.fits"))
    for command in ("drop", "undrop", "retry"):
        assert_told(synced.run(command, name.replace("rate", "rte")), 2, "no file is known as", name)
    assert_told(synced.run("drop", name, "--profile", "wach"), 2, "'wach'", "did you mean watch?")
    ended = synced.run("drop", "nonsense", "--json")
    assert (ended.code, ended.json["error"]["kind"]) == (2, "usage")
    assert synced.run_now()[0]["products"] == 12


def test_no_copy_is_removed_from_a_folder_that_is_not_the_right_one(synced: World) -> None:
    path = a_file(synced, "_rate.fits")
    marker = synced.root / ".jwstwatch-root"
    content = marker.read_bytes()
    marker.unlink()
    assert_told(synced.run("drop", name_of(path), "--delete"), 7, str(synced.root), "mounted?")
    assert (synced.root / path).exists()
    marker.write_bytes(content)
    assert synced.run_now()[0]["products"] == 12, "nothing was dropped either"


def test_a_file_in_transfer_is_not_dropped(world: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*_uncal.fits", rate=1_000, times=None))
    process = world.start("run-now")
    wait_until(lambda: len(archive.requests.downloads("*_uncal.fits")) >= 1, "a file is in transfer")
    name = name_of(str(archive.requests.downloads("*_uncal.fits")[0].uri))
    assert_told(world.run("drop", name), 5, name, "is being fetched")
    stop(process)
    assert world.run("drop", name).code == 0


# -- retry


@pytest.fixture
def failing(world: World, archive: ArchiveServer) -> World:
    """A world in which one file failed a moment ago."""
    archive.faults.add(Fault(kind=FaultKind.GARBLE, uri="*nrca1_rate.fits", times=None, after=0))
    world.run_now(code=3)
    archive.faults.clear()
    archive.requests.clear()
    return world


def test_a_failed_file_is_tried_again_at_the_next_run_as_asked(
    failing: World, archive: ArchiveServer
) -> None:
    (waiting,) = failing.run_now(code=3)
    assert (waiting["downloaded"], waiting["failed"]) == (0, 1)
    answer = told(failing, "retry")
    assert answer == {"schema": 1, "retried": 1, "profiles": ["watch"], "daemon": False, "left": []}
    (run,) = failing.run_now()
    assert (run["outcome"], run["downloaded"]) == ("complete", 1)
    assert_as_archived(failing.files(), archive.catalogue)
    assert failing.run("retry").out == "no file has failed\n"


def test_a_daemon_tries_a_failed_file_again_at_once(world: World, archive: ArchiveServer) -> None:
    world.configure({"watch": {"propID": 9001, "every": "1d"}})
    archive.faults.add(Fault(kind=FaultKind.GARBLE, uri="*nrca1_rate.fits", times=None, after=0))
    daemons = Daemons(world)
    try:
        daemons.start()
        wait_until(lambda: ended_runs(world, "watch") == 1, "the first run ends")
        archive.faults.clear()
        answer = told(world, "retry")
        assert answer == {"schema": 1, "retried": 1, "profiles": ["watch"], "daemon": True, "left": []}
        wait_until(lambda: is_complete(world, "watch"), "the file is fetched")
        assert_told(world.run("retry", "nonsense"), 2, "no file is known as nonsense")
    finally:
        daemons.end()
    assert_as_archived(world.files(), archive.catalogue)


def test_a_retry_says_which_run_does_it(failing: World) -> None:
    ended = failing.run("retry", "--profile", "watch")
    assert ended.out.startswith("1 failed file of watch to be tried again.")
    assert "jwstwatch run-now watch" in ended.out
    assert_told(failing.run("retry", "--profile", "wath"), 2, "wath", "watch")


# -- prune


def test_what_no_profile_selects_any_more_goes_when_it_is_told_to(
    synced: World, archive: ArchiveServer
) -> None:
    assert synced.run("prune", "--unselected").out == "Every file is wanted; there is nothing to prune.\n"
    synced.configure(RATES)
    synced.run_now()
    raw = sorted(str(synced.root / path) for path in synced.files() if path.endswith("_uncal.fits"))
    answer = told(synced, "prune", "--unselected")
    assert (answer["removed"], sorted(file["path"] for file in answer["files"])) == (False, raw)
    assert {file["reason"] for file in answer["files"]} == {"no profile selects it any more"}
    ended = synced.run("prune", "--unselected")
    assert "4 files" in ended.out
    assert "nothing was removed" in ended.out
    assert len(synced.files()) == 12
    assert told(synced, "status")["unselected"] == {"files": 4, "bytes": answer["bytes"]}
    others = {path: stamp for path, stamp in synced.stamps().items() if not path.endswith("_uncal.fits")}
    gone = told(synced, "prune", "--unselected", "--yes")
    assert (gone["removed"], gone["bytes"], gone["left"]) == (True, answer["bytes"], [])
    assert synced.stamps() == others
    assert synced.run("db", "check").code == 0
    assert "pruned" in synced.run("why", name_of(raw[0])).out
    # And they come back for a profile that selects them again.
    synced.configure({"watch": {"propID": 9001}})
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (4, 8)


def test_the_files_of_a_profile_that_was_deleted_go_with_their_thumbnails(world: World) -> None:
    world.configure({"watch": {"propID": 9001, "filetypes": ["jpg"], "makewebpages": True}, **_other()})
    world.run_now()
    assert list(world.root.rglob("*.TN.jpg"))
    world.configure(_other())
    answer = told(world, "prune", "--unselected", "--yes")
    assert {file["reason"] for file in answer["files"]} == {"profile watch is not in the configuration"}
    assert sorted(name_of(path) for path in world.files()) == [
        name_of(file["path"]) for file in told(world, "files")["files"]
    ]
    assert not list(world.root.rglob("*.jpg"))
    assert world.run_now()[0]["downloaded"] == 0


def _other() -> dict[str, dict[str, Any]]:
    return {"rates": {"propID": 9001, "filetypes": ["_rate.fits"]}}


def test_what_the_archive_has_no_more_goes_when_that_is_meant(synced: World) -> None:
    ended = synced.run("prune", "--gone")
    assert ended.out == "The archive has every file that is here; there is nothing to prune.\n"
    assert_told(synced.run("prune", "--yes"), 2, "--unselected, --gone")
    path = next(path for path in sorted(synced.files()) if path.endswith("_rate.fits"))
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE file SET state = 'gone' WHERE path = ?", (path,))
    # It is selected.
    assert told(synced, "prune", "--unselected", "--gone")["files"] == []
    answer = told(synced, "prune", "--gone")
    assert [file["path"] for file in answer["files"]] == [str(synced.root / path)]
    assert (answer["removed"], answer["gone"]) == (False, {"files": 0, "bytes": 0})
    assert "`jwstwatch prune --gone --yes` removes them" in synced.run("prune", "--gone").out
    assert path in synced.files()
    assert told(synced, "prune", "--gone", "--yes")["removed"]
    assert path not in synced.files()
    assert "the archive no longer lists it" in synced.run("why", name_of(path)).out


def test_what_a_typed_download_brought_stays(world: World) -> None:
    world.configure(_other())
    world.run_now()
    ended = world.run("download", "--propID", "9001", "--filetypes", "jpg")
    assert ended.code == 0, ended.err
    assert told(world, "prune", "--unselected", "--yes")["files"] == []
    assert len(world.files()) == 8


def test_without_any_profile_nothing_is_pruned(synced: World) -> None:
    synced.configure({})
    for words in ([], ["--yes"]):
        assert_told(synced.run("prune", "--unselected", *words), 2, "has no profile", "--config")
    synced.configuration.unlink()
    state = {"JWSTWATCH_STATE": str(synced.state)}
    assert_told(synced.run("prune", "--unselected", "--yes", environment=state), 2, "no configuration file")
    assert len(synced.files()) == 12


def test_nothing_is_pruned_in_a_folder_that_is_not_mounted_or_not_ours(synced: World, tmp_path: Path) -> None:
    synced.configure(RATES)
    synced.run_now()
    raw = [path for path in sorted(synced.files()) if path.endswith("_uncal.fits")]
    away = tmp_path / "away"
    synced.root.rename(away)
    assert_told(synced.run("prune", "--unselected", "--yes"), 7, str(synced.root), "mounted?")
    away.rename(synced.root)
    # What is no longer the file that was verified is somebody else's, and so is what lies behind a link.
    (synced.root / raw[0]).write_bytes(b"mine")
    (synced.root / raw[1]).unlink()
    (synced.root / raw[1]).symlink_to(synced.configuration)
    # Nor is what was edited, be it to the same length.
    edited = (synced.root / raw[2]).read_bytes()[:-4] + b"EDIT"
    (synced.root / raw[2]).write_bytes(edited)
    ended = synced.run("prune", "--unselected", "--yes", "--json")
    assert ended.code == 3
    assert len(ended.json["files"]) == 1
    assert {file["path"] for file in ended.json["left"]} == {str(synced.root / path) for path in raw[:3]}
    assert (synced.root / raw[2]).read_bytes() == edited
    ended = synced.run("prune", "--unselected", "--yes")
    assert (ended.code, ended.err.count("was left")) == (3, 3)
    assert (synced.root / raw[0]).read_bytes() == b"mine"
    assert (synced.root / raw[1]).is_symlink()
    assert synced.configuration.exists()


def test_nothing_is_pruned_by_what_a_former_configuration_selected(synced: World) -> None:
    synced.configure(RATES)
    synced.run_now()
    everything = synced.files()
    renamed = {"mirror": RATES["watch"]}
    off = {"fresh": {"propID": 9001, "enabled": False}}
    for profiles, unlisted in (({"watch": {"propID": 9001}}, "watch"), (renamed | off, "mirror")):
        synced.configure(profiles)
        assert_told(synced.run("prune", "--unselected", "--yes"), 2, unlisted, f"run-now {unlisted}`")
        ended = synced.run("prune", "--unselected")
        assert ended.code == 0
        assert f"warning: what {unlisted} wants is not known" in ended.err
        assert told(synced, "prune", "--unselected")["unlisted"] == [unlisted]
    assert synced.files() == everything
    synced.run_now("mirror")
    answer = told(synced, "prune", "--unselected", "--yes")
    assert (len(answer["files"]), answer["unlisted"]) == (4, [])
    assert len(synced.files()) == 8


def test_nothing_is_pruned_after_a_listing_that_broke_off_by_rules_that_were_taken_back(
    synced: World, archive: ArchiveServer
) -> None:
    synced.run_now()
    synced.configure(RATES)
    archive.faults.add(Fault(kind=FaultKind.MAINTENANCE, times=None))
    synced.run_now(code=4)
    synced.configure({"watch": {"propID": 9001}})
    # Nothing was heard, so nothing was planned.
    assert told(synced, "prune", "--unselected", "--yes")["files"] == []
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE run SET found = 3 WHERE outcome = 'failed'")
    assert_told(synced.run("prune", "--unselected", "--yes"), 2, "watch", "run-now watch")
    archive.faults.clear()
    synced.run_now()
    assert told(synced, "prune", "--unselected", "--yes")["files"] == []
    assert len(synced.files()) == 12


def test_after_a_restore_nothing_is_pruned_before_a_run(synced: World) -> None:
    synced.configure(RATES)
    synced.run_now()
    assert synced.run("db", "backup", "before.db").code == 0
    assert synced.run("db", "restore", "before.db").code == 0
    assert_told(synced.run("prune", "--unselected", "--yes"), 2, "watch", "run-now watch")
    assert len(synced.files()) == 12


def test_a_file_of_two_folders_stays_while_one_s_profile_wants_it(world: World) -> None:
    rates: dict[str, Any] = {"propID": 9001, "filetypes": ["_rate.fits"]}
    inner = rates | {"outsubdir": "09001", "skip_propID2outsubdir": True}
    world.configure({"outer": rates, "inner": inner})
    assert [run["unchanged"] for run in world.run_now()] == [0, 4]
    path = next(iter(sorted(world.files())))
    ended = world.run("drop", name_of(path), "--profile", "inner", "--delete")
    assert ended.code == 0
    assert f"dropped, but its copy was left: the copy is also outer's in {world.root}" in ended.out
    for profiles in ({"outer": rates}, {"inner": inner}):
        world.configure(profiles)
        assert told(world, "prune", "--unselected", "--yes")["files"] == []
    assert len(world.files()) == 4


def test_a_folder_that_refuses_is_named_and_what_was_done_before_is_told(synced: World) -> None:
    synced.configure(RATES)
    synced.run_now()
    raw = sorted(str(synced.root / path) for path in synced.files() if path.endswith("_uncal.fits"))
    refusing = ("-c", _REFUSES_AFTER_ONE)
    ended = synced.run("prune", "--unselected", "--yes", "--json", program=refusing)
    assert (ended.code, ended.json["error"]["kind"]) == (7, "storage")
    assert str(Path(raw[1]).parent) in ended.json["error"]["message"]
    assert [file["path"] for file in ended.json["files"]] == raw[:1]
    assert [file["path"] for file in ended.json["left"]] == raw[1:]
    assert [file["path"] for file in told(synced, "prune", "--unselected")["files"]] == raw[1:]
    ended = synced.run("drop", *raw[1:3], "--delete", program=refusing)
    assert ended.code == 7
    assert f"{raw[1]}: dropped, and its copy removed" in ended.out
    assert f"{raw[2]}: dropped, but its copy was left: {Path(raw[2]).parent} may not be" in ended.out
    assert "jwstwatch: " + str(Path(raw[2]).parent) in ended.err
    assert [Path(path).exists() for path in raw] == [False, False, True, True]
    assert synced.run("db", "check").code == 0


def test_a_dropped_copy_that_was_edited_is_left_and_told(synced: World) -> None:
    path = synced.root / a_file(synced, "_rate.fits")
    edited = path.read_bytes()[:-4] + b"EDIT"
    path.write_bytes(edited)
    ended = synced.run("drop", str(path), "--delete", "--json")
    assert ended.code == 3
    (file,) = ended.json["files"]
    assert (file["deleted"], file["left"]) == (False, "it was changed since it was verified")
    assert path.read_bytes() == edited


_REFUSES_AFTER_ONE = """
import errno, os, sys
from jwstwatch.cli.main import main
unlink, gone = os.unlink, []
def refusing(name, **options):
    if options.get("dir_fd") is not None:
        if gone:
            raise PermissionError(errno.EACCES, "Permission denied", name)
        gone.append(name)
    unlink(name, **options)
os.unlink = refusing
sys.exit(main(sys.argv[1:]))
"""


def test_a_prune_that_is_killed_is_finished_by_the_next_one(synced: World) -> None:
    synced.configure(RATES)
    synced.run_now()
    process = synced.start("prune", "--unselected", "--yes", program=("-c", _DIES_AFTER_TWO))
    finish(process)
    assert len([path for path in synced.files() if path.endswith("_uncal.fits")]) == 2
    assert told(synced, "prune", "--unselected")["files"]
    assert len(told(synced, "prune", "--unselected", "--yes")["files"]) == 4
    assert not [path for path in synced.files() if path.endswith("_uncal.fits")]
    assert told(synced, "prune", "--unselected")["files"] == []
    assert synced.run("db", "check").code == 0


_DIES_AFTER_TWO = """
import os, signal, sys
from jwstwatch.cli.main import main
unlink, gone = os.unlink, []
def dying(name, **options):
    unlink(name, **options)
    if options.get("dir_fd") is not None:
        gone.append(name)
        if len(gone) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
os.unlink = dying
main(sys.argv[1:])
"""


# -- profiles and runs


def test_a_renamed_profile_goes_on_where_it_was(synced: World, archive: ArchiveServer) -> None:
    synced.run_now()
    memory = synced.ask("SELECT query_digest, floor, created_at FROM profile")
    ended = synced.run("profile", "rename", "watch", "mirror")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("watch is mirror now, with its history and 12 files.")
    assert f"{synced.configuration} still says watch" in ended.out
    names = {each["name"]: each for each in told(synced, "profile", "list")["profiles"]}
    assert (names["watch"]["configured"], names["watch"]["files"]) == (True, 0)
    assert (names["mirror"]["configured"], names["mirror"]["present"]) == (False, 12)
    synced.configure({"mirror": {"propID": 9001}})
    archive.requests.clear()
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (0, 12)
    assert archive.requests.downloads() == ()
    assert synced.ask("SELECT query_digest, floor, created_at FROM profile") == memory
    assert {each["profile"] for each in told(synced, "runs")["runs"]} == {"mirror"}
    assert told(synced, "prune", "--unselected")["files"] == []


def test_names_that_cannot_be_given_are_refused(synced: World) -> None:
    synced.configure({"watch": {"propID": 9001}, "other": {"propID": 9001}})
    synced.run_now("other")
    for old, new, words in (
        ("wach", "x", ("'wach'", "did you mean watch?", "other, watch")),
        ("watch", "other", ("other has a history",)),
        ("watch", "x/y", ("'x/y' is no name",)),
        ("watch", "one-off:0123456789ab", ("is no name",)),
        ("watch", "watch", ("called so already",)),
    ):
        assert_told(synced.run("profile", "rename", old, new), 2, *words)
    assert told(synced, "profile", "rename", "watch", "new")["renamed"] == {
        "from": "watch",
        "to": "new",
        "files": 12,
        "bytes": sum(len(content) for content in synced.files().values()),
        "configured": {"from": True, "to": False},
    }


def test_a_profile_is_not_renamed_while_it_runs(world: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*.fits", rate=1_000, times=None))
    process = world.start("run-now")
    wait_until(lambda: len(archive.requests.downloads()) >= 1, "it runs")
    assert_told(
        world.run("profile", "rename", "watch", "mirror"), 5, "watch: a run goes on", str(process.pid)
    )
    stop(process)


def test_runs_are_listed_newest_first(synced: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.MAINTENANCE, times=None))
    synced.run_now(code=4)
    archive.faults.clear()
    synced.run_now()
    runs = told(synced, "runs")["runs"]
    assert [run["outcome"] for run in runs] == ["complete", "failed", "complete"]
    assert runs[1]["error"]["kind"] == "archive_unreachable"
    assert [run["run_id"] for run in told(synced, "runs", "watch", "--limit", "1")["runs"]] == [3]
    head, newest, failed, *_ = synced.run("runs").out.splitlines()
    assert head.split()[:4] == ["run", "profile", "trigger", "started"]
    assert "complete" in newest
    assert runs[1]["error"]["message"][:30] in failed
    assert_told(synced.run("runs", "wach"), 2, "wach", "did you mean watch?")
    assert synced.run("runs", "--limit", "0").code == 2


def test_before_the_first_run_there_is_nothing_to_list(world: World) -> None:
    assert world.run("runs").out == "no profile has run yet\n"
    assert world.run("runs", "watch").out == "watch has not run yet\n"
    assert told(world, "runs")["runs"] == []
    assert [each["name"] for each in told(world, "profile", "list")["profiles"]] == ["watch"]
    assert world.run("prune", "--unselected").code == 0
    assert_told(world.run("drop", "x.fits"), 2, "no file is known as x.fits")
