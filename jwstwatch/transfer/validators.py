"""What the archive states of files that it need not send: ETag and Last-Modified, asked for politely."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.transfer.answers import is_web_page, judge_status, read_evidence, read_length
from jwstwatch.transfer.breaker import Breaker
from jwstwatch.transfer.budget import Budget
from jwstwatch.transfer.fetch import HEADERS
from jwstwatch.transfer.job import AbortedError, TransferError, TransferSettings

if TYPE_CHECKING:
    from jwstwatch.transfer.line import Body, Line

MOST_AT_ONCE = 4
"""Questions under way, however many connections there are: nobody waits for the answers."""

_HEAD_REFUSED = frozenset({400, 403, 405, 501})
"""What servers answer that know no HEAD, or whose signed addresses are good for a GET only."""
_GLANCE = 0.1
"""Seconds between two looks at the stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A file whose validators are asked for; `key` is what the caller knows it by."""

    key: int
    url: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """An answer: `evidence` as of a transfer (`etag`, `last_modified`), or why there is none."""

    question: Question
    evidence: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None


def ask_all(
    questions: Iterable[Question],
    *,
    settings: TransferSettings,
    token: str | None,
    stop: Event,
    budget: Budget | None = None,
    seconds: float,
) -> Generator[Stated, None, None]:
    """Yield what the archive states of each file, in the order of the answers; each is asked for once.

    It ends early, without an error, when `stop` is set (within about a second), when `seconds` have passed,
    where the archive fails file after file, and where it asks to come back later. Closing the generator ends
    every thread.
    """
    inquiry = _Inquiry(
        settings,
        budget=budget or Budget(settings.connections, settings.bandwidth),
        token=token,
        stop=stop,
        seconds=seconds,
    )
    try:
        yield from inquiry.work_off(iter(questions))
    finally:
        inquiry.dismiss()


class _Inquiry:
    """The workers of one `ask_all` and what they share."""

    def __init__(
        self, settings: TransferSettings, *, budget: Budget, token: str | None, stop: Event, seconds: float
    ) -> None:
        self._token = token
        self._stop = stop
        self._ends = time.monotonic() + seconds
        self._halt = Event()
        self._bandwidth = budget.bandwidth
        self._share = budget.join(halt=self._halt, timeout=settings.timeout)
        self._breaker = Breaker()
        self._sent_away = False
        self._only_get = False
        self._most = max(1, min(MOST_AT_ONCE, settings.connections))
        self._workers = ThreadPoolExecutor(self._most, thread_name_prefix="validators")
        self._under_way: set[Future[Stated | None]] = set()

    def work_off(self, questions: Iterator[Question]) -> Iterator[Stated]:
        """Yield answers until the questions or the reasons to go on run out."""
        more = True
        while more or self._under_way:
            more = more and not self._is_over
            while more and len(self._under_way) < self._room:
                question = next(questions, None)
                if question is None:
                    more = False
                else:
                    self._under_way.add(self._workers.submit(self._ask, question))
            done, self._under_way = wait(self._under_way, timeout=_GLANCE, return_when=FIRST_COMPLETED)
            self._listen()
            for answer in (ended.result() for ended in done):
                if answer is not None:
                    yield answer

    def dismiss(self) -> None:
        """End every thread, cutting what is under way."""
        self._halt.set()
        self._share.cut()
        while wait(self._under_way, timeout=_GLANCE).not_done:
            # Again and again: a connection may have come into being since.
            self._share.cut()
        self._workers.shutdown()
        self._share.leave()

    @property
    def _is_over(self) -> bool:
        late = time.monotonic() > self._ends
        return late or self._stop.is_set() or self._breaker.is_open or self._sent_away

    @property
    def _room(self) -> int:
        return self._most if self._breaker.warmed_up else 1

    def _listen(self) -> None:
        if self._stop.is_set():
            self._halt.set()
            self._share.cut()
        elif self._is_over:
            # Nobody is to wait for a line that another run has, only to find that all is over.
            self._share.close()
        for line in list(self._share.lent):
            line.cut_if_overdue()

    def _ask(self, question: Question) -> Stated | None:
        """Ask for one file in a worker; None where it was not asked for, or a stop cut it."""
        try:
            with self._share.line() as line:
                return None if self._is_over else self._answer(line, question)
        except AbortedError:
            return None

    def _answer(self, line: Line, question: Question) -> Stated:
        try:
            evidence = self._read(line, question)
        except TransferError as error:
            failure = error.failure
            if failure.kind is FailureKind.ARCHIVE:
                self._sent_away = self._sent_away or failure.retry_after is not None
                self._breaker.failed(question.key, failure, last=True)
            else:
                self._breaker.succeeded()
            return Stated(question=question, failure=failure)
        self._breaker.succeeded()
        return Stated(question=question, evidence=evidence)

    def _read(self, line: Line, question: Question) -> dict[str, str]:
        """Return what a HEAD says, or the beginning of a GET where HEAD is refused."""
        if not self._only_get:
            body = line.head(question.url, HEADERS, token=self._token)
            body.close()
            if body.status not in _HEAD_REFUSED:
                return _judge(body, question)
        body = line.get(question.url, {**HEADERS, "Range": "bytes=0-0"}, token=self._token)
        try:
            evidence = _judge(body, question)
            self._only_get = True
            if body.status == 206 and read_length(body.headers) == 1:
                # That byte costs less than another connection; of a whole file none is read.
                self._bandwidth.take(len(body.read(1)), sleep=self._halt.wait)
        finally:
            body.close()
        return evidence


def _judge(body: Body, question: Question) -> dict[str, str]:
    failure = judge_status(
        body.status, body.headers, name=question.name, server=body.server, now=datetime.now(UTC)
    )
    if failure is None and is_web_page(body.headers, b""):
        message = f"{body.server} sends a web page instead of {question.name}"
        failure = Failure(kind=FailureKind.ARCHIVE, message=message)
    if failure is not None:
        raise TransferError(failure)
    return read_evidence(body.headers)
