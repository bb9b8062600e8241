"""A published site in a real Chromium: what the tests of the pages open, and how they look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Start Debian's Chromium; skips out loud where there is none, but never in CI."""
    executable = shutil.which("chromium")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium, and there is none")
        pytest.skip("there is no Chromium on this machine (it is in CI)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Opened:
    """A page in a context of its own, with everything that the browser complained about."""

    def __init__(self, browser: Browser, address: Path | str, **context: object) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._note_failure)
        self.page.goto(address if isinstance(address, str) else address.as_uri())

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left stops what it was loading
            self.complaints.append(f"failed: {request.url}")

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def head(self, name: str, table: str = "exposures-live") -> Locator:
        """Return the head of a column, whose button sorts."""
        button = self.page.get_by_role("button", name=name, exact=True)
        return self.page.locator(f"#{table} thead th", has=button)

    def sort(self, name: str, table: str = "exposures-live") -> None:
        """Click on the head of a column."""
        self.head(name, table).get_by_role("button").click()

    def column(self, name: str, table: str = "exposures-live") -> list[str]:
        """Return what the visible rows have in a column, from top to bottom."""
        return self.page.evaluate(
            """([table, name]) => {
                const element = document.getElementById(table);
                const heads = Array.from(element.tHead.rows[0].cells, (head) => head.textContent.trim());
                const bodies = Array.from(element.tBodies).flatMap((body) => Array.from(body.rows));
                const whole = bodies.filter((row) => row.cells.length === heads.length);
                const rows = whole.filter((row) => row.checkVisibility());
                return rows.map((row) => row.cells[heads.indexOf(name)].textContent.trim());
            }""",
            [table, name],
        )

    def keys(self, table: str = "exposures-live") -> list[str]:
        """Return the names of the rows of a live table that are in the document."""
        return self.page.locator(f"#{table} tr[data-position] .key").all_inner_texts()

    def wait(self, text: str, section: str = "exposures") -> None:
        """Wait until a live table says how much it shows."""
        expect(self.page.locator(f"#{section}-section .tools output")).to_have_text(text)
