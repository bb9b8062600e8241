"""A root's identity. A missing disk is not an empty one: its marker tells the two apart."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from jwstwatch.errors import RootMissingError, StorageError
from jwstwatch.files import locked, translate_storage_errors, write_atomically

MARKER = ".jwstwatch-root"


def marker_path(root: Path) -> Path:
    """Return where a root's marker lies."""
    return root / MARKER


def establish(root: Path, *, expected: str | None, files: int) -> str:
    """Return the identity of the folder `root`, writing a marker at its first use.

    `expected` is the identity the state has for this path, `files` how many copies it knows there. Where
    it knows any and the marker is absent or another, nothing may be concluded from what the folder holds:
    `RootMissingError`.
    """
    with translate_storage_errors(root):
        found = read(root)
        if found is None and files == 0:
            _make(root)
            found = _create(root, expected or str(uuid.uuid4()))
    return _require(root, found, expected=expected, files=files)


def recognise(root: Path, *, expected: str | None, files: int) -> str:
    """Return the identity that `establish` would, and write nothing."""
    with translate_storage_errors(root):
        found = read(root)
    if found is None and files == 0:
        return expected or str(uuid.uuid4())
    return _require(root, found, expected=expected, files=files)


def _require(root: Path, found: str | None, *, expected: str | None, files: int) -> str:
    if found is None:
        raise RootMissingError(
            f"{root} is not the output folder of {files} known files: its marker {MARKER} is missing",
            hint=_ways_on(root),
        )
    if expected is not None and found != expected and files:
        raise RootMissingError(
            f"{root} is another output folder than that of {files} known files",
            hint=_ways_on(root),
        )
    return found


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StorageError(
            f"{root} is a link that leads nowhere, or no folder", hint="Is its disk mounted?"
        ) from error


def is_mounted(root: Path, identity: str) -> bool:
    """True where the folder is there and is the one that the state means."""
    try:
        return read(root) == identity
    except (OSError, StorageError):
        return False


def read(root: Path) -> str | None:
    """Return the identity in a folder's marker, None where there is no (sound) one."""
    try:
        content = marker_path(root).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return None
    try:
        identity = json.loads(content)["root"]
    except (ValueError, KeyError, TypeError):
        return None
    return identity if isinstance(identity, str) else None


def _create(root: Path, identity: str) -> str:
    """Write the marker unless another process was quicker; return what stands there then."""
    content = json.dumps(
        {"root": identity, "what": "jwstwatch keeps JWST files below this folder; do not delete this file"}
    )
    with locked(root):
        if read(root) is None:
            write_atomically(marker_path(root), f"{content}\n".encode())
    return read(root) or identity


def _ways_on(root: Path) -> str:
    return (
        f"Is its disk mounted? If the folder moved: `jwstwatch root move {root} NEW`. "
        f"If it is right that the files are gone: `jwstwatch root accept {root}`."
    )
