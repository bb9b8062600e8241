"""Looking at a state: quick, without a trace, and allowed to those who may only read it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jwstwatch.core.model import Trigger
from jwstwatch.errors import StorageError
from jwstwatch.store.store import Store, open_store, open_to_look
from tests.conftest import PROJECT
from tests.store.conftest import POSTGRES, SQLITE
from tests.store.desk import NOW, OTHER, PROFILE

NOBODY = 65534
"""A user who has nothing here but the group that a test gives the state."""

_LOOK = """
import grp, json, os, sys, tempfile
from pathlib import Path
from jwstwatch.errors import JwstwatchError
from jwstwatch.store.sqlite_files import connect_to_read
from jwstwatch.store.store import open_store, open_to_look
url, user, wish = sys.argv[1:]
if user:
    # Another user may not be able to read what Python loads: it is loaded before.
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder, "state.db")
        open_store(f"sqlite:///{other}", upgrade=True).database.close()
        open_to_look(f"sqlite:///{other}").runs.history(profile=None, limit=1)
        connect_to_read(other, timeout=1.0).close()
    os.setgroups([]), os.setgid(int(user)), os.setuid(int(user))
runs = problem = None
try:
    with open_to_look(url) as store:
        runs = [run.profile for run in store.runs.history(profile=None, limit=9)]
        store.reports.counts(), store.roots.all(), store.notices.holding()
        if wish:
            store.runs.approve("x", 1)
except JwstwatchError as error:
    problem = [int(error.exit_code), error.message, error.hint]
heavy = ("alembic", "mako", "sqlalchemy.dialects.postgresql", "psycopg")
print(json.dumps({"runs": runs, "problem": problem, "loaded": [n for n in heavy if n in sys.modules]}))
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")


def look(url: str, *, user: int | None = None, write: bool = False) -> dict[str, Any]:
    """Look in another process, as another user; what it saw, or why it could not."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, url, str(user or ""), "write" if write else ""],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def look_as_member(url: str, *, write: bool = False) -> dict[str, Any]:
    """Look as somebody of the group who owns nothing."""
    return look(url, user=NOBODY, write=write)


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a state may be that its owner writes and its group reads."""
    with tempfile.TemporaryDirectory(prefix="jwstwatch-looking-") as name:
        folder = Path(name)
        os.chown(folder, -1, NOBODY if os.geteuid() == 0 else -1)
        folder.chmod(0o2750)  # as a team's folder is: new files get its group
        yield folder / "state.db"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextlib.contextmanager
def in_use(path: Path) -> Iterator[Store]:
    """The state with one run, open for writing."""
    with open_store(url_of(path), upgrade=True) as store:
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
        yield store


def beside(path: Path) -> dict[str, int]:
    """The files in the folder of a state, with their modes."""
    return {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}


@pytest.mark.parametrize("backend", [SQLITE])
def test_a_look_loads_neither_alembic_nor_another_database(url: str) -> None:
    assert look(url)["loaded"] == []


def test_a_look_at_a_state_that_was_never_used_is_quick_too(tmp_path: Path) -> None:
    seen = look(url_of(tmp_path / "nothing" / "state.db"))
    assert seen == {"runs": [], "problem": None, "loaded": []}
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("backend", [POSTGRES])
def test_a_look_at_a_database_that_was_never_used_sees_an_empty_state(empty_url: str) -> None:
    seen = look(empty_url)
    assert (seen["runs"], seen["problem"]) == ([], None)
    with open_store(empty_url, upgrade=True) as store:  # nothing was made there
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    assert look(empty_url)["runs"] == [PROFILE]


@pytest.mark.parametrize("backend", [POSTGRES])
def test_a_state_that_lost_its_schema_s_name_is_not_taken_for_an_empty_one(own_url: str) -> None:
    with open_store(own_url, upgrade=True) as store, store.database.write() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    code, message, _ = look(own_url)["problem"]
    assert (code, "has not been set up" in message) == (2, True)


@pytest.mark.parametrize("backend", [POSTGRES])
def test_a_look_at_a_server_loads_no_alembic(url: str) -> None:
    assert not {"alembic", "mako"} & set(look(url)["loaded"])


def test_a_writer_whose_state_is_current_loads_no_alembic(url: str) -> None:
    program = (
        "import sys; from jwstwatch.store.store import open_store; open_store(sys.argv[1], upgrade=True)"
    )
    words = [sys.executable, "-c", f"{program}; assert 'alembic' not in sys.modules", url]
    subprocess.run(words, check=True, cwd=PROJECT)


