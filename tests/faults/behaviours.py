"""What an archive may do to a download beyond what `tests.transfer.server` knows: mostly raw bytes."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.transfer.server import Behaviour, Handler

Ending = Callable[[Handler], None]


def hang_up(handler: Handler) -> None:
    """End the connection politely."""
    handler.hang_up()


def reset(handler: Handler) -> None:
    """End it the hard way."""
    handler.reset()


def fall_silent(handler: Handler) -> None:
    """Say nothing more, and keep the connection."""
    handler.depot.closing.wait(30)
    handler.hang_up()


def say(raw: bytes, ending: Ending = hang_up) -> Behaviour:
    """Send `raw`, which need not be HTTP, and then end as told."""

    def behave(handler: Handler) -> None:
        handler.send(raw)
        ending(handler)

    return behave


def drip(raw: bytes, drop: bytes, *, pause: float) -> Behaviour:
    """Send `raw`, and then `drop` again and again, for as long as somebody listens."""

    def behave(handler: Handler) -> None:
        handler.send(raw)
        until = time.monotonic() + 60
        while not handler.close_connection and time.monotonic() < until:
            handler.send(drop)
            if handler.depot.closing.wait(pause):
                break
        handler.hang_up()

    return behave


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Return an answer's headers as they are sent, with the empty line."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def send_as(
    content: bytes,
    *,
    status: int = 200,
    length: int | None = None,
    ending: Ending | None = None,
    **headers: object,
) -> Behaviour:
    """Send `content` under `status` and its length (or another), whatever was asked for."""

    def behave(handler: Handler) -> None:
        handler.begin(status, Content_Length=len(content) if length is None else length, **headers)
        handler.send(content)
        if ending is not None:
            ending(handler)

    return behave


def with_two_lengths(content: bytes, other: int) -> Behaviour:
    lengths = (f"Content-Length: {len(content)}", f"Content-Length: {other}")
    return say(head(*lengths) + content)


def in_chunks_of_garbage(content: bytes) -> Behaviour:
    """Chunked, with a size that is no number in the middle."""
    half = len(content) // 2
    first = f"{half:x}\r\n".encode() + content[:half] + b"\r\n"
    return say(head("Transfer-Encoding: chunked") + first + b"zz\r\n" + content[half:])


def packed_badly(content: bytes, *, etag: str) -> Behaviour:
    """gzip on the way, with a byte in the middle that is another."""
    squeezed = bytearray(gzip.compress(content))
    squeezed[len(squeezed) // 2 : len(squeezed) // 2 + 20] = b"\xff" * 20
    return send_as(bytes(squeezed), Content_Encoding="gzip", ETag=etag)


def packed_and_cut(content: bytes, *, etag: str) -> Behaviour:
    """gzip on the way, cut before it was sent: the length announced is that of what comes."""
    squeezed = gzip.compress(content)
    return send_as(squeezed[: len(squeezed) * 2 // 3], Content_Encoding="gzip", ETag=etag)


def refuse_by_date(status: int, *, seconds: float) -> Behaviour:
    """Refuse with a Retry-After that is a date, `seconds` from the moment of the request."""

    def behave(handler: Handler) -> None:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        handler.begin(status, Content_Length=2, Retry_After=moment)
        handler.send(b"{}")

    return behave


def interrupt(content: bytes, *, etag: str, deed: Callable[[], None]) -> Behaviour:
    """Send half of `content`, see that something happens meanwhile, then send the rest."""

    def behave(handler: Handler) -> None:
        half = len(content) // 2
        handler.begin(200, Content_Length=len(content), ETag=etag)
        handler.send(content[:half])
        deed()
        handler.send(content[half:])

    return behave


def cut_and(content: bytes, *, etag: str, deed: Callable[[], object]) -> Behaviour:
    """Send half of `content`, see that something happens, and hang up."""

    def behave(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(content), ETag=etag)
        handler.send(content[: len(content) // 2])
        deed()
        handler.hang_up()

    return behave


def drip_of_packed_nothing(*, pause: float) -> Behaviour:
    """gzip that never unpacks to a byte: empty blocks without an end."""
    start = gzip.compress(b"")[:10]
    empty = b"\x00\x00\x00\xff\xff"
    return drip(head("Content-Encoding: gzip") + start, empty, pause=pause)


def redirect_to_itself(handler: Handler) -> None:
    """Send whoever asks back to where he asks."""
    handler.begin(302, Content_Length=0, Location=handler.path)
