"""Pages that other profiles, other names and other folders leave behind, and what the home page says then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from jwstwatch.core.model import Outcome
from jwstwatch.store import tables
from jwstwatch.sync import parting
from jwstwatch.sync.publishing import Order, publish_root
from tests.pages.reading import read_facts, read_html
from tests.sync.bench import Bench

MAIN, FOLDER = 1366, "01366"
OTHER = 1410
PAGED = {
    "filetypes": ["rate", "calints"],
    "instrument": "all",
    "makewebpages": True,
    "webpage_mkthumbnails": False,
}
PLAIN = PAGED | {"makewebpages": False}


@pytest.fixture
def bench(make_bench) -> Bench:
    return make_bench(None)


def columns(bench: Bench) -> list[str]:
    page = read_html((bench.root / FOLDER / "index.html").read_bytes())
    shown: list[str] = read_facts(page)["columns"]["exposures"]
    return shown


def news(bench: Bench) -> dict[str, str]:
    """Which files the feed tells of, by the page that it links to."""
    items = json.loads((bench.root / "feed.json").read_text())["items"]
    return {item["title"].split()[0]: item["url"].partition("#")[0] for item in items}


def publish(bench: Bench, order: Order = Order()) -> int:  # noqa: B008 - it is frozen
    root = bench.store.roots.get(bench.root)
    assert root is not None
    return publish_root(bench.context(), root, order=order)


def test_a_profile_with_pages_shows_what_another_one_without_fetched_before(bench: Bench) -> None:
    others = {"plain": PLAIN | {"propID": MAIN}, "other": PAGED | {"propID": OTHER}}
    bench.configure(others)
    bench.run("plain")
    bench.run("other")
    assert not (bench.root / FOLDER / "index.html").exists()
    bench.configure(others | {"watch": PAGED | {"propID": MAIN}})
    record = bench.run()
    assert (record.counts.downloaded, (bench.root / FOLDER / "index.html").exists()) == (0, True)


def test_the_pages_of_a_profile_follow_it_when_it_is_called_otherwise(bench: Bench) -> None:
    bench.configure({"watch": PAGED | {"propID": MAIN, "webpage_cols4table": ["obsnum", "rate"]}})
    bench.run()
    bench.store.profiles.rename("watch", "again", now=bench.clock)
    bench.configure({"again": PAGED | {"propID": MAIN, "webpage_cols4table": ["rate", "obsnum"]}})
    bench.run("again")
    assert columns(bench) == ["rate", "obsnum"]


def test_the_home_page_tells_of_what_has_no_page_and_links_to_none(bench: Bench) -> None:
    bench.configure({"watch": PAGED | {"propID": MAIN}, "plain": PLAIN | {"propID": OTHER}})
    bench.run()
    assert news(bench) == {FOLDER: f"{FOLDER}/index.html"}
    bench.run("plain")
    assert news(bench) == {FOLDER: f"{FOLDER}/index.html", f"{OTHER:05d}": "index.html"}
    assert bench.run("plain").counts.pages == 0


def test_pictures_that_were_ordered_anew_are_not_made_again_by_the_next_run(bench: Bench) -> None:
    bench.configure({"watch": PAGED | {"propID": MAIN, "webpage_mkthumbnails": True}})
    bench.run()
    root = bench.store.roots.get(bench.root)
    assert root is not None
    before = bench.store.sites.pages(root.id)
    publish(bench, Order(everything=True, pictures=True))
    assert bench.store.sites.pages(root.id) == before


def test_a_page_that_nobody_keeps_up_any_more_keeps_its_line_on_the_home_page(bench: Bench) -> None:
    both = PAGED | {"propID": [MAIN, OTHER]}
    bench.configure({"watch": both})
    bench.run()
    root = bench.store.roots.get(bench.root)
    assert root is not None
    line = bench.store.sites.documents(root.id)[OTHER]["summary"]
    bench.configure({"watch": both | {"propID": MAIN}})
    bench.run()
    assert bench.store.sites.documents(root.id)[OTHER].get("summary") == line
    # As an older version leaves it, which kept nothing of its pages.
    with bench.store.database.write() as connection:
        connection.execute(update(tables.page).values(line=None, settings=""))
        connection.execute(update(tables.page_part).values(line=None, written=0, settings=""))
    bench.run()
    kept = bench.store.sites.documents(root.id)[OTHER]["summary"]
    assert (kept["counts"], kept["bytes_present"]) == (line["counts"], line["bytes_present"])
    assert Path(bench.root / f"{OTHER:05d}" / "index.html").exists()


def test_what_stands_in_the_way_of_a_page_ends_the_run_in_words(bench: Bench) -> None:
    bench.configure({"watch": PAGED | {"propID": OTHER}})
    obstacle = bench.root / f"{OTHER:05d}" / "jwstwatch-pages" / "obs001.html"
    obstacle.mkdir(parents=True)
    record = bench.attempt().record
    assert (record.outcome, record.error_kind) == (Outcome.PARTIAL, "storage")
    assert str(obstacle) in (record.error_message or "")
    assert record.counts.downloaded
    obstacle.rmdir()
    assert bench.run().counts.pages


def test_a_disk_that_goes_while_pages_are_written_gets_nothing_in_its_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.configure({"watch": PAGED | {"propID": OTHER}})
    write, away = parting.write, bench.folder / "away"

    def unmounted(*arguments: Any, **options: Any) -> int:
        bench.root.rename(away)
        bench.root.mkdir()  # the mount point
        return write(*arguments, **options)

    monkeypatch.setattr(parting, "write", unmounted)
    record = bench.attempt().record
    assert (record.outcome, record.error_kind) == (Outcome.PARTIAL, "root_missing")
    assert list(bench.root.iterdir()) == []
