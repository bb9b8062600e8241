"""A second service that may have the same files, such as the cloud's public bucket: asked first.

A file has one attempt there, in the worker that would ask the archive, which follows at once where the mirror
lacks the file, has another content or fails. What goes wrong there is held neither against the archive nor
against the file. The token never goes there. A partial that one of the two began is continued by the other
only where both state the same ETag.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.fetch import Attempt, Check, Tools
from jwstwatch.transfer.job import Failed, Fetched, Job, Mirror

if TYPE_CHECKING:
    from jwstwatch.transfer.line import Line

log = logging.getLogger(__name__)

SERVICE = "s3"
"""Whose evidence a mirror's is; it proves nothing against that of the archive."""
FAILURES_IN_A_ROW = 5
"""Files, whichever worker has them, after which a mirror that fails is asked no more."""

_NOT_ITS_FAULT = (FailureKind.MISSING, FailureKind.UNAUTHORISED, FailureKind.LOCAL)
"""A mirror that has not everything, or an older copy, is one that works; so is one that we cannot store."""


class Mirrors:
    """Asks the mirrors of jobs until they fail too often; all workers of a run share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row = 0

    @property
    def worth_asking(self) -> bool:
        """Tell whether they have not failed too often."""
        return self._row < FAILURES_IN_A_ROW

    def fetch(self, job: Job, mirror: Mirror, *, line: Line, tools: Tools) -> Fetched | Failed:
        """Fetch `job` from `mirror`, once; raises what an `Attempt` raises.

        Of the failures only one of kind `LOCAL` would be the same with the archive's copy.
        """
        there = replace(job, url=mirror.url, mirror=None, mirrored=True, authorised=False)
        check = _both(tools.check, mirror.accept)
        outcome = Attempt(there, line=line, tools=replace(tools, check=check)).run()
        self._note(outcome)
        if isinstance(outcome, Fetched):
            return replace(outcome, job=job, service=SERVICE)
        return replace(outcome, job=job)

    def _note(self, outcome: Fetched | Failed) -> None:
        """Count the mirror's own failures, and say once that they are too many."""
        if isinstance(outcome, Failed):
            log.info("%s; the archive is asked", outcome.failure.message)
            if outcome.failure.kind in _NOT_ITS_FAULT:
                return
        with self._lock:
            if self._row >= FAILURES_IN_A_ROW:
                return
            self._row = 0 if isinstance(outcome, Fetched) else self._row + 1
            too_many = self._row >= FAILURES_IN_A_ROW
        if too_many and isinstance(outcome, Failed):
            log.warning(
                "the cloud failed for %d files in a row, most lately: %s; this run asks it no more",
                FAILURES_IN_A_ROW,
                outcome.failure.message,
            )


def _both(usual: Check, accept: Check) -> Check:
    def check(path: Path, name: str) -> None:
        usual(path, name)
        accept(path, name)

    return check
