"""What is asked of the archive, as a value."""

from __future__ import annotations

from dataclasses import dataclass


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
