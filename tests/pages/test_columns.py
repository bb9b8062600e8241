from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageSettings
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.columns import fill_rows, normalise_picture_type, sort_rows
from jwstwatch.pages.plain import make_tables
from jwstwatch.pages.sections import make_sections
from tests.pages import examples
from tests.pages.examples import give_quicklook, make_exposure, make_file

KEY = "jw01345001001_03101_00001_nrca1"


def page_settings(
    *columns: str, thumbnails: tuple[str, ...] = (), sort_by: tuple[str, ...] = ()
) -> PageSettings:
    return PageSettings(columns=columns, thumbnails=thumbnails, keywords=(), sort_by=sort_by)


def rows_of(*files, observations=()):
    return arrange(files, observations).exposures


def cells_of(files, *columns, thumbnails=(), observations=()):
    rows = rows_of(*files, observations=observations)
    return fill_rows(rows, page_settings(*columns, thumbnails=thumbnails))[0][1]


@pytest.mark.parametrize("word", ["uncal", "_uncal", "uncal.jpg", "_uncal.jpg", " UNCAL "])
def test_every_spelling_of_a_picture_means_the_same(word):
    assert normalise_picture_type(word) == "_uncal.jpg"


@pytest.mark.parametrize("column", ["rate", "_rate.jpg"])
@pytest.mark.parametrize("thumbnail", ["rate", "_rate.jpg"])
def test_a_thumbnail_column_may_be_spelt_either_way_in_both_parameters(column, thumbnail):
    (cell,) = cells_of(make_exposure(KEY, 0), column, thumbnails=(thumbnail,))
    assert cell.picture.thumbnail == f"01345/obsnum01/{KEY}_rate.TN.jpg"
    assert cell.picture.full == cell.picture.path == f"01345/obsnum01/{KEY}_rate.jpg"
    assert (cell.picture.kind, cell.value) == ("rate", f"{KEY}_rate.jpg")


def test_a_picture_without_a_thumbnail_can_still_be_opened():
    (cell,) = cells_of([make_file(f"{KEY}_rate.jpg")], "rate", thumbnails=("rate",))
    assert (cell.picture.thumbnail, cell.picture.full) == (None, f"01345/obsnum01/{KEY}_rate.jpg")
    assert cell.text == "rate.jpg"


@pytest.mark.parametrize("jpg_state", [None, FileState.WANTED, FileState.WITHHELD, FileState.FAILED])
def test_without_a_picture_the_fits_files_quicklook_is_shown_and_else_a_link(jpg_state):
    fits = make_file(f"{KEY}_rate.fits")
    files = [] if jpg_state is None else [make_file(f"{KEY}_rate.jpg", state=jpg_state)]
    (cell,) = cells_of([*files, fits], "rate", thumbnails=("rate",))
    assert (cell.picture, cell.path, cell.text) == (None, fits.path, "rate.fits")
    (cell,) = cells_of([*files, give_quicklook(fits)], "rate", thumbnails=("rate",))
    previews = "01345/jwstwatch-pages/previews"
    assert cell.picture.full == f"{previews}/{KEY}_rate.QL.jpg"
    assert cell.picture.thumbnail == f"{previews}/{KEY}_rate.QL.TN.jpg"
    assert (cell.picture.path, cell.picture.kind) == (fits.path, "rate")


def test_the_archives_picture_goes_before_the_quicklook():
    fits = give_quicklook(make_file(f"{KEY}_rate.fits"))
    jpg = make_file(f"{KEY}_rate.jpg", thumbnail=f"01345/obsnum01/{KEY}_rate.TN.jpg")
    (cell,) = cells_of([fits, jpg], "rate", thumbnails=("rate",))
    assert cell.picture.full == jpg.path


def test_a_picture_that_is_not_there_shows_why():
    jpg = make_file(f"{KEY}_rate.jpg", state=FileState.WITHHELD, reason="no token")
    (cell,) = cells_of([jpg], "rate", thumbnails=("rate",))
    assert (cell.picture, cell.path, cell.badge.word, cell.note) == (None, None, "withheld", "no token")
    assert cell.value is None


def test_a_png_preview_serves_as_the_picture():
    png = make_file(f"{KEY}_x1d.png", thumbnail=f"01345/obsnum01/{KEY}_x1d.TN.jpg")
    (cell,) = cells_of([png], "x1d", thumbnails=("x1d",))
    assert cell.picture.thumbnail == f"01345/obsnum01/{KEY}_x1d.TN.jpg"


