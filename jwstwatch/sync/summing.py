"""`SHA256SUMS` of an output folder: what `sha256sum -c` needs to verify it without this program."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from jwstwatch.files import durable_replace, temporary_name, translate_storage_errors
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.store import Store

SUMS = "SHA256SUMS"

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


def write_sums(store: Store, root: RootRecord, *, without: Collection[str]) -> Path:
    """Write the checksums of a root's copies, but those of the paths in `without`, sorted by path.

    The file takes its name once it is whole and durable. Raises `StorageError` where the disk refuses.
    """
    path = root.path / SUMS
    with translate_storage_errors(root.path):
        temporary = temporary_name(path)
        temporary.unlink(missing_ok=True)
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
            with open(handle, "w", encoding="utf-8", newline="\n") as stream:
                for copy, sha256 in store.inventory.sums(root.id):
                    if copy not in without:
                        stream.write(line(copy, sha256))
                stream.flush()
                os.fsync(stream.fileno())
            durable_replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


def line(path: str, sha256: str) -> str:
    """Return a line as `sha256sum` writes it: a name that could be misread is escaped, and told so."""
    # A name alone of one dash would be standard input.
    named = "./-" if path == "-" else path
    escaped = named.translate(_ESCAPES)
    return f"{'' if escaped == named else chr(92)}{sha256}  {escaped}\n"
