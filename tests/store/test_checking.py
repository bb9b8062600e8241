"""What a check of the state finds, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from jwstwatch.core.model import FileState
from jwstwatch.errors import StateError
from jwstwatch.store import tables
from jwstwatch.store.checking import check
from jwstwatch.store.engine import Database
from jwstwatch.store.schema import NEWEST, SCHEMAS
from tests.store.conftest import SQLITE
from tests.store.desk import DAY, NOW, Desk, digest, file_names

Open = Callable[..., Database]


def told(database: Database) -> list[str]:
    problems = check(database)
    assert all(problem.hint for problem in problems)
    return [problem.text for problem in problems]


def set_all(desk: Desk, table: Any, **values: Any) -> None:
    with desk.store.database.write() as connection:
        connection.execute(update(table).values(values))


def test_a_state_in_the_middle_of_a_run_is_sound(desk: Desk) -> None:
    desk.fetch(*file_names(2))
    desk.want(*(name.replace("nrca1", "nrcb1") for name in file_names(2)))
    (claim, _) = desk.claim()
    desk.intend(claim)
    assert told(desk.store.database) == []


def test_what_a_killed_run_left_is_told_thing_by_thing(desk: Desk) -> None:
    desk.want(*file_names(3))
    first, *_ = desk.claim()
    desk.intend(first)
    set_all(desk, tables.run, process_start="0:1")
    assert told(desk.store.database) == [
        f"run {desk.run.id} of nircam was never ended, and its process {desk.rows(tables.run)[0].pid} is dead"
    ]
    before = desk.rows(tables.run)
    set_all(desk, tables.run, outcome="cancelled")
    assert told(desk.store.database) == [
        "3 files claimed by a run that has ended",
        "1 file about to be put in place when a run was cut",
    ]
    assert [row.id for row in before] == [row.id for row in desk.rows(tables.run)]
    # The next run settles it.
    desk.store.runs.begin("other", desk.run.trigger, now=NOW + DAY)


def test_what_no_program_writes_is_told(desk: Desk) -> None:
    ids = list(desk.fetch(*file_names(2)).values())
    set_all(desk, tables.page, written=7, changes=2)
    desk.set_file(ids[:1], sha256=None)
    desk.set_file(ids[1:], state=FileState.WANTED.value, sha256=digest("x"))
    assert told(desk.store.database) == [
        "1 page marked as written later than changed",
        "1 file present without a size or a checksum",
        "1 file not there, but with a checksum",
    ]


def test_an_older_schema_is_told_and_a_newer_one_refused(own_url: str, open_at: Open) -> None:
    database = open_at(own_url)
    with database.write() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{SCHEMAS[0]}'"))
    assert told(database) == [f"the state has schema {SCHEMAS[0]}, not {NEWEST}"]
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StateError, match="newer"):
        check(database)


def test_a_state_that_was_never_set_up_is_told(empty_url: str, open_at: Open) -> None:
    assert told(open_at(empty_url)) == ["the state was never set up"]


@pytest.mark.parametrize("backend", [SQLITE])
def test_rows_that_refer_to_nothing_are_told(own_url: str, open_at: Open) -> None:
    database = open_at(own_url)
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")
        connection.execute(insert(tables.want).values(profile="p", file_id=7, product_id=7))
        connection.commit()
    assert told(database) == ["2 rows of table want refer to nothing"]


@pytest.mark.parametrize("backend", [SQLITE])
@pytest.mark.parametrize("where", [0, 40_000])
def test_damage_is_told_wherever_it_is(where: int, own_url: str, open_at: Open) -> None:
    database = open_at(own_url)
    with database.write() as connection:
        for number in range(300):
            values = {"uuid": str(number), "path": f"/data/{number}", "created_at": NOW}
            connection.execute(insert(tables.root).values(values))
    database.close()
    path = Path(own_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    content[where : where + 60_000] = b"\xff" * 60_000
    path.write_bytes(content)
    problems = check(open_at(own_url, look=True))
    assert problems
    assert all("db restore" in problem.hint for problem in problems)
