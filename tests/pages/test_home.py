"""The home page as text: what it holds, and that nothing in it depends on the clock or becomes markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from jwstwatch.core.home import Arrivals
from jwstwatch.core.model import FileState
from jwstwatch.pages.publishing import publish_home
from tests.pages import homes

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    return root


def published(root: Path, **changes: object) -> str:
    publish_home(homes.make_home(root, **changes))
    return (root / "index.html").read_text()


def test_the_page_tells_of_every_proposal_profile_and_arrival(root: Path) -> None:
    page = published(root)
    for proposal, (title, investigator, _) in homes.TITLES.items():
        assert f'href="{proposal:05d}/index.html"' in page
        assert title in unescape(page)
        assert investigator in unescape(page)
    for profile in homes.profiles():
        assert profile.name in page
        assert unescape(profile.schedule) in unescape(page)
    assert "01345/index.html#exposures.observation=obs003" in page
    assert "pipeline 1.16.1 → 1.18.0" in page
    assert page.count("<svg") == 3


def test_both_feeds_are_beside_the_page_and_named_in_its_head(root: Path) -> None:
    head = published(root).partition("</head>")[0]
    assert re.search(r'<link rel="alternate" type="application/atom\+xml"[^>]* href="feed.xml">', head)
    assert re.search(r'<link rel="alternate" type="application/feed\+json"[^>]* href="feed.json">', head)
    assert (root / "feed.xml").is_file()
    assert json.loads((root / "feed.json").read_text())["items"]


def test_the_hours_that_a_script_counts_are_in_the_page(root: Path) -> None:
    data = re.search(r'data-home="([^"]*)"', published(root))
    assert data is not None
    known = json.loads(unescape(data[1]))
    newest = int(homes.LAST.timestamp()) // 3600
    assert known["hours"][0] == [newest, [[1345, 12, 1_200_000_000, 0]]]
    assert known["hours"][1] == [newest - 3, [[1345, 8, 800_000_000, 2], [1189, 4, 400_000_000, 0]]]
    assert known["standing"] == "jwstwatch-assets/standing.js"


def test_what_is_withheld_or_waits_is_not_said_to_be_on_disk(root: Path) -> None:
    counts = {state: 10**place for place, state in enumerate(FileState)}
    there = sum(counts[state] for state in (FileState.PRESENT, FileState.STALE, FileState.GONE))
    line = replace(homes.summaries()[0], counts=counts)
    tile = re.search(r"<h2>On disk</h2>.*?</div>", published(root, index=(line,)))
    assert tile is not None
    assert f"{there:,} files of 1 proposal<" in tile[0]


def test_the_same_view_writes_nothing_again(root: Path) -> None:
    assert publish_home(homes.make_home(root)) > 3
    assert publish_home(homes.make_home(root)) == 0


def test_a_strict_page_has_neither_inline_styles_nor_scripts(root: Path) -> None:
    page = published(root)
    assert not re.search(r"<[^>]+\sstyle=", page)
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]* src=)", page)
    assert not re.search(r"\son[a-z]+=", re.sub(r'"[^"]*"', "", page))


def test_names_of_profiles_titles_and_files_stay_text(root: Path) -> None:
    view = homes.make_home(root)
    profiles = (replace(view.profiles[0], name=HOSTILE, selects=((HOSTILE, HOSTILE),), schedule=HOSTILE),)
    entry = replace(view.arrivals.news[0], names=(HOSTILE,))
    index = tuple(replace(line, title=HOSTILE, principal_investigator=HOSTILE) for line in view.index)
    arrivals = replace(view.arrivals, news=(entry,))
    page = published(root, profiles=profiles, index=index, arrivals=arrivals)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


def test_a_root_without_anything_has_a_page_that_says_so(root: Path) -> None:
    page = published(root, index=(), arrivals=Arrivals(), profiles=())
    assert "No proposal has files here yet." in page
    assert "Nothing has arrived yet." in page
    assert "No saved profile fetches into this folder" in page
    assert "<svg" not in page
    assert "standing.js" not in page
