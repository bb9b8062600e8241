"""The live tables of a proposal in a real Chromium: order, filters, columns, details, keys."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from jwstwatch.core.model import FileState
from tests.pages import examples
from tests.pages.browsing import DESKTOP, PHONE, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = pytest.mark.browser

TITLE = '<img src=x onerror="document.title = \'broken\'">, "quoted"'
COLUMNS = (
    *("obsnum", "visit", "sca", "FILTER", "PUPIL", "rate", "cal", "NGROUPS", "TARG_RA", "DATE-BEG", "size"),
    *("obs_id", "outfilename"),
)
SETTINGS = replace(examples.SETTINGS, columns=COLUMNS, figure_width=32)
KEYS = examples.nircam_exposures(1345, 31)[:20] + examples.nircam_exposures(1345, 31)[-10:]
"""Two exposures of observation 1 and one of observation 2, ten detectors each."""


def make_files() -> list:
    files = []
    for number, key in enumerate(KEYS):
        files += examples.make_exposure(key, number, types=["rate", "cal"])
    rates = {file.name: place for place, file in enumerate(files) if file.name.endswith("_rate.fits")}

    def change(number: int, **facts: object) -> None:
        place = rates[f"{KEYS[number]}_rate.fits"]
        files[place] = replace(files[place], **facts)

    change(0, sha256="5e" * 32, revision=2)
    change(3, state=FileState.FAILED, reason="the transfer broke off three times")
    change(5, size=9_000)
    for number, keywords in ((7, {"NGROUPS": 100, "FILTER": TITLE}), (9, {"NGROUPS": None})):
        for place in (rates[f"{KEYS[number]}_rate.fits"], rates[f"{KEYS[number]}_rate.fits"] + 2):
            files[place] = examples.with_keywords(files[place], keywords)
    files += [
        examples.make_file(f"jw01345001001_gs-id_{number}_image_cal.fits", number=number) for number in (1, 2)
    ]
    files.append(examples.give_quicklook(examples.make_file(f"{KEYS[1]}_x1d.fits")))
    return [*files, examples.make_file("jw01345_20260721t201156_pool.csv", size=63_672)]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("site")
    files = make_files()
    examples.fill_disk(root, files)
    observations = [examples.make_observation(key, number) for number, key in enumerate(KEYS)]
    return examples.publish(root, examples.make_proposal(files, observations, settings=SETTINGS)).page


@pytest.fixture
def opened(browser, page) -> Iterator[Opened]:
    with Opened(browser, page, viewport={"width": 1400, "height": 1600}) as opened:
        opened.wait("30 rows")
        yield opened
        assert opened.complaints == []


def test_rows_stand_by_observation_as_delivered_under_headings(opened):
    headings = opened.page.locator("#exposures-live .group")
    assert [text.partition("\n")[0] for text in headings.all_inner_texts()] == ["Obs. 1", "Obs. 2"]
    assert "NIRCAM/IMAGE" in headings.first.inner_text()
    plain = headings.first.get_by_role("link").get_attribute("href")
    assert plain == "../01345/jwstwatch-pages/obs001.html"
    keys = opened.keys()
    assert sorted(keys) == sorted(KEYS)
    assert {key[7:10] for key in keys[:20]} == {"001"}
    assert opened.page.locator("#exposures-section .plain").is_hidden()


def test_a_column_sorts_up_then_down_then_not_at_all_and_empty_cells_are_last(opened):
    delivered = opened.keys()
    opened.sort("NGROUPS")
    assert opened.head("NGROUPS").get_attribute("aria-sort") == "ascending"
    assert opened.column("NGROUPS")[-3:] == ["9", "100", ""]
    assert opened.page.locator("#exposures-live .group").count() == 0
    opened.sort("NGROUPS")
    assert opened.head("NGROUPS").get_attribute("aria-sort") == "descending"
    assert [*opened.column("NGROUPS")[:2], opened.column("NGROUPS")[-1]] == ["100", "9", ""]
    opened.sort("NGROUPS")
    assert opened.head("NGROUPS").get_attribute("aria-sort") is None
    assert opened.keys() == delivered
    opened.sort("size")
    assert opened.column("size")[0] == "9.00 kB"


def test_filters_narrow_each_other_and_a_button_clears_them(opened):
    tools = opened.page.locator("#exposures-section .tools")
    tools.get_by_role("searchbox").fill("NRCA  f115w")
    opened.wait("4 of 30 shown")
    assert set(opened.column("FILTER")) == {"F115W"}
    assert all(detector.startswith("nrca") for detector in opened.column("sca"))
    tools.get_by_label("Observation").select_option("obs002")
    opened.wait("1 of 30 shown")
    opened.page.get_by_role("button", name="Clear filters").click()
    opened.wait("30 rows")
    tools.get_by_label("State").select_option("failed")
    opened.wait("1 of 30 shown")
    assert opened.keys() == [KEYS[3]]
    tools.get_by_label("Detector").select_option("nrca1")
    opened.wait("0 of 30 shown")
    assert opened.page.locator("#exposures-live .note").inner_text() == "No row has all of this."


def test_choices_survive_a_reload_and_travel_in_the_address(browser, opened):
    opened.page.locator("#exposures-section").get_by_label("Detector").select_option("nrcb4")
    opened.sort("DATE-BEG")
    opened.sort("DATE-BEG")
    shown = opened.keys()
    assert len(shown) == 3
    opened.page.get_by_text("Columns", exact=True).first.click()
    opened.page.get_by_label("PUPIL", exact=True).uncheck()
    address = opened.page.url
    opened.page.reload()
    opened.wait("3 of 30 shown")
    assert opened.keys() == shown
    assert opened.head("PUPIL").count() == 0
    with Opened(browser, address, viewport=DESKTOP) as other:
        other.wait("3 of 30 shown")
        assert other.keys() == shown
        assert other.head("PUPIL").count() == 1
        other.page.evaluate("location.hash = 'exposures.filter=F444W'")
        other.wait("6 of 30 shown")
    opened.page.get_by_text("Columns", exact=True).first.click()
    opened.page.get_by_role("button", name="As configured").click()
    assert opened.head("PUPIL").count() == 1


def test_a_browser_that_remembers_nothing_still_shows_and_filters(browser, page):
    with Opened(browser, page, viewport=DESKTOP) as opened:
        opened.page.add_init_script(
            "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }})"
        )
        opened.page.reload()
        opened.page.locator("#exposures-section").get_by_label("Detector").select_option("nrcb4")
        opened.wait("3 of 30 shown")
        assert opened.complaints == []


def test_hostile_values_are_text_and_lead_nowhere(opened):
    assert TITLE in opened.column("FILTER")
    assert (
        opened.page.locator("#exposures-section")
        .get_by_label("Filter")
        .locator("option")
        .filter(has_text=TITLE)
        .count()
        == 1
    )
    opened.page.locator(f"tr[data-position]:has-text('{KEYS[7]}') .more").click()
    expect(opened.page.locator(".detail .keywords")).to_contain_text(TITLE)
    assert opened.page.title() != "broken"
    links = opened.page.evaluate(
        "[['..', 'x'], ['a/../..', 'x'], ['/etc', 'x'], ['a', '../x'], ['a b', '#%?.fits']]"
        ".map(([folder, name]) => jwstwatch.link(folder, name))"
    )
    assert links == [None, None, None, None, "../a%20b/%23%25%3F.fits"]


@pytest.mark.parametrize("clipboard", [True, False])
def test_details_open_in_place_with_what_to_copy(browser, page, clipboard):
    with Opened(browser, page, viewport=DESKTOP) as opened:
        if not clipboard:
            opened.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
            opened.page.reload()
        opened.wait("30 rows")
        more = opened.page.get_by_role("button", name=f"Details of {KEYS[0]}")
        more.click()
        assert more.get_attribute("aria-expanded") == "true"
        detail = opened.page.locator(".detail")
        expect(detail).to_contain_text("5e" * 32)
        expect(detail).to_contain_text("READPATT")
        file = detail.locator("li", has_text=f"{KEYS[0]}_rate.fits").first
        file.get_by_role("button", name="Copy astropy").click()
        expect(file.get_by_text("copied")).to_be_visible()
        search = opened.page.locator("#exposures-section").get_by_role("searchbox")
        scp = file.get_by_role("button", name="Copy scp").get_attribute("title")
        search.press("Control+v")
        path = page.parent.parent / "01345" / "obsnum01" / f"{KEYS[0]}_rate.fits"
        assert f'fits.open("{path}")' in search.input_value()
        assert scp == f"scp archive.example:{path} ."
        # The table is drawn once for what was pasted and once without: no click may fall between.
        opened.wait("0 of 30 shown")
        search.fill("")
        opened.wait("30 rows")
        more.click()
        assert detail.count() == 0
        assert opened.complaints == []


def test_thumbnails_open_the_viewer_over_the_rows_shown_and_still_are_links(opened):
    thumbnails = opened.page.locator("#exposures-live a.thumbnail")
    with opened.context.expect_page() as other:
        thumbnails.first.click(modifiers=["Control"])
    assert other.value.url.endswith(".jpg")
    other.value.close()
    opened.page.locator("#exposures-section").get_by_label("Detector").select_option("nrcb4")
    opened.wait("3 of 30 shown")
    opened.page.evaluate("jwstwatch.viewer = {open: (...given) => window.given = given}, undefined")
    thumbnails.nth(3).click()
    items, index, opener = opened.page.evaluate("[given[0], given[1], given[2].className]")
    assert [item["group"] for item in items] == [KEYS[8], KEYS[8], KEYS[18], KEYS[18], KEYS[28], KEYS[28]]
    assert (items[index]["group"], items[index]["kind"], opener) == (KEYS[18], "cal", "thumbnail")


def test_pictures_without_a_column_are_in_the_details_and_in_the_viewer(opened):
    opened.page.get_by_role("button", name=f"Details of {KEYS[1]}").click()
    spectrum = opened.page.locator(".detail figure", has_text="x1d").locator("a.thumbnail")
    assert spectrum.get_attribute("href").endswith(f"{KEYS[1]}_x1d.QL.jpg")
    spectrum.click()
    shown = opened.page.locator(".viewer-layer:not(.viewer-other) img")
    expect(shown).to_have_attribute("src", re.compile(r"_x1d\.QL\.jpg$"))
    opened.page.keyboard.press("ArrowUp")
    expect(shown).to_have_attribute("src", re.compile(rf"{KEYS[1]}_cal\.jpg$"))


def test_what_is_shown_can_be_had_as_csv(opened):
    opened.page.locator("#exposures-section .tools").get_by_role("searchbox").fill("quoted")
    opened.wait("1 of 30 shown")
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="CSV of what is shown").first.click()
    assert download.value.suggested_filename == "01345-exposures.csv"
    with download.value.path().open(newline="") as stream:
        heads, values = csv.reader(stream)
    row = dict(zip(heads, values, strict=True))
    assert (row["Exposure"], row["FILTER"], row["NGROUPS"]) == (KEYS[7], TITLE, "100")


def test_a_spreadsheet_takes_nothing_in_the_csv_of_what_is_shown_for_a_formula(browser, tmp_path):
    values = {
        "ONE": "=cmd|' /C calc'!A0",
        "TWO": "@SUM(1)",
        "THREE": "-12:34:56.7",
        "FOUR": -1.5,
        "FIVE": "+A1",
    }
    files = [examples.with_keywords(examples.make_file(f"{KEYS[0]}_rate.fits"), values)]
    columns = replace(SETTINGS, columns=tuple(values))
    page = examples.publish(tmp_path, examples.make_proposal(files, settings=columns)).page
    with Opened(browser, page, viewport=DESKTOP) as opened:
        opened.wait("1 row")
        with opened.page.expect_download() as download:
            opened.page.get_by_role("button", name="CSV of what is shown").first.click()
        with download.value.path().open(newline="") as stream:
            _, row = csv.reader(stream)
    assert row[1:] == ["'=cmd|' /C calc'!A0", "'@SUM(1)", "-12:34:56.7", "-1.5", "'+A1"]


def test_a_link_of_a_feed_brings_its_observation_to_the_eyes_whatever_there_is_of_it(browser, tmp_path):
    files = [examples.make_file(f"{key}_rate.fits") for key in KEYS]
    files.append(examples.make_file("jw01345-o007_t021_nircam_clear-f115w_i2d.fits", obsnum=7))
    files.append(examples.make_file("jw01345008001_01_msa.fits", obsnum=8))
    examples.fill_disk(tmp_path, files)
    page = examples.publish(tmp_path, examples.make_proposal(files, settings=SETTINGS)).page
    with Opened(browser, f"{page.as_uri()}#exposures.observation=obs002", viewport=DESKTOP) as opened:
        opened.wait("10 of 30 shown")
        expect(opened.page.locator("#exposures-live")).to_be_in_viewport()
        for number, section in ((7, "products"), (8, "others")):
            opened.page.goto("about:blank")
            opened.page.goto(f"{page.as_uri()}#exposures.observation=obs{number:03d}")
            opened.wait("1 of 1 shown", section)
            expect(opened.page.locator(f"#{section}-live tr[data-position]")).to_be_in_viewport()
            opened.wait("30 rows")
        opened.page.evaluate("location.hash = 'exposures.observation=obs007'")
        expect(opened.page.locator("#products-live tr[data-position]")).to_be_in_viewport()
        opened.page.evaluate("location.hash = 'exposures.observation=obs001'")
        opened.wait("20 of 30 shown")
        expect(opened.page.locator("#exposures-live")).to_be_in_viewport()
        assert opened.complaints == []


def test_two_columns_of_one_picture_are_one_stage_for_the_viewer(browser, tmp_path):
    files = [file for key in KEYS[:2] for file in examples.make_exposure(key, 1)]
    examples.fill_disk(tmp_path, files)
    columns = replace(SETTINGS, columns=("rate", "_rate.jpg", "cal"))
    page = examples.publish(tmp_path, examples.make_proposal(files, settings=columns)).page
    with Opened(browser, page, viewport=DESKTOP) as opened:
        opened.wait("2 rows")
        opened.page.locator("#exposures-live a.thumbnail").first.click()
        expect(opened.page.locator(".viewer-facts")).to_contain_text("1 of 2")
        stages = opened.page.get_by_role("group", name="Stages of the exposure").get_by_role("button")
        assert sorted(stages.all_inner_texts()) == ["cal", "rate", "uncal"]


def test_on_paper_every_column_is_there_and_pictures_keep_their_shape(browser, tmp_path):
    files = [file for key in KEYS[:3] for file in examples.make_exposure(key, 1)]
    examples.fill_disk(tmp_path, files)
    page = examples.publish(tmp_path, examples.make_proposal(files)).page
    with Opened(browser, page, viewport={"width": 1040, "height": 720}) as opened:
        opened.wait("3 rows")
        opened.page.emulate_media(media="print")
        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        measure = "images => images.map((image) => [image.clientWidth, image.clientHeight])"
        sides = opened.page.eval_on_selector_all("#exposures-live img", measure)
        assert len(sides) == 9
        assert all(width == height > 50 for width, height in sides)
        # What is cut off is not in the width of the page, by which a browser makes it fit.
        table = opened.page.evaluate(
            "document.getElementById('exposures-live').getBoundingClientRect().right"
        )
        assert opened.page.evaluate("document.documentElement.scrollWidth") >= int(table) > 1040


def test_every_filter_is_offered_though_a_link_chose_one_that_no_row_has(browser, tmp_path):
    # Two scripts of rows: the second brings as many filters as the link had made options.
    files = [
        examples.with_keywords(
            examples.make_file(f"jw01345001001_03101_{number:05d}_nrca1_rate.fits"),
            {"FILTER": "F115W" if number <= 500 else "F444W"},
        )
        for number in range(1, 502)
    ]
    page = examples.publish(tmp_path, examples.make_proposal(files, settings=SETTINGS)).page
    late = page.parent / "jwstwatch-pages" / "obs001.exposures.2.js"
    with Opened(browser, "about:blank", viewport=DESKTOP) as opened:
        holding: list[Route] = []
        opened.page.route(f"**/{late.name}*", lambda route: holding.append(route))
        opened.page.goto(f"{page.as_uri()}#exposures.filter=F777X", wait_until="commit")
        select = opened.page.locator("#exposures-section select[data-facet='filter']")
        expect(select.locator("option")).to_have_text(["all", "F115W", "F777X"])
        holding[0].continue_()
        opened.wait("0 of 501 shown")
        expect(select.locator("option")).to_have_text(["all", "F115W", "F444W", "F777X"])
        select.select_option("F444W")
        opened.wait("1 of 501 shown")


def test_the_keyboard_goes_through_the_rows(opened):
    keyboard = opened.page.keyboard
    first, second = opened.keys()[:2]
    keyboard.press("j")
    keyboard.press("ArrowDown")
    focused = "document.activeElement.querySelector('.key').textContent"
    assert opened.page.evaluate(focused) == second
    keyboard.press("k")
    assert opened.page.evaluate(focused) == first
    keyboard.press("Enter")
    assert opened.page.locator(".detail").count() == 1
    keyboard.press("d")
    assert opened.page.locator(".detail").count() == 0
    keyboard.press("?")
    assert "next row" in opened.page.locator("dialog.keys").inner_text()
    keyboard.press("Escape")
    keyboard.press("/")
    keyboard.type("dj")
    assert opened.page.locator("#exposures-section").get_by_role("searchbox").input_value() == "dj"


def test_folded_tables_load_when_they_are_opened(opened):
    count = "document.querySelectorAll('#guide-stars-live').length"
    assert opened.page.evaluate(count) == 0
    opened.page.locator("summary", has_text="Guide stars").click()
    opened.wait("2 rows", "guide-stars")
    assert len(opened.keys("guide-stars-live")) == 2


def test_a_screen_reader_is_told_how_many_rows_there_are_and_which_one_it_is_at(opened):
    table = opened.page.locator("#exposures-live")
    assert table.get_attribute("aria-rowcount") == "33"
    places = table.locator("[aria-rowindex]").evaluate_all(
        "all => all.map((one) => Number(one.ariaRowIndex))"
    )
    assert places == list(range(1, 34))
    unnamed = "all => all.filter((one) => !one.labels.length && !one.ariaLabel).length"
    assert opened.page.locator(".tools input, .tools select").evaluate_all(unnamed) == 0


def test_a_script_that_is_missing_or_broken_costs_only_its_own_rows(browser, tmp_path):
    page = examples.publish(tmp_path, examples.make_proposal(make_files(), settings=SETTINGS)).page
    folder = page.parent / "jwstwatch-pages"
    (folder / "obs001.exposures.1.js").unlink()
    (folder / "obs002.exposures.details.1.js").write_text("jwstwatch.details({")
    with Opened(browser, page, viewport=DESKTOP) as opened:
        opened.wait("10 rows")
        note = opened.page.locator("#exposures-live .note").inner_text()
        assert note.startswith("jwstwatch-pages/obs001.exposures.1.js could not be read.")
        assert sorted(opened.keys()) == sorted(KEYS[20:])
        opened.page.get_by_role("button", name=f"Details of {KEYS[20]}").click()
        expect(opened.page.locator(".detail")).to_contain_text("obs002.exposures.details.1.js is broken.")
        examples.publish(tmp_path, examples.make_proposal(make_files(), settings=SETTINGS))
        opened.page.get_by_role("button", name=f"Details of {KEYS[20]}").click()
        opened.page.get_by_role("button", name=f"Details of {KEYS[20]}").click()
        expect(opened.page.locator(".detail")).to_contain_text("Header keywords")


def test_on_a_phone_rows_are_cards_with_pictures_and_can_be_sorted(browser, page):
    with Opened(browser, page, viewport=PHONE) as opened:
        opened.wait("30 rows")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        label = "getComputedStyle(document.querySelector('#exposures-live td.number'), '::before').content"
        assert opened.page.evaluate(label) == '"obsnum"'
        assert opened.page.locator("#exposures-live img").first.is_visible()
        opened.page.locator("#exposures-section").get_by_label("Sort by").select_option(label="sca ↓")
        assert opened.column("sca")[0] == "nrcblong"
        assert opened.complaints == []


def test_thousands_of_rows_keep_a_few_in_the_document_and_all_of_them_at_hand(browser, tmp_path):
    keys = examples.nircam_exposures(1345, 240)
    files = [examples.make_file(f"{key}_rate.fits", number=number) for number, key in enumerate(keys)]
    settings = replace(SETTINGS, columns=("sca", "FILTER", "DATE-BEG", "size"))
    page = examples.publish(tmp_path, examples.make_proposal(files, settings=settings)).page
    with Opened(browser, page, viewport=DESKTOP) as opened:
        opened.wait("2,400 rows")
        assert 20 <= len(opened.keys()) <= 150
        scroller = opened.page.locator("#exposures-section .scroller")
        for _ in range(2):  # the first time with the heights that were guessed
            scroller.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        last = opened.page.locator(
            "#exposures-live tr[data-position]", has_text="jw01345008001_03101_00030_nrcblong"
        )
        expect(last).to_be_visible()
        assert len(opened.keys()) <= 150
        heading = opened.page.locator("#exposures-live .group > th").first.bounding_box()
        head = opened.page.locator("#exposures-live thead th").first.bounding_box()
        assert abs(heading["y"] - head["y"] - head["height"]) < 5
        opened.sort("DATE-BEG")
        opened.sort("DATE-BEG")
        assert opened.keys()[0] == keys[-1]
        opened.page.locator("#exposures-section").get_by_role("searchbox").fill("nrcb4")
        opened.wait("240 of 2,400 shown")
        opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        opened.page.evaluate("window.dispatchEvent(new Event('scroll'))")
        assert len(opened.keys()) == 240
        opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert len(opened.keys()) <= 150
        assert opened.complaints == []


def test_columns_do_not_move_while_the_table_is_scrolled(opened):
    where = "Array.from(document.querySelectorAll('#exposures-live thead th'), (head) => head.offsetLeft)"
    before = opened.page.evaluate(where)
    opened.page.evaluate("document.querySelector('#exposures-section .scroller').scrollTop = 2500")
    opened.page.wait_for_timeout(50)
    assert opened.page.evaluate(where) == before
    assert re.fullmatch(
        r"\d+px", opened.page.evaluate("document.querySelector('#exposures-live col').style.width")
    )
