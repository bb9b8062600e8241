"""What the state keeps of verifications, in both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from jwstwatch.core.model import FileState
from jwstwatch.store import tables, verifications
from jwstwatch.store.inventory import Kept
from jwstwatch.store.store import Store
from jwstwatch.store.verifications import Believed, Scope
from tests.store.desk import DAY, HOUR, JPG, NOW, PROFILE, RATE, Desk, digest, file_names

ALL = Scope()


def copies(store: Store, desk: Desk, scope: Scope = ALL) -> list[Believed]:
    return [copy for lot in store.verifications.copies(scope, desk.root.id) for copy in lot]


@pytest.fixture
def fetched(desk: Desk) -> Desk:
    """Three copies of one proposal."""
    desk.fetch(*file_names(3))
    return desk


def test_a_verification_goes_on_until_it_is_finished(store: Store, fetched: Desk) -> None:
    verifications = store.verifications
    begun = verifications.begin(ALL, restart=False, now=NOW)
    assert (begun.started_at, begun.stopped_at) == (NOW, None)
    first, second, _ = copies(store, fetched)
    verifications.note([(first, None), (second, "missing")], now=NOW + HOUR)
    again = verifications.begin(ALL, restart=False, now=NOW + DAY)
    assert (again.started_at, again.stopped_at) == (NOW, NOW + HOUR)
    left = [
        copy.path
        for lot in verifications.copies(ALL, fetched.root.id, unread_since=again.started_at)
        for copy in lot
    ]
    assert len(left) == 1
    (tally,) = verifications.tallies(ALL, since=again.started_at).values()
    assert (tally.files, tally.done_files, tally.size, tally.done_size) == (3, 2, 3000, 2000)
    assert [copy.damage for copy in verifications.damaged(ALL, since=NOW)] == ["missing"]
    assert verifications.begin(Scope(profiles=(PROFILE,)), restart=False, now=NOW + DAY).stopped_at is None
    verifications.finish(ALL, now=NOW + DAY)
    assert verifications.begin(ALL, restart=False, now=NOW + 2 * DAY).started_at == NOW + 2 * DAY


@pytest.mark.parametrize(("lot", "piece"), [(5000, 5000), (2, 5000), (1, 2)])
def test_copies_come_by_folder_and_a_large_one_in_pieces(
    store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch, lot: int, piece: int
) -> None:
    for folder in ("a", "a/b", "a/c", "a-b", "z"):
        for name in file_names(3, suffix=f"{folder.replace('/', '').replace('-', '')}.fits"):
            desk.want(name, folder=folder)
    marred = f"a/b/{file_names(3, suffix='ab.fits')[1]}"
    there = {"state": "present", "size": 7, "sha256": digest("x"), "revision": 1}
    with store.database.write() as connection:
        connection.execute(update(tables.file).values(there))
        connection.execute(update(tables.file).where(tables.file.c.path == marred).values(damage="missing"))
    monkeypatch.setattr(verifications, "LOT", lot)
    monkeypatch.setattr(verifications, "_PIECE", piece)
    found = list(store.verifications.folders(ALL, desk.root.id))
    assert sorted(f"{each.folder}/{name}" for each in found for name in each.sizes) == sorted(
        copy.path for copy in copies(store, desk)
    )
    assert {size for each in found for size in each.sizes.values()} == {7}
    assert [path for each in found for path in each.noted] == [marred]
    assert [copy.path for copy in store.verifications.at(desk.root.id, [marred, "a/none"])] == [marred]
    if piece > 3:
        assert len(found) == 5


def test_what_was_read_before_never_counts_for_a_new_verification_whatever_the_clock_says(
    store: Store, fetched: Desk
) -> None:
    store.verifications.note([(copy, None) for copy in copies(store, fetched)], now=NOW)
    begun = store.verifications.begin(ALL, restart=True, now=NOW - DAY)
    assert begun.started_at > NOW
    assert store.verifications.tallies(ALL, since=begun.started_at)[fetched.root.id].done_files == 0


def test_the_scope_is_of_profiles_and_of_proposals(store: Store, fetched: Desk) -> None:
    assert len(copies(store, fetched, Scope(profiles=(PROFILE,)))) == 3
    assert copies(store, fetched, Scope(profiles=("other",))) == []
    assert len(copies(store, fetched, Scope(proposals={1345: ()}))) == 3
    assert len(copies(store, fetched, Scope(proposals={1345: (1, 7)}))) == 3
    assert copies(store, fetched, Scope(proposals={1345: (7,), 2: ()})) == []
    long = Scope(profiles=tuple(f"profile-{number}" for number in range(99)))
    assert len(long.key) <= 200
    keys = {ALL.key, Scope(proposals={1: ()}).key, Scope(proposals={1: (2,)}).key, long.key}
    assert len(keys) == 4
    store.verifications.begin(long, restart=False, now=NOW)


def test_a_copy_that_was_replaced_or_dropped_since_it_was_read_keeps_its_own_record(
    store: Store, fetched: Desk
) -> None:
    first, second, third = copies(store, fetched)
    fetched.set_file([first.file_id], sha256=digest("another"))
    fetched.set_file([second.file_id], declined=True)
    read = [(first, "missing"), (second, "missing"), (third, None)]
    store.verifications.note(read, now=NOW)
    assert [fetched.row_of(copy.file_id).damage for copy in (first, second, third)] == [None] * 3
    checked = [fetched.row_of(copy.file_id).checked_at for copy in (first, second, third)]
    assert checked == [None, None, NOW]
    assert store.verifications.condemn([(first, "bad"), (second, "bad")], now=NOW) == []
    assert len(copies(store, fetched)) == 2


def test_a_condemned_copy_is_claimed_again_and_its_arrival_clears_it(store: Store, fetched: Desk) -> None:
    first, *_ = copies(store, fetched)
    assert store.verifications.condemn([(first, "bad")], now=NOW) == [first.file_id]
    row = fetched.row_of(first.file_id)
    assert (row.state, row.reason, row.revision, row.damage) == ("stale", "bad", None, "bad")
    again = fetched.next_run()
    (claim,) = again.claim()
    assert (claim.file_id, claim.replaces) == (first.file_id, True)
    again.place(claim)
    row = fetched.row_of(first.file_id)
    assert (row.state, row.reason, row.revision) == ("present", None, 1)
    assert (row.damage, row.checked_at) == (None, None)


def test_a_gone_copy_is_noted_and_not_condemned(store: Store, fetched: Desk) -> None:
    first, *_ = copies(store, fetched)
    fetched.set_file([first.file_id], state=FileState.GONE.value)
    store.verifications.note([(first, "bad")], now=NOW)
    assert store.verifications.condemn([(first, "bad")], now=NOW) == []
    row = fetched.row_of(first.file_id)
    assert (row.state, row.revision, row.damage) == ("gone", 1, "bad")


def test_damage_is_told_once_in_the_history(store: Store, fetched: Desk) -> None:
    first, *_ = copies(store, fetched)
    name = first.path.rpartition("/")[2]
    for day in range(3):
        (now, *_) = copies(store, fetched)
        store.verifications.note([(now, "bad")], now=NOW + day * DAY)
    assert fetched.kinds(name).count("damaged") == 1


def test_what_is_known_on_disk(store: Store, desk: Desk) -> None:
    ids = desk.fetch(RATE)
    desk.want(JPG)
    (copy,) = copies(store, desk)
    kept = {"file_id": ids[RATE], "revision": 1, "size": 7, "sha256": digest("old"), "new_size": 9}
    with store.database.write() as connection:
        connection.execute(
            tables.replaced.insert().values(kept_as=".replaced/r1/x.fits", replaced_at=NOW, **kept)
        )
    inventory, root = store.inventory, desk.root.id
    odd = "surrogate\udcff.fits"
    asked = [copy.path, ".replaced/r1/x.fits", "other.fits", odd]
    assert inventory.known_paths(root, asked) == {copy.path, ".replaced/r1/x.fits"}
    assert inventory.known_paths(root + 1, asked) == set()
    assert inventory.places_of([RATE, odd]) == [(desk.root.path, copy.path)]
    assert inventory.expected(root, [copy.path, f"01345/{JPG}", odd]) == {f"01345/{JPG}": 1}
    (found,) = inventory.kept(ALL, root)
    expected = Kept(file_id=ids[RATE], revision=1, path=".replaced/r1/x.fits", size=7, sha256=digest("old"))
    assert found == expected
    assert inventory.kept(Scope(profiles=("other",)), root) == []
    inventory.forget_kept([replace(found, path="elsewhere")])
    assert inventory.kept(ALL, root) == [found]
    inventory.forget_kept([found])
    assert inventory.kept(ALL, root) == []


def test_a_second_look_tells_what_is_about_to_happen(store: Store, fetched: Desk) -> None:
    first, second, third = copies(store, fetched)
    fetched.set_file([first.file_id], state=FileState.WANTED.value)
    with store.database.write() as connection:
        connection.execute(
            tables.relocation.insert().values(file_id=second.file_id, path="new/place", created_at=NOW)
        )
    again = fetched.next_run()
    store.verifications.condemn([(third, "bad")], now=NOW)
    (claim,) = [claim for claim in again.claim() if claim.file_id == third.file_id]
    again.intend(claim, size=5, content="new")
    found = store.verifications.look_again([first.file_id, second.file_id, third.file_id])
    assert set(found) == {second.file_id, third.file_id}
    assert found[second.file_id].moving_to == "new/place"
    assert found[third.file_id].placing == (5, digest("new"))
    assert found[third.file_id].copy.is_same_copy(third)


def test_sums_are_in_the_order_of_bytes_and_of_sound_copies_only(store: Store, desk: Desk) -> None:
    names = [*file_names(4), "JW-upper.fits", "jw_under.fits"]
    ids = desk.fetch(*names)
    bad, unhashed, gone = list(ids.values())[:3]
    desk.set_file([bad], damage="bad")
    desk.set_file([unhashed], sha256="")
    desk.set_file([gone], state=FileState.GONE.value)
    found = [path for path, _ in store.inventory.sums(desk.root.id)]
    assert found == sorted(found, key=str.encode)
    assert len(found) == 4
    assert store.verifications.wanting([bad]) == {bad: [PROFILE]}
