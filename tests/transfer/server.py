"""A loopback file server that does to a transfer whatever a test wants."""

from __future__ import annotations

import gzip
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """One connection; the depot says what happens on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    depot: Depot

    def log_message(self, *_: Any) -> None:
        pass

    def setup(self) -> None:
        super().setup()
        self.depot.connected(1)

    def finish(self) -> None:
        self.depot.connected(-1)
        super().finish()

    def do_GET(self) -> None:
        self.depot.answer(self)

    def do_HEAD(self) -> None:
        self.depot.answer(self)

    def begin(self, status: int, **headers: object) -> None:
        """Send the status line and `headers`, `_` in a name standing for `-`."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, block: bytes) -> None:
        if self.command == "HEAD":
            return
        try:
            self.wfile.write(block)
            self.wfile.flush()
        except OSError:
            self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection off the hard way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


Behaviour = Callable[[Handler], None]


def serve(content: bytes, *, etag: str | None = '"one"', **headers: object) -> Behaviour:
    """Send `content` as a good server does, ranges and If-Range included."""

    def behave(handler: Handler) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        condition = handler.headers.get("If-Range")
        if match is None or (condition is not None and condition not in (etag, headers.get("Last_Modified"))):
            handler.begin(200, Content_Length=len(content), ETag=etag, **headers)
            handler.send(content)
            return
        first = int(match[1])
        if first >= len(content):
            handler.begin(416, Content_Length=0, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[first:]
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.begin(206, Content_Length=len(rest), Content_Range=span, ETag=etag, **headers)
        handler.send(rest)

    return behave


def refuse(status: int, **headers: object) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.begin(status, Content_Length=2, **headers)
        handler.send(b"{}")

    return behave


def truncate(content: bytes, keep: int, *, etag: str | None = '"one"') -> Behaviour:
    """Announce all of `content`, send `keep` bytes and hang up."""

    def behave(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(content), ETag=etag)
        handler.send(content[:keep])
        handler.hang_up()

    return behave


def reset_after(content: bytes, keep: int) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(content), ETag='"one"')
        handler.send(content[:keep])
        handler.reset()

    return behave


def stall_after(content: bytes, keep: int, *, etag: str | None = '"one"', before: bool = False) -> Behaviour:
    """Send `keep` bytes and then nothing; `before`: not even the headers."""

    def behave(handler: Handler) -> None:
        if not before:
            handler.begin(200, Content_Length=len(content), ETag=etag)
            handler.send(content[:keep])
        handler.depot.stalled.release()
        handler.depot.closing.wait(30)
        handler.hang_up()

    return behave


def crawl(content: bytes, *, pause: float) -> Behaviour:
    """Send a byte at a time."""

    def behave(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(content), ETag='"one"')
        for position in range(len(content)):
            handler.send(content[position : position + 1])
            if handler.close_connection or handler.depot.closing.wait(pause):
                return

    return behave


def announce(content: bytes, length: int | None, *, hang_up: bool = False, **headers: object) -> Behaviour:
    """Send all of `content` under a length that may be a lie, or under none."""

    def behave(handler: Handler) -> None:
        handler.begin(200, Content_Length=length, **headers)
        handler.send(content)
        if hang_up or length is None:
            handler.hang_up()

    return behave


def in_chunks(content: bytes, *, end: bool = True) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.begin(200, Transfer_Encoding="chunked")
        for start in range(0, len(content), 10_000):
            block = content[start : start + 10_000]
            handler.send(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        if end:
            handler.send(b"0\r\n\r\n")
        else:
            handler.hang_up()

    return behave


def packed(content: bytes, *, encoding: str = "gzip") -> Behaviour:
    def behave(handler: Handler) -> None:
        squeezed = gzip.compress(content)
        handler.begin(200, Content_Length=len(squeezed), Content_Encoding=encoding, ETag='"one"')
        handler.send(squeezed)

    return behave


def piece(content: bytes, first: int, *, total: int, etag: str | None) -> Behaviour:
    """Send a 206 whatever was asked for."""

    def behave(handler: Handler) -> None:
        span = f"bytes {first}-{first + len(content) - 1}/{total}"
        handler.begin(206, Content_Length=len(content), Content_Range=span, ETag=etag)
        handler.send(content)

    return behave


def web_page(*, kind: str = "text/html") -> Behaviour:
    page = b"\n<!DOCTYPE html><html><body>We are down for maintenance</body></html>"
    return announce(page, len(page), Content_Type=kind)


def redirect(location: str, *, status: int = 302) -> Behaviour:
    return refuse(status, Location=location)


class Depot:
    """The running server: paths with what happens at each of their requests in turn, and a record."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.methods: list[tuple[str, str]] = []
        """Method and path of each request."""
        self.closing = threading.Event()
        self.stalled = threading.Semaphore(0)
        self.busy = 0
        self.most_busy = 0
        self.peers: set[int] = set()
        """The clients' ports: a connection each."""
        self.connections = 0
        self._lock = threading.Lock()
        self._scripts: dict[str, list[Behaviour]] = {}

    def put(self, name: str, *behaviours: Behaviour) -> str:
        """Let each request for `name` meet the next of `behaviours`, the last for ever; return the URL."""
        self._scripts[f"/{name}"] = list(behaviours)
        return f"{self.url}/{name}"

    def requests(self, name: str) -> list[dict[str, str]]:
        return [headers for path, headers in self.asked if path == f"/{name}"]

    def connected(self, change: int) -> None:
        with self._lock:
            self.connections += change

    def answer(self, handler: Handler) -> None:
        with self._lock:
            self.peers.add(handler.client_address[1])
            self.asked.append((handler.path, dict(handler.headers)))
            self.methods.append((handler.command, handler.path))
            script = self._scripts.get(handler.path) or [refuse(404)]
            behaviour = script.pop(0) if len(script) > 1 else script[0]
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            behaviour(handler)
        finally:
            with self._lock:
                self.busy -= 1


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients here hang up on purpose."""


@contextmanager
def running() -> Iterator[Depot]:
    server = _Quiet(("127.0.0.1", 0), Handler)
    depot = Depot(server.server_port)
    server.RequestHandlerClass = type("DepotHandler", (Handler,), {"depot": depot})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield depot
    finally:
        depot.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
