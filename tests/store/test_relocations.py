"""The record of files that go to another path, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from jwstwatch.core.model import FileState, Trigger
from jwstwatch.core.relocation import Move
from jwstwatch.errors import BusyError
from jwstwatch.store import tables
from jwstwatch.store.relocations import ANOTHER, DROPPED, Moved, Relocation
from tests.store.desk import JPG, NOW, OTHER, PROFILE, RATE, Desk


def carried(group: Sequence[Relocation]) -> Mapping[int, Moved]:
    return {each.file_id: Moved() for each in group}


def shelf(desk: Desk, *profiles: str) -> dict[str, tuple[bool, tuple[str, ...], str | None]]:
    return {
        file.path: (file.has_copy, file.profiles, file.stays)
        for lot in desk.store.relocations.shelf(desk.root.id, profiles or (PROFILE,))
        for file in lot
    }


def idle(desk: Desk) -> Desk:
    """The desk with no run that goes on."""
    later = desk.next_run()
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).values(outcome="complete"))
    return later


def path_of(desk: Desk, file_id: int) -> str:
    (path,) = [row.path for row in desk.rows(tables.file) if row.id == file_id]
    return str(path)


def test_the_shelf_holds_what_the_profiles_want_there(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.want(JPG)
    desk.of(OTHER).want(RATE)
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW))
    elsewhere.want("jw01345001001_02101_00001_nrcb1_rate.fits")
    assert shelf(desk) == {
        f"01345/{RATE}": (True, (PROFILE,), None),
        f"01345/{JPG}": (False, (PROFILE,), None),
    }
    assert shelf(desk, PROFILE, OTHER)[f"01345/{RATE}"][1] == (OTHER, PROFILE)
    desk.store.drops.drop(desk.store.drops.choose([RATE]), now=NOW)
    assert shelf(desk)[f"01345/{RATE}"][2] == DROPPED
    assert desk.store.relocations.elsewhere(PROFILE, elsewhere.root.id) == []  # a dropped copy is nobody's
    desk.store.drops.undrop(desk.store.drops.choose([RATE]), missing=set(), now=NOW)
    assert desk.store.relocations.elsewhere(PROFILE, elsewhere.root.id) == [(str(desk.root.path), 1)]
    assert desk.store.relocations.elsewhere(PROFILE, desk.root.id) == []


def test_a_move_is_known_before_it_is_made_and_closed_after_it(desk: Desk) -> None:
    file_id = desk.fetch(RATE)[RATE]
    later = idle(desk)
    moves = [Move(file_id=file_id, path=f"01345/{RATE}", to=RATE)]
    desk.store.relocations.open(moves, now=NOW)
    assert desk.store.relocations.left_open(desk.root.id) == [file_id]
    pages = desk.store.sites.pages(desk.root.id)
    done = desk.store.relocations.carry_out([file_id], carried, now=NOW)
    assert done == {file_id: Moved()}
    assert path_of(desk, file_id) == RATE
    assert desk.store.relocations.left_open(desk.root.id) == []
    assert desk.kinds(RATE)[-1] == "moved"
    assert desk.store.sites.pages(desk.root.id) != pages
    assert later.states()[RATE] is FileState.PRESENT


def test_what_is_not_returned_stays_open_and_what_is_left_keeps_its_path(desk: Desk) -> None:
    ids = desk.fetch(RATE, JPG)
    idle(desk)
    moves = [Move(file_id=key, path=f"01345/{name}", to=name) for name, key in ids.items()]
    desk.store.relocations.open(moves, now=NOW)

    def carry(group: Sequence[Relocation]) -> Mapping[int, Moved]:
        assert [each.path for each in group] == [move.path for move in moves]
        return {ids[RATE]: Moved(left="something stands there")}

    desk.store.relocations.carry_out(list(ids.values()), carry, now=NOW)
    assert path_of(desk, ids[RATE]) == f"01345/{RATE}"
    assert desk.store.relocations.left_open(desk.root.id) == [ids[JPG]]


def test_no_file_gets_the_path_of_another(desk: Desk) -> None:
    ids = desk.fetch(RATE, JPG)
    idle(desk)
    desk.store.relocations.open([Move(file_id=ids[RATE], path=f"01345/{RATE}", to=f"01345/{JPG}")], now=NOW)
    done = desk.store.relocations.carry_out([ids[RATE]], carried, now=NOW)
    assert done == {ids[RATE]: Moved(left=ANOTHER)}
    assert path_of(desk, ids[RATE]) == f"01345/{RATE}"


def test_only_a_run_itself_may_settle_while_one_goes_on(desk: Desk) -> None:
    file_id = desk.fetch(RATE)[RATE]
    idle(desk)
    moves = [Move(file_id=file_id, path=f"01345/{RATE}", to=RATE)]
    desk.store.relocations.open(moves, now=NOW)
    run = desk.store.runs.begin(OTHER, Trigger.SCHEDULE, now=NOW)
    with pytest.raises(BusyError, match=OTHER):
        desk.store.relocations.open(moves, now=NOW)
    with pytest.raises(BusyError, match=OTHER):
        desk.store.relocations.carry_out([file_id], carried, now=NOW)
    desk.store.relocations.carry_out([file_id], carried, now=NOW, run_id=run.id)
    assert path_of(desk, file_id) == RATE


def test_kept_copies_are_told_and_their_new_paths_recorded(desk: Desk) -> None:
    file_id = desk.fetch(RATE)[RATE]
    idle(desk)
    values = {"file_id": file_id, "new_size": 1, "replaced_at": NOW}
    with desk.store.database.write() as connection:
        connection.execute(
            tables.replaced.insert(),
            [values | {"revision": 1, "kept_as": "old"}, values | {"revision": 2, "kept_as": None}],
        )
    desk.store.relocations.open([Move(file_id=file_id, path=f"01345/{RATE}", to=RATE)], now=NOW)

    def carry(group: Sequence[Relocation]) -> Mapping[int, Moved]:
        assert [dict(each.kept) for each in group] == [{1: "old"}]
        return {file_id: Moved(kept={1: "new"})}

    desk.store.relocations.carry_out([file_id], carry, now=NOW)
    assert {row.revision: row.kept_as for row in desk.rows(tables.replaced)} == {1: "new", 2: None}


def test_a_loss_of_what_moved_since_it_was_looked_for_is_none(desk: Desk) -> None:
    from jwstwatch.store.roots import Loss

    file_id = desk.fetch(RATE)[RATE]
    idle(desk)
    (copy,) = [copy for batch in desk.store.roots.copies(desk.root.id) for copy in batch]
    desk.store.relocations.open([Move(file_id=file_id, path=f"01345/{RATE}", to=RATE)], now=NOW)
    desk.store.relocations.carry_out([file_id], carried, now=NOW)
    assert desk.store.roots.record_losses(None, [Loss.of(copy, "missing on disk")], now=NOW) == 0
