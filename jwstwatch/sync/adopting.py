"""A file that stands at a wanted path without a record is taken in after checks, never overwritten unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from jwstwatch.core.model import FileState
from jwstwatch.core.products import Product
from jwstwatch.disk.looking import fingerprint
from jwstwatch.errors import ContentError
from jwstwatch.imaging.content import check
from jwstwatch.store.plans import Adopted, PlanRow
from jwstwatch.sync import judging


class Adopt(Protocol):
    """Judges a file that stands at a planned path."""

    def __call__(
        self, row: PlanRow, path: Path, product: Product, *, revision: int, sizes: bool = True
    ) -> PlanRow:
        """Return the plan row as the file makes it."""
        ...


OLDER = "found on disk; nothing tells it from an older revision of this size"


def adopt(row: PlanRow, path: Path, product: Product, *, revision: int, sizes: bool = True) -> PlanRow:
    """Return the plan row of a path where a file was found, for a product that has this `revision` now.

    A sound file that nothing contradicts is present; one that may be older is a readable copy, to be
    replaced once the archive's is verified; one that is not sound is as good as missing; one that cannot be
    read fails alone. `sizes` off: the user said not to compare them.
    """
    product = product if sizes else replace(product, size=None)
    try:
        check(path, path.name)
        header = judging.read_making(path, path.name)
        found = fingerprint(path)
    except ContentError as error:
        reason = f"what lies at its path is not sound: {error.message}"
        return replace(row, state=FileState.WANTED, reason=reason)
    except OSError as error:
        reason = f"what lies at its path cannot be read ({error.strerror or error})"
        return replace(row, state=FileState.FAILED, reason=reason)
    contradiction, note = judging.compare(product, found.size, header)
    if contradiction is None and revision > 1 and not judging.states_pipeline(product, header):
        contradiction = OLDER
    adopted = Adopted(
        size=found.size,
        sha256=found.sha256,
        modified_ns=found.modified_ns,
        revision=revision if contradiction is None else None,
        note=note,
    )
    state = FileState.PRESENT if contradiction is None else FileState.STALE
    return replace(row, state=state, reason=contradiction, adopted=adopted)


def believe(row: PlanRow, path: Path, product: Product, *, revision: int, sizes: bool = True) -> PlanRow:
    """The same as `adopt` at a glance: the file's size is all that is looked at."""
    product = product if sizes else replace(product, size=None)
    try:
        status = path.stat()
    except OSError as error:
        reason = f"what lies at its path cannot be read ({error.strerror or error})"
        return replace(row, state=FileState.FAILED, reason=reason)
    contradiction, note = judging.compare(product, status.st_size, {})
    adopted = Adopted(
        size=status.st_size,
        sha256="",
        modified_ns=status.st_mtime_ns,
        revision=revision if contradiction is None else None,
        note=note,
    )
    state = FileState.PRESENT if contradiction is None else FileState.STALE
    return replace(row, state=state, reason=contradiction, adopted=adopted)
