"""The columns that the three tables can have, and how each is computed.

Names are those of CAOM and of jwst_mast_query, whose parameters choose them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum, StrEnum
from types import MappingProxyType

from jwstwatch.core.dates import mjd_to_iso
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.naming import parse_obs_id
from jwstwatch.core.products import Product
from jwstwatch.errors import UsageError

Cell = str | int | float | bool | None
"""One value of a table; None where nothing is known."""


class TableKind(StrEnum):
    """The three tables, named as in the JSON answers."""

    PRODUCTS = "products"
    OBSERVATIONS = "observations"
    SUMMARY = "summary"


class DownloadCode(IntEnum):
    """jwst_mast_query's `dl_code`: where the local copy of a product stands."""

    NOT_THERE = 0
    DOWNLOADED = 1
    EXISTS = 2
    WRONG_SIZE = 4
    FAILED = 7
    VANISHED = 9


DOWNLOAD_WORDS: Mapping[DownloadCode, str] = MappingProxyType(
    {
        DownloadCode.NOT_THERE: "",
        DownloadCode.DOWNLOADED: "downloaded",
        DownloadCode.EXISTS: "exists",
        DownloadCode.WRONG_SIZE: "ERRfilesize",
        DownloadCode.FAILED: "ERRORdownload",
        DownloadCode.VANISHED: "ERRORnotexist",
    }
)
"""The `dl_str` of each code."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """What is known of a product's local copy: its full path, `dl_code` and `dl_str`."""

    outfilename: str
    dl_code: int
    dl_str: str

    @classmethod
    def of(cls, outfilename: str, code: DownloadCode) -> LocalFile:
        """Make one with the word that belongs to the code."""
        return cls(outfilename, int(code), DOWNLOAD_WORDS[code])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductEntry:
    """Everything that one row of the product table is made from."""

    product: Product
    row: ListingRow
    """The listing that stands for the product: that of its own observation, where there is one."""
    observation: Observation | None
    local: LocalFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationEntry:
    """Everything that one row of the observation table is made from, `products` being those it lists."""

    observation: Observation
    obsnum: int | None
    products: Sequence[Product]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryEntry:
    """Everything that the summary of one observation number of a proposal is made from."""

    proposal: int | None
    obsnum: int | None
    observations: Sequence[Observation]
    products: Sequence[Product]


_OBSERVATION_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {"proposal_id": "proposal", "dataRights": "data_rights"}
    | {
        name: name
        for name in (
            *("obs_id", "obsid", "instrument_name", "target_name", "filters", "dataproduct_type"),
            *("calib_level", "t_min", "t_max", "t_exptime", "t_obs_release", "proposal_pi", "obs_title"),
            *("s_ra", "s_dec"),
        )
    }
)
_OTHER_CAOM_COLUMNS = (
    *("intentType", "obs_collection", "provenance_name", "project", "wavelength_region"),
    *("target_classification", "em_min", "em_max", "proposal_type", "sequence_number", "s_region"),
    *("jpegURL", "dataURL", "mtFlag", "srcDen", "objID", "distance"),
)


def observation_cell(observation: Observation | None, name: str) -> Cell:
    """Return a CAOM column of an observation; None where there is no observation or no value."""
    if observation is None:
        return None
    attribute = _OBSERVATION_ATTRIBUTES.get(name)
    stated = None if attribute is None else getattr(observation, attribute)
    return as_cell(observation.columns.get(name) if stated is None else stated)


