"""astroquery's MAST client, made fit for a daemon: bounded waits, one server, no terminal, no cache folder.

Everything is set on the instance; astroquery's classes and its configuration stay as they are.
"""

from __future__ import annotations

import functools
import importlib
import json
import logging
import os
import re
import sys
import threading
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
    from astroquery.mast.discovery_portal import PortalAPI

INVOKE = "/api/v0/invoke"
COLUMNS = "/portal/Mashup/Mashup.asmx/columnsconfig"
DOWNLOAD = "/api/v0.1/Download/file"
BUNDLE = "/api/v0.1/Download/bundle"
WHOAMI = "/whoami"

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, whatever the archive may take for its answer."""

_TOKEN = re.compile(r"[!-~]+")
_LOADING = threading.Lock()

Read = Callable[[Response], Mapping[str, Any]]


Columns = dict[str, Mapping[str, Any]]
"""What an archive says about the columns of its services, by service."""


def open_client(
    server: str, *, timeout: float, question_limit: float, auth: AuthBase, columns: Columns, read: Read
) -> ObservationsClass:
    """Return an astroquery client that asks `server` alone and hands every answer to `read` first.

    `timeout` is seconds without a byte; `question_limit` seconds for one question with all its pages.
    What `read` returns is what astroquery takes for the answer's JSON; what it raises ends the question.
    `auth` goes with every request; in `columns` astroquery keeps what it asked about columns. Clients that
    share the two may be used by a thread each.
    """
    client = _load_class()()
    portal = client._portal_api_connection = _load_portal()(client._session)
    portal.MAST_REQUEST_URL = server + INVOKE
    portal.COLUMNS_CONFIG_URL = server + COLUMNS
    portal.MAST_DOWNLOAD_URL = server + DOWNLOAD
    portal.MAST_BUNDLE_URL = server + BUNDLE
    portal.TIMEOUT = question_limit
    # Columns of product rows are of no use: not asked for.
    columns.setdefault(client._caom_products, {})
    portal._column_configs = columns
    client._auth_obj.SESSION_INFO_URL = server + WHOAMI
    session = client._session
    # An object in any case: without one, requests would look into the user's ~/.netrc.
    session.auth = auth
    for scheme in ("http://", "https://"):
        session.mount(scheme, TimedAdapter(timeout))
    # In place of astroquery's own hook, which writes headers, and so the token, to its debug log.
    session.hooks["response"] = [_hook(read)]
    return client


def is_possible_token(token: str) -> bool:
    """Tell whether `token` can be sent at all: an HTTP library would quote another one in its error."""
    return bool(_TOKEN.fullmatch(token)) and not set(token) & set(';,"\\')


def asked_page(request: PreparedRequest) -> tuple[str, int]:
    """Return the service that a Mashup request asks, and for which page."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    asked = json.loads(parse_qs(str(body))["request"][0])
    return str(asked["service"]), int(asked["page"])


class TokenAuth(AuthBase):
    """Puts the `token` on a request, the way MAST documents it and the way astroquery does it; None: none."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        token = self.token
        if token is not None:
            request.headers["Authorization"] = f"token {token}"
            request.headers["Cookie"] = f"mast_token={token}"
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
        # It keeps the answers until the last page came; nobody needs their bytes any more.
        response._content = b""
        return response

    return judge


@functools.cache
def _load_portal() -> type[PortalAPI]:
    """Return the class that polls, without what would make its clients meet.

    Around every request astroquery's base class switches a setting of the whole process off and on again.
    """
    from astroquery.mast.discovery_portal import PortalAPI
    from astroquery.query import BaseQuery

    class Request(BaseQuery):  # type: ignore[misc]
        def _request(self, method: str, url: str, *, cache: bool, **options: Any) -> Response:  # noqa: ARG002
            response: Response = self._session.request(method, url, **options)
            return response

    class Portal(PortalAPI, Request):  # type: ignore[misc]
        pass

    return Portal


def _load_class() -> type[ObservationsClass]:
    with _LOADING:
        if "astroquery.mast" not in sys.modules:
            _import_silently()
        from astroquery.mast import ObservationsClass
    # The same upon every later look for them.
    warnings.filterwarnings("ignore", message="XDG_[A-Z]+_HOME is set to")
    log = logging.getLogger("astroquery")
    for handler in list(log.handlers):
        log.removeHandler(handler)
    log.setLevel(logging.WARNING)
    loaded: type[ObservationsClass] = ObservationsClass
    return loaded


def _import_silently() -> None:
    """Import astroquery once: what is ignored meanwhile is ignored by every thread, and may stay so."""
    _ensure_home()
    with warnings.catch_warnings():
        # On import astropy warns on the terminal about folders for settings that we do not use.
        warnings.simplefilter("ignore")
        importlib.import_module("astroquery.mast")


def _ensure_home() -> None:
    """Give astropy a home to look for settings in, where the system knows none; nothing is written there."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull
