"""What a page says of gaps, and of files that were reprocessed, are damaged or gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, Reprocessing
from jwstwatch.pages.rendering import Renderer
from tests.pages import examples
from tests.pages.reading import Element, read_html, read_table

NAME = "jw01345001001_03101_00001_nrca1_cal.fits"
CHANGE = Reprocessing(
    at=examples.BEGIN, pipeline=("1.14.0", "1.15.0"), context=("jwst_1230.pmap", "jwst_1241.pmap")
)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


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


def page_of(renderer: Renderer, *gaps: Gap, files: tuple[PageFile, ...] = ()) -> Element:
    return read_html(renderer.render_proposal(replace(examples.make_view(files), gaps=gaps)))


def chip(renderer: Renderer, **facts: object) -> Element:
    page = page_of(renderer, files=(examples.make_file(NAME, **facts),))
    (found,) = [element for element in page.walk() if "chip" in element.attributes.get("class", "").split()]
    return found


def test_the_page_tells_what_is_missing_and_why(renderer: Renderer) -> None:
    waiting = gap(
        2, GapKind.WITHHELD, exposure=None, count=1500, reason="no token", next_at=examples.BEGIN, what="rate"
    )
    page = page_of(renderer, gap(1), waiting, gap(0, GapKind.PLANNED, obsnum=None, what="EGS"))
    rows = [[cell.text for cell in row.values()] for row in read_table(page, "gaps")]
    assert rows == [
        ["1", "stage", "cal of jw01345001001_02101_00001", "the archive does not list it", ""],
        ["2", "withheld", "1,500 files: rate", "no token", "released 2022-06-21T04:12:07Z"],
        ["", "planned", "EGS", "the archive does not list it", ""],
    ]
    heading = page.find("h2", id="gaps-title")
    assert heading.text == "What is missing 1502"
    assert "open" in page.find("details").attributes


def test_a_long_list_is_folded_and_an_empty_one_says_so(renderer: Renderer) -> None:
    assert (
        "open" not in page_of(renderer, *(gap(number) for number in range(1, 20))).find("details").attributes
    )
    empty = page_of(renderer)
    assert empty.find_all("table", id="gaps") == []
    assert "Nothing: what the archive lists and the profiles select is here." in empty.text


def test_a_reprocessed_file_is_marked_with_date_and_versions(renderer: Renderer) -> None:
    found = chip(renderer, revision=3, reprocessed=CHANGE)
    assert (found.tag, found.text) == ("a", "cal rev. 3")
    assert found.attributes["title"].endswith(
        "revision 3, reprocessed 2022-06-21T04:12Z, pipeline 1.14.0 \N{RIGHTWARDS ARROW} 1.15.0, "
        "context jwst_1230.pmap \N{RIGHTWARDS ARROW} jwst_1241.pmap"
    )
    plain = chip(renderer, reprocessed=replace(CHANGE, pipeline=("1.14.0", "1.14.0"), context=(None, None)))
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
    renderer: Renderer, facts: dict[str, object], text: str, style: str, title: str
) -> None:
    found = chip(renderer, **facts)
    assert found.text == text
    assert style in found.attributes["class"].split()
    assert found.attributes["title"].endswith(title)


def test_other_files_have_the_same_marks(renderer: Renderer) -> None:
    name = "jw01345062001_01_msa.fits"
    for facts, text in (
        ({"revision": 2}, "present rev. 2"),
        ({"damage": "x"}, "damaged"),
        ({"state": FileState.GONE}, "gone"),
        ({}, "present"),
    ):
        page = page_of(renderer, files=(examples.make_file(name, **facts),))
        (row,) = read_table(page, "others")
        assert row["State"].text == text


def test_the_index_counts_what_is_missing(renderer: Renderer) -> None:
    known = examples.summarise(1345, [], missing=1502)
    lines = [known, replace(known, proposal=2, missing=0), replace(known, proposal=3, missing=None)]
    page = read_html(renderer.render_home(lines))
    assert [row["Missing"].text for row in read_table(page, "proposals")] == ["0", "", "1502"]
    assert page.find("tfoot").find_all("td")[6].text == "1502"
