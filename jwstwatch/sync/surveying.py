"""What lies in a folder that somebody else filled, and what the archive lists under the same names."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.archive.batching import product_batches
from jwstwatch.archive.protocol import Archive
from jwstwatch.core import naming, products, selection
from jwstwatch.core.model import Observation
from jwstwatch.core.parameter_words import ProposalChoice
from jwstwatch.core.products import Product
from jwstwatch.core.query import ObservationQuery
from jwstwatch.disk.walking import Walked, walk
from jwstwatch.errors import CancelledError
from jwstwatch.sync.context import Reporter

_PROPOSALS_AT_ONCE = 10

_NOT_PRODUCTS = (
    *(".TN.jpg", ".QL.jpg", ".html"),
    *(".selprod.txt", ".obs.txt", ".summary.txt", ".products.txt", ".exposures.csv"),
)
"""What this program and jwst_mast_query make beside the archive's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Files with JWST names below `folder`, and what the archive lists of them, by file name.

    `others` counts the files that were left alone for their names or for their proposals.
    """

    folder: Path
    files: tuple[Walked, ...]
    others: int
    listed: Mapping[str, Product]
    observations: tuple[Observation, ...]


def survey(
    folder: Path,
    archive: Archive,
    *,
    choices: Collection[ProposalChoice],
    stop: threading.Event,
    report: Reporter,
) -> Survey:
    """Look through `folder` and ask the archive about every JWST name in it; nothing is read or changed.

    `choices` narrow it to proposals and their observation numbers. Raises what the archive raises.
    """
    report.step(f"looking through {folder}")
    wanted = {choice.proposal: frozenset(choice.obsnums) for choice in choices}
    files: list[Walked] = []
    proposals: set[int] = set()
    others = 0
    for found in walk(folder, unreadable=report.warned):
        _check_stop(stop)
        proposal = _proposal_of(found.name, wanted)
        if proposal is None:
            others += 1
        else:
            files.append(found)
            proposals.add(proposal)
    names = {found.name for found in files}
    listed, observations = _ask(archive, sorted(proposals), names, stop=stop, report=report)
    return Survey(
        folder=folder, files=tuple(files), others=others, listed=listed, observations=tuple(observations)
    )


def _proposal_of(name: str, wanted: Mapping[int, frozenset[int]]) -> int | None:
    """Return the proposal of a product's name; None for any other name, and where it is not asked for."""
    if name.endswith(_NOT_PRODUCTS):
        return None
    parsed = naming.parse(name)
    if parsed.proposal is None or not wanted:
        return parsed.proposal
    obsnums = wanted.get(parsed.proposal)
    if obsnums is None or (obsnums and parsed.obsnum not in obsnums):
        return None
    return parsed.proposal


def _ask(
    archive: Archive,
    proposals: Sequence[int],
    names: Collection[str],
    *,
    stop: threading.Event,
    report: Reporter,
) -> tuple[dict[str, Product], list[Observation]]:
    """Return what the archive lists under these names, and the observations concerned."""
    known: dict[int, Observation] = {}
    if proposals:
        report.step("asking for observations")
    for start in range(0, len(proposals), _PROPOSALS_AT_ONCE):
        query = ObservationQuery(proposals=tuple(proposals[start : start + _PROPOSALS_AT_ONCE]))
        known.update({observation.obsid: observation for observation in archive.observations(query)})
    rivals = _ask_for_products(archive, known, names, stop=stop, report=report)
    listed = {name: selection.resolve_same_path(found.values()).kept[0] for name, found in rivals.items()}
    rows = [row for product in listed.values() for row in product.rows]
    concerned = {number for row in rows for number in (row.obsid, row.parent_obsid)}
    return listed, [observation for obsid, observation in known.items() if obsid in concerned]


def _ask_for_products(
    archive: Archive,
    known: Mapping[int, Observation],
    names: Collection[str],
    *,
    stop: threading.Event,
    report: Reporter,
) -> dict[str, dict[str, Product]]:
    """Return the products with these names, by name and URI, as soon as each name has one."""
    obsids = _in_promising_order(known, names)
    if obsids:
        report.step("asking for products")
    found: dict[str, dict[str, Product]] = defaultdict(dict)
    missing = set(names)
    done = count = 0
    for batch, rows in product_batches(archive, obsids, stop=stop, at_once=1):
        for product in products.group(rows, known):
            if product.name in names:
                found[product.name].setdefault(product.uri, product)
                if product.uri.startswith(selection.ARCHIVE_PREFIX):
                    missing.discard(product.name)
        done += len(batch)
        count += len(rows)
        report.listed(observations=len(obsids), done=done if missing else len(obsids), products=count)
        if not missing:
            break
    return found


def _in_promising_order(known: Mapping[int, Observation], names: Collection[str]) -> list[int]:
    """Return the observations to ask about, those first that files are named after."""
    heads = {name.rpartition("_")[0] for name in names}
    return sorted(known, key=lambda obsid: known[obsid].obs_id not in heads)


def _check_stop(stop: threading.Event) -> None:
    if stop.is_set():
        raise CancelledError("stopped while looking through the folder", hint="Nothing was changed.")
