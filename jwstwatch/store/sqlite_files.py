"""The files of an SQLite state: who may read and write them, and how to read them without leaving a trace."""

from __future__ import annotations

import grp
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from jwstwatch.errors import StateError, StorageError

STATE_MODE = 0o640
"""For its owner, and for the team to read."""

_NETWORK_FILE_SYSTEMS = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs"),
        *("glusterfs", "9p", "pvfs2", "fuse.glusterfs", "fuse.sshfs"),
    ]
)


def real_file(path: Path) -> Path:
    """Return the database itself where `path` leads through links: beside it lie its log and its locks."""
    return Path(os.path.realpath(path))


def log_of(path: Path) -> Path:
    """Return the write-ahead log that belongs to a database."""
    return path.with_name(f"{path.name}-wal")


def memory_of(path: Path) -> Path:
    """Return the file through which the processes that have a database open share its log's index."""
    return path.with_name(f"{path.name}-shm")


def may_write(path: Path) -> bool:
    """Return whether this user may write the database, and files beside it."""
    path = path.resolve()
    return all(os.access(place, os.W_OK, effective_ids=True) for place in (path, path.parent))


def is_there(path: Path) -> bool:
    """Return whether the database is there; `StorageError` where this user may not even look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise unreadable(path) from None
    return True


def unreadable(path: Path) -> StorageError:
    """Return what to tell a user who may not read the state."""
    hint = "Check its modes, and those of its folder."
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
        hint = f"It is readable for the group {group}: have yourself added to it, and log in again."
    except (OSError, KeyError):
        pass
    return StorageError(f"the state {path} may not be read by this user", hint=hint)


def connect_to_read(path: Path, *, timeout: float) -> sqlite3.Connection:
    """Open a database for reading only, and make no file beside it; waits up to `timeout` seconds.

    A database in WAL mode without a log is one that nobody has open: it is read as something that does not
    change. With a log, whoever writes it has made the files that a reader needs.
    """
    path = path.resolve()
    if not os.access(path, os.R_OK, effective_ids=True):
        raise unreadable(path)
    resting = not log_of(path).exists()
    if not (resting or memory_of(path).exists() or os.access(path.parent, os.W_OK, effective_ids=True)):
        raise StorageError(
            f"the state {path} was left unfinished, and this user may not mend it",
            hint="Whoever owns it opens it once, such as with `jwstwatch db check`.",
        )
    uri = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if resting else ''}"
    return sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)


def require_local(path: Path, *, allowed: bool) -> None:
    """Raise `StateError` for an SQLite file on a network file system, unless that is `allowed`."""
    kind = file_system_of(real_file(path).parent)
    if kind in _NETWORK_FILE_SYSTEMS and not allowed:
        raise StateError(
            f"the state {path} lies on a network file system ({kind}), where SQLite loses data",
            hint="Put it on a local disk (state: in jwstwatch.yaml), use PostgreSQL, "
            "or take the risk with --allow-network-state.",
        )


def prepare_file(path: Path) -> None:
    """Make the database file, empty, and its folder where they are missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, STATE_MODE))
    except OSError as error:
        raise StorageError(
            f"the state {path} cannot be made: {error.strerror}",
            hint="Check the folder's owner and modes, or name another file (`state:`, $JWSTWATCH_STATE).",
        ) from error


def is_on_network(folder: Path) -> bool:
    """Return whether `folder` is known to lie on a network file system."""
    return file_system_of(folder) in _NETWORK_FILE_SYSTEMS


def file_system_of(folder: Path) -> str | None:
    """Return the type of the file system that `folder` lies on (Linux), None where it cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return None
    resolved = str(folder.resolve())
    best: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(b" - ")
        # A blank is written as \040 there.
        mount = os.fsdecode(left.split()[4].decode("unicode_escape").encode("latin-1"))
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and (best is None or len(mount) >= best[0]):
            best = (len(mount), right.split()[0].decode())
    return best[1] if best else None
