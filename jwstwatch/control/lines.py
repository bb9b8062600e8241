"""Messages on the control socket: one JSON object a line, in both directions.

A client sends one request: `{"ask": ..., "state": identity, ...}`. The answer is one or more lines, and the
end of the stream. A refusal is `{"error": {"kind", "message", "hint"}, "exit_code": n}`.

ask       | besides                                           | answer
status    | profile (or none)                                 | `{"status": document}`
run-now   | profiles, full, force, yes, accept_gone, follow   | `{"accepted": [TICKET]}`, events
retry     | names, profiles, follow                           | `{"retried": n}`, then as run-now
progress  |                                                   | events of every run, until the client leaves

A TICKET is `{"profile", "ticket", "joined"}`.

An event is `{"event": name, "profile": ..., "ticket": n, ...}` with what a run's reporter is told (`step`,
`listed`, `checked`, `planned`, `started`, `advanced`, `finished`, `failed`, `warned`), and at last `ended`
with `run` and `exit_code`. `dropped` says that a run which waited was taken back (its profile is gone from
the configuration), `lost` that the client was too slow and hears no more.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 1 << 24
"""Bytes of the longest line that is read."""

Message = dict[str, Any]


class BrokenLineError(ValueError):
    """What came is no line of this protocol."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the line that carries a message."""
    return json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"


def read_lines(peer: socket.socket, *, longest: int = LONGEST) -> Iterator[Message]:
    """Yield the messages that come until the other side closes; a line that breaks off is none.

    Raises `BrokenLineError`, and `OSError` as the socket does (`TimeoutError` where it has a time-out).
    """
    waiting = b""
    while True:
        came = peer.recv(1 << 16)
        if not came:
            return
        *lines, waiting = (waiting + came).split(b"\n")
        if len(waiting) > longest:
            raise BrokenLineError("a line without an end")
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                raise BrokenLineError("a line that is no JSON") from None
            if not isinstance(message, dict):
                raise BrokenLineError("a line that is no JSON object")
            yield message
