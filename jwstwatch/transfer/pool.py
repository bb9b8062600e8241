"""Many files at once: workers that keep the connections busy while one thread claims and records."""

from __future__ import annotations

import functools
import logging
import queue
import random
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.errors import ArchiveError, StorageError
from jwstwatch.transfer.bandwidth import Bandwidth
from jwstwatch.transfer.breaker import Breaker
from jwstwatch.transfer.fetch import Attempt, Check, Tools
from jwstwatch.transfer.job import AbortedError, Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.progress import NoProgress, Progress

if TYPE_CHECKING:
    from jwstwatch.transfer.line import Line

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a Retry-After may ask for and still be waited for in place."""

_COLD = 4
"""Files under way until the archive has shown that it answers."""
_AHEAD = 8
"""Files claimed ahead for each connection, for the moments when the caller is busy recording."""
_GLANCE = 0.1
"""Seconds between two looks at the stop."""

Outcome = Fetched | Failed


def fetch_all(
    jobs: Iterator[Job],
    *,
    settings: TransferSettings,
    token: Callable[[], str | None],
    check: Check,
    stop: threading.Event,
    progress: Progress | None = None,
    idle: Callable[[], None] | None = None,
) -> Generator[Outcome, None, None]:
    """Yield what becomes of each job, in the order in which they end.

    Only the consuming thread calls `next(jobs)`, some jobs ahead of need, and `idle` when no job has ended
    for a moment; `token`, `check` and `progress` are called from the workers. When `stop` is set, transfers
    under way are cut within about a second, their partials stay, and the generator ends. Jobs that were taken
    and not yielded were not done.

    Raises `ArchiveError` where file after file fails for the archive's sake and `StorageError` where the disk
    refuses, both after the outcomes of what was under way. Closing the generator ends every thread.
    """
    crew = _Crew(settings, token=token, check=check, stop=stop, progress=progress or NoProgress())
    try:
        yield from crew.work_off(jobs, idle=idle or _do_nothing)
    finally:
        crew.dismiss()
    crew.raise_trouble()


def _do_nothing() -> None:
    """Let the moment pass."""


class _Crew:
    """The workers of one `fetch_all`, what they share, and the thread that listens for a stop."""

    def __init__(
        self,
        settings: TransferSettings,
        *,
        token: Callable[[], str | None],
        check: Check,
        stop: threading.Event,
        progress: Progress,
    ) -> None:
        from jwstwatch.transfer.line import Line, trusted_authorities

        self._settings = settings
        self._stop = stop
        self._halt = threading.Event()
        self._breaker = Breaker()
        self._storage_trouble: StorageError | None = None
        self._tools = Tools(
            token=token,
            check=check,
            bandwidth=Bandwidth(settings.bandwidth, sleep=self._halt.wait),
            progress=progress,
            halt=self._halt,
            timeout=settings.timeout,
            received=self._breaker.received,
        )
        # Reading them takes longer than a small file, and plain HTTP needs none.
        authorities = functools.cache(trusted_authorities)
        connections = max(1, settings.connections)
        self._lines = [
            Line(timeout=settings.timeout, halt=self._halt, authorities=authorities)
            for _ in range(connections)
        ]
        self._idle: queue.SimpleQueue[Line] = queue.SimpleQueue()
        for line in self._lines:
            self._idle.put(line)
        self._results: queue.SimpleQueue[Future[Outcome | None]] = queue.SimpleQueue()
        self._workers = ThreadPoolExecutor(connections, thread_name_prefix="transfer")
        self._dismissed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="transfer-stop", daemon=True)
        self._listener.start()

    def work_off(self, jobs: Iterator[Job], *, idle: Callable[[], None]) -> Iterator[Outcome]:
        """Yield outcomes until the jobs or the reasons to go on run out."""
        under_way = 0
        more = True
        while True:
            while more and under_way < self._room and not self._closing:
                job = next(jobs, None)
                if job is None:
                    more = False
                else:
                    self._workers.submit(self._work, job).add_done_callback(self._results.put)
                    under_way += 1
            if under_way == 0:
                return
            try:
                ended = self._results.get(timeout=_GLANCE)
            except queue.Empty:
                idle()
                continue
            under_way -= 1
            outcome = ended.result()
            if outcome is not None:
                yield outcome

    def dismiss(self) -> None:
        """End every thread, cutting what is under way."""
        self._halt.set()
        for line in self._lines:
            line.cut()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._dismissed.set()
        self._listener.join()
        for line in self._lines:
            line.close()

    def raise_trouble(self) -> None:
        """Raise what ended the work early, if something did."""
        if self._storage_trouble is not None:
            raise self._storage_trouble
        failure = self._breaker.opened_by
        if failure is not None:
            raise ArchiveError(
                f"File after file fails, most lately: {failure.message}",
                hint="The archive may be down; the next run goes on where this one stopped.",
            )

    @property
    def _closing(self) -> bool:
        return self._stop.is_set() or self._breaker.is_open or self._storage_trouble is not None

    @property
    def _room(self) -> int:
        connections = len(self._lines)
        return connections * _AHEAD if self._breaker.warmed_up else min(_COLD, connections)

    def _listen(self) -> None:
        while not self._dismissed.wait(_GLANCE):
            if self._stop.is_set():
                self._halt.set()
            if self._halt.is_set():
                # Again and again: a connection may have come into being since.
                for line in self._lines:
                    line.cut()

    def _work(self, job: Job) -> Outcome | None:
        """Do one job in a worker; None where it was not done, for a reason that ends the work."""
        if self._closing or self._halt.is_set():
            return None
        line = self._idle.get()
        try:
            return self._persist(job, line)
        except AbortedError:
            return None
        except StorageError as error:
            self._storage_trouble = self._storage_trouble or error
            return None
        finally:
            self._idle.put(line)
            self._tools.progress.finished(job)

    def _persist(self, job: Job, line: Line) -> Outcome:
        """Try a file again in place while only the archive is to blame and it pays."""
        received = 0
        tries = max(1, self._settings.tries)
        number = 1
        while True:
            attempt = Attempt(job, line=line, tools=self._tools)
            outcome = attempt.run()
            received += attempt.received
            outcome = replace(outcome, received=received)
            if isinstance(outcome, Fetched):
                self._breaker.succeeded()
                return outcome
            failure = outcome.failure
            if failure.kind is not FailureKind.ARCHIVE:
                if failure.kind is not FailureKind.LOCAL:
                    self._breaker.succeeded()
                return outcome
            wait = self._wait(failure, number)
            last = number >= tries or wait > PATIENCE
            self._breaker.failed(job.key, failure, last=last)
            if last or self._closing:
                return outcome
            log.info("%s; trying again in %.1f s", failure.message, wait)
            if self._halt.wait(wait):
                raise AbortedError
            number += 1

    def _wait(self, failure: Failure, number: int) -> float:
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  (spreads the load, guards nothing)
        delay: float = self._settings.retry_delay * 2 ** (number - 1) * jitter
        return max(failure.retry_after or 0.0, delay)
