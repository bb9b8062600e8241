"""What should lie in which folder, and the marks that say which folders were compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from jwstwatch.core.model import FileState
from jwstwatch.core.relocation import Move
from jwstwatch.store import folders, tables
from jwstwatch.store.plans import PlanRow
from jwstwatch.store.relocations import Moved
from tests.store.desk import DAY, NOW, OTHER, PROFILE, RATE, Desk, file_names, row
from tests.store.test_listings import counted

ODD = ["", "01345", "01345/obsnum01", "01345/obsnum01/jpg", "01345/obsnum010", "01345_", "a%b", "A%B", "é/'"]
"""Folders in one another, and with what a pattern or an order may take otherwise."""


def put(desk: Desk, *paths: str, profile: str = PROFILE, **values: Any) -> dict[str, int]:
    """Let a profile have copies at paths of the root; returns their numbers."""
    facts = {
        "root_id": desk.root.id,
        "product_id": desk.list(row())[RATE].id,
        "changed_at": NOW,
        "state": "present",
        "size": 7,
        **values,
    }
    file = tables.file
    with desk.store.database.write() as connection:
        inserted = connection.execute(
            file.insert().returning(file.c.path, file.c.id), [facts | {"path": path} for path in paths]
        )
        ids = {entry.path: entry.id for entry in inserted}
        wanted = {"profile": profile, "product_id": facts["product_id"]}
        connection.execute(tables.want.insert(), [wanted | {"file_id": key} for key in ids.values()])
    return ids


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def remember(desk: Desk, *marked: str, every: bool = True, mark: str | None = "m", **options: Any) -> None:
    marks = dict.fromkeys(marked, mark)
    if every:
        desk.store.folders.begin(desk.root.id, PROFILE)
    desk.store.folders.remember(desk.root.id, PROFILE, marks, every=every, now=options.get("now", NOW))


def marks(desk: Desk, profile: str = PROFILE) -> dict[str, str | None]:
    return desk.store.folders.marks(desk.root.id, profile)


@pytest.mark.parametrize("lot", [1, 3, 1000])
def test_every_watched_copy_comes_with_its_folder(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lot: int
) -> None:
    monkeypatch.setattr(folders, "LOT", lot)
    names = ["a", "jpgs", "obsnum01z", "z"]
    put(desk, *(join(folder, name) for folder in ODD for name in names))
    put(desk, "01345/gone", state="gone")
    put(desk, "01345/lost", state="gone", size=None)
    put(desk, "01345/dropped", declined=True)
    put(desk, "01345/wanted", "02222/wanted", state="wanted", size=None)
    put(desk, "01345/theirs", profile=OTHER)
    pieces = list(desk.store.folders.expected(desk.root.id, PROFILE))
    every = {folder: dict.fromkeys(names, 7) for folder in ODD}
    every["01345"]["gone"] = 7
    merged: dict[str, dict[str, int | None]] = {}
    for folder, sizes in pieces:
        assert not merged.setdefault(folder, {}).keys() & sizes.keys()
        merged[folder].update(sizes)
    assert merged == every
    if desk.store.database.is_sqlite:
        # A folder comes once, although others lie in the midst of its paths.
        assert len(pieces) == len(every)
    assert desk.store.folders.count(desk.root.id, PROFILE) == len(ODD) * len(names) + 1
    # The same, asked for by their names; one in which nothing lies is told.
    asked = dict(desk.store.folders.expected_in(desk.root.id, PROFILE, [*ODD, "away", "01345/obsnum"]))
    assert asked == every | {"away": {}, "01345/obsnum": {}}
    assert desk.store.folders.awaiting(desk.root.id, PROFILE) == {"01345", "02222"}


def test_a_folder_of_very_many_files_comes_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOT", 10)
    monkeypatch.setattr(folders, "_PIECE", 30)
    paths = [f"{number:03d}" for number in range(100)]
    put(desk, *paths)
    pieces = [sizes for _, sizes in desk.store.folders.expected(desk.root.id, PROFILE)]
    assert [len(sizes) for sizes in pieces] == [30, 30, 30, 10]
    assert [name for sizes in pieces for name in sizes] == paths


def test_reading_costs_statements_by_the_lot_and_not_by_the_folder(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOT", 100)
    names = [f"{number:05d}" for number in range(120)]
    put(desk, *(f"{folder}/{name}" for folder in names for name in "ab"))
    remember(desk, *names)

    def cost(ask: Callable[[], object]) -> int:
        with counted(desk.store.database) as statements:
            ask()
        return sum(words.startswith("SELECT") for words in statements)

    store, root_id = desk.store.folders, desk.root.id
    assert cost(lambda: list(store.expected(root_id, PROFILE))) == 4
    assert cost(lambda: store.marks(root_id, PROFILE)) == 1
    assert cost(lambda: store.compared_since(root_id, PROFILE)) == 1
    assert cost(lambda: list(store.expected_in(root_id, PROFILE, names[:50]))) == 1
    assert cost(lambda: list(store.expected_in(root_id, PROFILE, names))) == (
        3 if desk.store.database.is_sqlite else 1
    )
    assert cost(lambda: desk.store.roots.copies_at(root_id, [f"{name}/a" for name in names])) == 1


def test_the_index_on_paths_finds_what_lies_in_a_folder(desk: Desk) -> None:
    if not desk.store.database.is_sqlite:
        return  # its planner goes by statistics
    plans: list[list[str]] = []

    def explain(connection: Any, cursor: object, statement: str, values: Any, *rest: object) -> None:
        if statement.startswith("SELECT"):
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append([str(step[3]) for step in steps])

    event.listen(desk.store.database.engine, "before_cursor_execute", explain)
    try:
        list(desk.store.folders.expected_in(desk.root.id, PROFILE, ["01345", "01346"]))
        list(desk.store.folders.expected(desk.root.id, PROFILE))
        desk.store.folders.awaiting(desk.root.id, PROFILE)
        desk.store.roots.lost_for_good(desk.root.id, profile=PROFILE)
    finally:
        event.remove(desk.store.database.engine, "before_cursor_execute", explain)
    inside, every, awaiting, lost = plans
    assert sum("(root_id=? AND path>? AND path<?)" in step for step in inside) == 2
    assert any("(root_id=? AND path>?)" in step for step in every)
    assert not any("TEMP B-TREE" in step for step in every)
    for plan in (awaiting, lost):
        assert all("ix_file_state" in step for step in plan if " file " in step)


# Marks


def test_marks_are_kept_by_profile_and_root(desk: Desk) -> None:
    store = desk.store.folders
    assert (marks(desk), store.compared_since(desk.root.id, PROFILE)) == ({}, None)
    remember(desk, "01345", "01345/obsnum01", "")
    assert marks(desk) == {"01345": "m", "01345/obsnum01": "m", "": "m"}
    elsewhere = desk.store.roots.add(Path("/elsewhere"), now=NOW)
    assert (marks(desk, OTHER), store.marks(elsewhere.id, PROFILE)) == ({}, {})
    # Of those compared later, the others' time counts.
    remember(desk, "01345", mark="n", every=False, now=NOW + DAY)
    assert marks(desk) == {"01345": "n", "01345/obsnum01": "m", "": "m"}
    assert store.compared_since(desk.root.id, PROFILE) == NOW
    # A look at all of them forgets those that are no more.
    remember(desk, "01345", mark=None, now=NOW + DAY)
    assert marks(desk) == {"01345": None}
    assert store.compared_since(desk.root.id, PROFILE) == NOW + DAY


def test_a_folder_in_which_a_profile_wants_something_new_is_compared_again(desk: Desk) -> None:
    old, new, other = file_names(3)
    desk.want(old)
    assert marks(desk) == {}  # none was compared: all will be
    remember(desk, "01345", "01346")
    desk.want(old)
    assert marks(desk) == {"01345": "m", "01346": "m"}
    desk.want(new, folder="01347")
    assert marks(desk) == {"01345": "m", "01346": "m", "01347": None}
    assert desk.store.folders.compared_since(desk.root.id, PROFILE) == NOW
    # Also where another profile's copy lies there already, and it touches nobody else's marks.
    desk.of(OTHER).want(other, folder="01346")
    assert marks(desk) == {"01345": "m", "01346": "m", "01347": None}
    desk.want(other, folder="01346")
    assert marks(desk)["01346"] is None


def test_a_root_that_is_another_or_elsewhere_is_compared_whole(desk: Desk) -> None:
    for change in (
        lambda: desk.store.roots.set_identity(desk.root.id, "b" * 36),
        lambda: desk.store.roots.move(desk.root.id, Path("/elsewhere")),
    ):
        remember(desk, "01345")
        change()
        assert marks(desk) == {}


def test_files_that_moved_or_are_watched_again_are_compared(desk: Desk) -> None:
    file_id = desk.fetch(RATE)[RATE]
    remember(desk, "01345")
    (choice,) = desk.store.drops.drop(desk.store.drops.choose([RATE]), now=NOW)
    assert marks(desk) == {"01345": "m"}
    desk.store.drops.undrop([choice], missing=set(), now=NOW)
    assert marks(desk) == {}
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).values(outcome="complete"))
    remember(desk, "01345")
    desk.store.relocations.open([Move(file_id=file_id, path=f"01345/{RATE}", to=RATE)], now=NOW)
    assert marks(desk) == {"01345": "m"}
    desk.store.relocations.carry_out([file_id], lambda group: {file_id: Moved()}, now=NOW)
    assert marks(desk) == {}


@pytest.mark.parametrize("every", [True, False])
def test_marks_that_were_forgotten_in_the_midst_of_a_look_stay_forgotten(desk: Desk, every: bool) -> None:
    desk.fetch(RATE)
    remember(desk, "01345", "01346")
    if every:
        desk.store.folders.begin(desk.root.id, PROFILE)
        assert desk.store.folders.compared_since(desk.root.id, PROFILE) == folders._NEVER  # if it is killed
    (choice,) = desk.store.drops.drop(desk.store.drops.choose([RATE]), now=NOW)
    desk.store.drops.undrop([choice], missing=set(), now=NOW)
    desk.store.folders.remember(desk.root.id, PROFILE, {"01346": "n"}, every=every, now=NOW)
    assert (marks(desk), desk.store.folders.compared_since(desk.root.id, PROFILE)) == ({}, None)


def test_a_profile_with_another_name_begins_anew(desk: Desk) -> None:
    desk.fetch(RATE)
    remember(desk, "01345")
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).values(outcome="complete"))
    desk.store.profiles.rename(PROFILE, "renamed", now=NOW)
    assert (marks(desk), marks(desk, "renamed")) == ({}, {})


def test_copies_at_paths_are_those_that_are_watched(desk: Desk) -> None:
    ids = put(desk, "01345/a", "01345/b")
    put(desk, "01345/dropped", declined=True)
    put(desk, "01345/wanted", state="wanted", size=None)
    other = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW))
    put(other, "01345/c")
    asked = ["01345/a", "01345/dropped", "01345/wanted", "01345/c", "01345/never"]
    (found,) = desk.store.roots.copies_at(desk.root.id, asked)
    assert (found.file_id, found.path, found.size, found.gone) == (ids["01345/a"], "01345/a", 7, False)


def test_a_plan_of_another_profile_for_a_known_path_is_compared_by_that_profile(desk: Desk) -> None:
    """The mark of its folder was made when it did not look for that file."""
    ids = desk.fetch(RATE)
    other = desk.of(OTHER)
    desk.store.folders.begin(desk.root.id, OTHER)
    desk.store.folders.remember(desk.root.id, OTHER, {"01345": "m"}, every=True, now=NOW)
    known, _ = desk.store.plans.known(PROFILE, desk.root.id, product_ids=[desk.product_id(RATE)], paths=[])
    (mine,) = known.values()
    assert mine.id == ids[RATE]
    other.plan(
        PlanRow(
            product_id=mine.product_id,
            path=mine.path,
            known=mine,
            state=FileState.PRESENT,
            reason=None,
            priority=1,
        )
    )
    assert marks(desk, OTHER) == {"01345": None}
