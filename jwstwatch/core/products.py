"""From the rows of a listing to products: one per data URI, whatever observations list it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jwstwatch.core.model import EXCLUSIVE, PLANNED, ListingRow, Observation
from jwstwatch.core.naming import ProductName, parse, parse_obs_id

_Stated = TypeVar("_Stated", int, str)
_Numbers = Mapping[int, frozenset[tuple[int | None, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One archived file with every row that lists it, in an order of their own. Size in bytes.

    `name` and `size` are what most of the distinct rows state, the largest of equally frequent ones: neither
    the order of the rows nor a stray one among them decides.
    """

    uri: str
    name: str
    parsed: ProductName
    rows: tuple[ListingRow, ...]
    proposal: int | None
    """From the name, else what most rows state, else that of the observations; None where nothing tells."""
    obsnum: int | None
    """From the name; else the one number that the rows' `obs_id` hold; else, where they hold none, the one
    that the other products of the same parent observations and proposal agree on; else None."""
    filetype: str
    size: int | None
    exclusive: bool
    """True where a row, or else its observation, says that the data are not public yet."""


def group(rows: Iterable[ListingRow], observations: Mapping[int, Observation]) -> list[Product]:
    """Return one product per URI, in the order of the URIs, from rows in any order.

    `observations` is by `obsid` and may be partial. Rows of planned observations are left out, as nothing of
    them exists yet. The product list of a parent observation has to be whole for its candidates' `obsnum`.
    """
    planned = {obsid for obsid, observation in observations.items() if observation.planned}
    by_uri: dict[str, set[ListingRow]] = defaultdict(set)
    for row in rows:
        if row.calib_level != PLANNED and row.obsid not in planned and row.parent_obsid not in planned:
            by_uri[row.uri].add(row)
    facts = _ObsIdFacts()
    drafts = [_draft(uri, _in_order(stated), observations) for uri, stated in sorted(by_uri.items())]
    numbers = _numbers_by_parent(drafts, facts)
    return [_finish(draft, _observation_number(draft, facts, numbers)) for draft in drafts]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A product before its observation number is known."""

    uri: str
    name: str
    parsed: ProductName
    rows: tuple[ListingRow, ...]
    proposal: int | None
    exclusive: bool


class _ObsIdFacts(dict[str, tuple[int | None, int | None]]):
    """Proposal and observation number of every `obs_id`, each read once: listings repeat them hundredfold."""

    def __missing__(self, obs_id: str) -> tuple[int | None, int | None]:
        parsed = parse_obs_id(obs_id)
        self[obs_id] = (parsed.proposal, parsed.obsnum)
        return self[obs_id]


def _in_order(rows: set[ListingRow]) -> tuple[ListingRow, ...]:
    pairs = {(row.obsid, row.parent_obsid) for row in rows}
    if len(pairs) == len(rows):
        return tuple(sorted(rows, key=lambda row: (row.obsid, row.parent_obsid)))
    # Rows that differ in other columns only: their text settles the order (slow, and rare).
    return tuple(sorted(rows, key=lambda row: (row.obsid, row.parent_obsid, repr(row))))


def _draft(uri: str, rows: tuple[ListingRow, ...], observations: Mapping[int, Observation]) -> _Draft:
    name = _most_stated([row.name for row in rows if row.name]) or uri.rsplit("/", 1)[-1]
    parsed = parse(name)
    proposal = parsed.proposal
    if proposal is None:
        proposal = _most_stated([row.proposal for row in rows if row.proposal is not None])
    own = [observations[row.obsid] for row in rows if row.obsid in observations]
    if proposal is None:
        proposal = _most_stated([found.proposal for found in own if found.proposal is not None])
    rights = {row.data_rights for row in rows} - {None} or {found.data_rights for found in own}
    return _Draft(
        uri=uri, name=name, parsed=parsed, rows=rows, proposal=proposal, exclusive=EXCLUSIVE in rights
    )


def _most_stated(values: Sequence[_Stated]) -> _Stated | None:
    distinct = set(values)
    if len(distinct) < 2:
        return next(iter(distinct), None)
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value))


def _numbers_by_parent(drafts: Sequence[_Draft], facts: _ObsIdFacts) -> _Numbers:
    """Return the (proposal, observation number) pairs that the products of each parent observation state."""
    numbers: dict[int, set[tuple[int | None, int]]] = defaultdict(set)
    for draft in drafts:
        for row in draft.rows:
            number = draft.parsed.obsnum if draft.parsed.obsnum is not None else facts[row.obs_id][1]
            if number is not None:
                numbers[row.parent_obsid].add((draft.proposal, number))
    return {parent: frozenset(pairs) for parent, pairs in numbers.items()}


def _observation_number(draft: _Draft, facts: _ObsIdFacts, numbers: _Numbers) -> int | None:
    if draft.parsed.obsnum is not None:
        return draft.parsed.obsnum
    stated = {facts[row.obs_id] for row in draft.rows}
    found = {number for proposal, number in stated if number is not None and proposal == draft.proposal}
    if not found:
        parents = {row.parent_obsid for row in draft.rows}
        siblings = {pair for parent in parents for pair in numbers.get(parent, ())}
        found = {number for proposal, number in siblings if proposal == draft.proposal}
    return found.pop() if len(found) == 1 else None


def _finish(draft: _Draft, obsnum: int | None) -> Product:
    return Product(
        uri=draft.uri,
        name=draft.name,
        parsed=draft.parsed,
        rows=draft.rows,
        proposal=draft.proposal,
        obsnum=obsnum,
        filetype=draft.parsed.filetype,
        size=_most_stated([row.size for row in draft.rows if row.size is not None]),
        exclusive=draft.exclusive,
    )
