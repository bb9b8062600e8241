"""Asking MAST one question at a time: patience, stops, and the judgement of every answer."""

from __future__ import annotations

import functools
import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from jwstwatch.archive import session
from jwstwatch.archive.background import in_background
from jwstwatch.archive.clock import read_skew
from jwstwatch.archive.criteria import CONTINUOUS, DISCRETE
from jwstwatch.archive.listing import Listing, Table, join_pages
from jwstwatch.archive.pages import read_page
from jwstwatch.archive.replies import (
    CHECK_SERVER,
    PATIENCE,
    SHORT,
    SMALLER,
    Answer,
    PassingTroubleError,
    read_object,
)
from jwstwatch.archive.trouble import translate
from jwstwatch.errors import (
    ArchiveError,
    ArchiveTimeoutError,
    CancelledError,
    IncompleteListingError,
)

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 3
_FIRST_DELAY = 1.0
_FIRST_POLL, _LONGEST_POLL = 0.2, 3.0
"""Seconds between two looks at a question that the archive is still working on."""
_PIECE = 1 << 18
"""Bytes of an answer that are read at a time."""


@dataclass(slots=True, kw_only=True)
class Terms:
    """On which terms an archive is asked: the same for all its clients, which tell here what they learn."""

    server: str
    timeout: float
    """Seconds without an answer or a byte."""
    question_limit: float
    """Seconds for one question with all its pages."""
    pagesize: int
    stop: threading.Event | None
    sleep: Callable[[float], object]
    auth: session.TokenAuth = field(default_factory=lambda: session.TokenAuth(None), repr=False)
    secret: str | None = field(default=None, repr=False)
    """What no answer may show: the token, where it can be told from other text."""
    columns: session.Columns = field(default_factory=dict, repr=False)
    skew: timedelta | None = None
    """The archive's clock minus ours, by its latest answer."""
    limited: int = 0
    """How often the archive asked to be asked less."""


class Client:
    """One astroquery client; one thread at a time asks it."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._poll = _FIRST_POLL

    @functools.cached_property
    def astroquery(self) -> ObservationsClass:
        """The client itself; what it sends and gets is under our terms."""
        terms = self._terms
        return session.open_client(
            terms.server,
            timeout=terms.timeout,
            question_limit=terms.question_limit,
            auth=terms.auth,
            columns=terms.columns,
            read=self._read,
        )

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        client = self.__dict__.pop("astroquery", None)
        if client is not None:
            client._session.close()

    def whole_listing(self, ask: Callable[[], list[requests.Response]]) -> list[Table[Any]]:
        """Return the rows that answer a question, or raise `IncompleteListingError`."""
        listing = self._listing(ask, pagesize=self._terms.pagesize)
        if not listing.doubtful:
            return listing.tables
        # Pages cut elsewhere show the same rows if and only if nothing was cut off or moved.
        again = self._listing(ask, pagesize=max(1, self._terms.pagesize * 4 // 5))
        keys, keys_again = listing.keys(), again.keys()
        if keys_again != keys:
            raise IncompleteListingError(
                f"{self._terms.server} gave {len(keys)} and then {len(keys_again)} rows for one question",
                hint=SHORT,
            )
        return again.tables

    def _listing(self, ask: Callable[[], list[requests.Response]], *, pagesize: int) -> Listing:
        self.astroquery._portal_api_connection.PAGESIZE = pagesize
        pages = [response.json() for response in self.patiently(ask)]
        return join_pages(self._terms.server, pages, pagesize=pagesize)

    def patiently(self, ask: Callable[[], T]) -> T:
        """Ask up to three times where the trouble is of the kind that passes within seconds."""
        for attempt in range(1, TRIES):
            try:
                return self._once(ask)
            except PassingTroubleError as error:
                wanted = error.retry_after or 0.0
                if wanted > PATIENCE:
                    raise
                jitter = random.uniform(0.5, 1.5)  # noqa: S311  (spreads the load, guards nothing)
                delay = max(wanted, _FIRST_DELAY * 2 ** (attempt - 1) * jitter)
                log.info("%s; asking again in %.1f s", error.message, delay)
                self._pause(delay)
        return self._once(ask)

    def _once(self, ask: Callable[[], T]) -> T:
        self._check_stop()
        self._poll = _FIRST_POLL
        try:
            return ask() if self._terms.stop is None else self._watched(ask)
        except PassingTroubleError as error:
            self._terms.limited += error.limiting
            raise
        except TimeoutError as error:
            raise ArchiveTimeoutError(
                f"{self._terms.server} was still at work on this question after "
                f"{self._terms.question_limit:.0f} s",
                hint=SMALLER,
            ) from error
        except OSError as error:  # all that requests raises
            raise translate(error, server=self._terms.server, timeout=self._terms.timeout) from error

    def _watched(self, ask: Callable[[], T]) -> T:
        """Ask in a thread that is left behind upon a stop; its own time-outs end it soon after."""
        try:
            return in_background(ask, server=self._terms.server, stop=self._terms.stop)
        except CancelledError:
            # Its connections are still in that thread's hands.
            self.__dict__.pop("astroquery", None)
            raise

    def _read(self, response: requests.Response) -> Mapping[str, Any]:
        """Judge one answer before astroquery sees it."""
        # Before the body is read, which may take long.
        skew = read_skew(response.headers, received=datetime.now(UTC), took=response.elapsed)
        if skew is not None:
            self._terms.skew = skew
        # An answer has tens of megabytes: requests itself would read them in pieces of 10 kB.
        body = b"".join(response.iter_content(_PIECE))
        if self._terms.secret:
            # Whatever the server echoes, the token goes no further.
            body = body.replace(self._terms.secret.encode(), b"***")
        answer = Answer(
            server=self._terms.server,
            status=response.status_code,
            body=body,
            content_type=response.headers.get("Content-Type", ""),
            retry_after=response.headers.get("Retry-After", ""),
        )
        path = response.request.path_url.partition("?")[0]
        if path.endswith(session.COLUMNS):
            return self._check_columns(read_object(answer))
        if not path.endswith(session.INVOKE):
            return read_object(answer)
        service, page = session.asked_page(response.request)
        envelope = read_page(answer, service=service, page=page)
        if envelope["status"] == "EXECUTING":
            # astroquery would ask again at once.
            self._pause(self._poll)
            self._poll = min(self._poll * 1.5, _LONGEST_POLL)
        return envelope

    def _check_columns(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make sure that astroquery will build the filters that are meant: it skips what it cannot fit."""
        server = self._terms.server
        for name in CONTINUOUS | DISCRETE:
            column = columns.get(name)
            if not isinstance(column, dict):
                raise ArchiveError(f"{server} describes no column {name}", hint=CHECK_SERVER)
            number = column.get("vot.datatype", column.get("type")) in ("double", "float", "numeric")
            if (number or bool(column.get("treatNumeric"))) != (name in CONTINUOUS):
                raise ArchiveError(
                    f"{server} describes the column {name} in a way that this program does not know",
                    hint="A newer jwstwatch may know it.",
                )
        return columns

    def _pause(self, seconds: float) -> None:
        self._terms.sleep(seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._terms.stop is not None and self._terms.stop.is_set():
            raise CancelledError(f"Stopped while asking {self._terms.server}")
