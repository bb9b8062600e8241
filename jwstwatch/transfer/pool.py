"""Many files at once: workers that keep the connections busy while one thread claims and records."""

from __future__ import annotations

import contextvars
import functools
import logging
import queue
import random
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.errors import ArchiveError, StorageError
from jwstwatch.transfer.breaker import CONVINCING, Breaker
from jwstwatch.transfer.budget import Budget
from jwstwatch.transfer.fetch import Attempt, Check, Tools
from jwstwatch.transfer.job import AbortedError, Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.mirror import Mirrors
from jwstwatch.transfer.partial import Folders
from jwstwatch.transfer.progress import NoProgress, Progress

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

Refused = Callable[[Job, str], bool]
"""Told which token the archive refused a file with; returns whether `token` has another one by now."""


def fetch_all(
    jobs: Iterator[Job],
    *,
    settings: TransferSettings,
    token: Callable[[], str | None],
    check: Check,
    stop: threading.Event,
    progress: Progress | None = None,
    idle: Callable[[], None] | None = None,
    budget: Budget | None = None,
    refused: Refused | None = None,
    folders: Folders | None = None,
) -> Generator[Outcome, None, None]:
    """Yield what becomes of each job, in the order in which they end.

    Only the consuming thread calls `next(jobs)`, some jobs ahead of need, and `idle` when no job has ended
    for a moment; `token`, `check`, `refused` and `progress` are called from the workers, in copies of the
    context in which the first outcome was asked for. A file that was refused is tried again at once where
    `refused` says so. With a `budget` the connections and the bandwidth are shared with whoever else has it,
    with `folders` what is known of them.

    When `stop` is set, transfers under way are cut within about a second, their partials stay, and the
    generator ends. Jobs that were taken and not yielded were not done.

    Raises `ArchiveError` where file after file fails for the archive's sake and `StorageError` where the disk
    refuses, both after the outcomes of what was under way. Closing the generator ends every thread.
    """
    crew = _Crew(
        settings,
        budget=budget or Budget(settings.connections, settings.bandwidth),
        token=token,
        refused=refused or _keep_token,
        check=check,
        stop=stop,
        progress=progress or NoProgress(),
        folders=folders or Folders(),
    )
    try:
        yield from crew.work_off(jobs, idle=idle or _do_nothing)
    finally:
        crew.dismiss()
    crew.raise_trouble()


def _do_nothing() -> None:
    """Let the moment pass."""


def _keep_token(_job: Job, _token: str) -> bool:
    """Know of no other token."""
    return False


