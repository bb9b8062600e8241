"""Output folders as objects of their own, and the copies that the state believes to lie in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import Action, DiskKind, OnDisk
from jwstwatch.errors import UsageError
from jwstwatch.store import roots, tables
from jwstwatch.store.plans import Adopted
from jwstwatch.store.roots import LOT, Loss
from jwstwatch.store.store import Store
from tests.store.desk import DAY, JPG, NOW, OTHER, PROFILE, RATE, Desk, digest, file_names, row

A, B = "a" * 36, "b" * 36


def losses(desk: Desk, *names: str, reason: str = "missing on disk") -> list[Loss]:
    return [
        Loss(file_id=desk.file_id(f"01345/{name}"), product_id=desk.product_id(name), reason=reason)
        for name in names
    ]


def copies(desk: Desk, profile: str | None = None) -> list[str]:
    return [copy.path for batch in desk.store.roots.copies(desk.root.id, profile=profile) for copy in batch]


def test_a_root_is_made_known_once_and_keeps_its_identity(store: Store) -> None:
    first = store.roots.add(Path("/data"), identity=A, now=NOW)
    assert (first.path, first.uuid, first.files) == (Path("/data"), A, 0)
    assert store.roots.add(Path("/data"), identity=B, now=NOW + DAY) == first
    second = store.roots.add(Path("/data/deeper"), now=NOW)
    assert len(second.uuid) == 36
    assert store.roots.all() == [first, second]
    assert store.roots.get(Path("/data")) == first
    assert store.roots.get(Path("/elsewhere")) is None


def test_a_root_that_moved_is_the_same_root(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.want(JPG)
    before = desk.root
    desk.store.roots.move(before.id, Path("/new/place"))
    assert desk.store.roots.all() == [replace(before, path=Path("/new/place"), files=1)]
    assert desk.store.roots.get(before.path) is None
    (claim,) = desk.claim()
    assert claim.root == Path("/new/place")
    assert desk.file().path == Path("/new/place") / "01345" / RATE


def test_two_roots_cannot_be_at_one_path(store: Store) -> None:
    first = store.roots.add(Path("/data"), now=NOW)
    store.roots.add(Path("/new"), now=NOW)
    with pytest.raises(UsageError, match="/new"):
        store.roots.move(first.id, Path("/new"))
    assert {root.path for root in store.roots.all()} == {Path("/data"), Path("/new")}
    store.roots.move(first.id, Path("/data"))


def test_another_marker_can_be_accepted(store: Store) -> None:
    root = store.roots.add(Path("/data"), identity=A, now=NOW)
    store.roots.set_identity(root.id, B)
    assert store.roots.get(Path("/data")) == replace(root, uuid=B)


def test_the_copies_of_a_root_are_those_that_may_be_on_disk(desk: Desk) -> None:
    names = file_names(6)
    ids = desk.fetch(*names)
    for name, state in zip(names[1:5], ("stale", "gone", "wanted", "failed"), strict=True):
        desk.set_file([ids[name]], state=state)
    desk.set_file([ids[names[5]]], declined=True)
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    elsewhere.fetch(names[0])
    assert copies(desk) == [f"01345/{name}" for name in names[:3]]
    assert desk.store.roots.get(desk.root.path) == replace(desk.root, files=4)
    (batch,) = desk.store.roots.copies(desk.root.id)
    first = batch[0]
    assert (first.file_id, first.product_id, first.size) == (
        ids[names[0]],
        desk.product_id(names[0]),
        1000,
    )


def test_the_copies_of_a_profile_are_its_own(desk: Desk) -> None:
    mine, theirs = file_names(2)
    desk.fetch(mine)
    other = desk.of(OTHER)
    other.fetch(theirs)
    assert copies(desk, OTHER) == [f"01345/{theirs}"]
    assert copies(desk) == [f"01345/{mine}", f"01345/{theirs}"]


def test_thousands_of_copies_come_in_several_lots_each_of_them_once(desk: Desk) -> None:
    # Names whose order is another one for a dictionary than for a computer.
    names = [
        f"{letter}{number:04d}{dash}x.fits" for number in range(1400) for letter in "aB" for dash in "_-"
    ]
    copy = {"root_id": desk.root.id, "product_id": desk.list(row())[RATE].id, "changed_at": NOW}
    with desk.store.database.write() as connection:
        connection.execute(
            tables.file.insert(),
            [copy | {"path": f"01345/{name}", "state": "present", "size": 1} for name in names],
        )
    desk.set_file((entry.id for entry in desk.rows(tables.file)[:1]), state="wanted")
    lots = list(desk.store.roots.copies(desk.root.id))
    assert len(lots) == 2
    assert max(map(len, lots)) <= LOT
    found = [copy.path for lot in lots for copy in lot]
    assert len(found) == len(set(found)) == len(names) - 1


def test_a_copy_that_the_disk_does_not_confirm_is_wanted_again(desk: Desk) -> None:
    names = file_names(3)
    ids = desk.fetch(*names)
    desk.list(row(names[1], size=2000))
    page = desk.store.sites.pages(desk.root.id)[1345][0]
    run = desk.next_run().later(DAY)
    run.store.roots.record_losses(run.run.id, losses(desk, *names[:2], reason="missing on disk"), now=run.now)
    assert desk.states() == {
        names[0]: FileState.WANTED,
        names[1]: FileState.WANTED,
        names[2]: FileState.PRESENT,
    }
    entry = desk.row_of(ids[names[0]])
    assert (entry.reason, entry.changed_at) == ("missing on disk", NOW + DAY)
    assert (entry.revision, entry.size, entry.sha256, entry.modified_ns) == (None, None, None, None)
    assert desk.kinds(names[0]) == ["wanted", "fetched", "lost"]
    assert desk.store.sites.pages(desk.root.id)[1345][0].changes > page.changes
    assert [(claim.name, claim.replaces) for claim in run.claim()] == [(names[0], False), (names[1], False)]


def test_a_copy_of_what_the_archive_lists_no_longer_cannot_come_back_and_is_noted_once(desk: Desk) -> None:
    ids = desk.fetch(RATE)
    desk.set_file(ids.values(), state="gone")
    verified = desk.row_of(ids[RATE]).sha256
    run = desk.next_run()
    run.store.roots.record_losses(run.run.id, losses(desk, RATE), now=NOW + DAY)
    assert desk.states() == {RATE: FileState.GONE}
    assert desk.file().reason == "missing on disk"
    entry = desk.row_of(ids[RATE])
    assert (entry.size, entry.sha256) == (None, verified)
    assert run.claim() == []
    assert desk.kinds() == ["wanted", "fetched", "lost"]
    # The next look does not find it missing again and again.
    assert copies(desk) == []
    assert desk.store.roots.all()[0].files == 0
    # It may come back with its disk.
    (lost,) = desk.store.roots.lost_for_good(desk.root.id, profile=PROFILE)
    desk.store.roots.record_found(None, [replace(lost, size=1000, modified_ns=1)], now=NOW + DAY)
    assert copies(desk) == [lost.path]
    assert desk.store.roots.lost_for_good(desk.root.id, profile=PROFILE) == []
    assert desk.kinds()[-1] == "found"


def test_no_losses_are_nothing_to_record(desk: Desk) -> None:
    desk.fetch(RATE)
    pages, events = desk.store.sites.pages(desk.root.id), len(desk.rows(tables.event))
    desk.store.roots.record_losses(desk.run.id, [], now=NOW)
    assert (desk.store.sites.pages(desk.root.id), len(desk.rows(tables.event))) == (pages, events)


def test_what_is_missing_in_an_accepted_folder_is_wanted_again(desk: Desk) -> None:
    names = file_names(4)
    desk.fetch(*names)
    gone = [name for name in names if name != names[1]]
    assert desk.store.roots.record_losses(None, losses(desk, *gone), now=NOW + DAY) == 3
    states = desk.states()
    assert [name for name in names if states[name] is FileState.PRESENT] == [names[1]]
    assert desk.kinds(names[0])[-1] == "lost"
    assert desk.store.roots.record_losses(None, losses(desk, *gone), now=NOW + DAY) == 0
    assert len(desk.next_run().claim()) == 3


def test_many_losses_are_recorded_some_at_a_time_so_that_others_can_write_in_between(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = file_names(5)
    desk.fetch(*names)
    monkeypatch.setattr(roots, "_AT_ONCE", 2)
    ended: list[object] = []

    def note(connection: object) -> None:
        ended.append(connection)

    event.listen(desk.store.database.engine, "commit", note)
    try:
        assert desk.store.roots.record_losses(None, losses(desk, *names), now=NOW + DAY) == 5
    finally:
        event.remove(desk.store.database.engine, "commit", note)
    assert len(ended) == 3
    assert set(desk.states().values()) == {FileState.WANTED}


def test_a_lost_file_that_stands_there_again_is_adopted_rather_than_fetched(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.store.roots.record_losses(desk.run.id, losses(desk, RATE), now=NOW)
    found = Adopted(size=1000, sha256=digest("content"), modified_ns=1, revision=1)
    decision = desk.replan(on_disk=OnDisk(DiskKind.FILE, 1000), adopted=found)
    assert decision.action is Action.ADOPT
    assert desk.states() == {RATE: FileState.PRESENT}


def test_a_copy_that_was_replaced_since_it_was_looked_for_is_not_lost(desk: Desk) -> None:
    names = file_names(2)
    desk.fetch(*names)
    (batch,) = desk.store.roots.copies(desk.root.id)
    # Another run puts a new revision there between the look at the disk and its record.
    (claimed,) = [copy for copy in batch if copy.path.endswith(names[0])]
    desk.set_file([claimed.file_id], size=2000, sha256=digest("newer"), modified_ns=7)
    lost = desk.store.roots.record_losses(
        desk.run.id, [Loss.of(copy, "1000 of 2000 bytes on disk") for copy in batch], now=NOW
    )
    assert lost == 1
    assert desk.states() == {names[0]: FileState.PRESENT, names[1]: FileState.WANTED}
    assert desk.kinds(names[0])[-1] == "fetched"
    assert desk.kinds(names[1])[-1] == "lost"


def test_what_is_no_longer_taken_to_be_there_cannot_be_lost(desk: Desk) -> None:
    desk.want(RATE)
    assert desk.store.roots.record_losses(desk.run.id, losses(desk, RATE), now=NOW) == 0
    assert desk.file().reason == "new"
    assert desk.kinds() == ["wanted"]


def test_a_dropped_copy_is_neither_looked_for_nor_lost(desk: Desk) -> None:
    names = file_names(2)
    ids = desk.fetch(*names)
    desk.set_file([ids[names[0]]], declined=True)
    assert copies(desk) == [f"01345/{names[1]}"]
    assert desk.store.roots.record_losses(desk.run.id, losses(desk, names[0]), now=NOW) == 0
    assert desk.states()[names[0]] is FileState.PRESENT
    # It keeps its root known for one that holds files all the same.
    (root,) = desk.store.roots.all()
    assert root.files == 2