def test_a_column_that_names_a_file_type_without_thumbnails_links_the_files():
    (cell,) = cells_of([make_file(f"{KEY}_crf.fits")], "crf")
    assert (cell.path, cell.text) == (f"01345/obsnum01/{KEY}_crf.fits", "crf.fits")


def test_product_columns_have_the_names_and_values_of_jwst_mast_query():
    names = (
        "proposal_id",
        "obsnum",
        "visit",
        "obsID",
        "parent_obsid",
        "sca",
        "size",
        "obs_id",
        "outfilename",
    )
    cells = cells_of(make_exposure(KEY, 3), *names)
    assert [cell.value for cell in cells] == [
        *(1345, 1, 1, 71672223, 71690010, "nrca1", 117452160),
        *(KEY, f"01345/obsnum01/{KEY}_uncal.fits"),
    ]
    assert cells[-1].path == f"01345/obsnum01/{KEY}_uncal.fits"
    assert cells[6].text == "117 MB"


def test_a_file_that_is_not_on_disk_is_named_without_a_link():
    path, state, word = cells_of(
        [make_file(f"{KEY}_uncal.fits", state=FileState.FAILED)], "outfilename", "state", "dl_str"
    )
    assert path.text
    assert path.path is None
    assert (state.text, word.text) == ("failed", "ERRORdownload")


def test_keywords_and_columns_of_the_observation_can_be_shown():
    observation = examples.make_observation(
        KEY, 1, columns={"target_name": "CEERS-EGS", "srcDen": None, "s_ra": 214.9}
    )
    names = ("DATE-BEG", "TARG_RA", "NINTS", "target_name", "srcDen", "s_ra", "date_min", "NOSUCH")
    cells = cells_of(make_exposure(KEY, 0), *names, observations=(observation,))
    assert [cell.text for cell in cells] == [
        *("2022-06-21T04:12:07.545", "214.915417", "1", "CEERS-EGS", "", "214.9", "2022-06-21T04:12Z", ""),
    ]
    assert cells[1].value == 214.9154166666667  # sorted by the true value, not by what is shown


def test_rows_without_columns_are_still_rows():
    (row,) = fill_rows(rows_of(*make_exposure(KEY, 0)), page_settings())
    assert (row[0].key, row[1]) == (KEY, ())


def test_rows_come_in_the_configured_order_with_empty_values_last():
    files = [
        make_file("jw01345002001_03101_00001_nrca2_uncal.fits", keywords={"FILTER": "F200W"}),
        make_file("jw01345001001_03101_00001_nrcb1_uncal.fits", keywords={}),
        make_file("jw01345001001_03101_00001_nrca1_uncal.fits", keywords={"FILTER": "F200W"}),
        make_file("jw01345010001_03101_00001_nrca1_uncal.fits", keywords={"FILTER": "F115W"}),
    ]
    in_order = [
        (row.obsnum, row.name.detector)
        for row in sort_rows(rows_of(*files), ["proposal_id", "obsnum", "sca"])
    ]
    assert in_order == [(1, "nrca1"), (1, "nrcb1"), (2, "nrca2"), (10, "nrca1")]
    by_filter = [(row.obsnum, row.name.detector) for row in sort_rows(rows_of(*files), ["FILTER"])]
    assert by_filter == [(10, "nrca1"), (1, "nrca1"), (2, "nrca2"), (1, "nrcb1")]


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())


@settings(deadline=None)
@given(st.lists(values, max_size=8), st.randoms())
def test_values_of_any_kind_sort_the_same_way_from_any_order(keywords, random):
    files = [
        make_file(f"jw01345001001_03101_{number:05d}_nrca1_uncal.fits", keywords={"X": value})
        for number, value in enumerate(keywords)
    ]
    rows = list(rows_of(*files))
    expected = [row.key for row in sort_rows(rows, ["X"])]
    random.shuffle(rows)
    assert [row.key for row in sort_rows(rows, ["X"])] == expected


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([1, 2.5], True),
        ([1, None], True),
        ([True, False], False),
        ([1, float("inf")], False),
        ([None], False),
    ],
)
def test_a_browser_sorts_a_column_by_numbers_only_where_it_can_read_them_all(values, numbers):
    keys = [f"jw01345001001_03101_{number:05d}_nrca1" for number in range(len(values))]
    files = [
        examples.with_keywords(make_file(f"{key}_rate.fits"), {"KEY": value})
        for key, value in zip(keys, values, strict=True)
    ]
    (table,) = make_tables(make_sections(arrange(files, ()), page_settings("KEY")))
    assert (table.headings[0].style == "number") is numbers
