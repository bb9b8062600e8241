"""What a page says of gaps, and of files that were reprocessed, are damaged or gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jwstwatch.core.gap_words import summarise
from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, Reprocessing
from tests.pages import examples
from tests.pages.reading import Element, read_html, read_table

NAME = "jw01345001001_03101_00001_nrca1_cal.fits"
CHANGE = Reprocessing(
    at=examples.BEGIN, pipeline=("1.14.0", "1.15.0"), context=("jwst_1230.pmap", "jwst_1241.pmap")
)


def gap(number: int, kind: GapKind = GapKind.STAGE, **facts: object) -> Gap:
    found = Gap(
        proposal=1345,
        obsnum=number,
        exposure=f"jw01345{number:03d}001_02101_00001",
        kind=kind,
        what="cal",
        names=(f"jw01345{number:03d}001_02101_00001_nrca1_cal.fits",),
        reason="the archive does not list it",
    )
    return replace(found, **facts)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def page_of(root: Path, *gaps: Gap, files: tuple[PageFile, ...] = ()) -> Element:
    published = examples.publish(root, examples.make_proposal(files, gaps=summarise(gaps)))
    return read_html(published.page.read_bytes())


def chip(root: Path, **facts: object) -> Element:
    page = page_of(root, files=(examples.make_file(NAME, **facts),))
    (found,) = [element for element in page.walk() if "chip" in element.attributes.get("class", "").split()]
    return found


def test_the_page_tells_what_is_missing_and_why(root: Path) -> None:
    waiting = gap(
        2, GapKind.WITHHELD, exposure=None, count=1500, reason="no token", next_at=examples.BEGIN, what="rate"
    )
    page = page_of(root, gap(1), waiting, gap(0, GapKind.PLANNED, obsnum=None, what="EGS"))
    rows = [[cell.text for cell in row.values()] for row in read_table(page, "gaps")]
    assert rows == [
        ["1", "stage", "cal of jw01345001001_02101_00001", "the archive does not list it", ""],
        ["2", "withheld", "1,500 files: rate", "no token", "released 2022-06-21T04:12:07Z"],
        ["", "planned", "EGS", "the archive does not list it", ""],
    ]
    heading = page.find("h2", id="gaps-title")
    assert heading.text == "What is missing 1502"
    assert "open" in page.find("details").attributes


def test_a_long_list_is_folded_and_an_empty_one_says_so(root: Path) -> None:
    assert "open" not in page_of(root, *(gap(number) for number in range(1, 20))).find("details").attributes
    empty = page_of(root)
    assert empty.find_all("table", id="gaps") == []
    assert "Nothing: what the archive lists and the profiles select is here." in empty.text


def test_a_reprocessed_file_is_marked_with_date_and_versions(root: Path) -> None:
    found = chip(root, revision=3, reprocessed=CHANGE)
    assert (found.tag, found.text) == ("a", "cal rev. 3")
    assert found.attributes["title"].endswith(
        "revision 3, reprocessed 2022-06-21T04:12Z, pipeline 1.14.0 \N{RIGHTWARDS ARROW} 1.15.0, "
        "context jwst_1230.pmap \N{RIGHTWARDS ARROW} jwst_1241.pmap"
    )
    plain = chip(root, reprocessed=replace(CHANGE, pipeline=("1.14.0", "1.14.0"), context=(None, None)))
    assert plain.text == "cal"
    assert plain.attributes["title"].endswith("reprocessed 2022-06-21T04:12Z, pipeline 1.14.0")


@pytest.mark.parametrize(
    ("facts", "text", "style", "title"),
    [
        ({"state": FileState.STALE}, "cal stale", "stale", "newer revision in the archive"),
        ({"state": FileState.GONE}, "cal gone", "gone", "no longer in the archive"),
        ({"damage": "5 of 9 bytes"}, "cal damaged", "failed", "damaged: 5 of 9 bytes"),
        ({"state": FileState.GONE, "reason": "not listed"}, "cal gone", "gone", "not listed"),
    ],
)
def test_what_is_wrong_with_a_file_is_marked(
    root: Path, facts: dict[str, object], text: str, style: str, title: str
) -> None:
    found = chip(root, **facts)
    assert found.text == text
    assert style in found.attributes["class"].split()
    assert found.attributes["title"].endswith(title)


def test_other_files_have_the_same_marks(root: Path) -> None:
    name = "jw01345062001_01_msa.fits"
    for facts, text in (
        ({"revision": 2}, "present rev. 2"),
        ({"damage": "x"}, "damaged"),
        ({"state": FileState.GONE}, "gone"),
        ({}, "present"),
    ):
        page = page_of(root, files=(examples.make_file(name, **facts),))
        (row,) = read_table(page, "others")
        assert row["State"].text == text


def test_the_index_counts_what_is_missing(root: Path) -> None:
    known = examples.summarise(1345, [], missing=1502)
    lines = [known, replace(known, proposal=2, missing=0), replace(known, proposal=3, missing=None)]
    examples.publish_index(root, *lines)
    page = read_html((root / "index.html").read_bytes())
    assert [row["Missing"].text for row in read_table(page, "proposals")] == ["0", "", "1502"]
    assert page.find("tfoot").find_all("td")[6].text == "1502"


def test_the_plain_page_of_an_observation_tells_of_its_own_gaps(root: Path) -> None:
    published = examples.publish(root, examples.make_proposal((), gaps=summarise([gap(1), gap(2)])))
    page = read_html((published.parts / "obs002.html").read_bytes())
    assert [row["What"].text for row in read_table(page, "gaps")] == ["cal of jw01345002001_02101_00001"]
    lines = {
        row["Obs."].text: row for row in read_table(read_html(published.page.read_bytes()), "observations")
    }
    assert [line["Missing"].text for line in lines.values()] == ["1", "1"]


def test_a_page_of_very_many_gaps_stays_bounded_and_says_what_it_leaves_out(root: Path) -> None:
    gaps = [gap(1, GapKind.FAILED, reason=f"reason {number}") for number in range(1100)]
    page = page_of(root, *gaps)
    assert len(read_table(page, "gaps")) == 1000
    assert page.find("h2", id="gaps-title").text == "What is missing 1100"
    assert "And 100 more: jwstwatch gaps lists all of them." in page.text
