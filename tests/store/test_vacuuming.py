"""A state that gives back the room of deleted rows, and loses nothing on the way."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update

from jwstwatch.core.model import Trigger
from jwstwatch.errors import BusyError, ExitCode, StateError, StorageError
from jwstwatch.files import temporary_name
from jwstwatch.store import sizes, tables, tallies, vacuuming
from jwstwatch.store.checking import check
from jwstwatch.store.engine import Database, open_database
from jwstwatch.store.locks import exclusive
from jwstwatch.store.restoring import settle
from jwstwatch.store.schema import NEWEST
from jwstwatch.store.store import Store, open_store
from jwstwatch.store.vacuuming import sweep, vacuum
from tests.store.conftest import SQLITE
from tests.store.desk import NOW, OTHER, PROFILE, Desk, file_names

only_sqlite = pytest.mark.parametrize("backend", [SQLITE])
Report = Callable[[str, float | None], None]


def silently(doing: str, part: float | None) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module")
def prepared(sqlite_state: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite state that has lived; each test gets a copy."""
    assert sqlite_state.fold_log()
    path = tmp_path_factory.mktemp("prepared") / "state.db"
    shutil.copy(str(sqlite_state.engine.url.database), path)
    with contextlib.closing(open_database(f"sqlite:///{path}")) as database:
        with database.engine.begin() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(delete(table))
        live(database)
    return path


