"""Around the pages: headers are read once, and quick-looks go with the files that they were made of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.headers import STANDARD_KEYWORDS
from jwstwatch.core.layout import former_quicklook_name, preview_folder, quicklook_name, thumbnail_name
from jwstwatch.core.model import FileState
from jwstwatch.core.site import FormerPicture, Keyword, PageFile
from jwstwatch.errors import CancelledError, ContentError
from jwstwatch.imaging import headers as imaging_headers
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync import heading
from jwstwatch.sync.rehousing import find
from jwstwatch.sync.tidying import pictures_of, remove_orphans
from tests.sync.bench import Bench
from tests.sync.test_verifying import check

PROPOSAL = 9001
NAMES = frozenset(STANDARD_KEYWORDS)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the header of each file is read."""
    counted: Counter[str] = Counter()
    read = imaging_headers.read_keywords

    def counting(path: Path, names: frozenset[str]) -> dict[str, Keyword]:
        counted[path.name] += 1
        return read(path, names)

    monkeypatch.setattr(imaging_headers, "read_keywords", counting)
    return counted


def root_of(bench: Bench) -> RootRecord:
    return find(bench.store, bench.root)


def read_all(bench: Bench, obsnum: int = 1) -> int:
    root = root_of(bench)
    unread = bench.store.headers.unread(root.id, PROPOSAL, obsnum, names=NAMES)
    heading.read_headers(bench.context(), root, unread, NAMES)
    return len(unread)


def cards(bench: Bench) -> int:
    ((count,),) = bench.ask("SELECT count(*) FROM keywords WHERE names NOT LIKE '!%'")
    return int(count)


def test_headers_are_read_once_and_kept(synced: Bench, reads: Counter[str]) -> None:
    count = read_all(synced)
    assert count == reads.total() == cards(synced) > 0
    assert set(reads.values()) == {1}
    assert read_all(synced) == 0
    assert reads.total() == count


