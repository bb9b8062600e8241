"""A run's signs of life, and its end where the state cannot be told of it at once."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from jwstwatch import logs
from jwstwatch.core.model import Outcome
from jwstwatch.errors import JwstwatchError
from jwstwatch.store.runs import Counts, RunRecord
from jwstwatch.sync import fetching
from jwstwatch.sync.context import Context

log = logging.getLogger(__name__)

HEARTBEAT = 30.0
"""Seconds between two signs of life; far below the lease of what a run has claimed."""


@contextlib.contextmanager
def heartbeat(context: Context, record: RunRecord) -> Iterator[None]:
    """Say every now and then that the run lives, so that nobody takes its claims away."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            try:
                now = context.now()
                context.store.runs.heartbeat(record.id, now=now, lease_until=now + fetching.LEASE)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next sign may get through
                log.warning("run %d could not say that it lives: %s", record.id, error)

    thread = threading.Thread(target=logs.carried(beat), name=f"heartbeat-{record.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def close_later(
    context: Context,
    record: RunRecord,
    outcome: Outcome,
    counts: Counts,
    error: JwstwatchError | None,
    *,
    pause: Callable[[float], object] = time.sleep,
) -> RunRecord:
    """Return how a run ended of which the state cannot be told now; it is told as soon as it can.

    Where the process ends first, the next one closes the run, as that of a process that was killed.
    """
    now = context.now()

    def close() -> None:
        while True:
            pause(HEARTBEAT)
            try:
                context.store.runs.finish(record, outcome, counts=counts, error=error, now=now)
            except Exception as again:  # noqa: BLE001 - a run that is never closed blocks its profile
                log.info("run %d cannot be closed yet: %s", record.id, again)
            else:
                return

    log.warning("run %d ended, and the state cannot be told of it; it is tried again", record.id)
    threading.Thread(target=logs.carried(close), name=f"closing-{record.id}", daemon=True).start()
    return replace(
        record,
        finished_at=now,
        outcome=outcome,
        counts=counts,
        error_kind=error.kind if error else None,
        error_message=error.message if error else None,
        error_hint=error.hint if error else None,
    )
