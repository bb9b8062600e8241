"""What the pages show, as values: made by the store, written by `pages`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.model import FileState, Observation

Keyword = str | int | float | bool | None
"""The value of a FITS header keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """The columns and thumbnails of one proposal's page (the `webpage_*` parameters, united)."""

    columns: tuple[str, ...]
    """webpage_cols4table: product columns, FITS keywords, file types with a thumbnail."""
    thumbnails: tuple[str, ...]
    """webpage_level12_jpgs: jpg types, `_rate.jpg`."""
    keywords: tuple[str, ...]
    """webpage_fitskeys2table."""
    sort_by: tuple[str, ...]
    figure_width: int | None = None
    figure_height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprocessing:
    """How the present content of a product came about: former and present values, where they are stated."""

    at: datetime
    """When its former content ended, as far as was seen."""
    pipeline: tuple[str | None, str | None] = (None, None)
    context: tuple[str | None, str | None] = (None, None)
    """Of the calibration reference data (CRDS), `jwst_1322.pmap`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerPicture:
    """A picture of the copy that the present one took the place of; `path` is relative to the root."""

    path: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerVersion:
    """A former content of a product, as far as the archive stated anything of it."""

    revision: int
    size: int | None
    pipeline: str | None
    context: str | None
    """Of the calibration reference data (CRDS)."""
    began_at: datetime
    ended_at: datetime
    why: str
    """The facts that contradicted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of a proposal: `path` and `thumbnail` are relative to the root, with `/`."""

    name: str
    path: str
    uri: str
    filetype: str
    obs_id: str
    obsid: int | None
    parent_obsid: int | None
    obsnum: int | None
    calib_level: int | None
    product_type: str | None
    size: int | None
    """Bytes on disk, or as listed where the file is not there."""
    state: FileState
    reason: str | None = None
    revision: int = 1
    """Of the copy on disk."""
    reprocessed: Reprocessing | None = None
    damage: str | None = None
    """What was found wrong with the copy."""
    changed_at: datetime | None = None
    thumbnail: str | None = None
    """The small picture: of a jpg or png, or of the quick-look of a FITS file."""
    picture: str | None = None
    """The picture that the viewer shows: the jpg or png itself, or the quick-look of a FITS file."""
    former_picture: FormerPicture | None = None
    keywords: Mapping[str, Keyword] = field(default_factory=dict)
    sha256: str | None = None
    """Of the copy on disk."""
    note: str | None = None
    """What was odd about the copy and is accepted."""
    versions: tuple[FormerVersion, ...] = ()
    """Former contents, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSummary:
    """One line of the index page."""

    proposal: int
    title: str | None
    principal_investigator: str | None
    instruments: tuple[str, ...]
    observations: int
    counts: Mapping[FileState, int]
    bytes_present: int
    last_arrival: datetime | None
    thumbnail: str | None = None
    missing: int | None = None
    """What its observations lack, counted when its page was written; None where it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """Files of a profile that are not fetched before somebody says yes; `size` in bytes as listed."""

    profile: str
    files: int
    size: int
    since: datetime


def add_up(plans: Iterable[WaitingPlan]) -> tuple[WaitingPlan, ...]:
    """Return one plan for each profile, in the order of their names."""
    added: dict[str, WaitingPlan] = {}
    for plan in plans:
        other = added.get(plan.profile)
        added[plan.profile] = plan if other is None else _both(other, plan)
    return tuple(added[profile] for profile in sorted(added))


def _both(one: WaitingPlan, other: WaitingPlan) -> WaitingPlan:
    return replace(
        one,
        files=one.files + other.files,
        size=one.size + other.size,
        since=min(one.since, other.since),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """Everything that a page shows of one APT observation; None stands for what belongs to no single one."""

    proposal: int
    obsnum: int | None
    observations: tuple[Observation, ...]
    files: tuple[PageFile, ...]
    settings: PageSettings
    gaps: tuple[GapLine, ...] = ()
    """Of its files in this root, and of its observation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPicture:
    """The picture that stands for a part: a thumbnail's path below the root, and what chose it."""

    thumbnail: str
    instrument: str | None
    level: int
    """CAOM's calib_level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSize:
    """How much of one table a part has: rows, files of data scripts, and the mark of their content."""

    name: str
    """exposures, products, guide-stars or others."""
    rows: int
    chunks: int
    detail_chunks: int
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """What the page of the proposal says of one observation; kept in the state, so that it is made once."""

    obsnum: int | None
    label: str
    """`3`, or what the part is called that belongs to no single observation."""
    targets: tuple[str, ...]
    instruments: tuple[str, ...]
    """As CAOM says them, with the mode: NIRCAM/IMAGE."""
    filters: tuple[str, ...]
    detectors: tuple[str, ...]
    start: str
    end: str
    """ISO 8601 in UTC to the minute, or empty."""
    exposure_time: float | None
    """Seconds."""
    exposures: int
    """Exposures and detectors: rows of the table."""
    counts: Mapping[FileState, int]
    bytes_on_disk: int
    planned: bool
    exclusive_until: str
    """ISO date on which the data become public; empty for public data."""
    sections: tuple[SectionSize, ...]
    plain_pages: int
    """How many pages without script it has: the first of them always."""
    gaps: tuple[GapLine, ...]
    picture: PartPicture | None
    last_arrival: datetime | None

    @property
    def missing(self) -> int:
        """What its observation lacks."""
        return sum(line.count for line in self.gaps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """Everything that the page of one proposal shows."""

    summary: ProposalSummary
    lines: tuple[PartLine, ...]
    """By observation number; what belongs to no single one is last."""
    settings: PageSettings
    waiting: tuple[WaitingPlan, ...] = ()
    """Of this proposal's files."""
    gaps: tuple[GapLine, ...] = ()
    """Level-3 products that are lacking, which no part can tell alone."""
    inline: tuple[PartView, ...] = ()
    """All parts of a small proposal, whose tables stand in the page itself for readers without script."""
    root: Path = Path()
    """Where the paths begin, for people who copy them; absolute."""
    host: str = ""
    """What the server calls itself."""
