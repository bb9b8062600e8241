"""`jwstwatch token status` and `--token-file` against an archive that knows a token."""

from __future__ import annotations

import json
import re
import threading

import pytest

from jwstwatch.cli import session
from jwstwatch.config import load
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.store.store import open_store
from jwstwatch.sync.context import Silence
from tests.acceptance.world import World

TOKEN = "0123456789abcdefhunter2hunter2ff"


@pytest.fixture(autouse=True)
def known(archive: ArchiveServer) -> None:
    archive.token = TOKEN


@pytest.fixture
def with_file(world: World) -> World:
    path = world.folder / "key"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    world.mast = {"token_file": "key"}
    world.configure({"watch": {"propID": 9001}})
    return world


def test_a_token_in_a_file_is_taken_and_its_age_is_not_known_before_a_run(with_file: World) -> None:
    ended = with_file.run("token", "status", "--json")
    assert ended.code == 0, ended.err
    expected = {"source": "token file", "status": "accepted", "days_left": None}
    assert ended.json["token"].items() >= expected.items()
    assert not with_file.state.exists()


def test_after_a_run_the_days_that_are_left_are_told(with_file: World) -> None:
    with_file.run_now()
    ended = with_file.run("token", "status", "--json")
    assert 0 < ended.json["token"]["days_left"] <= 10
    text = with_file.run("token", "status").out
    assert re.search(r"days that it has left at most: (60|59), 10 if nothing uses it", text)
    assert TOKEN not in text + json.dumps(ended.json)


def test_a_typed_file_wins_and_a_rejected_token_has_no_days_left(with_file: World) -> None:
    other = with_file.folder / "other"
    other.write_text("wrong\n")
    other.chmod(0o600)
    ended = with_file.run("token", "status", "--json", "--token-file", "other")
    assert ended.code == 6
    assert ended.json["token"].items() >= {"status": "rejected", "days_left": 0}.items()
    ended = with_file.run("token", "status", "--token-file", "other")
    assert ended.code == 6
    assert "rejects the token from the token file" in ended.err


def test_a_run_reads_a_rejected_token_once_more(with_file: World) -> None:
    key = with_file.folder / "key"
    settings = load(with_file.configuration, environ=with_file.environment, folder=with_file.folder)
    key.write_text("outdated\n")
    with open_store("sqlite://", upgrade=True) as store:
        context = session.make_context(settings, store, stop=threading.Event(), report=Silence())
    assert context.token == "outdated"
    assert context.reread_token("outdated") is None
    key.write_text(f"{TOKEN}\n")
    assert context.reread_token("outdated") == TOKEN
    assert context.reread_token(TOKEN) is None
    assert TOKEN not in repr(context)


def test_a_token_is_in_no_file_and_no_output_of_a_whole_day(with_file: World) -> None:
    said = ""
    for words in (
        ["run-now", "-v"],
        ["status"],
        ["token", "status", "-vv"],
        ["config", "show"],
        ["config", "check"],
        ["query", "--propID", "9001", "--token-file", "key"],
    ):
        ended = with_file.run(*words)
        said += ended.out + ended.err
    assert TOKEN not in said
    holding = [path for path, content in with_file.everything_written() if TOKEN.encode() in content]
    assert holding == [with_file.folder / "key"]
