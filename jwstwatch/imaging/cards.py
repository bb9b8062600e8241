"""FITS headers as bytes: where each unit begins and ends, and what the value of a card is.

Only header blocks are read; data are stepped over, so time and memory do not follow the file's size.
Source: the FITS standard 4.0, sections 3 (organisation) and 4 (headers) with its long-string convention.

Not relied upon: NEXTEND, which no recorded header of JWST has and which a pipeline that copies headers may
leave behind wrong; DATASUM and CHECKSUM, which none of them has either and which would need every byte read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from jwstwatch.core.site import Keyword
from jwstwatch.errors import ContentError

BLOCK = 2880
"""Bytes in a FITS block."""

_CARD = 80
_END = b"END".ljust(_CARD)
_LONGEST_HEADER = 16 * 1024 * 1024
_MOST_AXES = 999
_MOST_BYTES = 2**63 - 1
_HOLE = bytes(_CARD)
_IMPOSSIBLE = "a FITS header in it describes data that cannot be"
_STRING = re.compile(r"\s*'((?:[^']|'')*)'")
_INTEGER = re.compile(r"[+-]?\d+\Z")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?\Z")
_NOT_ALLOWED = re.compile(r"[^ -~]")


def _fields(names: Collection[str]) -> dict[bytes, str]:
    """Return the names by the bytes that a card begins with."""
    return {name.ljust(8).encode("latin-1", "replace"): name for name in names}


_STRUCTURE = _fields(
    ["BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS"] + [f"NAXIS{axis}" for axis in range(1, _MOST_AXES + 1)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One header-data unit: `header` is its cards without END, `following` the byte after its data."""

    header: bytes
    following: int


def walk(stream: BinaryIO, *, size: int) -> Iterator[Unit]:
    """Yield the units of a FITS file of `size` bytes; `ContentError` where a header is broken.

    The last one is yielded even if its data end behind the end of the file: what that means is the caller's
    to say, and so is the file's name in the message.
    """
    if size == 0:
        raise ContentError("it is empty")
    start = 0
    while start < size:
        stream.seek(start)
        header = _read_header(stream, first=start == 0)
        if _HOLE in header:  # bytes that never reached the disk
            raise ContentError("a FITS header in it has a hole")
        blocks = -(-_count_data_bytes(header) // BLOCK)
        start = stream.tell() + blocks * BLOCK
        yield Unit(header=header, following=start)


def _read_header(stream: BinaryIO, *, first: bool) -> bytes:
    header = bytearray()
    while len(header) < _LONGEST_HEADER:
        block = stream.read(BLOCK)
        if not header:
            _check_first_card(block, first=first)
        if len(block) < BLOCK:
            raise ContentError("it ends in the middle of a FITS header")
        end = _find_end(block)
        if end is not None:
            return bytes(header + block[:end])
        header += block
    raise ContentError(f"a FITS header in it has no END within {_LONGEST_HEADER // 2**20} MiB")


def _check_first_card(block: bytes, *, first: bool) -> None:
    if not first and not block.startswith(b"XTENSION="):
        raise ContentError("after its last FITS unit come bytes that are no extension")
    if first and not (block.startswith(b"SIMPLE  =") and block[9:_CARD].split(b"/")[0].strip() == b"T"):
        raise ContentError("it does not begin as a FITS file does")


def _find_end(block: bytes) -> int | None:
    position = block.find(_END)
    while position >= 0 and position % _CARD:
        position = block.find(_END, position + 1)
    return position if position >= 0 else None


def _count_data_bytes(header: bytes) -> int:
    cards = _read_structure(header)
    bits = abs(_take_count(cards, "BITPIX"))
    number_of_axes = _take_count(cards, "NAXIS")
    if bits not in (8, 16, 32, 64) or not 0 <= number_of_axes <= _MOST_AXES:
        raise ContentError(_IMPOSSIBLE)
    axes = [_take_count(cards, f"NAXIS{axis}") for axis in range(1, number_of_axes + 1)]
    if not axes:
        return 0
    if cards.get("GROUPS") is True and axes[0] == 0:  # random groups: the first axis counts nothing
        del axes[0]
    values = _take_count(cards, "GCOUNT", 1) * (_take_count(cards, "PCOUNT", 0) + math.prod(axes))
    if min(axes, default=0) < 0 or not 0 <= values <= _MOST_BYTES:
        raise ContentError(_IMPOSSIBLE)
    return values * bits // 8


def _read_structure(header: bytes) -> dict[str, Keyword]:
    """Return the values that say how long the data are, mostly from the first cards alone."""
    cards: dict[str, Keyword] = {}
    start = _CARD
    while (name := _STRUCTURE.get(header[start : start + 8])) and header[start + 8 : start + 10] == b"= ":
        cards.setdefault(name, _read_value(header, start))
        start += _CARD
    axes = cards.get("NAXIS")
    if axes == 0 and "BITPIX" in cards:
        return cards
    if "GCOUNT" in cards and "PCOUNT" in cards and isinstance(axes, int) and len(cards) == axes + 4:
        return cards
    # A primary unit with data may have them anywhere, and so may whoever does not keep to the standard.
    return _read_fields(header, _STRUCTURE)


def _take_count(cards: Mapping[str, Keyword], name: str, default: int | None = None) -> int:
    value = cards.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ContentError(f"a FITS header in it has no whole number for {name}")
    return value


def read_values(header: bytes, names: Collection[str]) -> dict[str, Keyword]:
    """Return the values of the cards called `names`; of several cards with one name the first counts.

    An undefined value is None. What is no FITS value (a complex number, NaN) is returned as its text;
    a character that FITS does not allow becomes U+FFFD.
    """
    return _read_fields(header, _fields(names))


def _read_fields(header: bytes, names: Mapping[bytes, str]) -> dict[str, Keyword]:
    found: dict[str, Keyword] = {}
    for start in range(0, len(header), _CARD):
        name = names.get(header[start : start + 8])
        if name and name not in found and header[start + 8 : start + 10] == b"= ":
            found[name] = _read_value(header, start)
    return found


def _read_value(header: bytes, start: int) -> Keyword:
    field = header[start + 10 : start + _CARD]
    digits = field.partition(b"/")[0].strip(b" ")
    if digits.isdigit():  # the most frequent kind, and all that the structure needs
        return int(digits)
    text = _decode(field)
    string = _STRING.match(text)
    if string is None:
        return _read_plain_value(text.partition("/")[0].strip())
    pieces = [_unquote(string)]
    while pieces[-1].endswith("&") and header.startswith(b"CONTINUE  ", start := start + _CARD):
        more = _STRING.match(_decode(header[start + 10 : start + _CARD]))
        if more is None:
            break
        pieces[-1] = pieces[-1][:-1]
        pieces.append(_unquote(more))
    return "".join(pieces)


def _unquote(string: re.Match[str]) -> str:
    return string[1].replace("''", "'").rstrip(" ")


def _read_plain_value(text: str) -> Keyword:
    if text in ("T", "F"):
        return text == "T"
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        number = float(text.upper().replace("D", "E"))
        return number if math.isfinite(number) else text
    return text or None


def _decode(field: bytes) -> str:
    return _NOT_ALLOWED.sub("\ufffd", field.decode("latin-1"))
