"""kept x known x on disk x now -> what is to be done for one path, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jwstwatch.core.filetypes import normalise_filetypes
from jwstwatch.core.model import FileState
from jwstwatch.core.space import no_longer_waiting


class Action(StrEnum):
    """What a path needs."""

    NOTHING = "nothing"
    FETCH = "fetch"
    ADOPT = "adopt"
    """A file without a record stands there: check it, and record it where it is sound."""


class DiskKind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What `lstat` says of a path; `size` in bytes."""

    kind: DiskKind
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kept product at the path it belongs to, as the archive has it now."""

    revision: int
    filetype: str
    calib_level: int | None
    exclusive: bool
    listed_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the state knows of the path."""

    state: FileState
    revision: int | None = None
    """Revision of the copy on disk; None where there is none, or it is not known."""
    size: int | None = None
    """Bytes of the verified copy."""
    reason: str | None = None
    next_attempt_at: datetime | None = None
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The row that the plan gets: `priority` is ascending, smaller first."""

    action: Action
    state: FileState
    reason: str | None
    priority: int


NO_TOKEN = "no token"  # noqa: S105 - reasons, not secrets
NOT_AUTHORISED = "not authorised"
TOKEN_REJECTED = "token rejected"  # noqa: S105

NEWER_REVISION = "the archive has a newer revision"
NEW = "new"
MISSING = "missing on disk"
RELEASED = "released"
TOKEN_CAME = "a token is there"  # noqa: S105

_HAS_COPY = (FileState.PRESENT, FileState.STALE, FileState.GONE)

_REPLACEMENT = 10_000
"""Added for a file whose old revision is still readable: new data come first."""


LEVELS = {f"level{number}": number for number in range(1, 5)}
"""Words of `priority` for the files of a calibration level."""
OTHERS = "others"
"""The word of `priority` for files that no other word means."""
DEFAULT_PRIORITY = (
    "jpg", "png", "json", "csv", "ecsv", "txt", "level4", "level3",
    "rate", "rateints", OTHERS, "ramp", "dark", "uncal",
)  # fmt: skip
"""Previews and tables, what is combined, calibrated, then raw."""


class Ranking:
    """The order in which a profile's files are fetched, after the words of its `priority`."""

    __slots__ = ("_others", "_tests")

    def __init__(self, words: Sequence[str] = DEFAULT_PRIORITY) -> None:
        plain = [word.strip().lower() for word in words]
        self._tests = [_means(word) for word in plain]
        self._others = plain.index(OTHERS) if OTHERS in plain else len(plain)

    def of(self, filetype: str, calib_level: int | None, *, replaces: bool = False) -> int:
        """Return a file's rank, smaller first: that of the first word that means it."""
        rank = next(
            (
                number
                for number, (endings, level) in enumerate(self._tests)
                if filetype.endswith(endings) or (level is not None and calib_level == level)
            ),
            self._others,
        )
        return rank + (_REPLACEMENT if replaces else 0)


def _means(word: str) -> tuple[tuple[str, ...], int | None]:
    """Return the endings of file types, or the calibration level, that a word means."""
    if word == OTHERS:
        return (), None
    if word in LEVELS:
        return (), LEVELS[word]
    return ((".txt",) if word.lstrip(".") == "txt" else normalise_filetypes([word])), None


def plan(
    target: Target,
    known: Known | None,
    on_disk: OnDisk | None,
    *,
    has_token: bool,
    ranking: Ranking | None = None,
) -> Decision:
    """Decide what one path needs. After everything it asks for succeeded, it asks for nothing."""
    rank = priority(target, ranking)
    if known is not None and known.declined:
        return Decision(action=Action.NOTHING, state=known.state, reason=known.reason, priority=rank)
    if on_disk is not None and on_disk.kind is not DiskKind.FILE:
        what = "a link" if on_disk.kind is DiskKind.LINK else "something that is no file"
        return Decision(
            action=Action.NOTHING,
            state=FileState.FAILED,
            reason=f"{what} stands at its path and is left alone",
            priority=rank,
        )
    if known is not None and _has_copy(known) and on_disk is not None:
        return _plan_for_copy(target, known, on_disk, rank)
    if on_disk is not None:
        return Decision(
            action=Action.ADOPT,
            state=FileState.WANTED,
            reason="found on disk without a record",
            priority=rank,
        )
    return _plan_for_absent(target, known, rank, has_token=has_token)


def _has_copy(known: Known) -> bool:
    """A file that is gone may never have come, or have been lost since."""
    return known.state in _HAS_COPY and (known.state is not FileState.GONE or known.size is not None)


def _plan_for_copy(target: Target, known: Known, on_disk: OnDisk, rank: int) -> Decision:
    if known.size is not None and on_disk.size != known.size:
        reason = f"{on_disk.size} of {known.size} bytes on disk"
        return Decision(action=Action.FETCH, state=FileState.WANTED, reason=reason, priority=rank)
    if known.state is FileState.STALE and known.revision is None:
        # Damaged, or never recognised as the archive's: to be mended like what is missing.
        reason = known.reason or NEWER_REVISION
        return Decision(action=Action.FETCH, state=FileState.STALE, reason=reason, priority=rank)
    if known.revision != target.revision:
        waits = no_longer_waiting(known.reason) == NEWER_REVISION
        return Decision(
            action=Action.FETCH,
            state=FileState.STALE,
            # Why it waits is for the run to say, which looks at what there is room for.
            reason=known.reason if waits else NEWER_REVISION,
            priority=rank if known.revision is None else rank + _REPLACEMENT,
        )
    return Decision(action=Action.NOTHING, state=FileState.PRESENT, reason=None, priority=rank)


def _plan_for_absent(target: Target, known: Known | None, rank: int, *, has_token: bool) -> Decision:
    if target.exclusive and not has_token:
        return Decision(action=Action.NOTHING, state=FileState.WITHHELD, reason=NO_TOKEN, priority=rank)
    if known is None:
        return Decision(action=Action.FETCH, state=FileState.WANTED, reason=NEW, priority=rank)
    if known.state in _HAS_COPY:
        return Decision(action=Action.FETCH, state=FileState.WANTED, reason=MISSING, priority=rank)
    reason = _freed(target, known)
    if reason is not None:
        return Decision(action=Action.FETCH, state=FileState.WANTED, reason=reason, priority=rank)
    return Decision(action=Action.FETCH, state=known.state, reason=known.reason, priority=rank)


def _freed(target: Target, known: Known) -> str | None:
    """Say what took the obstacle away that kept a file from being fetched."""
    if known.state is FileState.WITHHELD and not target.exclusive:
        return RELEASED
    if known.state is FileState.WITHHELD and known.reason in (NO_TOKEN, TOKEN_REJECTED):
        return TOKEN_CAME
    if known.state is FileState.FAILED and known.next_attempt_at is None:
        return "its path is free again"
    return None


def priority(target: Target, ranking: Ranking | None = None) -> int:
    """Return a file's rank within its run; without a `ranking` the usual one."""
    return (ranking or _USUAL).of(target.filetype, target.calib_level)


_USUAL = Ranking()