def test_a_broken_header_is_told_once_and_a_file_that_is_away_each_time(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = imaging_headers.read_keywords
    root = root_of(synced)
    first, second = (
        Path(entry.path).name for entry in synced.store.headers.unread(root.id, PROPOSAL, 1, names=NAMES)[:2]
    )

    def reading(path: Path, names: frozenset[str]) -> dict[str, Keyword]:
        if path.name == first:
            raise ContentError("it has a hole")
        if path.name == second:
            raise OSError("stale file handle")
        return read(path, names)

    monkeypatch.setattr(imaging_headers, "read_keywords", reading)
    read_all(synced)
    assert sorted(name in text for text in synced.heard.warnings for name in (first, second)) == [
        *(False, False),
        *(True, True),
    ]
    for _ in range(2):
        read_all(synced)
    told = Counter(next(name for name in (first, second) if name in text) for text in synced.heard.warnings)
    assert told == {first: 1, second: 3}


def test_what_was_read_before_a_stop_is_kept(synced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = imaging_headers.read_keywords

    def stopping(path: Path, names: frozenset[str]) -> dict[str, Keyword]:
        synced.stop.set()
        return read(path, names)

    monkeypatch.setattr(imaging_headers, "read_keywords", stopping)
    monkeypatch.setattr(heading, "THREADS", 1)
    with pytest.raises(CancelledError):
        read_all(synced)
    assert cards(synced) == 1
    synced.stop.clear()


# Quick-looks


def pictures(bench: Bench) -> dict[str, list[str]]:
    """Put the quick-looks of every FITS file where they belong; returns their names by file."""
    folder = bench.root / preview_folder(PROPOSAL)
    folder.mkdir(parents=True)
    made = {}
    for name in (row.name for row in bench.reports().values() if row.name.endswith(".fits")):
        small = thumbnail_name(quicklook_name(name))
        made[name] = [quicklook_name(name), small, former_quicklook_name(name, 1)]
        for each in made[name]:
            (folder / each).write_bytes(b"a picture")
    return made


def test_pictures_that_no_part_shows_any_more_go_and_nothing_else(synced: Bench) -> None:
    made, folder = pictures(synced), synced.root / preview_folder(PROPOSAL)
    others = ["mine.jpg", "notes.txt", "jw09001001001_02101_00001_nrca1_rate.jpg", ".QL.jpg"]
    for name in others:
        (folder / name).write_text("x")
    (folder / "jw09001001001_02101_00009_nrca1_rate.QL.jpg").symlink_to(folder / "mine.jpg")
    (folder / "jw09001001001_02101_00008_nrca1_rate.QL.jpg").mkdir()
    (folder / "jw09001001001_02101_00007_nrca1_rate.QL.jpg").write_text("its file has left")
    (folder / "jw09001002001_02101_00007_nrca1_rate.QL.jpg").write_text("of another observation")
    root = root_of(synced)
    first = next(name for name in made if name.startswith("jw09001001"))
    shown = {name for each in made.values() for name in each} - {*made[first][1:]}
    before = {path.name for path in folder.iterdir()}
    assert remove_orphans(synced.store, root, PROPOSAL, {1: shown}) == 3
    gone = before - {path.name for path in folder.iterdir()}
    assert gone == {*made[first][1:], "jw09001001001_02101_00007_nrca1_rate.QL.jpg"}
    assert remove_orphans(synced.store, root, PROPOSAL, {1: shown}) == 0
    assert remove_orphans(synced.store, root, PROPOSAL, {2: shown}) == 1
    assert remove_orphans(synced.store, root, 1345, {None: set()}) == 0


def test_a_picture_whose_name_tells_no_observation_stays_with_the_part_that_its_file_is_of(
    synced: Bench,
) -> None:
    folder, root = synced.root / preview_folder(PROPOSAL), root_of(synced)
    folder.mkdir(parents=True)
    name = next(row.name for row in synced.reports().values() if row.name.endswith("_rate.fits"))
    candidate = "jw09001-c1001_t001_nircam_clear-f200w_i2d.fits"
    with synced.store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE product SET name = '{candidate}' WHERE name = '{name}'")
    picture = folder / quicklook_name(candidate)
    picture.write_bytes(b"a picture")
    assert remove_orphans(synced.store, root, PROPOSAL, {2: set(), None: set()}) == 0
    assert remove_orphans(synced.store, root, PROPOSAL, {1: set()}) == 1
    assert not picture.exists()


def test_what_a_page_shows_of_a_file_are_its_picture_the_small_one_and_the_former_one() -> None:
    facts: dict[str, Any] = dict.fromkeys(
        ("obsid", "parent_obsid", "obsnum", "calib_level", "product_type", "size")
    )
    facts |= {
        "name": "x",
        "path": "x",
        "uri": "x",
        "filetype": "x",
        "obs_id": "x",
        "state": FileState.PRESENT,
    }
    former = FormerPicture(path=".replaced/09001/r1/x_rate.jpg", revision=1)
    files = [
        PageFile(**facts),
        PageFile(**facts, picture="09001/x_rate.jpg", thumbnail="09001/x_rate.TN.jpg", former_picture=former),
        PageFile(**facts, picture="09001/jwstwatch-pages/previews/x_cal.QL.jpg"),
    ]
    assert pictures_of(files) == {"x_rate.jpg", "x_rate.TN.jpg", "x_cal.QL.jpg"}


def test_pictures_behind_a_link_are_left_alone(synced: Bench, tmp_path: Path) -> None:
    picture = tmp_path / "elsewhere" / "previews" / "jw09001001001_02101_00007_nrca1_rate.QL.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    (synced.root / preview_folder(PROPOSAL)).parent.symlink_to(picture.parent.parent)
    assert remove_orphans(synced.store, root_of(synced), PROPOSAL, {1: set()}) == 0
    assert picture.exists()


def test_what_pages_are_made_of_is_no_stranger_and_other_files_beside_it_are(synced: Bench) -> None:
    pictures(synced)
    ours = [
        "feed.xml", "feed.json", "09001/09001.exposures.csv", "09001/09001.products.txt",
        "jwstwatch-assets/standing.js", *(f"09001/jwstwatch-pages/{name}" for name in (
            "obs001.exposures.1.js", "obs001.exposures.details.12.js", "obs1001.guide-stars.1.js",
            "several.products.1.js",
            "obs001.products.txt", "several.html", "obs001.html", "obs001.2.html", "obs001.csv",
        )),
    ]  # fmt: skip
    theirs = [
        "feed.txt", "09001/09002.exposures.csv", "09001/jwstwatch-pages/reduced.fits",
        "09001/jwstwatch-pages/mine.js", "09001/jwstwatch-pages/previews/mine.jpg",
        "09001/jwstwatch-pages/obs001.rate.1.js",
    ]  # fmt: skip
    for name in (*ours, *theirs):
        (synced.root / name).parent.mkdir(parents=True, exist_ok=True)
        (synced.root / name).write_text("x")
    found = check(synced).strangers
    assert sorted(stranger.path for stranger in found.foreign) == sorted(theirs)
