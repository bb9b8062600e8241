"""One worker's line to the archive: its connections, redirects, and a way to cut it from another thread."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions as trouble
from urllib3.util.wait import wait_for_read

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.transfer.answers import REDIRECTS, read_length
from jwstwatch.transfer.job import AbortedError, TransferError
from jwstwatch.transfer.routes import CONNECT_TIMEOUT, Route

MOST_REDIRECTS = 5
SLOWEST = 2.0
"""Time-outs that the headers, or a single read of a body, may take in all, however often a byte comes."""

_MOST_ORIGINS = 8
_WORTH_READING = 1 << 16
"""Bytes of a refusal that cost less than a new connection."""
_TOKEN = re.compile(r"[!-~]+")
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_BROKEN = (trouble.HTTPError, http.client.HTTPException, OSError)


class Body:
    """An answer whose headers are there and whose bytes are still to come."""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, line: Line, server: str, *, empty: bool = False
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.server = server
        self._response = response
        self._line = line
        self._empty = empty
        """It answers a HEAD: whatever length is announced, no byte comes."""
        self._connection = response.connection
        self._encoding = response.headers.get("Content-Encoding", "").strip().lower()

    @property
    def encoded(self) -> bool:
        """Tell whether the bytes are packed on the way, against our wish; `read` unpacks them."""
        return self._encoding not in ("", "identity")

    @property
    def bounded(self) -> bool:
        """Tell whether HTTP itself shows where the body ends, so that an early end is an error."""
        if self.encoded:
            return False  # it shows where the packed bytes end, and they may have been cut before
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
        short = self.status >= 300 and length is not None and length <= _WORTH_READING
        if self._empty or short:
            with contextlib.suppress(AbortedError, TransferError), self._line.translate(self.server):
                self._response.drain_conn()
        self._response.close()


class Line:
    """Fetches for one worker at a time, of one run after the other; `cut` may be called from any thread."""

    def __init__(self, *, authorities: Callable[[], ssl.SSLContext]) -> None:
        self._timeout = CONNECT_TIMEOUT
        self._halt = threading.Event()
        self._authorities = authorities
        self._routes: dict[str, Route] = {}
        self._sockets: list[socket.socket] = []
        self._watch = threading.Lock()
        """Held while a wait begins, ends or is cut, so that no cut meets the wait after the overdue one."""
        self._due: float | None = None
        """By the monotonic clock: when what is waited for now must be there."""
        self._overdue = False

    def serve(self, *, timeout: float, halt: threading.Event) -> None:
        """Serve another run: `timeout` is seconds without a byte, and a set `halt` ends all it asks for.

        What is asked for then raises `AbortedError`; connections that are open stay in use.
        """
        self._timeout = timeout
        self._halt = halt

    def get(self, url: str, headers: Mapping[str, str], *, token: str | None = None) -> Body:
        """Return the answer to a GET; the token goes to the first origin only, wherever that sends us."""
        return self._send("GET", url, headers, token=token)

    def head(self, url: str, headers: Mapping[str, str], *, token: str | None = None) -> Body:
        """Return what a GET would say, without its bytes; redirects and the token as there."""
        return self._send("HEAD", url, headers, token=token)

    def _send(self, method: str, url: str, headers: Mapping[str, str], *, token: str | None) -> Body:
        origin = allowed = self._origin(url)
        if token is not None and not _TOKEN.fullmatch(token):
            # An HTTP library would quote it in its error.
            raise self.failure("The token holds characters that no token has", FailureKind.UNAUTHORISED)
        for _ in range(MOST_REDIRECTS + 1):
            if origin != allowed:
                token = None
            secret = {} if token is None else {"Authorization": f"token {token}"}
            body = self._ask(origin, url, {**headers, **secret}, method=method)
            if body.status not in REDIRECTS:
                return body
            url = self._follow(url, body)
            origin = self._origin(url)
        raise self.failure(f"{allowed} redirects more than {MOST_REDIRECTS} times", FailureKind.REFUSED)

    def cut(self) -> None:
        """Wake whoever waits on this line."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                # The plain method: that of a TLS socket would take its state away under the reader.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def cut_if_overdue(self) -> None:
        """Wake who waits for an answer that drips: it is never silent, and never there. For any thread."""
        with self._watch:
            if self._due is not None and time.monotonic() > self._due:
                self._overdue = True
                self.cut()

    def close(self) -> None:
        """Close every connection."""
        for route in self._routes.values():
            route.close()
        self._routes.clear()
        self._sockets.clear()

    def failure(self, message: str, kind: FailureKind = FailureKind.ARCHIVE) -> TransferError:
        """Return the error that ends an attempt."""
        return TransferError(Failure(kind=kind, message=message))

    def translate(self, server: str) -> _Translation:
        """Turn what the HTTP library raises into an `AbortedError` or a `TransferError` about `server`."""
        return _Translation(self, server)

    def begin_to_wait(self) -> None:
        """Note that somebody waits for the archive from now on."""
        with self._watch:
            self._overdue = False
            self._due = time.monotonic() + SLOWEST * self._timeout

    def end_to_wait(self) -> None:
        """Note that nobody does any more."""
        with self._watch:
            self._due = None

    def explain(self, error: BaseException | None, server: str) -> Exception | None:
        """Return what `error` amounts to where it is the HTTP library's; without one, whether all is well."""
        if isinstance(error, trouble.LocationValueError):
            return self.failure(f"{server} has no usable address", FailureKind.REFUSED)
        if not isinstance(error, _BROKEN) and not (error is None and self._overdue):
            return None
        if self._halt.is_set():
            return AbortedError()
        return self.failure(f"{server} {self._describe(error, server)}")

    def _ask(self, server: str, url: str, headers: Mapping[str, str], *, method: str) -> Body:
        if self._halt.is_set():
            raise AbortedError
        with self.translate(server):
            route = self._route(server)
            response = route.ask(url, headers, method=method, timeout=self._timeout)
            if self._overdue:
                response.close()  # cut in its headers, which look whole
        if response.status == 407 and route.proxy is not None:
            response.close()
            raise self.failure(f"{server} cannot be reached: {_refusal(route.proxy)}")
        return Body(response, self, server, empty=method == "HEAD")

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
        # Libraries do not agree on which host an address with a backslash names.
        if not host or parts.scheme not in ("http", "https") or "\\" in parts.netloc:
            raise self._no_address()
        standard = 443 if parts.scheme == "https" else 80
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or standard}"

    def _no_address(self) -> TransferError:
        return self.failure("The file has no address that can be asked", FailureKind.REFUSED)

    def _route(self, origin: str) -> Route:
        """Return the way to `origin`; each keeps its connection."""
        if origin not in self._routes:
            if len(self._routes) >= _MOST_ORIGINS:
                self.close()
            self._routes[origin] = Route(origin, authorities=self._authorities, adopt=self._adopt)
        return self._routes[origin]

    def _adopt(self, sock: socket.socket) -> None:
        self._sockets = [known for known in self._sockets if known.fileno() != -1] + [sock]
        if self._halt.is_set():
            raise AbortedError

    def _describe(self, error: BaseException | None, server: str) -> str:
        if self._overdue:
            return f"was too slow: nothing whole came in {SLOWEST * self._timeout:g} s"
        match error:
            case trouble.ReadTimeoutError():
                return f"was silent for {self._timeout:g} s"
            case trouble.ProxyError():
                return f"cannot be reached: {_blame(self._routes[server].proxy, error)}"
            case trouble.NewConnectionError() | trouble.ConnectTimeoutError():
                return "cannot be reached"
            case trouble.SSLError():
                return "cannot prove who it is; a site's own authority is named in REQUESTS_CA_BUNDLE"
            case trouble.DecodeError():
                return "packed its data wrongly"
        return "broke the connection off"


def _blame(proxy: str | None, error: trouble.ProxyError) -> str:
    cause = error.original_error
    if isinstance(cause, trouble.SSLError | ssl.SSLError):
        return f"the proxy {proxy} cannot prove who it is"
    tunnel = _TUNNEL.match(str(cause))
    if tunnel is None:
        return f"the proxy {proxy} does not answer"
    if tunnel[1] == "407":
        return _refusal(proxy)
    return f"the proxy {proxy} does not let us through (HTTP {tunnel[1]})"


def _refusal(proxy: str | None) -> str:
    return f"the proxy {proxy} asks for a name and a password that it accepts (HTTP 407)"


class _Translation:
    """The block of `Line.translate`; a class and not a generator, as every read of a body is in one."""

    __slots__ = ("_line", "_server")

    def __init__(self, line: Line, server: str) -> None:
        self._line = line
        self._server = server

    def __enter__(self) -> None:
        """Begin to listen."""
        self._line.begin_to_wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise what the HTTP library's error amounts to."""
        self._line.end_to_wait()
        meaning = self._line.explain(error, self._server)
        if meaning is not None:
            raise meaning from error
