"""Take files away for good: only as they were verified, only below their root, never through a link."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.config.settings import Profile
from jwstwatch.core import naming
from jwstwatch.core.layout import FORMER_QUICKLOOK, PICTURES, preview_folder, quicklook_name, thumbnail_name
from jwstwatch.core.model import Outcome
from jwstwatch.disk import markers
from jwstwatch.errors import RootMissingError, StorageError, UnsafePathError
from jwstwatch.files import check_name, translate_storage_errors
from jwstwatch.store.choosing import Choice
from jwstwatch.store.histories import KeptCopy
from jwstwatch.store.store import Store
from jwstwatch.sync import folders
from jwstwatch.sync.rules import query_digest
from jwstwatch.transfer import aside

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
            raise folders.away(path)


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
        self._former: dict[str, dict[str, list[str]]] = {}
        """Former quick-looks by their folder and by the name of the present one."""

    def remove(self, path: str, verified: Verified) -> str | None:
        """Remove a copy with its pictures and its partials; returns why it was left, None where it is gone.

        Another file than the one that was verified is not ours to remove. Raises `StorageError`, which names
        the folder, where the disk refuses.
        """
        *parts, name = path.split("/")
        try:
            with translate_storage_errors(self._root.joinpath(*parts)), self._opened(parts) as handle:
                reason = _remove_plain(handle, check_name(name), verified)
                if reason is None:
                    _remove_companions(handle, name)
                    self._touched.add(tuple(parts))
        except FileNotFoundError:
            reason = None  # not even its folder is there
        except UnsafePathError as error:
            return error.message
        if reason is None and name.endswith(".fits") and parts[:1] != [aside.FOLDER]:
            self._remove_quicklooks(name)
        return reason

    def _remove_quicklooks(self, name: str) -> None:
        """Remove the pictures that were made of a FITS file, as far as possible: they can be made again."""
        folder = preview_folder(naming.parse(name).proposal)
        quicklook = quicklook_name(name)
        with (
            contextlib.suppress(OSError, UnsafePathError, StorageError),
            self._opened(folder.split("/")) as handle,
        ):
            if folder not in self._former:
                self._former[folder] = _former_quicklooks(folders.names_in(handle))
            names = [quicklook, thumbnail_name(quicklook), *self._former[folder].get(quicklook, ())]
            folders.remove_plain_files(handle, names)

    def sync(self) -> None:
        """Make durable what was removed."""
        for parts in self._touched:
            gone = contextlib.suppress(FileNotFoundError, UnsafePathError)  # somebody else took it away
            with (
                gone,
                translate_storage_errors(self._root.joinpath(*parts)),
                self._opened(parts) as handle,
            ):
                folders.make_durable(handle)
        self._touched.clear()

    def _opened(self, parts: Sequence[str]) -> contextlib.AbstractContextManager[int]:
        return folders.opened(self._root, parts)


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
    names = [entry for entry in folders.names_in(handle) if partial.fullmatch(entry)]
    if name.endswith(PICTURES):
        names.append(thumbnail_name(name))
    folders.remove_plain_files(handle, names)


def _former_quicklooks(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if (match := FORMER_QUICKLOOK.fullmatch(name)) is not None:
            found.setdefault(quicklook_name(f"{match['stem']}.fits"), []).append(name)
    return found
