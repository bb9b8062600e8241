"""How the commands speak: JSON for scripts, aligned tables for people, one line per fact for logs."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain, islice
from typing import TextIO

from jwstwatch import logs

SCHEMA = 1

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_NARROWEST = 8
"""Columns that a cell keeps, however narrow the terminal is."""
_AT_ONCE = 1000
"""Rows from which the widths of a table's columns are told; a longer one is not held in memory."""
_ENDLESS = 1 << 30
_NUMBER = re.compile(r"-?|[0-9][0-9.,]*(e[+-][0-9]+)?( ([kMGTP]?B(/s)?|%))?")
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a text may look: at most `width` columns wide (None: as wide as it likes), in colour or not."""

    width: int | None = None
    colour: bool = False

    def paint(self, text: str, style: str) -> str:
        """Return `text` in a style (bold, dim, red, green, yellow; empty for none) where colour is wanted."""
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self.colour and style and text else text


def look_of(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Look:
    """Return how a text on `stream` may look: a file or a pipe is as wide as it likes, and has no colour."""
    if not stream.isatty():
        return Look()
    plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return Look(width=size_of_terminal(stream, environ)[0], colour=not plain)


def size_of_terminal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Return columns and lines of the terminal that `stream` is; 80 and 24 where it does not tell."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((0, 0))
    named = environ.get("COLUMNS", "")
    columns = int(named) if named.isascii() and named.isdigit() else size.columns
    return columns or 80, size.lines or 24


def prepare(arguments: argparse.Namespace) -> None:
    """Set how much the program and its libraries say on standard error."""
    verbose = arguments.verbose
    level = logging.DEBUG if verbose > 1 else logging.INFO if verbose else logging.WARNING
    logs.configure(level=level, tracebacks=bool(verbose))
    quiet_libraries(verbose)


def quiet_libraries(verbose: int) -> None:
    """Let libraries say no more than is asked for."""
    for name in ("urllib3", "PIL", "alembic", "apscheduler", "keyring", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose > 2 else logging.WARNING)


def print_json(document: Mapping[str, object]) -> None:
    """Print a document as the only thing on standard output, with its schema."""
    print(json.dumps({"schema": SCHEMA, **document}, indent=2, default=str))


class JsonRows:
    """A document with one list, written row by row as if `print_json` had printed all of it.

    Nothing is printed before the first row, or the end. What else is to be told (an error, say) comes last.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.begun = self.ended = False
        self._rows = 0

    def write(self, row: Mapping[str, object]) -> None:
        """Print one more row."""
        text = f"{self._opening()}{',' if self._rows else ''}\n    {_indented(row, '    ')}"
        self._rows += 1
        sys.stdout.write(text)

    def end(self, more: Mapping[str, object] | None = None) -> None:
        """Print what belongs to the document besides, and its end."""
        parts = [f",\n  {json.dumps(name)}: {_indented(value, '  ')}" for name, value in (more or {}).items()]
        text = f"{self._opening()}{f'{chr(10)}  ' if self._rows else ''}]{''.join(parts)}\n}}\n"
        self.ended = True
        sys.stdout.write(text)

    def _opening(self) -> str:
        if self.begun:
            return ""
        self.begun = True
        return f'{{\n  "schema": {SCHEMA},\n  {json.dumps(self._name)}: ['


def _indented(value: object, margin: str = "") -> str:
    """Return what `json.dumps(indent=2)` does, further to the right; what is flat its fast encoder writes."""
    if not isinstance(value, (dict, list, tuple)) or not value:
        return json.dumps(value, default=str)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inner = f"\n{margin}  "
    items = value.values() if isinstance(value, dict) else value
    if not any(isinstance(item, (dict, list, tuple)) for item in items):
        text = _encoder(f",{inner}").encode(value)[1:-1]
    elif isinstance(value, dict):
        named = (f"{json.dumps(key)}: {_indented(item, margin + '  ')}" for key, item in value.items())
        text = f",{inner}".join(named)
    else:
        text = f",{inner}".join(_indented(item, margin + "  ") for item in value)
    return f"{opening}{inner}{text}\n{margin}{closing}"


@cache
def _encoder(separator: str) -> json.JSONEncoder:
    return json.JSONEncoder(separators=(separator, ": "), default=str)


def print_json_line(document: Mapping[str, object]) -> None:
    """Print one of many documents, each with its schema and on a line of its own, at once."""
    line = {"schema": SCHEMA, **document}
    print(json.dumps(line, separators=(",", ":"), default=str), flush=True)


def complain(text: str, *, hint: str = "") -> None:
    """Say on standard error what is wrong."""
    print(f"jwstwatch: {text}", file=sys.stderr)
    if hint:
        _hint(hint)