def as_cell(value: object) -> Cell:
    """Return a value as a table can hold it: not-a-number and empty text are None."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, str | int | float) else str(value)


def iso_of(mjd: float | None) -> str | None:
    """Return an MJD as ISO time with Z; None where it is unknown or no day of the calendar."""
    try:
        return None if mjd is None else mjd_to_iso(mjd)
    except ValueError:
        return None


def _caom(name: str) -> Callable[[ObservationEntry], Cell]:
    return lambda entry: observation_cell(entry.observation, name)


def _of_observation(name: str) -> Callable[[ProductEntry], Cell]:
    return lambda entry: observation_cell(entry.observation, name)


def _visit(entry: ProductEntry) -> Cell:
    visit = entry.product.parsed.visit
    return parse_obs_id(entry.row.obs_id).visit if visit is None else visit


PRODUCT_COLUMNS: Mapping[str, Callable[[ProductEntry], Cell]] = MappingProxyType(
    {
        "proposal_id": lambda entry: entry.product.proposal,
        "obsnum": lambda entry: entry.product.obsnum,
        "visit": _visit,
        "obsID": lambda entry: entry.row.obsid,
        "parent_obsid": lambda entry: entry.row.parent_obsid,
        "obs_id": lambda entry: entry.row.obs_id,
        "sca": lambda entry: entry.product.parsed.detector or parse_obs_id(entry.row.obs_id).detector,
        "dataproduct_type": lambda entry: entry.row.dataproduct_type,
        "productFilename": lambda entry: entry.product.name,
        "filetype": lambda entry: entry.product.filetype,
        "calib_level": lambda entry: entry.row.calib_level,
        "size": lambda entry: entry.product.size,
        "outfilename": lambda entry: entry.local.outfilename if entry.local else None,
        "dl_code": lambda entry: entry.local.dl_code if entry.local else int(DownloadCode.NOT_THERE),
        "dl_str": lambda entry: entry.local.dl_str if entry.local else None,
        "dataURI": lambda entry: entry.product.uri,
        "description": lambda entry: entry.row.description,
        "type": lambda entry: entry.row.type,
        "productType": lambda entry: entry.row.product_type,
        "productSubGroupDescription": lambda entry: entry.row.subgroup,
        "project": lambda entry: entry.row.project,
        "prvversion": lambda entry: entry.row.prvversion,
        "dataRights": lambda entry: entry.row.data_rights,
        "filters": lambda entry: entry.row.filters,
        "date_min": lambda entry: iso_of(entry.observation.t_min) if entry.observation else None,
    }
    | {
        name: _of_observation(name)
        for name in (
            *("obs_collection", "instrument_name", "target_name", "t_min", "t_max", "t_exptime"),
            *("t_obs_release", "proposal_pi", "obs_title", "s_ra", "s_dec"),
        )
    }
)

OBSERVATION_COLUMNS: Mapping[str, Callable[[ObservationEntry], Cell]] = MappingProxyType(
    {
        "obsnum": lambda entry: entry.obsnum,
        "visit": lambda entry: parse_obs_id(entry.observation.obs_id).visit,
        "sca": lambda entry: parse_obs_id(entry.observation.obs_id).detector,
        "date_min": lambda entry: iso_of(entry.observation.t_min),
        "date_max": lambda entry: iso_of(entry.observation.t_max),
        "date_release": lambda entry: iso_of(entry.observation.t_obs_release),
        "files": lambda entry: len(entry.products),
    }
    | {name: _caom(name) for name in (*_OBSERVATION_ATTRIBUTES, *_OTHER_CAOM_COLUMNS)}
)


def _several(name: str) -> Callable[[SummaryEntry], Cell]:
    def join(entry: SummaryEntry) -> Cell:
        stated = {observation_cell(observation, name) for observation in entry.observations} - {None}
        return ";".join(sorted(map(str, stated))) or None

    return join


SUMMARY_COLUMNS: Mapping[str, Callable[[SummaryEntry], Cell]] = MappingProxyType(
    {
        "proposal_id": lambda entry: entry.proposal,
        "obsnum": lambda entry: entry.obsnum,
        "date_start": lambda entry: iso_of(_extreme(min, entry, "t_min")),
        "date_end": lambda entry: iso_of(_extreme(max, entry, "t_max")),
        "observations": lambda entry: len(entry.observations),
        "files": lambda entry: len(entry.products),
        "size": lambda entry: sum(product.size or 0 for product in entry.products),
    }
    | {name: _several(name) for name in ("instrument_name", "target_name", "proposal_pi", "obs_title")}
)


def _extreme(choose: Callable[[Iterable[float]], float], entry: SummaryEntry, name: str) -> float | None:
    stated = [getattr(observation, name) for observation in entry.observations]
    known = [value for value in stated if value is not None]
    return choose(known) if known else None


UNITS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("t_min", "t_max", "t_obs_release"), "d")
    | dict.fromkeys(("s_ra", "s_dec"), "deg")
    | dict.fromkeys(("em_min", "em_max"), "nm")
    | {"t_exptime": "s", "size": "byte"}
)
"""Units in the notation of FITS and ECSV; times are MJD."""

_KNOWN: Mapping[TableKind, frozenset[str]] = MappingProxyType(
    {
        TableKind.PRODUCTS: frozenset(PRODUCT_COLUMNS),
        TableKind.OBSERVATIONS: frozenset(OBSERVATION_COLUMNS),
        TableKind.SUMMARY: frozenset(SUMMARY_COLUMNS),
    }
)


def is_count(column: str) -> bool:
    """Return whether a column of the observation table or the summary counts files of a type."""
    return column.startswith(("_", "."))


def check_columns(kind: TableKind, columns: Sequence[str]) -> None:
    """Raise UsageError for the first column that the table cannot have."""
    known = _KNOWN[kind]
    for column in columns:
        if column in known or (is_count(column) and kind is not TableKind.PRODUCTS):
            continue
        lowered = {name.lower(): name for name in known}
        close = get_close_matches(column.lower(), lowered, n=1)
        suggestion = f"Did you mean {lowered[close[0]]}? " if close else ""
        raise UsageError(
            f"{column!r} is no column of the {kind.value} table",
            hint=f"{suggestion}Known are {', '.join(sorted(known, key=str.lower))}.",
        )
