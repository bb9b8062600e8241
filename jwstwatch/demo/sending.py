"""Puts an answer on the wire, whole and fast, or with the faults that were asked for."""

from __future__ import annotations

import math
import os
import re
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from jwstwatch.demo.faults import FaultKind, Strikes
from jwstwatch.demo.requestlog import LoggedRequest

_BLOCK = 256 * 1024
_SLOW_STEP = 0.05
"""Seconds between the blocks of a slow answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer before it is sent; Content-Length is the sender's."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""


def asked_range(
    headers: Message,
    *,
    size: int,
    validators: tuple[str, str],
    ignore: bool = False,
    ignore_condition: bool = False,
) -> tuple[int, int] | None:
    """Return the asked range as (start, end), end excluded; None for the whole file.

    A start at or beyond `size` cannot be satisfied. An If-Range that names neither of `validators` (ETag,
    Last-Modified), several ranges or a malformed one ask for the whole file. Source: RFC 9110, section 14.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").strip())
    condition = headers.get("If-Range")
    if ignore or match is None or match.group() == "bytes=-":
        return None
    if condition is not None and condition not in validators and not ignore_condition:
        return None
    first, last = match.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) else (size, size)
    start = int(first)
    if last and int(last) < start:
        return None
    return start, min(int(last) + 1, size) if last else size


def send(
    handler: BaseHTTPRequestHandler,
    reply: Reply,
    *,
    strikes: Strikes,
    logged: LoggedRequest,
    pause: Callable[[float], object],
) -> None:
    """Send `reply` with the faults of `strikes`; what went out is noted in `logged` before it goes."""
    if FaultKind.RESET in strikes and strikes[FaultKind.RESET].after == 0:
        _reset(handler)
        return
    logged.status = int(reply.status)
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    length = len(reply.body)
    if FaultKind.WRONG_LENGTH in strikes:
        length = max(length + strikes[FaultKind.WRONG_LENGTH].amount, 0)
        handler.close_connection = True
    if FaultKind.NO_LENGTH in strikes:
        handler.send_header("Connection", "close")
    elif reply.status != HTTPStatus.NO_CONTENT:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    if handler.command != "HEAD":
        _send_body(handler, memoryview(reply.body), strikes=strikes, logged=logged, pause=pause)


def _send_body(
    handler: BaseHTTPRequestHandler,
    body: memoryview,
    *,
    strikes: Strikes,
    logged: LoggedRequest,
    pause: Callable[[float], object],
) -> None:
    body = _garble(body, strikes)
    slow = strikes.get(FaultKind.SLOW)
    stall = strikes.get(FaultKind.STALL)
    block = max(int(slow.rate * _SLOW_STEP), 1) if slow else _BLOCK
    stop, action = _end_of(strikes)
    pauses = {stall.after: stall.seconds} if stall else {}
    position = 0
    while position < len(body):
        if position >= stop:
            action(handler)
            return
        if position in pauses:
            pause(pauses.pop(position))
        end = min([position + block, len(body), *(edge for edge in (stop, *pauses) if edge > position)])
        logged.bytes += int(end) - position
        handler.wfile.write(body[position : int(end)])
        position = int(end)
        if slow:
            pause(_SLOW_STEP)


def _end_of(strikes: Strikes) -> tuple[float, Callable[[BaseHTTPRequestHandler], None]]:
    for kind, action in ((FaultKind.TRUNCATE, _hang_up), (FaultKind.RESET, _reset)):
        if kind in strikes:
            return strikes[kind].after, action
    return math.inf, _hang_up


def _garble(body: memoryview, strikes: Strikes) -> memoryview:
    if FaultKind.GARBLE not in strikes or not body:
        return body
    garbled = bytearray(body)
    garbled[min(strikes[FaultKind.GARBLE].after, len(garbled) - 1)] ^= 0xFF
    return memoryview(garbled)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Closed under the feet of the base class, which would say a polite goodbye first.
    os.close(handler.connection.detach())
