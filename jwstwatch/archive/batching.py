"""Product questions in batches that fit what the archive can answer at the moment, several at a time."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from jwstwatch.archive.background import GLANCE, start
from jwstwatch.archive.protocol import Archive
from jwstwatch.archive.replies import PATIENCE, PassingTroubleError
from jwstwatch.core.model import ListingRow
from jwstwatch.errors import ArchiveTimeoutError, CancelledError

log = logging.getLogger(__name__)

FIRST = 5
"""Observations in one product question, as MAST advises."""
MOST = 500
ENOUGH_ROWS = 10_000
"""Listing rows that a batch should not exceed: memory follows the batch."""
QUICK, SLOW = 10.0, 30.0
"""Seconds: batches grow after an answer that took less than the first, and shrink after the second."""
AT_ONCE = 4
"""Questions on their way at a time, as soon as the archive answers them quickly."""
AHEAD = 6
"""Batches on their way or answered that nobody has taken yet: memory follows them too."""
_FIRST_AT_ONCE = 2

Batch = tuple[tuple[int, ...], list[ListingRow]]
_Answered = tuple[list[ListingRow], float]


@dataclass(slots=True)
class Pace:
    """How many observations a question may hold: what a listing begins with, and in the end what worked."""

    size: int = FIRST


def product_batches(
    archive: Archive,
    obsids: Sequence[int],
    *,
    limit: int | None = None,
    stop: threading.Event | None = None,
    pace: Pace | None = None,
    at_once: int = AT_ONCE,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Batch]:
    """Yield the observations of each batch with all their listing rows: every observation once, in order.

    While the caller works on a batch, up to `at_once` questions for the next ones are on their way, each in a
    thread of its own. A batch that times out is asked again in smaller ones, and nothing else is asked twice;
    one observation that times out all by itself ends the listing, and so does any other error. What was
    answered by then is yielded before the error is raised. With one `at_once` nothing is asked ahead: the
    caller may have found enough. `limit` is the most observations in a question.
    Raises `CancelledError` as soon as `stop` is set.
    """
    most = MOST if limit is None else max(1, limit)
    questions = _Questions(archive, obsids, most=most, at_once=at_once, pace=pace or Pace(), clock=clock)
    while True:
        if stop is not None and stop.is_set():
            raise CancelledError("Stopped while listing products")
        batch = questions.take()
        if batch is None or at_once > 1:
            questions.ask_more()
        if batch is not None:
            yield batch
        elif not questions.wait():
            return


@dataclass(slots=True)
class _Question:
    """The observations from one place to another, and whether nothing else was asked meanwhile."""

    begin: int
    end: int
    alone: bool

    def __len__(self) -> int:
        return self.end - self.begin


class _Questions:
    """What is still to ask, what is on its way, and what was answered and is not taken yet."""

    def __init__(
        self,
        archive: Archive,
        obsids: Sequence[int],
        *,
        most: int,
        at_once: int,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._obsids = tuple(dict.fromkeys(obsids))
        self._clock = clock
        self._limited = archive.limited
        self._pace = pace
        self._most = most
        self._size = min(max(1, pace.size), most)
        self._most_at_once = at_once
        self._at_once = min(_FIRST_AT_ONCE, at_once)
        self._to_ask = [(0, len(self._obsids))] if self._obsids else []
        self._on_their_way: dict[Future[_Answered], _Question] = {}
        self._answered: list[tuple[int, int, list[ListingRow]]] = []
        self._taken = 0
        self._error: BaseException | None = None

    def take(self) -> Batch | None:
        """Return the next batch in order if it is there; after an error any that is, and then raise it."""
        ended = self._error is not None and not self._on_their_way
        if self._answered and (self._answered[0][0] == self._taken or ended):
            begin, self._taken, rows = heapq.heappop(self._answered)
            return self._obsids[begin : self._taken], rows
        if ended and self._error is not None:
            raise self._error
        return None

    def ask_more(self) -> None:
        """Ask as many questions as may be on their way now, the first observations first."""
        while self._to_ask and self._may_ask():
            begin, end = heapq.heappop(self._to_ask)
            question = _Question(begin, min(end, begin + self._size), alone=not self._on_their_way)
            if question.end < end:
                heapq.heappush(self._to_ask, (question.end, end))
            for other in self._on_their_way.values():
                other.alone = False
            self._on_their_way[start(self._asking(self._obsids[begin : question.end]))] = question

    def wait(self) -> bool:
        """Wait a moment for answers; returns whether any are still to come."""
        if not self._on_their_way:
            return False
        done = wait(self._on_their_way, timeout=GLANCE, return_when=FIRST_COMPLETED).done
        for answer in sorted(done, key=lambda answer: self._on_their_way[answer].begin):
            question = self._on_their_way.pop(answer)
            error = answer.exception()
            if error is None:
                self._hear(question, *answer.result())
            else:
                self._suffer(question, error)
        if self._archive.limited > self._limited:
            self._at_once = self._most_at_once = 1
        return True

    def _may_ask(self) -> bool:
        asked = len(self._on_their_way)
        return self._error is None and asked < self._at_once and asked + len(self._answered) < AHEAD

    def _asking(self, batch: tuple[int, ...]) -> Callable[[], _Answered]:
        def ask() -> _Answered:
            began = self._clock()
            return self._archive.products(batch), self._clock() - began

        return ask

    def _hear(self, question: _Question, rows: list[ListingRow], seconds: float) -> None:
        """Keep an answer, and let it tell how to go on."""
        heapq.heappush(self._answered, (question.begin, question.end, rows))
        count = len(question)
        fitting = count * ENOUGH_ROWS // max(1, len(rows))
        if seconds > SLOW:
            self._shrink(count // 2)
            self._at_once = max(1, self._at_once - 1)
        elif fitting < count:
            self._shrink(fitting)
        elif seconds <= QUICK:
            if count <= self._size:  # else it was asked before another answer said that it is too much
                self._size = max(self._size, min(count * 2, fitting, self._most))
                self._pace.size = max(self._pace.size, count)
            self._at_once = min(self._at_once + 1, self._most_at_once)

    def _suffer(self, question: _Question, error: BaseException) -> None:
        """Ask again where that may help, in smaller batches or with nothing else on its way."""
        count = len(question)
        if isinstance(error, ArchiveTimeoutError) and count > 1:
            # What failed once in this listing is not tried again in it.
            self._most = min(self._most, count // 2)
            self._shrink(self._most)
            log.info("a product question for %d observations timed out; asking for %d", count, self._size)
            if count <= FIRST:
                self._slow_down(self._most_at_once // 2)
        elif not question.alone and _means_too_much_at_once(error):
            self._slow_down(1)
        else:
            self._error = self._error or error
            return
        heapq.heappush(self._to_ask, (question.begin, question.end))

    def _shrink(self, size: int) -> None:
        self._size = min(self._size, max(1, size))
        self._pace.size = min(self._pace.size, self._size)

    def _slow_down(self, at_once: int) -> None:
        self._most_at_once = max(1, at_once)
        self._at_once = min(self._at_once, self._most_at_once)


def _means_too_much_at_once(error: BaseException) -> bool:
    if isinstance(error, PassingTroubleError):
        return error.limiting and (error.retry_after or 0.0) <= PATIENCE
    return isinstance(error, ArchiveTimeoutError)
