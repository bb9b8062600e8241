"""A figure stands only for what was done, and done to the whole of a world that is as it says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as suite
from benchmarks.sky import FILES
from benchmarks.worlds import NoWorldError, World, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world of one visit, in the place of one that somebody began to make."""
    folder = tmp_path_factory.mktemp("worlds")
    half = folder / str(FILES)
    half.mkdir()
    (half / "being-made").touch()
    (half / "state.db").write_bytes(b"no state yet")
    return make_world(folder, 200)


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing is done once, from the folder of the project."""
    monkeypatch.setattr(suite, "SMALL", 0)
    monkeypatch.chdir(Path(suite.__file__).parent.parent)


def rows(
    world: World, monkeypatch: pytest.MonkeyPatch, *names: str
) -> tuple[str | int | None, Mapping[str, Any]]:
    """Measure these things; return the exit code and the row of each."""
    cases = tuple(case for case in suite.CASES if case.name in names)
    assert len(cases) == len(names)
    monkeypatch.setattr(suite, "CASES", cases)
    to = world.folder.parent
    before = {*to.glob("results-*.json")}
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--to", str(to), "--sizes", "200"])
    code: str | int | None = 0
    try:
        suite.main()
    except SystemExit as left:
        code = left.code
    (stored,) = {*to.glob("results-*.json")} - before
    found = json.loads(stored.read_text())["rows"]
    stored.unlink()
    return code, {row["case"]: row for row in found}


def test_a_world_holds_what_it_says_and_has_nothing_to_be_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, found = rows(world, monkeypatch, "nothing new", "status")
    assert code == 0
    assert found["nothing new"]["said"] == {
        "outcome": "complete",
        "error": None,
        "downloaded": 0,
        "unchanged": FILES,
        "pages": 0,
    }
    assert found["status"]["said"]["files"] == FILES
    assert all(row["statements"] and 20 < row["peak"] < 400 for row in found.values())


def test_what_was_not_done_to_all_files_is_told_without_figures(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = next((world.folder / "data").rglob("*_cal.fits"))
    size = lost.stat().st_size
    lost.unlink()
    try:
        code, found = rows(world, monkeypatch, "verify --quick")
    finally:
        lost.touch()
        os.truncate(lost, size)
    assert code == "python -m benchmarks: 1 of 1 measurements failed"
    assert {*found["verify --quick"]} == {"case", "files", "failed"}
    assert f"{FILES} files failed: exit code is 3, not 0" in capsys.readouterr().out


def test_a_folder_in_the_place_of_a_world_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / str(FILES) / "mine"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(NoWorldError, match="was not made here"):
        make_world(tmp_path, 200)
    assert mine.exists()


def test_a_figure_of_memory_has_nothing_of_the_process_that_began_it(world: World) -> None:
    ballast = b"x" * 300_000_000
    (case,) = (case for case in suite.CASES if case.name == "files --json")
    assert suite.measure(case, world)["peak"] < 200 < len(ballast) / 1e6
