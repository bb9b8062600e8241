"""What becomes of the copies that newer revisions replace: kept aside, as many as the profiles wish."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping

from jwstwatch.config.settings import Profile
from jwstwatch.errors import StorageError, UnsafePathError
from jwstwatch.files import join_safely
from jwstwatch.store.histories import KeptCopy, Replaceable
from jwstwatch.store.profiles import ONE_OFF
from jwstwatch.store.store import Store
from jwstwatch.store.transfers import Intent
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.removing import Remover, Verified
from jwstwatch.transfer import aside, placing

log = logging.getLogger(__name__)


class Replacing:
    """The copies that the files of one group are about to replace; `kept` has where they lie, by file."""

    def __init__(self, context: Context, subject: Subject, intents: Iterable[Intent]) -> None:
        self._new = {intent.file_id: intent for intent in intents if intent.revision > 1}
        there = context.store.histories.replaceable(self._new) if self._new else {}
        self._store = context.store
        self._old = {key: old for key, old in there.items() if old.revision < self._new[key].revision}
        profiles = {**context.profiles, subject.profile.name: subject.profile}
        self._unsure = {key for key, old in self._old.items() if _is_unsure(old, profiles)}
        # A profile that another configuration has wishes as many as there are.
        so_far = context.store.histories.kept(self._unsure) if self._unsure else {}
        self._wished = {
            key: max(_wished(old, profiles), len(so_far.get(key, ()))) for key, old in self._old.items()
        }
        self.kept: dict[int, str] = {}

    def keep(self, file_ids: Iterable[int]) -> dict[int, str]:
        """Keep the copies of these files aside where that is wished, durably; returns why it cannot be.

        Raises `StorageError` where the disk refuses: without it nothing may be replaced.
        """
        refused: dict[int, str] = {}
        for key in file_ids:
            if self._wished.get(key) and self._old[key].sha256 != self._new[key].sha256:
                try:
                    self._note(key, aside.keep(_old_copy(self._old[key])))
                except UnsafePathError as error:
                    refused[key] = error.message
            else:
                self.find([key])  # left by a death while it was wished
        folders = {key: join_safely(self._old[key].root, place).parent for key, place in self.kept.items()}
        gone = placing.sync_folders(folders.values()) if folders else set()
        for key in [key for key, folder in folders.items() if folder in gone]:
            del self.kept[key]
            refused[key] = f"{folders[key]} was removed as soon as a copy was kept there"
        return refused

    def find(self, file_ids: Iterable[int]) -> None:
        """Look for copies that were kept before a death, of files whose replacement stands since."""
        for key in file_ids:
            if key in self._old and key not in self.kept:
                self._note(key, aside.find(_old_copy(self._old[key])))

    def _note(self, key: int, place: str | None) -> None:
        if place is not None:
            self.kept[key] = place

    def make_room(self, file_ids: Iterable[int]) -> None:
        """Remove what will be too much once these copies are recorded as kept, of files that stand in place.

        Before the record: whoever dies in between finds the intents again, and removes the rest then. Where
        as many are wished as there are, a death would make them fewer each time: those wait for `thin`.
        """
        thin(self._store, {key: self._wished[key] - 1 for key in file_ids if self._makes_room(key)})

    def thin(self, file_ids: Iterable[int]) -> None:
        """Remove what is kept of replaced files beyond what is wished now, and has not made room already."""
        rest = [key for key in file_ids if key in self._old and not self._makes_room(key)]
        thin(self._store, {key: self._wished[key] for key in rest})

    def _makes_room(self, key: int) -> bool:
        return key in self.kept and key not in self._unsure and self._wished[key] > 0


def thin(store: Store, wished: Mapping[int, int]) -> None:
    """Remove, oldest first, the replaced copies of files that are kept beyond the number `wished` of each.

    What cannot be removed now is tried again at the file's next replacement.
    """
    if not wished:
        return
    surplus = [copy for key, copies in store.histories.kept(wished).items() for copy in copies[wished[key] :]]
    store.histories.forget_kept([copy for copy in surplus if _remove(copy)])


def _remove(copy: KeptCopy) -> bool:
    """Return whether the copy is not there any more."""
    remover = Remover(copy.root)
    try:
        reason = remover.remove(copy.path, Verified(size=copy.size, sha256=copy.sha256))
        remover.sync()
    except StorageError as error:
        reason = error.message
    if reason is not None:
        log.warning("%s is not removed: %s", copy.root / copy.path, reason)
        return False
    with contextlib.suppress(OSError):  # others may lie there
        join_safely(copy.root, copy.path).parent.rmdir()
    return True


def _wished(old: Replaceable, profiles: Mapping[str, Profile]) -> int:
    """Return how many replaced copies are kept: as many as the profile wishes that wishes most."""
    file = old.path.rpartition("/")[2]
    wishes = [profiles[name].parameters.kept_copies(file) for name in old.profiles if name in profiles]
    return max(wishes, default=0)


def _is_unsure(old: Replaceable, profiles: Mapping[str, Profile]) -> bool:
    """Tell whether a saved profile wants the file of which this configuration knows nothing."""
    return any(name not in profiles and not name.startswith(ONE_OFF) for name in old.profiles)


def _old_copy(old: Replaceable) -> aside.OldCopy:
    return aside.OldCopy(
        root=old.root,
        path=old.path,
        revision=old.revision,
        size=old.size,
        sha256=old.sha256,
        modified_ns=old.modified_ns,
    )
