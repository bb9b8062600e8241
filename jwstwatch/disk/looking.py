"""What stands at many paths, with one look per folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.files import translate_storage_errors

FEW = 4
"""Up to so many names of a folder are asked one by one; more are found by listing it."""

_BLOCK = 1 << 20


def look(root: Path, paths: Iterable[str]) -> dict[str, OnDisk]:
    """Return what stands at each of `paths` (relative to `root`, with `/`); what is absent is left out.

    Links are not followed at the path itself, and are followed in the folders above it.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder, _, name = path.rpartition("/")
        names[folder].add(name)
    found: dict[str, OnDisk] = {}
    for folder, wanted in names.items():
        place = root / folder if folder else root
        prefix = f"{folder}/" if folder else ""
        with translate_storage_errors(place):
            entries = _ask_each(place, wanted) if len(wanted) <= FEW else _list(place, wanted)
        found.update({prefix + name: entry for name, entry in entries.items()})
    return found


def _ask_each(place: Path, wanted: set[str]) -> dict[str, OnDisk]:
    found = {}
    for name in wanted:
        try:
            found[name] = _entry(os.lstat(place / name))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def _list(place: Path, wanted: set[str]) -> dict[str, OnDisk]:
    found = {}
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name in wanted:
                    try:
                        found[entry.name] = _entry(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return found


def _entry(status: os.stat_result) -> OnDisk:
    if stat.S_ISREG(status.st_mode):
        kind = DiskKind.FILE
    elif stat.S_ISLNK(status.st_mode):
        kind = DiskKind.LINK
    else:
        kind = DiskKind.OTHER
    return OnDisk(kind, status.st_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a whole read of a file says: SHA-256, bytes, and its mtime (ns) before the read."""

    sha256: str
    size: int
    modified_ns: int


def fingerprint(path: Path) -> Fingerprint:
    """Read a file through and return its fingerprint."""
    digest = hashlib.sha256()
    size = 0
    block = bytearray(_BLOCK)
    view = memoryview(block)
    with open(path, "rb", buffering=0) as stream:
        modified_ns = os.fstat(stream.fileno()).st_mtime_ns
        while count := stream.readinto(block):
            digest.update(view[:count])
            size += count
    return Fingerprint(sha256=digest.hexdigest(), size=size, modified_ns=modified_ns)
