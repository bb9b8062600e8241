"""From the body of an answer straight to what is read of its rows: the fast way, for the plain case.

`decode` returns None for an answer in which anything is odd; `pages` then reads it the long way, which
tolerates more. What the two can both read they read alike. Objects are made of those columns only that our
own types have, and what stands in many rows (a name, a description) is one object for all of them.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from jwstwatch.archive.listing import OBSERVATIONS, PRODUCTS, Table
from jwstwatch.archive.rows import ABSENT_NUMBER, Columns, Row, file_size, real_number, text, whole_number
from jwstwatch.core.model import ListingRow, Observation

R = TypeVar("R")

_Text = str | None
_Number = int | float | str | None

_BLOCK = 1 << 20
_EXACT = 2.0**53
"""From here on a whole number is not read as the real one is that equals it."""


class _Product(
    msgspec.Struct,
    gc=False,
    rename={
        "uri": "dataURI",
        "name": "productFilename",
        "obsid": "obsID",
        "proposal": "proposal_id",
        "product_type": "productType",
        "subgroup": "productSubGroupDescription",
        "data_rights": "dataRights",
    },
):
    """The columns of a product row, under the names that `ListingRow` gives them."""

    uri: _Text = None
    name: _Text = None
    obs_id: _Text = None
    obsid: _Number = None
    parent_obsid: _Number = None
    size: _Number = None
    proposal: _Number = None
    prvversion: _Text = None
    calib_level: _Number = None
    dataproduct_type: _Text = None
    type: _Text = None
    product_type: _Text = None
    subgroup: _Text = None
    description: _Text = None
    data_rights: _Text = None
    filters: _Text = None
    project: _Text = None


class _Observation(msgspec.Struct, gc=False, rename={"proposal": "proposal_id", "data_rights": "dataRights"}):
    """The columns of an observation row, under the names that `Observation` gives them."""

    obs_id: _Text = None
    obsid: _Number = None
    proposal: _Number = None
    instrument_name: _Text = None
    target_name: _Text = None
    filters: _Text = None
    dataproduct_type: _Text = None
    calib_level: _Number = None
    t_min: _Number = None
    t_max: _Number = None
    t_exptime: _Number = None
    t_obs_release: _Number = None
    data_rights: _Text = None
    proposal_pi: _Text = None
    obs_title: _Text = None
    s_ra: _Number = None
    s_dec: _Number = None


class _Envelope(msgspec.Struct, Generic[R]):
    status: str
    paging: msgspec.Raw
    data: list[R]


_DECODERS: Mapping[str, msgspec.json.Decoder[_Envelope[Any]]] = {
    PRODUCTS: msgspec.json.Decoder(_Envelope[_Product]),
    OBSERVATIONS: msgspec.json.Decoder(_Envelope[_Observation]),
}


def decode(body: bytes, service: str) -> tuple[object, Table[Any]] | None:
    """Return the `paging` and the rows of a COMPLETE answer of `service`; None where that takes more care."""
    decoder = _DECODERS.get(service)
    if decoder is None or not _is_utf8(body) or _may_hold_an_endless_number(body):
        return None
    try:
        envelope = decoder.decode(body)
        paging = json.loads(bytes(envelope.paging))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if envelope.status != "COMPLETE":
        return None
    if service == PRODUCTS:
        return paging, _ProductTable(envelope.data)
    return paging, _ObservationTable(envelope.data, body)


class _ProductTable:
    def __init__(self, rows: list[_Product]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self) -> frozenset[Hashable]:
        columns = (_column(self._rows, name) for name in ("uri", "obsid", "parent_obsid"))
        return frozenset(zip(*(map(str, column) for column in columns), strict=True))

    def read(self) -> list[ListingRow | None]:
        rows = self._rows
        uris, obsids = list(_texts(rows, "uri")), list(_whole(rows, "obsid"))
        if None in uris or None in obsids:
            places = _usable(uris, obsids)
            rows, uris, obsids = ([column[place] for place in places] for column in (rows, uris, obsids))
        return [*_listing_rows(rows, uris, obsids), *[None] * (len(self._rows) - len(rows))]


class _ObservationTable:
    def __init__(self, rows: list[_Observation], body: bytes) -> None:
        self._rows = rows
        self._body = body

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self) -> frozenset[Hashable]:
        return frozenset(map(str, _column(self._rows, "obsid")))

    def read(self) -> list[Observation | None]:
        rows = self._rows
        places = _usable(map(text, _column(rows, "obs_id")), map(whole_number, _column(rows, "obsid")))
        if len(places) < len(rows):
            rows = [rows[place] for place in places]
        late = _LateRows(self._body)
        return [*_observations(rows, late, places), *[None] * (len(self._rows) - len(rows))]


class _LateRows:
    """The rows of an answer as they came, decoded once somebody asks for one of them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._rows: Sequence[Row] | None = None

    def __getitem__(self, place: int) -> Row:
        # In this order: whoever finds no body finds the rows.
        body, rows = self._body, self._rows
        if rows is None:
            rows = self._rows = _load_rows(body)
            self._body = b""
        return rows[place] if place < len(rows) else {}


