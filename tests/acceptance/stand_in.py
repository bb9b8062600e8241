"""A daemon that only answers: what it says is the test's, how it says it the protocol's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jwstwatch.control.client import OTHER_STATE, short_name
from jwstwatch.control.lines import encode, read_lines
from jwstwatch.control.places import NAME, identity

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


class StandIn:
    """Listens where a daemon of the user would; `asked` are the requests, `answer` makes each reply."""

    def __init__(self, place: Path, state: Path, answer: Answer) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.answer = answer
        self._identity = identity(f"sqlite:///{state}")
        self._server = socket.socket(socket.AF_UNIX)
        place.parent.mkdir(parents=True, exist_ok=True)
        with short_name(place) as name:
            self._server.bind(name)
        place.chmod(0o660)
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                for request in read_lines(peer):
                    self._reply(peer, request)
                    break

    def _reply(self, peer: socket.socket, request: Mapping[str, Any]) -> None:
        if request.get("state") != self._identity:
            error = {"kind": OTHER_STATE, "message": "this daemon serves another state", "hint": ""}
            peer.sendall(encode({"error": error, "exit_code": 5}))
            return
        self.asked.append(request)
        reply = self.answer(request)
        if reply is not None:
            peer.sendall(encode(reply))


@contextlib.contextmanager
def standing_in(runtime_folder: Path, state: Path, answer: Answer) -> Iterator[StandIn]:
    """Stand in for the daemon of `state` until the block ends."""
    stand_in = StandIn(runtime_folder / "jwstwatch" / NAME, state, answer)
    try:
        yield stand_in
    finally:
        stand_in.close()
