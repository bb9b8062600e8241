"""`relayout`: files go where the layout asks for them; nothing is lost, overwritten or fetched again."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import BusyError, RootMissingError, StorageError
from jwstwatch.files import sync_folder
from jwstwatch.sync import moving, relocating
from tests.sync.bench import Bench

FLAT = {"propID": 9001, "obsnum2outsubdir": False}


def propose(bench: Bench, *names: str) -> relocating.Proposal:
    return relocating.propose(bench.settings.profiles, names or list(bench.settings.profiles), bench.store)


def relayout(bench: Bench, *names: str) -> relocating.Relaid:
    return relocating.carry_out(bench.store, propose(bench, *names), now=bench.clock)


def settle(bench: Bench) -> None:
    relocating.settle_left_open(bench.store, now=bench.clock)


def by_name(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: content for path, content in files.items()}


@pytest.fixture
def laid(synced: Bench) -> Bench:
    """Twelve files in folders of observations, and a profile that does not want these folders any more."""
    synced.configure({"watch": FLAT})
    return synced


def test_files_keep_their_path_until_relayout_and_then_nothing_is_fetched(laid: Bench) -> None:
    before = laid.files()
    laid.run()
    assert laid.files() == before
    assert len(propose(laid).moves) == 12
    assert laid.files() == before, "to propose changes nothing"
    inodes = {path.name: path.stat().st_ino for path in laid.root.rglob("*.fits")}
    done = relayout(laid)
    assert (len(done.moved), done.refused, done.failure) == (12, [], None)
    after = laid.files()
    assert by_name(after) == by_name(before)
    assert {str(Path(path).parent) for path in after} == {"09001"}
    assert {path.name: path.stat().st_ino for path in laid.root.rglob("*.fits")} == inodes
    assert not list(laid.root.glob("09001/obsnum*")), "folders that are left empty go"
    assert laid.ask("SELECT count(*) FROM relocation") == [(0,)]
    assert laid.history(next(iter(inodes)))[-1] == "moved"
    assert propose(laid) == relocating.Proposal()
    record = laid.run()
    assert (record.counts.downloaded, record.counts.unchanged, laid.fetched) == (0, 12, [])


def test_thumbnails_partials_and_kept_copies_go_with_their_file(laid: Bench) -> None:
    jpg = next(laid.root.rglob("*.jpg"))
    fits = next(laid.root.rglob("*.fits"))
    (jpg.parent / jpg.name.replace(".jpg", ".TN.jpg")).write_bytes(b"small")
    (fits.parent / f".{fits.name}.2.part").write_bytes(b"half")
    folder = fits.parent.relative_to(laid.root)
    kept = laid.root / ".replaced" / folder / "r1" / fits.name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"former")
    _write(
        laid,
        "INSERT INTO replaced (file_id, revision, new_size, kept_as, replaced_at) "
        "SELECT file.id, 1, 1, ?, file.changed_at FROM file WHERE path LIKE ?",
        str(kept.relative_to(laid.root)),
        f"%{fits.name}",
    )
    relayout(laid)
    flat = laid.root / "09001"
    assert (flat / jpg.name.replace(".jpg", ".TN.jpg")).read_bytes() == b"small"
    assert (flat / f".{fits.name}.2.part").read_bytes() == b"half"
    now_kept = f".replaced/09001/r1/{fits.name}"
    assert laid.ask("SELECT kept_as FROM replaced") == [(now_kept,)]
    assert (laid.root / now_kept).read_bytes() == b"former"
    assert not list(laid.root.rglob("obsnum*"))


def test_what_stands_at_a_new_path_stays_and_so_does_the_file(laid: Bench) -> None:
    name = next(laid.root.rglob("*.fits")).name
    link = next(laid.root.rglob("*.jpg")).name
    (laid.root / "09001" / name).write_text("mine")
    (laid.root / "09001" / link).symlink_to("/etc/hostname")
    before = laid.path(name).read_bytes()
    left = {placed.file.name: placed.left for placed in propose(laid).left}
    assert left.keys() == {name, link}
    assert "link" in str(left[link])
    relayout(laid)
    assert (laid.root / "09001" / name).read_text() == "mine"
    assert (laid.root / "09001" / link).is_symlink()
    assert laid.path(name).read_bytes() == before
    assert laid.path(name).parent.name.startswith("obsnum")


def test_what_appears_at_a_new_path_between_the_proposal_and_the_move_is_not_overwritten(laid: Bench) -> None:
    proposal = propose(laid)
    name = proposal.moves[0].file.name
    (laid.root / proposal.moves[0].to).write_text("mine")
    done = relocating.carry_out(laid.store, proposal, now=laid.clock)
    assert [placed.file.name for placed in done.refused] == [name]
    assert (laid.root / "09001" / name).read_text() == "mine"
    assert len(done.moved) == 11


def test_a_file_system_without_links_renames(laid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: object, target: object, **_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    before = laid.files()
    assert len(relayout(laid).moved) == 12
    assert by_name(laid.files()) == by_name(before)


def test_a_disk_that_is_not_there_moves_nothing(laid: Bench) -> None:
    laid.root.rename(laid.folder / "away")
    with pytest.raises(RootMissingError) as refused:
        propose(laid)
    assert "root move" in refused.value.hint
    laid.root.mkdir()
    (laid.root / ".jwstwatch-root").write_text('{"root": "another"}')
    with pytest.raises(RootMissingError):
        propose(laid)


def test_nothing_moves_while_a_run_goes_on(laid: Bench) -> None:
    proposal, before = propose(laid), laid.files()
    record = laid.store.runs.begin("another", Trigger.MANUAL, now=laid.clock)
    done = relocating.carry_out(laid.store, proposal, now=laid.clock)
    assert isinstance(done.failure, BusyError)
    assert laid.files() == before
    assert laid.ask("SELECT count(*) FROM relocation") == [(0,)]
    counts = laid.store.reports.of_run(record.id, "another")
    laid.store.runs.finish(record, Outcome.COMPLETE, counts=counts, error=None, now=laid.clock)
    assert len(relocating.carry_out(laid.store, proposal, now=laid.clock).moved) == 12


class _Killed(BaseException):
    """Stands for kill -9: nothing between it and the end of the process is carried out."""


@pytest.mark.parametrize("after", [7, 13, 15, 26])
def test_a_kill_at_any_moment_loses_nothing_and_the_next_run_settles_it(
    laid: Bench, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    before, calls = laid.files(), 0

    def counted(real: Any) -> Any:
        def call(*words: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == after:
                raise _Killed
            return real(*words, **more)

        return call

    with monkeypatch.context() as dying:
        dying.setattr(os, "link", counted(os.link))
        dying.setattr(Path, "unlink", counted(Path.unlink))
        dying.setattr("jwstwatch.sync.moving.sync_folder", counted(sync_folder))
        with pytest.raises(_Killed):
            relayout(laid)
    assert by_name(laid.files()) == by_name(before)
    record = laid.run()
    assert (record.counts.downloaded, record.counts.unchanged, laid.fetched) == (0, 12, [])
    assert by_name(laid.files()) == by_name(before)
    assert len(laid.files()) == 12, "no file is left under two names"
    assert laid.ask("SELECT count(*) FROM relocation") == [(0,)]
    relayout(laid)
    assert {str(Path(path).parent) for path in laid.files()} == {"09001"}


def test_a_move_that_was_killed_is_settled_by_what_lies_there(laid: Bench) -> None:
    first, second, third = (placed.move for placed in propose(laid).moves[:3])
    laid.store.relocations.open([first, second, third], now=laid.clock)
    before = laid.files()
    # One went by another's hand and has lost its time; at one's new path something else appeared.
    (laid.root / first.path).rename(laid.root / first.to)
    os.utime(laid.root / first.to, (1, 1))
    (laid.root / second.to).write_text("mine")
    settle(laid)
    assert laid.ask("SELECT path FROM file WHERE id = ?", first.file_id) == [(first.to,)]
    assert laid.ask("SELECT path FROM file WHERE id = ?", second.file_id) == [(second.path,)]
    assert laid.ask("SELECT path FROM file WHERE id = ?", third.file_id) == [(third.to,)]
    assert (laid.root / second.to).read_text() == "mine"
    assert (laid.root / second.path).read_bytes() == before[second.path]


def test_another_content_at_the_new_path_is_not_taken_for_the_file(laid: Bench) -> None:
    move = propose(laid).moves[0].move
    laid.store.relocations.open([move], now=laid.clock)
    content = (laid.root / move.path).read_bytes()
    (laid.root / move.path).unlink()
    (laid.root / move.to).write_bytes(bytes(len(content)))
    settle(laid)
    assert laid.ask("SELECT path FROM file WHERE id = ?", move.file_id) == [(move.path,)]
    laid.run()
    assert (laid.root / move.path).read_bytes() == content
    assert (laid.root / move.to).read_bytes() == bytes(len(content))


def test_files_that_are_yet_to_come_get_their_new_path(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "max_plan": "1 kB"}})
    assert bench.attempt().record.counts.downloaded == 0
    bench.configure({"watch": FLAT})
    done = relayout(bench)
    assert [placed.file.has_copy for placed in done.moved] == [False] * 12
    bench.run()
    assert {str(Path(path).parent) for path in bench.files()} == {"09001"}


def test_what_lies_unrecorded_at_a_wanted_path_is_looked_at_by_a_run_first(laid: Bench) -> None:
    move = propose(laid).moves[0].move
    _write(laid, "UPDATE file SET state = 'wanted', size = NULL, sha256 = NULL WHERE id = ?", move.file_id)
    assert [placed.left for placed in propose(laid).left] == [moving.UNRECORDED]
    relayout(laid)
    laid.run()
    assert laid.fetched == []
    relayout(laid)
    assert laid.ask("SELECT path, state FROM file WHERE id = ?", move.file_id) == [(move.to, "present")]


def test_another_file_at_its_path_and_another_file_system_leave_it_where_it_is(
    laid: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = propose(laid)
    changed, apart = proposal.moves[0], proposal.moves[1]
    (laid.root / changed.file.path).write_bytes(b"another")
    real = os.link

    def link(source: Any, target: Any, **more: Any) -> None:
        if Path(source).name == apart.file.name:
            raise OSError(errno.EXDEV, "another file system")
        real(source, target, **more)

    monkeypatch.setattr(os, "link", link)
    done = relocating.carry_out(laid.store, proposal, now=laid.clock)
    reasons = {placed.file.name: str(placed.left) for placed in done.refused}
    assert reasons.keys() == {changed.file.name, apart.file.name}
    assert "7 bytes instead of" in reasons[changed.file.name]
    assert "another file system" in reasons[apart.file.name]
    assert len(done.moved) == 10


def test_a_disk_that_refuses_ends_it_and_the_next_run_goes_on(
    laid: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.link, 0

    def link(source: Any, target: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(errno.ENOSPC, "full")
        real(source, target, **more)

    with monkeypatch.context() as full:
        full.setattr(os, "link", link)
        done = relayout(laid)
    assert isinstance(done.failure, StorageError)
    assert len(done.moved) == 5
    laid.run()
    assert laid.fetched == []
    assert {str(Path(path).parent) for path in laid.files()} == {"09001"}


def test_a_file_that_two_profiles_want_at_two_paths_stays(synced: Bench) -> None:
    synced.configure({"watch": FLAT, "other": {"propID": 9001, "filetypes": ["jpg"]}})
    before = synced.files()
    synced.configure({"watch": {"propID": 9001}, "other": {"propID": 9001, "filetypes": ["jpg"]}})
    synced.run("other")
    synced.configure({"watch": FLAT, "other": {"propID": 9001, "filetypes": ["jpg"]}})
    proposal = propose(synced, "watch")
    assert {placed.file.name.rpartition(".")[2] for placed in proposal.left} == {"jpg"}
    assert all("watch in 09001" in str(placed.left) for placed in proposal.left)
    relayout(synced)
    moved = {path for path in synced.files() if path.count("/") == 1}
    assert len(moved) == len(before) - len(proposal.left)
    # Once they agree, the rest follows.
    synced.configure({"watch": FLAT, "other": FLAT | {"filetypes": ["jpg"]}})
    relayout(synced)
    assert {path.count("/") for path in synced.files()} == {1}


def test_dropped_copies_stay_and_unselected_ones_are_nobodys_to_move(laid: Bench) -> None:
    name = next(laid.root.rglob("*.jpg")).name
    laid.store.drops.drop(laid.store.drops.choose([name]), now=laid.clock)
    (left,) = propose(laid).left
    assert left.file.name == name
    assert "dropped" in str(left.left)
    laid.configure({"watch": FLAT | {"filetypes": ["uncal"]}})
    laid.run()
    assert len(propose(laid).moves) == 4


def test_folders_that_hold_anything_else_and_links_stay(laid: Bench) -> None:
    folder = laid.root / "09001" / "obsnum01"
    (folder / "notes.txt").write_text("mine")
    aside = laid.folder / "aside"
    others = sorted(path for path in folder.parent.iterdir() if path != folder and path.is_dir())
    if others:
        others[0].rename(aside)
        others[0].symlink_to(aside)
    relayout(laid)
    assert (folder / "notes.txt").read_text() == "mine"
    if others:
        assert others[0].is_symlink()
        assert aside.is_dir()


def test_a_folder_that_a_link_leads_back_to_loses_no_file(laid: Bench) -> None:
    """Both paths are one place on disk then: only the state changes."""
    folder = laid.root / "09001" / "obsnum01"
    for path in list(folder.iterdir()):
        path.rename(folder.parent / path.name)
    folder.rmdir()
    folder.symlink_to(".")
    before = by_name(laid.files())
    picture = next(name for name in before if name.endswith(".jpg"))
    (folder / picture.replace(".jpg", ".TN.jpg")).write_bytes(b"small")
    # Seen from the state each stands at its new path already, which is no stranger's.
    relayout(laid)
    assert (folder / picture.replace(".jpg", ".TN.jpg")).read_bytes() == b"small"
    for name, content in before.items():
        assert (laid.root / "09001" / name).read_bytes() == content
    assert {path.count("/") for (path,) in laid.ask("SELECT path FROM file")} == {1}
    laid.run()
    assert laid.fetched == []


def test_copies_in_a_former_output_folder_are_told_and_not_touched(synced: Bench) -> None:
    synced.configure({"watch": FLAT | {"outsubdir": "new"}})
    proposal = propose(synced)
    assert (proposal.moves, proposal.left) == ((), ())
    (other,) = proposal.elsewhere
    assert (other.root, other.now, other.files) == (synced.root, synced.root / "new", 12)


@pytest.mark.parametrize("step", ["to give it its new name", "to take its old name"])
def test_a_file_that_this_user_may_not_move_costs_only_itself(
    laid: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    name = next(laid.root.rglob("*.fits")).name
    before = laid.files()
    link, unlink = os.link, Path.unlink

    def may_not_link(source: Path, target: Path, **options: Any) -> None:
        if source.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        link(source, target, **options)

    def may_not_unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == name and path.parent.name.startswith("obsnum"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, missing_ok=missing_ok)

    if step == "to give it its new name":
        monkeypatch.setattr(os, "link", may_not_link)
    else:
        monkeypatch.setattr(Path, "unlink", may_not_unlink)
    done = relayout(laid)
    assert (len(done.moved), done.failure) == (11, None)
    assert [(each.file.name, each.left) for each in done.refused] == [(name, moving.DENIED)]
    assert by_name(laid.files()) == by_name(before)
    assert len(laid.files()) == 12, "by one name each"
    assert laid.ask("SELECT count(*) FROM relocation") == [(0,)]
    laid.run()
    assert laid.fetched == []


def test_a_copy_is_not_given_up_for_one_that_is_yet_to_come(laid: Bench) -> None:
    name = next(laid.root.rglob("*.fits")).name
    _write(
        laid,
        "INSERT INTO file (root_id, path, product_id, state, changed_at) "
        "SELECT root_id, '09001/' || name, product_id, 'gone', file.changed_at "
        "FROM file JOIN product ON product.id = product_id WHERE name = ?",
        name,
    )
    _write(laid, "UPDATE file SET state = 'gone' WHERE path LIKE ?", f"%{name}")
    proposal = propose(laid)
    assert [each.file.name for each in proposal.left] == [name]
    done = relocating.carry_out(laid.store, proposal, now=laid.clock)
    assert (len(done.moved), done.joined) == (11, [])
    query = "SELECT size IS NOT NULL FROM want JOIN file ON file.id = file_id WHERE path LIKE ?"
    assert laid.ask(query, f"%{name}") == [(1,)]


def _write(bench: Bench, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(bench.folder / "state.db")) as connection, connection:
        connection.execute(statement, values)
