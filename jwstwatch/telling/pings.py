"""The heartbeat: a URL that is asked for after each good round, so that somebody misses us when we fail."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from base64 import b64encode
from concurrent.futures import Future
from http.client import HTTPException, HTTPMessage
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from jwstwatch import __version__
from jwstwatch.core.model import Outcome
from jwstwatch.errors import ConfigurationError

if TYPE_CHECKING:
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.telling.trouble import Troubles

CAUSE = "heartbeat"
TIMEOUT = 10.0
"""Seconds for the whole exchange."""


def is_good(record: RunRecord) -> bool:
    """Return whether a run left nothing undone but what is withheld."""
    if record.outcome is Outcome.COMPLETE:
        return True
    counts = record.counts
    undone = counts.failed or counts.waiting or record.error_kind is not None
    return record.outcome is Outcome.PARTIAL and not undone


class Heartbeat:
    """Asks for the URL; that it was not taken is noted until it is."""

    def __init__(self, url: str, troubles: Troubles, *, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            text = "heartbeat: must be a URL that begins with https:// or http://"
            raise ConfigurationError(text, hint="The service that watches us gives one.", problems=(text,))
        self._url = url
        self._host = parts.hostname
        self._troubles = troubles
        self._timeout = timeout

    def beat(self) -> None:
        """Ask once."""
        problem = self._ask_in_time()
        if problem is None:
            self._troubles.over(CAUSE)
        else:
            # The rest of the URL is a secret: whoever knows it can pretend to be us.
            self._troubles.note(CAUSE, f"the heartbeat did not reach {self._host}: {problem}", kind="message")

    def _ask_in_time(self) -> str | None:
        """Return what went wrong; a server that trickles must not hold anything up."""
        answer: Future[str | None] = Future()
        threading.Thread(
            target=lambda: answer.set_result(_ask(self._url, self._timeout)), name="heartbeat", daemon=True
        ).start()
        try:
            return answer.result(self._timeout)
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same scheme only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            fp.close()
            raise urllib.error.URLError("redirected to another scheme")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _ask(url: str, timeout: float) -> str | None:
    opener = urllib.request.OpenerDirector()  # knows http and https, and no other scheme
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SameScheme(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(_request(url), timeout=timeout) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return _plain(error.reason)
    except OSError as error:
        return _plain(error)
    except (HTTPException, ValueError) as error:
        return type(error).__name__
    return None


def _request(url: str) -> urllib.request.Request:
    """Return the request; a name and password in the URL go where a server looks for them."""
    parts = urlsplit(url)
    headers = {"User-Agent": f"jwstwatch/{__version__}"}
    whose, _, where = parts.netloc.rpartition("@")
    if whose:
        headers["Authorization"] = f"Basic {b64encode(unquote(whose).encode()).decode()}"
    return urllib.request.Request(parts._replace(netloc=where).geturl(), headers=headers)  # noqa: S310


def _plain(reason: object) -> str:
    """Return why, without what might repeat the URL."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError):
        return reason.strerror or type(reason).__name__
    return reason if reason == "redirected to another scheme" else "no connection"
