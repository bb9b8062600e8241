"""MAST through the real astroquery client: questions, log-in, download addresses."""

from __future__ import annotations

import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests

from jwstwatch.archive import keywords, probing, session
from jwstwatch.archive.background import in_background
from jwstwatch.archive.clock import read_skew
from jwstwatch.archive.cloud import Cloud
from jwstwatch.archive.criteria import CONTINUOUS, DISCRETE, Criteria, questions
from jwstwatch.archive.listing import Key, Listing, Row, join_pages, observation_key, product_key
from jwstwatch.archive.protocol import LogIn, LogInStatus, Probe
from jwstwatch.archive.replies import (
    CHECK_SERVER,
    SHORT,
    SMALLER,
    Answer,
    PassingTroubleError,
    clean,
    read_envelope,
    read_object,
)
from jwstwatch.archive.rows import read_listing, read_observations
from jwstwatch.archive.trouble import translate
from jwstwatch.core.keywords import KeywordRow
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import (
    ArchiveError,
    ArchiveTimeoutError,
    AuthenticationError,
    CancelledError,
    IncompleteListingError,
)

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 3
PATIENCE = 30.0
"""Seconds that a Retry-After may ask for and still be honoured at once."""
QUESTION_LIMIT = 900.0
"""Seconds for one question with all its pages, however often the archive says that it is at work."""
KEYWORDS_LIMIT = 120.0
"""The same for the keyword services: a run that waits for one could fetch meanwhile."""
_FIRST_DELAY = 1.0
_WORTH_HIDING = 8
"""Characters from which a token can be told from other text."""
_FIRST_POLL, _LONGEST_POLL = 0.2, 3.0
"""Seconds between two looks at a question that the archive is still working on."""


