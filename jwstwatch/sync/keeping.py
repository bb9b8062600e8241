"""What somebody who asks often how things stand keeps from one time to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from jwstwatch.sync.mounts import Mounts

T = TypeVar("T")

SLOW = 0.2
"""Seconds that an answer takes which is worth keeping."""
REST = 10.0
"""For how many times as long as it took an answer is good enough."""


class Kept:
    """Output folders that hang, and the answers of a large state: whoever watches costs a tenth at most."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.mounts = Mounts()
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Any]] = {}

    def answer(self, question: str, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, or returned of late where it takes long; `question` names it."""
        with self._lock:
            began = self._clock()
            good_until, answer = self._answers.get(question, (began, None))
            if began < good_until:
                kept: T = answer
                return kept
            found = ask()
            took = self._clock() - began
            self._answers[question] = (began + took * (1 + REST) if took > SLOW else began, found)
            return found
