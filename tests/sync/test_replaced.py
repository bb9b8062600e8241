"""`keep_replaced`: the older copy is kept before the newer revision takes its place, or nothing happens."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.store.histories import Histories
from jwstwatch.store.transfers import Transfers
from jwstwatch.sync import publishing, replacing
from jwstwatch.sync.rehousing import accept, find
from jwstwatch.sync.removing import Removal
from jwstwatch.sync.replacing import Replacing
from jwstwatch.transfer import aside, copying, placing
from tests.sync.bench import Bench
from tests.sync.test_intents import Death, die_in_run, open_intents
from tests.sync.test_verifying import check, flip

NAME = "jw09001001001_02101_00001_nrca1_rate.fits"
PICTURE = NAME.replace(".fits", ".jpg")


def keeping(bench: Bench, number: int, **others: int) -> None:
    """Let the profile keep so many, and let others want the same files."""
    profiles = {"watch": {"propID": 9001, "keep_replaced": number}}
    profiles |= {name: {"propID": 9001, "keep_replaced": wish} for name, wish in others.items()}
    bench.configure(profiles)


def reprocess(bench: Bench, *, name: str = NAME, **options: Any) -> bytes:
    """Let the archive have another content; returns what stood at the path so far."""
    bench.later(days=8)
    product = bench.server.catalogue.product(name)
    before = bench.path(name).read_bytes()
    number = product.revision + 1
    bench.server.catalogue.reprocess(product.uri, now=bench.clock, version=f"1.{number}.0", **options)
    return before


def archived(bench: Bench) -> bytes:
    return bench.server.catalogue.read(bench.server.catalogue.product(NAME).uri).content


def kept(bench: Bench) -> dict[str, bytes]:
    """What lies under .replaced/, by the revision's folder."""
    return {
        Path(path).parent.name: content
        for path, content in bench.files().items()
        if path.startswith(f"{aside.FOLDER}/")
    }


def rows(bench: Bench) -> list[tuple[Any, ...]]:
    """What the state has of replaced copies: revision, whether it is kept."""
    query = "SELECT revision, kept_as IS NOT NULL FROM replaced ORDER BY revision"
    return [(revision, bool(is_kept)) for revision, is_kept in bench.ask(query)]


def assert_current(bench: Bench) -> None:
    assert bench.path(NAME).read_bytes() == archived(bench)
    assert bench.states()[NAME] is FileState.PRESENT
    assert open_intents(bench) == 0
    assert not list(bench.root.rglob("*.part*"))


def test_the_newest_replaced_copies_stay_and_every_replacement_is_remembered(synced: Bench) -> None:
    keeping(synced, 0, archive=2)  # the profile that wishes most decides, where it wants the file
    synced.run("archive")
    contents = []
    for _ in range(3):
        contents.append(reprocess(synced))
        synced.run()
    assert kept(synced) == {"r2": contents[1], "r3": contents[2]}
    assert not (synced.root / ".replaced" / "09001" / "obsnum01" / "r1").exists()
    assert rows(synced) == [(1, False), (2, True), (3, True)]
    assert_current(synced)
    keeping(synced, 1, archive=0)
    contents.append(reprocess(synced))
    synced.run()
    assert kept(synced) == {"r4": contents[3]}
    keeping(synced, 0, archive=0)
    reprocess(synced)
    synced.run()
    assert kept(synced) == {}
    assert rows(synced) == [(number, False) for number in range(1, 6)]
    ((size, sha256, new_size),) = synced.ask("SELECT size, sha256, new_size FROM replaced WHERE revision = 4")
    assert (size, new_size) == (len(contents[3]), len(archived(synced)))
    assert len(sha256) == 64
    assert_current(synced)


def test_one_former_picture_is_kept_where_pages_compare_it_and_no_former_data(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "publish", lambda *_: 0)
    profiles: dict[str, dict[str, Any]] = {
        "watch": {"propID": 9001},
        "pages": {"propID": 9001, "enabled": True},
    }
    bench.configure(profiles)
    for name in profiles:
        bench.run(name)
    profiles["pages"]["makewebpages"] = True
    bench.configure(profiles)
    former = []
    for _ in range(2):
        former.append(bench.path(PICTURE).read_bytes())
        reprocess(bench)
        reprocess(bench, name=PICTURE)
        bench.run()
    places = [path for path in bench.files() if path.startswith(f"{aside.FOLDER}/")]
    assert [Path(path).name for path in places] == [PICTURE]
    assert kept(bench) == {"r2": former[1]}
    profiles["pages"]["makewebpages"] = False
    bench.configure(profiles)
    reprocess(bench, name=PICTURE)
    bench.run()
    assert kept(bench) == {}


