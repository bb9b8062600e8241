"""astroquery's MAST client, made fit for a daemon: bounded waits, one server, no terminal, no cache folder.

Everything is set on the instance; astroquery's classes and its configuration stay as they are.
"""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

INVOKE = "/api/v0/invoke"
COLUMNS = "/portal/Mashup/Mashup.asmx/columnsconfig"
DOWNLOAD = "/api/v0.1/Download/file"
BUNDLE = "/api/v0.1/Download/bundle"
WHOAMI = "/whoami"

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, whatever the archive may take for its answer."""

_TOKEN = re.compile(r"[!-~]+")

Read = Callable[[Response], Mapping[str, Any]]


def open_client(server: str, *, timeout: float, question_limit: float, read: Read) -> ObservationsClass:
    """Return an astroquery client that asks `server` alone and hands every answer to `read` first.

    `timeout` is seconds without a byte; `question_limit` seconds for one question with all its pages.
    What `read` returns is what astroquery takes for the answer's JSON; what it raises ends the question.
    """
    client = _load_class()()
    portal = client._portal_api_connection
    portal.MAST_REQUEST_URL = server + INVOKE
    portal.COLUMNS_CONFIG_URL = server + COLUMNS
    portal.MAST_DOWNLOAD_URL = server + DOWNLOAD
    portal.MAST_BUNDLE_URL = server + BUNDLE
    portal.TIMEOUT = question_limit
    # The dictionary on the class is shared by all. Columns of product rows are of no use: not asked for.
    portal._column_configs = {client._caom_products: {}}
    client._auth_obj.SESSION_INFO_URL = server + WHOAMI
    session = client._session
    for scheme in ("http://", "https://"):
        session.mount(scheme, TimedAdapter(timeout))
    # In place of astroquery's own hook, which writes headers, and so the token, to its debug log.
    session.hooks["response"] = [_hook(read)]
    return client


def set_token(client: ObservationsClass, token: str | None) -> None:
    """Send `token` with every request of `client`, or none."""
    # An object in any case: without one, requests would look into the user's ~/.netrc.
    client._session.auth = TokenAuth(token)


def is_possible_token(token: str) -> bool:
    """Tell whether `token` can be sent at all: an HTTP library would quote another one in its error."""
    return bool(_TOKEN.fullmatch(token)) and not set(token) & set(';,"\\')


def asked_page(request: PreparedRequest) -> int:
    """Return the page that a Mashup request asks for."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    return int(json.loads(parse_qs(str(body))["request"][0])["page"])


class TokenAuth(AuthBase):
    """Puts the token on a request, the way MAST documents it and the way astroquery does it."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"token {self._token}"
            request.headers["Cookie"] = f"mast_token={self._token}"
        return request


class TimedAdapter(HTTPAdapter):
    """A transport that never waits for ever."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        super().__init__()

    def send(self, *arguments: Any, **options: Any) -> Response:
        """Send as requests does, with time-outs in seconds where the caller gives none."""
        if options.get("timeout") is None:
            options["timeout"] = (min(CONNECT_TIMEOUT, self._timeout), self._timeout)
        return super().send(*arguments, **options)


def _hook(read: Read) -> Callable[..., Response]:
    def judge(response: Response, *_: Any, **__: Any) -> Response:
        content = read(response)
        # astroquery decodes each answer to look at its status, and we for its rows: once is enough.
        response.json = lambda **_: content  # type: ignore[method-assign]
        return response

    return judge


def _load_class() -> type[ObservationsClass]:
    _ensure_home()
    with warnings.catch_warnings():
        # On import astropy warns on the terminal about folders for settings that we do not use.
        warnings.simplefilter("ignore")
        from astroquery.mast import ObservationsClass
    # The same upon every later look for them.
    warnings.filterwarnings("ignore", message="XDG_[A-Z]+_HOME is set to")
    log = logging.getLogger("astroquery")
    for handler in list(log.handlers):
        log.removeHandler(handler)
    log.setLevel(logging.WARNING)
    loaded: type[ObservationsClass] = ObservationsClass
    return loaded


def _ensure_home() -> None:
    """Give astropy a home to look for settings in, where the system knows none; nothing is written there."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull
