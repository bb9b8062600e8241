"""Whether JSON, ECSV and plain text are that, in memory that does not follow the file's size."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from jwstwatch.errors import ContentError

LARGEST_PARSED = 8 * 1024 * 1024
"""Bytes; of a larger file only the outside and the letters are looked at. Associations have some 100 kB."""

_BLOCK = 1024 * 1024
_EDGE = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ECSV = re.compile(r"# %ECSV \d")
_DELIMITER = re.compile(r"#\s*delimiter:\s*(['\"]?)([^\r'\"])\1\s*\Z")
"""The csv module of later Pythons takes neither the end of a line nor its own quotes for a delimiter."""
_BRACKETS = {b"{": b"}", b"[": b"]"}


def check_text(stream: BinaryIO, _size: int) -> None:
    """Raise `ContentError` unless `stream` is UTF-8 text with something in it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    blank = True
    try:
        while block := stream.read(_BLOCK):
            text = decoder.decode(block)
            if _CONTROL.search(text):
                raise ContentError("it is not text but binary data")
            blank = blank and not text.strip("\ufeff \t\r\n\f")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8 text") from None
    if blank:
        raise ContentError("there is no text in it")


def check_json(stream: BinaryIO, size: int) -> None:
    """Raise `ContentError` unless `stream` is JSON; a very large one is judged by its two ends."""
    if size > LARGEST_PARSED:
        _check_brackets(stream)
        return
    try:
        json.loads(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ContentError(f"it is no JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise ContentError("it is no JSON that can be read") from None


def check_ecsv(stream: BinaryIO, size: int) -> None:
    """Raise `ContentError` unless `stream` is an ECSV table with every column in every row.

    Its YAML header is not parsed. Source: the ECSV description of astropy's APE 6.
    """
    check_text(stream, size)
    stream.seek(0)
    beginning = stream.read(_EDGE).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    if not _ECSV.match(beginning):
        raise ContentError("it does not begin as ECSV does")
    if size <= LARGEST_PARSED:
        stream.seek(0)
        _check_rows(stream.read().decode("utf-8-sig"))


def _check_brackets(stream: BinaryIO) -> None:
    beginning = stream.read(_EDGE).removeprefix(codecs.BOM_UTF8).lstrip()
    stream.seek(-_EDGE, 2)
    closing = _BRACKETS.get(beginning[:1])
    if closing is None or not stream.read().rstrip().endswith(closing):
        raise ContentError("it is no JSON: it does not end as it begins")


def _check_rows(text: str) -> None:
    delimiter = " "
    for line in text.split("\n"):
        if not line.startswith("#"):
            break
        if stated := _DELIMITER.match(line):
            delimiter = stated[2]
    reader = csv.reader(_rows(text), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = len(next(reader, ()))
        if not columns:
            raise ContentError("the names of its columns are missing")
        for row in reader:
            if len(row) != columns:
                raise ContentError(f"a row of it has {len(row)} of {columns} columns")
    except csv.Error:
        # A field longer than this module takes: a good table may have one.
        return


def _rows(text: str) -> Iterator[str]:
    # Not splitlines, which also splits at letters that a quoted value may hold.
    for line in text.split("\n"):
        row = line.strip(" \r")
        if row and not row.startswith("#"):
            yield row
