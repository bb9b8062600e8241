"""What all runs of a process may ask of the archive together: so many connections, so many bytes a second."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from jwstwatch.transfer.bandwidth import Bandwidth
from jwstwatch.transfer.job import AbortedError

if TYPE_CHECKING:
    import ssl

    from jwstwatch.core.timetables import Limit
    from jwstwatch.transfer.line import Line


class Budget:
    """Lends at most `connections` lines to the archive, and holds the one gate that every byte passes.

    `bandwidth` is bytes a second or a timetable of such, None no limit. A line that is free goes to the run
    that has the fewest of those that want one, of equal ones to the one that last had one longest ago: k runs
    have about connections / k each, a run alone has all, and nobody waits for more than one turn of each
    other run.
    A line keeps its connections from one run to the next, so the archive never sees more than `connections`;
    they are closed when no run is left.
    """

    def __init__(self, connections: int, bandwidth: Limit | float | None = None) -> None:
        self.bandwidth = Bandwidth(bandwidth)
        self._connections = max(1, connections)
        self._lock = threading.Lock()
        self._shares: list[Share] = []
        self._idle: list[Line] = []
        self._authorities: Callable[[], ssl.SSLContext] | None = None
        self._turns = itertools.count(1)

    @property
    def connections(self) -> int:
        """Return how many lines there are for all runs together."""
        return self._connections

    def resize(self, connections: int, bandwidth: Limit | float | None) -> None:
        """Lend so many lines from now on; where they are fewer, those that are lent come back first."""
        self.bandwidth.resize(bandwidth)
        with self._lock:
            self._connections = max(1, connections)
            self._close_surplus()
            self._deal()

    def join(self, *, halt: threading.Event, timeout: float) -> Share:
        """Return the part of a run: `halt` ends its transfers, and so do `timeout` seconds of silence."""
        with self._lock:
            share = Share(self, halt=halt, timeout=timeout, turn=next(self._turns))
            self._shares.append(share)
        return share

    def _deal(self) -> None:
        """Give every line that may be lent to whoever is first to have it; called with the lock held."""
        while self._count_lent() < self._connections:
            waiting = [share for share in self._shares if share.waiting]
            if not waiting:
                return
            share = min(waiting, key=lambda share: (len(share.lent), share.turn))
            asked = share.waiting.popleft()
            line = self._idle.pop() if self._idle else self._open()
            share.lent.append(line)
            share.turn = next(self._turns)
            asked.set_result(line)

    def _count_lent(self) -> int:
        return sum(len(share.lent) for share in self._shares)

    def _open(self) -> Line:
        from jwstwatch.transfer.line import Line
        from jwstwatch.transfer.routes import trusted_authorities

        if self._authorities is None:
            # Reading them takes longer than a small file, and plain HTTP needs none.
            self._authorities = functools.cache(trusted_authorities)
        return Line(authorities=self._authorities)

    def _close_surplus(self) -> None:
        keep = self._connections - self._count_lent() if self._shares else 0
        while len(self._idle) > max(0, keep):
            self._idle.pop(0).close()
        if not self._shares:
            # Whoever comes next finds the proxies and authorities of that time.
            self._authorities = None


class Share:
    """One run's part of a budget. Its workers wait for a `line`, any thread may `close`, `cut` or `leave`.

    `lent`, `waiting` and `turn` belong to the budget and its lock.
    """

    def __init__(self, budget: Budget, *, halt: threading.Event, timeout: float, turn: int) -> None:
        self._budget = budget
        self._halt = halt
        self._timeout = timeout
        self._over = False
        self.lent: list[Line] = []
        self.waiting: deque[Future[Line]] = deque()
        self.turn = turn
        """When it last took or gave back a line, or joined, among all shares."""

    def ask(self) -> Future[Line]:
        """Ask for a line, first come first served within a run; `close` cancels what still waits."""
        asked: Future[Line] = Future()
        with self._budget._lock:
            if self._over:
                asked.cancel()
            else:
                self.waiting.append(asked)
                self._budget._deal()
        return asked

    def give_back(self, line: Line) -> None:
        """Return a line that was lent."""
        with self._budget._lock:
            self.lent.remove(line)
            self.turn = next(self._budget._turns)
            if self._over:
                # It may have been cut: nothing on it is of use to another run.
                line.close()
            self._budget._idle.append(line)
            self._budget._deal()
            self._budget._close_surplus()

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """Wait for a line and have it for the block; raises `AbortedError` once the share is closed."""
        try:
            line = self.ask().result()
        except concurrent.futures.CancelledError as error:
            raise AbortedError from error
        try:
            line.serve(timeout=self._timeout, halt=self._halt)
            yield line
        finally:
            self.give_back(line)

    def close(self) -> None:
        """Wake whoever waits for a line: none is lent to this run any more."""
        with self._budget._lock:
            self._over = True
            while self.waiting:
                self.waiting.popleft().cancel()

    def cut(self) -> None:
        """Close the share and wake whoever waits on a line of it.

        Worth repeating: a connection may have come into being since.
        """
        self.close()
        with self._budget._lock:
            for line in self.lent:
                line.cut()

    def leave(self) -> None:
        """Leave the budget to the others; every line has been given back before."""
        self.close()
        with self._budget._lock:
            self._budget._shares.remove(self)
            self._budget._close_surplus()
