"""What a demo server was asked, for tests to count."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """One request. `status` 0 means that no answer was begun; `bytes` is what was handed to the network."""

    method: str
    path: str
    service: str | None = None
    """Of a query, `Mast.Caom.Products`."""
    uri: str | None = None
    """Of a download, the data URI."""
    range: str | None = None
    """The Range header."""
    token: str | None = None
    """The token that came with it, in whatever way."""
    question: str | None = None
    """Of a query, the JSON text as it was sent: a repeated one is the same to the byte."""
    peer: int = 0
    """The client's port, which tells connections apart."""
    status: int = 0
    bytes: int = 0


class RequestLog:
    """A growing list of requests, each there before its answer begins; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: list[LoggedRequest] = []

    def add(self, request: LoggedRequest) -> None:
        """Append one."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._requests.clear()

    def all(self) -> tuple[LoggedRequest, ...]:
        """Return every request in the order of arrival."""
        with self._lock:
            return tuple(self._requests)

    def __len__(self) -> int:
        with self._lock:
            return len(self._requests)

    def count(self, *, path: str = "*", service: str = "*", uri: str = "*", status: int | None = None) -> int:
        """Return how many requests match all the patterns given, and were answered with `status`."""
        return sum(
            fnmatchcase(request.path, path)
            and fnmatchcase(request.service or "", service)
            and fnmatchcase(request.uri or "", uri)
            and status in (None, request.status)
            for request in self.all()
        )

    def queries(self, service: str = "*") -> tuple[LoggedRequest, ...]:
        """Return the queries of services like `service`."""
        return tuple(
            request for request in self.all() if request.service and fnmatchcase(request.service, service)
        )

    def downloads(self, uri: str = "*", *, method: str = "GET") -> tuple[LoggedRequest, ...]:
        """Return the downloads (or with HEAD, the mere questions) of URIs like `uri`."""
        return tuple(
            request
            for request in self.all()
            if request.uri and request.method == method and fnmatchcase(request.uri, uri)
        )
