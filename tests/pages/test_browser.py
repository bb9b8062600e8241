"""The pages in a real Chromium, opened as files: what every page has, and those that need no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jwstwatch.core.gap_words import summarise as summarise_gaps
from jwstwatch.core.gaps import Gap, GapKind
from tests.pages import examples
from tests.pages.browsing import DESKTOP, PHONE, Opened

pytestmark = pytest.mark.browser

TITLE = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("site")
    ceers = examples.make_ceers(2)
    gaps = [
        Gap(proposal=1345, obsnum=number, kind=GapKind.WITHHELD, what=TITLE, names=(TITLE,), reason=TITLE)
        for number in range(1, 15)
    ]
    summary = replace(ceers.summary, title=TITLE, missing=14)
    examples.fill_disk(root, ceers.files)
    examples.publish(root, replace(ceers, summary=summary, gaps=tuple(summarise_gaps(gaps))))
    examples.publish_index(root, summary)
    (root / "01345" / "01345.products.txt").write_text("the table room's\n")
    return root


@pytest.fixture
def opened(browser, root) -> Iterator[Opened]:
    with Opened(browser, root / "01345" / "index.html", viewport=DESKTOP) as opened:
        yield opened
        assert opened.complaints == []


def test_a_hostile_title_is_shown_and_does_nothing(opened):
    assert opened.page.title() == f"01345 · {TITLE}"
    assert opened.page.locator("h1").inner_text().endswith(TITLE)


def test_the_style_sheet_and_the_thumbnails_load(opened):
    background = opened.page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert background == "rgb(20, 29, 43)"
    image = opened.page.locator("#exposures-live img").first
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("naturalWidth", 120)


def test_plain_tables_sort_as_numbers_with_empty_cells_last_in_both_directions(opened):
    delivered = opened.column("Obs.", "observations")
    head = opened.head("Exposures", "observations")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    numbers = opened.column("Exposures", "observations")
    filled = [int(number) for number in numbers if number]
    assert filled == sorted(filled)
    assert numbers[-1] == ""
    opened.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert opened.column("Exposures", "observations") == [
        *map(str, reversed(filled)),
        *numbers[len(filled) :],
    ]
    assert sorted(opened.column("Obs.", "observations")) == sorted(delivered)


def test_an_observation_leads_to_its_rows_among_all(opened):
    opened.page.locator("#observations").get_by_role("link", name="62", exact=True).click()
    opened.wait("23 rows")
    heading = opened.page.locator("#exposures-live tr[data-part=obs062] .label")
    expect(heading).to_be_in_viewport()


def test_the_pages_lead_to_each_other(opened):
    opened.page.get_by_role("link", name="All proposals").click()
    opened.page.locator("a[href^='01345/']").first.click()
    opened.page.locator("#exposures-live").wait_for()
    opened.page.get_by_role("link", name="plain page").first.click()
    opened.page.locator("#exposures").wait_for()


def test_without_javascript_the_page_is_complete_and_in_order(browser, root):
    with Opened(browser, root / "01345" / "index.html", java_script_enabled=False) as opened:
        page = opened.page
        keys = page.locator("#exposures tbody .key").all_inner_texts()
        assert len(keys) == 23
        assert keys[:2] == ["jw01345001001_03101_00001_nrca1", "jw01345001001_03101_00002_nrca1"]
        assert page.locator("thead button").count() == 0
        page.locator("summary", has_text="Guide stars").click()
        assert page.locator("#guide-stars tbody tr").count() == 3
        assert page.locator("#guide-stars").is_visible()
        assert opened.complaints == []


def test_on_a_phone_no_page_is_wider_than_the_screen(browser, root):
    for name in ("01345/index.html", "index.html", "01345/jwstwatch-pages/obs001.html"):
        with Opened(browser, root / name, viewport=PHONE) as opened:
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
            assert opened.complaints == []


def test_the_dark_scheme_is_dark_and_its_text_is_light(browser, root):
    with Opened(browser, root / "index.html", color_scheme="dark") as opened:
        colours = opened.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
    ground, ink = ([int(part) for part in colour[4:-1].split(",")] for colour in colours)
    assert max(ground) < 50
    assert min(ink) > 200


def test_many_gaps_are_folded_until_asked_for_and_can_be_sorted_then(opened):
    assert opened.column("Obs.", "gaps") == []
    opened.page.get_by_role("heading", name="What is missing").click()
    assert opened.column("What", "gaps") == [f"1 file: {TITLE}"] * 14
    assert opened.column("Obs.", "gaps")[0] == "1"
    opened.sort("Obs.", "gaps")
    opened.sort("Obs.", "gaps")
    assert opened.column("Obs.", "gaps")[0] == "14"