def _load_rows(body: bytes) -> Sequence[Row]:
    try:
        rows: Sequence[Row] = json.loads(body)["data"]
    except RecursionError:
        # Columns in columns so deep that it depends on who asks whether they can be decoded: of no use.
        return ()
    return rows


def _listing_rows(rows: Sequence[_Product], uris: list[str], obsids: list[int]) -> list[ListingRow]:
    names, parents = list(_texts(rows, "name")), list(_whole(rows, "parent_obsid"))
    if None in names:
        names = [name or uri.rsplit("/", 1)[-1] for name, uri in zip(names, uris, strict=True)]
    if None in parents:
        parents = [own if parent is None else parent for parent, own in zip(parents, obsids, strict=True)]
    columns: dict[str, Iterable[object]] = {
        "uri": uris,
        "name": names,
        "obs_id": _each_once(_name, rows, "obs_id"),
        "obsid": obsids,
        "parent_obsid": parents,
        "size": _each_once(file_size, rows, "size"),
        "proposal": _whole(rows, "proposal"),
        "calib_level": _whole(rows, "calib_level"),
    }
    columns |= {name: _texts(rows, name) for name in ListingRow._fields if name not in columns}
    # Without its `__new__`, which takes Python code for each row.
    in_order = zip(*(columns[name] for name in ListingRow._fields), strict=True)
    return list(map(tuple.__new__, repeat(ListingRow), in_order))


def _observations(rows: Sequence[_Observation], late: _LateRows, places: Sequence[int]) -> list[Observation]:
    columns: dict[str, Iterable[object]] = {
        "obs_id": map(text, _column(rows, "obs_id")),
        "obsid": map(whole_number, _column(rows, "obsid")),
        "proposal": _whole(rows, "proposal"),
        "calib_level": _whole(rows, "calib_level"),
        "columns": map(Columns, repeat(late), places),
    }
    columns |= {name: _reals(rows, name) for name in _REALS}
    others = (name for name in Observation.__dataclass_fields__ if name not in columns)
    columns |= {name: _texts(rows, name) for name in others}
    # A field of all at a time, without their `__init__`, which takes twice as long.
    made = list(map(Observation.__new__, repeat(Observation, len(rows))))
    for name, values in columns.items():
        deque(map(getattr(Observation, name).__set__, made, values), maxlen=0)
    return made


_REALS = ("t_min", "t_max", "t_exptime", "t_obs_release", "s_ra", "s_dec")


class _Once(dict[Any, Any]):
    """Reads every distinct value once, and hands out one object for it."""

    def __init__(self, read: Callable[[Any], object]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> object:
        found = self._read(value)
        if type(value) is str or value is None or -_EXACT < value < _EXACT:
            self[value] = found
        return found


def _column(rows: Sequence[object], name: str) -> Iterable[Any]:
    return map(attrgetter(name), rows)


def _each_once(read: Callable[[Any], object], rows: Sequence[object], name: str) -> Iterable[Any]:
    return map(_Once(read).__getitem__, _column(rows, name))


def _texts(rows: Sequence[object], name: str) -> Iterable[Any]:
    return _each_once(text, rows, name)


def _name(value: str | None) -> str:
    return text(value) or ""


def _whole(rows: Sequence[object], name: str) -> Iterable[Any]:
    return _each_once(whole_number, rows, name)


def _reals(rows: Sequence[object], name: str) -> Iterable[float | None]:
    # A float of JSON is finite: the decoder takes no other.
    return [
        value if type(value) is float and value != ABSENT_NUMBER else real_number(value)
        for value in _column(rows, name)
    ]


def _usable(*identities: Iterable[object]) -> Sequence[int]:
    """Return the places of the rows that have all that makes a row of use."""
    return [place for place, values in enumerate(zip(*identities, strict=True)) if None not in values]


def _is_utf8(body: bytes) -> bool:
    """Tell whether all of it is; the decoder looks only at what it reads."""
    if body.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _BLOCK):
            decoder.decode(body[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _may_hold_an_endless_number(body: bytes) -> bool:
    """Tell whether there may be one with more digits than Python reads, which the decoder would skip."""
    most = sys.get_int_max_str_digits()
    half = most // 2
    return most > 0 and any(
        body[max(0, at - half) : at].isdigit() or body[at : at + half].isdigit()
        for at in range(0, len(body), most)
    )
