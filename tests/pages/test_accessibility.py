"""The pages under axe-core, in a real Chromium: nothing serious, nothing critical, in light and in dark."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from jwstwatch.pages.publishing import publish_home
from tests.pages import examples, homes
from tests.pages.browsing import DESKTOP, PHONE, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GRAVE = ("serious", "critical")
# On the phone, whose colours are those of the desktop.
NO_COLOURS = {"color-contrast": {"enabled": False}}
# Every kind of column once: axe-core looks at each cell.
COLUMNS = ("obsnum", "sca", "FILTER", "uncal", "rate", "cal", "TARG_RA", "DATE-BEG", "size", "outfilename")
SETTINGS = replace(examples.SETTINGS, columns=COLUMNS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    ceers = examples.make_ceers(1, settings=SETTINGS)
    # Three detectors have all states and kinds of cells between them.
    files = tuple(file for file in ceers.files if not re.search(r"_nrc(a[45l]|b)", file.name))
    examples.fill_disk(root, files)
    examples.publish(root, replace(ceers, files=files))
    publish_home(homes.make_home(root))
    return root


def find_grave(page: Page, where: str | None = None, **options: object) -> list[str]:
    """Return what axe-core finds in the page or a part of it, one line for each rule."""
    found = Axe().run(page, context=where, options={"preload": False, **options}).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}; {[(node['target'], node['any'][:1]) for node in rule['nodes'][:4]]}"
        for rule in found
        if rule["impact"] in GRAVE
    ]


def find_grave_in_the_dark(page: Page) -> list[str]:
    """Return what is wrong with the colours of the dark scheme: nothing else differs."""
    page.emulate_media(color_scheme="dark")
    found = find_grave(page, runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
    return found


def open_details(page: Page) -> None:
    page.locator("#exposures-live button.more").first.click()
    expect(page.locator("#exposures-live tr.detail").first).to_contain_text("Header keywords")


def open_viewer(page: Page) -> None:
    """Open the first picture, beside its next stage."""
    page.locator("#exposures-live a.thumbnail").first.click()
    expect(page.locator(".viewer-layer:not(.viewer-other) img")).to_be_attached()
    page.keyboard.press("c")
    expect(page.locator(".viewer-behind")).to_be_visible()


def test_on_a_desktop_nothing_grave_is_found(browser, root):
    with Opened(browser, root / "index.html", viewport=DESKTOP) as opened:
        page = opened.page
        assert find_grave(page) == []
        assert find_grave_in_the_dark(page) == []
        page.goto((root / "01345" / "index.html").as_uri())
        open_details(page)
        assert find_grave(page) == []
        assert find_grave_in_the_dark(page) == []
        open_viewer(page)
        assert find_grave(page, ".viewer") == []
        page.keyboard.press("?")
        assert find_grave(page, ".viewer-keys") == []


def test_on_a_phone_nothing_grave_is_found(browser, root):
    with Opened(browser, root / "index.html", viewport=PHONE) as opened:
        page = opened.page
        assert find_grave(page, rules=NO_COLOURS) == []
        page.goto((root / "01345" / "index.html").as_uri())
        open_details(page)
        assert find_grave(page, rules=NO_COLOURS) == []
        open_viewer(page)
        assert find_grave(page, ".viewer", rules=NO_COLOURS) == []


def test_in_a_page_for_readers_without_script_nothing_grave_is_found(browser, root):
    with Opened(browser, root / "01345" / "jwstwatch-pages" / "obs001.html", viewport=DESKTOP) as opened:
        assert opened.page.locator("table").count() >= 1
        assert find_grave(opened.page) == []