def test_a_copy_that_was_changed_or_is_known_to_be_damaged_is_no_former_revision(synced: Bench) -> None:
    keeping(synced, 3)
    reprocess(synced)
    content = synced.path(NAME).read_bytes()
    synced.path(NAME).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    synced.run()
    assert kept(synced) == {}
    assert rows(synced) == [(1, False)]
    assert_current(synced)


@pytest.mark.parametrize("is_sound", [True, False], ids=["away for a while", "damaged"])
def test_what_was_found_wrong_with_a_copy_counts_only_while_its_bytes_say_so(
    synced: Bench, is_sound: bool
) -> None:
    keeping(synced, 1)
    old = reprocess(synced)
    path = synced.path(NAME)
    away = path.with_name("away")
    if is_sound:
        path.rename(away)
    else:
        flip(path)
    assert [bad.path for bad in check(synced, deep=True).bad] == [path]
    if is_sound:
        away.rename(path)
    synced.run()
    assert kept(synced) == ({"r1": old} if is_sound else {})
    assert_current(synced)


def test_what_a_profile_of_another_configuration_wished_to_keep_is_not_removed(synced: Bench) -> None:
    keeping(synced, 0, archive=1)
    synced.run("archive")
    first = reprocess(synced)
    synced.run()
    assert kept(synced) == {"r1": first}
    keeping(synced, 0)  # as with another file of profiles, or none, and the same state
    second = reprocess(synced)
    synced.run()
    assert kept(synced) == {"r2": second}, "as many as there were"
    assert_current(synced)


