"""The way to one origin: its kept connection, or the environment's proxy, and whom TLS trusts."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import LocationValueError
from urllib3.util import Url

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.transfer.job import TransferError

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection; short, for a stop cannot cut this wait."""

Adopt = Callable[[socket.socket], None]
"""Shown every socket that comes into being, so that somebody else can cut it."""


def trusted_authorities() -> ssl.SSLContext:
    """Return the TLS settings that requests would use, so that queries and transfers trust alike."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    bundle = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    )
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


class Route:
    """Asks one `origin` over one connection that is kept; the environment's proxies are looked up once.

    Raises `TransferError` where the environment names a proxy or authorities that cannot be used.
    """

    def __init__(self, origin: str, *, authorities: Callable[[], ssl.SSLContext], adopt: Adopt) -> None:
        parts = urlsplit(origin)
        trusted = _load(authorities, origin) if parts.scheme == "https" else None
        options: dict[str, Any] = {} if trusted is None else {"ssl_context": trusted}
        classes = _pool_classes(adopt)
        proxy = _find_proxy(origin)
        self.proxy = None if proxy is None else proxy.netloc
        """Host and port of the proxy on the way, without its secrets."""
        self._owner: urllib3.HTTPConnectionPool | urllib3.ProxyManager
        if proxy is None:
            # Straight to its pool: a manager would look for it anew at each request.
            self._owner = classes[parts.scheme](parts.hostname, parts.port, maxsize=1, **options)
            return
        if proxy.scheme == "https":
            options["proxy_ssl_context"] = trusted or _load(authorities, origin)
        options["proxy_headers"] = _make_credentials(proxy.auth)
        self._owner = urllib3.ProxyManager(proxy._replace(auth=None).url, num_pools=1, maxsize=1, **options)
        self._owner.pool_classes_by_scheme = classes

    def ask(
        self, url: str, headers: Mapping[str, str], *, method: str, timeout: float
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer to a GET or HEAD of `url`, its body still to come; raises what urllib3 raises."""
        return self._owner.urlopen(
            method,
            _target(url) if self.proxy is None else _without_secrets(url),
            headers=dict(headers),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
        )

    def close(self) -> None:
        """Close the connection."""
        if isinstance(self._owner, urllib3.ProxyManager):
            self._owner.clear()
        else:
            self._owner.close()


def _target(url: str) -> str:
    """Return what the origin itself is asked for: path and query."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _without_secrets(url: str) -> str:
    """Return `url` without a user's name and password, for whoever passes it on."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _load(authorities: Callable[[], ssl.SSLContext], origin: str) -> ssl.SSLContext:
    try:
        return authorities()
    except OSError as error:
        what = error.strerror or error
        raise _no_way(
            f"{origin} cannot be asked: the file of trusted authorities cannot be read ({what}); "
            "see REQUESTS_CA_BUNDLE"
        ) from error


def _find_proxy(origin: str) -> Url | None:
    """Return the proxy that requests would take, so that queries and transfers go the same way."""
    from requests.utils import get_environ_proxies, select_proxy

    stated = select_proxy(origin, get_environ_proxies(origin))
    if not stated:
        return None
    try:
        proxy = urllib3.util.parse_url(stated if "://" in stated else f"http://{stated}")
    except LocationValueError:
        proxy = Url()
    if not proxy.host or "@" in f"{proxy.path}{proxy.query}{proxy.fragment}":
        # Without what the library says or what seems to be the host: it may be a piece of a password.
        raise _no_way(
            f"{origin} cannot be asked: the proxy in the environment has no usable address"
        ) from None
    if proxy.scheme not in ("http", "https"):
        raise _no_way(f"{origin} cannot be asked: the proxy {proxy.netloc} is no HTTP proxy ({proxy.scheme})")
    return proxy


def _make_credentials(stated: str | None) -> dict[str, str] | None:
    if not stated:
        return None
    name, _, password = stated.partition(":")
    secret = f"{unquote(name)}:{unquote(password)}".encode()
    return {"proxy-authorization": f"Basic {base64.b64encode(secret).decode('ascii')}"}


def _no_way(message: str) -> TransferError:
    return TransferError(Failure(kind=FailureKind.ARCHIVE, message=message))


def _pool_classes(adopt: Adopt) -> dict[str, Any]:
    """Return urllib3's pools with connections that show their sockets."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            adopt(self.sock)

    class Secure(HTTPSConnection):
        def _tunnel(self) -> None:
            adopt(self.sock)  # the proxy's answer may never end
            super()._tunnel()

        def connect(self) -> None:
            super().connect()
            adopt(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
