"""What is asked of the archive, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from jwstwatch.core.dates import from_mjd


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

    def __str__(self) -> str:
        """Say in short what is asked for: `NIRCAM, proposal 1345, started since 2026-02-26`."""
        words = [pattern.rstrip("*") for pattern in self.instrument_patterns]
        words += [f"proposal {proposal}" for proposal in self.proposals]
        begin, end = self.t_min
        words += [] if begin is None else [f"started since {_day(begin)}"]
        words += [] if end is None else [f"started before {_day(end)}"]
        return ", ".join(words) or "everything"


def _day(mjd: float) -> str:
    try:
        return f"{from_mjd(mjd):%Y-%m-%d}"
    except ValueError:
        return f"MJD {mjd:g}"
