"""Waiting for a question in a thread of its own, so that a stop is heard whatever the network does."""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from jwstwatch.errors import CancelledError

T = TypeVar("T")

GLANCE = 0.1
"""Seconds between two looks at the stop."""


def start(ask: Callable[[], T]) -> Future[T]:
    """Begin `ask` in a thread of its own, with our context variables, that holds nobody up at the end."""
    asked: Future[T] = Future()

    def work() -> None:
        try:
            asked.set_result(ask())
        except BaseException as error:  # noqa: BLE001  (not handled here: handed over)
            asked.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="archive-question", daemon=True).start()
    return asked


def in_background(
    ask: Callable[[], T],
    *,
    server: str,
    stop: threading.Event | None = None,
    seconds: float | None = None,
) -> T:
    """Return what `ask` returns, or raise what it raises.

    Raises `CancelledError` once `stop` is set, `TimeoutError` after so many `seconds`; the thread is left
    behind then, and ends by time-outs of its own.
    """
    asked = start(ask)
    limit = math.inf if seconds is None else time.monotonic() + seconds
    while not wait([asked], timeout=min(GLANCE, max(0.0, limit - time.monotonic()))).done:
        if stop is not None and stop.is_set():
            raise CancelledError(f"Stopped while asking {server}")
        if time.monotonic() >= limit:
            raise TimeoutError
    return asked.result()
