"""One cheap question that tells whether an archive answers as an archive does; astroquery is not needed."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import requests

from jwstwatch.archive import session
from jwstwatch.archive.background import in_background
from jwstwatch.archive.clock import read_skew
from jwstwatch.archive.protocol import Probe
from jwstwatch.archive.replies import Answer, read_envelope
from jwstwatch.archive.trouble import translate
from jwstwatch.errors import (
    ArchiveError,
    AuthenticationError,
    IncompleteListingError,
    RejectedQueryError,
)

LONGEST = 15.0
"""Seconds for the whole question: an archive that needs more is of no use at the moment."""

_MOST = 1 << 20
"""Bytes of an answer to a question that has no rows."""

# It has an index to look in and nothing to find there: no observation has this number.
_QUESTION = {
    "service": "Mast.Caom.Products",
    "params": {"obsid": "0"},
    "format": "json",
    "page": 1,
    "pagesize": 1,
}


def probe(server: str, *, timeout: float, stop: threading.Event | None = None) -> Probe:
    """Ask `server` once, without a token; `timeout` in seconds is cut to `LONGEST`.

    Any answer in the archive's own words will do, also a refusal. Raises `CancelledError` once `stop` is set.
    """
    patience = min(timeout, LONGEST)
    try:
        answer, skew = in_background(
            lambda: _ask(server, patience), server=server, stop=stop, seconds=patience
        )
    except TimeoutError:
        return Probe(reachable=False, problem=f"{server} did not answer within {patience:g} s")
    except OSError as error:  # all that requests raises
        return Probe(reachable=False, problem=translate(error, server=server, timeout=patience).message)
    try:
        read_envelope(answer, page=1)
    except (AuthenticationError, IncompleteListingError, RejectedQueryError):
        return Probe(reachable=True, skew=skew)
    except ArchiveError as error:
        return Probe(reachable=False, problem=error.message, skew=skew)
    return Probe(reachable=True, skew=skew)


def _ask(server: str, patience: float) -> tuple[Answer, timedelta | None]:
    # Each question is another one, or a cache would answer for an archive that is down.
    question = json.dumps(_QUESTION | {"cacheBreaker": str(uuid.uuid4())})
    with requests.Session() as client:
        # An object in any case: without one, requests would look into the user's ~/.netrc.
        client.auth = session.TokenAuth(None)
        response = client.post(
            server + session.INVOKE,
            data={"request": question},
            headers={"User-Agent": "jwstwatch", "Accept": "text/plain"},
            timeout=(min(session.CONNECT_TIMEOUT, patience), patience),
            allow_redirects=False,
            stream=True,
        )
        skew = read_skew(response.headers, received=datetime.now(UTC), took=response.elapsed)
        answer = Answer(
            server=server,
            status=response.status_code,
            body=next(response.iter_content(_MOST), b""),
            content_type=response.headers.get("Content-Type", ""),
            retry_after=response.headers.get("Retry-After", ""),
        )
    return answer, skew
