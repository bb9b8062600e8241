"""One worker's line to the archive: its connections, redirects, and a way to cut it from another thread."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as trouble
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.transfer.answers import REDIRECTS, read_length
from jwstwatch.transfer.job import AbortedError, TransferError

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection; short, for a stop cannot cut this wait."""
MOST_REDIRECTS = 5

_MOST_ORIGINS = 8
_WORTH_READING = 1 << 16
"""Bytes of a refusal that cost less than a new connection."""
_TOKEN = re.compile(r"[!-~]+")
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_BROKEN = (trouble.HTTPError, http.client.HTTPException, OSError)


def trusted_authorities() -> ssl.SSLContext:
    """Return the TLS settings that requests would use, so that queries and transfers trust alike."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    bundle = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    )
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


class Body:
    """An answer whose headers are there and whose bytes are still to come."""

    def __init__(self, response: urllib3.BaseHTTPResponse, line: Line, server: str) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.server = server
        self._response = response
        self._line = line
        self._connection = response.connection
        self._encoding = response.headers.get("Content-Encoding", "").strip().lower()

    @property
    def encoded(self) -> bool:
        """Tell whether the bytes are packed on the way, against our wish; `read` unpacks them."""
        return self._encoding not in ("", "identity")

    @property
    def bounded(self) -> bool:
        """Tell whether HTTP itself shows where the body ends, so that an early end is an error."""
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        return chunked or read_length(self.headers) is not None

    def read(self, most: int) -> bytes:
        """Return up to `most` bytes as soon as there are some, none at the end."""
        if self._encoding not in _ENCODINGS:
            raise self._line.failure(f"{self.server} packs its data in an unknown way ({self._encoding!r})")
        with self._line.translate(self.server):
            # read1 and not read: a slow archive must not hold back what has come, nor a stop.
            return self._response.read1(most, decode_content=self.encoded)

    def runs_over(self) -> bool:
        """Tell, as far as it shows, whether more came than was announced; only after the end."""
        sock: Any = getattr(self._connection, "sock", None)
        if sock is None:
            return False
        try:
            if isinstance(sock, ssl.SSLSocket):
                return sock.pending() > 0
            return wait_for_read(sock, timeout=0.0) and bool(sock.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Give the connection up, unless its answer was read to the end or is a short refusal."""
        length = read_length(self.headers)
        if self.status >= 300 and length is not None and length <= _WORTH_READING:
            self._response.drain_conn()
        self._response.close()


