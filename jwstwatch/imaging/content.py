"""Whether a file's bytes are what its name promises.

A check that refuses a good file is worse than one that lets a bad one pass: the length and the archive's
checksum have decided before, so only what no good file can look like is refused here.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards, pictures, texts

_SNIFFED = 4096
_AT_ONCE = 64 * 1024
"""Bytes that are read in one go: a small file is checked with a single read."""
_BUFFER = 16 * 1024
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|title|meta|link|base|script|style|frameset|noscript"
    rb"|h[1-6]|div|p|center|table|font)[\s/>]",
    re.IGNORECASE,
)
_SERVER_ERROR = re.compile(rb"<error[\s>]", re.IGNORECASE)
_PREAMBLE = re.compile(rb"\s+|<!--.*?-->|<\?xml.*?\?>", re.DOTALL | re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_BEGINNINGS = {
    ".asdf": b"#ASDF",
    ".gif": b"GIF8",
    ".gz": b"\x1f\x8b",
    ".pdf": b"%PDF-",
}
"""How files begin of which nothing else is checked."""


def check(path: Path, name: str) -> None:
    """Return if the bytes at `path` are what the ending of `name` promises; raise `ContentError` if not.

    Never empty, an HTML page or a server's XML error, whatever the ending. FITS: every header is whole and
    possible, and the last unit ends, padded, where the file ends; a file cut exactly between two units looks
    whole and is the length check's. JPEG and PNG: all pixels decode. JSON parses. ECSV has its columns in
    every row. CSV and TXT are UTF-8 text: a pool is `.csv` and has bars for commas, so columns prove nothing.
    ASDF, GIF, GZ and PDF begin as they must. Data of FITS are not read, and the memory needed does not grow
    with the file: beyond a limit, JSON and tables are looked at less closely, and pictures by their frame.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            _check(stream, Path(name).suffix.lower())
    except ContentError as error:
        raise ContentError(
            f"{name} is not what it should be: {error.message}",
            hint="It is fetched again later; if that does not help, the archive's own copy is broken.",
        ) from error


def _check(stream: io.FileIO, ending: str) -> None:
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(_AT_ONCE)
    _refuse_what_servers_say(start[:_SNIFFED])
    expected = _BEGINNINGS.get(ending, b"")
    if not start.startswith(expected):
        raise ContentError(f"it does not begin as {ending[1:].upper()} does")
    checker = _CHECKERS.get(ending)
    if checker is None:
        return
    if len(start) == size:
        checker(io.BytesIO(start), size)
        return
    stream.seek(0)
    with io.BufferedReader(stream, _BUFFER) as buffered:
        checker(buffered, size)


def _refuse_what_servers_say(start: bytes) -> None:
    if not start:
        raise ContentError("it is empty")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            start = start[len(mark) :].decode(encoding, errors="replace").encode()
            break
    position = 0
    while skipped := _PREAMBLE.match(start, position):
        position = skipped.end()
    if _HTML.match(start, position) or start.startswith(b"<!--", position):
        raise ContentError("it is an HTML page")
    if _SERVER_ERROR.match(start, position):
        raise ContentError("it is the error message of a server")


def _check_fits(stream: BinaryIO, size: int) -> None:
    """Raise `ContentError` unless the units fill the file to its last byte.

    Bytes behind the last unit are refused, nought or not, and so is a last unit without its padding: the
    standard allows neither for new files, no writer of JWST's leaves them, and they are just what a join of
    two downloads, space that was only reserved, or a cut looks like.
    """
    following = 0
    for unit in cards.walk(stream, size=size):
        following = unit.following
    if following > size:
        raise ContentError(f"{following - size} bytes are missing at its end")


_CHECKERS: dict[str, Callable[[BinaryIO, int], None]] = {
    ".fits": _check_fits,
    ".jpg": pictures.check_jpeg,
    ".jpeg": pictures.check_jpeg,
    ".png": pictures.check_png,
    ".json": texts.check_json,
    ".csv": texts.check_text,
    ".ecsv": texts.check_ecsv,
    ".txt": texts.check_text,
}
