"""What a file that somebody else fetched is worth: its soundness, and its own header against the listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from jwstwatch.core.evidence import is_own_row
from jwstwatch.core.model import FileState
from jwstwatch.core.planning import DiskKind
from jwstwatch.core.products import Product
from jwstwatch.core.site import Keyword
from jwstwatch.disk.looking import Fingerprint, fingerprint
from jwstwatch.disk.walking import Walked
from jwstwatch.errors import ContentError, UnsafePathError
from jwstwatch.files import join_safely, translate_storage_errors
from jwstwatch.imaging.content import check
from jwstwatch.imaging.headers import read_keywords
from jwstwatch.store.plans import KnownFile

UNPROVED = "unproved: the archive states neither its size nor its pipeline version"

_HEADER = ("CAL_VER", "CRDS_CTX", "DATE", "SDP_VER")
"""What a FITS file itself tells of its making."""

_HAS_COPY = (FileState.PRESENT, FileState.STALE, FileState.GONE)


class Verdict(StrEnum):
    """What becomes of a file that was found."""

    ADOPTED = "adopted"
    """It is the archive's present content, as far as that can be told."""
    STALE = "stale"
    """It is an older content: kept, and replaced once a profile wants it."""
    KNOWN = "known"
    """The state has it already."""
    UNKNOWN = "unknown"
    """The archive lists no such file."""
    UNSOUND = "unsound"
    """Its bytes are not what its name promises."""
    SKIPPED = "skipped"
    """It cannot be adopted where it lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file with a JWST name: its root, and what was found at which path below it."""

    root: Path
    path: str
    found: Walked

    @property
    def full(self) -> Path:
        """The absolute path."""
        return self.root / self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was made of one file; `header` has keywords of a FITS file, `note` what is odd and accepted."""

    place: Place
    verdict: Verdict
    reason: str | None = None
    product: Product | None = None
    fingerprint: Fingerprint | None = None
    header: Mapping[str, Keyword] = field(default_factory=dict)
    note: str | None = None

    @property
    def history(self) -> str:
        """What the file's history is to tell of it."""
        parts = [self.reason] if self.reason else []
        if self.fingerprint is not None:
            parts.append(f"{self.fingerprint.size} bytes, SHA-256 {self.fingerprint.sha256}")
        facts = ", ".join(f"{name} {value}" for name, value in self.header.items())
        return "; ".join([*parts, *([f"header: {facts}"] if facts else [])])


def judge_unread(place: Place, product: Product | None) -> Finding | None:
    """Return what can be said of a file without reading it; None where it has to be read."""
    if place.found.kind is not DiskKind.FILE:
        reason = "it is a link, and left alone" if place.found.kind is DiskKind.LINK else "it is no file"
        return Finding(place=place, verdict=Verdict.SKIPPED, reason=reason, product=product)
    if product is None:
        reason = "the archive lists no file of this name"
        return Finding(place=place, verdict=Verdict.UNKNOWN, reason=reason)
    try:
        join_safely(place.root, place.path)
    except UnsafePathError as error:
        reason = f"its path cannot be kept: {error.message}"
        return Finding(place=place, verdict=Verdict.SKIPPED, reason=reason, product=product)
    return None


def judge(place: Place, product: Product, standing: tuple[KnownFile, str] | None, *, hashed: bool) -> Finding:
    """Return what is to become of a file, reading it (whole where `hashed`) unless the state has it already.

    `standing` is the row that the state has at its path, with the URI of that row's product. Raises
    `StorageError` where the disk itself fails.
    """
    if standing is not None:
        known, uri = standing
        if uri != product.uri:
            reason = f"the state has another product at its path: {uri}"
            return Finding(place=place, verdict=Verdict.SKIPPED, reason=reason, product=product)
        if known.known.declined:
            reason = "it was dropped on purpose"
            return Finding(place=place, verdict=Verdict.SKIPPED, reason=reason, product=product)
        if known.known.state in _HAS_COPY and known.known.size == place.found.size:
            return Finding(place=place, verdict=Verdict.KNOWN, product=product)
    return _read(place, product, hashed=hashed)


def _read(place: Place, product: Product, *, hashed: bool) -> Finding:
    path = place.full
    header: dict[str, Keyword] = {}
    with translate_storage_errors(path):
        try:
            check(path, product.name)
            header = read_making(path, product.name)
            found = fingerprint(path) if hashed else None
        except ContentError as error:
            return Finding(place=place, verdict=Verdict.UNSOUND, reason=error.message, product=product)
        except (FileNotFoundError, PermissionError) as error:
            reason = f"it cannot be read: {error.strerror}"
            return Finding(place=place, verdict=Verdict.SKIPPED, reason=reason, product=product)
    size = found.size if found is not None else place.found.size
    contradiction, note = compare(product, size, header)
    return Finding(
        place=place,
        verdict=Verdict.ADOPTED if contradiction is None else Verdict.STALE,
        reason=contradiction,
        product=product,
        fingerprint=found,
        header={name: value for name, value in header.items() if value is not None},
        note=note,
    )


def compare(product: Product, size: int, header: Mapping[str, Keyword]) -> tuple[str | None, str | None]:
    """Return why a sound file is not the archive's present content, or None and a note if nothing proves it.

    A size and a pipeline version count where both sides state them; only the row of the file's own
    observation speaks of the file's pipeline.
    """
    if product.size is not None and size != product.size:
        return f"found with {size} bytes, the archive lists {product.size}", None
    versions = _pipelines(product, header)
    if versions is not None:
        own, listed = versions
        return (None if own == listed else f"made by pipeline {own}, the archive states {listed}"), None
    return None, UNPROVED if product.size is None else None


def read_making(path: Path, name: str) -> dict[str, Keyword]:
    """Return what a FITS file tells of its making; nothing for other files."""
    return read_keywords(path, _HEADER) if name.endswith(".fits") else {}


def states_pipeline(product: Product, header: Mapping[str, Keyword]) -> bool:
    """True where both the file and the archive state a pipeline version, so that they can be compared."""
    return _pipelines(product, header) is not None


def _pipelines(product: Product, header: Mapping[str, Keyword]) -> tuple[str, str] | None:
    """Return the pipeline version of the file and of the listing, where both are stated without doubt."""
    listed = {row.prvversion.strip() for row in product.rows if row.prvversion and is_own_row(row)}
    own = str(header.get("CAL_VER") or "").strip()
    return (own, listed.pop()) if own and len(listed) == 1 else None
