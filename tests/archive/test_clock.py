"""How far the archive's clock is from ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.archive.clock import read_skew
from jwstwatch.archive.mast import MastArchive
from tests.archive.server import Asked, Mast, Reply, as_reply, envelope, in_turn

Connect = Callable[..., MastArchive]
NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)


def date(moment: datetime) -> dict[str, str]:
    return {"Date": format_datetime(moment, usegmt=True)}


@given(
    skew=st.integers(-10_000_000, 10_000_000),
    took=st.floats(0, 900),
    when=st.floats(0, 1),
    fraction=st.integers(0, 999_999),
)
def test_the_difference_is_never_exaggerated_and_off_by_no_more_than_the_answer_took(
    skew: int, took: float, when: float, fraction: int
) -> None:
    received = NOW.replace(microsecond=fraction)
    answered = received - timedelta(seconds=took * (1 - when))
    found = read_skew(
        date(answered + timedelta(seconds=skew)), received=received, took=timedelta(seconds=took)
    )
    assert found is not None
    assert abs(found) <= timedelta(seconds=abs(skew) + 1)
    assert abs(found - timedelta(seconds=skew)) <= timedelta(seconds=took + 1)


def test_clocks_that_agree_do_not_differ() -> None:
    # A Date names the second, so it lies up to a second behind.
    for seconds in (0, 0.4, 30):
        took = timedelta(seconds=seconds)
        for answered in (NOW - took, NOW - took / 2, NOW):
            assert read_skew(date(answered), received=NOW, took=took) == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Sun, 99 Foo 2026 12:00:00 GMT",
        "Sun, 01 Mar 99999999999 12:00:00 GMT",
        "Sun, 01 Mar 2026 12:00:00 +9999999999",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "\x00",
        "1, 2",
    ],
)
def test_a_date_that_is_none_says_nothing(value: str) -> None:
    assert read_skew({"Date": value}, received=NOW, took=timedelta(0)) is None


@given(st.text(max_size=60))
def test_no_date_is_too_strange(value: str) -> None:
    read_skew({"Date": value}, received=NOW, took=timedelta(0))


def test_other_ways_to_write_utc_are_understood() -> None:
    ahead = timedelta(minutes=10)
    for zone in ("GMT", "-0000", "+0000", "UTC"):
        value = (NOW + ahead).strftime(f"%a, %d %b %Y %H:%M:%S {zone}")
        found = read_skew({"Date": value}, received=NOW, took=timedelta(0))
        assert found == ahead - timedelta(milliseconds=500)


def test_the_date_of_a_cached_answer_says_nothing() -> None:
    headers = date(NOW - timedelta(hours=1)) | {"Age": "3600"}
    assert read_skew(headers, received=NOW, took=timedelta(0)) is None


def dated(ahead: timedelta) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        return as_reply(envelope([]), headers=date(datetime.now(UTC) + ahead))

    return answer


def test_every_answer_tells_the_time_and_the_latest_counts(mast: Mast, connect: Connect) -> None:
    archive = connect()
    assert archive.clock_skew is None
    for ahead in (timedelta(minutes=7), -timedelta(hours=2)):
        mast.invoke = dated(ahead)
        archive.products([9])
        assert archive.clock_skew is not None
        assert abs(archive.clock_skew - ahead) < timedelta(seconds=60)
    mast.invoke = in_turn(as_reply(envelope([]), headers={"Date": "nonsense"}))
    archive.products([9])
    assert archive.clock_skew < -timedelta(hours=1)