@pytest.fixture
def state(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A state with three files, more history than SQLite keeps in memory, and the room of as much more."""
    monkeypatch.setattr(vacuuming, "_STEPS", 100)
    if backend != SQLITE:
        database: Database = request.getfixturevalue("database")
        live(database)
        yield database
        return
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    shutil.copy(request.getfixturevalue("prepared"), path)
    with contextlib.closing(open_database(f"sqlite:///{path}")) as copy:
        yield copy


def live(database: Database) -> None:
    """Let a state have a past."""
    desk = Desk.set_up(Store(database), Path("/data"))
    desk.fetch(*file_names(3))
    product_id = desk.product_id(file_names(1)[0])
    entry = {"at": NOW, "product_id": product_id, "kind": "noise", "detail": "x" * 1000}
    with database.write() as connection:
        connection.execute(insert(tables.event), [entry] * 5000)
    with database.write() as connection:
        connection.execute(delete(tables.event).where(tables.event.c.id % 2 == 0))
    settle(database, now=NOW)


@pytest.fixture
def path(state: Database) -> Path:
    """Its file."""
    database = state.engine.url.database
    assert database is not None
    state.fold_log()
    return Path(database)


def everything(database: Database) -> dict[str, list[Any]]:
    """Return every row but the counts, which are made anew."""
    with database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in tables.metadata.sorted_tables
            if table is not tables.tally
        }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def beside(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")}


def test_it_gives_back_the_room_and_keeps_every_row(state: Database) -> None:
    rows, before = everything(state), sizes.bytes_now(state)
    told: list[str] = []
    vacuum(state, now=NOW, report=lambda doing, part: told.append(doing))
    size = sizes.measure(state)
    assert size.bytes < 0.7 * before
    assert everything(state) == rows
    assert (size.products, size.files, size.listings, size.runs) == (3, 3, 3, 1)
    assert size.bytes_per_product == round(size.bytes / 3)
    assert size.since == NOW
    assert "writing" in told
    # It is used on as it was.
    with state.write() as connection:
        connection.execute(delete(tables.event))
    assert sizes.measure(state).since is None


def test_it_counts_anew_what_is_counted_as_it_changes(state: Database) -> None:
    with state.read() as connection:
        right = tallies.tallies(connection)
    with state.write() as connection:
        connection.execute(update(tables.tally).values(files=99))
    vacuum(state, now=NOW, report=silently)
    with state.read() as connection:
        assert tallies.tallies(connection) == right
        assert list(tallies.discrepancies(connection)) == []


def test_it_puts_back_what_keeps_the_counts_where_a_table_lost_it(state: Database) -> None:
    forget = update(tables.file).values(size=None, state="wanted", sha256=None)
    with state.write() as connection:
        connection.execute(text("DROP TRIGGER tally_file_updated" + ("" if state.is_sqlite else " ON file")))
        first = select(func.min(tables.file.c.id)).scalar_subquery()
        connection.execute(forget.where(tables.file.c.id == first))
    told = [problem.text for problem in check(state)]
    assert told[0] == "of what keeps the counts is missing or off: tally_file_updated"
    assert len(told) > 1
    vacuum(state, now=NOW, report=silently)
    assert check(state) == []
    with state.write() as connection:
        connection.execute(forget)
        assert list(tallies.discrepancies(connection)) == []


def test_while_a_daemon_or_a_run_works_with_the_state_it_is_refused(state: Database) -> None:
    other = open_database(state.engine.url.render_as_string(hide_password=False))
    with contextlib.closing(other):
        with exclusive(other, "daemon"), pytest.raises(BusyError, match="daemon works") as caught:
            vacuum(state, now=NOW, report=silently)
        assert caught.value.exit_code is ExitCode.BUSY
        assert "Stop it" in caught.value.hint
        Store(other).runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        with pytest.raises(BusyError, match=f"{OTHER}: a run goes on") as caught:
            vacuum(state, now=NOW, report=silently)
        assert "vacuum" in caught.value.hint
        settle(other, now=NOW)
    vacuum(state, now=NOW, report=silently)


@only_sqlite
def test_nobody_opens_the_state_meanwhile(state: Database, path: Path) -> None:
    refused: list[str] = []

    def try_to_open(doing: str, part: float | None) -> None:
        if doing == "checking the copy" and not refused:
            with pytest.raises(BusyError) as caught:
                open_store(f"sqlite:///{path}", upgrade=True)
            refused.append(caught.value.message)

    vacuum(state, now=NOW, report=try_to_open)
    assert len(refused) == 1
    assert "is being restored or vacuumed" in refused[0]


def test_a_schema_of_another_day_is_left_as_it_is(state: Database) -> None:
    said = "UPDATE alembic_version SET version_num = '{}'"
    with state.write() as connection:
        connection.execute(text(said.format("0005")))
    try:
        with pytest.raises(StateError, match="older jwstwatch"):
            vacuum(state, now=NOW, report=silently)
    finally:  # others get the same server's state
        with state.write() as connection:
            connection.execute(text(said.format(NEWEST)))


@only_sqlite
def test_what_is_damaged_is_left_as_it_is(state: Database, path: Path) -> None:
    state.close()
    content = bytearray(path.read_bytes())
    content[-4096 * 40 : -4096 * 20] = b"\xff" * (4096 * 20)
    path.write_bytes(content)
    before = digest(path)
    with pytest.raises(StateError, match=r"damaged|malformed") as caught:
        vacuum(state, now=NOW, report=silently)
    assert "backup" in caught.value.hint
    assert digest(path) == before


@only_sqlite
def test_without_room_for_the_copy_nothing_is_begun(
    state: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil._ntuple_diskusage(total=10**9, used=10**9 - 10**6, free=10**6)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    before = path.stat().st_ino
    with pytest.raises(StorageError, match=r"has 1 MB free, a copy needs \d+ MB") as caught:
        vacuum(state, now=NOW, report=silently)
    assert caught.value.exit_code is ExitCode.STORAGE
    assert path.stat().st_ino == before
    assert beside(path) <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}


@only_sqlite
def test_somebody_who_reads_for_long_is_in_the_way(
    state: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuuming, "_PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM run").fetchone()
        with pytest.raises(BusyError, match="another process reads"):
            vacuum(state, now=NOW, report=silently)
    vacuum(state, now=NOW, report=silently)


@only_sqlite
@pytest.mark.parametrize("step", ["checking", "writing", "checking the copy"])
def test_whoever_stops_it_gets_the_state_as_it_was(step: str, state: Database, path: Path) -> None:
    rows, before = everything(state), path.stat().st_ino
    told: list[str] = []

    def stop(doing: str, part: float | None) -> None:
        told.append(doing)
        if doing == step and told.count(doing) == 2:  # in the middle of it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vacuum(state, now=NOW, report=stop)
    assert path.stat().st_ino == before
    assert everything(state) == rows
    assert not temporary_name(path).exists()


_CHILD = """
import sys, time
from datetime import UTC, datetime
from jwstwatch.store.engine import open_database
from jwstwatch.store import vacuuming
def report(doing, part):
    if doing == "writing" and part:
        print("in the middle", flush=True)
        time.sleep(60)
vacuuming._STEPS = 100
vacuuming.vacuum(open_database(sys.argv[1]), now=datetime.now(UTC), report=report)
"""


@only_sqlite
def test_killed_in_the_middle_it_leaves_the_state_as_it_was(state: Database, path: Path) -> None:
    rows, before = everything(state), path.stat().st_ino
    state.engine.dispose()
    command = [sys.executable, "-c", _CHILD, f"sqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in the middle\n"
        child.kill()
    assert temporary_name(path).stat().st_size > 0
    assert path.stat().st_ino == before
    assert everything(state) == rows
    # The daemon removes what is left; another vacuum would begin with it anew.
    sweep(path)
    assert not temporary_name(path).exists()
    vacuum(state, now=NOW, report=silently)
    assert everything(state) == rows
    assert path.stat().st_ino != before


@only_sqlite
def test_only_its_owner_or_root_lets_a_copy_take_its_place(
    state: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.stat()
    monkeypatch.setattr("os.geteuid", lambda: before.st_uid + 1)
    with pytest.raises(StorageError, match="belongs to another user"):
        vacuum(state, now=NOW, report=silently)
    assert path.stat().st_ino == before.st_ino


@only_sqlite
def test_a_link_to_the_state_stays_one_and_the_state_its_owners(
    state: Database, path: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    path.chmod(0o660)
    state.engine.dispose()
    with contextlib.closing(open_database(f"sqlite:///{link}")) as linked:
        vacuum(linked, now=NOW, report=silently)
        assert Store(linked).runs.last([PROFILE])
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o660
    assert beside(path) <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}
