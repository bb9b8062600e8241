"""A site in Chromium from the disk, from any web server and from `jwstwatch serve`; odd names are in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from jwstwatch.core.site import FormerPicture
from jwstwatch.pages.publishing import publish_home
from jwstwatch.serving.confining import Site
from jwstwatch.serving.server import SiteServer
from tests.pages import examples, homes
from tests.pages.browsing import DESKTOP, Opened

pytestmark = pytest.mark.browser

ODD = "ä b#c%41?d;e'f\"g&h"
KEYS = examples.nircam_exposures(1345, 1)[:2]
FORMER = f".replaced/01345/r1/{ODD} 1%20.jpg"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site") / "sité #1 50% & a?b;c+d"
    root.mkdir()
    made = [file for key in KEYS for file in examples.make_exposure(key, 1)]
    files = [replace(file, path=f"01345/{ODD}/{file.name}") for file in made]
    files = [
        replace(file, thumbnail=file.path.removesuffix(".jpg") + ".TN.jpg") if file.thumbnail else file
        for file in files
    ]
    files[1] = replace(files[1], revision=2, former_picture=FormerPicture(path=FORMER, revision=1))
    other = examples.make_file("jw01345001001_01_msa.fits")
    files.append(replace(other, name=f"{ODD}\u2028.json", path=f"01345/x/{ODD}\u2028.json"))
    examples.fill_disk(root, files)
    examples.publish(root, examples.make_proposal(files))
    return root


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        pass


@contextmanager
def from_the_disk(root: Path) -> Iterator[str]:
    yield f"{root.as_uri()}/"


@contextmanager
def from_any_server(root: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def from_serve(root: Path) -> Iterator[str]:
    with SiteServer([Site(root=root)], host="127.0.0.1", port=0) as server:
        yield server.url


PICTURES = """async () => {
    const images = [...document.querySelectorAll("main .live-table img")];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.decode()));
    return images.length;
}"""


@pytest.mark.parametrize("served", [from_the_disk, from_any_server, from_serve])
def test_odd_names_of_files_and_folders_are_found_everywhere(browser, root, served):
    with served(root) as address, Opened(browser, f"{address}01345/index.html", viewport=DESKTOP) as opened:
        opened.wait("2 rows")
        page = opened.page
        page.locator("#others-section summary").first.click()
        opened.wait("1 row", "others")
        assert page.evaluate(PICTURES) == 6
        addresses = page.eval_on_selector_all(".live-table a", "links => links.map((link) => link.href)")
        assert len(set(addresses)) > 12
        for each in set(addresses):
            if each.startswith("http"):
                assert opened.context.request.get(each).status == 200, each
            else:
                assert Path(unquote(urlsplit(each).path)).is_file(), each
        page.locator("#exposures-live a.thumbnail").first.click()
        page.keyboard.press("b")
        expect(page.locator(".viewer-other img")).to_have_js_property("naturalWidth", 120)
        assert page.locator(".viewer-trouble").inner_text() == ""
        assert opened.complaints == []


def test_how_profiles_stand_is_never_shown_as_it_was_before_the_last_run(browser, tmp_path):
    view = homes.make_home(tmp_path)
    publish_home(view)
    (profile, *_) = view.profiles

    def tell(outcome: str) -> None:
        files = dict.fromkeys(("downloaded", "unchanged", "waiting", "withheld", "failed"), 0)
        told = {"name": profile.name, "outcome": outcome, "finished_at": "2026-03-01T09:38:00Z"}
        standing = {
            "archive": {"reachable": None},
            "profiles": [{**told, "files": files, "next_run_at": None, "error": None}],
        }
        script = f"jwstwatch.standing({json.dumps(standing)});\n"
        (tmp_path / "jwstwatch-assets" / "standing.js").write_text(script)

    tell("failed")
    with from_serve(tmp_path) as address, Opened(browser, "about:blank", viewport=DESKTOP) as opened:
        opened.page.clock.set_fixed_time(homes.LAST)  # both in one minute
        opened.page.goto(address)
        badge = opened.page.locator("li[data-profile] .standing .badge")
        expect(badge).to_have_text("failed")
        tell("complete")
        opened.page.reload()
        expect(badge).to_have_text("complete")
