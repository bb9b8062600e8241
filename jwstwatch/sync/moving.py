"""Move files below one root: nothing is overwritten, and a kill leaves each whole at one path or both."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jwstwatch.core.layout import PICTURES, thumbnail_name
from jwstwatch.disk import markers
from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import RootMissingError, StorageError, UnsafePathError
from jwstwatch.files import join_safely, make_folder, sync_folder, translate_storage_errors
from jwstwatch.store.relocations import Moved, Relocation

MISSING = "it is missing on disk: the next run fetches it again"
DENIED = "this user may not move it"
UNRECORDED = "a file that the state does not know lies at its path: the next run looks at it first"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What a file system (or a kernel that protects links) says where there can be no second name for a file."""


class Mover:
    """Moves the files of one root, some at a time; `failure` is what the disk refused, which ends it.

    All get their new names first, which are made durable, then lose their old ones. What stands at a new
    path stays, whatever it is.
    """

    def __init__(self, root: Path, identity: str) -> None:
        self.failure: StorageError | None = None
        self._root, self._identity = root, identity

    def __call__(self, group: Sequence[Relocation]) -> dict[int, Moved]:
        """Move files; those that are not returned are to be settled later."""
        named: list[Relocation] = []
        done: dict[int, Moved] = {}
        try:
            self._require_root()
            for each in group:
                with translate_storage_errors(self._root / each.to):
                    left = self._name(each)
                if left is None:
                    named.append(each)
                else:
                    done[each.file_id] = Moved(left=left)
        except StorageError as error:
            self.failure = error
        try:
            self._sync(each.to for each in named)
            folders = {(self._root / each.path).parent for each in named}
            beside = {folder: _list(folder) for folder in folders}
            for each in named:
                done[each.file_id] = self._leave(each, beside)
            self._sync([path for each in named for path in (each.path, each.to)])
            self._remove_empty(each.path if done[each.file_id].left is None else each.to for each in named)
        except StorageError as error:
            self.failure = self.failure or error
        return done

    def _require_root(self) -> None:
        if not markers.is_mounted(self._root, self._identity):
            raise RootMissingError(
                f"{self._root} is not there, or is another folder than the one the state means: "
                f"its marker {markers.MARKER} is missing or foreign",
                hint="Is its disk mounted? What is not told as moved is where it was.",
            )

    # -- one file

    def _name(self, each: Relocation) -> str | None:
        """Let a file stand at its new path (too); returns why it cannot."""
        try:
            source, target = join_safely(self._root, each.path), join_safely(self._root, each.to)
            return None if _is_same_place(source, target) else _named(source, target, each)
        except UnsafePathError as error:
            return error.message
        except (FileExistsError, NotADirectoryError):
            return "something else stands where its folder is to be"
        except FileNotFoundError:
            return MISSING
        except PermissionError:
            return DENIED
        except OSError as error:
            if error.errno == errno.EXDEV:
                return "its new folder is on another file system"
            raise

    def _leave(self, each: Relocation, beside: Mapping[Path, Sequence[str]]) -> Moved:
        """Take the old name from a file that has its new one, and let what belongs to it go with it.

        Where this user may not, the file stays where it was, by its old name alone.
        """
        source, target = self._root / each.path, self._root / each.to
        with translate_storage_errors(source):
            if _is_same_place(source, target):
                return Moved(kept=self._carry_kept(each))
            if each.has_copy and is_one_file(source, target):
                try:
                    source.unlink()
                except PermissionError:
                    target.unlink()
                    return Moved(left=DENIED)
            for name in _companions(source.name, beside[source.parent]):
                if not _carry(source.parent / name, target.parent / name):
                    _remove_plain(source.parent / name)  # it can be made, or received, again
            return Moved(kept=self._carry_kept(each))

    def _carry_kept(self, each: Relocation) -> dict[int, str]:
        carried = {}
        for revision, kept_as in each.kept.items():
            new = _kept_as(each, kept_as)
            if new is None:
                continue
            # Only the second is true where a kill came in between.
            there = _status(self._root / kept_as) is None and _status(self._root / new) is not None
            if there or _carry(self._root / kept_as, self._root / new):
                carried[revision] = new
                self._sync([new, kept_as])
                self._remove_empty([kept_as])
        return carried

    # -- folders

    def _sync(self, paths: Iterable[str]) -> None:
        for folder in dict.fromkeys((self._root / path).parent for path in paths):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), translate_storage_errors(folder):
                sync_folder(folder)

    def _remove_empty(self, paths: Iterable[str]) -> None:
        """Remove the folders that are left empty: never the root, a link, or what lies behind one."""
        for path in dict.fromkeys(path.rpartition("/")[0] for path in paths):
            parts = path.split("/") if path else []
            folders = [self._root.joinpath(*parts[: count + 1]) for count in range(len(parts))]
            if any(folder.is_symlink() for folder in folders):
                continue
            for folder in reversed(folders):
                try:
                    folder.rmdir()
                except OSError:
                    break  # not empty, or not ours to remove


