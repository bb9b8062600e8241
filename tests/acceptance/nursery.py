"""A process that has the heavy packages loaded, and forks off a Python program for each order that it gets.

A program starts in a moment that way, where loading astroquery, astropy and SQLAlchemy takes a second or two.
Only packages of others and the pure `jwstwatch.core` are loaded beforehand. A program loads the rest itself,
and has its own environment, folder, streams and mask; it is a process of its own, whose end a keeper tells.
What must begin with a new interpreter is not started here: see `starting.py`, whose other half this is.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import types
import warnings
from pathlib import Path
from typing import Any

LARGEST = 200_000
"""Bytes of an order."""
PACKAGES = (
    "alembic.command",
    "alembic.config",
    "astropy.io.fits",
    "astroquery.mast",
    "jinja2",
    "numpy",
    "PIL.ImageSequence",
    "PIL.JpegImagePlugin",
    "requests",
    "rich.console",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
    "structlog",
    "yaml",
)
"""What programs load; none of it asks for a home or a setting before it is used."""

Order = dict[str, Any]


def load() -> None:
    """Load the packages for good."""
    import logging

    logging.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PACKAGES:
            importlib.import_module(name)
    logging.disable(logging.NOTSET)
    core = importlib.import_module("jwstwatch.core")
    for module in pkgutil.iter_modules(core.__path__, "jwstwatch.core."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def serve(orders: socket.socket) -> Order | None:
    """Fork for each order until nobody can give one; in the process that is to carry it out, return it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers leave nothing behind
    while True:
        message, handles, _, _ = socket.recv_fds(orders, LARGEST, 3)
        if not message:
            return None
        if os.fork() == 0:
            orders.close()
            keep(*handles)
            order: Order = json.loads(message)
            return order
        for handle in handles:
            os.close(handle)


def keep(told: int, out: int, err: int) -> None:
    """Fork once more and tell number and exit code of that process, in which alone this returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    number = os.fork()
    if number == 0:
        os.close(told)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.closerange(3, max(out, err) + 1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return
    for handle in (out, err):
        os.close(handle)
    # Whoever gave the order may be gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(told, b"%d\n" % number)
        code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        os.write(told, b"%d\n" % code)
    os._exit(0)


def carry_out(order: Order) -> None:
    """Become the program of an order: `-m MODULE`, `-c CODE` or a file, with its arguments."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    if order["umask"] is not None:
        os.umask(order["umask"])
    kind, *rest = order["words"]
    if kind == "-m":
        sys.path[0] = str(Path.cwd())
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[0] = ""
        sys.argv = [kind, *rest[1:]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.path[0] = str(Path(kind).parent)
        sys.argv = [kind, *rest]
        runpy.run_path(kind, run_name="__main__")


class Shortcut:
    """Ends a process where its interpreter would begin to take apart all that was loaded."""

    def __init__(self) -> None:
        """Be called last of all that is called at the end: what is registered first is."""
        self.code: int | None = None
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is not None:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(self.code & 0xFF)


def main() -> None:
    """Load, and serve the socket whose number is the only argument."""
    shortcut = Shortcut()
    load()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        order = serve(given)
    if order is None:
        return
    try:
        carry_out(order)
        shortcut.code = 0
    except SystemExit as end:
        shortcut.code = end.code if isinstance(end.code, int) else None
        raise


if __name__ == "__main__":
    main()
