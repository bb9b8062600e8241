"""The full-size viewer in a real Chromium, on plain tables opened as files."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

from jwstwatch.pages.rendering import SCRIPTS
from tests.pages.browsing import PHONE, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.browser

POLICY = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:"
HOSTILE = "<img src=x onerror=\"document.title = 'broken'\">"
KEYS = (
    "jw01345001001_03101_00001_nrca1",
    "jw01345001001_03101_00002_nrca1",
    "jw01345001001_03101_00003_nrca1",
)
SIDE = 300


def make_link(key: str, kind: str, **more: str) -> str:
    facts = {"kind": kind, "group": key, "title": key, "revision": "2", "file": f"{key}_{kind}.fits"} | more
    data = "".join(f' data-{name.replace("_", "-")}="{escape(value)}"' for name, value in facts.items())
    image = f'<img src="thumbnail.jpg" alt="{kind}" width="60" height="60">'
    return f'<td><a class="thumbnail" href="{key}_{kind}.jpg"{data}>{image}</a></td>'


def make_rows() -> str:
    former = {"former": f"{KEYS[0]}_rate.former.jpg", "former_revision": "1"}
    rows = [
        make_link(KEYS[0], "cal") + make_link(KEYS[0], "rate", **former) + make_link(KEYS[0], "uncal"),
        make_link(KEYS[1], "cal", title=HOSTILE, note=HOSTILE) + make_link(KEYS[1], "rate"),
        make_link(KEYS[2], "cal") + make_link(KEYS[2], "rate") + make_link("missing", "rate"),
    ]
    rows.insert(1, make_link("hidden", "rate"))
    return "".join(
        f"<tr{' hidden' if number == 1 else ''}><th>{number}</th>{row}</tr>"
        for number, row in enumerate(rows)
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("site")
    folder = root / "01345"
    folder.mkdir()
    for number, key in enumerate(KEYS):
        for shade, kind in enumerate(("uncal", "rate", "cal")):
            picture = (
                Image.radial_gradient("L").resize((SIDE, SIDE)).point(lambda value, by=shade: value >> by)
            )
            picture.save(folder / f"{key}_{kind}.jpg", quality=60 + number)
    Image.new("L", (60, 60), 140).save(folder / "thumbnail.jpg")
    Image.new("L", (SIDE, SIDE), 90).save(folder / f"{KEYS[0]}_rate.former.jpg")
    assets = root / "jwstwatch-assets"
    assets.mkdir()
    for asset in (resources.files("jwstwatch.pages") / "assets").iterdir():
        (assets / asset.name).write_bytes(asset.read_bytes())
    names = [name for name in SCRIPTS if name.startswith("viewer")]
    scripts = "".join(f'<script defer src="../jwstwatch-assets/{name}"></script>' for name in names)
    styles = "".join(
        f'<link rel="stylesheet" href="../jwstwatch-assets/{name}">'
        for name in ("jwstwatch.css", "viewer.css")
    )
    page = folder / "index.html"
    page.write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Pictures</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{styles}{scripts}</head>'
        f'<body><h1>Pictures</h1><p><a class="thumbnail" href="#home">a page</a></p>'
        f'<section tabindex="0"><table><tbody>{make_rows()}</tbody></table></section></body></html>',
        encoding="utf-8",
    )
    return page.as_uri()


class Viewing(Opened):
    """The page in a context of its own, and what its viewer shows."""

    def __init__(self, browser: Browser, address: str, **context: object) -> None:
        super().__init__(browser, address, **{"viewport": {"width": 1000, "height": 700}, **context})
        self.address = address

    def open(self, key: str, kind: str) -> Viewing:
        self.thumbnail(key, kind).click()
        self.expect_picture(f"{key}_{kind}.jpg")
        return self

    def thumbnail(self, key: str, kind: str) -> Locator:
        return self.page.locator(f'a[href="{key}_{kind}.jpg"]')

    def expect_picture(self, name: str) -> None:
        expect(self.page.locator(f'.viewer-layer:not(.viewer-other) img[src$="{name}"]')).to_be_attached()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog.viewer")

    @property
    def seen(self) -> Locator:
        return self.page.locator(".viewer-seen:not(.viewer-behind)")

    @property
    def shape(self) -> dict[str, float]:
        """Where the picture lies on the screen."""
        box = self.page.locator(".viewer-layer:not(.viewer-other) img").bounding_box()
        assert box is not None
        return {name: round(value) for name, value in box.items()}

    @property
    def shown(self) -> str:
        """The picture that is not hidden behind the other one."""
        return self.page.evaluate(
            """() => {
                const layers = Array.from(document.querySelectorAll(".viewer-layer:not([hidden])"));
                return layers.filter((layer) => getComputedStyle(layer).opacity === "1")
                    .map((layer) => layer.querySelector("img").src.split("/").pop()).join(" ");
            }"""
        )


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[Viewing]:
    with Viewing(browser, address) as viewing:
        yield viewing


@pytest.fixture
def viewing(window: Viewing) -> Iterator[Viewing]:
    # What was still loading for the test before is not this one's.
    window.page.goto("about:blank")
    window.complaints.clear()
    window.page.goto(window.address)
    yield window
    assert window.complaints == []


def test_a_click_on_a_thumbnail_opens_its_picture_with_its_caption_and_links(viewing):
    viewing.open(KEYS[0], "rate")
    assert viewing.dialog.get_by_role("heading").inner_text() == KEYS[0]
    assert viewing.page.locator(".viewer-facts").inner_text() == "rate · revision 2 · 1 of 4"
    picture = viewing.dialog.get_by_role("link", name="Open the picture")
    assert picture.evaluate("link => link.href").endswith(f"/01345/{KEYS[0]}_rate.jpg")
    assert (
        viewing.dialog.get_by_role("link", name="Data file").get_attribute("href") == f"{KEYS[0]}_rate.fits"
    )
    expect(viewing.dialog.get_by_role("status")).to_have_text(f"{KEYS[0]}, rate, revision 2, 1 of 4")
    box = viewing.dialog.bounding_box()
    assert box == {"x": 0, "y": 0, "width": 1000, "height": 700}


def test_other_thumbnails_and_clicks_for_a_new_tab_are_left_alone(viewing):
    viewing.page.get_by_role("link", name="a page").click()
    assert viewing.page.url.endswith("#home")
    with viewing.context.expect_page():
        viewing.thumbnail(KEYS[0], "rate").click(modifiers=["Control"])
    assert not viewing.dialog.is_visible()


def test_arrows_go_over_the_rows_within_a_kind_and_through_the_stages_of_an_exposure(viewing):
    viewing.open(KEYS[0], "uncal")
    for key, name in [
        ("ArrowUp", f"{KEYS[0]}_uncal.jpg"),
        ("ArrowDown", f"{KEYS[0]}_rate.jpg"),
        ("ArrowLeft", f"{KEYS[0]}_rate.jpg"),
        ("ArrowRight", f"{KEYS[1]}_rate.jpg"),
        ("ArrowDown", f"{KEYS[1]}_cal.jpg"),
        ("ArrowRight", f"{KEYS[2]}_cal.jpg"),
        ("ArrowRight", f"{KEYS[2]}_cal.jpg"),
        ("Home", f"{KEYS[0]}_cal.jpg"),
    ]:
        viewing.press(key)
        viewing.expect_picture(name)
    assert viewing.dialog.get_by_role("group", name="Stages").get_by_role("button").all_inner_texts() == [
        "uncal",
        "rate",
        "cal",
    ]
    viewing.dialog.get_by_role("button", name="rate", exact=True).click()
    viewing.dialog.get_by_role("button", name="Next picture").click()
    viewing.expect_picture(f"{KEYS[1]}_rate.jpg")


def test_a_picture_that_is_not_there_says_its_name_and_the_others_still_open(viewing):
    viewing.open(KEYS[2], "rate")
    viewing.press("ArrowRight")
    expect(viewing.dialog.get_by_role("alert")).to_have_text("missing_rate.jpg could not be loaded.")
    assert viewing.page.locator(".viewer-layer img").count() == 0
    viewing.press("b")
    assert not viewing.seen.is_visible()
    viewing.press("ArrowLeft")
    viewing.expect_picture(f"{KEYS[2]}_rate.jpg")
    expect(viewing.dialog.get_by_role("button", name="Blink")).to_have_attribute("aria-pressed", "false")
    expect(viewing.dialog.get_by_role("alert")).to_have_text("")
    assert [
        words for words in viewing.complaints if "FILE_NOT_FOUND" not in words and "missing" not in words
    ] == []
    viewing.complaints.clear()


def test_a_hostile_title_is_text(viewing):
    viewing.open(KEYS[1], "cal")
    assert viewing.dialog.get_by_role("heading").inner_text() == HOSTILE
    assert HOSTILE in viewing.page.locator(".viewer-facts").inner_text()
    viewing.press("ArrowLeft")
    assert f"next: {HOSTILE}" in viewing.page.locator("option").all_inner_texts()
    assert viewing.page.title() == "Pictures"


def test_zoom_keeps_what_is_under_the_pointer_and_stays_for_the_next_picture(viewing):
    viewing.open(KEYS[0], "rate")
    whole = viewing.shape
    x, y = whole["x"] + whole["width"] / 4, whole["y"] + whole["height"] / 4
    viewing.page.mouse.move(x, y)
    for _ in range(8):
        viewing.page.mouse.wheel(0, -120)
    zoomed = viewing.shape
    assert zoomed["width"] > 3 * whole["width"]
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(1 / 4, abs=0.01)
    viewing.press("Shift+ArrowRight")
    assert viewing.shape["x"] == zoomed["x"] - 80
    viewing.page.mouse.down()
    viewing.page.mouse.move(x + 30, y + 20)
    viewing.page.mouse.up()
    moved = viewing.shape
    assert (moved["x"], moved["y"]) == (zoomed["x"] - 50, zoomed["y"] + 20)
    viewing.press("ArrowRight")
    viewing.expect_picture(f"{KEYS[1]}_rate.jpg")
    assert viewing.shape == moved
    viewing.press("0")
    assert viewing.shape == whole


def test_keys_zoom_from_one_to_one_up_to_sixteen_with_visible_pixels(viewing):
    viewing.open(KEYS[0], "rate")
    whole = viewing.shape
    viewing.press("1")
    assert viewing.shape["width"] == SIDE
    viewing.press(*["+"] * 20)
    assert viewing.shape["width"] == 16 * SIDE
    picture = viewing.page.locator(".viewer-layer img").first
    expect(picture).to_have_css("image-rendering", "pixelated")
    viewing.page.mouse.dblclick(500, 350)
    assert viewing.shape == whole


def test_blinking_shows_both_in_turn_and_says_which(browser, address):
    with Viewing(browser, address) as viewing:
        viewing.page.clock.install()
        viewing.open(KEYS[0], "rate")
        viewing.page.get_by_label("Compare with").select_option("cal")
        viewing.press("b")
        expect(viewing.dialog.get_by_role("status")).to_have_text("Blinking: rate and cal")
        viewing.press("+", "+")
        expect(viewing.seen).to_have_text("rate")
        assert viewing.shown == f"{KEYS[0]}_rate.jpg"
        viewing.page.clock.run_for(500)
        expect(viewing.seen).to_have_text("cal")
        assert viewing.shown == f"{KEYS[0]}_cal.jpg"
        boxes = [image.bounding_box() for image in viewing.page.locator(".viewer-layer img").all()]
        assert boxes[0] == boxes[1]
        viewing.press(*["]"] * 9)
        viewing.page.clock.run_for(500)
        expect(viewing.seen).to_have_text("rate")
        # Never more than three changes a second, whatever is asked for.
        viewing.page.clock.run_for(330)
        expect(viewing.seen).to_have_text("rate")
        viewing.page.clock.run_for(5)
        expect(viewing.seen).to_have_text("cal")
        viewing.press("b")
        assert not viewing.seen.is_visible()
        assert viewing.shown == f"{KEYS[0]}_rate.jpg"
        assert viewing.complaints == []


HELD = """() => {
    const { decode } = HTMLImageElement.prototype;
    const waiting = [];
    HTMLImageElement.prototype.decode = function () {
        return new Promise((go) => waiting.push(go)).then(() => decode.call(this));
    };
    window.letGo = () => {
        HTMLImageElement.prototype.decode = decode;
        for (const go of waiting) go();
    };
}"""


@pytest.mark.parametrize(("key", "said"), [("b", "Blinking: revision 2 and"), ("Space", "predecessor")])
def test_what_is_asked_for_while_the_picture_is_still_coming_follows_it(viewing, key, said):
    viewing.page.evaluate(HELD)
    viewing.thumbnail(KEYS[0], "rate").click()
    viewing.press(key)
    assert viewing.page.locator(".viewer-layer img").count() == 0
    viewing.page.evaluate("letGo()")
    viewing.expect_picture(f"{KEYS[0]}_rate.jpg")
    expect(viewing.page.locator(".viewer-other img")).to_be_attached()
    expect(viewing.dialog.get_by_role("status")).to_contain_text(said)


def test_a_reprocessed_picture_is_compared_with_its_predecessor_first(viewing):
    viewing.open(KEYS[0], "rate").press("Space")
    expect(viewing.seen).to_have_text("predecessor, revision 1")
    assert viewing.shown == f"{KEYS[0]}_rate.former.jpg"
    viewing.press("Space")
    expect(viewing.seen).to_have_text("revision 2")
    viewing.press("ArrowRight")
    viewing.expect_picture(f"{KEYS[1]}_rate.jpg")
    assert not viewing.seen.is_visible()


def test_a_comparison_goes_on_with_the_next_exposure(viewing):
    viewing.open(KEYS[0], "cal")
    viewing.page.get_by_label("Compare with").select_option("rate")
    viewing.press("Space")
    expect(viewing.seen).to_have_text("rate")
    viewing.press("ArrowRight")
    viewing.expect_picture(f"{KEYS[1]}_cal.jpg")
    expect(viewing.seen).to_have_text("cal")
    viewing.press("Space")
    expect(viewing.seen).to_have_text("rate")
    assert viewing.shown == f"{KEYS[1]}_rate.jpg"


def test_with_reduced_motion_nothing_blinks_by_itself(browser, address):
    with Viewing(browser, address, reduced_motion="reduce") as viewing:
        viewing.page.clock.install()
        viewing.open(KEYS[0], "cal")
        viewing.press("b")
        expect(viewing.seen).to_have_text("cal")
        viewing.page.clock.run_for(5_000)
        expect(viewing.seen).to_have_text("cal")
        viewing.press("Space")
        expect(viewing.seen).to_have_text("uncal")
        viewing.page.clock.run_for(5_000)
        expect(viewing.seen).to_have_text("uncal")


def test_the_curtain_shows_both_beside_a_line_that_moves(viewing):
    viewing.open(KEYS[0], "rate").press("c")
    other = viewing.page.locator(".viewer-other")
    expect(other).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
    viewing.page.mouse.move(500, 300)
    viewing.page.mouse.down()
    viewing.page.mouse.move(250, 300)
    viewing.page.mouse.up()
    expect(other).to_have_css("clip-path", "inset(0px 0px 0px 25%)")
    viewing.page.get_by_label("Place of the curtain").press("ArrowRight")
    expect(other).to_have_css("clip-path", "inset(0px 0px 0px 26%)")
    assert viewing.page.locator(".viewer-behind").inner_text() == "predecessor, revision 1"


def test_the_focus_stays_inside_and_goes_back_to_the_row_even_when_it_was_drawn_anew(viewing):
    viewing.thumbnail(KEYS[1], "rate").focus()
    viewing.press("Enter")
    viewing.expect_picture(f"{KEYS[1]}_rate.jpg")
    for _ in range(25):
        viewing.press("Tab")
        assert viewing.page.evaluate("document.activeElement.closest('dialog, body').tagName") in (
            "DIALOG",
            "BODY",
        )
    viewing.press("Escape")
    expect(viewing.dialog).to_be_hidden()
    expect(viewing.thumbnail(KEYS[1], "rate")).to_be_focused()
    viewing.press("Enter")
    viewing.expect_picture(f"{KEYS[1]}_rate.jpg")
    viewing.page.evaluate(
        "document.querySelector('tbody').replaceChildren(...Array.from("
        "document.querySelector('tbody').rows, (row) => row.cloneNode(true)))"
    )
    viewing.press("Escape")
    expect(viewing.thumbnail(KEYS[1], "rate")).to_be_focused()


def test_a_click_beside_the_picture_closes_and_a_double_click_on_a_thumbnail_does_not(viewing):
    viewing.thumbnail(KEYS[0], "cal").dblclick()
    viewing.expect_picture(f"{KEYS[0]}_cal.jpg")
    assert viewing.dialog.is_visible()
    viewing.page.mouse.click(960, 300)
    expect(viewing.dialog).to_be_hidden()


def test_a_question_mark_lists_the_keys_and_escape_closes_only_the_list(viewing):
    viewing.open(KEYS[0], "cal").press("?")
    keys = viewing.page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    viewing.press("ArrowRight", "Escape")
    expect(keys).to_be_hidden()
    assert viewing.dialog.is_visible()
    viewing.expect_picture(f"{KEYS[0]}_cal.jpg")


def test_on_a_phone_a_swipe_turns_the_page_two_fingers_zoom_and_buttons_are_large(browser, address):
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    with Viewing(browser, address, **phone) as viewing:
        viewing.thumbnail(KEYS[0], "rate").tap()
        viewing.expect_picture(f"{KEYS[0]}_rate.jpg")
        touch = viewing.context.new_cdp_session(viewing.page)

        def send(kind: str, *points: tuple[int, int]) -> None:
            marked = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": marked})

        send("touchStart", (300, 400))
        send("touchMove", (200, 405))
        send("touchMove", (120, 405))
        send("touchEnd")
        viewing.expect_picture(f"{KEYS[1]}_rate.jpg")
        whole = viewing.shape
        send("touchStart", (150, 400), (250, 400))
        send("touchMove", (100, 400), (300, 400))
        send("touchEnd")
        assert viewing.shape["width"] == pytest.approx(2 * whole["width"], rel=0.01)
        sizes = viewing.page.evaluate(
            """() => Array.from(document.querySelectorAll(".viewer button, .viewer select, .viewer-links a"))
                .filter((element) => element.checkVisibility())
                .map((element) => element.getBoundingClientRect())
                .map((box) => [box.width, box.height, box.left, box.right, box.bottom])"""
        )
        assert all(width >= 40 and height >= 40 for width, height, *_ in sizes)
        assert all(left >= 0 and right <= 390 and bottom <= 844 for _, _, left, right, bottom in sizes)
        assert viewing.complaints == []


def test_the_viewer_opens_again_before_the_browser_told_of_its_end(viewing):
    viewing.open(KEYS[0], "cal")
    viewing.page.evaluate(
        """(address) => {
            document.querySelector("dialog.viewer").close();
            document.querySelector(`a[href="${address}"]`).click();
        }""",
        f"{KEYS[2]}_cal.jpg",
    )
    viewing.expect_picture(f"{KEYS[2]}_cal.jpg")
    viewing.press("ArrowLeft")
    viewing.expect_picture(f"{KEYS[1]}_cal.jpg")
    viewing.press("Escape")
    expect(viewing.thumbnail(KEYS[2], "cal")).to_be_focused()
