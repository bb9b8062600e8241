"""A stand-in for MAST on the loopback interface, for `jwstwatch demo` and for tests.

By hand: `python -m jwstwatch.demo.server --port 8080` serves the demo archive until it is interrupted.
"""

from __future__ import annotations

import _thread
import argparse
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from socketserver import TCPServer, ThreadingMixIn
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.faults import Fault, FaultKind, Faults
from jwstwatch.demo.handler import ArchiveHandler
from jwstwatch.demo.requestlog import LoggedRequest, RequestLog
from jwstwatch.demo.scaled import scaled_catalogue

__all__ = ["ArchiveServer", "Fault", "FaultKind", "Faults", "LoggedRequest", "RequestLog", "main"]


class ArchiveServer:
    """Serves one catalogue over HTTP on 127.0.0.1; a context manager, listening as soon as it is made.

    `token` is the one that opens exclusive files (None: none does). `port` 0 takes any free one.
    `clock_offset` is how far its clock, the `Date` of its answers, is ahead. Both may be changed while it
    runs. `errors` holds what went wrong inside the server itself: a test may assert that it is empty.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        port: int = 0,
        token: str | None = None,
        clock_offset: timedelta = timedelta(0),
    ) -> None:
        self.catalogue = catalogue
        self.token = token
        self.clock_offset = clock_offset
        self.faults = Faults()
        self.requests = RequestLog()
        self.errors: list[BaseException] = []
        self._closing = Event()
        self._listener = _Listener(port, archive=self)
        self._thread = Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's address without a slash at its end; what `mast.server` is set to."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def accepts(self, token: str | None) -> bool:
        """True for the token that opens exclusive files."""
        return token is not None and self.token is not None and compare_digest(token, self.token)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        self._closing.wait(seconds)

    def close(self) -> None:
        """Stop listening, end every connection and wait for their threads; a second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._listener.shutdown()
        self._listener.hang_up()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Listener(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, *, archive: ArchiveServer) -> None:
        self._archive = archive
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        handler = type("BoundHandler", (ArchiveHandler,), {"archive": archive})
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base class's
        error = sys.exception()
        if error is not None:
            self._archive.errors.append(error)

    def hang_up(self) -> None:
        """Wake the threads that wait for another request on an open connection."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve an archive until SIGINT or SIGTERM; the first line on standard output is its address."""
    parser = argparse.ArgumentParser(prog="python -m jwstwatch.demo.server", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes any free one")
    parser.add_argument("--token", help="the token that opens exclusive files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--now", type=datetime.fromisoformat, help="the archive's present, ISO 8601 (UTC)")
    parser.add_argument("--scaled", type=int, metavar="N", help="N observations with cheap content instead")
    options = parser.parse_args(arguments)
    now = options.now or datetime.now(UTC)
    now = now if now.tzinfo else now.replace(tzinfo=UTC)
    if options.scaled is None:
        catalogue = demo_catalogue(now=now, seed=options.seed)
    else:
        catalogue = scaled_catalogue(observations=options.scaled, now=now, seed=options.seed)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # From a thread of its own: the interrupted one waits for it, perhaps with its lock in hand.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()) and None)
    with ArchiveServer(catalogue, port=options.port, token=options.token) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