class _Crew:
    """The workers of one `fetch_all`, what they share, and the thread that listens for a stop."""

    def __init__(
        self,
        settings: TransferSettings,
        *,
        budget: Budget,
        token: Callable[[], str | None],
        refused: Refused,
        check: Check,
        stop: threading.Event,
        progress: Progress,
        folders: Folders,
    ) -> None:
        self._settings = settings
        self._refused = refused
        self._stop = stop
        self._halt = threading.Event()
        self._breaker = Breaker()
        self._mirrors = Mirrors()
        self._storage_trouble: StorageError | None = None
        self._tools = Tools(
            token=token,
            check=check,
            bandwidth=budget.bandwidth,
            progress=progress,
            halt=self._halt,
            timeout=settings.timeout,
            received=self._breaker.received,
            folders=folders,
        )
        self._share = budget.join(halt=self._halt, timeout=settings.timeout)
        self._connections = max(1, settings.connections)
        # What the worker threads log is to carry the variables of the run.
        self._context = contextvars.copy_context()
        self._results: queue.SimpleQueue[Future[Outcome | None]] = queue.SimpleQueue()
        self._workers = ThreadPoolExecutor(self._connections, thread_name_prefix="transfer")
        self._dismissed = threading.Event()
        listen = functools.partial(self._context.copy().run, self._listen)
        self._listener = threading.Thread(target=listen, name="transfer-stop", daemon=True)
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
                    work = self._workers.submit(self._context.copy().run, self._work, job)
                    work.add_done_callback(self._results.put)
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
        self._share.cut()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._dismissed.set()
        self._listener.join()
        self._share.leave()

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
        return self._connections * _AHEAD if self._breaker.warmed_up else min(_COLD, self._connections)

    def _listen(self) -> None:
        while not self._dismissed.wait(_GLANCE):
            if self._stop.is_set():
                self._halt.set()
            if self._halt.is_set():
                # Again and again: a connection may have come into being since.
                self._share.cut()
            elif self._closing:
                # Nobody is to wait for a line that another run has, only to find that all is over.
                self._share.close()
            for line in list(self._share.lent):
                line.cut_if_overdue()

    def _work(self, job: Job) -> Outcome | None:
        """Do one job in a worker; None where it was not done, for a reason that ends the work."""
        if self._closing or self._halt.is_set():
            return None
        try:
            return self._persist(job)
        except AbortedError:
            return None
        except StorageError as error:
            self._storage_trouble = self._storage_trouble or error
            return None
        finally:
            self._tools.progress.finished(job)

    def _persist(self, job: Job) -> Outcome | None:
        """Ask the mirror, where the file has one, and then the archive."""
        there = self._ask_mirror(job)
        if isinstance(there, Fetched) or (there is not None and there.failure.kind is FailureKind.LOCAL):
            return there
        outcome = self._ask_archive(job)
        if outcome is None or there is None:
            return outcome
        return replace(outcome, received=there.received + outcome.received)

    def _ask_mirror(self, job: Job) -> Outcome | None:
        if job.mirror is None or not self._mirrors.worth_asking:
            return None
        with self._share.line() as line:
            if self._closing:
                raise AbortedError
            outcome = self._mirrors.fetch(job, job.mirror, line=line, tools=self._tools)
        if isinstance(outcome, Fetched):
            # All connections may be used; that the archive itself works is not shown by it.
            self._breaker.received(CONVINCING)
        return outcome

    def _ask_archive(self, job: Job) -> Outcome | None:
        """Try a file again in place while only the archive is to blame and it pays."""
        received, number = 0, 1
        outcome: Outcome | None = None
        while True:
            try:
                with self._share.line() as line:
                    if self._closing:
                        raise AbortedError
                    attempt = Attempt(job, line=line, tools=self._tools)
                    outcome = attempt.run()
            except AbortedError:
                if self._halt.is_set():
                    raise
                # Nothing more is begun; what the last try came to stands.
                return outcome
            received += attempt.received
            outcome = replace(outcome, received=received)
            if isinstance(outcome, Fetched):
                self._breaker.succeeded()
                return outcome
            failure = outcome.failure
            if failure.kind is FailureKind.ARCHIVE:
                if not self._may_try_again(job, failure, number):
                    return outcome
                number += 1
                continue
            if failure.kind is not FailureKind.LOCAL:
                self._breaker.succeeded()
            if not self._has_other_token(job, failure, attempt.token):
                return outcome
            outcome = None  # as if it had never been asked for

    def _may_try_again(self, job: Job, failure: Failure, number: int) -> bool:
        """Wait for the next try of a file after its try `number`; False where there is none to be."""
        wait = self._wait(failure, number)
        last = number >= max(1, self._settings.tries) or wait > PATIENCE
        self._breaker.failed(job.key, failure, last=last)
        if last or self._closing:
            return False
        log.info("%s; trying again in %.1f s", failure.message, wait)
        if self._halt.wait(wait):
            raise AbortedError
        return True

    def _has_other_token(self, job: Job, failure: Failure, token: str | None) -> bool:
        if failure.kind is not FailureKind.UNAUTHORISED or token is None:
            return False
        return self._refused(job, token)

    def _wait(self, failure: Failure, number: int) -> float:
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  (spreads the load, guards nothing)
        delay: float = self._settings.retry_delay * 2 ** (number - 1) * jitter
        return max(failure.retry_after or 0.0, delay)
