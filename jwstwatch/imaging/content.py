"""Whether a file's bytes are what its name promises."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards, pictures

_SNIFFED = 4096
_TEXT_BLOCK = 1024 * 1024
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script|style|h1|div)[\s/>]", re.IGNORECASE
)
_PREAMBLE = re.compile(rb"\s+|<!--.*?-->|<\?xml.*?\?>", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def check(path: Path, name: str) -> None:
    """Return if the bytes at `path` are what the ending of `name` promises; raise `ContentError` if not.

    Never an HTML page and never empty, whatever the ending. FITS: every unit is whole and the last one ends,
    padded, where the file ends; a file cut exactly between two units looks whole and is the length check's.
    JPEG and PNG: all pixels decode. JSON parses. CSV, ECSV and TXT are UTF-8 text. Data of FITS are not read.
    """
    try:
        with path.open("rb") as stream:
            _refuse_empty_and_html(stream.read(_SNIFFED))
            stream.seek(0)
            checker = _CHECKERS.get(Path(name).suffix.lower())
            if checker is not None:
                checker(stream)
    except ContentError as error:
        raise ContentError(
            f"{name} is not what it should be: {error.message}",
            hint="It is fetched again later; if that does not help, the archive's own copy is broken.",
        ) from error


def _refuse_empty_and_html(start: bytes) -> None:
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


def _check_fits(stream: BinaryIO) -> None:
    following = 0
    for unit in cards.walk(stream):
        following = unit.following
    missing = following - stream.seek(0, 2)
    if missing:
        raise ContentError(f"{missing} bytes are missing at its end")


def _check_json(stream: BinaryIO) -> None:
    try:
        json.loads(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ContentError(f"it is no JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise ContentError("it is no JSON that can be read") from None


def _check_text(stream: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    blank = True
    try:
        while block := stream.read(_TEXT_BLOCK):
            text = decoder.decode(block)
            if _CONTROL.search(text):
                raise ContentError("it is not text but binary data")
            blank = blank and not text.strip("\ufeff \t\r\n\f")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8 text") from None
    if blank:
        raise ContentError("there is no text in it")


_CHECKERS: dict[str, Callable[[BinaryIO], None]] = {
    ".fits": _check_fits,
    ".jpg": pictures.check_jpeg,
    ".jpeg": pictures.check_jpeg,
    ".png": pictures.check_png,
    ".json": _check_json,
    ".csv": _check_text,
    ".ecsv": _check_text,
    ".txt": _check_text,
}
