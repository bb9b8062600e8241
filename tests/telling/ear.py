"""A web server on loopback that keeps what it was asked, and can be slow, unwilling or devious."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        document: dict[str, Any] = json.loads(self.body)
        return document


class Ear:
    """Answers every request with `status` after `hold` is released; `location` redirects."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.status = 200
        self.location: str | None = None
        self.trickle = False
        self.hold = threading.Event()
        self.hold.set()
        self.came = threading.Semaphore(0)
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                ear.heard.append(Heard(self.command, self.path, dict(self.headers), body))
                ear.came.release()
                ear.hold.wait(30)
                if ear.trickle:
                    self._trickle()
                    return
                status = ear.status if ear.location is None or self.path == "/end" else 302
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", str(ear.location))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _trickle(self) -> None:
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                while not ear.over.wait(0.05):
                    try:
                        self.wfile.write(b"X-More: 1\r\n")
                        self.wfile.flush()
                    except OSError:
                        return

            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def log_message(self, *_: object) -> None: ...

        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, as a heartbeat has it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def apprise(self) -> str:
        """Its address, as apprise has it: it posts JSON there."""
        return f"json://127.0.0.1:{self.port}/PASSWORD-IN-URL"

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that came, in order."""
        return [heard.document["title"] for heard in self.heard]