class Line:
    """Fetches for one worker at a time, of one run after the other; `cut` may be called from any thread."""

    def __init__(self, *, authorities: Callable[[], ssl.SSLContext]) -> None:
        self._timeout = CONNECT_TIMEOUT
        self._halt = threading.Event()
        self._authorities = authorities
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._sockets: list[socket.socket] = []

    def serve(self, *, timeout: float, halt: threading.Event) -> None:
        """Serve another run: `timeout` is seconds without a byte, and a set `halt` ends all it asks for.

        What is asked for then raises `AbortedError`; connections that are open stay in use.
        """
        self._timeout = timeout
        self._halt = halt

    def get(self, url: str, headers: Mapping[str, str], *, token: str | None = None) -> Body:
        """Return the answer to a GET; the token goes to the first origin only, wherever that sends us."""
        allowed = self._origin(url)
        if token is not None and not _TOKEN.fullmatch(token):
            # An HTTP library would quote it in its error.
            raise self.failure("The token holds characters that no token has", FailureKind.UNAUTHORISED)
        for _ in range(MOST_REDIRECTS + 1):
            if self._origin(url) != allowed:
                token = None
            secret = {} if token is None else {"Authorization": f"token {token}"}
            body = self._ask(url, {**headers, **secret})
            if body.status not in REDIRECTS:
                return body
            url = self._follow(url, body)
        raise self.failure(f"{allowed} redirects more than {MOST_REDIRECTS} times", FailureKind.REFUSED)

    def cut(self) -> None:
        """Wake whoever waits on this line."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                # The plain method: that of a TLS socket would take its state away under the reader.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every connection."""
        for manager in self._managers.values():
            manager.clear()
        self._managers.clear()
        self._sockets.clear()

    def failure(self, message: str, kind: FailureKind = FailureKind.ARCHIVE) -> TransferError:
        """Return the error that ends an attempt."""
        return TransferError(Failure(kind=kind, message=message))

    @contextlib.contextmanager
    def translate(self, server: str) -> Iterator[None]:
        """Turn what the HTTP library raises into an `AbortedError` or a `TransferError` about `server`."""
        try:
            yield
        except trouble.LocationValueError as error:
            raise self.failure(f"{server} has no usable address", FailureKind.REFUSED) from error
        except _BROKEN as error:
            if self._halt.is_set():
                raise AbortedError from error
            raise self.failure(f"{server} {self._describe(error)}") from error

    def _ask(self, url: str, headers: Mapping[str, str]) -> Body:
        server = self._origin(url)
        if self._halt.is_set():
            raise AbortedError
        with self.translate(server):
            response = self._manager(server).request(
                "GET",
                url,
                headers=dict(headers),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, self._timeout), read=self._timeout),
            )
        return Body(response, self, server)

    def _follow(self, url: str, body: Body) -> str:
        body.close()
        try:
            target = urljoin(url, body.headers["Location"])
            lowered = (urlsplit(url).scheme, urlsplit(target).scheme) == ("https", "http")
        except (KeyError, ValueError) as error:
            raise self.failure(f"{body.server} redirects to nowhere", FailureKind.REFUSED) from error
        if lowered:
            raise self.failure(f"{body.server} redirects to an unprotected place", FailureKind.REFUSED)
        return target

    def _origin(self, url: str) -> str:
        """Return scheme, host and port of `url`, what a token may not leave."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise self._no_address() from error
        if not host or parts.scheme not in ("http", "https"):
            raise self._no_address()
        standard = 443 if parts.scheme == "https" else 80
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or standard}"

    def _no_address(self) -> TransferError:
        return self.failure("The file has no address that can be asked", FailureKind.REFUSED)

    def _manager(self, origin: str) -> urllib3.PoolManager:
        """Return what keeps the connections to `origin`; the environment's proxies are looked up once."""
        if origin not in self._managers:
            if len(self._managers) >= _MOST_ORIGINS:
                self.close()
            self._managers[origin] = self._open(origin)
        return self._managers[origin]

    def _open(self, origin: str) -> urllib3.PoolManager:
        parts = urlsplit(origin)
        options: dict[str, Any] = {"num_pools": 1, "maxsize": 1}
        if parts.scheme == "https":
            options["ssl_context"] = self._authorities()
        proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if proxy is None:
            manager = urllib3.PoolManager(**options)
        else:
            secret = urllib3.util.parse_url(proxy).auth
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=secret) if secret else None
            manager = urllib3.ProxyManager(proxy, **options)
        manager.pool_classes_by_scheme = _pool_classes(self._adopt)
        return manager

    def _adopt(self, sock: socket.socket) -> None:
        self._sockets = [known for known in self._sockets if known.fileno() != -1] + [sock]
        if self._halt.is_set():
            raise AbortedError

    def _describe(self, error: Exception) -> str:
        match error:
            case trouble.ReadTimeoutError():
                return f"was silent for {self._timeout:g} s"
            case trouble.NewConnectionError() | trouble.ConnectTimeoutError() | trouble.ProxyError():
                return "cannot be reached"
            case trouble.SSLError():
                return "cannot prove who it is"
            case trouble.DecodeError():
                return "packed its data wrongly"
        return "broke the connection off"


def _pool_classes(adopt: Callable[[Any], None]) -> dict[str, Any]:
    """Return urllib3's pools with connections that show their sockets, for `cut`."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            adopt(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            adopt(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
