"""What a run would fetch, and why, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jwstwatch.core import planning
from jwstwatch.core.model import FileState


class Reason(StrEnum):
    """Why a file would be fetched."""

    NEW = "new"
    CHANGED = "changed"
    """The archive has another content than the copy, which stays readable until it is replaced."""
    MISSING = "missing"
    """The copy is not on disk any more, or has not its size there."""
    RELEASED = "released"
    TOKEN = "token"  # noqa: S105 - a reason, no secret
    """It was withheld, and a token is there."""
    WITHHELD = "withheld"
    """The archive did not let us have it the last time."""
    FAILED = "failed"
    """It failed before and is due again."""
    AGAIN = "again"
    """Somebody asked for new copies (clobber)."""
    WAITING = "waiting"
    """An earlier run planned it and did not get to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedFile:
    """A file that would be fetched: `size` in bytes as listed, `detail` the state's own words for why."""

    path: Path
    name: str
    uri: str
    url: str
    size: int | None
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A number of files, and the bytes that are listed for them."""

    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a run would do now. Each selected file is in exactly one of the lists and numbers.

    `files` would be fetched, in this order; `copied` taken from another folder of ours; `unchanged` left
    alone, of which `adopted` lie at their paths without a record and are judged by their size alone;
    `withheld` and `failed` not tried (nothing changed, not due yet); `busy` fetched by another profile's
    run at the moment.
    """

    profile: str
    files: tuple[RehearsedFile, ...]
    copied: Tally
    unchanged: int
    adopted: int
    withheld: int
    failed: int
    busy: int
    skipped: int
    """Products that the lists asked for hold, and the rules leave out."""
    observations: int
    """Executed observations that the query finds."""
    held: str | None
    """Why a run would not fetch them: the plan is larger than `max_plan`, and nobody said yes."""
    waits: Tally = Tally()
    """What is left at the end of the plan for want of room: on the disk, or in the profile's quota."""
    shortage: str | None = None
    """Why it is."""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The bytes listed for what would be fetched."""
        return sum(file.size or 0 for file in self.files)

    @property
    def by_reason(self) -> dict[Reason, Tally]:
        """How many files, and bytes, for each reason that occurs."""
        return {
            reason: Tally(files=len(files), size=sum(file.size or 0 for file in files))
            for reason in Reason
            if (files := [file for file in self.files if file.reason is reason])
        }


def reason_of(state: FileState, words: str) -> Reason:
    """Return the kind of reason that a file's state, and the state's words for it, mean."""
    if state is FileState.STALE:
        if words.startswith("found with"):
            return Reason.MISSING
        return Reason.AGAIN if words.startswith("asked for again") else Reason.CHANGED
    if state in (FileState.FAILED, FileState.WITHHELD):
        return Reason.FAILED if state is FileState.FAILED else Reason.WITHHELD
    exact = {
        planning.NEW: Reason.NEW,
        planning.RELEASED: Reason.RELEASED,
        planning.TOKEN_CAME: Reason.TOKEN,
    }
    if words in exact:
        return exact[words]
    return Reason.MISSING if _tells_of_disk(words) else Reason.WAITING


def _tells_of_disk(words: str) -> bool:
    signs = (planning.MISSING, "bytes on disk", "something else stands at its path")
    return any(sign in words for sign in signs)
