"""What the archive states about a product's content, and when that means the content changed.

Only a contradiction counts: a fact stated then and now, by the same service and (where the service is
CAOM) by the same listing row, that differs. A fact that appears, vanishes or is null proves nothing, so
neither the order of the rows, nor the subset of parents that happened to be asked, nor a service that
is silent today can make a file look changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jwstwatch.core.model import ListingRow

PairKey = tuple[int, int]
"""(parent_obsid, obsid): which listing row of a product it is."""

Fact = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What one listing row stated, and for which revision of the product it was recorded."""

    size: int | None
    prvversion: str | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One fact that differs from what the same source stated before."""

    fact: str
    before: Fact
    now: Fact

    def __str__(self) -> str:
        return f"{self.fact} was {self.before}, now {self.now}"


def is_own_row(row: ListingRow) -> bool:
    """True where the row's observation is the one the file is named after.

    Only there does `prvversion` speak of this file: in the other rows it is the version of the
    observation that lists it.
    """
    return row.name.startswith(row.obs_id + "_")


def listing_contradictions(
    known: Mapping[PairKey, PairFacts], rows: Iterable[ListingRow], *, revision: int
) -> tuple[Contradiction, ...]:
    """Compare the `rows` of one product with what the same rows stated for `revision`.

    Rows recorded for an older revision are no evidence (that change has been counted already), and a
    fact on which the rows of today disagree is not stated at all.
    """
    rows = list(rows)
    found = []
    for fact in ("size", "prvversion"):
        now = {_stated(row, fact) for row in rows} - {None}
        if len(now) != 1:
            continue
        (value,) = now
        before = sorted(
            stated
            for row in rows
            if _stated(row, fact) is not None
            and (stated := _recorded(known, row, fact, revision=revision)) is not None
            and stated != value
        )
        if before and value is not None:
            found.append(Contradiction(fact=f"caom.{fact}", before=before[0], now=value))
    return tuple(found)


def fact_contradictions(
    then: Mapping[str, Fact | None], now: Mapping[str, Fact | None]
) -> tuple[Contradiction, ...]:
    """Compare facts that belong to the product as a whole, keyed `service.fact`."""
    found = []
    for fact in sorted((then.keys() & now.keys()) - NO_EVIDENCE):
        before, after = then[fact], now[fact]
        if before is not None and after is not None and before != after:
            found.append(Contradiction(fact=fact, before=before, now=after))
    checksum = then.get("keywords.checksum")
    if checksum is not None and checksum == now.get("keywords.checksum"):
        # The bytes are the same, whatever else is written differently in that row.
        found = [entry for entry in found if not entry.fact.startswith("keywords.")]
    return tuple(found)


NO_EVIDENCE = frozenset({"keywords.ingested"})
"""Facts that may differ while the content is the same: told, never compared."""

_EXPLAINED_BY = {"caom.size": "keywords.size", "caom.prvversion": "keywords.cal_ver"}


def is_echo(former: Mapping[str, Fact | None], now: Mapping[str, Fact | None]) -> bool:
    """True where a service repeats what it stated of the `former` content: it lags behind another one.

    A checksum alone decides where there is one; else every fact has to be as it was.
    """
    for decisive in (("keywords.checksum",), sorted(now.keys() - NO_EVIDENCE)):
        pairs = [(former.get(fact), now.get(fact)) for fact in decisive]
        pairs = [(then, stated) for then, stated in pairs if then is not None and stated is not None]
        if pairs:
            return all(then == stated for then, stated in pairs)
    return False


def unexplained(
    found: Iterable[Contradiction],
    *,
    facts: Mapping[str, Fact | None],
    former_ended: str,
    copies: Collection[int] = (),
) -> tuple[Contradiction, ...]:
    """Return which of a listing's contradictions tell of a content that is not known yet.

    One is explained where the keyword service told of that change first (`former_ended` says why the former
    revision ended, `facts` what is stated of the present one), or another parent's list of the very same: the
    listing only catches up. A size is that of the `copies` of the present revision (bytes): the listing was
    wrong, and is put right.
    """
    by_keywords = "keywords." in former_ended
    told = former_ended.split("; ")
    return tuple(
        entry
        for entry in found
        if not (by_keywords and facts.get(_EXPLAINED_BY.get(entry.fact, "")) == entry.now)
        and str(entry) not in told
        and not (entry.fact == "caom.size" and entry.now in copies)
    )


def merge_facts(then: Mapping[str, Fact | None], now: Mapping[str, Fact | None]) -> dict[str, Fact]:
    """Return the facts known after `now` was heard; what it does not state stays as it was."""
    merged = {fact: value for fact, value in then.items() if value is not None}
    merged.update({fact: value for fact, value in now.items() if value is not None})
    return merged


def _stated(row: ListingRow, fact: str) -> Fact | None:
    if fact == "size":
        return row.size
    return row.prvversion if is_own_row(row) else None


def _recorded(known: Mapping[PairKey, PairFacts], row: ListingRow, fact: str, *, revision: int) -> Any:
    facts = known.get((row.parent_obsid, row.obsid))
    return getattr(facts, fact) if facts is not None and facts.revision == revision else None
