"""Take files away for good: only as they were verified, only below their root, never through a link."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.config.settings import Profile
from jwstwatch.core.layout import thumbnail_name
from jwstwatch.core.model import Outcome
from jwstwatch.disk import markers
from jwstwatch.errors import RootMissingError, StorageError, UnsafePathError
from jwstwatch.files import check_name, translate_storage_errors
from jwstwatch.store.choosing import Choice
from jwstwatch.store.histories import KeptCopy
from jwstwatch.store.store import Store
from jwstwatch.sync.rules import query_digest

_PICTURES = (".jpg", ".png")
_BLOCK = 1 << 20
_LOOKED_AT = 1000
"""Runs since the last whole listing, at most."""
CHANGED = "it was changed since it was verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the state has of a copy: bytes, mtime (ns), SHA-256; None where it has nothing."""

    size: int | None
    modified_ns: int | None = None
    sha256: str | None = None


def unlisted(profiles: Mapping[str, Profile], store: Store) -> list[str]:
    """Return the enabled profiles whose last listing was not whole, or not as they are configured now.

    What they want is not known: the state has at most what they wanted by other rules.
    """
    return [
        name
        for name, profile in profiles.items()
        if profile.parameters.enabled and not _is_listed(profile, store)
    ]


def _is_listed(profile: Profile, store: Store) -> bool:
    memory = store.runs.memory(profile.name)
    if memory is None or memory.completed_at is None or memory.query_digest != query_digest(profile):
        return False
    # A later run that ended amid its listing may have planned by rules that were taken back since.
    later = [
        run
        for run in store.runs.history(profile=profile.name, limit=_LOOKED_AT)
        if run.started_at > memory.completed_at
    ]
    unanswered = [run for run in later if run.outcome is Outcome.FAILED and run.counts.found is None]
    return len(later) == len(unanswered) < _LOOKED_AT


def require_roots(roots: Iterable[tuple[Path, str]]) -> None:
    """Raise `RootMissingError` unless every folder holds the marker with its identity."""
    for path, identity in sorted(set(roots)):
        if not markers.is_mounted(path, identity):
            raise _away(path)


def _away(root: Path) -> RootMissingError:
    return RootMissingError(
        f"{root} is not there, or is another folder than the one the state means: "
        f"its marker {markers.MARKER} is missing or foreign",
        hint="Is its disk mounted? What is not told as removed is still there.",
    )


class Removal:
    """Takes chosen files from the disk until a folder refuses; `left` has why files are still there.

    With a file goes what is `kept` of its replaced copies.
    """

    def __init__(self, kept: Mapping[int, Sequence[KeptCopy]] | None = None) -> None:
        self._kept = kept or {}
        self.left: dict[int, str] = {}
        self.failure: StorageError | None = None
        self._removers: dict[Path, Remover] = {}

    def __call__(self, files: Sequence[Choice]) -> list[int]:
        """Remove files; returns the ids of those that are not there any more."""
        try:
            require_roots((file.root, file.identity) for file in files)
        except RootMissingError as error:  # what is not to be seen on a mount point is not gone
            self.failure = self.failure or error
        gone = []
        for file in files:
            reason = self._tried(file)
            if reason is None:
                gone.append(file.file_id)
            else:
                self.left[file.file_id] = reason
        for remover in self._removers.values():
            try:
                remover.sync()
            except StorageError as error:
                self.failure = self.failure or error
        return gone

    def _tried(self, file: Choice) -> str | None:
        if self.failure is None:
            remover = self._removers.setdefault(file.root, Remover(file.root))
            verified = Verified(size=file.size, modified_ns=file.modified_ns, sha256=file.sha256)
            try:
                reason = remover.remove(file.path, verified)
                for copy in self._kept.get(file.file_id, ()) if reason is None else ():
                    remover.remove(copy.path, Verified(size=copy.size, sha256=copy.sha256))
                return reason
            except StorageError as error:
                self.failure = error
        return self.failure.message


class Remover:
    """Removes files below one root; what it did is durable once `sync` returns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._touched: set[tuple[str, ...]] = set()

    def remove(self, path: str, verified: Verified) -> str | None:
        """Remove a copy with its thumbnail and its partials; returns why it was left, None where it is gone.

        Another file than the one that was verified is not ours to remove. Raises `StorageError`, which names
        the folder, where the disk refuses.
        """
        *folders, name = path.split("/")
        try:
            with translate_storage_errors(self._root.joinpath(*folders)), self._opened(folders) as handle:
                reason = _remove_plain(handle, check_name(name), verified)
                if reason is None:
                    _remove_companions(handle, name)
                    self._touched.add(tuple(folders))
                return reason
        except FileNotFoundError:
            return None  # not even its folder is there
        except UnsafePathError as error:
            return error.message

    def sync(self) -> None:
        """Make durable what was removed."""
        for folders in self._touched:
            gone = contextlib.suppress(FileNotFoundError, UnsafePathError)  # somebody else took it away
            with (
                gone,
                translate_storage_errors(self._root.joinpath(*folders)),
                self._opened(folders) as handle,
            ):
                _sync(handle)
        self._touched.clear()

    @contextlib.contextmanager
    def _opened(self, folders: Sequence[str]) -> Iterator[int]:
        """Open a folder below the root step by step, so that no link can lead anywhere else."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            handle = os.open(self._root, flags)
        except FileNotFoundError:
            raise _away(self._root) from None
        try:
            for part in folders:
                inner = _step(check_name(part), handle, flags | os.O_NOFOLLOW)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)


def _sync(handle: int) -> None:
    with contextlib.suppress(OSError):  # a file system that cannot is left as it is
        os.fsync(handle)


def _step(part: str, handle: int, flags: int) -> int:
    try:
        return os.open(part, flags, dir_fd=handle)
    except OSError as error:
        # What such a flag says of a link depends on the system.
        if stat.S_ISLNK(os.stat(part, dir_fd=handle, follow_symlinks=False).st_mode):
            raise UnsafePathError(f"it lies behind a link ({part}), which is not followed") from None
        if isinstance(error, NotADirectoryError):
            raise UnsafePathError(f"{part} is no folder any more") from None
        raise


def _remove_plain(handle: int, name: str, verified: Verified) -> str | None:
    try:
        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return "a link stands at its path"
    if not stat.S_ISREG(status.st_mode):
        return "no plain file stands at its path"
    if verified.size is not None and status.st_size != verified.size:
        return f"another file stands at its path ({status.st_size} bytes instead of {verified.size})"
    same_time = status.st_mtime_ns == verified.modified_ns
    if verified.sha256 is not None and not same_time and _sha256(handle, name) != verified.sha256:
        return CHANGED
    os.unlink(name, dir_fd=handle)
    return None


def _sha256(handle: int, name: str) -> str | None:
    """Return the digest of a file, None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        # A pipe that took its place meanwhile would be waited for.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
    except PermissionError:
        return None
    with open(opened, "rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _remove_companions(handle: int, name: str) -> None:
    """Its thumbnail, and what was received of it or of its successor."""
    partial = re.compile(rf"\.{re.escape(name)}\.[0-9]+\.part(\.json)?")
    names = [entry for entry in os.listdir(handle) if partial.fullmatch(entry)]
    if name.endswith(_PICTURES):
        names.append(thumbnail_name(name))
    for each in names:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.stat(each, dir_fd=handle, follow_symlinks=False).st_mode):
                os.unlink(each, dir_fd=handle)
