"""The revisions of a file: what the archive stated of each, and what became of the copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.core.dates import iso

if TYPE_CHECKING:
    from jwstwatch.store.histories import Revision, RevisionCopy
    from jwstwatch.store.reports import FileReport
    from jwstwatch.store.store import Store

HEAD = ("revision", "pipeline", "context", "checksum", "dated", "size", "listed since", "copy")
_LEAST = ("dated", "checksum", "size")
_LOT = 500
"""Files whose revisions are held in memory at a time."""
_CHECKSUM = 10
"""Digits of a checksum that are shown to people."""


def by_file(store: Store, files: Iterable[FileReport]) -> Iterator[tuple[FileReport, tuple[Revision, ...]]]:
    """Yield files with the revisions of their products, oldest first, with the file's own copies alone."""
    for lot in _lots(files):
        found = store.histories.of_products({file.product_id for file in lot})
        for file in lot:
            revisions = found.get(file.product_id, ())
            yield file, tuple(replace(each, copies=_copies_of(file, each)) for each in revisions)


def _lots(files: Iterable[FileReport]) -> Iterator[list[FileReport]]:
    files = iter(files)
    while lot := list(islice(files, _LOT)):
        yield lot


def _copies_of(file: FileReport, revision: Revision) -> tuple[RevisionCopy, ...]:
    return tuple(copy for copy in revision.copies if copy.file_id == file.file_id)


def text(store: Store, files: Iterable[FileReport]) -> Iterator[str]:
    """Yield a table of revisions for each file that was revised; of the others there are just so many."""
    told = others = 0
    for lot in _lots(files):
        revised = store.histories.revised({file.product_id for file in lot})
        for file, revisions in by_file(store, [file for file in lot if file.product_id in revised]):
            if told:
                yield ""
            yield f"{output.emphasised(output.plain(file.place))}  {file.state.value}"
            yield table(revisions)
            told += 1
        others += sum(file.product_id not in revised for file in lot)
    if told and others:
        yield ""
    if others:
        yield f"{others} {'file' if others == 1 else 'files'} of one revision"


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
