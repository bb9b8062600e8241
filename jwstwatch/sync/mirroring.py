"""Which files may come from the cloud's public bucket, and what a copy from there has to prove.

The bucket may lag behind the archive after a reprocessing, and knows no revisions. So it is asked only for
files that are public, listed with a size, and neither replace a copy nor belong to a product that is known
to have changed; and a copy counts only if it has exactly the listed size and, as far as both state one, the
listed pipeline version. Everything else, and whatever the bucket lacks or fails at, the archive sends.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jwstwatch.core.products import Product
from jwstwatch.errors import ContentError
from jwstwatch.store.transfers import Claim
from jwstwatch.sync import judging
from jwstwatch.sync.context import Context
from jwstwatch.transfer.job import Mirror

AT_ONCE = 50
"""Files that are looked up together: one question to the archive, while the transfers go on."""


class Mirrors:
    """The mirrors of claimed files, looked up a few at a time as somebody comes to them, in their order."""

    def __init__(self, context: Context, profile: str, claims: Sequence[Claim]) -> None:
        self._context = context
        self._profile = profile
        prefer = context.mast.cloud == "prefer"
        self._waiting = [claim for claim in claims if prefer and _may_mirror(claim)]
        self._found: dict[int, Mirror] = {}

    def of(self, claim: Claim) -> Mirror | None:
        """Return the mirror of a file, None where the archive alone is to be asked."""
        if self._waiting and self._waiting[0] is claim:
            self._found = self._look_up(self._waiting[:AT_ONCE])
            del self._waiting[:AT_ONCE]
        return self._found.get(claim.file_id)

    def _look_up(self, claims: Sequence[Claim]) -> dict[int, Mirror]:
        urls = self._context.archive.cloud_urls(list(dict.fromkeys(claim.uri for claim in claims)))
        there = [claim for claim in claims if claim.uri in urls]
        if not there:
            return {}
        ids = {claim.product_id for claim in there}
        products = self._context.store.listings.wanted_products(self._profile, ids)
        found = {}
        for claim in there:
            if claim.product_id in products:
                product = replace(products[claim.product_id], size=claim.listed_size)
                accept = functools.partial(require_present_content, product)
                found[claim.file_id] = Mirror(url=urls[claim.uri], accept=accept)
        return found


def require_present_content(product: Product, path: Path, name: str) -> None:
    """Return if nothing tells the sound file at `path` from what is listed; raise `ContentError` if not."""
    header = judging.read_making(path, name)
    contradiction, _ = judging.compare(product, path.stat().st_size, header)
    if contradiction is not None:
        raise ContentError(f"the cloud's copy of {name} is not what the archive lists: {contradiction}")


def _may_mirror(claim: Claim) -> bool:
    return not claim.exclusive and claim.revision == 1 and not claim.replaces and bool(claim.listed_size)
