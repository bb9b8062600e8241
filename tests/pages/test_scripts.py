"""Data scripts as JavaScript reads them: rows, cells, pictures and details."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.site import FormerPicture, PageSettings
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.scripts import write_details, write_rows
from jwstwatch.pages.sections import make_sections
from tests.pages import examples
from tests.pages.examples import give_quicklook, make_exposure, make_file, make_observation
from tests.pages.reading import read_script

KEY = "jw01345001001_03101_00001_nrca1"


def sections_of(files, *columns, thumbnails=(), observations=()):
    settings = PageSettings(columns=columns, thumbnails=thumbnails, keywords=(), sort_by=())
    return make_sections(arrange(files, observations), settings)


def row_of(files, *columns, section=0, **facts):
    """Return the first row of a section, with the folders that its places mean."""
    (script,) = write_rows("obs001", sections_of(files, *columns, **facts)[section])
    function, document = read_script(script)
    assert (function, document["part"], document["chunk"]) == ("rows", "obs001", 1)
    return document["rows"][0][:4], document["folders"]


def detail_of(files, **facts):
    (script,) = write_details("obs001", sections_of(files, **facts)[0])
    function, document = read_script(script)
    assert (function, document["section"], document["chunk"]) == ("details", "exposures", 1)
    return document["rows"][KEY]


def test_a_row_has_its_files_with_their_state_and_where_they_are():
    files = [
        make_file(f"{KEY}_uncal.fits"),
        make_file(f"{KEY}_rate.fits", revision=2),
        make_file(f"{KEY}_cal.fits", state=FileState.WITHHELD, reason="no token"),
        make_file(f"{KEY}_o001_crf.fits", damage="cut off"),
        make_file(f"{KEY}_rate.jpg", path=f"01345/jpg/{KEY}_rate.jpg"),
    ]
    (key, written, cells, facets), folders = row_of(files)
    assert (key, cells, facets) == (KEY, [], ["nrca1", "F115W", "failed"])
    assert folders == ["01345/obsnum01", "01345/jpg"]
    assert [file[:5] for file in written] == [
        ["uncal", "present", "", 0, "~_uncal.fits"],
        ["rate", "present", "rev. 2", 0, "~_rate.fits"],
        ["cal", "withheld", "withheld", -1, "~_cal.fits"],
        ["o001_crf", "failed", "damaged", 0, "~_o001_crf.fits"],
        ["rate.jpg", "present", "", 1, "~_rate.jpg"],
    ]
    notes = [file[5] for file in written]
    assert notes[0] == notes[4] == ""
    assert "no token" in notes[2]
    assert "cut off" in notes[3]


def test_cells_are_numbers_texts_and_what_they_sort_by():
    files = [
        examples.with_keywords(file, {"OPEN": True, "NAN": float("nan"), "INF": float("inf"), "HUGE": 10**20})
        for file in make_exposure(KEY, 0)
    ]
    names = ("NINTS", "TARG_RA", "EFFINTTM", "FILTER", "size", "NOSUCH", "OPEN", "NAN", "INF", "HUGE")
    (_, _, cells, _), _ = row_of(files, *names)
    assert cells == [
        *(1, ["214.915417", 214.9154166666667], 944.836, "F115W", ["117 MB", 117452160], None, "T", None),
        *("inf", str(10**20)),
    ]


def test_numbers_of_any_size_sort_as_numbers_and_look_as_in_python():
    values = {"GREAT": 2.5e16, "GREATER": 1e300, "SMALL": 1e-05, "LEAST": -1.5e-07, "NOUGHT": -0.0}
    files = [examples.with_keywords(file, values) for file in make_exposure(KEY, 0)]
    (_, _, cells, _), _ = row_of(files, *values)
    assert cells == [
        *(["2.5e+16", 2.5e16], ["1e+300", 1e300], ["1e-05", 1e-05], ["-1.5e-07", -1.5e-07], ["-0", 0]),
    ]


def test_a_picture_for_which_there_is_no_column_comes_after_the_cells():
    spectrum, image = (
        give_quicklook(make_file(f"{KEY}_x1d.fits")),
        give_quicklook(make_file(f"{KEY}_rate.fits")),
    )
    (script,) = write_rows("obs001", sections_of([spectrum, image], "rate", thumbnails=("rate",))[0])
    _, document = read_script(script)
    (row,) = document["rows"]
    assert [cell["p"]["k"] for cell in row[2]] == ["rate"]
    (more,) = row[4]
    assert (more["k"], more["f"][1], more["h"][1]) == ("x1d", "~_x1d.QL.jpg", "~_x1d.fits")


def test_a_product_shows_its_image_and_its_spectrum():
    names = (
        "jw01345-o001_s00001_nirspec_f290lp-g395m_x1d.fits",
        "jw01345-o001_s00001_nirspec_f290lp-g395m_s2d.fits",
    )
    (section,) = sections_of([give_quicklook(make_file(name)) for name in names])
    (row,) = section.rows
    shown = dict(zip(section.columns, row.cells, strict=True))
    assert shown["Image"].picture.kind == "s2d"
    assert shown["Spectrum"].picture.kind == "x1d"
    assert row.more == ()


def test_a_picture_cell_has_thumbnail_picture_predecessor_and_data_file():
    former = FormerPicture(path=f"01345/replaced/{KEY}_rate.jpg", revision=1)
    jpg = make_file(
        f"{KEY}_rate.jpg",
        thumbnail=f"01345/obsnum01/{KEY}_rate.TN.jpg",
        revision=2,
        former_picture=former,
    )
    (_, _, (cell,), _), folders = row_of([jpg], "rate", thumbnails=("rate",))
    assert folders == ["01345/obsnum01", "01345/replaced"]
    assert cell == {
        "p": {
            "t": [0, "~_rate.TN.jpg"],
            "f": [0, "~_rate.jpg"],
            "k": "rate",
            "r": 2,
            "o": [1, "~_rate.jpg", 1],
        }
    }
    fits = give_quicklook(make_file(f"{KEY}_rate.fits"))
    (_, _, (cell,), _), folders = row_of([fits], "rate", thumbnails=("rate",))
    assert folders == ["01345/obsnum01", "01345/jwstwatch-pages/previews"]
    assert cell == {
        "p": {
            "t": [1, "~_rate.QL.TN.jpg"],
            "f": [1, "~_rate.QL.jpg"],
            "k": "rate",
            "r": 1,
            "h": [0, "~_rate.fits"],
        }
    }


def test_a_file_without_a_picture_is_a_link_and_one_that_is_not_there_a_word():
    (_, _, (cell,), _), _ = row_of([make_file(f"{KEY}_rate.fits")], "rate", thumbnails=("rate",))
    assert cell == {"a": [0, "~_rate.fits"], "t": "rate.fits"}
    wanted = make_file(f"{KEY}_rate.jpg", state=FileState.WANTED, reason="not fetched yet")
    (_, _, (cell,), _), _ = row_of([wanted], "rate", thumbnails=("rate",))
    assert cell == {"w": "wanted", "s": "wanted", "n": "not fetched yet"}


@pytest.mark.parametrize(
    ("keywords", "optics"),
    [
        ({"FILTER": "F115W", "PUPIL": "CLEAR"}, "F115W"),
        ({"FILTER": "F322W2", "PUPIL": "F323N"}, "F322W2+F323N"),
        ({"FILTER": "CLEAR", "PUPIL": "F090W"}, "F090W"),
        ({"FILTER": "F290LP", "GRATING": "G395M"}, "F290LP+G395M"),
        ({"FILTER": "CLEAR"}, "CLEAR"),
        ({}, "F770W;F1000W"),
    ],
)
def test_rows_are_filtered_by_the_optical_elements_that_are_in_the_way(keywords, optics):
    file = make_file(f"{KEY}_rate.fits", keywords=keywords)
    seen = make_observation(KEY, 1, filters="F770W;F1000W")
    (_, _, _, facets), _ = row_of([file], observations=[seen])
    assert facets[1] == optics


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (("present", "gone"), "gone"),
        (("gone", "withheld"), "withheld"),
        (("withheld", "wanted"), "wanted"),
        (("wanted", "stale"), "stale"),
        (("stale", "failed"), "failed"),
        (("present", "present"), "present"),
    ],
)
def test_a_row_stands_as_its_worst_file(states, worst):
    files = [
        make_file(f"{KEY}_{stage}.fits", state=FileState(state))
        for stage, state in zip(("uncal", "rate"), states, strict=True)
    ]
    (_, _, _, facets), _ = row_of(files)
    assert facets[2] == worst


def test_a_level_3_product_shows_its_best_picture():
    root = "jw01345-o001_t021_nircam_clear-f115w"
    segmentation = give_quicklook(make_file(f"{root}_segm.fits", keywords={}))
    image = give_quicklook(make_file(f"{root}_i2d.fits", keywords={"DETECTOR": "MULTIPLE"}))
    (key, _, cells, facets), folders = row_of([segmentation, image], observations=[make_observation(root, 1)])
    assert key == root
    assert cells[0]["p"]["f"] == [folders.index("01345/jwstwatch-pages/previews"), "~_i2d.QL.jpg"]
    assert cells[1:5] == [None, 1, "o001", "CEERS-EGS"]
    assert facets == ["", "F115W", "present"]


def test_rows_and_details_are_shared_out_among_scripts():
    files = [make_file(f"jw01345001001_03101_{number:05d}_nrca1_rate.fits") for number in range(501)]
    (section,) = sections_of(files)
    rows = [read_script(script)[1] for script in write_rows("obs001", section)]
    assert [(part["chunk"], len(part["rows"])) for part in rows] == [(1, 500), (2, 1)]
    details = [read_script(script)[1] for script in write_details("obs001", section)]
    assert [(part["chunk"], len(part["rows"])) for part in details] == [
        (1, 100),
        (2, 100),
        (3, 100),
        (4, 100),
        (5, 100),
        (6, 1),
    ]


def test_details_tell_keywords_files_and_their_history():
    file = replace(
        examples.reprocess(make_file(f"{KEY}_rate.fits")),
        changed_at=examples.BEGIN,
        note="listed with 9 bytes",
    )
    detail = detail_of([file], observations=[make_observation(KEY, 1, t_max=59751.2)])
    assert ["target", "CEERS-EGS"] in detail["facts"]
    assert ["exposure time", "944.8 s"] in detail["facts"]
    assert detail["keywords"] == sorted(detail["keywords"])
    assert ["TARG_RA", "214.915417"] in detail["keywords"]
    assert "GS_MAG" not in [name for name, _ in detail["keywords"]]
    (told,) = detail["files"]
    assert told == {
        "name": file.name,
        "path": file.path,
        "uri": file.uri,
        "type": "_rate.fits",
        "state": "present",
        "size": 83_966_400,
        "sha256": "ab" * 32,
        "revision": 2,
        "changed": "2022-06-21T04:12Z",
        "reason": None,
        "note": "listed with 9 bytes",
        "damage": None,
        "history": [
            "present content: since 2022-09-19T04:12Z, pipeline 1.15.0, context jwst_1241.pmap",
            "revision 1: 2022-06-21T04:12Z to 2022-09-19T04:12Z, 84.0 MB, pipeline 1.14.0, "
            "context jwst_1230.pmap, ended by keywords.cal_ver",
        ],
    }


def test_a_file_that_never_changed_has_no_history():
    detail = detail_of([make_file(f"{KEY}_rate.fits")])
    assert detail["files"][0]["history"] == []
    assert detail["facts"] == []
