"""Product questions in batches that fit what the archive can answer at the moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from jwstwatch.archive.protocol import Archive
from jwstwatch.core.model import ListingRow
from jwstwatch.errors import ArchiveTimeoutError, CancelledError

log = logging.getLogger(__name__)

FIRST = 5
"""Observations in one product question, as MAST advises."""
MOST = 500
ENOUGH_ROWS = 20_000
"""Listing rows after which a batch grows no further: memory follows the batch."""
QUICK, SLOW = 10.0, 30.0
"""Seconds: a batch grows after an answer that took less, and shrinks after one that took more."""

Batch = tuple[tuple[int, ...], list[ListingRow]]


def product_batches(
    archive: Archive,
    obsids: Sequence[int],
    *,
    first: int = FIRST,
    limit: int | None = None,
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Batch]:
    """Yield the observations of each batch with all their listing rows, every observation once.

    A batch that times out is asked again in halves, at last one observation alone, whose
    `ArchiveTimeoutError` goes to the caller; so does every other error at once. `limit` is the most
    observations in a question. `CancelledError` where `stop` is set between two questions.
    """
    waiting = list(dict.fromkeys(obsids))
    most = MOST if limit is None else max(1, limit)
    size = min(max(1, first), most)
    at = 0
    while at < len(waiting):
        if stop is not None and stop.is_set():
            raise CancelledError("Stopped while listing products")
        batch = tuple(waiting[at : at + size])
        began = clock()
        try:
            rows = archive.products(batch)
        except ArchiveTimeoutError:
            if len(batch) == 1:
                raise
            # What failed once in this listing is not tried again in it.
            size = most = len(batch) // 2
            log.info("a product question for %d observations timed out; asking for %d", len(batch), size)
            continue
        size = _next_size(size, rows=len(rows), seconds=clock() - began, most=most)
        at += len(batch)
        yield batch, rows


def _next_size(size: int, *, rows: int, seconds: float, most: int) -> int:
    if seconds > SLOW or rows > ENOUGH_ROWS:
        return max(1, size // 2)
    if seconds > QUICK or rows > ENOUGH_ROWS // 2:
        return size
    return min(size * 2, most)
