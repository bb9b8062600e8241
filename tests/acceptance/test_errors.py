"""What can go wrong outside: each is one clear sentence with a hint and the exit code of the contract."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.conftest import WATCH
from tests.acceptance.world import Ended, World, assert_as_archived, finish, wait_until

TOKEN = "3f9c0de55a1b4c7e8d2f6a90b1c2d3e4"
DOWNLOADS = "/api/v0.1/Download/file"


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """It ended with `code`, and standard error tells what is wrong and, indented, what to do about it."""
    assert ended.code == code, (ended.out, ended.err)
    complaint, hint = "", ""
    for line in ended.err.splitlines():
        if line.startswith("jwstwatch: "):
            complaint, hint = line, ""
        elif line.startswith("  "):
            hint += line
    for word in words:
        assert word in complaint + hint, ended.err
    assert complaint, ended.err
    assert hint, ended.err


@pytest.fixture
def closed_port() -> str:
    """The address of a server that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def wrong_server() -> Iterator[str]:
    """A web server that is no archive: it greets with a page, whatever is asked."""

    class Greeter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Hello</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_archive_that_is_not_there(world: World, closed_port: str) -> None:
    world.server = closed_port
    world.configure(WATCH)
    assert_told(world.run("run-now"), 4, f"{closed_port} cannot be reached", "Check mast.server")
    (run,) = world.run_now(code=4)
    assert (run["outcome"], run["error"]["kind"]) == ("failed", "archive_unreachable")
    assert world.run("status", "--json").json["archive"]["reachable"] is False
    verbose = world.run("query", "-v", "--propID", "9001")
    assert_told(verbose, 4, "cannot be reached")
    assert verbose.err.count("Traceback (most recent call last)") >= 1


def test_a_web_server_that_is_no_archive(world: World, wrong_server: str) -> None:
    world.server = wrong_server
    world.configure(WATCH)
    assert_told(world.run("run-now"), 4, wrong_server, "web page", "Check mast.server")


def test_an_empty_result_is_no_error(world: World) -> None:
    world.configure({"watch": {"propID": 9099}})
    (run,) = world.run_now()
    assert (run["outcome"], run["products"], run["error"]) == ("complete", 0, None)
    ended = world.run("query", "--propID", "9099")
    assert ended.code == 0
    assert "no observation matches the query" in ended.err


def test_every_problem_of_a_configuration_is_told_at_once(world: World) -> None:
    world.configuration.write_text(
        "mast:\n  connections: many\n"
        "profiles:\n  watch:\n    propID: 9001\n    filetype: [rate]\n    every: soon\n"
    )
    ended = world.run("run-now")
    assert_told(ended, 2)
    for line, word in ((2, "connections"), (6, "filetypes"), (7, "every")):
        assert any(f":{line}:" in told and word in told for told in ended.err.splitlines()), ended.err
    problems = world.run("run-now", "--json").json
    assert problems["error"]["kind"] == "configuration"
    assert len(problems["problems"]) == 3


def test_yaml_that_does_not_parse(world: World) -> None:
    world.configuration.write_text("profiles: {watch: [\n")
    assert_told(world.run("run-now"), 2, "jwstwatch.yaml")


def test_a_configuration_that_is_not_there(world: World) -> None:
    assert_told(world.run("run-now", "--config", "nowhere.yaml"), 2, "nowhere.yaml")


def test_an_unknown_profile(world: World) -> None:
    ended = world.run("run-now", "wacth")
    assert_told(ended, 2, "wacth", "watch")
    assert world.run("run-now", "wacth", "--json").json["error"]["kind"] == "usage"


def test_words_that_no_command_has(world: World) -> None:
    for words in (["rnu-now"], ["run-now", "--quick"], ["query", "--lookbacktime", "yesterday"]):
        ended = world.run(*words)
        assert ended.code == 2, words
        assert ended.err


def test_a_file_name_that_nobody_has_listed(synced: World) -> None:
    known = next(iter(synced.files())).rpartition("/")[2]
    ended = synced.run("why", known.replace("_rate", "_rat").replace("_uncal", "_unca"))
    assert_told(ended, 2, known.partition("_nrc")[0])


def test_one_missing_file_costs_only_itself(world: World, archive: ArchiveServer) -> None:
    name = archive.catalogue.products[1].name
    archive.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{name}", status=404, times=None))
    ended = world.run("run-now")
    assert_told(ended, 3, "1 file failed", "jwstwatch why")
    assert f"{name}: " in ended.err
    assert "11 downloaded" in ended.out
    assert_as_archived(world.files(), archive.catalogue)
    (product,) = world.run("why", name, "--json").json["products"]
    assert product["files"][0]["last_error"]
    assert product["files"][0]["next_attempt_at"]
    (again,) = world.run_now(code=3)
    assert (again["unchanged"], again["failed"], again["downloaded"]) == (11, 1, 0)


def test_a_web_page_and_a_cut_where_files_should_be_are_overcome(
    world: World, archive: ArchiveServer
) -> None:
    first, second = archive.catalogue.products[0], archive.catalogue.products[4]
    archive.faults.add(
        Fault(kind=FaultKind.HTML, uri=first.uri), Fault(kind=FaultKind.TRUNCATE, uri=second.uri, after=4000)
    )
    (run,) = world.run_now()
    assert (run["outcome"], run["downloaded"]) == ("complete", 12)
    assert_as_archived(world.files(), archive.catalogue)
    assert len(archive.requests.downloads(first.uri)) == 2


