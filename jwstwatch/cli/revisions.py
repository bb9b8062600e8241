"""The revisions of a file: what the archive stated of each, and what became of the copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.core.dates import iso

if TYPE_CHECKING:
    from jwstwatch.store.histories import Revision, RevisionCopy
    from jwstwatch.store.reports import FileReport
    from jwstwatch.store.store import Store

HEAD = ("revision", "pipeline", "context", "checksum", "dated", "size", "listed since", "copy")
_LEAST = ("dated", "checksum", "size")
_CHECKSUM = 10
"""Digits of a checksum that are shown to people."""


def by_file(store: Store, files: Sequence[FileReport]) -> dict[int, tuple[Revision, ...]]:
    """Return the revisions of each file's product, oldest first, with this file's copies alone."""
    found = store.histories.of_products({file.product_id for file in files})
    return {
        file.file_id: tuple(
            replace(revision, copies=_copies_of(file, revision)) for revision in found[file.product_id]
        )
        for file in files
    }


def _copies_of(file: FileReport, revision: Revision) -> tuple[RevisionCopy, ...]:
    return tuple(copy for copy in revision.copies if copy.file_id == file.file_id)


def text(files: Sequence[FileReport], history: Mapping[int, Sequence[Revision]]) -> str:
    """Return a table of revisions for each file that was revised; of the others there are just so many."""
    revised = [file for file in files if len(history[file.file_id]) > 1]
    parts = [
        f"{output.emphasised(output.plain(str(file.path)))}  {file.state.value}\n"
        + table(history[file.file_id])
        for file in revised
    ]
    if others := len(files) - len(revised):
        parts.append(f"{others} {'file' if others == 1 else 'files'} of one revision")
    return "\n\n".join(parts) if parts else "no files"


def table(revisions: Sequence[Revision]) -> str:
    """Return revisions as a table that fits the terminal, and below it where copies are kept."""
    rows = [
        [
            str(each.number),
            each.pipeline or "-",
            each.context or "-",
            each.checksum[:_CHECKSUM] if each.checksum else "-",
            each.date or "-",
            output.size(each.size),
            _day(each.began_at),
            "; ".join(_fate(copy) for copy in each.copies) or "none",
        ]
        for each in revisions
    ]
    kept = [
        f"kept: {output.plain(str(copy.kept))}" for each in revisions for copy in each.copies if copy.kept
    ]
    return "\n".join([output.table(HEAD, rows, least=_LEAST), *kept])


def _fate(copy: RevisionCopy) -> str:
    if copy.replaced_at is None:
        return "here"
    return f"replaced {_day(copy.replaced_at)}" + ("" if copy.kept is None else ", kept")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def document(revision: Revision) -> dict[str, object]:
    """Return a revision as JSON has it."""
    return {
        "revision": revision.number,
        "began_at": iso(revision.began_at),
        "ended_at": iso(revision.ended_at),
        "why": revision.why,
        "size": revision.size,
        "pipeline": revision.pipeline,
        "context": revision.context,
        "checksum": revision.checksum,
        "date": revision.date,
        "facts": dict(revision.facts),
        "copies": [
            {
                "path": str(copy.path),
                "size": copy.size,
                "sha256": copy.sha256,
                "replaced_at": iso(copy.replaced_at),
                "run_id": copy.run_id,
                "kept": None if copy.kept is None else str(copy.kept),
            }
            for copy in revision.copies
        ],
    }