def hint(text: str) -> None:
    """Say on standard error what to do about it."""
    _hint(text)


def _hint(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def size(count: float | None) -> str:
    """Write a number of bytes for people: `1.2 GB`."""
    if count is None:
        return "-"
    value = float(count)
    for unit in _UNITS:
        if abs(value) < 999.5 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def ago(moment: datetime | None, now: datetime) -> str:
    """Write how long ago (or how soon) something is: `5 min ago`, `in 2 h`."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """Write a length of time for people: `5 min`, `2 h`."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    look: Look | None = None,
    least: Sequence[str] = (),
    style: Callable[[str, str], str] | None = None,
) -> str:
    """Lay out a table that fits its width, that of the terminal unless `look` is given; it never wraps.

    Numbers stand to the right. Where there is no room, the columns in `least` are left out, the first one
    first; then the widest column of words is cut. `style` names the style of a cell, by its column and text.
    """
    look = look or look_of(sys.stdout)
    rows = [[plain(cell) for cell in row] for row in rows]
    natural = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    shown = _columns_that_fit(head, natural, look.width, least)
    head = [head[column] for column in shown]
    rows = [[row[column] for column in shown] for row in rows]
    numbers = [bool(column) and _is_number(rows, column) for column in range(len(head))]
    widths = _widths([natural[column] for column in shown], look.width, numbers)
    lines = [_line(head, widths, numbers)]
    for row in rows:
        styles = [style(name, cell) if style else "" for name, cell in zip(head, row, strict=True)]
        lines.append(_line(row, widths, numbers, look=look, styles=styles))
    return "\n".join(lines)


def lines_of_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, widest: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines of a table of any length, which need not fit into memory, as the rows come.

    Of many rows the first ones tell how wide the columns are, and `widest` what may still come in them; the
    last column takes what is left. What is wider all the same is cut on a terminal only.
    """
    rows = iter(rows)
    first = list(islice(rows, _AT_ONCE))
    if len(first) < _AT_ONCE:
        yield from table(head, first).split("\n")
        return
    look = look_of(sys.stdout)
    numbers = [bool(column) and _is_number(first, column) for column in range(len(head))]
    natural = [max(map(len, cells)) for cells in zip(head, widest, *first, strict=True)]
    widths = _widths([*natural[:-1], _ENDLESS], look.width, numbers)
    whole = look.width is None
    yield _line(head, widths, numbers)
    for row in chain(first, rows):
        yield _line([plain(cell) for cell in row], widths, numbers, whole=whole)


def _columns_that_fit(
    head: Sequence[str], natural: Sequence[int], width: int | None, least: Sequence[str]
) -> list[int]:
    columns = list(range(len(head)))
    for name in least:
        if width is None or sum(natural[column] + 2 for column in columns) - 2 <= width:
            break
        columns.remove(head.index(name))
    return columns


def _widths(natural: Sequence[int], width: int | None, numbers: Sequence[bool]) -> list[int]:
    """Cut the widest column of words to what the others leave."""
    widths = list(natural)
    words = [column for column, number in enumerate(numbers) if not number]
    if width is not None and words:
        widest = max(words, key=lambda column: widths[column])
        others = sum(widths) - widths[widest] + 2 * (len(widths) - 1)
        widths[widest] = max(min(widths[widest], width - others), min(widths[widest], _NARROWEST))
    return widths


def _line(
    row: Sequence[str],
    widths: Sequence[int],
    numbers: Sequence[bool],
    *,
    look: Look | None = None,
    styles: Sequence[str] = (),
    whole: bool = False,
) -> str:
    """Return a row in columns; what is wider than its column is cut, or (`whole`) moves the others."""
    parts = []
    for number, (cell, width, right) in enumerate(zip(row, widths, numbers, strict=True)):
        text = cell if whole else cut(cell, width)
        last = number == len(row) - 1
        padded = text.rjust(width) if right else text if last else text.ljust(width)
        if last:
            padded = padded.rstrip()
        parts.append(look.paint(padded, styles[number]) if look is not None else padded)
    return "  ".join(parts).rstrip()


def plain(text: str) -> str:
    """Return `text` without what would steer a terminal, or cannot be printed: it may be an outsider's."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def cut(text: str, width: int | None) -> str:
    """Return `text` in at most `width` columns, with an ellipsis where something is missing."""
    return text if width is None or len(text) <= width else text[: max(width - 1, 0)] + "…"


def _is_number(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in rows]
    return all(_NUMBER.fullmatch(cell) for cell in cells) and any(cell[:1].isdigit() for cell in cells)


def emphasised(text: str) -> str:
    """Return `text` in bold on a terminal that shows it, as it is elsewhere."""
    return look_of(sys.stdout).paint(text, "bold")
