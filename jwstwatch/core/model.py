"""The words of the program as types: observation, listing row, file state, run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class FileState(StrEnum):
    """Where the local copy of a product stands."""

    WANTED = "wanted"
    PRESENT = "present"
    STALE = "stale"
    WITHHELD = "withheld"
    FAILED = "failed"
    GONE = "gone"


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """What made a run start."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    START = "start"
    CATCH_UP = "catch-up"
    ONE_OFF = "one-off"


PLANNED = -1
"""CAOM `calib_level` of an observation that has not been executed."""

EXCLUSIVE = "EXCLUSIVE_ACCESS"
"""CAOM `dataRights` of data that only their owners may read yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One row of `Mast.Caom.Filtered`. Times are MJD (UTC), exposure time seconds, positions degrees.

    Identity is `obs_id`; `obsid` is the number it has in CAOM at present.
    Source: the CAOM field list of MAST; every field the archive may leave empty is None here.
    """

    obs_id: str
    obsid: int
    proposal: int | None = None
    instrument_name: str | None = None
    target_name: str | None = None
    filters: str | None = None
    dataproduct_type: str | None = None
    calib_level: int | None = None
    t_min: float | None = None
    t_max: float | None = None
    t_exptime: float | None = None
    t_obs_release: float | None = None
    data_rights: str | None = None
    proposal_pi: str | None = None
    obs_title: str | None = None
    s_ra: float | None = None
    s_dec: float | None = None
    columns: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    """Every column of the row under its CAOM name; None where the archive says nothing."""

    @property
    def planned(self) -> bool:
        """True for an observation that is scheduled but has no data yet."""
        return self.calib_level == PLANNED


class ListingRow(NamedTuple):
    """One row of `Mast.Caom.Products`: a product as one observation lists it. Size in bytes.

    The product's identity is `uri`. Everything that may differ between the rows of one product
    (`obsid`, `parent_obsid`, `prvversion`, `calib_level`, `type`, `filters`, ...) is a fact of the pair.
    A tuple, as a listing has tens of thousands of rows: to make, hash and compare one takes no Python code.
    """

    uri: str
    name: str
    obs_id: str
    obsid: int
    parent_obsid: int
    size: int | None = None
    proposal: int | None = None
    prvversion: str | None = None
    calib_level: int | None = None
    dataproduct_type: str | None = None
    type: str | None = None
    product_type: str | None = None
    subgroup: str | None = None
    """CAOM `productSubGroupDescription`, such as UNCAL or ANNNN_X1D."""
    description: str | None = None
    data_rights: str | None = None
    filters: str | None = None
    project: str | None = None
