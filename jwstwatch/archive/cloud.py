"""Where products lie in the cloud's public bucket: the archive tells their paths, the bucket has them.

Source: the `path_lookup` service as astroquery uses it; keys of public JWST data begin with `jwst/public/`.
The bucket is asked anonymously, with plain GET and HEAD requests.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import requests

from jwstwatch.archive import session
from jwstwatch.archive.background import in_background
from jwstwatch.archive.protocol import Probe
from jwstwatch.archive.replies import DOWN, Answer, clean, read_object
from jwstwatch.archive.trouble import translate
from jwstwatch.errors import ArchiveError, CancelledError

log = logging.getLogger(__name__)

PATH_LOOKUP = "/api/v0.1/path_lookup/"
AT_ONCE = 50
"""Products in one question: more would make its address too long."""
LONGEST = 15.0
"""Seconds for one question; a run that waits for it could fetch from the archive meanwhile."""
TROUBLES = 2
"""Questions without an answer after which no further one is asked."""

_MOST = 1 << 20
"""Bytes of an answer about so many products."""
_KEY = re.compile(r"/?(jwst/public(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+)", re.ASCII)
_LONGEST_KEY = 1024
_BLOCK = 1 << 16
_HEADERS = {"User-Agent": "jwstwatch", "Accept": "application/json"}


class Cloud:
    """The public `bucket` (an address) and the archive at `server` that knows what lies where in it.

    `timeout` is seconds without an answer; `stop` ends a question at once. One thread at a time asks.
    """

    def __init__(self, server: str, bucket: str, *, timeout: float, stop: threading.Event | None) -> None:
        self._server = server
        self._bucket = bucket.rstrip("/")
        self._patience = min(timeout, LONGEST)
        self._stop = stop
        self._troubles = 0
        self._client: requests.Session | None = None

    def urls(self, uris: Sequence[str]) -> dict[str, str]:
        """Return the address in the bucket of every product that has one; trouble means that none has.

        The first trouble is warned of; after the second nothing is asked any more.
        """
        found: dict[str, str] = {}
        for start in range(0, len(uris), AT_ONCE):
            if self._troubles >= TROUBLES or (self._stop is not None and self._stop.is_set()):
                break
            part = uris[start : start + AT_ONCE]
            try:
                keys = self._look_up(part)
            except CancelledError:
                break
            except ArchiveError as error:
                self._note(error)
                continue
            found |= {uri: f"{self._bucket}/{quote(key)}" for uri, key in keys.items()}
        return found

    def probe(self) -> Probe:
        """Ask the bucket whether it is there, once; raises only `CancelledError`."""
        try:
            status = in_background(
                self._ask_bucket, server=self._bucket, stop=self._stop, seconds=self._patience
            )
        except TimeoutError:
            return Probe(
                reachable=False, problem=f"{self._bucket} did not answer within {self._patience:g} s"
            )
        except requests.RequestException as error:
            trouble = translate(error, server=self._bucket, timeout=self._patience)
            return Probe(reachable=False, problem=trouble.message)
        # 403: not everybody may list what is in it.
        if status in (200, 403):
            return Probe(reachable=True)
        return Probe(reachable=False, problem=f"{self._bucket} is no bucket that can be read (HTTP {status})")

    def close(self) -> None:
        """Close the connection; the next question opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _note(self, error: ArchiveError) -> None:
        self._troubles += 1
        if self._troubles == 1:
            log.warning("what the cloud has could not be found out, the archive sends it: %s", error.message)
        else:
            log.info("what the cloud has is asked no more in this run: %s", error.message)

    def _look_up(self, uris: Sequence[str]) -> Mapping[str, str]:
        client = self._client = self._client or _open_session()
        try:
            answer = in_background(
                lambda: self._ask(client, uris), server=self._server, stop=self._stop, seconds=self._patience
            )
        except (CancelledError, TimeoutError) as error:
            # It is still in the hands of the thread that was left behind.
            self._client = None
            if isinstance(error, CancelledError):
                raise
            raise ArchiveError(f"{self._server} did not answer within {self._patience:g} s") from error
        except requests.RequestException as error:
            raise translate(error, server=self._server, timeout=self._patience) from error
        return read_keys(answer, uris)

    def _ask(self, client: requests.Session, uris: Sequence[str]) -> Answer:
        query = urlencode([("uri", uri) for uri in uris])
        with client.get(
            f"{self._server}{PATH_LOOKUP}?{query}",
            timeout=(min(session.CONNECT_TIMEOUT, self._patience), self._patience),
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(
                server=self._server,
                status=response.status_code,
                body=b"".join(_first_bytes(response)),
                content_type=response.headers.get("Content-Type", ""),
                retry_after=response.headers.get("Retry-After", ""),
            )

    def _ask_bucket(self) -> int:
        with _open_session() as client:
            timeouts = (min(session.CONNECT_TIMEOUT, self._patience), self._patience)
            return client.head(f"{self._bucket}/", timeout=timeouts, allow_redirects=False).status_code


def read_keys(answer: Answer, uris: Sequence[str]) -> dict[str, str]:
    """Return the key in the bucket of each of `uris` that has one; raises `ArchiveError` for no answer.

    A key that lies outside of the public JWST data, or under another file's name, is none.
    """
    content = _read_content(answer, uris)
    found = {}
    for uri in uris:
        entry = content.get(uri)
        path = entry.get("path") if isinstance(entry, dict) else None
        match = _KEY.fullmatch(path) if isinstance(path, str) and len(path) <= _LONGEST_KEY else None
        if match is not None and match[1].rpartition("/")[2] == uri.rpartition("/")[2]:
            found[uri] = match[1]
        elif path is not None:
            log.debug("no key in the bucket: %s", clean(path))
    return found


def _read_content(answer: Answer, uris: Sequence[str]) -> Mapping[str, Any]:
    if answer.status == 404:
        # That nothing was found may be an answer all the same.
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict) and any(uri in content for uri in uris):
            return content
    content = read_object(answer)
    if not any(uri in content for uri in uris):
        raise ArchiveError(f"{answer.server} answers something else than was asked for", hint=DOWN)
    return content


def _open_session() -> requests.Session:
    client = requests.Session()
    # An object in any case: without one, requests would look into the user's ~/.netrc.
    client.auth = session.TokenAuth(None)
    client.headers.update(_HEADERS)
    return client


def _first_bytes(response: requests.Response) -> Iterator[bytes]:
    """Yield the answer, cut where it is longer than any that is of use."""
    left = _MOST
    for block in response.iter_content(_BLOCK):
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return
