"""The folders of a profile against the disk: all of them, or those that are not as they were."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.disk import comparing
from jwstwatch.disk.comparing import Expected
from jwstwatch.errors import CancelledError
from jwstwatch.store.folders import Sizes
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sqlite_files import is_on_network
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject

WHOLE_LOOK = timedelta(days=1)
"""No file goes without being looked for for longer, whatever its folder says."""

JOBS_ON_NETWORK = 16
"""Folders that are looked at at the same time where an answer takes long; else one: two are no quicker."""

_MANY = 4
"""Where more than one folder in so many changed, all are looked at: their files are read in one go."""

_LONG = 3.0
"""Seconds after which people are told what goes on."""


@dataclass(slots=True)
class Look:
    """What a look at folders found: `checked` files, of which `missing`, and paths of what seems wrong.

    `marks` has what the folders were like before; `whole` says that these are all there are.
    """

    whole: bool
    checked: int = 0
    missing: int = 0
    suspects: list[str] = field(default_factory=list)
    marks: dict[str, str | None] = field(default_factory=dict)


def look_at_all(context: Context, subject: Subject, *, remember: bool) -> Look:
    """Look for every file; to `remember` it, also at the folders in which none is yet."""
    folders, name, root = context.store.folders, subject.profile.name, subject.root
    look = Look(whole=True)
    if remember:
        folders.begin(root.id, name)
    # What is to come needs a mark too, so that it is looked at once it is there. Before and after: what
    # another profile's run brings meanwhile, or loses, must not be in neither.
    awaiting = folders.awaiting(root.id, name) if remember else set()
    _compare(context, subject, folders.expected(root.id, name), look)
    if remember:
        empty = (awaiting | folders.awaiting(root.id, name)) - look.marks.keys()
        _compare(context, subject, ((folder, {}) for folder in sorted(empty)), look)
    return look


def look_at_changed(context: Context, subject: Subject) -> Look | None:
    """Look at the folders that are not as they were; None where it is time to look at all of them."""
    folders, name, root = context.store.folders, subject.profile.name, subject.root
    if subject.options.full or _is_whole_look_due(subject, folders.compared_since(root.id, name)):
        return None
    known = folders.marks(root.id, name)
    present = comparing.marks(root.path, list(known), jobs=_jobs(root))
    changed = [folder for folder, mark in known.items() if mark != present[folder]]
    if len(changed) * _MANY > len(known):
        return None
    # One that is absent again looks as it did before, whatever was put into it in between.
    away = [folder for folder, mark in known.items() if mark == present[folder] == comparing.ABSENT]
    look = Look(whole=False)
    _compare(context, subject, folders.expected_in(root.id, name, changed + away), look)
    return look


def _is_whole_look_due(subject: Subject, since: datetime | None) -> bool:
    now = subject.run.started_at
    if since is None or since > now + CLOCKS_DIFFER:
        return True
    return now - since >= min(WHOLE_LOOK, subject.profile.parameters.recheck) - CLOCKS_DIFFER


def _compare(context: Context, subject: Subject, expected: Iterable[tuple[str, Sizes]], look: Look) -> None:
    """Add to a look what is found in these folders; `CancelledError` where the run is to end."""
    begun = time.monotonic()
    told = False
    compared = comparing.compare_all(
        subject.root.path,
        itertools.starmap(Expected, expected),
        jobs=_jobs(subject.root),
        sizes=not subject.profile.parameters.skip_check_filesize,
    )
    with contextlib.closing(compared):
        for found in compared:
            look.checked += found.files
            look.missing += len(found.missing)
            look.suspects += found.missing
            look.suspects += found.other
            # Of a folder that came in pieces the oldest mark counts: it covers none of what followed.
            look.marks.setdefault(found.folder, found.mark)
            if context.stop.is_set():
                raise CancelledError("stopped while files were looked for", hint="The next run begins anew.")
            if not told and time.monotonic() - begun > _LONG:
                told = True
                context.report.step(f"looking for the files in {subject.root.path}")


def _jobs(root: RootRecord) -> int:
    return JOBS_ON_NETWORK if is_on_network(root.path) else 1
