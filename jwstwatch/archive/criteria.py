"""From an `ObservationQuery` to the criteria of astroquery's `query_criteria`. Pure.

astroquery takes one wildcard for each filter and drops a second one with a warning, so each instrument
pattern is a question of its own. A limit that is open needs a number all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from jwstwatch.core.model import PLANNED
from jwstwatch.core.query import ObservationQuery

EARLIEST, LATEST = 0.0, 100_000.0
"""MJD limits that leave a side open: the years 1858 and 2132."""

CONTINUOUS = frozenset({"t_min"})
DISCRETE = frozenset({"obs_collection", "instrument_name", "proposal_id", "calib_level"})

Criteria = dict[str, list[str] | list[float]]


def questions(query: ObservationQuery) -> list[Criteria]:
    """Return the questions whose answers together answer `query`."""
    asked: list[Criteria] = []
    for pattern in query.instrument_patterns or (None,):
        common: Criteria = {"obs_collection": ["JWST"]}
        if pattern is not None:
            common["instrument_name"] = [pattern]
        if query.proposals:
            common["proposal_id"] = proposal_texts(query.proposals)
        if query.t_min == (None, None):
            asked.append(common)
            continue
        earliest, latest = query.t_min
        limits = [EARLIEST if earliest is None else earliest, LATEST if latest is None else latest]
        asked.append(common | {"t_min": limits})
        if query.planned:
            # No window finds a row without a start.
            asked.append(common | {"calib_level": [str(PLANNED)]})
    return asked


def proposal_texts(proposals: Sequence[int]) -> list[str]:
    """Return how the archive may write these proposals: the column is text, 1345 and 01345 are in use."""
    return list(
        dict.fromkeys(spelling for number in proposals for spelling in (str(number), f"{number:05d}"))
    )