def test_what_another_configuration_wished_to_keep_outlives_a_death(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Death

    keeping(synced, 0, archive=1)
    synced.run("archive")
    reprocess(synced)
    synced.run()
    keeping(synced, 0)
    second = reprocess(synced)
    monkeypatch.setattr(Transfers, "record_placed", die)
    die_in_run(synced, monkeypatch)
    synced.run()
    assert kept(synced) == {"r2": second}, "as many as there were"
    assert_current(synced)


def test_a_folder_of_kept_copies_that_may_not_be_written_holds_up_nothing_else(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    keeping(synced, 1)
    old = reprocess(synced)
    lost = next(path for path in synced.root.rglob("*.jpg"))
    lost.unlink()
    monkeypatch.setattr(aside, "_make_folders", refuse)
    result = synced.attempt()
    assert (result.record.error_kind, result.record.counts.failed) == (None, 1)
    assert aside.FOLDER in synced.heard.failures[NAME]
    assert synced.path(NAME).read_bytes() == old
    assert lost.exists()
    monkeypatch.undo()
    synced.later(hours=1)
    synced.run()
    assert kept(synced) == {"r1": old}
    assert_current(synced)


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV])
def test_where_no_second_name_is_to_be_had_a_verified_copy_is_kept(
    synced: Bench, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(refusal, os.strerror(refusal))

    keeping(synced, 1)
    old = reprocess(synced)
    before = synced.path(NAME).stat()
    monkeypatch.setattr(os, "link", refuse)
    synced.run()
    assert kept(synced) == {"r1": old}
    copy = next((synced.root / aside.FOLDER).rglob("jw*"))
    assert (copy.stat().st_mtime_ns, copy.stat().st_mode) == (before.st_mtime_ns, before.st_mode)
    assert_current(synced)


@pytest.mark.parametrize("step", ["link", "copy"])
def test_a_disk_that_has_no_room_for_the_old_copy_keeps_it_in_its_place(
    synced: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV if step == "copy" else errno.ENOSPC, "no")

    def be_full(source: Path, part: Path) -> tuple[int, str]:
        part.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    keeping(synced, 1)
    old = reprocess(synced)
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(copying, "copy_bytes", be_full)
    for _ in range(2):  # in the run, and where the next one settles it
        result = synced.attempt()
        assert result.record.error_kind == "storage"
        assert synced.path(NAME).read_bytes() == old
        assert synced.states()[NAME] is FileState.STALE
        assert kept(synced) == {}
    monkeypatch.undo()
    synced.run()
    assert synced.fetched == []
    assert kept(synced) == {"r1": old}
    assert_current(synced)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (aside, "_make_folders"),
        (placing, "sync_folders"),
        (placing, "place"),
        (placing, "note_of"),
        (replacing, "thin"),
        (Histories, "forget_kept"),
        (Transfers, "record_placed"),
        (Replacing, "thin"),
    ],
    ids=[
        "nothing kept",
        "linked",
        "linked and synced",
        "renamed",
        "renamed and synced",
        "the oldest removed",
        "the oldest forgotten",
        "committed",
    ],
)
def test_a_death_between_any_two_steps_loses_neither_revision(
    synced: Bench, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Death

    keeping(synced, 1)
    reprocess(synced)
    synced.run()
    second = reprocess(synced)
    new = archived(synced)
    monkeypatch.setattr(owner, name, die)
    die_in_run(synced, monkeypatch)
    contents = [synced.path(NAME).read_bytes(), *kept(synced).values()]
    assert second in contents
    assert contents[0] in (second, new)
    assert (contents[0] == second) == (name in ("_make_folders", "place", "sync_folders"))
    synced.run()
    assert synced.fetched == []
    assert kept(synced) == {"r2": second}
    assert rows(synced) == [(1, False), (2, True)]
    assert_current(synced)


def test_what_a_death_kept_goes_where_nothing_is_to_be_kept_any_more(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Death

    keeping(synced, 1)
    reprocess(synced)
    monkeypatch.setattr(placing, "place", die)
    die_in_run(synced, monkeypatch)
    assert list(kept(synced)) == ["r1"]
    keeping(synced, 0)
    synced.run()
    assert kept(synced) == {}
    assert rows(synced) == [(1, False)]
    assert_current(synced)


def test_a_link_in_the_way_is_left_alone_and_the_old_copy_stays(synced: Bench, tmp_path: Path) -> None:
    keeping(synced, 1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (synced.root / aside.FOLDER).symlink_to(elsewhere)
    old = reprocess(synced)
    assert synced.attempt().record.counts.failed == 1
    assert "link" in synced.heard.failures[NAME]
    assert synced.path(NAME).read_bytes() == old
    assert list(elsewhere.iterdir()) == []
    synced.later(minutes=1)
    synced.attempt()
    assert synced.fetched == [], "it is not fetched in vain at every run"
    (synced.root / aside.FOLDER).unlink()
    synced.later(hours=1)
    synced.run()
    assert kept(synced) == {"r1": old}


def test_what_lies_where_a_copy_is_to_be_kept_is_not_overwritten(synced: Bench) -> None:
    keeping(synced, 1)
    folder = synced.root / aside.FOLDER / "09001" / "obsnum01" / "r1"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"of a state that was lost")
    old = reprocess(synced)
    synced.run()
    assert kept(synced) == {"r1": b"of a state that was lost", "r1-2": old}


def test_what_was_kept_on_a_disk_that_is_accepted_empty_is_missed_no_more(synced: Bench) -> None:
    keeping(synced, 2)
    for _ in range(2):
        reprocess(synced)
        synced.run()
    (lost,) = synced.root.glob(".replaced/**/r1/*.fits")
    lost.unlink()
    accept(synced.store, find(synced.store, synced.root), profiles=["watch"], now=synced.clock)
    assert (rows(synced), list(kept(synced))) == ([(1, False), (2, True)], ["r2"])
    assert check(synced).bad == ()


def test_what_is_kept_goes_with_a_file_that_is_removed_and_stays_where_that_is_left(synced: Bench) -> None:
    keeping(synced, 2)
    for _ in range(2):
        reprocess(synced)
        synced.run()
    (choice,) = synced.store.drops.choose([NAME])
    copies = synced.store.histories.kept([choice.file_id])
    path = synced.path(NAME)
    content = path.read_bytes()
    path.write_bytes(b"mine")
    assert Removal(copies)([choice]) == []
    assert list(kept(synced)) == ["r1", "r2"]
    path.write_bytes(content)
    assert Removal(copies)([choice]) == [choice.file_id]
    assert (kept(synced), path.exists()) == ({}, False)
