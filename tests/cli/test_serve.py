"""`jwstwatch serve` as a user types it, and its pages in a real Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_start_up import HEAVY, LOADED
from tests.acceptance.world import PATIENCE, Ended, World, finish, stop
from tests.cli.conftest import here
from tests.pages.browsing import start_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


class Served:
    """A server that a user started, its address, and how it ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.line = self.next_line()
        assert self.line, finish(process).err
        self.url = self.line.split()[0]
        self.ended: Ended | None = None

    def next_line(self) -> str:
        """Read one more line of what it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def get(self, path: str = "") -> tuple[int, bytes]:
        """Ask for an address."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def stop(self, number: int = signal.SIGTERM) -> Ended:
        """Stop it by a signal."""
        self.ended = stop(self.process, number)
        return self.ended


@contextlib.contextmanager
def served(world: World, *words: str, **options: object) -> Iterator[Served]:
    """Start `jwstwatch serve`, and stop it where the test did not."""
    process = world.start("serve", "--port", "0", *words, **options)
    try:
        server = Served(process)
        yield server
        if server.ended is None:
            assert server.stop().code == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def lone(tmp_path: Path) -> World:
    """A world without an archive: an output folder with a page, whose state was lost."""
    world = World(tmp_path / "world", "http://127.0.0.1:9")
    make_root(world.root)
    world.configure({"watch": {"propID": 9001}})
    return world


def make_root(root: Path) -> None:
    root.mkdir()
    (root / ".jwstwatch-root").write_text('{"root": "x"}')
    (root / "index.html").write_text(f"<!DOCTYPE html><title>{root.name}</title>")


def test_it_serves_until_it_is_told_to_end_and_opens_no_state(lone: World) -> None:
    before = {path: path.stat().st_mtime_ns for path in lone.folder.rglob("*")}
    with served(lone, program=("-c", LOADED), fresh=True) as server:
        assert server.get()[0] == 200
        assert server.get("nothing") == (404, b"There is no such file here.\n")
        ended = server.stop(signal.SIGTERM)
    assert ended.code == 0
    assert f"{server.url}  {lone.root}\n" == server.line
    assert "GET" not in ended.err
    loaded = set(next(line for line in ended.err.splitlines() if line.startswith("LOADED ")).split())
    assert not loaded & HEAVY
    assert "jwstwatch.store" not in loaded
    assert {path: path.stat().st_mtime_ns for path in lone.folder.rglob("*")} == before


def test_who_asked_for_what_is_told_to_whoever_wants_to_see_it(lone: World) -> None:
    with served(lone, "-v") as server:
        server.get()
        server.get("nothing%1B[31m")
        ended = server.stop()
    assert "127.0.0.1 200 GET / HTTP/1.1" in ended.err
    assert "127.0.0.1 404 GET /nothing%1B[31m" in ended.err
    assert "\x1b" not in ended.err


def test_ctrl_c_ends_it_quietly_even_while_somebody_is_connected(lone: World) -> None:
    with served(lone) as server, urllib.request.urlopen(server.url, timeout=PATIENCE) as answer:
        ended = server.stop(signal.SIGINT)
        assert answer.status == 200
    assert (ended.code, ended.out, ended.err) == (130, "", "  Ctrl-C ends it.\n")


def test_a_port_in_use_is_one_sentence(lone: World) -> None:
    with served(lone) as server:
        port = server.url.rstrip("/").rpartition(":")[2]
        ended = here(lone, "serve", "--port", port)
    assert ended.code == 5
    assert ended.err.startswith(f"jwstwatch: port {port} of 127.0.0.1 is in use by another program\n")


def test_a_folder_that_is_not_there_is_told_and_the_others_are_served(lone: World) -> None:
    away = lone.folder / "away"
    lone.configure({"watch": {"propID": 1}, "other": {"propID": 2, "outrootdir": str(away)}})
    with served(lone) as server:
        ended = server.stop()
    assert f"warning: {away} is no output folder at the moment" in ended.err
    assert (server.line, ended.out) == (f"{server.url}  {lone.root}\n", "")
    alone = here(lone, "serve", "other")
    assert (alone.code, alone.out) == (7, "")
    assert alone.err.startswith(f"jwstwatch: {away} is no output folder at the moment")


def test_several_folders_have_an_address_each(lone: World) -> None:
    other = lone.folder / "other"
    make_root(other)
    lone.configure({"watch": {}, "same": {"propID": 1}, "other": {"outrootdir": str(other)}})
    with served(lone) as server:
        first = server.url.removesuffix("1-data/")
        with urllib.request.urlopen(first, timeout=PATIENCE) as answer:
            addresses = re.findall(r'href="/([^"]*/)"', answer.read().decode())
        assert addresses == ["1-data/", "2-other/"]
        with urllib.request.urlopen(f"{first}2-other/", timeout=PATIENCE) as answer:
            assert b"<title>other</title>" in answer.read()
        assert server.next_line() == f"{first}2-other/  {other}\n"


def test_state_and_configuration_in_the_folder_are_not_sent_whatever_they_are_called(lone: World) -> None:
    lone.state = lone.root / "memory"
    lone.configuration = lone.root / "team.txt"
    token = lone.root / "ticket"
    lone.mast = {"token_file": str(token)}
    lone.configure({"watch": {"propID": 9001}})
    for path in (lone.state, lone.root / "memory-wal", token):
        path.write_text("secret")
    with served(lone) as server:
        for name in ("memory", "memory-wal", "team.txt", "ticket"):
            assert server.get(name)[0] == 404, name


def test_other_machines_are_let_in_only_when_told_and_with_a_warning(lone: World) -> None:
    with served(lone, "--host", "0.0.0.0") as server:
        port = server.url.rstrip("/").rpartition(":")[2]
        ended = server.stop()
    assert (
        f"warning: everybody who reaches port {port} of this machine can read all these data\n" in ended.err
    )
    with served(lone) as server:
        assert "warning" not in server.stop().err


def test_a_browser_is_asked_to_open_the_page(lone: World) -> None:
    seen = lone.folder / "seen"
    os.mkfifo(seen)
    script = lone.folder / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    script.chmod(0o755)
    opened: list[str] = []
    reader = threading.Thread(target=lambda: opened.append(seen.read_text().strip()), daemon=True)
    reader.start()
    with served(lone, "--open", environment={"BROWSER": str(script)}) as server:
        reader.join(PATIENCE)
        assert opened == [server.url]


@pytest.mark.parametrize("words", [["--port", "x"], ["--port", "65536"], ["--host", "192.0.2.1"], ["nobody"]])
def test_what_cannot_be_done_is_a_usage_error(lone: World, words: list[str]) -> None:
    assert here(lone, "serve", *words).code == 2


# -- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with start_browser() as browser:
        yield browser


@pytest.mark.browser
def test_the_pages_work_in_a_browser_without_a_complaint(world: World, browser: Browser) -> None:
    from playwright.sync_api import expect

    complaints: list[str] = []
    with served(world) as server:
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on(
            "response",
            lambda answer: (
                complaints.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
            ),
        )
        page.goto(server.url)
        page.locator('a[href*="09001"]').first.click()
        page.wait_for_url(re.compile(r"/09001/"))
        page.wait_for_load_state("networkidle")
        assert page.get_by_text("jw09001001001_02101_00001_nrca1").count() > 0
        image = page.locator("main img:visible").first
        image.scroll_into_view_if_needed()
        expect(image).not_to_have_js_property("naturalWidth", 0)
        page.wait_for_load_state("networkidle")
        page.close()
    assert complaints == []
