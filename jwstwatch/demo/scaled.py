"""An archive of any size with cheap content, for load and crash tests."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct, Proposal, Target
from jwstwatch.demo.modes import IMAGING
from jwstwatch.demo.plain import BLOCK

_DETECTORS = ("nrca1", "nrca2", "nrca3", "nrca4", "nrcalong", "nrcb1", "nrcb2", "nrcb3", "nrcb4", "nrcblong")
_PER_OBSERVATION = 100
"""Exposures (with their detectors) in one APT observation."""

_PER_PROPOSAL = 999 * _PER_OBSERVATION
_VERSION = "1.20.2"


def scaled_catalogue(
    *,
    observations: int,
    now: datetime,
    files: Sequence[str] = ("uncal.fits", "rate.fits", "rate.jpg"),
    sizes: tuple[int, int] = (50_000, 300_000),
    proposal: int = 9001,
    newest: timedelta = timedelta(hours=2),
    span: timedelta = timedelta(hours=12),
    seed: int = 0,
) -> Catalogue:
    """Return an archive of NIRCam exposures with random bytes: `observations` x len(`files`) files.

    Their starts are spread over `span` before `now` - `newest`. Sizes in bytes are drawn from `sizes`; those
    of FITS files are rounded up to whole blocks. Content is made when it is read, listings cost none.
    """
    source = random.Random(seed)  # noqa: S311  no secret
    archived = list(_observations(observations, proposal=proposal, last=now - newest, span=span))
    products = [
        ArchivedProduct(
            name=f"{observation.obs_id}_{ending}",
            suffix=ending.partition(".")[0],
            level=1 if ending.startswith("uncal") else 2,
            holders=(observation.obs_id,),
            modified=observation.processed or now,
            version=_VERSION,
            plain_size=_size(ending, source.randint(*sizes)),
        )
        for observation in archived
        for ending in files
    ]
    return Catalogue(archived, products, seed=seed)


def _observations(
    count: int, *, proposal: int, last: datetime, span: timedelta
) -> Iterator[ArchivedObservation]:
    target = Target(name="DEMO-LOAD", ra=10.0, dec=-20.0)
    for index in range(count):
        number = proposal + index // _PER_PROPOSAL
        within = index % _PER_PROPOSAL
        apt, rest = 1 + within // _PER_OBSERVATION, within % _PER_OBSERVATION
        exposure, detector = 1 + rest // len(_DETECTORS), _DETECTORS[rest % len(_DETECTORS)]
        start = last - span * (1 - (index + 1) / count)
        long_channel = detector.endswith("long")
        yield ArchivedObservation(
            obs_id=f"jw{number:05d}{apt:03d}001_02101_{exposure:05d}_{detector}",
            obsid=100_000_000 + 5 * index,
            proposal=Proposal(
                number=number, title="A Load", principal_investigator="Ekberg, Nils", category="CAL"
            ),
            target=target,
            mode=IMAGING,
            number=apt,
            instrument_name=IMAGING.instrument_name,
            filters="F444W;CLEAR" if long_channel else "F200W;CLEAR",
            filter="F444W" if long_channel else "F200W",
            element="CLEAR",
            detector=detector.upper(),
            start=start,
            exposure_seconds=311.366,
            processed=start + timedelta(minutes=30),
            release=start,
            version=_VERSION,
            exposure=exposure,
        )


def _size(ending: str, size: int) -> int:
    return max(-(-size // BLOCK), 2) * BLOCK if ending.endswith(".fits") else size
