"""Whether a product list says what it said when it was judged last, to the same rules."""

from __future__ import annotations

import hashlib
import marshal
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import itemgetter

from jwstwatch.core.model import ListingRow, Observation

_IDENTITY = ("uri", "obsid")
_OTHERS = (name for name in ListingRow._fields if name not in (*_IDENTITY, "parent_obsid"))
_FACTS = itemgetter(*map(ListingRow._fields.index, (*_IDENTITY, *_OTHERS)))
_IN_ORDER = itemgetter(0, 1)
_STABLE = 0
"""The form of `marshal` whose bytes depend on the values alone, not on which objects are shared."""


def list_digests(
    obsids: Collection[int],
    rows: Iterable[ListingRow],
    known: Mapping[int, Observation],
    *,
    rules: str,
) -> dict[int, str]:
    """Return a digest of the whole product list of each observation (by `obsid`) that holds rows.

    Two are equal where the lists hold the same rows, in any order and however often repeated, what is `known`
    of the observations that they name says the same of the data, and `rules` is the same text. An empty list
    has none: it may only mean that the observation has another number.
    """
    lists: dict[int, list[ListingRow]] = defaultdict(list)
    for row in rows:
        lists[row.parent_obsid].append(row)
    return {obsid: _digest(lists[obsid], known, obsid, rules) for obsid in obsids if lists.get(obsid)}


def _digest(rows: list[ListingRow], known: Mapping[int, Observation], parent: int, rules: str) -> str:
    # Rows that differ only in other columns come in any order: then it is judged anew, which is never wrong.
    in_order = sorted(map(_FACTS, rows), key=_IN_ORDER)
    stated = [row for row, _ in groupby(in_order)]
    named = sorted({parent, *(row.obsid for row in rows)})
    told = [
        (obsid, known[obsid].planned, known[obsid].proposal, known[obsid].data_rights)
        for obsid in named
        if obsid in known
    ]
    return hashlib.sha256(marshal.dumps((rules, told, stated), _STABLE)).hexdigest()
