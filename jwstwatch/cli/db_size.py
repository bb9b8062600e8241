"""`jwstwatch db vacuum`, and how large the state is."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.cli.choices import counted
from jwstwatch.core.dates import iso
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.store.engine import Database
    from jwstwatch.store.sizes import Size


def vacuum(database: Database, where: str, *, as_json: bool) -> ExitCode:
    """Vacuum a state that is there, and say what it came to."""
    from jwstwatch.store import sizes
    from jwstwatch.store.vacuuming import vacuum as carry_out

    before = sizes.bytes_now(database)
    teller = _Teller(quiet=as_json)
    try:
        carry_out(database, now=datetime.now(UTC), report=teller)
    finally:
        teller.end()
    size = sizes.measure(database)
    if as_json:
        sizes_of_state = {"before_bytes": before, "after_bytes": size.bytes}
        output.print_json({"state": where, **sizes_of_state, **_rows(size)})
    else:
        print(f"{where}: {output.size(before)} before, {output.size(size.bytes)} now.")
        print(described(size))
    return ExitCode.DONE


def document(size: Size) -> dict[str, object]:
    """Return the size as JSON has it."""
    return {"bytes": size.bytes, **_rows(size)}


def described(size: Size) -> str:
    """Return the size in a line for people."""
    history = counted(size.events, "event")
    if size.since is not None:
        history = f"{history} since {size.since:%Y-%m-%d}"
    products = f"{counted(size.products, 'product')} in {counted(size.listings, 'listing')}"
    rest = f"{counted(size.files, 'file')}, {history}, {counted(size.runs, 'run')}"
    line = f"{output.size(size.bytes)}: {products}, {rest}"
    each = size.bytes_per_product
    return f"{line}." if each is None else f"{line}; {output.size(each)} per product."


def _rows(size: Size) -> dict[str, object]:
    return {
        "products": size.products,
        "files": size.files,
        "listings": size.listings,
        "events": size.events,
        "events_since": iso(size.since),
        "runs": size.runs,
        "bytes_per_product": size.bytes_per_product,
    }


class _Teller:
    """Tells of the progress on standard error: in one line on a terminal, each step once elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._in_place = sys.stderr.isatty()
        self._said = ""

    def __call__(self, doing: str, part: float | None) -> None:
        """Say what is done now, and how much of it."""
        percent = "" if part is None or not self._in_place else f" {part:.0%}"
        text = f"jwstwatch: {doing}{percent} ..."
        if self._quiet or text == self._said:
            return
        self._said = text
        self._write(f"\r\033[K{text}" if self._in_place else f"{text}\n")

    def end(self) -> None:
        """Leave the terminal's line empty for what follows."""
        if self._in_place and self._said:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        # Nobody may be listening any more (`2>&1 | head`): no reason to end.
        with contextlib.suppress(BrokenPipeError):
            print(text, end="", file=sys.stderr, flush=True)
