"""MAST through the real astroquery client: questions, log-in, download addresses."""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import requests

from jwstwatch.archive import keywords, probing, session
from jwstwatch.archive.client import Client, Terms
from jwstwatch.archive.cloud import Cloud
from jwstwatch.archive.criteria import Criteria, questions
from jwstwatch.archive.listing import Table
from jwstwatch.archive.protocol import LogIn, LogInStatus, Probe
from jwstwatch.archive.replies import SMALLER, clean
from jwstwatch.archive.rows import choose_observations, usable_products
from jwstwatch.core.keywords import KeywordRow
from jwstwatch.core.model import ListingRow, Observation
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import ArchiveTimeoutError, AuthenticationError

QUESTION_LIMIT = 900.0
"""Seconds for one question with all its pages, however often the archive says that it is at work."""
KEYWORDS_LIMIT = 120.0
"""The same for the keyword services: a run that waits for one could fetch meanwhile."""
_WORTH_HIDING = 8
"""Characters from which a token can be told from other text."""


class MastArchive:
    """MAST at `server`, asked through astroquery; several threads may ask, each through a client of its own.

    `timeout` is seconds without an answer or a byte. `token` is the token, a function that looks it up when
    somebody logs in, or None; until a log-in is accepted, requests are anonymous. `stop` ends every question
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
        self._terms = Terms(
            server=self.server,
            timeout=timeout,
            question_limit=question_limit,
            pagesize=pagesize,
            stop=stop,
            sleep=sleep or (time.sleep if stop is None else stop.wait),
        )
        self._cloud = None if cloud is None else Cloud(self.server, cloud, timeout=timeout, stop=stop)
        self._token = token
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._closed = 0

    def observations(self, query: ObservationQuery) -> list[Observation]:
        """Return the whole answer to `query`, one `Observation` for each `obs_id`."""
        tables: list[Table[Any]] = []
        with self._client() as client:
            for criteria in questions(query):
                tables += client.whole_listing(functools.partial(_ask, client, criteria))
        found = choose_observations(_read(tables))
        return found if query.planned else [observation for observation in found if not observation.planned]

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        """Return every listing row of the observations with these CAOM numbers."""
        wanted = [str(obsid) for obsid in dict.fromkeys(obsids)]
        if not wanted:
            return []
        with self._client() as client:
            ask = functools.partial(client.astroquery.get_product_list_async, wanted)
            tables = client.whole_listing(ask)
        return usable_products(_read(tables))

    def keywords(self, service: str, proposals: Sequence[int], since: float | None) -> list[KeywordRow]:
        """Return what a file-keyword service states of the FITS files of these proposals."""
        if not proposals:
            return []
        name = keywords.NAMES[service]
        with self._client() as client:
            parameters = keywords.parameters(proposals, since=since)
            tables = client.whole_listing(functools.partial(_ask_keywords, client, name, parameters))
        return keywords.read_keywords(_read(tables))

    def log_in(self) -> LogIn:
        """Ask the archive who we are with the token there is; a rejected one is not sent again."""
        token = (self._token() if callable(self._token) else self._token) or ""
        token = token.strip()
        self._terms.secret = token if len(token) >= _WORTH_HIDING else None
        self._terms.auth.token = None
        if not token:
            return LogIn(status=LogInStatus.ANONYMOUS)
        if not session.is_possible_token(token):
            return LogIn(status=LogInStatus.REJECTED)
        self._terms.auth.token = token
        user = self._who_am_i()
        if user is None:
            self._terms.auth.token = None
            return LogIn(status=LogInStatus.REJECTED)
        return LogIn(status=LogInStatus.ACCEPTED, user=user or None)

    def use_token(self, token: str | None) -> None:
        """Try this token, or none, at the next `log_in`."""
        self._token = token

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the archive's clock is ahead of ours, by its latest answer; None before one that says."""
        return self._terms.skew

    @property
    def limited(self) -> int:
        """How often the archive asked to be asked less, so far."""
        return self._terms.limited

    def probe(self) -> Probe:
        """Ask one cheap question, once and for 15 s at most; raises only `CancelledError`."""
        found = probing.probe(self.server, timeout=self._terms.timeout, stop=self._terms.stop)
        if found.skew is not None:
            self._terms.skew = found.skew
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
        with self._lock:
            idle, self._idle = self._idle, []
            self._closed += 1
        for client in idle:
            client.close()

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """Lend a client to one question; the one given back last goes first, as its connection is open."""
        with self._lock:
            client = self._idle.pop() if self._idle else Client(self._terms)
            closed = self._closed
        try:
            yield client
        finally:
            with self._lock:
                kept = closed == self._closed
                if kept:
                    self._idle.append(client)
            if not kept:
                client.close()

    def _who_am_i(self) -> str | None:
        """Return the user's name, empty where the archive gives none, None for a stranger."""
        try:
            with self._client() as client:
                info = client.patiently(client.astroquery._auth_obj.session_info)
        except AuthenticationError:
            return None
        if info.get("anon") is not False:
            return None
        attributes = info.get("attrib")
        name = attributes.get("display_name") if isinstance(attributes, dict) else None
        return clean(name or info.get("ezid") or info.get("eppn") or "")


def _read(tables: list[Table[Any]]) -> Iterator[Any]:
    return itertools.chain.from_iterable(table.read() for table in tables)


def _ask(client: Client, criteria: Criteria) -> list[requests.Response]:
    # astroquery empties the lists it is given.
    copies = {name: list(values) for name, values in criteria.items()}
    responses: list[requests.Response] = client.astroquery.query_criteria_async(**copies)
    return responses


def _ask_keywords(client: Client, service: str, parameters: Mapping[str, Any]) -> list[requests.Response]:
    portal = client.astroquery._portal_api_connection
    # The filters are written out: the columns need not be asked for.
    portal._column_configs.setdefault(service, {})
    usual, portal.TIMEOUT = portal.TIMEOUT, min(portal.TIMEOUT, KEYWORDS_LIMIT)
    try:
        responses: list[requests.Response] = portal.service_request_async(service, dict(parameters))
    except TimeoutError as error:
        raise ArchiveTimeoutError(
            f"{portal.MAST_REQUEST_URL.removesuffix(session.INVOKE)} was still at work on {service} after "
            f"{portal.TIMEOUT:.0f} s",
            hint=SMALLER,
        ) from error
    finally:
        portal.TIMEOUT = usual
    return responses
