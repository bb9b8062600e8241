"""One attempt at one file: from a URL to a partial that is whole, checked and durable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.errors import ContentError
from jwstwatch.files import translate_storage_errors
from jwstwatch.transfer.answers import (
    is_web_page,
    judge_status,
    read_content_range,
    read_evidence,
    read_length,
    read_validator,
)
from jwstwatch.transfer.bandwidth import Bandwidth
from jwstwatch.transfer.job import AbortedError, Failed, Fetched, Job, TransferError
from jwstwatch.transfer.partial import Folders, Partial, Resumption
from jwstwatch.transfer.progress import Progress

if TYPE_CHECKING:
    from jwstwatch.transfer.line import Body, Line

Check = Callable[[Path, str], None]
"""Looks at the content of a path that is to have this name; raises `ContentError`."""

CRAWL = 1000.0
"""Bytes a second below which a transfer counts as stalled."""

HEADERS = {"Accept-Encoding": "identity", "User-Agent": "jwstwatch"}


OTHER_CHECKSUM = "the keyword service states another checksum"
"""What is noted of a file whose bytes came twice the same and are not those of its checksum."""


class OtherContentError(TransferError):
    """Inside this module: what came whole has not the checksum that is stated."""


class StaleError(Exception):
    """Inside this module: what was there does not fit what comes; start from nought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all attempts of a run share."""

    token: Callable[[], str | None]
    check: Check
    bandwidth: Bandwidth
    progress: Progress
    halt: threading.Event
    timeout: float
    received: Callable[[int], None]
    """Told of every byte that comes from the archive."""
    folders: Folders = field(default_factory=Folders)


class Attempt:
    """One attempt at `job`; `run` raises `StorageError` where the disk refuses, `AbortedError` on a stop."""

    def __init__(self, job: Job, *, line: Line, tools: Tools) -> None:
        self._job = job
        self._line = line
        self._tools = tools
        self.received = 0
        self.token: str | None = None
        """What was sent with it."""
        self._other_contents: set[str | None] = set()
        """MD5s of what came whole and is not what the job states."""
        self._came_twice: str | None = None
        """The one of them that came twice: it is what the archive has."""
        self._tried_again = False

    def run(self) -> Fetched | Failed:
        """Fetch the file; a partial that can go on later stays, every other is removed."""
        try:
            partial = Partial(self._job, self._tools.folders)
            resumption = partial.resumption()
            while True:
                try:
                    return self._transfer(partial, resumption)
                except StaleError:
                    # At most twice: for a partial that does not fit, and for a checksum that does not.
                    partial.discard()
                    resumption = None
        except TransferError as error:
            return Failed(job=self._job, failure=error.failure, received=self.received)

    def _transfer(self, partial: Partial, resumption: Resumption | None) -> Fetched:
        try:
            evidence = self._receive(partial, resumption)
            self._verify(partial)
            partial.finish()
        except (AbortedError, TransferError) as error:
            if isinstance(error, AbortedError) or error.failure.kind is not FailureKind.CONTENT:
                partial.leave()
                raise
            partial.discard()
            if resumption is not None or self._is_first_other_content(error):
                raise StaleError from error
            raise
        except BaseException:
            # The disk refused, or a fault of our own: nothing half-made stays open or lies about.
            partial.discard()
            raise
        return Fetched(
            job=self._job,
            part=partial.path,
            size=partial.size,
            sha256=partial.sha256,
            received=self.received,
            evidence=evidence | ({} if partial.md5 is None else {"md5": partial.md5}),
            note=self._note(partial.size),
        )

    def _receive(self, partial: Partial, resumption: Resumption | None) -> dict[str, str]:
        job = self._job
        headers = dict(HEADERS)
        if resumption is not None:
            headers["Range"] = f"bytes={resumption.offset}-"
            if resumption.validator is not None:
                headers["If-Range"] = resumption.validator
        self.token = self._tools.token() if job.authorised else None
        body = self._line.get(job.url, headers, token=self.token)
        try:
            total = self._open(partial, resumption, body)
            self._tools.progress.started(job, job.listed_size if total is None else total)
            self._tools.progress.advanced(job, partial.size)
            self._stream(partial, body)
            self._check_length(partial, body, total)
        finally:
            body.close()
        return read_evidence(body.headers)

    def _open(self, partial: Partial, resumption: Resumption | None, body: Body) -> int | None:
        """Prepare the partial for what `body` brings; return the bytes that the whole file will have."""
        if body.status == 416 and resumption is not None:
            if self._job.mirrored:
                raise self._lacks(f"{body.server} has less of {self._job.name} than is there already")
            raise StaleError
        failure = judge_status(
            body.status, body.headers, name=self._job.name, server=body.server, now=datetime.now(UTC)
        )
        if failure is not None:
            raise TransferError(failure)
        if is_web_page(body.headers, b""):
            raise self._web_page(body)
        if self._job.mirrored:
            self._require_listed_size(body)
        if body.status == 206:
            if resumption is None:
                raise self._archive(
                    f"{body.server} sends a piece of {self._job.name} where all was asked for"
                )
            return _continue(partial, resumption, body, validator=self._validator(body))
        total = None if body.encoded else read_length(body.headers)
        partial.begin(validator=None if body.encoded else self._validator(body), total=total)
        return total

    def _validator(self, body: Body) -> str | None:
        """Return what proves that the content is still the same; two services may well share a date."""
        validator = read_validator(body.headers)
        dated = validator is not None and not validator.startswith('"')
        return None if dated and self._job.mirrored else validator

    def _require_listed_size(self, body: Body) -> None:
        """Refuse a mirror's older copy before it is read, and before it costs a partial of the archive's."""
        if body.status == 206:
            _, _, length = read_content_range(body.headers) or (0, 0, None)
        else:
            length = None if body.encoded else read_length(body.headers)
        listed = self._job.listed_size
        if length not in (None, listed):
            raise self._lacks(f"{body.server} has {length} bytes of {self._job.name}, {listed} are listed")

    def _stream(self, partial: Partial, body: Body) -> None:
        tools = self._tools
        elapsed, arrived = 0.0, 0
        while True:
            began = time.monotonic()
            block = body.read(tools.bandwidth.read_size)
            elapsed += time.monotonic() - began
            if tools.halt.is_set():
                raise AbortedError
            if not block:
                return
            if partial.size == 0 and is_web_page({}, block[:200]):
                raise self._web_page(body)
            tools.received(len(block))
            self.received += len(block)
            arrived += len(block)
            partial.write(block)
            tools.progress.advanced(self._job, len(block))
            if elapsed >= tools.timeout:
                if arrived < CRAWL * elapsed:
                    raise self._archive(f"{body.server} sends {self._job.name} at less than 1 kB/s")
                elapsed, arrived = 0.0, 0
            tools.bandwidth.take(len(block), sleep=tools.halt.wait)

    def _check_length(self, partial: Partial, body: Body, total: int | None) -> None:
        listed = self._job.listed_size
        expected = total
        if total is None and not body.bounded and listed is not None and partial.size < listed:
            # Nothing but the listing tells where such a body ends.
            expected = listed
        if expected is not None and partial.size < expected:
            raise self._archive(
                f"{body.server} ended {self._job.name} after {partial.size} of {expected} bytes"
            )
        if (total is not None and partial.size > total) or body.runs_over():
            partial.discard()
            raise self._archive(f"{body.server} sent more bytes of {self._job.name} than it announced")
        if self._job.mirrored and partial.size != listed:
            # It did not say beforehand how much would come.
            partial.discard()
            raise self._lacks(f"{body.server} sent another number of bytes of {self._job.name} than listed")

    def _verify(self, partial: Partial) -> None:
        try:
            with translate_storage_errors(partial.folder):
                self._tools.check(partial.path, self._job.name)
        except ContentError as error:
            raise TransferError(Failure(kind=FailureKind.CONTENT, message=error.message)) from error
        except FileNotFoundError as error:
            message = f"the partial of {self._job.name} was removed while it was written"
            raise TransferError(Failure(kind=FailureKind.LOCAL, message=message)) from error
        self._compare_checksum(partial.md5)

    def _compare_checksum(self, received: str | None) -> None:
        """Refuse what has not the stated MD5, unless the archive sends the very same bytes once more.

        Damage on the way is never twice the same; a service that lags behind the archive is wrong every time.
        """
        stated = self._job.checksum
        if stated is None or received == stated.strip().lower():
            return
        if received in self._other_contents and not self._job.mirrored:
            self._came_twice = received
            return
        self._other_contents.add(received)
        message = f"{self._job.name} has not the checksum on record"
        raise OtherContentError(Failure(kind=FailureKind.CONTENT, message=message))

    def _is_first_other_content(self, error: TransferError) -> bool:
        """True where a checksum was not met for the first time: another whole transfer will tell why."""
        found = isinstance(error, OtherContentError) and not self._job.mirrored
        again, self._tried_again = found and not self._tried_again, self._tried_again or found
        return again

    def _note(self, size: int) -> str | None:
        listed = self._job.listed_size
        notes = []
        if listed is not None and listed != size:
            notes.append(f"the listing says {listed} bytes, the archive sends {size}")
        if self._came_twice is not None:
            notes.append(OTHER_CHECKSUM)
        return "; ".join(notes) or None

    def _web_page(self, body: Body) -> TransferError:
        return self._archive(f"{body.server} sends a web page instead of {self._job.name}")

    def _lacks(self, message: str) -> TransferError:
        return TransferError(Failure(kind=FailureKind.MISSING, message=message))

    def _archive(self, message: str) -> TransferError:
        return TransferError(Failure(kind=FailureKind.ARCHIVE, message=message))


def _continue(partial: Partial, resumption: Resumption, body: Body, *, validator: str | None) -> int:
    """Go on where the partial stopped if the 206 in `body` is the rest of the same content."""
    span = read_content_range(body.headers)
    if span is None or body.encoded:
        raise StaleError
    first, last, total = span
    totals = {length for length in (total, resumption.total) if length is not None}
    same = resumption.validator is None or validator == resumption.validator
    if not same or first != resumption.offset or len(totals) > 1:
        raise StaleError
    partial.resume(resumption)
    return totals.pop() if totals else last + 1
