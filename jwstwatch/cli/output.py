"""How the commands speak: JSON for scripts, aligned tables for people, one line per fact for logs."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

SCHEMA = 1

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def prepare(arguments: argparse.Namespace) -> None:
    """Set how much the program and its libraries say on standard error."""
    verbose = arguments.verbose
    level = logging.DEBUG if verbose > 1 else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("urllib3", "PIL", "alembic", "apscheduler", "keyring", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose > 2 else logging.WARNING)


def print_json(document: Mapping[str, object]) -> None:
    """Print a document as the only thing on standard output, with its schema."""
    print(json.dumps({"schema": SCHEMA, **document}, indent=2, default=str))


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
    length = abs(seconds)
    for limit, unit, name in (
        (90, 1, "s"),
        (5400, 60, "min"),
        (172800, 3600, "h"),
        (float("inf"), 86400, "d"),
    ):
        if length < limit:
            text = f"{length / unit:.0f} {name}"
            return f"{text} ago" if seconds >= 0 else f"in {text}"
    raise AssertionError("unreachable")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table that fits the terminal: numbers to the right, the last column cut where it must be."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * (len(widths) - 1)
        widths[-1] = max(min(widths[-1], room), 8)
    lines = []
    for row in cells:
        parts = []
        for column, cell in enumerate(row):
            text = cell if len(cell) <= widths[column] else cell[: widths[column] - 1] + "…"
            right = column and _is_number(rows, column)
            parts.append(text.rjust(widths[column]) if right else text.ljust(widths[column]))
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _is_number(rows: Sequence[Sequence[str]], column: int) -> bool:
    return bool(rows) and all(row[column][:1].isdigit() or row[column] in ("-", "") for row in rows)


def emphasised(text: str) -> str:
    """Return `text` in bold on a terminal, as it is elsewhere."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text
