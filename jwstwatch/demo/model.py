"""What the demo archive holds, as values: proposals, targets, observations and products.

The proposals are invented (real-looking numbers, no real people), and so is every photon.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

URI_PREFIX = "mast:JWST/product/"

_MJD_EPOCH = datetime.fromisoformat("1858-11-17T00:00:00+00:00")


def to_mjd(moment: datetime) -> float:
    """Return the modified Julian date (days, UTC) of an aware `moment`."""
    return (moment - _MJD_EPOCH) / timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One accepted proposal."""

    number: int
    title: str
    principal_investigator: str
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is looked at: position in degrees (ICRS)."""

    name: str
    ra: float
    dec: float
    classification: str | None = None
    scene: str = "field"
    """What a picture of it shows: field, galaxy, nebula or star."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How an instrument is used, and what the pipeline makes of it. Suffixes are without `_`."""

    instrument_name: str
    exp_type: str
    template: str
    kind: str
    """CAOM `dataproduct_type`: image, spectrum or timeseries."""
    exposure_suffixes: tuple[str, ...]
    association: str
    level3_suffixes: tuple[str, ...] = ()
    level3_association: str = ""
    frame: str = "crf"
    """Suffix of the stage-3 file that is still per exposure."""
    shape: tuple[int, int] = (128, 128)
    """Rows and columns of the demo's pictures, in pixels."""
    readpatt: str = "SHALLOW4"
    subarray: str = "FULL"
    picture: str = "sky"
    """What an exposure shows: sky, spectra, trace, slices or guide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedObservation:
    """One CAOM observation of the demo archive: an exposure, a level-3 set, or a planned one."""

    obs_id: str
    obsid: int
    proposal: Proposal
    target: Target
    mode: Mode
    number: int | None
    """The APT observation number; None for a candidate over several observations."""
    instrument_name: str
    filters: str | None
    """As CAOM states it, `F444W;CLEAR`."""
    filter: str | None = None
    element: str | None = None
    """The second optical element: pupil, grating or prism."""
    detector: str = "MULTIPLE"
    calib_level: int = 2
    start: datetime | None = None
    exposure_seconds: float | None = None
    processed: datetime | None = None
    release: datetime | None = None
    exclusive: bool = False
    version: str | None = None
    """The calibration pipeline's version, CAOM `prvversion`."""
    members: tuple[str, ...] = ()
    """obs_id of the exposures that this observation also lists."""
    visit: int = 1
    group: str = "02"
    activity: str = "01"
    exposure: int = 1

    @property
    def instrument(self) -> str:
        """The instrument without its mode."""
        return self.instrument_name.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedProduct:
    """One file of the demo archive; `holders` are the obs_id that it belongs to, the first its own."""

    name: str
    suffix: str
    level: int | None
    """CAOM `calib_level` of its rows; None where each row has its holder's."""
    holders: tuple[str, ...]
    modified: datetime
    revision: int = 1
    version: str | None = None
    members: tuple[str, ...] = ()
    """Names of the files that an association or a pool speaks of."""
    padding: int = 0
    """Extra FITS blocks, JPEG comment bytes or blanks; a way to change the size only."""
    plain_size: int | None = None
    """Size in bytes of cheap content without astronomy in it (scaled archives)."""
    stated_size: int | None = None
    """What the listing says instead of the true size."""
    listed: bool = field(default=True)

    @property
    def uri(self) -> str:
        """The data URI."""
        return URI_PREFIX + self.name

    @property
    def extension(self) -> str:
        """The ending of the name, without the dot."""
        return self.name.rpartition(".")[2]
