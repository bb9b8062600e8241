"""How a page feels in Chromium, opened from `file://`: first rows, all rows, sorting, scrolling.

Headless, with software rendering: a screen with a graphics card is faster.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
LATE = 1000 / 30
"""Milliseconds: of a screen with 60 Hz a frame was left out."""

ROWS = "#exposures-live tbody .key"
STATUS = "#exposures-section output"

# Runs before any script of the page, whose policy allows no script of Playwright's own later on.
WATCH = """
(() => {
  const seen = (window.measured = {first: null, all: null});
  const look = () => {
    const now = performance.now();
    if (seen.first === null && document.querySelector(ROWS)?.checkVisibility()) seen.first = now;
    const words = document.querySelector(STATUS)?.textContent ?? "";
    if (/^[0-9,]+ rows$/.test(words.trim())) seen.all = now;
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
""".replace("ROWS", repr(ROWS)).replace("STATUS", repr(STATUS))

SCROLL = """
([frames, step]) => new Promise((resolve) => {
  const table = document.querySelector("#exposures-live");
  let place = table.parentElement;
  while (place !== null && place.scrollHeight <= place.clientHeight + 1) place = place.parentElement;
  const deltas = [];
  let last = performance.now();
  const next = (now) => {
    deltas.push(now - last);
    last = now;
    if (deltas.length > frames) resolve(deltas.slice(1));
    else {
      (place ?? window).scrollBy(0, step);
      requestAnimationFrame(next);
    }
  };
  requestAnimationFrame(next);
})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Milliseconds from the start of the navigation; the heap in bytes; frames in milliseconds."""

    first_rows: float
    all_rows: float
    sort: float
    heap: int
    elements: int
    frames: tuple[float, ...]
    complaints: tuple[str, ...]

    def __str__(self) -> str:
        late = sum(frame > LATE for frame in self.frames)
        return (
            f"opened: first rows {self.first_rows:.0f} ms, all {self.all_rows:.0f} ms, "
            f"sorted {self.sort:.0f} ms, heap {self.heap / 1e6:.0f} MB, {self.elements} elements; "
            f"scrolling: frame {statistics.median(self.frames):.1f} ms, longest {max(self.frames):.0f} ms, "
            f"{late} of {len(self.frames)} late" + "".join(f"\n  {text}" for text in self.complaints[:5])
        )


def open_page(page_file: Path, *, executable: str) -> Opening:
    """Open a proposal's page, let all of its rows load, sort them, scroll through some screens."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(WATCH)
        page.goto(page_file.as_uri(), wait_until="commit")
        seen = _await_rows(page)
        sort = _sort(page)
        frames = page.evaluate(SCROLL, [240, 100])
        session = page.context.new_cdp_session(page)
        heap = int(session.send("Runtime.getHeapUsage")["usedSize"])
        elements = int(page.evaluate("document.getElementsByTagName('*').length"))
        browser.close()
    return Opening(
        first_rows=seen["first"],
        all_rows=seen["all"],
        sort=sort,
        heap=heap,
        elements=elements,
        frames=tuple(frames),
        complaints=tuple(complaints),
    )


def _await_rows(page: Page) -> dict[str, float]:
    for _ in range(600):
        seen: dict[str, float | None] = page.evaluate("window.measured")
        if seen["first"] is not None and seen["all"] is not None:
            return {name: value for name, value in seen.items() if value is not None}
        page.wait_for_timeout(100)
    raise TimeoutError("the rows did not come")


def _sort(page: Page) -> float:
    """Return how long a click on the head of the last column takes, until the next frame is drawn."""
    return float(
        page.evaluate(
            """async () => {
                const buttons = document.querySelectorAll("#exposures-live thead button");
                const began = performance.now();
                buttons[buttons.length - 1].click();
                await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                return performance.now() - began;
            }"""
        )
    )
