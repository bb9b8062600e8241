"""Room: what a plan takes, what runs have reserved of a disk, and which files wait for some."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.space import Limit, waits_for_quota, waits_for_space
from jwstwatch.store import tables
from jwstwatch.store.reservations import Due, Lot, Room, Waiting
from jwstwatch.store.runs import Counts
from tests.store.desk import JPG, NOW, OTHER, PROFILE, RATE, Desk, file_names, row

UNCAL = "jw01345001001_02101_00001_nrca1_uncal.fits"
DEVICE = 2049
OURS = waits_for_space("/data/100 %_full")


def due(desk: Desk, *, force: bool = False) -> Due:
    return Due(run_id=desk.run.id, profile=desk.profile, now=desk.now, force=force)


def take(desk: Desk, wanted: int, free: int, *, device: int = DEVICE) -> Room:
    return desk.store.reservations.take(desk.run.id, device=device, wanted=wanted, measure=lambda: free)


def reserved(desk: Desk) -> dict[int, int]:
    return {entry.run_id: entry.bytes for entry in desk.rows(tables.reservation)}


def reasons(desk: Desk) -> dict[str, str | None]:
    names = {entry.id: entry.name for entry in desk.rows(tables.product)}
    return {names[entry.product_id]: entry.reason for entry in desk.rows(tables.file)}


# -- the plan


def test_what_is_due_is_told_by_kind(desk: Desk) -> None:
    desk.fetch(JPG)
    desk.want(*file_names(3), priority=8)
    desk.want(UNCAL, priority=13)
    desk.list(row(UNCAL, parent=1002, calib_level=1, size=5000))
    desk.set_file(desk.want(file_names(4)[3], priority=8).values(), state="stale", revision=1, size=70)
    lots = {(lot.filetype, lot.replaces): lot for lot in desk.store.reservations.lots(due(desk))}
    rate = Lot(
        priority=8,
        filetype="_rate.fits",
        calib_level=2,
        replaces=False,
        waits=None,
        files=3,
        listed=3,
        size=3000,
    )
    assert lots.keys() == {("_rate.fits", False), ("_rate.fits", True), ("_uncal.fits", False)}
    assert lots["_rate.fits", False] == rate
    assert lots["_rate.fits", True] == replace(rate, files=1, listed=1, size=1000, replaces=True)
    assert lots["_uncal.fits", False].calib_level == 2, "the highest of its listings"


def test_sizes_that_are_not_listed_are_counted_apart(desk: Desk) -> None:
    desk.want(*file_names(2))
    desk.list(row(file_names(3)[2], size=None))
    desk.replan(file_names(3)[2])
    with desk.store.database.write() as connection:
        connection.execute(update(tables.file).values(priority=8))
    (lot,) = desk.store.reservations.lots(due(desk))
    assert (lot.files, lot.listed, lot.size) == (3, 2, 2000)


def test_another_order_reaches_the_files_of_one_kind_that_are_due(desk: Desk) -> None:
    there = desk.fetch(JPG)
    ids = desk.want(*file_names(2), priority=1)
    stale = desk.want(file_names(3)[2], priority=1)
    desk.set_file(stale.values(), state="stale", revision=1, size=10)
    raw = desk.want(UNCAL, priority=1)
    before = {entry.id: entry.priority for entry in desk.rows(tables.file)}
    lots = desk.store.reservations.lots(due(desk))
    chosen = [(lot, 5 if lot.replaces else 9) for lot in lots if lot.filetype == "_rate.fits"]
    desk.store.reservations.rank(due(desk), chosen)
    after = {entry.id: entry.priority for entry in desk.rows(tables.file)}
    expected = before | dict.fromkeys(ids.values(), 9) | dict.fromkeys(stale.values(), 5)
    assert after == expected
    assert after[raw[UNCAL]] == 1
    assert after[there[JPG]] == before[there[JPG]]


def test_the_plan_comes_in_the_order_in_which_it_is_claimed(desk: Desk) -> None:
    desk.want(UNCAL, priority=13)
    desk.want(*file_names(3), priority=8)
    ids = desk.want(JPG, priority=0)
    desk.set_file([desk.file_id(f"01345/{RATE}")], state="stale", revision=1, size=70)
    plan = list(desk.store.reservations.plan(due(desk)))
    assert plan[0].place == (0, ids[JPG])
    assert (plan[1].name, plan[1].path, plan[1].listed_size) == (RATE, f"01345/{RATE}", 1000)
    assert [entry.copy_size for entry in plan] == [0, 70, 0, 0, 0], "only what is replaced goes"
    assert [entry.place[0] for entry in plan] == [0, 8, 8, 8, 13]
    claims = desk.store.transfers.claim(
        desk.run.id, PROFILE, limit=100, now=NOW, lease_until=NOW, before=plan[2].place
    )
    assert [claim.file_id for claim in claims] == [entry.place[1] for entry in plan[:2]]
    assert [claim.copy_size for claim in claims] == [None, 70]


def test_a_claim_that_is_given_back_is_as_if_it_had_never_been(desk: Desk) -> None:
    desk.want(*file_names(3))
    before = desk.rows(tables.file)
    claims = desk.claim()
    desk.store.transfers.give_back(desk.run.id, [claim.file_id for claim in claims[1:]])
    assert desk.rows(tables.file)[1:] == before[1:]
    assert [claim.file_id for claim in desk.claim()] == [claim.file_id for claim in claims[1:]]
    other = desk.of(OTHER)
    desk.store.transfers.give_back(other.run.id, [claims[0].file_id])
    assert desk.row_of(claims[0].file_id).claimed_by == desk.run.id, "only a run's own claims"


def test_the_copies_of_wanted_files_count_for_a_quota_also_shared_ones(desk: Desk) -> None:
    assert desk.store.reservations.used(PROFILE) == 0
    ids = desk.fetch(*file_names(4))
    other = desk.of(OTHER)
    other.want(*file_names(1))
    desk.set_file([ids[file_names(4)[1]]], state="stale")
    desk.set_file([ids[file_names(4)[2]]], declined=True)
    desk.set_file([ids[file_names(4)[3]]], state="wanted")
    assert desk.store.reservations.used(PROFILE) == 2000
    assert desk.store.reservations.used(OTHER) == 1000


# -- what is reserved


def test_two_runs_never_count_on_the_same_bytes(desk: Desk) -> None:
    other = desk.of(OTHER)
    assert take(desk, 600, 1000) == Room(1000, 0)
    assert take(other, 600, 1000) == Room(400, 600)
    assert reserved(desk) == {desk.run.id: 600, other.run.id: 400}
    assert take(desk, 600, 1000) == Room(600, 400), "its own is not taken from itself"
    assert desk.store.reservations.look(other.run.id, device=DEVICE, measure=lambda: 1000) == Room(400, 600)


def test_less_than_nothing_is_not_reserved(desk: Desk) -> None:
    assert take(desk, 600, -50) == Room(-50, 0)
    assert reserved(desk) == {desk.run.id: 0}


def test_another_disk_and_another_host_have_room_of_their_own(desk: Desk) -> None:
    other = desk.of(OTHER)
    take(desk, 600, 1000)
    assert take(other, 600, 1000, device=DEVICE + 1) == Room(1000, 0)
    with desk.store.database.write() as connection:
        connection.execute(update(tables.reservation).values(host="elsewhere"))
    assert take(other, 600, 1000) == Room(1000, 0)


def test_what_arrives_is_not_to_come_any_more(desk: Desk) -> None:
    desk.want(*file_names(2))
    take(desk, 600, 1000)
    desk.store.reservations.keep(desk.run.id, 500)
    for written, left in ((200, 300), (1000, 0)):
        (claim,) = desk.claim(1)
        placed = [(desk.intend(claim), 1)]
        desk.store.transfers.record_placed(desk.run.id, placed, now=NOW, written=written)
        assert reserved(desk) == {desk.run.id: left}
    desk.store.reservations.give_up(desk.run.id)
    assert reserved(desk) == {}


def test_runs_that_are_over_or_dead_have_reserved_nothing(desk: Desk) -> None:
    ended, dead = desk.of("ended"), desk.of("dead")
    take(ended, 600, 2000)
    take(dead, 600, 2000)
    ended.store.runs.finish(ended.run, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW)
    with desk.store.database.write() as connection:
        gone = update(tables.run).where(tables.run.c.id == dead.run.id)
        connection.execute(gone.values(pid=2**22 + 1, process_start="another boot"))
    assert take(desk, 100, 2000) == Room(2000, 0)
    assert ended.run.id not in reserved(desk), "nobody else would take it away"


def test_of_two_runs_that_begin_together_one_gets_what_the_other_left(desk: Desk) -> None:
    other = desk.of(OTHER)
    start = threading.Barrier(2)
    rooms: list[Room] = []

    def begin(one: Desk) -> None:
        start.wait()
        rooms.append(take(one, 700, 1000))

    threads = [threading.Thread(target=begin, args=(one,)) for one in (desk, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rooms, key=lambda room: room.size) == [Room(300, 700), Room(1000, 0)]
    assert sum(reserved(desk).values()) == 1000


# -- what waits


def test_what_waits_says_so_keeps_its_state_and_is_told_by_root(desk: Desk) -> None:
    desk.want(JPG, priority=0)
    desk.want(*file_names(2), priority=8)
    desk.want(UNCAL, priority=13, reason=None)
    desk.set_file([desk.file_id(f"01345/{file_names(2)[1]}")], state="stale")
    failed = desk.claim(1)
    desk.fail(*failed, again=NOW)
    desk = desk.next_run()
    desk.store.reservations.mark(due(desk), waiting=(), why=OURS, first=(0, 0))
    assert reasons(desk) == {
        JPG: "the archive cannot send it at the moment (HTTP 503)",
        RATE: f"new; {OURS}",
        file_names(2)[1]: f"new; {OURS}",
        UNCAL: OURS,
    }
    assert desk.file().state is FileState.WANTED
    (waits,) = desk.store.reservations.waiting()
    assert waits == Waiting(profile=PROFILE, root=desk.root.path, limit=Limit.SPACE, files=3, size=3000)


@pytest.mark.parametrize("why", [None, OURS, waits_for_quota("2.00 TB")])
def test_what_waits_no_longer_or_for_something_else_says_that(desk: Desk, why: str | None) -> None:
    reservations = desk.store.reservations
    desk.want(*file_names(3), priority=8)
    reservations.mark(due(desk), waiting=(), why=OURS)
    waiting = {lot.waits for lot in reservations.lots(due(desk))}
    assert waiting == {f"new; {OURS}"}
    reservations.mark(
        due(desk), waiting=(f"new; {OURS}",), why=why, first=list(reservations.plan(due(desk)))[2].place
    )
    last = f"new; {why}" if why else "new"
    assert list(reasons(desk).values()) == ["new", "new", last]


def test_what_another_profile_waits_for_is_its_own(desk: Desk) -> None:
    other = desk.of(OTHER)
    desk.want(*file_names(2))
    other.want(UNCAL, folder="other")
    other.store.reservations.mark(due(other), waiting=(), why=waits_for_quota("2.00 TB"))
    assert reasons(desk)[RATE] == "new"
    assert [(each.profile, each.limit, each.files) for each in desk.store.reservations.waiting()] == [
        (OTHER, Limit.QUOTA, 1)
    ]


def test_what_waits_in_a_folder_counts_once_and_only_for_the_profiles_that_are_asked_for(desk: Desk) -> None:
    other = desk.of(OTHER)
    desk.want(*file_names(3))
    other.want(file_names(3)[2], UNCAL)
    reservations = desk.store.reservations
    reservations.mark(due(desk), waiting=(), why=OURS)
    reservations.mark(due(other), waiting=(), why=OURS)
    assert reservations.waiting_by_root([PROFILE, OTHER]) == {desk.root.path: (4, 4000)}
    assert reservations.waiting_by_root([PROFILE]) == {desk.root.path: (3, 3000)}
    assert reservations.waiting_by_root([]) == {}
    waits = tuple({lot.waits for lot in reservations.lots(due(desk)) if lot.waits})
    reservations.mark(due(desk), waiting=waits, why=waits_for_quota("2.00 TB"))
    assert reservations.waiting_by_root([PROFILE]) == {}, "the disk has room"


def test_a_folder_whose_name_has_signs_of_patterns_is_taken_literally(desk: Desk) -> None:
    desk.want(RATE, reason="waits for%space on /data")
    assert desk.store.reservations.waiting() == []
    root = Path("/data/100 %_full")
    desk.store.reservations.mark(due(desk), waiting=(), why=waits_for_space(root))
    assert desk.store.reservations.waiting()[0].limit is Limit.SPACE
