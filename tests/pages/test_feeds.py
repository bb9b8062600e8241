"""The feeds, read as strictly as RFC 4287 and JSON Feed 1.1 are written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin
from xml.etree import ElementTree as Tree

from jwstwatch.core.home import Arrivals, HomeView
from jwstwatch.pages import feeds
from tests.pages import homes

ATOM = "{http://www.w3.org/2005/Atom}"
URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = "https://pages.example/jwst/feed.xml"


def texts(element: Tree.Element, tag: str) -> list[str]:
    return [child.text or "" for child in element.findall(ATOM + tag)]


def require_atom(content: bytes) -> Tree.Element:
    """Fail unless every element that RFC 4287 requires is there as often as it says; returns the feed."""
    feed = Tree.fromstring(content)
    assert feed.tag == f"{ATOM}feed"
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        for tag in ("id", "title", "updated"):  # exactly one of each, 4.1.1 and 4.1.2
            assert len(texts(element, tag)) == 1, (element.tag, tag)
        assert URN.fullmatch(texts(element, "id")[0])
        assert datetime.fromisoformat(texts(element, "updated")[0]).tzinfo is not None
        for link in element.findall(f"{ATOM}link"):
            assert link.get("href")
        places = [(link.get("rel"), link.get("type")) for link in element.findall(f"{ATOM}link")]
        assert len(places) == len(set(places))
    # One author of the feed stands for all entries, 4.1.1; it has one name, 3.2.
    (author,) = feed.findall(f"{ATOM}author")
    assert len(texts(author, "name")) == 1
    assert any(link.get("rel") == "self" for link in feed.findall(f"{ATOM}link"))
    entries = feed.findall(f"{ATOM}entry")
    for entry in entries:
        (content_of,) = entry.findall(f"{ATOM}content")
        assert content_of.get("type") == "html"
        assert len(list(content_of)) == 0
        assert len(texts(entry, "published")) == 1
        assert all(category.get("term") for category in entry.findall(f"{ATOM}category"))
    ids = [texts(entry, "id")[0] for entry in entries]
    assert len(ids) == len(set(ids))
    return feed


def test_the_atom_feed_has_what_the_standard_asks_for(tmp_path: Path) -> None:
    feed = require_atom(feeds.render_atom(homes.make_home(tmp_path)))
    titles = [texts(entry, "title")[0] for entry in feed.findall(f"{ATOM}entry")]
    assert titles == [
        "01345 obs. 3: 12 new files",
        "01345 obs. 4: 8 new files",
        "01189 obs. 1: 24 new files",
        "02107 obs. 30: 100 files reprocessed",
    ]
    assert texts(feed, "updated") == ["2026-03-01T09:00:00Z"]


def test_a_reprocessing_says_what_changed_and_names_its_first_files(tmp_path: Path) -> None:
    feed = require_atom(feeds.render_atom(homes.make_home(tmp_path)))
    entry = feed.findall(f"{ATOM}entry")[3]
    assert "pipeline 1.16.1 → 1.18.0, context jwst_1321.pmap → jwst_1364.pmap" in texts(entry, "summary")[0]
    (content,) = texts(entry, "content")
    assert content.count("<li>") == 50
    assert "and 50 files more" in content


def test_a_feed_without_news_is_a_feed(tmp_path: Path) -> None:
    view = homes.make_home(tmp_path, arrivals=Arrivals())
    assert require_atom(feeds.render_atom(view)).findall(f"{ATOM}entry") == []
    assert json.loads(feeds.render_json(view))["items"] == []


def test_links_lead_to_the_observation_wherever_the_site_stands(tmp_path: Path) -> None:
    feed = require_atom(feeds.render_atom(homes.make_home(tmp_path)))
    link = feed.find(f"{ATOM}entry/{ATOM}link")
    assert link is not None
    assert (
        urljoin(ADDRESS, link.get("href"))
        == "https://pages.example/jwst/01345/index.html#exposures.observation=obs003"
    )
    assert str(tmp_path) not in feeds.render_atom(homes.make_home(tmp_path)).decode()


def test_the_json_feed_has_what_its_version_asks_for(tmp_path: Path) -> None:
    feed = json.loads(feeds.render_json(homes.make_home(tmp_path)))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(feed["title"], str)
    assert all(author["name"] for author in feed["authors"])
    ids = [item["id"] for item in feed["items"]]
    assert all(map(URN.fullmatch, ids))
    assert len(set(ids)) == len(ids) == 4
    for item in feed["items"]:
        assert isinstance(item["content_html"], str)
        assert datetime.fromisoformat(item["date_published"]) <= datetime.fromisoformat(item["date_modified"])
        assert isinstance(item["tags"], list)
    assert feed["items"][0]["url"] == "01345/index.html#exposures.observation=obs003"


def hostile(view: HomeView) -> HomeView:
    title = "</title><script>alert(1)</script>\x00\x0b\ud800 & ]]> \N{SNOWMAN}"
    entry = replace(view.arrivals.news[0], names=("<img src=x onerror=alert(1)>\x07.fits",))
    index = tuple(replace(line, title=title) for line in view.index)
    return replace(view, index=index, arrivals=replace(view.arrivals, news=(entry,)))


def test_hostile_titles_and_names_are_text(tmp_path: Path) -> None:
    view = hostile(homes.make_home(tmp_path))
    feed = require_atom(feeds.render_atom(view))
    entry = feed.find(f"{ATOM}entry")
    assert entry is not None
    assert "<script>" in texts(entry, "summary")[0]  # plain text, shown as it is
    (item,) = json.loads(feeds.render_json(view))["items"]
    for content in (texts(entry, "content")[0], item["content_html"]):
        assert "<script>" not in content
        assert "<img" not in content
        assert "&lt;script&gt;" in content
    for text in (feeds.render_atom(view), feeds.render_json(view)):
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)


def test_the_same_view_makes_the_same_feeds(tmp_path: Path) -> None:
    view = homes.make_home(tmp_path)
    assert feeds.render_atom(view) == feeds.render_atom(homes.make_home(tmp_path / "elsewhere"))
    assert feeds.render_json(view) == feeds.render_json(homes.make_home(tmp_path / "elsewhere"))
