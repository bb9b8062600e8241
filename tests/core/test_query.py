"""What a question for observations would find again."""

from __future__ import annotations

from typing import Any

import pytest

from jwstwatch.core.model import Observation
from jwstwatch.core.query import ObservationQuery


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, True),
        ({"proposals": (1345, 2000), "t_min": (None, None)}, True),
        ({"proposals": (2000,)}, False),
        ({"instrument_patterns": ("MIRI*", "Nircam*")}, True),
        ({"instrument_patterns": ("NIRCAM",)}, False),
        ({"instrument_patterns": ("MIRI*",)}, False),
        ({"t_min": (60_000.0, 60_000.0)}, True),
        ({"t_min": (60_000.1, None)}, False),
        ({"t_min": (None, 59_999.9)}, False),
    ],
)
def test_an_observation_is_covered_where_the_answer_would_hold_it(
    query: dict[str, Any], expected: bool
) -> None:
    known = Observation(
        obs_id="a", obsid=1, proposal=1345, instrument_name="NIRCAM/IMAGE", calib_level=3, t_min=60_000.0
    )
    assert ObservationQuery(**query).covers(known) is expected


def test_an_observation_of_which_the_deciding_part_is_not_known_is_not_covered() -> None:
    known = Observation(obs_id="a", obsid=1)
    assert ObservationQuery().covers(known)
    for query in ({"proposals": (1,)}, {"instrument_patterns": ("FGS*",)}, {"t_min": (None, 1.0)}):
        assert not ObservationQuery(**query).covers(known)  # type: ignore[arg-type]
