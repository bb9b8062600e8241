"""What is asked of the archive, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from jwstwatch.core.dates import from_mjd
from jwstwatch.core.model import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationQuery:
    """One question for observations; every part narrows the answer, an empty part does not."""

    instrument_patterns: tuple[str, ...] = ()
    """CAOM instrument names, `*` for any ending: `NIRCAM*` matches NIRCAM and NIRCAM/IMAGE."""
    proposals: tuple[int, ...] = ()
    t_min: tuple[float | None, float | None] = (None, None)
    """Limits on the observation's start in MJD (UTC), both inclusive; None leaves a side open."""
    planned: bool = False
    """Also observations that are not executed yet; having no start, they are not held to the window."""

    def covers(self, observation: Observation) -> bool:
        """Return whether an answer would hold the observation, if the archive has it as it is known."""
        name = (observation.instrument_name or "").upper()
        named = not self.instrument_patterns or any(_matches(name, text) for text in self.instrument_patterns)
        begin, end = self.t_min
        start = observation.t_min
        if start is None:
            timely = begin is None and end is None
        else:
            timely = (begin is None or begin <= start) and (end is None or start <= end)
        return named and timely and (not self.proposals or observation.proposal in self.proposals)

    def __str__(self) -> str:
        """Say in short what is asked for: `NIRCAM, proposal 1345, started since 2026-02-26`."""
        words = [pattern.rstrip("*") for pattern in self.instrument_patterns]
        words += [f"proposal {proposal}" for proposal in self.proposals]
        begin, end = self.t_min
        words += [] if begin is None else [f"started since {_day(begin)}"]
        words += [] if end is None else [f"started before {_day(end)}"]
        return ", ".join(words) or "everything"


def _matches(name: str, pattern: str) -> bool:
    prefix = pattern.upper()
    return name.startswith(prefix.rstrip("*")) if prefix.endswith("*") else name == prefix


def _day(mjd: float) -> str:
    try:
        return f"{from_mjd(mjd):%Y-%m-%d}"
    except ValueError:
        return f"MJD {mjd:g}"
