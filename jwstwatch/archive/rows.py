"""From one row of CAOM JSON to our own types. The archive's ways of saying nothing all become None.

Sources: the field lists of `Mast.Caom.Filtered` and `Mast.Caom.Products`, and recorded rows.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from jwstwatch.core.model import ListingRow, Observation

log = logging.getLogger(__name__)

Row = Mapping[str, Any]

_ABSENT_TEXT = frozenset({"", "--", "null"})
_LONGEST_ABSENT = max(map(len, _ABSENT_TEXT))
ABSENT_NUMBER = -999.0
"""What the archive's own tables put where a number is missing; no column here has it as a value."""
_LARGEST = 2**63 - 1
_LARGEST_SIZE = 2**53
"""Bytes; sums of such sizes still fit a database."""
# What no database takes as text: NUL and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# astroquery's own tables leave it out as well.
_NO_COLUMN = "_selected_"
_DIGITS = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)


class Rows(Protocol):
    """The rows of an answer, by their places in it."""

    def __getitem__(self, place: int, /) -> Row: ...


class Columns(Mapping[str, object]):
    """Every column of the row at a place among `rows`; None where the archive says nothing.

    Few ask for any of them: a value is made plain when it is asked for.
    """

    __slots__ = ("_place", "_rows")

    def __init__(self, rows: Rows, place: int) -> None:
        self._rows = rows
        self._place = place

    def __getitem__(self, name: str) -> object:
        if name == _NO_COLUMN:
            raise KeyError(name)
        return plain(self._rows[self._place][name])

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._rows[self._place] if name != _NO_COLUMN)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_observations(rows: Iterable[Row]) -> list[Observation]:
    """Return one `Observation` for each `obs_id`; of several rows an executed and a newer one counts."""
    return choose_observations(map(read_observation, rows))


def read_listing(rows: Iterable[Row]) -> list[ListingRow]:
    """Return a `ListingRow` for every row that names a product."""
    return usable_products(map(read_listing_row, rows))


def choose_observations(entries: Iterable[Observation | None]) -> list[Observation]:
    """Return one for each `obs_id`, the executed and newer one of several; None is a row of no use."""
    chosen: dict[str, Observation] = {}
    unusable = 0
    for entry in entries:
        if entry is None:
            unusable += 1
            continue
        other = chosen.setdefault(entry.obs_id, entry)
        if other is not entry and _rank(entry) > _rank(other):
            chosen[entry.obs_id] = entry
    if unusable:
        log.warning("%d observations were listed without a name or a number and are left out", unusable)
    return list(chosen.values())


def usable_products(entries: Iterable[ListingRow | None]) -> list[ListingRow]:
    """Return what is not None, which is a row of no use."""
    listed = list(entries)
    usable = [entry for entry in listed if entry is not None]
    if len(usable) < len(listed):
        unusable = len(listed) - len(usable)
        log.warning("%d products were listed without an address or a number and are left out", unusable)
    return usable


def read_observation(row: Row) -> Observation | None:
    """Return the observation that a row is; None for one without a name or a number."""
    obs_id, obsid = text(row.get("obs_id")), whole_number(row.get("obsid"))
    if obs_id is None or obsid is None:
        return None
    return Observation(
        obs_id=obs_id,
        obsid=obsid,
        proposal=whole_number(row.get("proposal_id")),
        instrument_name=text(row.get("instrument_name")),
        target_name=text(row.get("target_name")),
        filters=text(row.get("filters")),
        dataproduct_type=text(row.get("dataproduct_type")),
        calib_level=whole_number(row.get("calib_level")),
        t_min=real_number(row.get("t_min")),
        t_max=real_number(row.get("t_max")),
        t_exptime=real_number(row.get("t_exptime")),
        t_obs_release=real_number(row.get("t_obs_release")),
        data_rights=text(row.get("dataRights")),
        proposal_pi=text(row.get("proposal_pi")),
        obs_title=text(row.get("obs_title")),
        s_ra=real_number(row.get("s_ra")),
        s_dec=real_number(row.get("s_dec")),
        columns=Columns((row,), 0),
    )


def read_listing_row(row: Row) -> ListingRow | None:
    """Return the listing row that a row is; None for one without an address or a number."""
    uri, obsid = text(row.get("dataURI")), whole_number(row.get("obsID"))
    if uri is None or obsid is None:
        return None
    parent = whole_number(row.get("parent_obsid"))
    name = text(row.get("productFilename")) or uri.rsplit("/", 1)[-1]
    return ListingRow(
        uri=uri,
        name=name,
        obs_id=text(row.get("obs_id")) or "",
        obsid=obsid,
        parent_obsid=obsid if parent is None else parent,
        size=file_size(row.get("size")),
        proposal=whole_number(row.get("proposal_id")),
        prvversion=text(row.get("prvversion")),
        calib_level=whole_number(row.get("calib_level")),
        dataproduct_type=text(row.get("dataproduct_type")),
        type=text(row.get("type")),
        product_type=text(row.get("productType")),
        subgroup=text(row.get("productSubGroupDescription")),
        description=text(row.get("description")),
        data_rights=text(row.get("dataRights")),
        filters=text(row.get("filters")),
        project=text(row.get("project")),
    )


def _rank(observation: Observation) -> tuple[bool, int]:
    return (not observation.planned, observation.obsid)


def text(value: object) -> str | None:
    """Return `value` as text, None where it says nothing."""
    # The plain case first: a listing asks this half a million times.
    if value is None:
        return None
    if type(value) is not str:
        if isinstance(value, (dict, list)):
            return None
        value = str(value)
    stripped = value.strip()
    if not stripped.isprintable():
        stripped = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", stripped)
    return None if len(stripped) <= _LONGEST_ABSENT and stripped.lower() in _ABSENT_TEXT else stripped


def whole_number(value: object) -> int | None:
    """Return `value` as a whole number, also from `254258482.0` and `"01345"`; None where it is none."""
    if value is None:
        return None
    if type(value) is int:
        return value if value != ABSENT_NUMBER and -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return whole_number(int(value))
    number = real_number(value)
    if number is None or not number.is_integer() or abs(number) > 2**53:
        return None
    return int(number)


def file_size(value: object) -> int | None:
    """Return `value` as a number of bytes; None where it is none."""
    size = whole_number(value)
    return size if size is not None and 0 <= size <= _LARGEST_SIZE else None


def real_number(value: object) -> float | None:
    """Return `value` as a finite number; None where it is none."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number != ABSENT_NUMBER else None


def plain(value: object) -> object:
    """Return a column's value as text, number or flag; None where it says nothing."""
    if value is None or isinstance(value, (str, bool)):
        return None if text(value) is None else value
    if isinstance(value, (int, float)):
        return value if real_number(value) is not None else None
    return json.dumps(value)
