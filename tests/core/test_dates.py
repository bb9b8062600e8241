"""MJD, aware UTC and ISO text go into one another; date_select means what its users mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.dates import (
    DateRange,
    DateValue,
    from_mjd,
    mjd_to_iso,
    parse_date_select,
    parse_iso,
    to_iso,
    to_mjd,
)
from jwstwatch.core.ranges import IntRange, parse_int_range

moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_known_days_have_their_numbers() -> None:
    assert to_mjd(datetime(1858, 11, 17, tzinfo=UTC)) == 0.0
    assert to_mjd(datetime(2000, 1, 1, 12, tzinfo=UTC)) == 51544.5
    assert from_mjd(59623.5) == datetime(2022, 2, 13, 12, tzinfo=UTC)
    assert mjd_to_iso(59623.0) == "2022-02-13T00:00:00.000Z"


def test_a_start_time_of_the_archive_reads_as_the_archive_writes_it() -> None:
    # t_max of jw06368-o076_t062_nircam_clear-f444w, which the archive also gives as text.
    assert mjd_to_iso(61271.45590812) == "2026-08-19T10:56:30.462Z"


@given(moments)
def test_mjd_and_time_go_into_one_another_to_the_microsecond(moment: datetime) -> None:
    assert abs(from_mjd(to_mjd(moment)) - moment) <= timedelta(microseconds=1)


@given(moments)
def test_iso_text_is_utc_with_z_and_reads_back_to_the_millisecond(moment: datetime) -> None:
    text = to_iso(moment)

    assert text.endswith("Z")
    assert len(text) == len("2022-02-13T22:58:32.378Z")
    assert abs(parse_iso(text) - moment) <= timedelta(milliseconds=0.5)


def test_other_zones_are_turned_into_utc_and_naive_times_are_refused() -> None:
    eastern = timezone(timedelta(hours=-5))

    assert to_iso(datetime(2022, 7, 12, 10, tzinfo=eastern)) == "2022-07-12T15:00:00.000Z"
    assert parse_iso("2022-07-12T10:00:00-05:00") == datetime(2022, 7, 12, 15, tzinfo=UTC)
    assert parse_iso("2022-07-12") == datetime(2022, 7, 12, tzinfo=UTC)
    for use in (to_mjd, to_iso):
        with pytest.raises(ValueError, match="no time zone"):
            use(datetime(2022, 7, 12))  # noqa: DTZ001


def test_the_ends_of_the_calendar_are_written_and_what_lies_beyond_is_refused() -> None:
    assert to_iso(datetime.max.replace(tzinfo=UTC)) == "9999-12-31T23:59:59.999Z"
    assert to_iso(datetime.min.replace(tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"
    with pytest.raises(ValueError, match="no ISO date"):
        parse_iso("0001-01-01T00:00:00+05:00")


@pytest.mark.parametrize("mjd", [1e12, -1e9, float("nan"), float("inf")])
def test_an_impossible_mjd_is_a_value_error(mjd: float) -> None:
    with pytest.raises(ValueError, match="no day of the calendar"):
        from_mjd(mjd)


@pytest.mark.parametrize(
    ("values", "minimum", "maximum"),
    [
        ("58400", 58400, 58400),
        ("58400+", 58400, None),
        ("58400-", None, 58400),
        (["59430.0+"], 59430, None),
        (58400.5, 58400.5, 58400.5),
        ("2020-11-23", 59176, 59176),
        ("2020-11-23+", 59176, None),
        ("2020-11-23-", None, 59176),
        (["2020-11-23", "2020-11-25"], 59176, 59178),
        ("2020-11-23 2020-11-25", 59176, 59178),
        ("58400 2020-11-25", 58400, 59178),
        (["2020-11-23+", "2020-11-25-"], 59176, 59178),
        (["2020-11-23T12:00:00", "2020-11-25T18:00:00Z"], 59176.5, 59178.75),
        ("2020-11-23T12:00:00-", None, 59176.5),
        ("2020-11-23 12:00:00", 59176.5, 59176.5),
        ("2020-11-23 12:00 2020-11-25 18:00", 59176.5, 59178.75),
        ("2020-11-23T00:00:00-06:00-", None, 59176.25),
        (date(2020, 11, 23), 59176, 59176),
        ([datetime(2020, 11, 23, 12), date(2020, 11, 25)], 59176.5, 59178),  # noqa: DTZ001
        ([datetime(2020, 11, 23, 12, tzinfo=UTC)], 59176.5, 59176.5),
        ([], None, None),
        ("", None, None),
    ],
)
def test_date_select_means_a_range(
    values: DateValue | list[DateValue], minimum: float | None, maximum: float | None
) -> None:
    assert parse_date_select(values) == DateRange(minimum, maximum)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("yesterday", "'yesterday' is neither an MJD nor an ISO date"),
        ("2020-13-01", "'2020-13-01' is no ISO date or time"),
        ("2020-11-23--", "'2020-11-23-' is no ISO date or time"),
        (["1", "2", "3"], "at most two values"),
        ("59500 59400", "ends before it begins"),
        (["59400-", "59500"], "no range"),
        ("nan", "neither an MJD"),
        ("1e5", "neither an MJD"),
        ("+", "neither an MJD"),
        ("20201123", "no day of the calendar"),
        ("٥٨٤٠٠", "neither an MJD"),
        (True, "True is no date"),
    ],
)
def test_a_date_select_that_means_nothing_says_why(
    values: DateValue | list[DateValue], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_date_select(values)


@given(st.text() | st.lists(st.text("0123456789-+:T Z.", max_size=30), max_size=3))
def test_no_date_select_fails_with_anything_but_a_value_error(values: str | list[str]) -> None:
    try:
        found = parse_date_select(values)
    except ValueError:
        return
    assert found.minimum is None or found.maximum is None or found.minimum <= found.maximum


@given(moments, moments)
def test_a_range_holds_its_limits_and_what_lies_between(one: datetime, other: datetime) -> None:
    first, last = sorted((one, other))
    found = parse_date_select([first.isoformat(), last.isoformat()])

    assert to_mjd(first) in found
    assert to_mjd(last) in found
    assert to_mjd(last) + 1 not in found
    assert to_mjd(first) - 1 not in found


def test_a_date_range_is_told_in_words() -> None:
    assert str(parse_date_select("2020-11-23+")) == "2020-11-23T00:00:00.000Z or more"
    assert str(DateRange()) == "any"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["71672220"], IntRange(71672220, 71672220)),
        ([71672220], IntRange(71672220, 71672220)),
        (["71672220+"], IntRange(71672220, None)),
        (["71672220-"], IntRange(None, 71672220)),
        (["71672220", "71673298"], IntRange(71672220, 71673298)),
        (["71672220 71673298"], IntRange(71672220, 71673298)),
        ([], None),
    ],
)
def test_obsid_select_means_a_range(values: list[str | int], expected: IntRange | None) -> None:
    assert parse_int_range(values) == expected


@pytest.mark.parametrize("values", [["x"], ["1", "2", "3"], ["2", "1"], ["1.5"], ["-"], ["²"]])
def test_an_obsid_select_that_means_nothing_is_a_value_error(values: list[str]) -> None:
    with pytest.raises(ValueError, match=r"number|range"):
        parse_int_range(values)


def test_a_whole_number_range_holds_its_limits_only_of_numbers() -> None:
    assert [number for number in range(10) if number in IntRange(3, 5)] == [3, 4, 5]
    assert 10**9 in IntRange(3, None)
    assert 2 not in IntRange(3, None)
    assert None not in IntRange(None, 5)
    assert [str(found) for found in (IntRange(3, 5), IntRange(3), IntRange(None, 5), IntRange(4, 4))] == [
        "3 to 5", "3 or more", "at most 5", "4",
    ]  # fmt: skip
