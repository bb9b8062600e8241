"""A loopback address that Prometheus, or whoever watches the daemon, can ask: `/metrics` and `/healthz`."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from jwstwatch.errors import ConfigurationError, JwstwatchError
from jwstwatch.telling.exposition import CONTENT_TYPE
from jwstwatch.telling.metrics import metrics_text

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a client may take for its request, and for taking its answer."""
TRICKLES = 3
"""So many times as long for everything, for one that keeps sending a byte now and then."""
MOST_CLIENTS = 16
"""Answered at the same time; whoever comes then is turned away, so that idle ones cannot pile up."""

_PLAIN = "text/plain; charset=utf-8"


class Endpoint:
    """Answers in threads of its own from `start` to `stop`; port 0 takes any free one."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        document: Callable[[], Mapping[str, Any]],
        healthy: Callable[[], tuple[bool, str]],
        patience: float = PATIENCE,
    ) -> None:
        self._host = _loopback(host)
        self._port = port
        self._document, self._healthy, self._patience = document, healthy, patience
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Return where it answers."""
        if self._server is None:
            return self._host, self._port
        host, port = self._server.server_address[:2]
        return str(host), port

    def start(self) -> None:
        """Begin to answer; OSError where the address is taken."""
        self._server = _Server(self._host, self._port, self._answer, self._patience)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; waits for nobody's request."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def _answer(self, path: str) -> tuple[int, str, str]:
        """Return status, type and text of the answer."""
        if path == "/healthz":
            healthy, text = self._healthy()
            return (200 if healthy else 503), _PLAIN, f"{text}\n"
        if path == "/metrics":
            try:
                return 200, CONTENT_TYPE, metrics_text(self._document())
            except JwstwatchError as error:
                return 503, _PLAIN, f"{error.message}\n"
        return 404, _PLAIN, "there are /metrics and /healthz\n"


def _loopback(host: str) -> str:
    """Return the host if only this machine reaches it, or raise `ConfigurationError`."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return host.strip("[]")
    except ValueError:
        pass
    text = f"metrics.listen: {host} is no loopback address"
    raise ConfigurationError(
        text, hint="Listen on 127.0.0.1, and let a proxy with a password pass it on.", problems=(text,)
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self, host: str, port: int, answer: Callable[[str], tuple[int, str, str]], patience: float
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer, self.patience = answer, patience
        self._room = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # A request that trickles in byte by byte ends too.
        timer = threading.Timer(TRICKLES * self.patience, _cut, (request,))
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        log.debug("a request for figures broke off: %s", sys.exc_info()[1])


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "jwstwatch"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.patience)

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def _reply(self, *, with_body: bool) -> None:
        try:
            status, kind, text = self.server.answer(self.path.partition("?")[0])
        except Exception:
            log.exception("the figures could not be made")
            status, kind, text = 500, _PLAIN, "the figures could not be made\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        log.debug(format, *args)
