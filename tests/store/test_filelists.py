"""The inventory comes by path, in lots, and as soon as it is found, however much there is of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from jwstwatch.core.model import FileState
from jwstwatch.store import filelists, tables
from jwstwatch.store.filelists import FileQuery
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names

MANY = 9
QUERIES = (
    FileQuery(),
    FileQuery(superseded=False),
    FileQuery(profile=PROFILE),
    FileQuery(states=(FileState.PRESENT,)),
    FileQuery(states=(FileState.WANTED, FileState.PRESENT), profile=OTHER),
    FileQuery(proposals={1345: ()}),
    FileQuery(proposals={1345: (1,), 2561: ()}),
    FileQuery(filetypes=("_rate.fits",)),
    FileQuery(changed_since=NOW + HOUR),
    FileQuery(arrived_since=NOW + HOUR),
    FileQuery(arrived_since=NOW + HOUR, profile=PROFILE, states=(FileState.PRESENT,)),
)


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    """Some files that arrived at two times, and some that are wanted, in two folders."""
    names = file_names(MANY)
    for name in names[:4]:
        desk.fetch(name)
    later = desk.later(DAY)
    for name in names[4:7]:
        later.fetch(name)
    other = later.of(OTHER)
    for name in names[5:]:
        other.want(name)
    elsewhere = desk.store.roots.add(desk.root.path.parent / "another", now=NOW)
    file = tables.file
    with desk.store.database.write() as connection:
        connection.execute(update(file).where(file.c.id % 2 == 0).values(root_id=elsewhere.id))
        connection.execute(update(file).where(file.c.id % 5 == 0).values(superseded=True))
    return desk


def told(desk: Desk, asked: FileQuery) -> list[tuple[str, FileState]]:
    return [(file.place, file.state) for file in desk.store.reports.files(asked)]


@pytest.mark.parametrize(("lot", "few"), [(2, 0), (2, 3), (3, MANY), (1, 100)])
def test_it_is_the_same_in_whatever_lots_and_ways_it_is_read(
    stocked: Desk, monkeypatch: pytest.MonkeyPatch, lot: int, few: int
) -> None:
    whole = [told(stocked, asked) for asked in QUERIES]
    assert [len(files) > 0 for files in whole] == [True] * len(QUERIES)
    assert whole[0] == sorted(whole[0])
    monkeypatch.setattr(filelists, "LOT", lot)
    monkeypatch.setattr(filelists, "FEW", few)
    assert [told(stocked, asked) for asked in QUERIES] == whole


def test_the_first_file_is_told_before_the_second_lot_is_read_and_nothing_stays_open(
    stocked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filelists, "LOT", 2)
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    engine = stocked.store.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        files = stocked.store.reports.files(FileQuery())
        next(files)
        assert sum("FROM file" in statement for statement in statements) == 1
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert len(list(files)) == MANY - 1
    finally:
        event.remove(engine, "before_cursor_execute", note)
    # One look for each lot of both folders, and none for each file.
    assert sum("FROM file" in statement for statement in statements) <= MANY // 2 + 2


@pytest.mark.parametrize("few", [0, MANY])
def test_what_is_told_late_is_still_what_is_asked_for(
    stocked: Desk, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(filelists, "LOT", 2)
    monkeypatch.setattr(filelists, "FEW", few)
    file = tables.file
    files = stocked.store.reports.files(FileQuery(states=(FileState.PRESENT,), superseded=False))
    first = next(files)
    with stocked.store.database.write() as connection:
        connection.execute(update(file).where(file.c.id != first.file_id).values(state="wanted"))
    rest = list(files)
    assert {each.state for each in rest} <= {FileState.PRESENT}
    # The lot that was read already is as it was.
    assert len(rest) <= 1


def plans(desk: Desk, asked: FileQuery) -> list[list[str]]:
    """Return how SQLite carries out each statement about files."""
    found: list[list[str]] = []

    def explain(connection: Connection, _: object, statement: str, values: Any, *rest: object) -> None:
        if "FROM file" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            found.append([row[3] for row in rows])

    event.listen(desk.store.database.engine, "before_cursor_execute", explain)
    try:
        list(desk.store.reports.files(asked))
    finally:
        event.remove(desk.store.database.engine, "before_cursor_execute", explain)
    return found


@pytest.mark.parametrize("backend", ["sqlite"])
def test_many_files_are_walked_along_their_paths_and_never_sorted(
    stocked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filelists, "FEW", 0)
    for asked in QUERIES:
        walk = plans(stocked, asked)[-1]
        assert walk[0].endswith("(root_id=? AND path>?)"), asked
        assert not [step for step in walk if "TEMP B-TREE" in step or step.startswith("SCAN")]


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("number", [2, 3, 4, 5, 6, 9, 10])
def test_few_files_are_found_by_an_index(stocked: Desk, number: int) -> None:
    steps = [step for plan in plans(stocked, QUERIES[number]) for step in plan]
    assert not [step for step in steps if step.startswith(("SCAN file", "SCAN event", "SCAN product"))]
