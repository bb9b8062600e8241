"""What a fault is: what the archive or the disk does to one file, and what must come of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.faults.disk import DiskFault
from tests.transfer.server import Behaviour, Depot


class End(StrEnum):
    """What a run comes to in which a fault struck."""

    MENDED = "mended"
    """Complete: the program got around it."""
    FAILED = "failed"
    """Exit code 3: this file alone failed."""
    WITHHELD = "withheld"
    """Exit code 0: the file is not for this user."""
    STOPPED = "stopped"
    """Exit code 7: the disk refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The file that was asked for, and what a fault may make of it."""

    name: str
    content: bytes
    etag: str
    other: bytes
    """The content of another revision, of the same size."""
    target: Path
    elsewhere: Depot
    """Another origin."""
    revise: Callable[[], bytes]
    """Puts a newer revision into the archive and returns its content."""
    restate_size: Callable[[int], None]
    """Makes the listing lie."""

    @property
    def half(self) -> int:
        """Where it is cut."""
        return len(self.content) // 2

    def remove_partials(self) -> None:
        """Do what a careless person does to files that look odd, as soon as there is one."""
        self._await_partial()
        for part in self.target.parent.glob(f".{self.name}.*.part"):
            part.unlink(missing_ok=True)

    def put_folder(self) -> None:
        """Put a folder at the file's path; what stood there is kept elsewhere."""
        self._move_away()
        self.target.mkdir()

    def put_link(self) -> None:
        """Put a link at the file's path; what stood there is kept elsewhere."""
        self._move_away()
        self.target.symlink_to("/dev/null")

    def clear_path(self) -> None:
        """Take the folder or the link away again."""
        if self.target.is_symlink():
            self.target.unlink()
        elif self.target.is_dir():
            shutil.rmtree(self.target)

    def _move_away(self) -> None:
        self._await_partial()
        if self.target.is_file():
            self.target.unlink()

    def _await_partial(self) -> None:
        until = time.monotonic() + 5
        while time.monotonic() < until and not list(self.target.parent.glob(f".{self.name}.*.part")):
            time.sleep(0.005)


Script = Callable[[Sent], Sequence[Behaviour]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and what the user must see of it."""

    name: str
    story: str
    """What happens, and what the user must see."""
    script: Script | None = None
    """What each request for the file meets in turn; the last of it for ever."""
    then_well: bool = False
    """The archive sends the file as it should once the script is over."""
    disk: DiskFault | None = None
    ending: str = "rate.fits"
    only_there: bool = False
    """The content of other kinds of files would not show it."""
    end: End = End.FAILED
    told: str = ""
    """In the file's last error; in the run's where the disk stopped it, in the file's note where it came."""
    requests: int = 3
    """That one file costs at most in the run in which it is struck."""
    timeout: float = 5.0
    prepare: Callable[[Sent], None] | None = None
    """Done before the run."""
    afterwards: Callable[[Sent], None] | None = None
    """What the user has to do before all is well again."""
    old_copy_stays: bool = True
    """False where somebody takes the old copy away."""
    alone: bool = False
    """Not for the mix: somebody tampers with the folder, or a second passes for real."""
