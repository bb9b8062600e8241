"""`doctor`: each check is made to fail for real, and none hides another."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH, small_catalogue
from tests.acceptance.stand_in import standing_in
from tests.acceptance.world import Ended, World

TOKEN = "3f9c0de55a1b4c7e8d2f6a90b1c2d3e4"
NOBODY = 65534
# May look everywhere, as Python itself may lie in root's home, and write nowhere.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *(
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ),
)
NO_PROCESS = 2**22 + 1
"""A number that no process of Linux can have."""


def examine(world: World, *, code: int, **options: Any) -> list[dict[str, str]]:
    """Run the doctor to the exit code that is expected, and return its findings."""
    ended: Ended = world.run("doctor", "--json", **options)
    checks: list[dict[str, str]] = ended.json["checks"]
    assert ended.code == code, (ended.code, checks, ended.err)
    for check in checks:
        assert set(check) == {"name", "status", "text", "hint"}
        assert check["status"] in ("ok", "warning", "problem")
        assert bool(check["hint"]) == (check["status"] != "ok"), check
    return checks


def found(checks: list[dict[str, str]], name: str, status: str) -> list[str]:
    """The texts of the findings of this kind."""
    return [check["text"] for check in checks if (check["name"], check["status"]) == (name, status)]


def problems(checks: list[dict[str, str]]) -> list[str]:
    return [check["name"] for check in checks if check["status"] == "problem"]


def test_a_sound_world_has_no_problem_and_the_daemons_absence_is_a_warning(synced: World) -> None:
    synced.root.chmod(0o2775)
    checks = examine(synced, code=0)
    assert problems(checks) == []
    names = {"configuration", "state", "output folder", "archive", "clock", "token", "daemon", "systemd"}
    assert {check["name"] for check in checks} == names
    assert found(checks, "daemon", "warning") == ["not running: nothing is fetched by schedule"]
    assert any("sound" in text and "12 files" in text for text in found(checks, "state", "ok"))
    assert found(checks, "archive", "ok") == [f"{synced.server} answers"]
    assert "agrees" in found(checks, "clock", "ok")[0]


def test_each_finding_is_a_line_with_a_hint_below_it(synced: World) -> None:
    (synced.root / ".jwstwatch-root").unlink()
    ended = synced.run("doctor")
    assert ended.code == 7
    lines = ended.out.splitlines()
    number, line = next((number, line) for number, line in enumerate(lines) if line.startswith("problem"))
    assert line.startswith("problem  output folder: ")
    assert lines[number + 1].startswith("           Is its disk mounted?")
    assert lines[-1].startswith("1 problem, ")


def test_a_world_that_was_never_used_is_fit_for_its_first_run(world: World) -> None:
    checks = examine(world, code=0)
    assert any("the first run makes it" in text for text in found(checks, "state", "ok"))
    assert any("has not been used yet" in text for text in found(checks, "output folder", "ok"))
    assert not world.state.exists()
    assert not world.root.exists()


# -- the configuration


def test_every_mistake_in_the_configuration_is_told_and_the_rest_is_looked_at(synced: World) -> None:
    text = synced.configuration.read_text()
    synced.configuration.write_text(text.replace("propID", "propIDD") + "nonsense: 1\n")
    (synced.root / ".jwstwatch-root").unlink()
    checks = examine(synced, code=2)
    texts = found(checks, "configuration", "problem")
    assert any("propIDD" in text for text in texts)
    assert any("nonsense" in text for text in texts)
    assert found(checks, "output folder", "problem"), "the state is found all the same"


def test_no_enabled_profile_is_a_warning(world: World) -> None:
    world.configure({"watch": {"propID": 9001, "enabled": False}})
    assert "none enabled" in found(examine(world, code=0), "configuration", "warning")[0]


# -- output folders


def test_a_folder_without_its_marker(synced: World) -> None:
    (synced.root / ".jwstwatch-root").unlink()
    (text,) = found(examine(synced, code=7), "output folder", "problem")
    assert text == f"{synced.root} has no marker: 12 files are known there, and nothing is fetched"


def test_a_folder_that_is_not_there_hides_no_other_finding(synced: World) -> None:
    shutil.rmtree(synced.root)
    synced.server = "http://127.0.0.1:9"
    synced.configure(WATCH)
    checks = examine(synced, code=7)  # storage comes before the archive
    assert set(problems(checks)) == {"output folder", "archive"}


def test_another_folder_in_its_place(synced: World) -> None:
    (synced.root / ".jwstwatch-root").write_text(json.dumps({"root": "another"}))
    assert "is another output folder" in found(examine(synced, code=7), "output folder", "problem")[0]


@pytest.fixture
def shared(synced: World) -> Iterator[World]:
    """The synced world in a place that every user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="jwstwatch-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(synced.folder, folder / "world")
        world = World(folder / "world", synced.server)
        world.configure(WATCH)
        with contextlib.closing(sqlite3.connect(world.state)) as connection, connection:
            connection.execute("UPDATE root SET path = ?", (str(world.root),))
        yield world


