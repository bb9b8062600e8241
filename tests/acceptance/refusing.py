"""Runs the program on a disk that refuses to keep a file: `refusing.py ERRNO N ...`, from the N-th file on.

For what no test can bring about on every machine, such as a quota that is used up.
"""

from __future__ import annotations

import errno
import os
import sys
from itertools import count
from pathlib import Path


def arm(code: int, calls: int) -> None:
    """Let `os.fsync` of a partial fail from its `calls`-th call on."""
    original = os.fsync
    counter = count(1)

    def refuse(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().name.endswith(".part") and next(counter) >= calls:
            raise OSError(code, os.strerror(code))
        original(handle)

    os.fsync = refuse


if __name__ == "__main__":
    name, calls, *words = sys.argv[1:]
    arm(getattr(errno, name), int(calls))
    sys.argv = ["jwstwatch", *words]
    from jwstwatch.cli.main import run

    run()
