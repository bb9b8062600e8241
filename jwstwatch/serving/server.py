"""Listen on an address and answer in a bounded number of threads."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Final

from jwstwatch.errors import BusyError, UsageError
from jwstwatch.serving.addresses import is_loopback, write_target
from jwstwatch.serving.confining import Site
from jwstwatch.serving.handler import Handler
from jwstwatch.serving.listing import prefixes

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds for a request to arrive, an idle connection to be used again, a piece of a file to be taken."""
MOST_CLIENTS = 64
"""Connections at the same time; a browser opens six."""
WAIT = 1.0
"""Seconds that one more connection waits for its turn before it is turned away."""

_GLANCE = 0.1
_WILDCARDS: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class SiteServer:
    """Serves sites from `start` to `stop`, in threads of its own; port 0 takes any free one.

    Several sites get a list in front of them. On a loopback address only requests to names of this machine
    are answered; who listens elsewhere means to be reached by any name.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        *,
        host: str,
        port: int,
        patience: float = PATIENCE,
        most_clients: int = MOST_CLIENTS,
    ) -> None:
        self._sites = tuple(sites)
        self._host, self._port = host, port
        self._patience, self._most_clients = patience, most_clients
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SiteServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the address for browsers; where every address is listened on, that of this machine."""
        host = self._host if self._server is None else str(self._server.server_address[0])
        host = _WILDCARDS.get(host, host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    @property
    def port(self) -> int:
        """Return the port; the one that was found free once the server is started."""
        return self._port if self._server is None else self._server.server_address[1]

    @property
    def is_private(self) -> bool:
        """Return whether it is this machine alone that reaches the server; known once it is started."""
        return self._server is not None and self._server.bound is not None

    @property
    def addresses(self) -> Mapping[str, Site]:
        """Return each site by its address."""
        if len(self._sites) == 1:
            return {self.url: self._sites[0]}
        named = prefixes(self._sites).items()
        return {f"{self.url}{write_target([prefix])[1:]}": site for prefix, site in named}

    def start(self) -> None:
        """Begin to answer; `BusyError` where the port is taken, `UsageError` for no address of ours."""
        self._server = self._listen()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_GLANCE,), name="sites", daemon=True
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

    def _listen(self) -> Server:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return Server(
                family,
                (str(address[0]), int(address[1])),
                sites={"": self._sites[0]} if len(self._sites) == 1 else prefixes(self._sites),
                bound=frozenset({self._host.lower()}) if is_loopback(str(address[0])) else None,
                patience=self._patience,
                most_clients=self._most_clients,
            )
        except (OSError, UnicodeError) as error:  # the latter of a name that cannot be looked up
            raise self._refusal(error) from error

    def _refusal(self, error: OSError | UnicodeError) -> BusyError | UsageError:
        where = f"port {self._port} of {self._host}"
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EADDRINUSE:
            return BusyError(
                f"{where} is in use by another program",
                hint="Name another one with --port; --port 0 takes any free one.",
            )
        if number == errno.EACCES:
            return UsageError(f"this user may not listen on {where}", hint="Name one above 1023 with --port.")
        return UsageError(
            f"nobody can listen on {where}: {getattr(error, 'strerror', None) or error}",
            hint="--host takes an address or a name of this machine; without it, 127.0.0.1.",
        )


class Server(ThreadingHTTPServer):
    """What the connections have in common; `bound` are the hosts that are answered to, None for every one."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        family: int,
        address: tuple[str, int],
        *,
        sites: Mapping[str, Site],
        bound: frozenset[str] | None,
        patience: float,
        most_clients: int,
    ) -> None:
        self.address_family = family
        self.sites, self.bound, self.patience = sites, bound, patience
        self._room = threading.BoundedSemaphore(most_clients)
        super().__init__(address, Handler)

    @property
    def several(self) -> bool:
        """There is a list in front of the sites."""
        return "" not in self.sites

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, where there is room for one."""
        if not self._room.acquire(timeout=WAIT):
            log.debug("turned away %s: too many connections", client_address[0])
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads for this user
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Make room again when the connection ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Keep the trouble of one connection to itself."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("a connection broke off: %s", error)
        else:
            log.error("a request could not be answered", exc_info=error)
