"""Who watches transfers."""

from __future__ import annotations

from typing import Protocol

from jwstwatch.transfer.job import Job


class Progress(Protocol):
    """Told by the transferring threads, several at once, what they do; must not block."""

    def started(self, job: Job, size: int | None) -> None:
        """An attempt begins that brings it to `size` bytes (None: not known), counted from nought."""
        ...

    def advanced(self, job: Job, count: int) -> None:
        """`count` more bytes are there; bytes that an earlier attempt left count first."""
        ...

    def finished(self, job: Job) -> None:
        """Nothing more comes for `job`, whatever became of it."""
        ...


class NoProgress:
    """Nobody watches."""

    def started(self, job: Job, size: int | None) -> None:
        """Ignore it."""

    def advanced(self, job: Job, count: int) -> None:
        """Ignore it."""

    def finished(self, job: Job) -> None:
        """Ignore it."""