def test_an_archive_that_goes_down_half_way(tmp_path: Path, now: datetime) -> None:
    catalogue = scaled_catalogue(observations=30, now=now, sizes=(6_000, 9_000))
    with ArchiveServer(catalogue) as server:
        world = World(tmp_path / "world", server.url)
        world.configure(WATCH)
        server.faults.add(Fault(kind=FaultKind.STATUS, path=DOWNLOADS, times=None, skip=20))
        ended = world.run("run-now")
        assert_told(ended, 4, "File after file fails", "next run")
        assert "20 downloaded" in ended.out
        assert len(server.requests.downloads()) <= 40, "an archive that is down is left in peace"
        assert_as_archived(world.files(), catalogue)
        assert not list(world.root.rglob("*.part*"))
        server.faults.clear()
        server.requests.clear()
        (run,) = world.run_now()
        assert (run["outcome"], run["downloaded"], run["unchanged"]) == ("complete", 70, 20)
        assert len(server.requests.downloads()) == 70


def test_a_rejected_token_lets_public_data_arrive_and_is_told_nowhere(
    world: World, archive: ArchiveServer
) -> None:
    known = {"MAST_API_TOKEN": TOKEN}
    ended = world.run("run-now", "-vv", environment=known)
    assert_told(ended, 6, "rejected the token", "auth.mast.stsci.edu")
    assert "12 downloaded" in ended.out
    told = [ended.out, ended.err]
    for words in (["run-now", "--json"], ["status", "--json"], ["config", "show"]):
        ended = world.run(*words, environment=known)
        told += [ended.out, ended.err]
    assert TOKEN not in "".join(told)
    for path, content in world.everything_written():
        assert TOKEN.encode() not in content, path
    assert {request.token for request in archive.requests.downloads()} == {None}


def test_an_accepted_token_is_told_nowhere_either(world: World, archive: ArchiveServer) -> None:
    archive.token = TOKEN
    ended = world.run("run-now", "-vvv", environment={"MAST_API_TOKEN": TOKEN})
    assert ended.code == 0, ended.err
    assert {request.token for request in archive.requests.downloads()} == {TOKEN}
    assert TOKEN not in ended.out + ended.err
    for path, content in world.everything_written():
        assert TOKEN.encode() not in content, path
    status = world.run("status", "--json", environment={"MAST_API_TOKEN": TOKEN})
    assert status.json["token"]["source"] == "environment"


def test_a_token_on_the_command_line_is_warned_of_and_not_repeated(
    world: World, archive: ArchiveServer
) -> None:
    archive.token = TOKEN
    typed = world.run("query", "--propID", "9001", "--token", TOKEN)
    assert typed.code == 0
    assert "can be read by everybody" in typed.err
    assert TOKEN not in typed.out + typed.err


def test_a_token_in_the_configuration_is_refused_and_not_repeated(world: World) -> None:
    document = yaml.safe_load(world.configuration.read_text())
    document["mast"]["token"] = TOKEN
    world.configuration.write_text(yaml.safe_dump(document))
    written = world.run("run-now")
    assert_told(written, 2, "credentials do not belong")
    assert TOKEN not in written.out + written.err


IMPATIENT = """
import sys
from jwstwatch.cli.main import run
from jwstwatch.store import engine
engine.BUSY_TIMEOUT = 0.3
sys.argv[0] = "jwstwatch"
run()
"""
"""The program with less patience for a state that another process keeps locked."""


def test_a_state_that_another_process_locks(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = finish(synced.start("run-now", program=("-c", IMPATIENT)))
        assert_told(ended, 5, "is locked by another process")
        assert "Traceback" not in ended.err
        (run,) = finish(synced.start("run-now", "--json", program=("-c", IMPATIENT))).runs
        assert (run["outcome"], run["error"]["kind"], run["products"]) == ("failed", "busy", 0)
        assert synced.run("status").code == 0, "who only looks is not kept waiting"
        other.execute("ROLLBACK")
    (run,) = synced.run_now()
    assert (run["outcome"], run["unchanged"]) == ("complete", 12)


def test_a_profile_that_is_being_run_already(world: World, archive: ArchiveServer) -> None:
    archive.faults.add(Fault(kind=FaultKind.LATENCY, service="Mast.Caom.Filtered*", seconds=60))
    first = world.start("run-now")
    try:
        wait_until(lambda: bool(archive.requests.queries("Mast.Caom.Filtered*")), "a question")
        second = world.run("run-now")
        assert_told(second, 5, "a run goes on already", str(first.pid), "status")
        assert world.run("status", "--json").json["profiles"][0]["last_run"]["outcome"] is None
    finally:
        first.kill()
        finish(first)


def test_something_that_is_no_database(world: World) -> None:
    world.state.parent.mkdir()
    world.state.write_text("not a database, but long enough to be taken for one" * 100)
    assert_told(world.run("run-now"), 2, str(world.state))


def test_a_bug_is_told_as_one_and_shows_its_traceback_only_when_asked(world: World) -> None:
    broken = (
        "import sys\nfrom jwstwatch.cli import main, run_now\n"
        "def fail(*_): raise ZeroDivisionError('division by zero')\n"
        "run_now.run = fail\nmain.run()\n"
    )
    ended = finish(world.start("run-now", program=("-c", broken)))
    assert_told(ended, 1, "this should not happen: ZeroDivisionError", "-v")
    assert "Traceback" not in ended.err
    assert "Traceback" in finish(world.start("run-now", "-v", program=("-c", broken))).err
    as_json = finish(world.start("run-now", "--json", program=("-c", broken)))
    assert as_json.json["error"]["kind"] == "bug"


@pytest.mark.parametrize("words", [["status"], ["config", "check"], ["runs", "--json"]])
def test_an_output_that_is_full_is_told_in_a_sentence(synced: World, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = finish(synced.start(*words, stdout=full))
    assert ended.code == 7
    assert "standard output cannot be written: No space left on device" in ended.err
    assert "Traceback" not in ended.err
