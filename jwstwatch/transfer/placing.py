"""The last step: a checked partial takes its place, and what partials leave behind is cleared."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from jwstwatch.errors import UnsafePathError
from jwstwatch.files import sync_folder, translate_storage_errors
from jwstwatch.transfer.partial import note_of

_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<revision>[0-9]+)\.part(\.json)?", re.DOTALL)


def place(part: Path, target: Path, *, mode: int | None = None) -> bool:
    """Rename a checked and durable `part` over `target`, in one step; return whether a file stood there.

    The folder is yet to be synced. The file gets `mode`, or keeps what the part was made with: the umask's
    modes, or those of the folder's default access list, and a setgid folder's group.
    Raises `UnsafePathError` where a link, a folder or a device stands at `target` (it is left alone), and
    `StorageError` where the disk refuses.
    """
    with translate_storage_errors(target.parent):
        stood_there = _refuse_foreign(target)
        if mode is not None:
            part.chmod(mode)
        try:
            part.replace(target)
        except FileNotFoundError as error:
            raise UnsafePathError(
                f"{part} vanished before it was put in place", hint="The next run fetches it again."
            ) from error
        note_of(part).unlink(missing_ok=True)
    return stood_there


def discard(part: Path) -> None:
    """Remove a partial that is not to be placed, and its note."""
    for path in (part, note_of(part)):
        with contextlib.suppress(OSError):
            path.unlink()


def sync_folders(folders: Iterable[Path]) -> set[Path]:
    """Make the entries of `folders` durable, each once: the end of a group of placements.

    Returns those that are not there any more, and with them what was placed in them.
    """
    gone = set()
    for folder in dict.fromkeys(folders):
        try:
            with translate_storage_errors(folder):
                sync_folder(folder)
        except FileNotFoundError:
            gone.add(folder)
    return gone


def leftovers(folder: Path) -> list[Path]:
    """Return the partials and their notes that lie in `folder`, by name."""
    try:
        with translate_storage_errors(folder):
            return sorted(
                entry for entry in folder.iterdir() if _LEFTOVER.fullmatch(entry.name) and not entry.is_dir()
            )
    except FileNotFoundError:
        return []


def remove_parts(folder: Path, name: str, *, keep_revision: int | None = None) -> int:
    """Remove the partials of `name` in `folder` but those of `keep_revision`; return how many files went."""
    removed = 0
    for entry in leftovers(folder):
        match = _LEFTOVER.fullmatch(entry.name)
        if match is None or match["name"] != name or match["revision"] == str(keep_revision):
            continue
        with contextlib.suppress(FileNotFoundError), translate_storage_errors(folder):
            entry.unlink()
            removed += 1
    return removed


def _refuse_foreign(target: Path) -> bool:
    """Return whether a plain file stands at `target`."""
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        what = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
        raise UnsafePathError(f"{target} is {what}; it is left alone", hint="Move it away, then retry.")
    return True
