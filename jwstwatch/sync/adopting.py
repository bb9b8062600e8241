"""A file that stands at a wanted path without a record is taken in after checks, never overwritten unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import Target
from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import ContentError
from jwstwatch.files import translate_storage_errors
from jwstwatch.imaging.content import check
from jwstwatch.store.plans import Adopted, PlanRow


def adopt(row: PlanRow, path: Path, target: Target) -> PlanRow:
    """Return the plan row of a path where a file was found.

    A sound file of the listed size is present; a sound one of another size is a readable older copy, to be
    replaced once the archive's is verified; one that is not sound is as good as missing.
    """
    try:
        check(path, path.name)
    except ContentError as error:
        reason = f"what lies at its path is not sound: {error.message}"
        return replace(row, state=FileState.WANTED, reason=reason)
    with translate_storage_errors(path):
        found = fingerprint(path)
    same = target.listed_size is None or target.listed_size == found.size
    adopted = Adopted(
        size=found.size,
        sha256=found.sha256,
        modified_ns=found.modified_ns,
        revision=target.revision if same else None,
    )
    if same:
        return replace(row, state=FileState.PRESENT, reason=None, adopted=adopted)
    reason = f"found on disk with {found.size} bytes, the archive lists {target.listed_size}"
    return replace(row, state=FileState.STALE, reason=reason, adopted=adopted)
