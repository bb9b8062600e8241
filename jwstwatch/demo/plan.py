"""The plan of the demo archive: five invented proposals, all five instruments, every form of file name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from jwstwatch.demo.model import Mode, Proposal, Target
from jwstwatch.demo.modes import (
    CLUSTER,
    CORONAGRAPHY,
    DEEP,
    FGS_IMAGING,
    FIELD,
    GRISM,
    GUIDERS,
    IMAGING,
    INTEGRAL_FIELD,
    MIRI_IMAGING,
    MULTI_OBJECT,
    NEBULA,
    PLANET,
    PRISM_SERIES,
    RING,
    SHUTTERS,
    SLITLESS_FIELD,
    SOSS,
    SPIRAL,
    SURVEY,
    TRANSITS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit with one setting: what is exposed, how long ago, and what becomes of it."""

    proposal: Proposal
    number: int
    """The APT observation number."""
    target: Target
    mode: Mode
    detectors: tuple[str, ...]
    filter: str
    element: str | None = None
    age: timedelta
    activity: str = "01"
    group: str = "02"
    exposures: int = 1
    segments: int = 0
    seconds: float = 1030.73
    optical: str = ""
    """The last part of the level-3 names; without it there is no level 3."""
    candidate: str = ""
    """The association candidate of level 3, when it is not the observation itself."""
    sources: tuple[str, ...] = ()
    instrument_name: str = ""
    """Where the archive gives another name than the mode's: the bare instrument."""
    raw: bool = False
    """Only level 1 has arrived."""
    exclusive: bool = False
    planned: bool = False
    guide_star: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A level-3 set over several observations, with its own exposure-level frames."""

    name: str
    proposal: Proposal
    numbers: tuple[int, ...]
    target: Target
    mode: Mode
    filter: str
    element: str | None
    optical: str


def _days(count: float) -> timedelta:
    return timedelta(days=count)


_IN_FIELD = Visit(
    proposal=SURVEY,
    number=1,
    target=FIELD,
    mode=IMAGING,
    detectors=(),
    filter="",
    element="CLEAR",
    age=_days(411),
)
_IN_RING = Visit(
    proposal=NEBULA,
    number=2,
    target=RING,
    mode=MIRI_IMAGING,
    detectors=("mirimage",),
    filter="",
    age=_days(903),
)
_IN_DEEP = Visit(
    proposal=DEEP, number=4, target=SHUTTERS, mode=MULTI_OBJECT, detectors=(), filter="", age=_days(190)
)

VISITS: tuple[Visit, ...] = (
    replace(
        _IN_FIELD,
        detectors=("nrca1", "nrcb1"),
        filter="F115W",
        exposures=2,
        optical="clear-f115w",
        guide_star=True,
    ),
    replace(
        _IN_FIELD, detectors=("nrcalong", "nrcblong"), filter="F444W", exposures=2, optical="clear-f444w"
    ),
    replace(
        _IN_FIELD,
        number=2,
        detectors=("nrca1",),
        filter="F115W",
        age=timedelta(hours=9),
        optical="clear-f115w",
    ),
    replace(
        _IN_FIELD,
        number=2,
        detectors=("nrcalong",),
        filter="F444W",
        age=timedelta(hours=9),
        optical="clear-f444w",
    ),
    replace(
        _IN_FIELD, number=3, detectors=("nrca3", "nrcb4"), filter="F200W", age=timedelta(hours=3), raw=True
    ),
    replace(
        _IN_FIELD,
        number=61,
        mode=MULTI_OBJECT,
        detectors=("nrs1", "nrs2"),
        filter="F290LP",
        element="G395M",
        age=_days(1020),
        optical="f290lp-g395m",
        sources=("s06355",),
    ),
    Visit(
        proposal=TRANSITS,
        number=1,
        target=PLANET,
        mode=SOSS,
        detectors=("nis",),
        filter="CLEAR",
        element="GR700XD",
        age=_days(730),
        group="04",
        segments=2,
        seconds=21430.2,
        optical="clear-gr700xd-substrip256",
        guide_star=True,
    ),
    Visit(
        proposal=TRANSITS,
        number=2,
        target=PLANET,
        mode=PRISM_SERIES,
        detectors=("mirimage",),
        filter="P750L",
        age=_days(698),
        group="04",
        activity="03",
        segments=2,
        seconds=19800.6,
        optical="p750l-slitlessprism",
    ),
    Visit(
        proposal=GUIDERS,
        number=1,
        target=CLUSTER,
        mode=FGS_IMAGING,
        detectors=("guider1",),
        filter="",
        age=_days(520),
        exposures=2,
        seconds=161.052,
        guide_star=True,
    ),
    Visit(
        proposal=NEBULA,
        number=1,
        target=RING,
        mode=IMAGING,
        detectors=("nrca3", "nrcb2"),
        filter="F187N",
        element="CLEAR",
        age=_days(912),
        seconds=2319.144,
        optical="clear-f187n",
    ),
    replace(_IN_RING, filter="F770W", exposures=2, optical="f770w"),
    replace(_IN_RING, filter="F1130W", activity="03", exposures=2, optical="f1130w"),
    replace(_IN_RING, number=3, filter="F770W", age=_days(66), instrument_name="MIRI"),
    replace(
        _IN_RING,
        number=5,
        mode=INTEGRAL_FIELD,
        detectors=("mirifulong", "mirifushort"),
        filter="CH1",
        age=_days(870),
        optical="ch1-shortmediumlong",
    ),
    replace(
        _IN_DEEP,
        detectors=("nrs1", "nrs2"),
        filter="CLEAR",
        element="PRISM",
        exposures=2,
        group="03",
        optical="clear-prism",
        sources=("s000277193", "s000277031", "b000000012", "v000000003"),
    ),
    replace(
        _IN_DEEP,
        number=7,
        target=SPIRAL,
        mode=IMAGING,
        detectors=("nrcalong", "nrcblong"),
        filter="F444W",
        element="CLEAR",
        age=timedelta(hours=20),
        optical="clear-f444w",
        exclusive=True,
    ),
    replace(
        _IN_DEEP,
        number=8,
        target=SPIRAL,
        mode=IMAGING,
        detectors=("nircam",),
        filter="F444W",
        element="CLEAR",
        planned=True,
    ),
    replace(
        _IN_DEEP,
        number=11,
        mode=SLITLESS_FIELD,
        detectors=("nis",),
        filter="GR150C",
        element="F200W",
        exposures=2,
        optical="gr150c-f200w",
        sources=("s000000042",),
    ),
    replace(_IN_DEEP, number=12, mode=GRISM, detectors=("nrcalong",), filter="F322W2", element="GRISMR"),
    replace(
        _IN_DEEP,
        number=14,
        target=PLANET,
        mode=CORONAGRAPHY,
        detectors=("nrcalong",),
        filter="F444W",
        element="MASKRND",
        age=_days(31),
        group="03",
        activity="0a",
        exposures=2,
        optical="f444w-maskrnd-sub320a335r",
        candidate="c1014",
    ),
)

CANDIDATES: tuple[Candidate, ...] = (
    Candidate(
        name="c1001",
        proposal=SURVEY,
        numbers=(1, 2),
        target=FIELD,
        mode=IMAGING,
        filter="F444W",
        element="CLEAR",
        optical="clear-f444w",
    ),
    Candidate(
        name="a3001",
        proposal=NEBULA,
        numbers=(2, 3),
        target=RING,
        mode=MIRI_IMAGING,
        filter="F770W",
        element=None,
        optical="f770w",
    ),
)
