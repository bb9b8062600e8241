"""Which products a profile keeps, and why the rest is not: rules x products -> kept + (skipped, reason)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from jwstwatch.core.filetypes import matching_filetype, normalise_filetypes
from jwstwatch.core.instruments import normalise_detectors, normalise_instruments
from jwstwatch.core.model import ListingRow
from jwstwatch.core.naming import parse_obs_id
from jwstwatch.core.products import Product
from jwstwatch.core.ranges import IntRange

ARCHIVE_PREFIX = "mast:JWST/product/"
"""How the URI of a product in its proper place begins; of two URIs for one path it wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The selection parameters of a profile; without any, everything but guide-star files is kept.

    File types, detectors and instruments may be given as users write them and are normalised here.
    Raises ValueError for a detector or an instrument that does not exist.
    """

    proposals: Mapping[int, AbstractSet[int]] = field(default_factory=dict)
    """Proposal -> its observation numbers, none meaning all; no proposal meaning every one."""
    obsnums: AbstractSet[int] = frozenset()
    """Observation numbers wanted of every proposal that names none of its own; none meaning all."""
    filetypes: Sequence[str] = ()
    """Nothing means every type."""
    guidestars: bool = False
    guidestar_data_only: bool = False
    sca: AbstractSet[str] = frozenset()
    calib_levels: AbstractSet[int] = frozenset()
    obsid_select: IntRange | None = None
    obsid_list: AbstractSet[int] = frozenset()
    instruments: Sequence[str] = ()
    """Only for products whose name tells an instrument; guide-star files come with any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "filetypes", normalise_filetypes(self.filetypes))
        object.__setattr__(self, "sca", normalise_detectors(self.sca))
        object.__setattr__(self, "instruments", normalise_instruments(self.instruments))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a product is kept; `rule` is the parameter that decided, `reason` a sentence for the user."""

    kept: bool
    rule: str
    reason: str


KEPT = Verdict(True, "", "Every selection rule of the profile lets it pass.")


@dataclass(frozen=True, slots=True)
class Selection:
    """Products that are kept, and the others each with its verdict."""

    kept: tuple[Product, ...]
    skipped: tuple[tuple[Product, Verdict], ...]


def select(products: Iterable[Product], rules: Rules) -> Selection:
    """Judge every product, in their order."""
    kept: list[Product] = []
    skipped: list[tuple[Product, Verdict]] = []
    for product in products:
        verdict = judge(product, rules)
        if verdict.kept:
            kept.append(product)
        else:
            skipped.append((product, verdict))
    return Selection(tuple(kept), tuple(skipped))


def judge(product: Product, rules: Rules) -> Verdict:
    """Return whether the rules keep the product, else the first of them that does not."""
    for check in _CHECKS:
        if verdict := check(product, rules):
            return verdict
    return KEPT


def passing_rows(product: Product, rules: Rules) -> tuple[ListingRow, ...]:
    """Return the rows that fulfil calib_levels, obsid_select, obsid_list and sca, all at once."""
    rows = product.rows
    for rule in _row_rules(product, rules):
        rows = tuple(row for row in rows if rule.passes(row))
    return rows


def resolve_same_path(
    products: Iterable[Product], path: Callable[[Product], str] = lambda product: product.name
) -> Selection:
    """Keep one product per path (by default per file name): the one in its proper place in the archive.

    Of several the first in the order of the URIs; the order of `products` is kept and decides nothing.
    """
    rivals: dict[str, list[Product]] = defaultdict(list)
    listed = list(products)
    paths = [path(product) for product in listed]
    for place, product in zip(paths, listed, strict=True):
        rivals[place].append(product)
    winners = {place: min(claims, key=_claim) for place, claims in rivals.items()}
    kept = [product for place, product in zip(paths, listed, strict=True) if winners[place] is product]
    skipped = [
        (product, Verdict(False, "same_path", f"{winners[place].uri} leads to the same file {place}."))
        for place, product in zip(paths, listed, strict=True)
        if winners[place] is not product
    ]
    return Selection(tuple(kept), tuple(skipped))


def _claim(product: Product) -> tuple[bool, str]:
    return not product.uri.startswith(ARCHIVE_PREFIX), product.uri


def _judge_proposal(product: Product, rules: Rules) -> Verdict | None:
    if not rules.proposals or product.proposal in rules.proposals:
        return None
    wanted = _words(rules.proposals)
    if product.proposal is None:
        return Verdict(False, "propID", f"Its proposal is not known, and only {wanted} is asked for.")
    return Verdict(False, "propID", f"Its proposal {product.proposal} is not among propID: {wanted}.")


def _judge_observation_number(product: Product, rules: Rules) -> Verdict | None:
    own = rules.proposals.get(product.proposal, frozenset()) if product.proposal is not None else frozenset()
    wanted = own or rules.obsnums
    if not wanted or product.obsnum in wanted:
        return None
    rule = "propID" if own else "obsnums"
    if product.obsnum is not None:
        return Verdict(
            False, rule, f"Its observation number {product.obsnum} is not among {rule}: {_words(wanted)}."
        )
    # A pool belongs to every observation of its program: each row stands for one of them.
    stated = {parse_obs_id(row.obs_id).obsnum for row in product.rows} - {None}
    if stated & wanted:
        return None
    return Verdict(
        False, rule, f"It belongs to no single observation, and only {_words(wanted)} is asked for ({rule})."
    )


def _judge_guide_star(product: Product, rules: Rules) -> Verdict | None:
    if product.parsed.is_guide_star:
        if rules.guidestars or rules.guidestar_data_only:
            return None
        return Verdict(False, "guidestars", "It is a guide-star file, and guidestars is off.")
    if rules.guidestar_data_only:
        return Verdict(
            False, "guidestar_data_only", "It is no guide-star file, and guidestar_data_only is on."
        )
    return None


def _judge_filetype(product: Product, rules: Rules) -> Verdict | None:
    if not rules.filetypes or matching_filetype(product.name, rules.filetypes):
        return None
    wanted = ", ".join(rules.filetypes)
    return Verdict(False, "filetypes", f"Its file type {product.filetype} is not among filetypes: {wanted}.")


def _judge_instrument(product: Product, rules: Rules) -> Verdict | None:
    instrument = product.parsed.instrument
    if not rules.instruments or instrument in (None, *rules.instruments) or product.parsed.is_guide_star:
        return None
    return Verdict(
        False,
        "instrument",
        f"Its instrument {instrument} is not among instrument: {_words(rules.instruments)}.",
    )


def _judge_rows(product: Product, rules: Rules) -> Verdict | None:
    rows = product.rows
    for rule in _row_rules(product, rules):
        remaining = tuple(row for row in rows if rule.passes(row))
        if not remaining:
            return Verdict(False, rule.parameter, rule.refusal(rows))
        rows = remaining
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowRule:
    """A rule about the rows of a product: one value that a row states has to be wanted."""

    parameter: str
    fact: str
    stated: Callable[[ListingRow], Iterable[int | str | None]]
    wanted: Container[Any]

    def passes(self, row: ListingRow) -> bool:
        return any(value is not None and value in self.wanted for value in self.stated(row))

    def refusal(self, rows: Iterable[ListingRow]) -> str:
        """Say why none of the rows, which fulfil the rules before this one, is let pass."""
        stated = {value for row in rows for value in self.stated(row)} - {None}
        wanted = _words(self.wanted) if isinstance(self.wanted, AbstractSet) else str(self.wanted)
        if not stated:
            return f"It has no {self.fact}, and only {wanted} is asked for ({self.parameter})."
        return f"Its {self.fact} {_words(stated)} is not among {self.parameter}: {wanted}."


def _row_rules(product: Product, rules: Rules) -> list[_RowRule]:
    found: list[_RowRule] = []
    if rules.calib_levels:
        found.append(
            _RowRule(
                parameter="calib_levels",
                fact="calibration level",
                stated=lambda row: (row.calib_level,),
                wanted=rules.calib_levels,
            )
        )
    limits: tuple[tuple[str, AbstractSet[int] | IntRange | None], ...] = (
        ("obsid_select", rules.obsid_select),
        ("obsid_list", rules.obsid_list or None),
    )
    found += [
        _RowRule(
            parameter=parameter,
            fact="obsID or parent_obsid",
            stated=lambda row: (row.obsid, row.parent_obsid),
            wanted=wanted,
        )
        for parameter, wanted in limits
        if wanted is not None
    ]
    if rules.sca:
        found.append(
            _RowRule(
                parameter="sca",
                fact="detector",
                stated=lambda row: (product.parsed.detector or parse_obs_id(row.obs_id).detector,),
                wanted=rules.sca,
            )
        )
    return found


def _words(values: Iterable[Any], limit: int = 6) -> str:
    """Write values in a row for a sentence, the first few of many."""
    words = [str(value) for value in sorted(values)]
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")


_CHECKS = (
    _judge_proposal,
    _judge_observation_number,
    _judge_guide_star,
    _judge_filetype,
    _judge_instrument,
    _judge_rows,
)
