"""Runs the program and has it killed at the n-th call of one of its functions: `dying.py MODULE:NAME N ...`.

The process gets SIGKILL before the function is entered: no handler, no `finally`, nothing is flushed.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from functools import reduce
from itertools import count
from typing import Any


def arm(place: str, calls: int) -> None:
    """Replace the function at `place` by one that kills the process at its `calls`-th call."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, name)
    counter = count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        if next(counter) >= calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, name, dying)


if __name__ == "__main__":
    place, calls, *words = sys.argv[1:]
    arm(place, int(calls))
    sys.argv = ["jwstwatch", *words]
    from jwstwatch.cli.main import run

    run()