def give(world: World, user: int) -> None:
    """Let everything in a world belong to a user."""
    for folder, _, names in os.walk(world.folder):
        for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118
            os.chown(path, user, user)


@pytest.mark.parametrize("by_root", [False, True], ids=["asked by the user", "asked by root"])
def test_a_folder_that_the_user_of_the_state_may_not_write(shared: World, by_root: bool) -> None:
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        give(shared, NOBODY)
        os.chown(shared.root, 0, 0)
        shared.root.chmod(0o755)
        if not by_root:
            options = {"before": AS_NOBODY}
    else:
        if by_root:
            pytest.skip("only root can ask for another user")
        shared.root.chmod(0o555)
    texts = found(examine(shared, code=7, **options), "output folder", "problem")
    shared.root.chmod(0o755)
    assert len(texts) == 1
    assert f"{shared.root} may not be written by" in texts[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_stranger_is_told_that_only_the_writer_can_tell(shared: World) -> None:
    for path in (shared.state, shared.state.parent, shared.configuration):
        path.chmod(path.stat().st_mode | 0o055)
    checks = examine(shared, code=0, before=AS_NOBODY)
    assert any("only root" in text for text in found(checks, "output folder", "ok"))


def test_a_folder_that_is_closed_to_the_team(synced: World) -> None:
    synced.root.chmod(0o700)
    assert any(
        "closed to its group" in text for text in found(examine(synced, code=0), "output folder", "warning")
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to any group")
def test_a_folder_whose_group_is_not_handed_on(synced: World) -> None:
    os.chown(synced.root, 0, NOBODY)
    synced.root.chmod(0o775)
    assert any(
        "does not get its group" in text
        for text in found(examine(synced, code=0), "output folder", "warning")
    )
    synced.root.chmod(0o2775)
    assert not found(examine(synced, code=0), "output folder", "warning")


def test_a_umask_that_closes_files_to_the_team(synced: World) -> None:
    texts = found(examine(synced, code=0, umask=0o077), "output folder", "warning")
    assert any("umask of this process is 0077" in text for text in texts)
    texts = found(examine(synced, code=0, umask=0o002), "output folder", "ok")
    assert any("umask of this process is 0002" in text for text in texts)


def test_more_to_fetch_than_there_is_room_for(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE product SET size = ?", (10**17,))
        connection.execute("UPDATE file SET state = 'wanted', size = NULL, sha256 = NULL WHERE id = 1")
    texts = found(examine(synced, code=0), "output folder", "warning")
    assert any("100 PB are still to be fetched" in text for text in texts)


def test_a_folder_to_come_that_cannot_be_made(world: World) -> None:
    if os.geteuid() == 0:
        world.configure(WATCH, outrootdir="/proc/jwst")  # not even root makes a folder there
    else:
        world.configure(WATCH, outrootdir="/jwst")
    checks = examine(world, code=7 if os.geteuid() else 0)
    assert any("has not been used yet" in check["text"] for check in checks)


# -- the archive


def test_a_server_that_is_not_there(synced: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        synced.server = f"http://127.0.0.1:{free.getsockname()[1]}"
    synced.configure(WATCH)
    checks = examine(synced, code=4)
    assert problems(checks) == ["archive"]
    assert "cannot be reached" in found(checks, "archive", "problem")[0]
    assert "could not be compared" in found(checks, "clock", "warning")[0]


@contextlib.contextmanager
def skewed_archive(ahead: timedelta) -> Iterator[str]:
    """An archive that answers every question in a sentence of its own, and whose clock goes wrong."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(datetime.now(UTC) + ahead, usegmt=True)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paging = {
                "page": 1,
                "pageSize": 1,
                "pagesFiltered": 1,
                "rows": 0,
                "rowsFiltered": 0,
                "rowsTotal": 0,
            }
            body = json.dumps({"status": "COMPLETE", "msg": "", "data": [], "fields": [], "paging": paging})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(timedelta(minutes=20), "is 20min behind"), (timedelta(hours=-2), "is 2h ahead of")],
)
def test_a_clock_that_differs_from_the_archives(synced: World, ahead: timedelta, words: str) -> None:
    with skewed_archive(ahead) as server:
        synced.server = server
        synced.configure(WATCH)
        checks = examine(synced, code=0)
    assert words in found(checks, "clock", "warning")[0]
    assert found(checks, "archive", "ok")


# -- the token


def test_a_token_that_the_archive_rejects(synced: World, now: datetime) -> None:
    with ArchiveServer(small_catalogue(now), token="another-token-than-ours") as server:
        synced.server = server.url
        synced.configure(WATCH)
        ended = synced.run("doctor", "--json", environment={"MAST_API_TOKEN": TOKEN})
    checks = ended.json["checks"]
    assert ended.code == 6, checks
    assert problems(checks) == ["token"]
    assert found(checks, "token", "problem") == ["found in environment: the archive rejects it"]
    assert TOKEN not in ended.out + ended.err


def test_a_token_that_the_archive_takes(synced: World, now: datetime) -> None:
    with ArchiveServer(small_catalogue(now), token=TOKEN) as server:
        synced.server = server.url
        synced.configure(WATCH)
        checks = examine(synced, code=0, environment={"MAST_API_TOKEN": TOKEN})
    assert found(checks, "token", "ok")[0].startswith("found in environment, taken by the archive")


def test_files_that_are_withheld_want_a_token(synced: World) -> None:
    assert found(examine(synced, code=0), "token", "ok") == ["none (public data need none)"]
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE file SET state = 'withheld', reason = 'no token' WHERE id = 1")
    assert found(examine(synced, code=0), "token", "warning") == ["none; 1 file is withheld"]


# -- the state


def test_a_damaged_state(synced: World) -> None:
    content = bytearray(synced.state.read_bytes())
    content[4096 * 3 : 4096 * 12] = b"\xa5" * 4096 * 9
    synced.state.write_bytes(content)
    checks = examine(synced, code=2)
    assert "state" in problems(checks)
    assert found(checks, "archive", "ok"), "what can be looked at is"


def test_a_state_of_a_newer_program(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert any("newer" in text for text in found(examine(synced, code=2), "state", "problem"))


def test_a_state_that_is_closed_to_the_team(synced: World) -> None:
    synced.state.chmod(0o600)
    assert any("closed to its group" in text for text in found(examine(synced, code=0), "state", "warning"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a file from its owner")
def test_a_state_whose_folder_its_owner_may_not_write(shared: World) -> None:
    give(shared, NOBODY)
    os.chown(shared.state.parent, 0, 0)
    shared.state.parent.chmod(0o755)
    shared.state.chmod(0o644)
    checks = examine(shared, code=7)
    assert any("may not be written by" in text for text in found(checks, "state", "problem"))


def test_a_run_that_was_killed(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE run SET outcome = NULL, finished_at = NULL, pid = ?", (NO_PROCESS,))
    assert any(
        "run 1 of watch was killed" in text for text in found(examine(synced, code=0), "state", "warning")
    )


def test_what_holds_is_a_warning(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute(
            "INSERT INTO notice (cause, kind, text, first_at, last_at) VALUES "
            "('heartbeat', 'message', 'nobody answers the heartbeat', '2026-03-01 12:00', '2026-03-01 12:00')"
        )
    assert found(examine(synced, code=0), "notice", "warning") == ["nobody answers the heartbeat"]


# -- the daemon


def runtime_folder(world: World) -> Path:
    return Path(world.environment["XDG_RUNTIME_DIR"])


def test_a_daemon_that_answers_is_believed(synced: World) -> None:
    document = synced.run("status", "--json").json
    document["daemon"] = {
        "running": True,
        "pid": os.getpid(),
        "since": "2026-03-01T12:00:00Z",
        "version": "0",
    }
    document["configuration"]["refused"] = ["jwstwatch.yaml:3: no"]
    document["token"] = {"source": "credential", "days_left": 3, "rejected": False}
    document["notices"] = [{"text": "look here"}]
    with standing_in(runtime_folder(synced), synced.state, lambda _: {"status": document}):
        checks = examine(synced, code=2)
        document["token"] = {"source": "credential", "days_left": 0, "rejected": True}
        document["configuration"]["refused"] = []
        again = examine(synced, code=6)
    assert found(checks, "daemon", "problem") == [
        "it refuses the changed configuration: jwstwatch.yaml:3: no"
    ]
    assert "it runs version 0" in found(checks, "daemon", "warning")[0]
    assert found(checks, "token", "warning") == ["the daemon's, from credential, at most 3 days left"]
    assert found(checks, "notice", "warning") == ["look here"]
    assert any("the umask of the daemon is" in check["text"] for check in checks)
    assert found(again, "token", "problem") == ["the daemon's, from credential: the archive rejects it"]


def test_a_daemon_that_holds_the_state_and_is_silent(synced: World) -> None:
    import fcntl

    lock = synced.state.with_name(f"{synced.state.name}.daemon.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        mark = {"pid": NO_PROCESS, "host": socket.gethostname(), "since": None, "version": None}
        held.write(json.dumps(mark))
        held.flush()
        checks = examine(synced, code=5)
    assert found(checks, "daemon", "problem") == [
        f"it holds the state (process {NO_PROCESS}), but does not answer"
    ]
    assert any("is gone" in text for text in found(checks, "state", "warning")), "and its lock is stale"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_socket_that_is_not_open_to_the_user(shared: World) -> None:
    for path in (shared.state, shared.state.parent, shared.configuration):
        path.chmod(path.stat().st_mode | 0o055)
    with standing_in(runtime_folder(shared), shared.state, lambda _: {}):
        place = runtime_folder(shared) / "jwstwatch" / "control.sock"
        lock = shared.state.with_name(f"{shared.state.name}.daemon.lock")
        lock.write_text(json.dumps({"socket": str(place)}))
        checks = examine(shared, code=0, before=AS_NOBODY)
    assert found(checks, "daemon", "warning") == [f"its socket {place} is not open to this user"]
