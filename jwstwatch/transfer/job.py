"""What is to be fetched, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jwstwatch.core.retrying import Failure
from jwstwatch.core.timetables import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Another service that may have the same content; see `transfer.mirror` for when it is asked."""

    url: str
    accept: Callable[[Path, str], None]
    """Looks at what came from there, beside the usual check; raises `ContentError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file to fetch; `target` is its final absolute path, `key` what the caller knows it by."""

    key: int
    url: str
    name: str
    target: Path
    revision: int = 1
    listed_size: int | None = None
    """Bytes, as the listing says; it may be wrong."""
    checksum: str | None = None
    """MD5 as 32 hexadecimal digits, where the archive states one."""
    authorised: bool = False
    """Send the token."""
    mirror: Mirror | None = None
    """Asked first, once and without the token."""
    mirrored: bool = False
    """`url` is a mirror's: only `listed_size` bytes will do, and only an ETag proves what a partial holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole, checked and durable partial, ready to be placed; sizes in bytes."""

    job: Job
    part: Path
    size: int
    sha256: str
    received: int
    """What came over the network for it, resumed bytes left out."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """`etag` and `last_modified`, as far as `service` states them."""
    service: str = "http"
    """Whose evidence that is: `http` is the archive, `s3` the mirror."""
    note: str | None = None
    """What is odd about it and yet no reason to refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job that did not succeed; nothing was changed at its target."""

    job: Job
    failure: Failure
    received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """How the archive is treated. Times in seconds; `bandwidth` in bytes a second is for all together."""

    connections: int = 6
    timeout: float = 60.0
    """Without an answer or a byte; also how long a transfer may crawl."""
    tries: int = 3
    bandwidth: Limit | float | None = None
    retry_delay: float = 1.0
    """Before the second try; it doubles, with jitter."""


class TransferError(Exception):
    """Inside this room: one attempt failed, and `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class AbortedError(Exception):
    """Inside this room: the transfer was cut because somebody asked to stop."""
