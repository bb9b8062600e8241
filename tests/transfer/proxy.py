"""A loopback proxy that forwards and tunnels to one server, whatever name is asked for; TLS for both."""

from __future__ import annotations

import base64
import http.client
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.server import Depot, Handler

HOST = "archive.invalid"
"""A name that nobody but the proxy can resolve."""


class _Proxying(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if not self._admits():
            return
        way = http.client.HTTPConnection("127.0.0.1", self.proxy.port_behind)
        path = "/" + self.path.split("://", 1)[1].partition("/")[2]
        passed = {
            name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")
        }
        way.request("GET", path, headers=passed)
        answer = way.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Server", "Date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        way.close()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_CONNECT(self) -> None:
        if not self._admits():
            return
        self.close_connection = True
        if self.proxy.drips:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.proxy.closing.wait(0.05):
                self.wfile.write(b"x")
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.proxy.port_behind)) as behind:
            ends = {self.connection: behind, behind: self.connection}
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    block = ready.recv(65536)
                    if not block:
                        return
                    ends[ready].sendall(block)

    def _admits(self) -> bool:
        self.proxy.asked.append((self.command, self.path, dict(self.headers)))
        given = self.headers.get("Proxy-Authorization")
        status = self.proxy.refusal
        if self.proxy.secret is not None and given != _basic(self.proxy.secret):
            status = 407
        if status is not None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return status is None


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(secret.encode()).decode()


class Proxy:
    """The running proxy: what it was asked, and what it wants."""

    def __init__(self, port: int, port_behind: int) -> None:
        self.place = f"127.0.0.1:{port}"
        self.url = f"http://{self.place}"
        self.port_behind = port_behind
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.secret: str | None = None
        """Name and password, joined by a colon, without which it lets nobody through."""
        self.refusal: int | None = None
        self.drips = False
        """It begins to answer who wants a tunnel, and is never done with that."""
        self.closing = threading.Event()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients here hang up on purpose."""


@contextmanager
def proxying(port_behind: int) -> Iterator[Proxy]:
    """Run a proxy before the server at `port_behind`."""
    server = _Quiet(("127.0.0.1", 0), _Proxying)
    proxy = Proxy(server.server_port, port_behind)
    server.RequestHandlerClass = type("ProxyHandler", (_Proxying,), {"proxy": proxy})
    with _serving(server):
        yield proxy
        proxy.closing.set()


@contextmanager
def running_securely(certificate: Path) -> Iterator[Depot]:
    """Run a depot that talks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = _Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    depot = Depot(server.server_port)
    depot.url = f"https://127.0.0.1:{server.server_port}"
    server.RequestHandlerClass = type("DepotHandler", (Handler,), {"depot": depot})
    with _serving(server):
        yield depot
        depot.closing.set()


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate for `HOST` and loopback that vouches for itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on this machine")
    key, own, both = (folder / name for name in ("key.pem", "own.pem", "both.pem"))
    subject = f"-subj /CN={HOST} -addext subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1".split()
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [openssl, "req", *kind, *subject, "-keyout", str(key), "-out", str(own)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + own.read_bytes())
    return both
