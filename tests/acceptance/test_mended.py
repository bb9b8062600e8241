"""What jwst_mast_query does wrong and this program must not: as its users would see it.

What only shows between runs, or with a fault of the archive, stands in `tests/sync/test_mended.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.old_archive import OldArchive, old_catalogue
from tests.acceptance.old_world import OldWorld, names, paths

PRODUCTS = "Mast.Caom.Products"
TABLES = ("selprod", "obs", "summary")


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with ArchiveServer(old_catalogue(datetime.now(UTC))) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def old(tmp_path: Path, server: ArchiveServer) -> OldWorld:
    return OldWorld(tmp_path / "old", server.url)


@pytest.fixture(scope="module")
def demo() -> Iterator[ArchiveServer]:
    """All instruments, level 3, guide stars. Nobody changes it."""
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def wide(tmp_path: Path, demo: ArchiveServer) -> OldWorld:
    return OldWorld(tmp_path / "wide", demo.url)


# -- what is asked and selected


def test_a_proposal_without_a_time_is_asked_for_as_a_whole(old: OldWorld) -> None:
    years_old = [name for number in range(1, 7) for name in names(743, number, "nrca1")]
    assert old.selected("jwst_query.py --propID 743") == sorted(years_old)
    assert old.selected("jwst_query.py --propID 743 -l 1") == []
    assert old.selected("jwst_query.py") != [], "without a proposal the last day is meant"


def test_without_an_instrument_nircam_is_meant(wide: OldWorld) -> None:
    found = wide.selected("jwst_query.py --propID 2733 -f rate")
    assert found
    assert {name.split("_")[3][:3] for name in found} == {"nrc"}


def test_several_instruments_and_proposals_in_one_run(wide: OldWorld) -> None:
    found = wide.selected("jwst_query.py -i miri fgs --propID 2733 --propID 1410 -f rate")
    assert {name[2:7] for name in found} == {"02733", "01410"}
    assert any("mirimage" in name for name in found)
    assert any("guider1" in name for name in found)
    assert not any("nrc" in name for name in found)
    assert len(wide.selected("jwst_query.py -i all --propID 2733 -f rate")) > len(
        wide.selected("jwst_query.py -i miri --propID 2733 -f rate")
    )


def test_what_is_typed_wins_also_where_it_equals_the_built_in_value(old: OldWorld) -> None:
    path = old.folder / "jwst_query.cfg"
    text = path.read_text().replace("filetypes: ['uncal']", "filetypes: ['rate']")
    text = text.replace("instrument: nircam", "instrument: miri").replace(
        "lookbacktime: 1.0", "lookbacktime: 5"
    )
    path.write_text(text)
    typed = "-i nircam -f uncal -l 1.0"
    assert old.selected(f"jwst_query.py -c jwst_query.cfg --propID 1409 {typed}") == sorted(
        names(1409, 5, "nrca1") | names(1409, 103, "nrcb1")
    )


def test_overlapping_file_types_select_a_file_once(old: OldWorld) -> None:
    line = "jwst_query.py --propID 1138 --obsnums 7 -f uncal _uncal.fits fits uncal.fits"
    assert old.selected(line) == sorted(names(1138, 7, "nrcb1", kinds=("uncal.fits", "rate.fits")))


@pytest.mark.parametrize("batch", ["", "None", "1", "7"])
def test_an_empty_number_per_batch_brings_no_duplicates(wide: OldWorld, batch: str) -> None:
    path = wide.folder / "jwst_query.cfg"
    path.write_text(path.read_text().replace("Nobs_per_batch: 2", f"Nobs_per_batch: {batch}"))
    # Pools and guide-star files are listed by every observation of their program.
    found = wide.selected("jwst_query.py -c jwst_query.cfg --propID 1345 -l 0 -f fits csv --guidestars")
    assert len(found) == len(set(found)) > 20


def test_obsmode_with_fgs_is_answered_and_not_a_crash(wide: OldWorld) -> None:
    asked = wide.type_here("jwst_query.py -i fgs --obsmode image --propID 1410 -f rate --json")
    assert len(asked.json["products"]) == 2
    assert "IMAGE is no mode of FGS and is ignored (FGS: FGS1, FGS2)" in asked.err
    assert "every mode is asked for" in asked.err
    assert wide.selected("jwst_query.py -i fgs --obsmode fgs1 --propID 1410 -f rate") == [
        row["productFilename"] for row in asked.json["products"]
    ]


def test_level_3_products_have_their_observation_number(wide: OldWorld) -> None:
    def numbers(line: str) -> dict[str, int | None]:
        rows = wide.tables(f"jwst_query.py -i all -f i2d x1d psfsub {line}")["products"]
        return {row["productFilename"]: row["obsnum"] for row in rows if "-" in row["productFilename"][:9]}

    survey = numbers("--propID 1345")
    assert survey["jw01345-o001_t001_nircam_clear-f115w_i2d.fits"] == 1
    # One of both observations belongs to neither.
    assert survey["jw01345-c1001_t001_nircam_clear-f444w_i2d.fits"] is None
    assert numbers("--propID 2733")["jw02733-a3001_t001_miri_f770w_i2d.fits"] is None
    # A candidate whose siblings agree on one observation is of that one.
    coronagraph = "jw05224-c1014_t001_nircam_f444w-maskrnd-sub320a335r_psfsub.fits"
    assert numbers("--propID 5224")[coronagraph] == 14
    assert (
        numbers("--propID 5224 --obsnums 14")
        == numbers("--propID 5224 14")
        == {
            coronagraph: 14,
            "jw05224-c1014_t001_nircam_f444w-maskrnd-sub320a335r_i2d.fits": 14,
        }
    )
    assert set(numbers("--propID 1345 --obsnums 2").values()) == {2}
    laid = wide.tables("jwst_query.py --propID 1345 -f i2d --sortcols_productTable productFilename")
    folders = {row["productFilename"]: Path(row["outfilename"]).parent.name for row in laid["products"]}
    assert folders["jw01345-o001_t001_nircam_clear-f115w_i2d.fits"] == "obsnum01"
    assert folders["jw01345-c1001_t001_nircam_clear-f444w_i2d.fits"] == "NA"


def test_cuts_by_obsid_see_every_parent_of_a_file(wide: OldWorld, demo: ArchiveServer) -> None:
    exposure = demo.catalogue.observation("jw01345001001_02101_00001_nrcalong")
    name = f"{exposure.obs_id}_cal.fits"
    parents = [
        observation.obsid
        for observation in demo.catalogue.observations
        if exposure.obs_id in observation.members
    ]
    assert len(parents) == 2, "its own observation's level 3, and the candidate's"
    for obsid in (exposure.obsid, *parents):
        assert name in wide.selected(f"jwst_query.py --propID 1345 -f cal --obsid_list {obsid}")
        assert name in wide.selected(f"jwst_query.py --propID 1345 -f cal -e {obsid}")
    assert name not in wide.selected(f"jwst_query.py --propID 1345 -f cal -e {max(parents) + 1}+")


# -- what happens upon failure


def test_a_failed_download_is_not_exit_0(old: OldWorld, server: ArchiveServer) -> None:
    server.faults.add(Fault(kind=FaultKind.STATUS, status=404, uri="*_uncal.fits", times=None))
    ended = old.type("jwst_download.py --propID 1138 --obsnums 4", code=3)
    assert "3 files failed" in ended.err
    assert old.files() == {}
    server.faults.clear()
    assert "3 downloaded" in old.type_here("jwst_download.py --propID 1138 --obsnums 4").out


def test_a_failed_query_is_one_sentence_and_exit_4(old: OldWorld, server: ArchiveServer) -> None:
    server.faults.add(Fault(kind=FaultKind.ERROR, service="Mast.Caom.*", message="no such thing", times=None))
    asked = old.type("jwst_query.py --propID 1138", code=4)
    assert re.search(r"^jwstwatch: .*no such thing", asked.err, re.MULTILINE)
    old.type_here("jwst_download.py --propID 1138", code=4)


def test_product_queries_that_time_out_are_asked_in_smaller_parts(
    old: OldWorld, server: ArchiveServer
) -> None:
    server.faults.add(Fault(kind=FaultKind.ERROR, service=PRODUCTS, message="This is a timeout", times=1))
    found = old.selected("jwst_query.py --propID 1138 --Nobs_per_batch 6")
    assert len(found) == 6
    batches = [request.question for request in server.requests.queries(PRODUCTS)]
    assert len(set(batches)) > 1


def test_public_data_need_no_token_and_no_answer(old: OldWorld, server: ArchiveServer) -> None:
    ended = old.type_here("jwst_download.py --propID 1138 --obsnums 7")
    assert set(old.files()) == paths(names(1138, 7, "nrcb1"))
    assert "[y/n]" not in ended.out + ended.err
    assert {request.token for request in server.requests.all()} == {None}


def test_a_row_without_a_size_does_not_stop_the_second_run(old: OldWorld, server: ArchiveServer) -> None:
    (name,) = names(1138, 7, "nrcb1")
    with unsized(server, name):
        assert old.tables("jwst_query.py --propID 1138 --obsnums 7")["products"][0]["size"] is None
        for told in ("1 downloaded", "nothing new; 1 files unchanged"):
            assert told in old.type_here("jwst_download.py --propID 1138 --obsnums 7").out
        (row,) = old.tables("jwst_query.py --propID 1138 --obsnums 7")["products"]
        assert (row["dl_code"], row["dl_str"]) == (2, "exists")


def unsized(server: ArchiveServer, name: str) -> Any:
    """Let the listing state no size for one product."""
    from unittest.mock import patch

    listed = server.catalogue.product_rows

    def without(obsids: Any) -> list[dict[str, object]]:
        rows = listed(obsids)
        return [row | {"size": None} if row["productFilename"] == name else row for row in rows]

    return patch.object(server.catalogue, "product_rows", without)


@pytest.mark.parametrize("switch", ["--skip_check_if_outfile_exists", "--skip_check_filesize"])
def test_checks_of_local_files_can_be_left_out(old: OldWorld, server: ArchiveServer, switch: str) -> None:
    line = f"jwst_download.py --propID 1138 --obsnums 4 {switch}"
    assert "3 downloaded" in old.type_here(line).out
    cut = old.root / sorted(old.files())[0]
    cut.write_bytes(cut.read_bytes()[:2880])
    before = len(server.requests.downloads())
    assert "nothing new; 3 files unchanged" in old.type_here(line).out
    assert len(server.requests.downloads()) == before
    assert "1 downloaded" in old.type_here(line.replace(switch, "")).out


# -- tables and pages


def test_a_run_with_nothing_new_still_makes_tables_and_pages(old: OldWorld) -> None:
    line = "jwst_download.py --propID 1138 --obsnums 7 -f uncal jpg"
    old.type_here(line)
    assert "nothing new" in old.type_here(f"{line} --makewebpages -s night").out
    made = [old.root / "01138" / "index.html", *(old.root / f"night.{kind}.txt" for kind in TABLES)]
    for path in made:
        path.unlink()
    assert "nothing new" in old.type_here(f"{line} --makewebpages -s night").out
    assert all(path.is_file() for path in made)


def test_pages_keep_what_this_query_did_not_return(old: OldWorld) -> None:
    for words in ("--propID 1138 4", "--propID 1138 5", "--propID 1409 103"):
        old.type_here(f"jwst_download.py {words} -w -f uncal jpg")
    page = (old.root / "01138" / "index.html").read_text()
    assert {"jw01138004001_02101_00001_nrca1", "jw01138005001_02101_00001_nrca2"} <= set(
        re.findall(r"jw01138[0-9_]*_nrc[a-z0-9]+", page)
    )
    index = (old.root / "index.html").read_text()
    assert "01138/index.html" in index
    assert "01409/index.html" in index


def test_without_an_uncal_file_in_the_selection_the_page_stays(old: OldWorld) -> None:
    old.type_here("jwst_download.py --propID 1138 4 -w -f uncal jpg")
    old.type_here("jwst_download.py --propID 1138 7 -w -f rate")
    page = (old.root / "01138" / "index.html").read_text()
    assert "jw01138004001_02101_00001_nrca1" in page
    assert "jw01138007001_02101_00001_nrcb1" in page


def test_level_3_images_are_on_the_page_and_have_thumbnails_of_the_wanted_size(wide: OldWorld) -> None:
    from PIL import Image

    wide.type_here("jwst_download.py --propID 1345 -f i2d jpg -w --webpage_thumbnails_width 60")
    page = (wide.root / "01345" / "index.html").read_text()
    small = "jw01345-o001_t001_nircam_clear-f115w_i2d.TN.jpg"
    assert small in page
    found = list(wide.root.rglob("*.TN.jpg"))
    assert small in {path.name for path in found}
    for path in found:
        with Image.open(path) as picture:
            assert picture.width == 60


@pytest.mark.parametrize(
    ("columns", "thumbnails"),
    [
        ("uncal rate", "uncal rate"),
        ("_uncal.jpg _rate.jpg", "_uncal.jpg _rate.jpg"),
        ("uncal rate", "_uncal.jpg _rate.jpg"),
        ("_uncal.jpg _rate.jpg", "uncal rate"),
    ],
)
def test_both_spellings_of_page_columns_show_the_thumbnails(
    old: OldWorld, columns: str, thumbnails: str
) -> None:
    old.type_here(
        "jwst_download.py --propID 1138 7 -f uncal jpg -w "
        f"--webpage_cols4table obsnum sca {columns} --webpage_level12_jpgs {thumbnails}"
    )
    page = (old.root / "01138" / "index.html").read_text()
    for kind in ("uncal", "rate"):
        assert f'src="obsnum07/jw01138007001_02101_00001_nrcb1_{kind}.TN.jpg"' in page


def test_a_query_that_finds_nothing_says_so_and_ends_well(tmp_path: Path) -> None:
    archive = OldArchive(datetime.now(UTC))
    with ArchiveServer(archive.catalogue) as server:
        old = OldWorld(tmp_path / "old", server.url)
        asked = old.type_here("jwst_query.py --propID 1138 -s night")
        assert "no observation matches the query" in asked.err
        assert "0 downloaded" in old.type_here("jwst_download.py --propID 1138 -w").out
