"""`status --watch`: the same picture again and again, in place."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from jwstwatch.cli import output, session
from jwstwatch.cli.output import Look
from jwstwatch.cli.status_source import Told
from jwstwatch.errors import ExitCode, JwstwatchError

PAUSE, LONGER_PAUSE = 1.0, 2.0
"""Seconds between two pictures: as the daemon tells them, and as the state is read for them."""

_GLANCE = 0.05
"""Seconds between two looks at the stop."""

# An own screen, no cursor, no wrapping; and back.
_ENTER, _LEAVE = "\033[?1049h\033[?25l\033[?7l", "\033[?7h\033[?25h\033[?1049l"
_TOP, _REST_OF_LINE, _REST = "\033[H", "\033[K", "\033[J"


def watch(ask: Callable[[], Told], *, text: Callable[[Told, Look], str], as_json: bool) -> ExitCode:
    """Show how things stand until Ctrl-C, which is a good end; trouble on the way is shown, not raised."""
    with session.stoppable() as stopper, contextlib.suppress(KeyboardInterrupt):
        told: Told | JwstwatchError = ask()  # what is wrong from the beginning ends it
        with contextlib.nullcontext() if as_json else _own_screen():
            while not stopper.event.is_set():
                if as_json:
                    output.print_json_line(told.document if isinstance(told, Told) else _error(told))
                else:
                    _draw(_picture(told, text))
                by_daemon = isinstance(told, Told) and told.by_daemon
                _rest(stopper.event, PAUSE if by_daemon else LONGER_PAUSE)
                if not stopper.event.is_set():
                    told = _ask_again(ask)
    return ExitCode.TERMINATED if stopper.signal == signal.SIGTERM else ExitCode.DONE


def _rest(stop: threading.Event, seconds: float) -> None:
    # Not by waiting for the event: a signal that comes while its lock is taken would wait for it for ever.
    end = time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < end:
        time.sleep(_GLANCE)


def _ask_again(ask: Callable[[], Told]) -> Told | JwstwatchError:
    try:
        return ask()
    except JwstwatchError as error:
        return error


def _error(error: JwstwatchError) -> dict[str, object]:
    return {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}


def _picture(told: Told | JwstwatchError, text: Callable[[Told, Look], str]) -> str:
    look = output.look_of(sys.stdout)
    if isinstance(told, JwstwatchError):
        return f"{look.paint(told.message, 'red')}\n  {told.hint}"
    return look.paint(f"{told.document.get('at')}, until Ctrl-C", "dim") + "\n\n" + text(told, look)


@contextlib.contextmanager
def _own_screen() -> Iterator[None]:
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def _draw(text: str) -> None:
    """Write over the last picture, as much as the screen holds."""
    lines = text.split("\n")
    room = output.size_of_terminal(sys.stdout)[1]
    if len(lines) > room:
        lines = [*lines[: room - 1], f"({len(lines) - room + 1} more lines: a higher window shows them)"]
    sys.stdout.write(_TOP + "\r\n".join(line + _REST_OF_LINE for line in lines) + _REST)
    sys.stdout.flush()
