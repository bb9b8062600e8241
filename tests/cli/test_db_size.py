"""How large the state is, and `db vacuum`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.cli.db_size import _Teller
from jwstwatch.store.engine import open_database
from jwstwatch.store.locks import exclusive
from jwstwatch.store.restoring import settle
from jwstwatch.store.store import open_store
from tests.acceptance.world import World
from tests.cli.conftest import here
from tests.store.desk import NOW, Desk, file_names

FILES = file_names(3)
ROWS = {"products", "files", "listings", "events", "events_since", "runs", "bytes_per_product"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A user whose state knows three files."""
    made = World(tmp_path_factory.mktemp("sized") / "world", "http://127.0.0.1:9")
    made.configure({"watch": {"propID": 1345}})
    with open_store(f"sqlite:///{made.state}", upgrade=True) as store:
        Desk.set_up(store, made.root).fetch(*FILES)
        settle(store.database, now=NOW)
    return made


def test_vacuum_says_how_large_the_state_was_and_is(world: World) -> None:
    files = world.file_rows()
    told: dict[str, Any] = here(world, "db", "vacuum", "--json").json
    assert set(told) == {"schema", "state", "before_bytes", "after_bytes", *ROWS}
    assert (told["files"], told["runs"]) == (3, 1)
    assert told["before_bytes"] >= told["after_bytes"] == world.state.stat().st_size
    assert told["bytes_per_product"] == round(told["after_bytes"] / told["products"])
    assert world.file_rows() == files
    ended = here(world, "db", "vacuum")
    assert f"{world.state}: " in ended.out
    assert "3 files" in ended.out
    assert "per product" in ended.out
    assert [line.split()[1] for line in ended.err.splitlines()] == [
        "checking",
        "counting",
        "writing",
        "checking",
    ]


def test_check_tells_the_size_too(world: World) -> None:
    told = here(world, "db", "check", "--json").json
    assert told["problems"] == []
    assert set(told["size"]) == {"bytes", *ROWS}
    assert "per product" in here(world, "db", "check").out


def test_vacuum_is_refused_while_a_daemon_serves_the_state(world: World) -> None:
    database = open_database(f"sqlite:///{world.state}")
    try:
        with exclusive(database, "daemon"):
            ended = here(world, "db", "vacuum")
    finally:
        database.close()
    assert ended.code == 5
    assert "a daemon works with the state" in ended.err
    assert "Stop it (`systemctl stop jwstwatch`), vacuum it, and start it again." in ended.err


def test_there_is_nothing_to_vacuum_before_the_first_run(tmp_path: Path) -> None:
    new = World(tmp_path / "new", "http://127.0.0.1:9")
    new.configure({"watch": {"propID": 9001}})
    ended = here(new, "db", "vacuum")
    assert (ended.code, new.state.exists()) == (2, False)
    assert "there is no state" in ended.err


def test_on_a_terminal_the_progress_stays_in_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    teller = _Teller(quiet=False)
    for part in (None, 0.504, 0.505, 1.0):
        teller("writing", part)
    teller.end()
    written = capsys.readouterr().err
    assert "\n" not in written
    assert written.count("50%") == 1
    assert written.endswith("100% ...\r\033[K")
