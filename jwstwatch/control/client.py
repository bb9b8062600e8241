"""A command's side of the control socket."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jwstwatch.control.lines import BrokenLineError, Message, encode, read_lines
from jwstwatch.control.places import asking_places, identity
from jwstwatch.errors import ExitCode, JwstwatchError

PATIENCE = 5.0
"""Seconds that a daemon may take for its first word; one that is silent for longer counts as absent."""

_GLANCE = 0.02

OTHER_STATE = "other_state"
"""Kind of the refusal of a daemon that serves another state."""


UNKNOWN_PROFILE = "unknown_profile"
"""Kind of the refusal of a daemon whose configuration has no such profile."""


class RefusedError(JwstwatchError):
    """The daemon heard the request and does not follow it."""

    def __init__(self, message: str, *, hint: str, kind: str, exit_code: ExitCode) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.exit_code = exit_code


class DaemonGoneError(JwstwatchError):
    """The daemon ended, or its line broke, before it had answered."""

    exit_code = ExitCode.BUSY
    kind = "daemon_gone"


class Conversation:
    """A request that a daemon has taken; `first` is its first line, iterating gives the rest."""

    def __init__(self, peer: socket.socket, first: Message, rest: Iterator[Message]) -> None:
        self._peer = peer
        self._rest = rest
        self.first = first

    def __iter__(self) -> Iterator[Message]:
        """Yield the lines that follow, as they come; raises `DaemonGoneError` where the line breaks."""
        try:
            yield from self._rest
        except (OSError, BrokenLineError) as error:
            raise DaemonGoneError(
                "the daemon stopped answering", hint="`jwstwatch status` shows how things stand."
            ) from error


@contextlib.contextmanager
def talk(
    state_url: str,
    environ: Mapping[str, str],
    request: Mapping[str, Any],
    *,
    patience: float = PATIENCE,
) -> Iterator[Conversation | None]:
    """Ask the daemon of a state; yields None where none answers. `patience` is in seconds.

    Raises `RefusedError` where the daemon says no.
    """
    with contextlib.ExitStack() as stack:
        yield _begin(stack, state_url, environ, request, patience)


def ask(
    state_url: str, environ: Mapping[str, str], request: Mapping[str, Any], *, patience: float = PATIENCE
) -> Message | None:
    """Return the daemon's only answer, None where no daemon answers. Raises `RefusedError`."""
    with talk(state_url, environ, request, patience=patience) as conversation:
        return conversation.first if conversation is not None else None


def _begin(
    stack: contextlib.ExitStack,
    state_url: str,
    environ: Mapping[str, str],
    request: Mapping[str, Any],
    patience: float,
) -> Conversation | None:
    line = encode({"state": identity(state_url), **request})
    for place in asking_places(environ, state_url):
        peer = _connect(place, patience)
        if peer is None:
            continue
        stack.callback(peer.close)
        messages = read_lines(peer)
        try:
            peer.sendall(line)
            first = next(messages, None)
        except (OSError, BrokenLineError):
            continue
        if first is None or _is_other(first):
            continue
        _check(first)
        peer.settimeout(None)
        return Conversation(peer, first, messages)
    return None


def _connect(place: Path, patience: float) -> socket.socket | None:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    peer.settimeout(patience)
    try:
        with short_name(place) as name:
            _knock(peer, name, patience)
    except OSError:
        peer.close()
        return None
    return peer


def _knock(peer: socket.socket, name: str, patience: float) -> None:
    """Connect; where many knock at this moment the system does not let one wait, so it is tried again."""
    limit = time.monotonic() + patience
    while True:
        try:
            peer.connect(name)
        except BlockingIOError:
            if time.monotonic() > limit:
                raise
            time.sleep(_GLANCE)
        else:
            return


@contextlib.contextmanager
def short_name(place: Path) -> Iterator[str]:
    """Yield a name of a socket that fits into its address, however deep its folder lies."""
    if len(os.fsencode(place)) < 100:
        yield str(place)
        return
    folder = os.open(place.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{place.name}"
    finally:
        os.close(folder)


def _is_other(first: Message) -> bool:
    error = first.get("error")
    return isinstance(error, dict) and error.get("kind") == OTHER_STATE


def _check(first: Message) -> None:
    error = first.get("error")
    if not isinstance(error, dict):
        return
    try:
        code = ExitCode(first.get("exit_code", ExitCode.BUG))
    except ValueError:
        code = ExitCode.BUG
    kind = str(error.get("kind", "refused"))
    message, hint = str(error.get("message", "the daemon refuses")), str(error.get("hint", ""))
    if kind == UNKNOWN_PROFILE:
        # Whoever asks has looked into the file, and found it there.
        message = f"the daemon works with another configuration: {message}"
        hint = "Have it read the file again: `systemctl reload jwstwatch`, or SIGHUP. " + hint
    raise RefusedError(message, hint=hint, kind=kind, exit_code=code)