def test_whoever_looks_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with in_use(path):
        pass
    content, files = path.read_bytes(), beside(path)
    with open_to_look(url_of(path)) as store:
        assert len(store.runs.history(profile=None, limit=5)) == 1
    assert path.read_bytes() == content
    assert beside(path) == files


def test_what_is_written_while_somebody_looks_is_seen_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with in_use(path) as writer, open_to_look(url_of(path)) as store:
        assert len(store.runs.history(profile=None, limit=5)) == 1
        writer.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        assert len(store.runs.history(profile=None, limit=5)) == 2


@needs_root
def test_a_member_of_the_group_sees_a_state_that_is_being_written(path: Path) -> None:
    with in_use(path) as store:
        assert beside(path) == dict.fromkeys(beside(path), 0o640)
        assert {"state.db-wal", "state.db-shm"} <= set(beside(path))
        before = beside(path)
        assert look_as_member(url_of(path))["runs"] == [PROFILE]
        store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        assert look_as_member(url_of(path))["runs"] == [OTHER, PROFILE]
        assert beside(path) == before
        store.runs.begin("third", Trigger.MANUAL, now=NOW)  # the reader stands in nobody's way


@needs_root
def test_a_member_of_the_group_sees_a_state_that_nobody_has_open(path: Path) -> None:
    with in_use(path):
        pass
    before = beside(path)
    assert "state.db-wal" not in before
    assert look_as_member(url_of(path))["runs"] == [PROFILE]
    assert beside(path) == before
    with in_use_again(path) as store:
        assert len(store.runs.history(profile=None, limit=5)) == 2


@contextlib.contextmanager
def in_use_again(path: Path) -> Iterator[Store]:
    with open_store(url_of(path), upgrade=True) as store:
        store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        yield store


@needs_root
def test_a_member_of_the_group_sees_what_a_killed_process_left(path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITE_AND_WAIT, url_of(path)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    child.kill()
    child.communicate()
    assert "state.db-wal" in beside(path)
    assert look_as_member(url_of(path))["runs"] == [PROFILE]
    (path.parent / "state.db-shm").unlink()
    code, message, hint = look_as_member(url_of(path))["problem"]
    assert code == 7
    assert "was left unfinished" in message
    assert "jwstwatch db check" in hint


_WRITE_AND_WAIT = """
import sys, time
from jwstwatch.core.model import Trigger
from jwstwatch.store.store import open_store
from tests.store.desk import NOW, PROFILE
store = open_store(sys.argv[1], upgrade=True)
store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
print("written", flush=True)
time.sleep(600)
"""


@needs_root
def test_a_member_who_may_put_files_into_the_folder_leaves_none_there(path: Path) -> None:
    path.parent.chmod(0o2770)
    with in_use(path):
        pass
    before = beside(path)
    assert look_as_member(url_of(path))["runs"] == [PROFILE]
    assert beside(path) == before


@needs_root
def test_a_member_of_the_group_cannot_write_and_is_told_so(path: Path) -> None:
    with in_use(path):
        code, message, hint = look_as_member(url_of(path), write=True)["problem"]
    assert (code, "may not be written by this user" in message, bool(hint)) == (7, True, True)


@needs_root
def test_a_stranger_is_told_which_group_may_read(path: Path) -> None:
    with in_use(path):
        pass
    for mode in (0o755, 0o750):
        path.parent.chmod(mode)
        code, message, _ = look(url_of(path), user=NOBODY - 1)["problem"]
        assert code == 7
        assert f"{path} may not be read by this user" in message
    path.parent.chmod(0o755)
    hint = look(url_of(path), user=NOBODY - 1)["problem"][2]
    assert "nogroup" in hint or "nobody" in hint


def test_a_state_on_a_disk_that_is_read_only_can_be_looked_at(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the tests as another user show the same")
    path = tmp_path / "state.db"
    with in_use(path):
        pass
    tmp_path.chmod(0o555)
    try:
        with open_to_look(url_of(path)) as store:
            assert len(store.runs.history(profile=None, limit=5)) == 1
            with pytest.raises(StorageError):
                store.runs.approve(PROFILE, 1)
    finally:
        tmp_path.chmod(0o755)


@needs_root
def test_files_that_root_makes_beside_a_service_s_state_are_the_service_s(path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)
    path.touch(0o640)
    os.chown(path, NOBODY, NOBODY)
    with in_use(path):
        owners = {each.name: each.stat().st_uid for each in path.parent.iterdir()}
    assert set(owners.values()) == {NOBODY}
    assert {"state.db-wal", "state.db.migration.lock", "state.db.restore.lock"} <= set(owners)