def _named(source: Path, target: Path, each: Relocation) -> str | None:
    here, there = _status(source), _status(target)
    if not each.has_copy:
        return _unrecorded(here) or _in_the_way(there)
    if here is None:
        return None if there is not None and _is_it(target, there, each) else MISSING
    if (problem := _another(here, each)) is not None:
        return problem
    if there is not None:
        # Two names of one file: a kill came in between.
        return None if os.path.samestat(here, there) else _in_the_way(there)
    make_folder(target.parent)
    _give_name(source, target)
    return None


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_one_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file: by two names, or by links to folders."""
    here, there = _status(path), _status(other)
    return here is not None and there is not None and os.path.samestat(here, there)


def _is_same_place(source: Path, target: Path) -> bool:
    """Whether links to folders make two paths of one: what has but one name must not lose it."""
    try:
        return source.parent.samefile(target.parent) and source.name == target.name
    except OSError:
        return False


def _unrecorded(here: os.stat_result | None) -> str | None:
    """A sound file at the path of one that is wanted counts instead of a fetch, where it lies."""
    return UNRECORDED if here is not None else None


def _in_the_way(there: os.stat_result | None) -> str | None:
    if there is None:
        return None
    if stat.S_ISREG(there.st_mode):
        return "a file that the state does not know stands at its new path"
    return f"{'a link' if stat.S_ISLNK(there.st_mode) else 'no plain file'} stands at its new path"


def _another(here: os.stat_result, each: Relocation) -> str | None:
    if not stat.S_ISREG(here.st_mode):
        return f"{'a link' if stat.S_ISLNK(here.st_mode) else 'no plain file'} stands at its path"
    if each.size is not None and here.st_size != each.size:
        return f"another file stands at its path ({here.st_size} bytes instead of {each.size})"
    return None


def _is_it(path: Path, status: os.stat_result, each: Relocation) -> bool:
    """Whether the file that stands at the new path alone is the copy that the state means."""
    if not stat.S_ISREG(status.st_mode) or each.size is None or status.st_size != each.size:
        return False
    return status.st_mtime_ns == each.modified_ns or fingerprint(path).sha256 == each.sha256


def _give_name(source: Path, target: Path) -> None:
    """Give a file a second name, or, where it can have but one, that name; fails where something stands."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _status(target) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        os.rename(source, target)  # noqa: PTH104 - beside its sibling


def _carry(source: Path, target: Path) -> bool:
    """Move a plain file that belongs to another; returns whether it is at the new path alone now."""
    status = _status(source)
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    if _is_same_place(source, target):
        return True
    try:
        make_folder(target.parent)
        there = _status(target)
        if there is None:
            _give_name(source, target)
        elif not os.path.samestat(status, there):
            return False
        source.unlink(missing_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    except PermissionError:
        if is_one_file(source, target):
            target.unlink()
        return False
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _remove_plain(path: Path) -> None:
    status = _status(path)
    if status is not None and stat.S_ISREG(status.st_mode):
        with contextlib.suppress(PermissionError):  # somebody else's, in a folder where that counts
            path.unlink(missing_ok=True)


def _list(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _companions(name: str, beside: Iterable[str]) -> list[str]:
    """Return the names of a file's thumbnail, and of what was received of it or its successor.

    Quick-looks lie by their names, wherever their file is.
    """
    partial = re.compile(rf"\.{re.escape(name)}\.[0-9]+\.part(\.json)?", re.DOTALL)
    thumbnail = thumbnail_name(name) if name.endswith(PICTURES) else None
    return [entry for entry in beside if entry == thumbnail or partial.fullmatch(entry)]


def _kept_as(each: Relocation, kept_as: str) -> str | None:
    """Return where a kept copy goes; None where it is not kept by the former path of its file."""
    (folder, _, name), (new_folder, _, _) = each.path.rpartition("/"), each.to.rpartition("/")
    beginning = f".replaced/{folder}/" if folder else ".replaced/"
    rest = kept_as.removeprefix(beginning)
    if rest == kept_as or not re.fullmatch(rf"r[0-9]+(-[0-9]+)?/{re.escape(name)}", rest):
        return None
    return f".replaced/{new_folder}/{rest}" if new_folder else f".replaced/{rest}"
