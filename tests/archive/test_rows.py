"""Rows as MAST sends them, and as it might."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.archive.rows import plain, read_listing, read_observations, real_number, text, whole_number

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2)
)
COLUMNS = {
    "observation": ("obs_id", "obsid", "proposal_id", "calib_level", "t_min", "s_ra", "dataRights", "other"),
    "product": ("dataURI", "obsID", "parent_obsid", "productFilename", "size", "prvversion", "type", "other"),
}


def product(**columns: Any) -> dict[str, Any]:
    return {"dataURI": "mast:JWST/product/jw1_uncal.fits", "obsID": 5, "parent_obsid": 6} | columns


@pytest.mark.parametrize("nothing", [None, "", " ", "--", "null", [], {}])
def test_the_archives_ways_of_saying_nothing_are_none(nothing: object) -> None:
    assert text(nothing) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1345, 1345),
        ("1345", 1345),
        ("01345", 1345),
        (" 12782 ", 12782),
        (254258482.0, 254258482),
        ("254258482.0", 254258482),
        (-1, -1),
        ("-1", -1),
        (0, 0),
        (-999, None),
        ("--1", None),
        ("", None),
        (True, None),
        (1.5, None),
        (math.nan, None),
        (math.inf, None),
        (2**70, None),
        ("9" * 5000, None),
        ("GO", None),
    ],
)
def test_a_whole_number_in_any_spelling(value: object, number: int | None) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [("60781.5", 60781.5), (3, 3.0), (math.nan, None), ("nan", None), (-999.0, None), (True, None)],
)
def test_a_real_number_in_any_spelling(value: object, number: float | None) -> None:
    assert real_number(value) == number


@settings(deadline=None)
@given(SCALARS)
def test_no_value_breaks_a_column(value: object) -> None:
    for made in (text(value), whole_number(value), real_number(value), plain(value)):
        assert made is None or isinstance(made, (str, int, float, bool))
    number = real_number(value)
    assert number is None or math.isfinite(number)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS["observation"]), SCALARS), max_size=5))
def test_no_observation_row_breaks_the_listing(rows: list[dict[str, Any]]) -> None:
    found = read_observations(rows)
    assert len({entry.obs_id for entry in found}) == len(found)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS["product"]), SCALARS), max_size=5))
def test_no_product_row_breaks_the_listing(rows: list[dict[str, Any]]) -> None:
    for entry in read_listing(rows):
        assert entry.uri
        assert entry.size is None or 0 <= entry.size < 2**63


def test_rows_without_an_identity_are_left_out_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rows = [product(), product(dataURI=None), product(obsID=""), product(obsID="12")]
    assert [entry.obsid for entry in read_listing(rows)] == [5, 12]
    assert "2 products" in caplog.text


def test_a_row_without_a_size_or_a_parent_is_a_row() -> None:
    (entry,) = read_listing([product(size=None, parent_obsid=None)])
    assert (entry.size, entry.parent_obsid, entry.name) == (None, 5, "jw1_uncal.fits")


@pytest.mark.parametrize("size", [-1, "-5", "unknown", 1e300])
def test_a_size_that_cannot_be_one_is_none(size: object) -> None:
    assert read_listing([product(size=size)])[0].size is None


def test_an_unknown_column_is_kept_beside_the_known_ones() -> None:
    row = {"obs_id": "jw1", "obsid": 1, "novelty": 5, "empty": "", "_selected_": None, "mtFlag": False}
    (entry,) = read_observations([row])
    assert entry.columns == {"obs_id": "jw1", "obsid": 1, "novelty": 5, "empty": None, "mtFlag": False}


def test_text_that_no_database_takes_is_marked_as_damaged() -> None:
    assert text("a\x00b\ud800c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert text("Sørbø\tIngrid") == "Sørbø\tIngrid"


def test_a_size_beyond_all_files_is_no_size() -> None:
    (listed,) = read_listing([product(size=2**60)])
    assert listed.size is None