class MastArchive:
    """MAST at `server`, asked through astroquery. One thread at a time.

    `timeout` is seconds without an answer or a byte. `token` is the token, a function that looks it up when
    somebody logs in, or None; until a log-in is accepted, requests are anonymous. `stop` ends any question
    at once, with `CancelledError`. `sleep` is how to wait between two requests, in seconds. `cloud` is the
    address of the public bucket, None where it is not to be used.
    """

    def __init__(
        self,
        server: str,
        *,
        timeout: float = 60.0,
        token: Callable[[], str | None] | str | None = None,
        pagesize: int = 50_000,
        question_limit: float = QUESTION_LIMIT,
        stop: threading.Event | None = None,
        sleep: Callable[[float], object] | None = None,
        cloud: str | None = None,
    ) -> None:
        self.server = server.rstrip("/")
        self._cloud = None if cloud is None else Cloud(self.server, cloud, timeout=timeout, stop=stop)
        self._timeout = timeout
        self._question_limit = question_limit
        self._token = token
        self._secret: str | None = None
        self._pagesize = pagesize
        self._stop = stop
        self._sleep = sleep or (time.sleep if stop is None else stop.wait)
        self._poll = _FIRST_POLL
        self._skew: timedelta | None = None

    def observations(self, query: ObservationQuery) -> list[Observation]:
        """Return the whole answer to `query`, one `Observation` for each `obs_id`."""
        rows: list[Row] = []
        for criteria in questions(query):
            rows += self._whole_listing(functools.partial(self._ask, criteria), key=observation_key)
        found = read_observations(rows)
        return found if query.planned else [observation for observation in found if not observation.planned]

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        """Return every listing row of the observations with these CAOM numbers."""
        wanted = [str(obsid) for obsid in dict.fromkeys(obsids)]
        if not wanted:
            return []
        ask = functools.partial(self._client.get_product_list_async, wanted)
        return read_listing(self._whole_listing(ask, key=product_key))

    def keywords(self, service: str, proposals: Sequence[int], since: float | None) -> list[KeywordRow]:
        """Return what a file-keyword service states of the FITS files of these proposals."""
        if not proposals:
            return []
        name = keywords.NAMES[service]
        ask = functools.partial(self._ask_keywords, name, keywords.parameters(proposals, since=since))
        return keywords.read_keywords(self._whole_listing(ask, key=keywords.keyword_key))

    def log_in(self) -> LogIn:
        """Ask the archive who we are with the token there is; a rejected one is not sent again."""
        token = (self._token() if callable(self._token) else self._token) or ""
        token = token.strip()
        self._secret = token if len(token) >= _WORTH_HIDING else None
        session.set_token(self._client, None)
        if not token:
            return LogIn(status=LogInStatus.ANONYMOUS)
        if not session.is_possible_token(token):
            return LogIn(status=LogInStatus.REJECTED)
        session.set_token(self._client, token)
        user = self._who_am_i()
        if user is None:
            session.set_token(self._client, None)
            return LogIn(status=LogInStatus.REJECTED)
        return LogIn(status=LogInStatus.ACCEPTED, user=user or None)

    def use_token(self, token: str | None) -> None:
        """Try this token, or none, at the next `log_in`."""
        self._token = token

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the archive's clock is ahead of ours, by its latest answer; None before one that says."""
        return self._skew

    def probe(self) -> Probe:
        """Ask one cheap question, once and for 15 s at most; raises only `CancelledError`."""
        found = probing.probe(self.server, timeout=self._timeout, stop=self._stop)
        self._note_clock(found.skew)
        return found

    def download_url(self, uri: str) -> str:
        """Return the address of the product whose data URI is `uri`."""
        return f"{self.server}{session.DOWNLOAD}?uri={quote(uri, safe=':/')}"

    def cloud_urls(self, uris: Sequence[str]) -> Mapping[str, str]:
        """Return the addresses in the cloud's bucket of those products that lie there."""
        return {} if self._cloud is None else self._cloud.urls(uris)

    def probe_cloud(self) -> Probe | None:
        """Ask the bucket whether it is there, once; None without one; raises only `CancelledError`."""
        return None if self._cloud is None else self._cloud.probe()

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        if self._cloud is not None:
            self._cloud.close()
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client._session.close()

    @functools.cached_property
    def _client(self) -> ObservationsClass:
        client = session.open_client(
            self.server, timeout=self._timeout, question_limit=self._question_limit, read=self._read
        )
        session.set_token(client, None)
        return client

    def _ask(self, criteria: Criteria) -> list[requests.Response]:
        # astroquery empties the lists it is given.
        copies = {name: list(values) for name, values in criteria.items()}
        responses: list[requests.Response] = self._client.query_criteria_async(**copies)
        return responses

    def _ask_keywords(self, service: str, parameters: Mapping[str, Any]) -> list[requests.Response]:
        portal = self._client._portal_api_connection
        # The filters are written out: the columns need not be asked for.
        portal._column_configs.setdefault(service, {})
        usual, portal.TIMEOUT = portal.TIMEOUT, min(portal.TIMEOUT, KEYWORDS_LIMIT)
        try:
            responses: list[requests.Response] = portal.service_request_async(service, dict(parameters))
        except TimeoutError as error:
            raise ArchiveTimeoutError(
                f"{self.server} was still at work on {service} after {portal.TIMEOUT:.0f} s", hint=SMALLER
            ) from error
        finally:
            portal.TIMEOUT = usual
        return responses

    def _who_am_i(self) -> str | None:
        """Return the user's name, empty where the archive gives none, None for a stranger."""
        try:
            info = self._patiently(self._client._auth_obj.session_info)
        except AuthenticationError:
            return None
        if info.get("anon") is not False:
            return None
        attributes = info.get("attrib")
        name = attributes.get("display_name") if isinstance(attributes, dict) else None
        return clean(name or info.get("ezid") or info.get("eppn") or "")

    def _whole_listing(self, ask: Callable[[], list[requests.Response]], *, key: Key) -> list[Row]:
        listing = self._listing(ask, pagesize=self._pagesize, key=key)
        if not listing.doubtful:
            return listing.rows
        # Pages cut elsewhere show the same rows if and only if nothing was cut off or moved.
        again = self._listing(ask, pagesize=max(1, self._pagesize * 4 // 5), key=key)
        if again.keys != listing.keys:
            raise IncompleteListingError(
                f"{self.server} gave {len(listing.keys)} and then {len(again.keys)} rows for one question",
                hint=SHORT,
            )
        return again.rows

    def _listing(self, ask: Callable[[], list[requests.Response]], *, pagesize: int, key: Key) -> Listing:
        self._client._portal_api_connection.PAGESIZE = pagesize
        pages = [response.json() for response in self._patiently(ask)]
        return join_pages(self.server, pages, pagesize=pagesize, key=key)

    def _patiently(self, ask: Callable[[], T]) -> T:
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
            return ask() if self._stop is None else self._watched(ask)
        except TimeoutError as error:
            raise ArchiveTimeoutError(
                f"{self.server} was still at work on this question after {self._question_limit:.0f} s",
                hint=SMALLER,
            ) from error
        except OSError as error:  # all that requests raises
            raise translate(error, server=self.server, timeout=self._timeout) from error

    def _watched(self, ask: Callable[[], T]) -> T:
        """Ask in a thread that is left behind upon a stop; its own time-outs end it soon after."""
        try:
            return in_background(ask, server=self.server, stop=self._stop)
        except CancelledError:
            # Its connections are still in that thread's hands.
            self.__dict__.pop("_client", None)
            raise

    def _read(self, response: requests.Response) -> Mapping[str, Any]:
        """Judge one answer before astroquery sees it."""
        # Before the body is read, which may take long.
        self._note_clock(read_skew(response.headers, received=datetime.now(UTC), took=response.elapsed))
        body = response.content
        if self._secret:
            # Whatever the server echoes, the token goes no further.
            body = body.replace(self._secret.encode(), b"***")
        answer = Answer(
            server=self.server,
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
        envelope = read_envelope(answer, page=session.asked_page(response.request))
        if envelope["status"] == "EXECUTING":
            # astroquery would ask again at once.
            self._pause(self._poll)
            self._poll = min(self._poll * 1.5, _LONGEST_POLL)
        return envelope

    def _check_columns(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make sure that astroquery will build the filters that are meant: it skips what it cannot fit."""
        for name in CONTINUOUS | DISCRETE:
            column = columns.get(name)
            if not isinstance(column, dict):
                raise ArchiveError(f"{self.server} describes no column {name}", hint=CHECK_SERVER)
            number = column.get("vot.datatype", column.get("type")) in ("double", "float", "numeric")
            if (number or bool(column.get("treatNumeric"))) != (name in CONTINUOUS):
                raise ArchiveError(
                    f"{self.server} describes the column {name} in a way that this program does not know",
                    hint="A newer jwstwatch may know it.",
                )
        return columns

    def _note_clock(self, skew: timedelta | None) -> None:
        if skew is not None:
            self._skew = skew

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise CancelledError(f"Stopped while asking {self.server}")
