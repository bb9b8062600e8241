"""What this program needs of an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from jwstwatch.core.keywords import KeywordRow
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.query import ObservationQuery


class LogInStatus(StrEnum):
    """What the archive made of the token."""

    ANONYMOUS = "anonymous"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """The outcome of a log-in; `user` is the name that the archive gives for an accepted token."""

    status: LogInStatus
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Whether the archive answers as an archive does, else what is wrong; `skew` as `Archive.clock_skew`."""

    reachable: bool
    problem: str | None = None
    skew: timedelta | None = None


class Archive(Protocol):
    """An archive of JWST data. Several threads may ask, each one question at a time.

    Who logs in, does so for all of them, and when none of them asks.

    Every question raises `ArchiveTimeoutError` where a smaller one may succeed, `RejectedQueryError` where
    the archive refuses the question itself, `AuthenticationError` where it refuses the token,
    `IncompleteListingError` where the answer cannot be shown to be whole, `CancelledError` where somebody
    asked the run to stop, and `ArchiveError` for any other trouble. No message holds the token.
    """

    def observations(self, query: ObservationQuery) -> list[Observation]:
        """Return the whole answer, one `Observation` for each `obs_id`, or raise."""
        ...

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        """Return every listing row of the observations with these CAOM numbers, or raise.

        A product is listed once for each observation that lists it; exact repetitions may be left in.
        """
        ...

    def keywords(self, service: str, proposals: Sequence[int], since: float | None) -> list[KeywordRow]:
        """Return what a file-keyword service (of `SERVICES`) states of every FITS file of these proposals.

        With `since` (MJD) only of what was ingested from then on, if the archive can tell.
        """
        ...

    def log_in(self) -> LogIn:
        """Try the token there is; a rejected one is not sent again, so public data can still be asked."""
        ...

    def use_token(self, token: str | None) -> None:
        """Try this token, or none, at the next `log_in`; until then nothing changes."""
        ...

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the archive's clock is ahead of ours, by its latest answer; None before one that says."""
        ...

    @property
    def limited(self) -> int:
        """How often the archive has asked to be asked less so far; one question at a time is right then."""
        ...

    def probe(self) -> Probe:
        """Ask one cheap question, once and impatiently: does the archive answer as an archive does?

        Raises `CancelledError` where somebody asked to stop, and nothing else. May be called from any thread.
        """
        ...

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        ...

    def download_url(self, uri: str) -> str:
        """Return the address of the product whose data URI is `uri`."""
        ...

    def cloud_urls(self, uris: Sequence[str]) -> Mapping[str, str]:
        """Return the addresses in the cloud's public bucket of those products that lie there.

        None have one where the configuration does not name the cloud; where the archive does not answer, or
        somebody asked to stop, it is as if none had. Raises nothing for trouble.
        """
        ...

    def probe_cloud(self) -> Probe | None:
        """Ask the bucket once whether it is there, as `probe` asks the archive; None where none is used."""
        ...
