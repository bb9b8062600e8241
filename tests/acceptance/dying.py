"""Runs the program and has it killed at the n-th call of one of its functions.

`dying.py before|after MODULE:NAME N ...`: the process gets SIGKILL before the function is entered, or as soon
as it is left: no handler, no `finally`, nothing is flushed.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from functools import reduce
from itertools import count
from typing import Any


def arm(when: str, place: str, calls: int) -> None:
    """Replace the function at `place` by one that kills the process at its `calls`-th call."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, name)
    counter = count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        due = next(counter) >= calls
        if due and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


if __name__ == "__main__":
    when, place, calls, *words = sys.argv[1:]
    arm(when, place, int(calls))
    sys.argv = ["jwstwatch", *words]
    from jwstwatch.cli.main import run

    run()
