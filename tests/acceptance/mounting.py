"""A mount name space that lasts as long as a test, in which disks are small and change under the program."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.acceptance.world import PATIENCE

FILLER = "filler"
"""What somebody else keeps on a disk."""


class Mounts:
    """A name space, held by a process of its own; `before` runs a program in it.

    `apart` are the words that run a shell script in a new one.
    """

    def __init__(self, apart: Sequence[str]) -> None:
        self._holder = subprocess.Popen(
            [*apart, "echo there; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "there\n"
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        self.before = ["nsenter", f"--target={self._holder.pid}", "--mount", *user]

    def small(self, folder: Path, *, size: str) -> None:
        """Mount an empty disk of `size` at `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._do("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder))

    def resize(self, folder: Path, *, size: str) -> None:
        """Give a small disk another size."""
        # With the source named, mount does not repeat options that a user's name space refuses.
        self._do("mount", "-t", "tmpfs", "-o", f"remount,size={size}", "none", str(folder))

    def read_only(self, folder: Path) -> None:
        """Mount a disk read-only, as soon as nobody has a file open for writing there."""
        limit = time.monotonic() + PATIENCE
        while subprocess.run(
            [*self.before, "mount", "-o", "remount,bind,ro", str(folder)], capture_output=True
        ).returncode:
            assert time.monotonic() < limit, f"{folder} is never left alone"

    def writable(self, folder: Path) -> None:
        """Mount it for writing again."""
        self._do("mount", "-o", "remount,bind,rw", str(folder))

    def inside(self, folder: Path) -> Path:
        """Return where what lies at `folder` in the name space is to be seen from outside."""
        return Path(f"/proc/{self._holder.pid}/root") / folder.relative_to("/")

    def fill(self, folder: Path) -> None:
        """Write to a disk until it is full."""
        with open(self.inside(folder) / FILLER, "ab", buffering=0) as stream:
            block = bytes(65_536)
            while block:
                try:
                    stream.write(block)
                except OSError:
                    block = block[: len(block) // 2]

    def free(self, folder: Path) -> None:
        """Remove what filled a disk."""
        (self.inside(folder) / FILLER).unlink()

    def end(self) -> None:
        """Let it go, and all that is mounted in it."""
        self._holder.communicate("")

    def _do(self, *words: str) -> None:
        subprocess.run([*self.before, *words], check=True, capture_output=True)
