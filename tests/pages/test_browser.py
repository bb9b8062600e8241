"""The pages in a real Chromium, opened as files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.pages.publishing import publish
from tests.pages import examples

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
TITLE = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium, and there is none")
        pytest.skip("there is no Chromium on this machine (it is in CI)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("site")
    ceers = examples.make_ceers(2)
    # Sizes and numbers that sort differently as text: 9 and 117, and one exposure without any.
    files = [replace(file, size=9_000) if "nrcb4" in file.name else file for file in ceers.files]
    files = [
        examples.with_keywords(file, {"NGROUPS": 100, "FILTER": TITLE}) if "nrcblong" in file.name else file
        for file in files
    ]
    gaps = [
        Gap(proposal=1345, obsnum=number, kind=GapKind.WITHHELD, what=TITLE, names=(TITLE,), reason=TITLE)
        for number in range(1, 15)
    ]
    ceers = replace(ceers, files=tuple(files), gaps=tuple(gaps))
    site = examples.make_site(root, examples.with_summary(ceers, title=TITLE, missing=14))
    publish(site)
    return root


class Opened:
    """A page in a context of its own, with everything that the browser complained about."""

    def __init__(self, browser: Browser, address: Path, **context: object) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.goto(address.as_uri())

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def column(self, name: str, table: str = "exposures") -> list[str]:
        """Return what the visible rows have in a column, from top to bottom."""
        return self.page.evaluate(
            """([table, name]) => {
                const element = document.getElementById(table);
                const heads = Array.from(element.tHead.rows[0].cells, (head) => head.textContent.trim());
                const rows = Array.from(element.tBodies[0].rows).filter((row) => row.checkVisibility());
                return rows.map((row) => row.cells[heads.indexOf(name)].textContent.trim());
            }""",
            [table, name],
        )

    def head(self, name: str, table: str = "exposures"):
        return self.page.locator(
            f"#{table} thead th", has=self.page.get_by_role("button", name=name, exact=True)
        )


@pytest.fixture
def opened(browser, root) -> Iterator[Opened]:
    with Opened(browser, root / "01345" / "index.html", viewport={"width": 1400, "height": 900}) as opened:
        yield opened
        assert opened.complaints == []


def test_a_hostile_title_is_shown_and_does_nothing(opened):
    assert opened.page.title() == f"01345 · {TITLE}"
    assert opened.page.locator("h1").inner_text().endswith(TITLE)
    assert TITLE in opened.column("FILTER")


def test_the_style_sheet_and_the_thumbnails_load(opened):
    background = opened.page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert background == "rgb(20, 29, 43)"
    image = opened.page.locator("#exposures img").first
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("naturalWidth", 120)


def test_a_click_on_a_column_head_sorts_and_a_second_click_turns_the_order(opened):
    before = opened.column("Exposure")
    head = opened.head("FILTER")
    assert head.get_attribute("aria-sort") is None
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    filters = opened.column("FILTER")
    filled = [word for word in filters if word]
    assert filled[0] == TITLE
    assert filled[1:] == sorted(filled[1:])
    assert sorted(opened.column("Exposure")) == sorted(before)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert opened.column("FILTER")[0] == "F444W"
    assert opened.page.locator("th[aria-sort]").count() == 1


def test_numbers_sort_as_numbers_and_empty_cells_stay_last(opened):
    button = opened.head("NGROUPS").get_by_role("button")
    button.click()
    ascending = opened.column("NGROUPS")
    assert [word for word in ascending if word] == ["9"] * (len(ascending) - 2) + ["100"] * 2
    opened.head("size").get_by_role("button").click()
    sizes = opened.column("size")
    assert sizes[:2] == ["9.00 kB", "9.00 kB"]
    opened.head("size").get_by_role("button").click()
    assert opened.column("size")[-2:] == ["9.00 kB", "9.00 kB"]


@pytest.mark.parametrize("clicks", [1, 2])
def test_empty_cells_stay_last_in_both_directions(opened, clicks):
    for _ in range(clicks):
        opened.head("Exposures", "observations").get_by_role("button").click()
    assert opened.column("Exposures", "observations")[-1] == ""


def test_equal_rows_keep_the_order_they_had(opened):
    opened.head("sca").get_by_role("button").click()
    by_detector = opened.column("Exposure")
    opened.head("PUPIL").get_by_role("button").click()
    assert opened.column("Exposure") == by_detector


def test_the_keyboard_sorts(opened):
    button = opened.head("visit").get_by_role("button")
    button.focus()
    opened.page.keyboard.press("Enter")
    assert opened.head("visit").get_attribute("aria-sort") == "ascending"
    opened.page.keyboard.press("Space")
    assert opened.head("visit").get_attribute("aria-sort") == "descending"


def test_the_filter_shows_the_rows_that_have_every_word(opened):
    tools = opened.page.locator(".tools[data-for=exposures]")
    box, output = tools.get_by_role("searchbox"), tools.locator("output")
    total = len(opened.column("sca"))
    box.fill("NRCB4 f115w")
    expect(output).to_have_text(f"1 of {total} shown")
    assert opened.column("sca") == ["nrcb4"]
    opened.head("obs_id").get_by_role("button").click()
    assert opened.column("sca") == ["nrcb4"]
    box.fill("no such thing")
    expect(output).to_have_text(f"0 of {total} shown")
    assert opened.column("sca") == []
    box.fill("")
    expect(output).to_have_text("")
    assert len(opened.column("sca")) == total


def test_the_column_heads_stay_in_sight(opened):
    top = opened.page.evaluate(
        """() => {
            const scroller = document.querySelector('#exposures').parentElement;
            scroller.scrollIntoView();
            scroller.scrollTop = 1000;
            scroller.scrollLeft = 400;
            const head = document.querySelector('#exposures thead th').getBoundingClientRect();
            const frame = scroller.getBoundingClientRect();
            return [scroller.scrollTop, head.top - frame.top, head.left - frame.left];
        }"""
    )
    assert top[0] == 1000
    assert max(map(abs, top[1:])) < 3


def test_the_pages_lead_to_each_other(opened):
    opened.page.get_by_role("link", name="All proposals").click()
    assert opened.page.title() == "JWST data, 1 proposal"
    opened.page.get_by_role("link", name="01345", exact=True).click()
    opened.page.locator("#exposures").wait_for()


def test_without_javascript_the_page_is_complete_and_in_order(browser, root):
    with Opened(browser, root / "01345" / "index.html", java_script_enabled=False) as opened:
        page = opened.page
        assert page.locator("#exposures tbody tr").count() == 23
        keys = page.locator("#exposures tbody .key").all_inner_texts()
        assert keys[:2] == ["jw01345001001_03101_00001_nrca1", "jw01345001001_03101_00002_nrca1"]
        assert page.locator("thead button").count() == 0
        assert not page.locator(".tools").first.is_visible()
        page.locator("summary", has_text="Guide stars").click()
        assert page.locator("#guide-stars tbody tr").count() == 3
        assert page.locator("#guide-stars").is_visible()
        assert opened.complaints == []


def test_on_a_phone_nothing_is_wider_than_the_screen_and_values_have_their_names(browser, root):
    for address in (root / "01345" / "index.html", root / "index.html"):
        with Opened(browser, address, viewport={"width": 390, "height": 844}) as opened:
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
            assert opened.complaints == []
    with Opened(browser, root / "01345" / "index.html", viewport={"width": 390, "height": 844}) as opened:
        label = opened.page.evaluate(
            "getComputedStyle(document.querySelector('#exposures td.number'), '::before').content"
        )
        assert label == '"proposal_id"'
        opened.page.locator(".tools[data-for=exposures] select").select_option(label="sca ↓")
        assert opened.column("sca")[0] == "nrs2"


def test_the_dark_scheme_is_dark_and_its_text_is_light(browser, root):
    with Opened(browser, root / "index.html", color_scheme="dark") as opened:
        colours = opened.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
    ground, ink = ([int(part) for part in colour[4:-1].split(",")] for colour in colours)
    assert max(ground) < 50
    assert min(ink) > 200


def test_a_page_of_thousands_of_rows_still_sorts_and_filters(browser, tmp_path):
    files = [file for file in examples.make_ceers(200).files if file.name.endswith("_rate.fits")]
    columns = replace(examples.SETTINGS, columns=("obsnum", "sca", "FILTER", "rate", "DATE-BEG", "size"))
    view = examples.make_view(files, settings=columns)
    publish(examples.SiteView(root=tmp_path, proposals=(view,), index=(view.summary,)))
    with Opened(browser, tmp_path / "01345" / "index.html") as opened:
        opened.head("DATE-BEG").get_by_role("button").click()
        dates = opened.column("DATE-BEG")
        assert len(dates) == 2001
        assert [date for date in dates if date] == sorted(date for date in dates if date)
        tools = opened.page.locator(".tools[data-for=exposures]")
        tools.get_by_role("searchbox").fill("nrcb4")
        expect(tools.locator("output")).to_have_text("200 of 2001 shown", timeout=30_000)
        assert opened.complaints == []


def test_many_gaps_are_folded_until_asked_for_and_can_be_sorted_then(opened):
    assert opened.column("Obs.", "gaps") == []
    opened.page.get_by_role("heading", name="What is missing").click()
    assert opened.column("What", "gaps") == [f"1 file: {TITLE}"] * 14
    assert opened.column("Obs.", "gaps")[0] == "1"
    head = opened.head("Obs.", "gaps")
    head.click()
    head.click()
    assert opened.column("Obs.", "gaps")[0] == "14"
