"""Locks that vanish with their process."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from jwstwatch import __version__
from jwstwatch.errors import BusyError, ExitCode
from jwstwatch.store import locks
from jwstwatch.store.engine import Database
from jwstwatch.store.locks import exclusive, holder, in_use, replacing
from tests.store.conftest import POSTGRES

Open = Callable[..., Database]

NOBODY = {"running": False, "pid": None, "since": None, "version": None}

_CHILD = """
import sys
from jwstwatch.store.engine import open_database
from jwstwatch.store.locks import exclusive
with exclusive(open_database(sys.argv[1]), "daemon"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_daemon(url: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "locked\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def test_a_lock_is_held_once_for_each_purpose(url: str, open_at: Open) -> None:
    first, second = open_at(url), open_at(url)
    with exclusive(first, "daemon"):
        with pytest.raises(BusyError, match="another daemon works on this state") as caught:
            exclusive(second, "daemon").__enter__()
        with exclusive(second, "migration"):
            pass
    assert caught.value.exit_code is ExitCode.BUSY
    with exclusive(second, "daemon"):
        pass


def test_a_lock_vanishes_with_its_process_however_that_ends(url: str, open_at: Open) -> None:
    database = open_at(url)
    assert holder(database, "daemon") == NOBODY
    with another_daemon(url) as child:
        assert holder(database, "daemon")["running"] is True
        with pytest.raises(BusyError):
            exclusive(database, "daemon").__enter__()
        child.kill()
        child.wait()
        wait_until_nobody(database)
        with exclusive(database, "daemon"):
            pass
    assert holder(database, "daemon") == NOBODY


def wait_until_nobody(database: Database) -> None:
    """A PostgreSQL server notices the end of a client in its own time."""
    for _ in range(500):
        if holder(database, "daemon") == NOBODY:
            return
        time.sleep(0.01)
    raise AssertionError("the lock of a dead process is still held")


@pytest.mark.parametrize("backend", ["sqlite"])
def test_who_holds_the_lock_of_a_file_is_known(url: str, open_at: Open) -> None:
    with another_daemon(url) as child:
        who = holder(open_at(url), "daemon")
        assert who == {"running": True, "pid": child.pid, "since": who["since"], "version": __version__}
        assert str(who["since"]).endswith("Z")
        with pytest.raises(BusyError, match=f"process {child.pid} on "):
            exclusive(open_at(url), "daemon").__enter__()


def test_a_lock_of_another_state_is_not_ours(url: str, empty_url: str, open_at: Open) -> None:
    with exclusive(open_at(empty_url), "daemon"):
        assert holder(open_at(url), "daemon") == NOBODY
        with exclusive(open_at(url), "daemon"):
            pass


@pytest.mark.parametrize("backend", [POSTGRES])
def test_who_holds_the_lock_of_a_server_is_known(url: str, open_at: Open) -> None:
    with another_daemon(url) as child:
        assert holder(open_at(url), "daemon") == NOBODY | {"running": True, "pid": child.pid}
        told = f"another daemon works on this state: process {child.pid} on {socket.gethostname()}"
        with pytest.raises(BusyError, match=re.escape(told)):
            exclusive(open_at(url), "daemon").__enter__()


@pytest.mark.parametrize("backend", [POSTGRES])
def test_a_lock_of_a_session_without_a_name_of_ours_is_a_lock_all_the_same(url: str, open_at: Open) -> None:
    database = open_at(url)
    with exclusive(database, "daemon"):
        pass  # the session goes back to the pool with its name
    with database.engine.connect() as connection:
        connection.execute(text("SET application_name = 'psql'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": locks._key("daemon")})
        assert holder(open_at(url), "daemon") == NOBODY | {"running": True}
        with pytest.raises(BusyError, match="another daemon works on this state$"):
            exclusive(open_at(url), "daemon").__enter__()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_state_behind_links_has_one_lock_whatever_it_is_called(
    url: str, open_at: Open, tmp_path: Path
) -> None:
    real = Path(url.removeprefix("sqlite:///"))
    link, chain, folder = tmp_path / "link.db", tmp_path / "chain.db", tmp_path / "folder"
    link.symlink_to(real)
    chain.symlink_to("link.db")
    folder.symlink_to(real.parent)
    for name in (link, chain, folder / real.name, folder / ".." / real.parent.name / real.name):
        for one, other in ((real, name), (name, real)):
            with exclusive(open_at(f"sqlite:///{one}"), "daemon"):
                assert holder(open_at(f"sqlite:///{other}"), "daemon")["pid"] == os.getpid()
                with pytest.raises(BusyError, match="another daemon works on this state"):
                    exclusive(open_at(f"sqlite:///{other}"), "daemon").__enter__()
            with in_use(open_at(f"sqlite:///{one}")), pytest.raises(BusyError):
                replacing(other).__enter__()
    assert {each.name for each in tmp_path.iterdir()} == {"link.db", "chain.db", "folder"}


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_lock_file_that_says_nothing_is_a_lock_all_the_same(url: str, open_at: Open) -> None:
    path = Path(url.removeprefix("sqlite:///") + ".daemon.lock")
    with exclusive(open_at(url), "daemon"):
        for content in (b"", b"{", b"[1, 2]", b"\xff\xfe"):
            path.write_bytes(content)
            assert holder(open_at(url), "daemon") == NOBODY | {"running": True}
        with pytest.raises(BusyError):
            exclusive(open_at(url), "daemon").__enter__()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_glance_at_a_lock_does_not_get_in_the_way_of_taking_it(url: str, open_at: Open) -> None:
    database = open_at(url)
    with exclusive(database, "daemon"):
        pass
    glance = os.open(url.removeprefix("sqlite:///") + ".daemon.lock", os.O_RDONLY)
    fcntl.flock(glance, fcntl.LOCK_SH)
    ending = threading.Timer(0.05, os.close, [glance])
    ending.start()
    with exclusive(database, "daemon"):
        pass
    ending.join()


def test_who_holds_a_lock_can_ask_whether_it_still_does(database: Database) -> None:
    with exclusive(database, "daemon") as holds:
        assert holds()
        if database.is_sqlite:
            return
        with database.engine.connect() as connection, connection.begin():
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE "
                "datname = current_database())"
            )
        assert not holds()
        assert not holds(), "a new connection does not have the former one's lock"
