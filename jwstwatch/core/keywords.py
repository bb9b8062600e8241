"""What MAST's JWST file-keyword service tells of a file, and when it is asked again.

It is a bonus: it knows FITS files only, may lag behind the archive or not answer at all, and nothing that is
true of the archive's listing depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.evidence import Fact
from jwstwatch.core.instruments import INSTRUMENTS

GUIDE_STARS = "guidestar"
SERVICES: tuple[str, ...] = (*INSTRUMENTS, GUIDE_STARS)
"""The services: one for each instrument, and one for what guiding left behind."""

PREFIX = "keywords."
"""How the names of its facts begin."""
CHECKSUM = f"{PREFIX}checksum"
RECEIVED_MD5 = "http.md5"
"""The MD5 of what the archive sent, kept where a checksum was stated to compare it with."""

REST = timedelta(days=1)
"""After an answer, and after none; but new files are asked about before they are fetched."""
MARGIN = timedelta(days=2)
"""How far a question reaches back behind the last answer: what was ingested need not be told at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordRow:
    """What the service states of one file: MD5 in lower case, size in bytes, times as ISO with Z."""

    uri: str
    checksum: str | None = None
    size: int | None = None
    date: str | None = None
    """Of the header: when the pipeline wrote the file."""
    cal_ver: str | None = None
    crds_ctx: str | None = None
    ingested: str | None = None

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Return what is stated, by the names under which it is kept."""
        stated: Mapping[str, Fact | None] = {
            CHECKSUM: self.checksum,
            f"{PREFIX}size": self.size,
            f"{PREFIX}date": self.date,
            f"{PREFIX}cal_ver": self.cal_ver,
            f"{PREFIX}crds_ctx": self.crds_ctx,
            f"{PREFIX}ingested": self.ingested,
        }
        return {name: value for name, value in stated.items() if value is not None}


def believable_checksum(facts: Mapping[str, Fact | None]) -> str | None:
    """Return the MD5 that a transfer is to have; none where the archive has sent something else before."""
    stated, received = facts.get(CHECKSUM), facts.get(RECEIVED_MD5)
    if not isinstance(stated, str):
        return None
    return stated if received in (None, stated) else None


def caught_up(facts: Mapping[str, Fact | None], row: KeywordRow) -> bool:
    """True where the service, wrong until now, states the checksum of what the archive sends."""
    received = facts.get(RECEIVED_MD5)
    return received is not None and received == row.checksum and received != facts.get(CHECKSUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """When one service was asked about one proposal; None: never, or `failed_at`: it answered last time."""

    answered_at: datetime | None = None
    whole_at: datetime | None = None
    """The last answer without a lower limit."""
    failed_at: datetime | None = None


class Question(StrEnum):
    """What a service is asked about a proposal."""

    WHOLE = "whole"
    """Every file."""
    RECENT = "recent"
    """What was ingested since the last answer."""


def question(
    inquiry: Inquiry | None,
    *,
    now: datetime,
    recheck: timedelta,
    changed_at: datetime | None,
    full: bool = False,
) -> Question | None:
    """Return what is to be asked now, None for nothing.

    `changed_at` is the latest change among the files that are about to be fetched: their checksums are wanted
    before their bytes. After a failure nothing is asked for a day, whatever there is.
    """
    if inquiry is None:
        return Question.WHOLE
    if inquiry.failed_at is not None and not _is_older(inquiry.failed_at, REST, now):
        return None
    if full or inquiry.answered_at is None or inquiry.whole_at is None:
        return Question.WHOLE
    if _is_older(inquiry.whole_at, recheck, now):
        return Question.WHOLE
    if changed_at is not None and inquiry.answered_at < changed_at <= now + CLOCKS_DIFFER:
        return Question.WHOLE
    return Question.RECENT if _is_older(inquiry.answered_at, REST, now) else None


def _is_older(then: datetime, age: timedelta, now: datetime) -> bool:
    # What is yet to come was told by a clock that went wrong.
    return now - then >= age or then - now > CLOCKS_DIFFER
