"""What `verify` found wrong is fetched again; a damaged copy stays until its successor is verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jwstwatch.core.model import FileState
from jwstwatch.errors import StorageError
from jwstwatch.store import roots as roots_of_state
from jwstwatch.store.roots import Loss, RootRecord
from jwstwatch.store.store import Store
from jwstwatch.store.verifications import Believed
from jwstwatch.sync.inspecting import Fault, Finding
from jwstwatch.sync.roots import ALARMING_SHARE, FEWEST_ALARMING

_LOST = (Fault.MISSING, Fault.CUT, Fault.FOREIGN)
_DAMAGED = (Fault.CONTENT, Fault.UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """How many files are to be fetched again, by which profiles, and why some are not."""

    queued: int = 0
    profiles: tuple[str, ...] = ()
    gone: int = 0
    """The archive has them no more."""
    unwanted: int = 0
    """No profile selects them."""
    denied: int = 0
    """They may not be read by this user, which says nothing of their content."""


def alarm(
    bad: Sequence[Finding[Believed]], roots: Sequence[RootRecord], files: Mapping[int, int]
) -> StorageError | None:
    """Return what to say where so much is missing that it looks like a mishap; `files` is by root."""
    away = (Fault.MISSING, Fault.UNREADABLE)
    missing = Counter(finding.copy.root_id for finding in bad if finding.fault in away)
    for root in roots:
        count = files.get(root.id, 0)
        if missing[root.id] > max(FEWEST_ALARMING, ALARMING_SHARE * count):
            return StorageError(
                f"{missing[root.id]} of {count} files are missing or cannot be read below {root.path}",
                hint="Nothing was queued. Is a disk below it not mounted? If it is right that they are gone: "
                f"`jwstwatch root accept {root.path}`.",
            )
    return None


def mend(store: Store, bad: Sequence[Finding[Believed]], *, now: datetime) -> Mended:
    """Let the next runs fetch what is bad, as far as the archive has it and a profile wants it."""
    wanted = store.verifications.wanting([finding.copy.file_id for finding in bad])
    gone = [finding for finding in bad if finding.copy.state is FileState.GONE]
    there = [finding for finding in bad if finding.copy.state is not FileState.GONE]
    mendable = [finding for finding in there if finding.copy.file_id in wanted]
    lost = [finding for finding in mendable if finding.fault in _LOST]
    damaged = [finding for finding in mendable if finding.fault in _DAMAGED]
    queued = store.roots.record_losses(None, [_loss(finding) for finding in lost], now=now)
    problems = [(finding.copy, finding.problem) for finding in damaged if finding.problem is not None]
    queued += len(store.verifications.condemn(problems, now=now))
    names = {name for finding in (*lost, *damaged) for name in wanted[finding.copy.file_id]}
    return Mended(
        queued=queued,
        profiles=tuple(sorted(names)),
        gone=len(gone),
        unwanted=len(there) - len(mendable),
        denied=len(mendable) - len(lost) - len(damaged),
    )


def _loss(finding: Finding[Believed]) -> Loss:
    copy = finding.copy
    believed = roots_of_state.Copy(
        file_id=copy.file_id,
        product_id=copy.product_id,
        path=copy.path,
        size=copy.size,
        modified_ns=copy.modified_ns,
        sha256=copy.sha256,
    )
    return Loss.of(believed, finding.problem or "")
