"""The home page in a real Chromium, opened as a file: by the reader's clock, and without any script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from jwstwatch.pages.publishing import publish_home
from tests.pages import homes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NOW = homes.LAST + timedelta(minutes=50)
HOUR = 3600_000
"""Milliseconds."""

STANDING: dict[str, Any] = {
    "at": "2026-03-01T09:48:00Z",
    "archive": {"reachable": True, "checked_at": "2026-03-01T09:38:00Z"},
    "profiles": [
        {
            "name": "ers-1345",
            "outcome": "complete",
            "started_at": "2026-03-01T09:30:00Z",
            "finished_at": "2026-03-01T09:38:00Z",
            "error": None,
            "next_run_at": "2026-03-01T15:30:00Z",
            "files": {"downloaded": 12, "unchanged": 3000, "waiting": 3, "withheld": 40, "failed": 0},
        },
        {
            "name": "everything-new",
            "outcome": "failed",
            "started_at": "2026-02-26T09:30:00Z",
            "finished_at": "2026-02-26T09:38:00Z",
            "error": "<b>the archive</b> did not answer",
            "next_run_at": None,
            "files": {"downloaded": 0, "unchanged": 0, "waiting": 0, "withheld": 0, "failed": 0},
        },
    ],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    publish_home(homes.make_home(root))
    tell(root, STANDING)
    return root / "index.html"


def tell(root: Path, standing: dict[str, Any]) -> None:
    (root / "jwstwatch-assets" / "standing.js").write_text(f"jwstwatch.standing({json.dumps(standing)});\n")


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    complaints: list[str] = []
    yield complaints
    assert complaints == []


@pytest.fixture
def opened(browser: Browser, home: Path, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = listened(context.new_page(), complaints)
    page.clock.install(time=NOW)
    page.goto(home.as_uri())
    yield page
    context.close()


def listened(page: Page, complaints: list[str]) -> Page:
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    return page


def test_tiles_count_what_is_new_by_the_readers_clock(opened: Page) -> None:
    expect(opened.locator("#new-day .figure")).to_have_text("24 files")
    expect(opened.locator("#new-day .quiet")).to_have_text("2.40 GB, 2 proposals, 2 reprocessed")
    expect(opened.locator("#new-week .figure")).to_have_text("144 files")
    expect(opened.locator("#proposals tr.fresh th")).to_have_text(["01189", "01345"])
    expect(opened.locator("tr[data-proposal='2107'] .fresh-count")).to_have_text("100 new in 7 d")
    # The page stays open over night: nothing is written anew, yet what was new is not any more.
    opened.clock.fast_forward(25 * HOUR)
    expect(opened.locator("#new-day .figure")).to_have_text("0 files")
    expect(opened.locator("#new-day .quiet")).to_have_text("nothing arrived")
    expect(opened.locator("#new-week .figure")).to_have_text("144 files")
    expect(opened.locator("#proposals tr.fresh")).to_have_count(0)
    expect(opened.locator("tr[data-proposal='1345'] .fresh-count")).to_have_text("20 new in 7 d")
    opened.clock.fast_forward(7 * 24 * HOUR)
    expect(opened.locator(".fresh-count")).to_have_count(0)


def test_profiles_tell_how_their_last_runs_went(opened: Page, home: Path) -> None:
    first, second, third = opened.locator("li[data-profile] .standing").all()
    expect(first).to_have_text(
        "completelast run 12 min ago (2026-03-01T09:38Z); 3,012 files in order, 3 waiting, 40 withheld; "
        "next run in 6 h (2026-03-01T15:30Z)"
    )
    expect(second).to_have_text("failedlast run 3 d ago (2026-02-26T09:38Z)<b>the archive</b> did not answer")
    expect(third).to_contain_text("jwstwatch status resting")
    expect(opened.locator("#archive")).to_have_text("The archive answered 12 min ago (2026-03-01T09:38Z).")
    # A run ends while the page is open.
    later = STANDING | {"archive": {"reachable": False, "checked_at": "2026-03-01T09:55:00Z"}}
    try:
        tell(home.parent, later)
        opened.clock.fast_forward("06:00")
        expect(opened.locator("#archive")).to_have_text(
            "The archive did not answer 1 min ago (2026-03-01T09:55Z)."
        )
    finally:
        tell(home.parent, STANDING)


def test_every_day_of_a_plot_has_a_tip_and_the_table_its_figures(opened: Page) -> None:
    expect(opened.locator("svg.plot")).to_have_count(3)
    expect(opened.get_by_role("img", name="Files per day")).to_be_visible()
    bars = opened.locator("svg.plot").first.locator(".bar")
    assert bars.count() > 30
    fill = bars.first.evaluate("bar => getComputedStyle(bar).fill")
    assert fill not in ("rgb(0, 0, 0)", "none")  # the style sheet reaches into the plot
    opened.get_by_text("Arrivals by day, UTC").click()
    expect(opened.locator(".by-day tbody tr").first).to_contain_text("2026-03-01")


def test_the_table_sorts_and_filters(opened: Page) -> None:
    opened.get_by_role("button", name="On disk").click()
    expect(opened.locator("#proposals tbody th").first).to_have_text("01345")
    opened.get_by_role("searchbox").fill("cosmic")
    expect(opened.locator("#proposals tbody tr:visible")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(
    browser: Browser, home: Path, complaints: list[str], scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = listened(context.new_page(), complaints)
    page.goto(home.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#proposals thead")).to_be_hidden()
    context.close()


def test_without_script_the_page_says_the_same_in_days(
    browser: Browser, home: Path, complaints: list[str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = listened(context.new_page(), complaints)
    page.goto(home.as_uri())
    expect(page.locator("#newest-day")).to_contain_text("2026-03-01")
    expect(page.locator("#new-day")).to_be_hidden()
    expect(page.locator("#proposals tbody tr")).to_have_count(5)
    expect(page.locator("svg.plot")).to_have_count(3)
    expect(page.locator("li[data-profile]").first).to_contain_text("jwstwatch status ers-1345")
    page.get_by_text("Arrivals by day, UTC").click()
    expect(page.locator(".by-day tbody tr").first).to_be_visible()
    context.close()
