"""From products and observations to the rows of the three tables, chosen and sorted as the user asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from jwstwatch.core.filetypes import matching_filetype, normalise_filetypes
from jwstwatch.core.model import Observation
from jwstwatch.core.naming import parse_obs_id
from jwstwatch.core.products import Product
from jwstwatch.tables.columns import (
    OBSERVATION_COLUMNS,
    PRODUCT_COLUMNS,
    SUMMARY_COLUMNS,
    Cell,
    LocalFile,
    ObservationEntry,
    ProductEntry,
    SummaryEntry,
    TableKind,
    as_cell,
    check_columns,
    is_count,
)

Row = dict[str, Cell]
"""One row of a table, its columns in their order."""

SUMMARY_LAYOUT: Final = ("proposal_id", "obsnum", "date_start")
"""The columns of the summary before the counts are put in."""


def product_rows(
    products: Iterable[Product],
    observations: Mapping[int, Observation],
    local: Mapping[str, LocalFile],
    *,
    columns: Sequence[str],
    sort_by: Sequence[str] = (),
) -> list[Row]:
    """Return one row per product; `observations` is by obsid, `local` by URI, both may be partial.

    Raises UsageError for an unknown column.
    """
    check_columns(TableKind.PRODUCTS, (*columns, *sort_by))
    entries = [_product_entry(product, observations, local) for product in products]
    return _chosen(entries, PRODUCT_COLUMNS.__getitem__, columns=columns, sort_by=sort_by)


def observation_rows(
    observations: Iterable[Observation],
    products: Iterable[Product],
    *,
    columns: Sequence[str],
    sort_by: Sequence[str] = (),
) -> list[Row]:
    """Return one row per observation; a column such as `_uncal.fits` counts its files of that type.

    Raises UsageError for an unknown column.
    """
    check_columns(TableKind.OBSERVATIONS, (*columns, *sort_by))
    entries = _observation_entries(observations, products)
    return _chosen(entries, _observation_column, columns=columns, sort_by=sort_by)


def summary_rows(
    observations: Iterable[Observation],
    products: Iterable[Product],
    *,
    columns: Sequence[str] = SUMMARY_LAYOUT,
    sort_by: Sequence[str] = (),
) -> list[Row]:
    """Return one row per proposal and observation number; counts as in the observation table.

    Raises UsageError for an unknown column.
    """
    check_columns(TableKind.SUMMARY, (*columns, *sort_by))
    kept = list(products)
    known = {observation.obsid: observation for observation in observations}
    observed: dict[_Key, list[Observation]] = defaultdict(list)
    for entry in _observation_entries(known.values(), kept):
        observed[entry.observation.proposal, entry.obsnum].append(entry.observation)
    groups: dict[_Key, list[Product]] = {key: [] for key in observed}
    for product in kept:
        groups.setdefault((product.proposal, product.obsnum), []).append(product)
    entries = [
        SummaryEntry(
            proposal=key[0],
            obsnum=key[1],
            # Products may be listed only by an observation that spans several numbers and has none itself.
            observations=observed.get(key) or _listed_by(group, known),
            products=group,
        )
        for key, group in groups.items()
    ]
    return _chosen(entries, _summary_column, columns=columns, sort_by=sort_by)


def count_columns(products: Iterable[Product], filetypes: Iterable[str]) -> tuple[str, ...]:
    """Return the count columns for the selected file types.

    Where a whole ending (`jpg`) or everything is selected, each type among the products has its own column.
    """
    wanted = normalise_filetypes(filetypes) or ("",)
    present = sorted({product.filetype.lower() for product in products})
    counts: dict[str, None] = {}
    for filetype in wanted:
        if filetype.startswith("_"):
            counts[filetype] = None
        else:
            counts |= dict.fromkeys(kind for kind in present if kind.endswith(filetype) and is_count(kind))
    return tuple(counts)


def with_counts(columns: Sequence[str], counts: Iterable[str]) -> tuple[str, ...]:
    """Put the count columns that are not there yet into a table: before `date_start`, or at the end."""
    new = [count for count in counts if count not in columns]
    place = columns.index("date_start") if "date_start" in columns else len(columns)
    return (*columns[:place], *new, *columns[place:])


_Key = tuple[int | None, int | None]
_Entry = TypeVar("_Entry")


def _product_entry(
    product: Product, observations: Mapping[int, Observation], local: Mapping[str, LocalFile]
) -> ProductEntry:
    row = min(product.rows, key=lambda row: (row.obsid != row.parent_obsid, row.obsid, row.parent_obsid))
    return ProductEntry(
        product=product,
        row=row,
        observation=observations.get(row.obsid) or observations.get(row.parent_obsid),
        local=local.get(product.uri),
    )


def _observation_entries(
    observations: Iterable[Observation], products: Iterable[Product]
) -> list[ObservationEntry]:
    listed: dict[int, list[Product]] = defaultdict(list)
    for product in products:
        for obsid in {number for row in product.rows for number in (row.obsid, row.parent_obsid)}:
            listed[obsid].append(product)
    return [
        ObservationEntry(
            observation=observation,
            obsnum=_observation_number(observation, listed[observation.obsid]),
            products=listed[observation.obsid],
        )
        for observation in observations
    ]


def _listed_by(products: Iterable[Product], known: Mapping[int, Observation]) -> list[Observation]:
    obsids = {
        number for product in products for row in product.rows for number in (row.obsid, row.parent_obsid)
    }
    return [known[obsid] for obsid in sorted(obsids) if obsid in known]


def _observation_number(observation: Observation, products: Iterable[Product]) -> int | None:
    """Return the number in the `obs_id`, else the one that the observation's products agree on."""
    number = parse_obs_id(observation.obs_id).obsnum
    if number is not None:
        return number
    agreed = {product.obsnum for product in products if product.obsnum is not None}
    return agreed.pop() if len(agreed) == 1 else None


def _observation_column(column: str) -> Callable[[ObservationEntry], Cell]:
    if is_count(column):
        return lambda entry: _count(entry.products, column)
    return OBSERVATION_COLUMNS[column]


def _summary_column(column: str) -> Callable[[SummaryEntry], Cell]:
    if is_count(column):
        return lambda entry: _count(entry.products, column)
    return SUMMARY_COLUMNS[column]


def _count(products: Iterable[Product], filetype: str) -> int:
    return sum(matching_filetype(product.name, (filetype.lower(),)) is not None for product in products)


def _chosen(
    entries: Iterable[_Entry],
    compute: Callable[[str], Callable[[_Entry], Cell]],
    *,
    columns: Sequence[str],
    sort_by: Sequence[str],
) -> list[Row]:
    """Compute the columns of every entry and sort by `sort_by`, which need not be shown; unknown last."""
    functions = {column: compute(column) for column in dict.fromkeys((*sort_by, *columns))}
    rows = [{column: as_cell(value(entry)) for column, value in functions.items()} for entry in entries]
    rows.sort(key=lambda row: [_sort_key(row[column]) for column in sort_by])
    return [{column: row[column] for column in columns} for row in rows]


def _sort_key(value: Cell) -> tuple[int, float, str]:
    if value is None:
        return (2, 0.0, "")
    return (1, 0.0, value) if isinstance(value, str) else (0, value, "")
