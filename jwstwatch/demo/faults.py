"""What can go wrong with an archive, on demand: one `Fault` says what, to whom and how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock


class FaultKind(StrEnum):
    """What happens to a matching request."""

    STATUS = "status"
    """Answer with `status` (503 unless given), `retry_after` and a short JSON or HTML body."""
    HTML = "html"
    """An HTML page with 200, whatever was asked."""
    MAINTENANCE = "maintenance"
    """The HTML page of a closed archive, with `status` (503 unless given)."""
    REDIRECT = "redirect"
    """302 to `location` (unless given: this server's own bucket, which serves the file without a log-in)."""
    RESET = "reset"
    """A TCP reset after `after` bytes of body; with none sent, before any answer."""
    TRUNCATE = "truncate"
    """A closed connection after `after` bytes of body."""
    STALL = "stall"
    """Nothing for `seconds` after `after` bytes of body, then the rest."""
    SLOW = "slow"
    """The body comes at `rate` bytes a second."""
    LATENCY = "latency"
    """Nothing for `seconds` before the answer begins."""
    WRONG_LENGTH = "wrong length"
    """Content-Length is off by `amount` bytes; the whole body is sent as far as that allows."""
    NO_LENGTH = "no length"
    """No Content-Length; the end of the connection is the end of the file."""
    GARBLE = "garble"
    """The right number of bytes, one of them (at `after`) another."""
    IGNORE_RANGE = "ignore range"
    """200 and the whole file, whatever range was asked."""
    IGNORE_IF_RANGE = "ignore if-range"
    """206 from whatever revision there is now, although If-Range names another."""
    NO_VALIDATORS = "no validators"
    """Neither ETag nor Last-Modified."""
    NEW_ETAG = "new etag"
    """Another ETag at every answer, as of a server with many hosts."""
    WEAK_ETAG = "weak etag"
    """An ETag that is weak."""
    EXECUTING = "executing"
    """A query's answer is not ready: the same request has to come again."""
    ERROR = "error"
    """A query ends with status ERROR and `message`."""
    SHORT = "short"
    """A query's page holds `amount` rows less than it announces."""
    GARBLED_JSON = "garbled json"
    """A query's answer is not JSON."""


_OF_DOWNLOADS = frozenset(
    {
        FaultKind.REDIRECT,
        FaultKind.IGNORE_RANGE,
        FaultKind.IGNORE_IF_RANGE,
        FaultKind.NO_VALIDATORS,
        FaultKind.NEW_ETAG,
        FaultKind.WEAK_ETAG,
    }
)
_OF_QUERIES = frozenset({FaultKind.EXECUTING, FaultKind.ERROR, FaultKind.SHORT, FaultKind.GARBLED_JSON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `uri`, `service` and `path` are patterns with `*`; those given must all match.

    Without any it strikes every request that its kind can strike. It spares the first `skip` matching
    requests, strikes the next `times` (None: for ever), then is over.
    """

    kind: FaultKind | str
    uri: str | None = None
    """Of a download, `*_rate.fits`."""
    service: str | None = None
    """Of a query, `Mast.Caom.Products`."""
    path: str | None = None
    """Of any request, `/whoami`."""
    method: str | None = None
    times: int | None = 1
    skip: int = 0
    after: int = 0
    amount: int = 1
    seconds: float = 0.0
    rate: int = 100_000
    status: int = 503
    retry_after: str | int | None = None
    """Seconds or an HTTP date, as it is sent."""
    location: str | None = None
    message: str = "This is a timeout"


@dataclass(slots=True)
class _Standing:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Strikes(dict[FaultKind, Fault]):
    """The faults that strike one request, by kind."""


class Faults:
    """The faults of one server; may be changed while it runs, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._standing: list[_Standing] = []

    def add(self, *faults: Fault) -> None:
        """Add faults; of two that match with one kind the earlier strikes."""
        with self._lock:
            self._standing += [_Standing(fault) for fault in faults]

    def clear(self) -> None:
        """Forget every fault: the archive is well again."""
        with self._lock:
            self._standing.clear()

    def struck(self, fault: Fault) -> int:
        """Return how many requests `fault` has hit."""
        with self._lock:
            return sum(standing.struck for standing in self._standing if standing.fault == fault)

    def take(self, *, method: str, path: str, uri: str | None, service: str | None) -> Strikes:
        """Return the faults that strike this request, and count it against them."""
        strikes = Strikes()
        with self._lock:
            for standing in self._standing:
                fault = standing.fault
                kind = FaultKind(fault.kind)
                if kind in strikes or not _matches(fault, method=method, path=path, uri=uri, service=service):
                    continue
                standing.seen += 1
                spent = fault.times is not None and standing.struck >= fault.times
                if standing.seen <= fault.skip or spent:
                    continue
                standing.struck += 1
                strikes[kind] = fault
        return strikes


def _matches(fault: Fault, *, method: str, path: str, uri: str | None, service: str | None) -> bool:
    kind = FaultKind(fault.kind)
    if (kind in _OF_DOWNLOADS and uri is None) or (kind in _OF_QUERIES and service is None):
        return False
    if fault.method is not None and fault.method != method:
        return False
    pairs = ((fault.uri, uri), (fault.service, service), (fault.path, path))
    return all(
        pattern is None or (text is not None and fnmatchcase(text.lower(), pattern.lower()))
        for pattern, text in pairs
    )
