"""When an empty answer is odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.query import ObservationQuery
from jwstwatch.core.status import Answer, is_oddly_empty

FULL, EMPTY = Answer(found=3, from_floor=False), Answer(found=0, from_floor=False)
FULL_FROM_FLOOR, EMPTY_FROM_FLOOR = Answer(found=9, from_floor=True), Answer(found=0, from_floor=True)

answers = st.builds(Answer, found=st.integers(0, 2), from_floor=st.booleans())


@given(st.integers(1, 1000), st.booleans(), st.lists(answers), st.integers(0, 5))
def test_an_answer_with_something_in_it_never_is(
    found: int, floor: bool, earlier: list[Answer], known: int
) -> None:
    assert not is_oddly_empty(Answer(found=found, from_floor=floor), earlier, known=known)


@pytest.mark.parametrize(
    ("earlier", "odd"),
    [
        ([], False),
        ([FULL, FULL], False),
        ([FULL, FULL, FULL], True),
        ([FULL] * 9 + [EMPTY], False),
        ([FULL] * 10 + [EMPTY], True),
        ([EMPTY] + [FULL] * 20, False),
    ],
)
def test_an_empty_window_is_odd_after_none_but_full_ones(earlier: list[Answer], odd: bool) -> None:
    assert is_oddly_empty(EMPTY, earlier, known=5) is odd


@pytest.mark.parametrize(
    ("earlier", "known", "odd"),
    [
        ([], 0, False),
        ([], 5, True),
        ([EMPTY, EMPTY, EMPTY, FULL_FROM_FLOOR], 5, True),
        ([EMPTY, EMPTY_FROM_FLOOR, FULL_FROM_FLOOR], 5, False),
    ],
)
def test_an_empty_answer_from_the_floor_is_odd_where_something_is_known(
    earlier: list[Answer], known: int, odd: bool
) -> None:
    assert is_oddly_empty(EMPTY_FROM_FLOOR, earlier, known=known) is odd


def test_a_query_tells_in_short_what_it_asks_for() -> None:
    assert str(ObservationQuery()) == "everything"
    query = ObservationQuery(
        instrument_patterns=("NIRCAM*", "MIRI/SLIT"), proposals=(1345, 2079), t_min=(59752.0, 59753.5)
    )
    assert str(query) == (
        "NIRCAM, MIRI/SLIT, proposal 1345, proposal 2079, started since 2022-06-22, started before 2022-06-23"
    )
    assert str(ObservationQuery(t_min=(1e12, None))) == "started since MJD 1e+12"
