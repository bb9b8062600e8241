"""The control socket: who may knock, who knocks, and a thread for each."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.control.client import short_name
from jwstwatch.control.lines import BrokenLineError, Message, encode, read_lines
from jwstwatch.control.places import another_place

log = logging.getLogger(__name__)

MODE = 0o660
"""For the service's user and its group."""
MOST_CLIENTS = 32
"""At once, for each user: one who keeps them all leaves the others theirs."""
PATIENCE = 10.0
"""Seconds that a client may take to ask, or to read what it asked for."""


class ClientLeftError(Exception):
    """Whoever asked is gone."""


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody at the socket; `user` and `process` are the kernel's word, not theirs."""

    user: int
    process: int
    peer: socket.socket

    def tell(self, message: Message) -> None:
        """Send a line; raises `ClientLeftError` where nobody reads it."""
        try:
            self.peer.sendall(encode(message))
        except OSError as error:
            raise ClientLeftError from error

    @property
    def left(self) -> bool:
        """Return whether it has hung up."""
        try:
            # A time-out would make even a read that must not wait wait.
            poll = select.poll()  # unlike select, for any number of open files
            poll.register(self.peer, select.POLLIN)
            return bool(poll.poll(0)) and self.peer.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True


Answer = Callable[[Client, Message], None]


def choose_place(place: Path, state_url: str) -> Path:
    """Return the socket to open: another one where the daemon of another state has this one."""
    return another_place(place, state_url) if _answers(place) else place


class Listener:
    """Answers at a Unix socket until it is closed."""

    def __init__(self, place: Path, answer: Answer) -> None:
        self._place = place
        self._answer = answer
        self._clients: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server = _bind(place)
        self._inode = place.stat().st_ino
        self._thread = threading.Thread(target=self._listen, name="control", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more, and leave no socket behind."""
        self._closed.set()
        with contextlib.suppress(OSError):
            if self._place.stat().st_ino == self._inode:
                self._place.unlink()
        # Wakes the thread up, which a mere close would not.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                peer, _ = self._server.accept()
            except OSError as error:
                if not self._closed.is_set():
                    log.warning("the control socket cannot take a client: %s", error.strerror or error)
                    self._closed.wait(1.0)
                continue
            self._take(peer)

    def _take(self, peer: socket.socket) -> None:
        """Serve a client in a thread of its own, unless its user keeps too many open already."""
        try:
            user, process = _credentials(peer)
            with self._lock:
                busy = self._clients[user] >= MOST_CLIENTS
                self._clients[user] += not busy
            if busy:
                peer.close()
                return
            serve = threading.Thread(
                target=self._serve, args=(peer, user, process), name="control-client", daemon=True
            )
            serve.start()
        except (OSError, RuntimeError) as error:
            log.warning("a client of the control socket cannot be served: %s", error)
            if isinstance(error, RuntimeError):  # no thread
                self._leave(user)
            peer.close()

    def _leave(self, user: int) -> None:
        with self._lock:
            self._clients[user] -= 1

    def _serve(self, peer: socket.socket, user: int, process: int) -> None:
        try:
            with peer:
                peer.settimeout(PATIENCE)
                request = next(read_lines(peer, longest=1 << 16), None)
                if request is not None:
                    self._answer(Client(user, process, peer), request)
        except (ClientLeftError, BrokenLineError, OSError) as error:
            log.debug("a client of the control socket left: %s", error)
        except Exception:
            log.exception("a request at the control socket failed unexpectedly")
        finally:
            self._leave(user)


def _bind(place: Path) -> socket.socket:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.parent.stat().st_uid not in (os.getuid(), 0):
        raise PermissionError(f"{place.parent} belongs to somebody else")
    if _answers(place):
        raise FileExistsError(errno.EADDRINUSE, "another daemon answers there")
    with contextlib.suppress(FileNotFoundError):
        place.unlink()  # left by one that was killed
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # Before it has a name, so that it is never open to everybody.
        os.fchmod(server.fileno(), MODE)
        with short_name(place) as name:
            server.bind(name)
        place.chmod(MODE)
        server.listen(32)
    except OSError:
        server.close()
        raise
    return server


def _answers(place: Path) -> bool:
    with _connected(place) as there:
        return there


@contextlib.contextmanager
def _connected(place: Path) -> Iterator[bool]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(1.0)
        try:
            with short_name(place) as name:
                peer.connect(name)
        except OSError:
            yield False
        else:
            yield True


def _credentials(peer: socket.socket) -> tuple[int, int]:
    """Return uid and pid of the other side, as the kernel knows them."""
    size = struct.calcsize("3i")
    process, user, _group = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return user, process
