"""A query by itself: asked, grouped, selected and laid out, with nothing recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jwstwatch.archive.batching import product_batches
from jwstwatch.archive.protocol import Archive
from jwstwatch.config.settings import Profile
from jwstwatch.core import asking, layout, products, selection
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.planning import DiskKind
from jwstwatch.core.products import Product
from jwstwatch.disk.looking import look
from jwstwatch.errors import ConfigurationError, UnsafePathError
from jwstwatch.sync import rules
from jwstwatch.sync.context import Reporter
from jwstwatch.tables.columns import DownloadCode, LocalFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query found: observations, and the products that are kept, with where they (would) lie."""

    observations: tuple[Observation, ...]
    products: tuple[Product, ...]
    local: Mapping[str, LocalFile]

    @property
    def by_obsid(self) -> dict[int, Observation]:
        """The observations by their CAOM number."""
        return {observation.obsid: observation for observation in self.observations}


def require_anything(profile: Profile) -> None:
    """Refuse a query that nothing narrows (`ConfigurationError`): that is the whole archive."""
    parameters = profile.parameters
    if not parameters.propID and parameters.lookbacktime == 0 and not parameters.date_select:
        raise ConfigurationError(
            "the query asks for everything there is",
            hint="Narrow it with propID, lookbacktime or date_select.",
        )


def find(profile: Profile, archive: Archive, *, report: Reporter, now: datetime) -> Found:
    """Ask the archive what the profile's query finds now, from its floor, and select."""
    asked = asking.ask(rules.time_rules(profile), None, digest="", now=now)
    report.step("asking for observations")
    questions = rules.queries(profile.parameters, asked)
    observations = [observation for query in questions for observation in archive.observations(query)]
    rows = _ask_for_products(profile, archive, observations, report)
    listed = products.group(rows, {observation.obsid: observation for observation in observations})
    kept = selection.select(listed, rules.selection_rules(profile.parameters)).kept
    kept = selection.resolve_same_path(kept).kept
    return Found(observations=tuple(observations), products=kept, local=_local_files(profile, kept, report))


def _ask_for_products(
    profile: Profile, archive: Archive, observations: list[Observation], report: Reporter
) -> list[ListingRow]:
    obsids = [observation.obsid for observation in observations if not observation.planned]
    limit = rules.batch_limit(profile)
    rows: list[ListingRow] = []
    if obsids:
        report.step("asking for products")
    done = 0
    for batch, listed in product_batches(archive, obsids, limit=limit):
        rows += listed
        done += len(batch)
        report.listed(observations=len(obsids), done=done, products=len(rows))
    return rows


def _local_files(profile: Profile, kept: tuple[Product, ...], report: Reporter) -> dict[str, LocalFile]:
    root = rules.root_of(profile.parameters)
    layout_rules = rules.layout_rules(profile.parameters)
    paths: dict[str, str] = {}
    for product in kept:
        try:
            paths[product.uri] = layout.relative_path(product, layout_rules)
        except UnsafePathError as error:
            report.warned(f"{product.uri} cannot be stored: {error.message}")
    on_disk = {} if profile.parameters.skip_check_if_outfile_exists else look(root, paths.values())
    local = {}
    for product in kept:
        if product.uri in paths:
            found = on_disk.get(paths[product.uri])
            wrong = (
                found is not None
                and not profile.parameters.skip_check_filesize
                and product.size not in (None, found.size)
            )
            local[product.uri] = _local_file(
                root / paths[product.uri],
                there=found is not None and found.kind is DiskKind.FILE,
                wrong=wrong,
            )
    return local


def _local_file(path: Path, *, there: bool, wrong: bool) -> LocalFile:
    if not there:
        return LocalFile.of(str(path), DownloadCode.NOT_THERE)
    return LocalFile.of(str(path), DownloadCode.WRONG_SIZE if wrong else DownloadCode.EXISTS)
