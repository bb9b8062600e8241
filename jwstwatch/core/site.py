"""What the pages show, as values: made by the store, written by `pages`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from jwstwatch.core.gaps import Gap
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
    keywords: Mapping[str, Keyword] = field(default_factory=dict)


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
class ProposalView:
    """Everything that the page of one proposal shows."""

    summary: ProposalSummary
    observations: tuple[Observation, ...]
    files: tuple[PageFile, ...]
    settings: PageSettings
    waiting: tuple[WaitingPlan, ...] = ()
    """Of this proposal's files."""
    gaps: tuple[Gap, ...] = ()
    """Of its observations, and of its files in this root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A root's site: the proposals whose pages are to be written, and a line for every one it has."""

    root: Path
    proposals: tuple[ProposalView, ...]
    index: tuple[ProposalSummary, ...]
    waiting: tuple[WaitingPlan, ...] = ()
    """Of all the root's files."""
