"""Which files below an output folder may be sent, and how one is opened so that no link leads elsewhere."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PAGE = "index.html"

_KEPT = ".replaced"
"""The only hidden folder that pages link to: pictures of copies that newer ones took the place of."""
_PICTURES = (".jpg", ".jpeg", ".png")
_PRIVATE = re.compile(r"\.(db|sqlite3?|ya?ml|cfg|bak|part|tmp)$|\.(db|sqlite3?)[-.]", re.IGNORECASE)
"""Names of states with what lies beside them, of configurations, and of files on their way."""

# A folder that one may only pass through is passed through.
_PASS = os.O_CLOEXEC | os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
# A pipe in the place of a file must not hold anybody up.
_READ = os.O_CLOEXEC | os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An output folder whose pages and files are shown."""

    root: Path
    private: frozenset[Path] = frozenset()
    """Real paths of files that are never sent, nor what is named after them: a state, a token."""


def open_below(site: Site, parts: Sequence[str]) -> tuple[BinaryIO, os.stat_result]:
    """Open the file at `parts` below the site's root for reading; links are followed within the root only.

    Raises `FileNotFoundError` for what is not there or not to be shown, `IsADirectoryError` for a folder,
    and whatever other `OSError` the disk has.
    """
    if not is_public(parts):
        raise FileNotFoundError
    root = Path(os.path.realpath(site.root, strict=True))
    real = Path(os.path.realpath(root.joinpath(*parts), strict=True))
    # `relative_to` tells lexically, and both are free of links.
    if not real.is_relative_to(root):
        raise FileNotFoundError
    within = real.relative_to(root).parts
    if not within:
        raise IsADirectoryError
    if not is_public(within) or any(_belongs_to(real, path) for path in site.private):
        raise FileNotFoundError
    return _open(root, within)


def is_public(parts: Sequence[str]) -> bool:
    """Return whether a file of this path below a root may be shown, by its name alone."""
    if not parts:
        return True
    name = parts[-1].lower()
    hidden = [part for part in parts if part.startswith(".")]
    if hidden and not (hidden == [_KEPT] and parts[0] == _KEPT and name.endswith(_PICTURES)):
        return False
    return _PRIVATE.search(name) is None


def _belongs_to(real: Path, private: Path) -> bool:
    """A state has a log and locks beside it: `state-wal`, `state.daemon.lock`."""
    name = private.name
    return real.parent == private.parent and (
        real.name == name or real.name.startswith((f"{name}-", f"{name}."))
    )


def _open(root: Path, parts: Sequence[str]) -> tuple[BinaryIO, os.stat_result]:
    """Open a path without links, each component below the former: one that became a link is refused."""
    folder = os.open(root, _PASS)
    try:
        for part in parts[:-1]:
            below = os.open(part, _PASS | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        _require_file(status)
        stream = open(os.open(parts[-1], _READ, dir_fd=folder), "rb", buffering=0)  # noqa: SIM115 - handed on
    finally:
        os.close(folder)
    try:
        status = os.fstat(stream.fileno())
        _require_file(status)
    except OSError:
        stream.close()
        raise
    return stream, status


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError
