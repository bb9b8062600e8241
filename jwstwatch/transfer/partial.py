"""A file on its way: `.<name>.<revision>.part` beside its target, and whether it can go on where it stopped.

A partial goes on only if it cannot mix two contents: the archive's validator of its first bytes is known and
still holds, or the archive states a checksum of the whole. A note beside it (`.part.json`) remembers the
validator; it does not count after a reboot, for then bytes may be missing that were never made durable.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from jwstwatch.core.retrying import Failure, FailureKind
from jwstwatch.errors import StorageError
from jwstwatch.files import make_folder, translate_storage_errors
from jwstwatch.transfer.job import Job, TransferError

_NOTE_AT_ONCE = 8 << 20
"""Bytes from which the note is written at the start already, so that even a killed process leaves one."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a transfer can go on: `offset` bytes are there, of `total` where that is known."""

    offset: int
    validator: str | None
    total: int | None


def part_name(name: str, revision: int) -> str:
    """Return the file name of a partial."""
    return f".{name}.{revision}.part"


def note_of(part: Path) -> Path:
    """Return where the note about `part` lies."""
    return part.with_name(f"{part.name}.json")


class Folders:
    """The folders that files go to, made where need be and resolved once each; any thread may ask.

    `guard` is called before one is made that is not there: it raises where none may be, as where the disk
    was unmounted and an empty mount point is left.
    """

    def __init__(self, guard: Callable[[], None] | None = None) -> None:
        self._guard = guard
        self._known: dict[Path, tuple[tuple[int, int], Path]] = {}

    def ready(self, folder: Path) -> Path:
        """Return where `folder` really lies; a link that leads elsewhere by now is followed anew."""
        if folder in self._known:
            identity, resolved = self._known[folder]
            with contextlib.suppress(FileNotFoundError):
                # Both: behind a link the folder itself may have moved, with the link after it.
                if _identify(folder) == identity and (resolved == folder or _identify(resolved) == identity):
                    return resolved
        if self._guard is not None:
            self._guard()
        make_folder(folder)
        resolved = folder.resolve(strict=True)
        self._known[folder] = (_identify(resolved), resolved)
        return resolved


def _identify(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


class Partial:
    """The partial of one job, written between `begin` or `resume` and `finish`, `leave` or `discard`.

    Every method raises `StorageError` where the disk refuses, `TransferError` where only this path does.
    """

    def __init__(self, job: Job, folders: Folders) -> None:
        self._job = job
        self._handle: int | None = None
        self.folder = job.target.parent
        self._local = _Local(self)
        with self._local:
            _refuse_foreign(job)
            self.folder = _make_folder(job, folders)
        self.path = self.folder / part_name(job.name, job.revision)
        self.size = 0
        self._note = note_of(self.path)
        self._validator: str | None = None
        self._total: int | None = None
        self._hashes = self._fresh_hashes()

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of what is written so far, in hexadecimal digits."""
        return self._hashes[0].hexdigest()

    @property
    def md5(self) -> str | None:
        """Return the MD5 of what is written so far where the job states one to compare with."""
        return self._hashes[1].hexdigest() if len(self._hashes) > 1 else None

    def resumption(self) -> Resumption | None:
        """Return where to go on, None where to start anew."""
        with self._local:
            try:
                status = os.lstat(self.path)
            except FileNotFoundError:
                return None
            if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
                return None
            note = self._read_note()
        validator, total = note or (None, None)
        if validator is None and self._job.checksum is None:
            return None
        # A whole partial asks for its last byte again: that tells whether it is still the archive's.
        last = status.st_size if total is None else min(status.st_size, total - 1)
        return Resumption(last, validator, total) if last > 0 else None

    def begin(self, *, validator: str | None, total: int | None) -> None:
        """Start from nought a content that `validator` stands for, `total` bytes long."""
        self._validator, self._total = validator, total
        self.size = 0
        self._hashes = self._fresh_hashes()
        with self._local:
            self._close()
            self._note.unlink(missing_ok=True)
            try:
                self._handle = self._open(os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                self.path.unlink(missing_ok=True)
                self._handle = self._open(os.O_CREAT | os.O_EXCL)
        if total is None or total >= _NOTE_AT_ONCE:
            self._write_note()

    def resume(self, resumption: Resumption) -> None:
        """Go on at `resumption`, its bytes read and hashed again."""
        self._validator, self._total = resumption.validator, resumption.total
        self.size = 0
        self._hashes = self._fresh_hashes()
        with self._local:
            self._close()
            self._handle = self._open(0)
            os.ftruncate(self._handle, resumption.offset)
            while block := os.read(self._handle, _BLOCK):
                self._count(block)
        if self.size != resumption.offset:
            raise TransferError(
                Failure(kind=FailureKind.LOCAL, message=f"{self.path} changed while it was read")
            )

    def write(self, block: bytes) -> None:
        """Append `block`."""
        if self._handle is None:
            raise ValueError("a partial is written to between begin and finish")
        with self._local:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        self._count(block)

    def finish(self) -> None:
        """Make the bytes durable; the note stays until the partial is placed."""
        if self._handle is None:
            return
        with self._local:
            os.fsync(self._handle)
            # A run that was taken for dead, on another host, may find that its successor began anew.
            ours = False
            with contextlib.suppress(FileNotFoundError):
                ours = os.path.samestat(os.fstat(self._handle), os.lstat(self.path))
            self._close()
        if not ours:
            message = f"{self.path} was removed, or begun anew by somebody else, while it was written"
            raise TransferError(Failure(kind=FailureKind.LOCAL, message=message))

    def leave(self) -> None:
        """Keep what is there if it can go on later, else remove it."""
        if self._handle is None:
            # Nothing was begun; what lay there before is as good as it was.
            return
        can_go_on = self.size > 0 and (self._validator is not None or self._job.checksum is not None)
        if not can_go_on:
            self.discard()
            return
        try:
            with self._local:
                self._close()
            self._write_note()
        except StorageError:
            # A full disk is not helped by what cannot go on.
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the partial and its note; a disk that refuses even that is told of elsewhere."""
        with contextlib.suppress(OSError):
            self._close()
        for path in (self.path, self._note):
            with contextlib.suppress(OSError):
                path.unlink()

    def refusal(self, error: OSError) -> TransferError:
        """Return the failure of this one path that `error` amounts to."""
        message = f"{self._job.target} cannot be written ({error.strerror or error})"
        return TransferError(Failure(kind=FailureKind.LOCAL, message=message))

    def _fresh_hashes(self) -> list[hashlib._Hash]:
        hashes = [hashlib.sha256()]
        if self._job.checksum is not None:
            hashes.append(hashlib.md5(usedforsecurity=False))
        return hashes

    def _count(self, block: bytes) -> None:
        for digest in self._hashes:
            digest.update(block)
        self.size += len(block)

    def _open(self, more: int) -> int:
        # Made with the umask's modes and, in a setgid folder, with the folder's group.
        return os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | more, 0o666)

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _write_note(self) -> None:
        if self._validator is None:
            return
        facts = {"validator": self._validator, "total": self._total, "boot": _boot()}
        with self._local:
            self._note.unlink(missing_ok=True)
            self._note.write_text(json.dumps(facts), encoding="utf-8")

    def _read_note(self) -> tuple[str, int | None] | None:
        try:
            facts = json.loads(self._note.read_bytes()[:4096])
        except (FileNotFoundError, ValueError):
            return None
        match facts:
            case {"validator": str(validator), "total": int() | None as total, "boot": boot} if (
                boot and boot == _boot()
            ):
                return validator, total
        return None


class _Local:
    """What the operating system says, as a `StorageError` (the disk) or a `TransferError` (this path)."""

    __slots__ = ("_partial",)

    def __init__(self, partial: Partial) -> None:
        self._partial = partial

    def __enter__(self) -> None:
        """Begin to listen."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise what an `OSError` amounts to."""
        if not isinstance(error, OSError):
            return
        try:
            with translate_storage_errors(self._partial.folder):
                raise error
        except OSError:
            raise self._partial.refusal(error) from error


def _refuse_foreign(job: Job) -> None:
    try:
        status = os.lstat(job.target)
    except OSError:
        return
    if not stat.S_ISREG(status.st_mode):
        what = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
        raise TransferError(
            Failure(kind=FailureKind.LOCAL, message=f"{job.target} is {what}; it is left alone")
        )


def _make_folder(job: Job, folders: Folders) -> Path:
    """Make the target's folder; a file in its way costs this job only, not the root."""
    try:
        return folders.ready(job.target.parent)
    except (FileExistsError, NotADirectoryError) as error:
        message = f"{job.target.parent} cannot be a folder: something else stands in its way"
        raise TransferError(Failure(kind=FailureKind.LOCAL, message=message)) from error


def _boot() -> str:
    """Return what tells this boot of the machine from another, empty where that is not to be known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
