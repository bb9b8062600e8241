"""The rows of the three tables: what they hold, how they are counted and sorted, what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.products import Product, group
from jwstwatch.errors import UsageError
from jwstwatch.tables.build import (
    count_columns,
    observation_rows,
    product_rows,
    summary_rows,
    with_counts,
)
from jwstwatch.tables.columns import (
    OBSERVATION_COLUMNS,
    PRODUCT_COLUMNS,
    SUMMARY_COLUMNS,
    DownloadCode,
    LocalFile,
)

PREFIX = "mast:JWST/product/"
CANDIDATE = "jw01410-c1001_t001_nircam_clear-f200w"


def exposure(number: int) -> str:
    return f"jw01410{number:03d}001_02101_00001_guider1"


OBSERVATIONS = {
    obsid: Observation(
        obs_id=exposure(number),
        obsid=obsid,
        proposal=1410,
        t_min=t_min,
        t_max=t_min + 0.01,
        t_exptime=161.052,
        instrument_name="FGS/FGS1",
        target_name="NGC 3132",
        calib_level=2,
        columns={"dataURL": f"{PREFIX}{exposure(number)}_cal.fits", "em_min": 600.0, "srcDen": None},
    )
    for number, obsid, t_min in ((14, 73, 59624.857253), (1, 71, 59623.957319), (3, 72, 59624.849289))
}


def listing(name: str, *, obsid: int, parent: int, size: int | None = 100713600) -> ListingRow:
    return ListingRow(
        uri=PREFIX + name,
        name=name,
        obs_id=name.rpartition("_")[0],
        obsid=obsid,
        parent_obsid=parent,
        size=size,
        proposal=1410,
        calib_level=1,
        dataproduct_type="image",
        product_type="SCIENCE",
        subgroup="UNCAL",
    )


def products() -> list[Product]:
    rows = [
        listing(f"{exposure(number)}_uncal.{ending}", obsid=obsid, parent=obsid)
        for number, obsid, ending in ((14, 73, "fits"), (1, 71, "fits"), (3, 72, "fits"), (1, 71, "jpg"))
    ]
    # One exposure is listed by two further observations as well, of a level above.
    again = [listing(f"{exposure(1)}_uncal.fits", obsid=71, parent=parent) for parent in (50, 90)]
    return group([*rows, *again], {})


LOCAL = {
    f"{PREFIX}{exposure(1)}_uncal.fits": LocalFile.of("/data/01410/x_uncal.fits", DownloadCode.EXISTS),
    f"{PREFIX}{exposure(3)}_uncal.fits": LocalFile("/data/01410/y_uncal.fits", 4, "ERRfilesize"),
}


def test_the_product_table_has_one_row_for_each_product_with_the_chosen_columns() -> None:
    columns = (
        "proposal_id", "obsnum", "visit", "obsID", "parent_obsid", "obs_id", "sca", "dataproduct_type",
        "productFilename", "filetype", "calib_level", "size", "outfilename", "dl_code", "dl_str",
        "productType", "dataURI", "instrument_name", "date_min",
    )  # fmt: skip

    rows = product_rows(products(), OBSERVATIONS, LOCAL, columns=columns, sort_by=("filetype", "obsID"))

    assert len(rows) == 4
    assert rows[0] == {
        "proposal_id": 1410, "obsnum": 1, "visit": 1, "obsID": 71, "parent_obsid": 71,
        "obs_id": "jw01410001001_02101_00001_guider1", "sca": "guider1", "dataproduct_type": "image",
        "productFilename": f"{exposure(1)}_uncal.fits", "filetype": "_uncal.fits", "calib_level": 1,
        "size": 100713600, "outfilename": "/data/01410/x_uncal.fits", "dl_code": 2, "dl_str": "exists",
        "productType": "SCIENCE", "dataURI": f"{PREFIX}{exposure(1)}_uncal.fits",
        "instrument_name": "FGS/FGS1", "date_min": "2022-02-13T22:58:32.362Z",
    }  # fmt: skip
    assert tuple(rows[0]) == columns
    assert [row["productFilename"] for row in rows] == [
        f"{exposure(1)}_uncal.fits", f"{exposure(3)}_uncal.fits", f"{exposure(14)}_uncal.fits",
        f"{exposure(1)}_uncal.jpg",
    ]  # fmt: skip
    assert [(row["dl_code"], row["dl_str"]) for row in rows] == [
        (2, "exists"), (4, "ERRfilesize"), (0, None), (0, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "number", "word"),
    [
        (DownloadCode.NOT_THERE, 0, ""),
        (DownloadCode.DOWNLOADED, 1, "downloaded"),
        (DownloadCode.EXISTS, 2, "exists"),
        (DownloadCode.WRONG_SIZE, 4, "ERRfilesize"),
        (DownloadCode.FAILED, 7, "ERRORdownload"),
        (DownloadCode.VANISHED, 9, "ERRORnotexist"),
    ],
)
def test_the_download_codes_are_those_that_users_know(code: DownloadCode, number: int, word: str) -> None:
    assert LocalFile.of("x", code) == LocalFile("x", number, word)


def test_the_observation_table_counts_the_files_of_each_selected_type() -> None:
    counts = count_columns(products(), ["uncal", "jpg"])
    columns = with_counts(("proposal_id", "obsnum", "obsid", "obs_id", "t_min", "date_min"), counts)

    rows = observation_rows(OBSERVATIONS.values(), products(), columns=columns, sort_by=("date_min",))

    assert columns[-2:] == ("_uncal.fits", "_uncal.jpg")
    assert [tuple(row.values()) for row in rows] == [
        (1410, 1, 71, exposure(1), 59623.957319, "2022-02-13T22:58:32.362Z", 1, 1),
        (1410, 3, 72, exposure(3), 59624.849289, "2022-02-14T20:22:58.570Z", 1, 0),
        (1410, 14, 73, exposure(14), 59624.857253, "2022-02-14T20:34:26.659Z", 1, 0),
    ]


def test_a_product_counts_for_every_observation_that_lists_it_and_once_for_each() -> None:
    parent = Observation(obs_id=CANDIDATE, obsid=90, proposal=1410, calib_level=3)

    rows = observation_rows(
        [*OBSERVATIONS.values(), parent], products(), columns=("obsid", "obsnum", "_uncal.fits", "files"),
        sort_by=("obsid",),
    )  # fmt: skip

    assert [tuple(row.values()) for row in rows] == [
        (71, 1, 1, 2),
        (72, 3, 1, 1),
        (73, 14, 1, 1),
        (90, 1, 1, 1),
    ]


def test_the_observation_table_takes_over_any_column_of_the_archive() -> None:
    rows = observation_rows(
        [OBSERVATIONS[71]], [], columns=("dataURL", "em_min", "srcDen", "s_ra", "target_name", "t_max", "sca")
    )

    assert rows == [
        {
            "dataURL": f"{PREFIX}{exposure(1)}_cal.fits", "em_min": 600.0, "srcDen": None, "s_ra": None,
            "target_name": "NGC 3132", "t_max": 59623.967319, "sca": "guider1",
        }
    ]  # fmt: skip


def test_the_summary_has_one_row_for_each_observation_number_with_its_earliest_start() -> None:
    later = Observation(obs_id="jw01410001002_02101_00001_guider1", obsid=74, proposal=1410, t_min=59700.0)
    counts = count_columns(products(), ["uncal"])

    rows = summary_rows(
        [later, *OBSERVATIONS.values()],
        products(),
        columns=with_counts(("proposal_id", "obsnum", "date_start"), counts),
        sort_by=("date_start", "proposal_id", "obsnum"),
    )

    assert [list(row.items()) for row in rows] == [
        [("proposal_id", 1410), ("obsnum", number), ("_uncal.fits", 1), ("date_start", start)]
        for number, start in (
            (1, "2022-02-13T22:58:32.362Z"), (3, "2022-02-14T20:22:58.570Z"),
            (14, "2022-02-14T20:34:26.659Z"),
        )
    ]  # fmt: skip


def test_the_summary_counts_each_product_once_and_keeps_what_has_no_number() -> None:
    stray = listing("jw01410-c1002_t001_nircam_clear-f200w_i2d.fits", obsid=91, parent=91)
    found = [*products(), *group([stray], {})]

    rows = summary_rows(OBSERVATIONS.values(), found, columns=("obsnum", "files", "size", "observations"),
                        sort_by=("obsnum",))  # fmt: skip

    assert [tuple(row.values()) for row in rows] == [
        (1, 2, 201427200, 1), (3, 1, 100713600, 1), (14, 1, 100713600, 1), (None, 1, 100713600, 0),
    ]  # fmt: skip
    assert sum(int(row["files"] or 0) for row in rows) == len(found)


def test_files_that_only_a_candidate_lists_have_its_start_in_the_summary() -> None:
    candidate = Observation(obs_id=CANDIDATE, obsid=90, proposal=1410, t_min=59623.0)
    rows = [listing(f"{exposure(number)}_uncal.fits", obsid=number, parent=90) for number in (1, 3)]

    found = summary_rows(
        [candidate], group(rows, {}), columns=("obsnum", "files", "date_start"), sort_by=("obsnum",)
    )

    assert [tuple(row.values()) for row in found] == [
        (1, 1, "2022-02-13T00:00:00.000Z"),
        (3, 1, "2022-02-13T00:00:00.000Z"),
        (None, 0, "2022-02-13T00:00:00.000Z"),
    ]


def test_several_values_of_an_observation_number_stand_beside_each_other() -> None:
    pair = [
        Observation(obs_id=exposure(1), obsid=number, proposal=1410, target_name=target)
        for number, target in ((1, "b"), (2, "a"), (3, "b"), (4, None))
    ]

    assert summary_rows(pair, [], columns=("target_name", "date_start", "date_end")) == [
        {"target_name": "a;b", "date_start": None, "date_end": None}
    ]


def test_an_observation_number_that_no_identifier_holds_is_learned_from_the_products() -> None:
    parent = Observation(obs_id=CANDIDATE, obsid=71, proposal=1410)
    torn = Observation(obs_id=CANDIDATE, obsid=90, proposal=1410)
    another = group([listing(f"{exposure(3)}_uncal.fits", obsid=72, parent=90)], {})

    assert observation_rows([parent], products(), columns=("obsnum",)) == [{"obsnum": 1}]
    assert observation_rows([torn], [*products(), *another], columns=("obsnum",)) == [{"obsnum": None}]
    assert observation_rows([torn], [], columns=("obsnum",)) == [{"obsnum": None}]


@pytest.mark.parametrize(
    ("filetypes", "expected"),
    [
        (["uncal"], ("_uncal.fits",)),
        (["rate", "UNCAL", "_uncal.fits"], ("_rate.fits", "_uncal.fits")),
        (["fits"], ("_uncal.fits",)),
        (["jpg", "uncal"], ("_uncal.jpg", "_uncal.fits")),
        ([], ("_uncal.fits", "_uncal.jpg")),
        (["json"], ()),
    ],
)
def test_there_is_a_count_for_each_selected_type(filetypes: list[str], expected: tuple[str, ...]) -> None:
    assert count_columns(products(), filetypes) == expected


def test_a_count_that_the_user_placed_stays_where_it_is() -> None:
    assert with_counts(("_uncal.fits", "obsnum"), ("_uncal.fits", "_rate.fits")) == (
        "_uncal.fits", "obsnum", "_rate.fits",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "hint"),
    [
        (lambda: product_rows([], {}, {}, columns=("obsid",)), "Did you mean obsID?"),
        (lambda: product_rows([], {}, {}, columns=("filetipe",)), "Did you mean filetype?"),
        (lambda: product_rows([], {}, {}, columns=("size",), sort_by=("qqqq",)), "Known are calib_level"),
        (lambda: product_rows([], {}, {}, columns=("_uncal.fits",)), "Known are"),
        (lambda: observation_rows([], [], columns=("obsID",)), "Did you mean obsid?"),
        (lambda: observation_rows([], [], columns=("dl_code",)), "Known are"),
        (lambda: summary_rows([], [], columns=("date_min",)), "Known are"),
    ],
)
def test_an_unknown_column_is_named_with_the_known_ones(build: object, hint: str) -> None:
    with pytest.raises(
        UsageError, match=r"is no column of the (products|observations|summary) table"
    ) as caught:
        build()  # type: ignore[operator]

    assert hint in caught.value.hint


def test_every_known_column_can_be_asked_for() -> None:
    bare = Observation(obs_id="x", obsid=1)
    odd = group([ListingRow(uri="mast:JWST/product/x", name="x", obs_id="", obsid=5, parent_obsid=6)], {})

    for observation, found in ((OBSERVATIONS[71], products()), (bare, odd)):
        known = {observation.obsid: observation}
        assert product_rows(found, known, {}, columns=tuple(PRODUCT_COLUMNS))
        assert observation_rows([observation], found, columns=tuple(OBSERVATION_COLUMNS))
        assert summary_rows([observation], found, columns=tuple(SUMMARY_COLUMNS))


@given(st.lists(st.none() | st.floats(50000, 70000), max_size=8))
def test_rows_are_sorted_by_columns_that_need_not_be_shown_with_the_unknown_last(
    starts: list[float | None],
) -> None:
    observed = [Observation(obs_id="x", obsid=number, t_min=start) for number, start in enumerate(starts)]

    rows = observation_rows(observed, [], columns=("obsid",), sort_by=("t_min",))

    found = [starts[int(row["obsid"] or 0)] for row in rows]
    known = [start for start in found if start is not None]
    assert found == sorted(known) + [None] * (len(found) - len(known))
